/* Precedence: the one total order of all routes (lua/README.md). Any two routes that match
 * the same request are decided by it, so a lookup only has to find the first in this order. */
#include "route/route_int.h"

enum gate_err gate_precedence_of(const struct gate_route_config *route, struct precedence *out)
{
    *out = (struct precedence){
        .route = route,
        .host = HOST_EXACT,
        .n_matchers = (route->n_methods > 0) + route->n_headers + route->n_query + route->when,
    };
    if (route->host.n == 0)
        out->host = HOST_NONE;
    else if (gate_str_starts(route->host, GATE_STR("*.")))
        out->host = HOST_SUFFIX;
    return gate_pattern_parse(route->path, &out->pattern);
}

/* More goes first. */
static int more(uint64_t a, uint64_t b)
{
    return (a < b) - (a > b);
}

static bool is_exact(const struct pattern *t)
{
    return t->n_captures == 0;
}

static int compare_host(const struct precedence *a, const struct precedence *b)
{
    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    return a->host == HOST_SUFFIX ? more(a->route->host.n, b->route->host.n) : 0;
}

/* Names of captures do not count: the longer path is the one with more segments, then more literal
 * text. */
static int compare_length(const struct pattern *a, const struct pattern *b)
{
    int by_segments = more(a->n_segments, b->n_segments);

    if (by_segments != 0)
        return by_segments;
    if (a->any != b->any)
        return a->any ? 1 : -1;
    return more(a->literal_bytes, b->literal_bytes);
}

int gate_precedence_compare(const struct precedence *a, const struct precedence *b, enum rule *rule)
{
    const struct pattern *p = &a->pattern, *q = &b->pattern;
    int sign = 0;

    for (*rule = RULE_PRIORITY; *rule < RULE_ORDER; (*rule)++) {
        switch (*rule) {
        case RULE_PRIORITY:
            sign = (a->route->priority < b->route->priority) -
                   (a->route->priority > b->route->priority);
            break;
        case RULE_HOST:
            sign = compare_host(a, b);
            break;
        case RULE_EXACT:
            sign = more(is_exact(p), is_exact(q));
            break;
        case RULE_LITERALS:
            sign = more(p->n_literal, q->n_literal);
            break;
        case RULE_LENGTH:
            sign = compare_length(p, q);
            break;
        case RULE_MATCHERS:
        case RULE_ORDER:
            sign = more(a->n_matchers, b->n_matchers);
            break;
        }
        if (sign != 0)
            return sign;
    }
    return more(b->route->ordinal, a->route->ordinal);
}
