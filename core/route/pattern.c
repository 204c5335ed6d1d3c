/* Patterns: a route's path taken apart, and matched against a request's. */
#include "route/route_int.h"

/* Cuts off the trailing '/' or "/" "*rest" of a prefix. */
static void cut_rest(struct pattern *t)
{
    size_t slash = t->body.n;

    while (t->body.p[slash - 1] != '/')
        slash--;
    slash--;
    if (slash + 1 == t->body.n) {
        t->prefix = true;
        t->rest = GATE_STR("*");
    } else if (t->body.p[slash + 1] == '*') {
        t->prefix = true;
        t->rest = gate_str_of(t->body.p + slash + 2, t->body.n - slash - 2);
        if (t->rest.n == 0)
            t->rest = GATE_STR("*");
    }
    if (t->prefix)
        t->body.n = slash;
}

enum gate_err gate_pattern_parse(struct gate_str path, struct pattern *out)
{
    struct gate_str rest, segment;

    *out = (struct pattern){.body = path, .any = path.n == 0};
    if (out->any) {
        /* It leaves the whole path over. */
        out->prefix = true;
        out->rest = GATE_STR("*");
        out->n_captures = 1;
        return GATE_OK;
    }
    if (path.p[0] != '/')
        return GATE_E_INVALID;
    cut_rest(out);
    out->n_captures = out->prefix;
    rest = out->body;
    for (; gate_pattern_next(&rest, &segment); out->n_segments++) {
        if (segment.n > 0 && segment.p[0] == '*')
            return GATE_E_INVALID;
        if (!gate_pattern_is_capture(segment)) {
            out->n_literal++;
            out->literal_bytes += segment.n;
            continue;
        }
        if (out->n_segments > 63)
            return GATE_E_LIMIT;
        out->captures |= 1ull << out->n_segments;
        out->n_captures++;
    }
    if (out->n_captures > GATE_CAPTURES_MAX || out->n_segments > SEGMENTS_MAX)
        return GATE_E_LIMIT;
    return GATE_OK;
}

void gate_pattern_names(const struct pattern *t, struct gate_str *names)
{
    struct gate_str rest = t->body, segment;

    while (!t->any && gate_pattern_next(&rest, &segment)) {
        if (gate_pattern_is_capture(segment))
            *names++ = gate_str_of(segment.p + 1, segment.n - 1);
    }
    if (t->prefix)
        *names = t->rest;
}

bool gate_pattern_match(const struct pattern *t, struct gate_str path)
{
    struct gate_str body = t->body, want, have;

    if (t->any)
        return true;
    if (path.n == 0 || path.p[0] != '/')
        return false;
    while (gate_pattern_next(&body, &want)) {
        if (!gate_pattern_next(&path, &have))
            return false;
        if (gate_pattern_is_capture(want) ? have.n == 0 : !gate_str_eq(want, have))
            return false;
    }
    return t->prefix ? path.n > 0 : path.n == 0;
}
