/* Ties: names and ordinals that point from one section to another, checked once all is read. */
#include "config/config_int.h"

static bool name_upstreams(struct reader *r, struct gate_config *c)
{
    gate_names_init(&c->upstream_names, c->n_upstreams);
    for (uint32_t i = 0; i < c->n_upstreams; i++) {
        struct gate_str name = c->upstreams[i].name;

        if (gate_names_add(&c->upstream_names, name, i) != i)
            return gate_reader_fail(r, "upstream \"%.*s\" is there twice", (int)name.n, name.p);
    }
    return true;
}

static void name_routes(struct gate_config *c)
{
    gate_names_init(&c->route_names, c->n_routes);
    for (uint32_t i = 0; i < c->n_routes; i++)
        gate_names_add(&c->route_names, c->routes[i].name, i);
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

static bool tie_route(struct reader *r, const struct gate_config *c,
                      struct gate_route_config *route)
{
    if (!hooks_of(r, c, route->use, route->n_use, &route->hooks))
        return false;
    if (route->upstream != GATE_NO_ORDINAL) {
        struct gate_str name = r->names[route->upstream];

        route->upstream = gate_names_find(&c->upstream_names, name);
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
    bool ok = name_upstreams(r, c) &&
              hooks_of(r, c, c->global, c->n_global, &c->global_hooks);

    for (uint32_t i = 0; ok && i < c->n_routes; i++)
        ok = tie_route(r, c, &routes[i]);
    name_routes(c);
    return ok;
}
