/* One upstream of the registry: its servers, and the set of peers they make. Workers look at the
 * version and take the lock only after it has changed. */
#include "base/assert.h"
#include "base/mem.h"
#include "upstream/registry_int.h"

static void server_fini(struct server *s)
{
    gate_free(s->text);
    gate_free(s->zone);
    gate_free(s->host);
    gate_free(s->addrs);
}

static void free_servers(struct server *servers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        server_fini(&servers[i]);
    gate_free(servers);
}

static void server_init(struct server *s, const struct gate_server_config *c)
{
    *s = (struct server){
        .text = gate_strndup(c->text.p, c->text.n),
        .zone = c->zone.n > 0 ? gate_strndup(c->zone.p, c->zone.n) : gate_strdup(""),
        .host = gate_strndup(c->host.p, c->host.n),
        .port = c->port,
        .numeric = c->numeric,
        .weight = c->weight,
        .max_connections = c->max_connections,
        .backup = c->backup,
        .down = c->down,
    };
    if (!c->numeric)
        return;
    s->addrs = gate_alloc(sizeof(*s->addrs));
    s->addrs[0] = c->addr;
    s->n_addrs = 1;
}

struct gate_upstream *gate_upstream_new(struct gate_str name, uint32_t workers)
{
    struct gate_upstream *u = gate_calloc(1, sizeof(*u));

    atomic_init(&u->refs, 1);
    atomic_init(&u->holds, 1);
    u->name = gate_strndup(name.p, name.n);
    pthread_mutex_init(&u->lock, NULL);
    u->workers = workers;
    u->set = gate_peer_set_build(u);
    u->set->version = 1;
    atomic_init(&u->version, 1);
    return u;
}

struct gate_upstream *gate_upstream_ref(struct gate_upstream *u)
{
    atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
    return u;
}

void gate_upstream_unref(struct gate_upstream **upstream)
{
    struct gate_upstream *u = *upstream;

    *upstream = NULL;
    if (u == NULL || atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) > 1)
        return;
    gate_peer_set_unref(&u->set);
    free_servers(u->servers, u->n_servers);
    pthread_mutex_destroy(&u->lock);
    gate_free(u->name);
    gate_free(u);
}

struct gate_upstream *gate_upstream_hold(struct gate_upstream *u)
{
    uint32_t before = atomic_fetch_add_explicit(&u->holds, 1, memory_order_relaxed);

    GATE_ASSERT(before > 0);
    return u;
}

void gate_upstream_release(struct gate_upstream **upstream)
{
    struct gate_upstream *u = *upstream;

    *upstream = NULL;
    if (u != NULL && atomic_fetch_sub_explicit(&u->holds, 1, memory_order_acq_rel) == 1)
        gate_upstream_unref(&u);
}

bool gate_upstream_gone(const struct gate_upstream *u)
{
    return atomic_load_explicit(&u->holds, memory_order_acquire) == 0;
}

/* A set that says nothing new is dropped: balancers keep their state over a reload or a DNS answer.
 */
static void publish_locked(struct gate_upstream *u)
{
    struct gate_peer_set *old = u->set;
    struct gate_peer_set *set = gate_peer_set_build(u);

    if (gate_peer_set_same(old, set)) {
        gate_peer_set_unref(&set);
        return;
    }
    set->version = old->version + 1;
    u->set = set;
    atomic_store_explicit(&u->version, set->version, memory_order_release);
    gate_peer_set_unref(&old);
}

/* What DNS said about this server before. */
static void keep_resolved(struct server *s, const struct server *old, uint32_t n)
{
    for (uint32_t i = 0; i < n && !s->numeric; i++) {
        if (old[i].numeric || old[i].n_addrs == 0 || strcmp(old[i].text, s->text) != 0)
            continue;
        s->addrs = gate_alloc(old[i].n_addrs * sizeof(*s->addrs));
        memcpy(s->addrs, old[i].addrs, old[i].n_addrs * sizeof(*s->addrs));
        s->n_addrs = old[i].n_addrs;
        return;
    }
}

void gate_upstream_configure(struct gate_upstream *u, const struct gate_server_config *servers,
                             uint32_t n)
{
    struct server *fresh = n > 0 ? gate_calloc(n, sizeof(*fresh)) : NULL;
    struct server *old;
    uint32_t n_old;

    for (uint32_t i = 0; i < n; i++)
        server_init(&fresh[i], &servers[i]);
    pthread_mutex_lock(&u->lock);
    old = u->servers;
    n_old = u->n_servers;
    for (uint32_t i = 0; i < n; i++)
        keep_resolved(&fresh[i], old, n_old);
    u->servers = fresh;
    u->n_servers = n;
    publish_locked(u);
    pthread_mutex_unlock(&u->lock);
    free_servers(old, n_old);
}

void gate_upstream_resolved(struct gate_upstream *u, struct gate_str server,
                            const struct gate_addr *addrs, size_t n)
{
    if (n == 0)
        return;
    pthread_mutex_lock(&u->lock);
    for (uint32_t i = 0; i < u->n_servers; i++) {
        struct server *s = &u->servers[i];

        if (s->numeric || !gate_str_eq(gate_str_from_cstr(s->text), server))
            continue;
        s->addrs = gate_realloc(s->addrs, n * sizeof(*addrs));
        memcpy(s->addrs, addrs, n * sizeof(*addrs));
        s->n_addrs = (uint32_t)n;
        for (uint32_t k = 0; k < n; k++)
            gate_addr_set_port(&s->addrs[k], s->port);
    }
    publish_locked(u);
    pthread_mutex_unlock(&u->lock);
}

struct gate_peer_set *gate_upstream_peers(struct gate_upstream *u)
{
    struct gate_peer_set *set;

    pthread_mutex_lock(&u->lock);
    set = u->set;
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&u->lock);
    return set;
}

uint64_t gate_upstream_version(const struct gate_upstream *u)
{
    return atomic_load_explicit(&u->version, memory_order_acquire);
}
