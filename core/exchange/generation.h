/* Generations: a bundle, compiled, and all that hangs on it. Built beside the running one,
 * published whole, immutable afterwards; references are counted per worker (struct
 * gate_generation_seat) and summed by control. */
#ifndef GATE_EXCHANGE_GENERATION_H
#define GATE_EXCHANGE_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "http/head.h"
#include "route/router.h"
#include "upstream/registry.h"

struct gate_vm; /* script/vm.h */

/* What all workers share of a generation; immutable. */
struct gate_generation {
    uint64_t number;
    uint64_t hash;                    /* of the bundle */
    struct gate_config *config;       /* owned */
    struct gate_router *router;       /* owned */
    struct gate_upstream **upstreams; /* by ordinal; borrowed from the registry */
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
    struct gate_vm *vm; /* owned; NULL in gateways without any function (none is built) */
    uint32_t refs;      /* exchanges, sessions' tunnels and the worker's own "current" */
    bool retired;       /* a newer one serves */
    void (*on_idle)(struct gate_generation_seat *seat,
                    void *arg); /* refs fell to 0 while retired */
    void *on_idle_arg;
};

static inline struct gate_generation_seat *gate_seat_ref(struct gate_generation_seat *s)
{
    s->refs++;
    return s;
}

/* Gives up one reference and clears the pointer. */
static inline void gate_seat_unref(struct gate_generation_seat **s)
{
    struct gate_generation_seat *x = *s;

    *s = NULL;
    if (x != NULL && --x->refs == 0 && x->retired)
        x->on_idle(x, x->on_idle_arg);
}

#endif
