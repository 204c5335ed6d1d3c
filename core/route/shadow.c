/* Shadows: routes that never win. Cold; for people who check a file. */
#include "base/mem.h"
#include "base/names.h"
#include "route/route_int.h"

/* Host and path, without the names of captures: routes of one place take the same requests but for
 * their other matchers. The arena's. */
static struct gate_str place_of(const struct gate_router *r, uint32_t rank,
                                struct gate_arena *arena)
{
    const struct gate_route_config *route = r->candidates[rank].route;
    const struct pattern *t = &r->patterns[rank];
    struct gate_str left = t->body, segment;
    char *text = gate_arena_alloc(arena, route->host.n + t->body.n + 8);
    struct gate_out o = gate_out_on(text, route->host.n + t->body.n + 8);

    gate_out_fmt(&o, "%.*s%s", (int)route->host.n, route->host.p, t->any ? " any" : " ");
    while (gate_pattern_next(&left, &segment)) {
        gate_out_char(&o, '/');
        gate_out_str(&o, gate_pattern_is_capture(segment) ? GATE_STR(":") : segment);
    }
    if (t->prefix)
        GATE_OUT_LIT(&o, "/*");
    return gate_out_view(&o);
}

static bool takes_methods(const struct candidate *c, const struct gate_route_config *of)
{
    if (c->route->n_methods == 0)
        return true;
    for (uint32_t i = 0; i < of->n_methods; i++) {
        struct gate_str m = of->methods[i];

        if (!gate_match_method(c->route, c->methods, gate_method_of(m), m))
            return false;
    }
    return of->n_methods > 0;
}

/* Whether what these matchers ask for is among what others ask for. */
static bool asks_no_more(const struct gate_match *v, uint32_t n, const struct gate_match *of,
                         uint32_t n_of)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = 0;

        while (k < n_of && !(gate_str_eq(v[i].name, of[k].name) &&
                             (v[i].value.p == NULL ||
                              (of[k].value.p != NULL && gate_str_eq(v[i].value, of[k].value)))))
            k++;
        if (k == n_of)
            return false;
    }
    return true;
}

/* Of two routes of one place. */
static bool takes_all(const struct candidate *c, const struct gate_route_config *of)
{
    const struct gate_route_config *by = c->route;

    return !c->when && takes_methods(c, of) &&
           asks_no_more(by->headers, by->n_headers, of->headers, of->n_headers) &&
           asks_no_more(by->query, by->n_query, of->query, of->n_query);
}

void gate_router_each_shadowed(const struct gate_router *r,
                               void (*fn)(void *arg, const struct gate_route_config *route,
                                          const struct gate_route_config *by),
                               void *arg)
{
    uint32_t *before = gate_calloc(r->n + 1, sizeof(*before)); /* by rank: the one before there */
    uint32_t *last = gate_calloc(r->n + 1, sizeof(*last));     /* by place */
    struct gate_names places;
    struct gate_arena arena;
    uint32_t n = 0;

    gate_arena_init(&arena, NULL);
    gate_names_init(&places, r->n);
    for (uint32_t rank = 0; rank < r->n; rank++) {
        const struct gate_route_config *route = r->candidates[rank].route;
        uint32_t place = gate_names_add(&places, place_of(r, rank, &arena), n);
        uint32_t by;

        before[rank] = place == n ? ROUTE_NONE : last[place];
        n += place == n;
        last[place] = rank;
        for (by = before[rank]; by != ROUTE_NONE; by = before[by]) {
            if (takes_all(&r->candidates[by], route))
                break;
        }
        if (by != ROUTE_NONE)
            fn(arg, route, r->candidates[by].route);
    }
    gate_names_fini(&places);
    gate_arena_clear(&arena);
    gate_free(before);
    gate_free(last);
}
