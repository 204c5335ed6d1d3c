/* Ties: names and ordinals that point from one section to another, checked once all is read. */
#include "base/mem.h"
#include "base/siphash.h"
#include "config/config_int.h"

/* Upstreams by name: open addressing, GATE_NO_ORDINAL is a free slot. */
struct names {
    const struct gate_upstream_config *v;
    uint32_t *slots;
    uint32_t mask;
};

static uint32_t *find_name(const struct names *t, struct gate_str name)
{
    static const struct gate_sipkey key; /* the names are the operator's, nobody fills this */
    uint32_t i = (uint32_t)gate_siphash(&key, name.p, name.n) & t->mask;

    while (t->slots[i] != GATE_NO_ORDINAL && !gate_str_eq(t->v[t->slots[i]].name, name))
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

static bool fill_names(struct reader *r, const struct gate_config *c, struct names *t)
{
    uint32_t size = 16;

    while (size < c->n_upstreams * 2)
        size *= 2;
    t->v = c->upstreams;
    t->mask = size - 1;
    t->slots = gate_alloc(size * sizeof(*t->slots));
    memset(t->slots, 0xff, size * sizeof(*t->slots));
    for (uint32_t i = 0; i < c->n_upstreams; i++) {
        struct gate_str name = c->upstreams[i].name;
        uint32_t *slot = find_name(t, name);

        if (*slot != GATE_NO_ORDINAL)
            return gate_reader_fail(r, "upstream \"%.*s\" is there twice", (int)name.n, name.p);
        *slot = i;
    }
    return true;
}

/* The union of the hooks of these policies. */
static bool hooks_of(struct reader *r, const struct gate_config *c, const uint32_t *use, uint32_t n,
                     uint32_t *mask)
{
    *mask = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (use[i] >= c->n_policies)
            return gate_reader_fail(r, "there is no policy %u", use[i]);
        *mask |= c->policies[use[i]].hooks;
    }
    return true;
}

static bool tie_route(struct reader *r, const struct gate_config *c, const struct names *t,
                      struct gate_route_config *route)
{
    if (!hooks_of(r, c, route->use, route->n_use, &route->hooks))
        return false;
    if (route->upstream != GATE_NO_ORDINAL) {
        struct gate_str name = r->names[route->upstream];

        route->upstream = *find_name(t, name);
        if (route->upstream == GATE_NO_ORDINAL)
            return gate_reader_fail(r, "route %u: there is no upstream \"%.*s\"", route->ordinal,
                                    (int)name.n, name.p);
    } else if (route->action == GATE_ACTION_UPSTREAM) {
        return gate_reader_fail(r, "route %u names no upstream", route->ordinal);
    }
    return true;
}

bool gate_config_tie(struct reader *r, struct gate_config *c)
{
    /* Ours until the parse ends; const for everybody else. */
    struct gate_route_config *routes = (struct gate_route_config *)c->routes;
    struct names names;
    bool ok = fill_names(r, c, &names) && hooks_of(r, c, c->global, c->n_global, &c->global_hooks);

    for (uint32_t i = 0; ok && i < c->n_routes; i++)
        ok = tie_route(r, c, &names, &routes[i]);
    gate_free(names.slots);
    return ok;
}
