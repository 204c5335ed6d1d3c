/* Upstreams of live generations: under which names the registry has them. */
#include "base/mem.h"
#include "run/engine_int.h"
#include "run/resolver.h"

/* An upstream of a canary that declares it otherwise than the generation beside it: two sets of
 * servers, each with its own links and marks, until one of the two generations is given up. */
#define ALIAS " (canary)"

static bool same_server(const struct gate_server_config *a, const struct gate_server_config *b)
{
    return gate_str_eq(a->text, b->text) && a->weight == b->weight &&
           a->max_connections == b->max_connections && a->backup == b->backup &&
           a->down == b->down && gate_str_eq(a->zone, b->zone);
}

/* In what a worker keeps of it for all generations (gate_links_local); the rest is each request's
 * own. */
static bool same_upstream(const struct gate_upstream_config *a,
                          const struct gate_upstream_config *b)
{
    if (a->balance != b->balance || a->proxy_protocol != b->proxy_protocol ||
        a->http2 != b->http2 || a->idle != b->idle || a->idle_timeout_ms != b->idle_timeout_ms ||
        a->max_requests != b->max_requests || a->max_age_ms != b->max_age_ms ||
        a->budget_percent != b->budget_percent || a->n_servers != b->n_servers)
        return false;
    for (uint32_t i = 0; i < a->n_servers; i++) {
        if (!same_server(&a->servers[i], &b->servers[i]))
            return false;
    }
    return true;
}

/* Also in who its servers are believed to be: what one generation cannot reach does not mark the
 * servers of the other. */
static bool same_in(const struct gate_generation *a, uint32_t i, const struct gate_generation *b,
                    uint32_t k)
{
    return same_upstream(&a->config->upstreams[i], &b->config->upstreams[k]) &&
           gate_tls_client_same(a->clients[i], b->clients[k]);
}

void gate_live_alias(struct gate_live *live, const struct gate_live *beside)
{
    const struct gate_config *c = live->g.config;
    const struct gate_config *other = beside->g.config;

    live->aliases = gate_calloc(c->n_upstreams + 1, sizeof(*live->aliases));
    for (uint32_t i = 0; i < c->n_upstreams; i++) {
        const struct gate_upstream_config *u = &c->upstreams[i];
        uint32_t k = gate_names_find(&other->upstream_names, u->name);
        size_t cap = u->name.n + sizeof(ALIAS);

        if (k == GATE_NO_ORDINAL || same_in(&live->g, i, &beside->g, k))
            continue;
        live->aliases[i] = gate_alloc(cap);
        memcpy(live->aliases[i], u->name.p, u->name.n);
        memcpy(live->aliases[i] + u->name.n, ALIAS, sizeof(ALIAS));
    }
}

void gate_live_drop_aliases(struct gate_live *live)
{
    for (uint32_t i = 0; live->aliases != NULL && i < live->g.config->n_upstreams; i++)
        gate_free(live->aliases[i]);
    gate_free(live->aliases);
    live->aliases = NULL;
}

/* "": it has none. What serves goes by its own names. */
static struct gate_str alias_of(const struct gate_live *live, uint32_t i)
{
    if (live->aliases == NULL || live->aliases[i] == NULL)
        return GATE_STR_NONE;
    return gate_str_from_cstr(live->aliases[i]);
}

struct gate_upstream **gate_live_upstreams(const struct gate_live *live)
{
    const struct gate_config *c = live->g.config;
    bool serves = live == live->engine->current;
    struct gate_upstream **v = gate_calloc(c->n_upstreams + 1, sizeof(*v));

    for (uint32_t i = 0; i < c->n_upstreams; i++) {
        struct gate_str alias = serves ? GATE_STR_NONE : alias_of(live, i);

        v[i] = gate_upstream_hold(gate_registry_find(
            live->engine->registry, alias.n > 0 ? alias : c->upstreams[i].name));
    }
    return v;
}

void gate_live_drop_upstreams(struct gate_live *live, struct gate_upstream ***upstreams)
{
    struct gate_upstream **v = *upstreams;

    *upstreams = NULL;
    for (uint32_t i = 0; v != NULL && i < live->g.config->n_upstreams; i++)
        gate_upstream_release(&v[i]);
    gate_free(v);
}

/* Upstreams of several generations, a name once. */
struct gathered {
    struct gate_upstream_config *v;
    uint32_t n;
    struct gate_names names;
};

static void add(struct gathered *all, const struct gate_upstream_config *u, struct gate_str name)
{
    if (gate_names_add(&all->names, name, all->n) != all->n)
        return;
    all->v[all->n] = *u;
    all->v[all->n++].name = name;
}

/* One that is promoted has both names until all workers know. */
static void add_all(struct gathered *all, const struct gate_live *live)
{
    const struct gate_config *c = live->g.config;

    for (uint32_t i = 0; i < c->n_upstreams; i++) {
        struct gate_str alias = alias_of(live, i);

        if (alias.n > 0)
            add(all, &c->upstreams[i], alias);
        if (alias.n == 0 || live == live->engine->current)
            add(all, &c->upstreams[i], c->upstreams[i].name);
    }
}

/* Old generations keep their upstreams as long as they have requests: the newest declaration of
 * each name counts. */
void gate_live_apply(struct gate_engine *e, const struct gate_config *next)
{
    struct gathered all = { .n = 0 };
    uint32_t cap = next == NULL ? 0 : next->n_upstreams;
    struct gate_list *at;

    for (at = e->generations.next; at != &e->generations; at = at->next)
        cap += 2 * gate_container_of(at, struct gate_live, node)->g.config->n_upstreams;
    all.v = gate_calloc(cap + 1, sizeof(*all.v));
    gate_names_init(&all.names, cap);
    for (uint32_t i = 0; next != NULL && i < next->n_upstreams; i++)
        add(&all, &next->upstreams[i], next->upstreams[i].name);
    for (at = e->generations.prev; at != &e->generations; at = at->prev)
        add_all(&all, gate_container_of(at, struct gate_live, node));
    gate_names_fini(&all.names);
    gate_registry_apply(e->registry, &(struct gate_config){
                                         .upstreams = all.v, .n_upstreams = all.n });
    gate_resolver_apply(e->resolver);
    gate_free(all.v);
}
