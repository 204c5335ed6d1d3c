/* Wheel: a hierarchical timer wheel with 1 ms ticks; start, stop and move are O(1). One thread.
 * Owned by a loop. */
#ifndef GATE_NET_WHEEL_H
#define GATE_NET_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct gate_timer {
    struct gate_list node;
    uint64_t at_ms;     /* loop time; 0: not started */
    void (*fn)(struct gate_timer *t);
};

#define GATE_WHEEL_BITS 8
#define GATE_WHEEL_SLOTS (1 << GATE_WHEEL_BITS)
#define GATE_WHEEL_LEVELS 4

struct gate_wheel {
    uint64_t now_ms;    /* last tick that ran */
    uint32_t count;
    uint64_t used[GATE_WHEEL_LEVELS][GATE_WHEEL_SLOTS / 64];
    struct gate_list slots[GATE_WHEEL_LEVELS][GATE_WHEEL_SLOTS];
};

void gate_wheel_init(struct gate_wheel *w, uint64_t now_ms);

static inline void gate_timer_init(struct gate_timer *t, void (*fn)(struct gate_timer *t))
{
    gate_list_init(&t->node);
    t->at_ms = 0;
    t->fn = fn;
}

static inline bool gate_timer_active(const struct gate_timer *t)
{
    return t->at_ms != 0;
}

/* Starts or moves. A time not after now fires at the next advance. */
void gate_wheel_start(struct gate_wheel *w, struct gate_timer *t, uint64_t at_ms);
void gate_wheel_stop(struct gate_wheel *w, struct gate_timer *t);

/* Moves every timer that is due to the end of `due` (by its node, at_ms set to 0); the caller
 * runs them. */
void gate_wheel_advance(struct gate_wheel *w, uint64_t now_ms, struct gate_list *due);

/* A lower bound of the next time at which something may be due; UINT64_MAX: nothing is started. */
uint64_t gate_wheel_next(const struct gate_wheel *w);

#endif
