#include "route/router.h"

#include <stdlib.h>

#include "base/mem.h"
#include "route/route_int.h"

#define ALLOW_MAX 512

static int by_precedence(const void *a, const void *b)
{
    enum rule rule;

    return gate_precedence_compare(a, b, &rule);
}

static enum gate_err sort_routes(const struct gate_config *config, struct precedence *v)
{
    for (uint32_t i = 0; i < config->n_routes; i++) {
        enum gate_err err = gate_precedence_of(&config->routes[i], &v[i]);

        if (err != GATE_OK)
            return err;
    }
    qsort(v, config->n_routes, sizeof(*v), by_precedence);
    return GATE_OK;
}

static void add_routes(struct gate_router *r, const struct precedence *v, uint32_t n)
{
    uint32_t names = 0;

    for (uint32_t rank = 0; rank < n; rank++)
        names += v[rank].pattern.n_captures;
    r->names = gate_calloc(names + 1, sizeof(*r->names));
    names = 0;
    for (uint32_t rank = 0; rank < n; rank++) {
        const struct gate_route_config *route = v[rank].route;
        const struct pattern *pattern = &v[rank].pattern;

        r->patterns[rank] = *pattern;
        r->candidates[rank] = (struct candidate){
            .route = route,
            .captures = pattern->captures,
            .names = names,
            .next = ROUTE_NONE,
            .methods = gate_match_method_mask(route),
            .matchers = route->n_headers + route->n_query > 0,
            .n_segments = (uint16_t)pattern->n_segments,
            .when = route->when,
            .prefix = pattern->prefix,
        };
        gate_pattern_names(pattern, r->names + names);
        names += pattern->n_captures;
    }
    r->n = n;
    gate_trie_build(r);
}

enum gate_err gate_router_build(const struct gate_config *config, struct gate_router **out)
{
    struct gate_router *r = gate_calloc(1, sizeof(*r));
    struct precedence *v = gate_calloc(config->n_routes + 1, sizeof(*v));
    enum gate_err err;

    r->hostless = ROUTE_NONE;
    r->candidates = gate_calloc(config->n_routes + 1, sizeof(*r->candidates));
    r->patterns = gate_calloc(config->n_routes + 1, sizeof(*r->patterns));
    gate_sipkey_random(&r->key);
    err = sort_routes(config, v);
    if (err == GATE_OK)
        add_routes(r, v, config->n_routes);
    else
        gate_router_free(&r);
    gate_free(v);
    *out = r;
    return err;
}

void gate_router_free(struct gate_router **router)
{
    struct gate_router *r = *router;

    *router = NULL;
    if (r == NULL)
        return;
    gate_free(r->candidates);
    gate_free(r->patterns);
    gate_free(r->names);
    gate_free(r->node_memory);
    gate_free(r->slots);
    gate_free(r);
}

/* The methods of all routes that match but for their methods. */
static struct gate_str allowed(struct lookup *l, struct gate_arena *arena)
{
    char buf[ALLOW_MAX];
    struct gate_out o = gate_out_on(buf, sizeof(buf));

    l->allow = &o;
    gate_lookup_run(l);
    return gate_arena_copy(arena, gate_out_view(&o));
}

/* The trie has found that the path fits: only the places of the captures count. */
static void capture(const struct lookup *l, struct gate_route_result *out)
{
    const struct candidate *c = &l->r->candidates[l->best];
    const struct gate_str *names = &l->r->names[c->names];
    struct gate_str left = l->q->path, segment;
    uint64_t is_capture = c->captures;
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->n_segments && (is_capture != 0 || c->prefix); i++) {
        gate_pattern_next(&left, &segment);
        if (is_capture & 1) {
            out->captures[n] = (struct gate_capture){names[n], segment};
            n++;
        }
        is_capture >>= 1;
    }
    if (c->prefix) {
        out->captures[n] = (struct gate_capture){names[n], gate_str_of(left.p + 1, left.n - 1)};
        n++;
    }
    out->n_captures = n;
}

static void answer(const struct lookup *l, struct gate_route_result *out)
{
    const struct candidate *c = &l->r->candidates[l->best];

    out->allow = GATE_STR_NONE;
    out->n_captures = 0;
    out->position = l->best;
    out->route = NULL;
    out->needs_when = false;
    if (l->best == ROUTE_NONE)
        return;
    out->route = c->route;
    out->needs_when = c->when;
    capture(l, out);
}

static struct lookup begin(const struct gate_router *r, const struct gate_route_query *q,
                           uint32_t from)
{
    return (struct lookup){
        .r = r,
        .q = q,
        .method = gate_method_of(q->method),
        .from = from,
        .best = ROUTE_NONE,
    };
}

void gate_router_find(const struct gate_router *r, const struct gate_route_query *q,
                      struct gate_arena *arena, struct gate_route_result *out)
{
    struct lookup l = begin(r, q, 0);

    gate_lookup_run(&l);
    answer(&l, out);
    if (out->route == NULL && l.other_method)
        out->allow = allowed(&l, arena);
}

/* Never answers with `allow`: the path was there for this method, a function refused it. */
void gate_router_next(const struct gate_router *r, const struct gate_route_query *q,
                      struct gate_route_result *inout)
{
    struct lookup l;

    if (inout->position == ROUTE_NONE) {
        inout->route = NULL;
        return;
    }
    l = begin(r, q, inout->position + 1);
    gate_lookup_run(&l);
    answer(&l, inout);
}

void gate_router_each(const struct gate_router *r,
                      void (*row)(void *arg, const struct gate_route_config *route), void *arg)
{
    for (uint32_t rank = 0; rank < r->n; rank++)
        row(arg, r->candidates[rank].route);
}
