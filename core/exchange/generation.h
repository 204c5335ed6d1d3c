/* Generations: a bundle, compiled, and all that hangs on it. Built beside the running one,
 * published whole, immutable afterwards; references are counted per worker (struct
 * gate_generation_seat) and summed by control. */
#ifndef GATE_EXCHANGE_GENERATION_H
#define GATE_EXCHANGE_GENERATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "exchange/upstream_names.h"
#include "http/head.h"
#include "route/router.h"
#include "tls/client.h"
#include "upstream/registry.h"

struct gate_canary_tally; /* exchange/canary.h */
struct gate_vm;           /* script/vm.h */
struct gate_route_chains; /* script/: the functions that a route's hooks run */

/* What all workers share of a generation; immutable. */
struct gate_generation {
    uint64_t number;
    uint64_t hash;                    /* of the bundle */
    struct gate_config *config;       /* owned */
    struct gate_router *router;       /* owned */
    struct gate_tls_client **clients; /* by upstream; NULL: plain; owned */
    /* Scripts know upstreams by the ordinals of the configuration that their VM was made for.
     * A generation that has kept the VMs of an older one translates; owned. NULL: they are the
     * same. */
    struct gate_upstream_names *names;
    struct gate_head_limits head_limits;
    int64_t made_s;         /* wall clock */
    _Atomic uint32_t seats; /* workers that still hold a seat; the last one lets control free it */
};

/* Requests of one route by status class (1xx..5xx), of one worker: written by its thread only, read
 * by control. */
struct gate_route_stats {
    _Atomic uint64_t by_class[6];
};

/* A worker's own side of a generation: its VM and its count of users. One thread. */
struct gate_generation_seat {
    struct gate_generation *generation;
    struct gate_route_stats
        *routes;        /* config->n_routes + 1, by ordinal; the last: no route. Owned by control */
    struct gate_upstream **upstreams; /* by ordinal; the registry's, in an array of control's */
    struct gate_canary_tally *tally;  /* NULL: no canary runs, or not beside this one */
    struct gate_vm *vm; /* owned; NULL in gateways without any function (none is built) */
    struct gate_route_chains **chains; /* by route, when the VM was made for another one; owned */
    _Atomic uint32_t refs; /* exchanges and the worker's own "current"; control reads it */
    bool retired;       /* a newer one serves */
    void (*on_idle)(struct gate_generation_seat *seat,
                    void *arg); /* refs fell to 0 while retired */
    void *on_idle_arg;
};

/* The ordinal of an upstream by the number that scripts know, GATE_NO_ORDINAL: it has none here. */
static inline uint32_t gate_generation_upstream(const struct gate_generation *g, uint32_t number)
{
    if (g->names == NULL)
        return number < g->config->n_upstreams ? number : GATE_NO_ORDINAL;
    return number < g->names->n ? g->names->ordinal_of[number] : GATE_NO_ORDINAL;
}

static inline uint32_t gate_generation_number(const struct gate_generation *g, uint32_t ordinal)
{
    return g->names == NULL ? ordinal : g->names->number_of[ordinal];
}

static inline struct gate_generation_seat *gate_seat_ref(struct gate_generation_seat *s)
{
    uint32_t n = atomic_load_explicit(&s->refs, memory_order_relaxed);

    atomic_store_explicit(&s->refs, n + 1, memory_order_relaxed);
    return s;
}

/* Gives up one reference and clears the pointer. */
static inline void gate_seat_unref(struct gate_generation_seat **s)
{
    struct gate_generation_seat *x = *s;
    uint32_t n;

    *s = NULL;
    if (x == NULL)
        return;
    n = atomic_load_explicit(&x->refs, memory_order_relaxed) - 1;
    atomic_store_explicit(&x->refs, n, memory_order_relaxed);
    if (n == 0 && x->retired)
        x->on_idle(x, x->on_idle_arg);
}

#endif
