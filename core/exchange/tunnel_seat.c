#include "exchange/tunnel_seat.h"

#include <pthread.h>

#include "base/mem.h"

/* Tunnels of one route that have ended. Few routes have any. */
struct count {
    struct gate_list node;
    uint64_t by_class[6];
    size_t n;
    char route[];
};

struct gate_tunnel_counts {
    pthread_mutex_t lock;
    struct gate_list list;
};

struct gate_tunnel_counts *gate_tunnel_counts_new(void)
{
    struct gate_tunnel_counts *c = gate_calloc(1, sizeof(*c));

    pthread_mutex_init(&c->lock, NULL);
    gate_list_init(&c->list);
    return c;
}

void gate_tunnel_counts_free(struct gate_tunnel_counts **counts)
{
    struct gate_tunnel_counts *c = *counts;
    struct gate_list *n;

    *counts = NULL;
    if (c == NULL)
        return;
    while ((n = gate_list_pop(&c->list)) != NULL)
        gate_free(gate_container_of(n, struct count, node));
    pthread_mutex_destroy(&c->lock);
    gate_free(c);
}

static struct count *count_of_locked(struct gate_tunnel_counts *c, struct gate_str route)
{
    struct count *x;

    for (struct gate_list *n = c->list.next; n != &c->list; n = n->next) {
        x = gate_container_of(n, struct count, node);
        if (gate_str_eq(gate_str_of(x->route, x->n), route))
            return x;
    }
    x = gate_calloc(1, sizeof(*x) + route.n + 1);
    memcpy(x->route, route.n > 0 ? route.p : "", route.n);
    x->n = route.n;
    gate_list_push(&c->list, &x->node);
    return x;
}

static void add(struct gate_tunnel_counts *c, struct gate_str route,
                const struct gate_route_stats *stats)
{
    struct count *x;

    pthread_mutex_lock(&c->lock);
    x = count_of_locked(c, route);
    for (int i = 0; i < 6; i++)
        x->by_class[i] += atomic_load_explicit(&stats->by_class[i], memory_order_relaxed);
    pthread_mutex_unlock(&c->lock);
}

void gate_tunnel_counts_each(struct gate_tunnel_counts *c,
                             void (*fn)(void *arg, struct gate_str route,
                                        const uint64_t by_class[6]),
                             void *arg)
{
    pthread_mutex_lock(&c->lock);
    for (struct gate_list *n = c->list.next; n != &c->list; n = n->next) {
        struct count *x = gate_container_of(n, struct count, node);

        fn(arg, gate_str_of(x->route, x->n), x->by_class);
    }
    pthread_mutex_unlock(&c->lock);
}

/* A generation of one route and one upstream. */
struct tunnel_seat {
    struct gate_generation_seat seat;
    struct gate_generation g;
    struct gate_config config;
    struct gate_route_config route;
    struct gate_upstream_config upstream;
    struct gate_upstream *registered;
    struct gate_upstream_names names;   /* for scripts that still hold the request */
    uint32_t number;
    struct gate_route_stats stats[2];   /* the second: without a route */
    struct gate_tunnel_counts *counts;
};

static struct gate_str copy(struct gate_str s)
{
    return gate_str_of(gate_strndup(s.n > 0 ? s.p : "", s.n), s.n);
}

/* The tunnel has ended and is counted in stats. */
static void on_end(struct gate_generation_seat *seat, void *arg)
{
    struct tunnel_seat *t = arg;

    (void)seat;
    if (t->counts != NULL)
        add(t->counts, t->route.name, &t->stats[t->config.n_routes == 0]);
    gate_free((char *)t->route.name.p);
    gate_free((char *)t->upstream.name.p);
    gate_upstream_release(&t->registered);
    gate_free(t);
}

static void fill(struct tunnel_seat *t, const struct gate_exchange *x)
{
    const struct gate_generation *g = x->seat->generation;
    const struct gate_config *c = g->config;

    t->route = (struct gate_route_config){ .name = copy(x->route_name) };
    t->upstream.name = GATE_STR_NONE;
    t->config.routes = &t->route;
    t->config.n_routes = x->match.route != NULL;
    t->config.upstreams = &t->upstream;
    t->g.config = &t->config;
    t->g.head_limits = g->head_limits;
    t->g.number = g->number;
    if (x->upstream == GATE_NO_ORDINAL)
        return;
    t->upstream = (struct gate_upstream_config){
        .name = copy(c->upstreams[x->upstream].name),
        .timeouts = c->upstreams[x->upstream].timeouts,
    };
    t->config.n_upstreams = 1;
    t->registered = gate_upstream_hold(x->seat->upstreams[x->upstream]);
    t->number = gate_generation_number(g, x->upstream);
    t->seat.upstreams = &t->registered;
    t->names.number_of = &t->number;
    t->g.names = &t->names;
}

void gate_tunnel_seat_take(struct gate_exchange *x)
{
    struct tunnel_seat *t = gate_calloc(1, sizeof(*t));

    fill(t, x);
    t->counts = x->worker->tunnels;
    t->seat.generation = &t->g;
    t->seat.routes = t->stats;
    t->seat.refs = 1;
    t->seat.retired = true;
    t->seat.on_idle = on_end;
    t->seat.on_idle_arg = t;
    x->route_name = t->route.name;
    if (x->match.route != NULL)
        x->match.route = &t->route;
    if (x->upstream != GATE_NO_ORDINAL)
        x->upstream = 0;
    gate_seat_unref(&x->seat);
    x->seat = &t->seat;
}
