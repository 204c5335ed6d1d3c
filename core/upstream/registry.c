#include "upstream/registry.h"

#include "base/mem.h"
#include "base/siphash.h"
#include "upstream/registry_int.h"

struct gate_registry {
    pthread_mutex_t lock;     /* guards the table; never held during a call out */
    struct gate_upstream **v; /* in order of appearance; each held */
    uint32_t n;
    uint32_t cap;
    uint32_t *slots; /* by name: index + 1, open addressing, cap * 2 of them */
    struct gate_sipkey key;
    uint32_t workers; /* never changes */
};

struct gate_registry *gate_registry_new(uint32_t workers)
{
    struct gate_registry *r = gate_calloc(1, sizeof(*r));

    r->workers = workers;
    pthread_mutex_init(&r->lock, NULL);
    gate_sipkey_random(&r->key);
    return r;
}

void gate_registry_free(struct gate_registry **registry)
{
    struct gate_registry *r = *registry;

    *registry = NULL;
    if (r == NULL)
        return;
    for (uint32_t i = 0; i < r->n; i++)
        gate_upstream_release(&r->v[i]);
    pthread_mutex_destroy(&r->lock);
    gate_free(r->v);
    gate_free(r->slots);
    gate_free(r);
}

/* The slot of this name, or the free one where it belongs. */
static uint32_t *slot_locked(const struct gate_registry *r, struct gate_str name)
{
    uint32_t mask = r->cap * 2 - 1;
    uint32_t i = (uint32_t)gate_siphash(&r->key, name.p, name.n) & mask;

    while (r->slots[i] != 0 && !gate_str_eq(gate_str_from_cstr(r->v[r->slots[i] - 1]->name), name))
        i = (i + 1) & mask;
    return &r->slots[i];
}

static void index_locked(struct gate_registry *r)
{
    gate_free(r->slots);
    r->slots = gate_calloc(r->cap * 2, sizeof(*r->slots));
    for (uint32_t i = 0; i < r->n; i++)
        *slot_locked(r, gate_str_from_cstr(r->v[i]->name)) = i + 1;
}

static void grow_locked(struct gate_registry *r)
{
    r->cap = r->cap == 0 ? 16 : r->cap * 2;
    r->v = gate_realloc(r->v, r->cap * sizeof(*r->v));
    index_locked(r);
}

static struct gate_upstream *find_locked(const struct gate_registry *r, struct gate_str name)
{
    uint32_t at = r->n == 0 ? 0 : *slot_locked(r, name);

    return at == 0 ? NULL : r->v[at - 1];
}

struct gate_upstream *gate_registry_find(struct gate_registry *r, struct gate_str name)
{
    struct gate_upstream *u;

    pthread_mutex_lock(&r->lock);
    u = find_locked(r, name);
    pthread_mutex_unlock(&r->lock);
    return u;
}

static struct gate_upstream *find_or_make(struct gate_registry *r, struct gate_str name)
{
    struct gate_upstream *u;

    pthread_mutex_lock(&r->lock);
    u = find_locked(r, name);
    if (u == NULL) {
        if (r->n == r->cap)
            grow_locked(r);
        u = gate_upstream_new(name, r->workers);
        *slot_locked(r, name) = r->n + 1;
        r->v[r->n++] = u;
    }
    pthread_mutex_unlock(&r->lock);
    return u;
}

/* Only control takes upstreams out, and walks: it needs the lock only to read the table. */
static struct gate_upstream *at(struct gate_registry *r, uint32_t i)
{
    struct gate_upstream *u;

    pthread_mutex_lock(&r->lock);
    u = i < r->n ? r->v[i] : NULL;
    pthread_mutex_unlock(&r->lock);
    return u;
}

/* Who still has to do with one finds its set empty. */
static void drop_unwanted(struct gate_registry *r)
{
    uint32_t kept = 0;

    pthread_mutex_lock(&r->lock);
    for (uint32_t i = 0; i < r->n; i++) {
        struct gate_upstream *u = r->v[i];

        if (u->wanted) {
            r->v[kept++] = u;
            continue;
        }
        gate_upstream_configure(u, NULL, 0);
        gate_upstream_release(&u);
    }
    if (kept < r->n) {
        r->n = kept;
        index_locked(r);
    }
    pthread_mutex_unlock(&r->lock);
}

enum gate_err gate_registry_apply(struct gate_registry *r, const struct gate_config *config)
{
    struct gate_upstream *u;

    for (uint32_t i = 0; (u = at(r, i)) != NULL; i++)
        u->wanted = false;
    for (uint32_t i = 0; i < config->n_upstreams; i++) {
        const struct gate_upstream_config *c = &config->upstreams[i];

        u = find_or_make(r, c->name);
        u->wanted = true;
        gate_upstream_configure(u, c->servers, c->n_servers);
    }
    drop_unwanted(r);
    return GATE_OK;
}

void gate_registry_each(struct gate_registry *r,
                        void (*fn)(void *arg, struct gate_str upstream,
                                   const struct gate_peer_set *set),
                        void *arg)
{
    struct gate_upstream *u;

    for (uint32_t i = 0; r != NULL && (u = at(r, i)) != NULL; i++) {
        struct gate_peer_set *set = gate_upstream_peers(u);

        fn(arg, gate_str_from_cstr(u->name), set);
        gate_peer_set_unref(&set);
    }
}

/* A copy of what the callback is told, so that it may answer at once without meeting the lock. */
struct asked {
    char *server;
    char *host;
    uint16_t port;
};

static struct asked *copy_names(struct gate_upstream *u, uint32_t *n)
{
    struct asked *v;

    *n = 0;
    pthread_mutex_lock(&u->lock);
    v = u->n_servers > 0 ? gate_alloc(u->n_servers * sizeof(*v)) : NULL;
    for (uint32_t i = 0; i < u->n_servers; i++) {
        const struct server *s = &u->servers[i];

        if (!s->numeric)
            v[(*n)++] = (struct asked){gate_strdup(s->text), gate_strdup(s->host), s->port};
    }
    pthread_mutex_unlock(&u->lock);
    return v;
}

void gate_registry_names(struct gate_registry *r,
                         void (*fn)(void *arg, struct gate_upstream *u, struct gate_str server,
                                    struct gate_str host, uint16_t port),
                         void *arg)
{
    struct gate_upstream *u;

    for (uint32_t i = 0; (u = at(r, i)) != NULL; i++) {
        uint32_t n;
        struct asked *v = copy_names(u, &n);

        for (uint32_t k = 0; k < n; k++) {
            fn(arg, u, gate_str_from_cstr(v[k].server), gate_str_from_cstr(v[k].host), v[k].port);
            gate_free(v[k].server);
            gate_free(v[k].host);
        }
        gate_free(v);
    }
}
