/* Deadlines: one lazy timer for a moving point in time. Moving it later costs a store; the timer
 * fires early and starts again. One thread; embedded in its owner. */
#ifndef GATE_NET_DEADLINE_H
#define GATE_NET_DEADLINE_H

#include "net/loop.h"

struct gate_deadline {
    struct gate_timer timer;
    uint64_t at_ms;         /* UINT64_MAX: none */
};

static inline void gate_deadline_init(struct gate_deadline *d, void (*fn)(struct gate_timer *t))
{
    gate_timer_init(&d->timer, fn);
    d->at_ms = UINT64_MAX;
}

/* Sets or moves. */
static inline void gate_deadline_set(struct gate_loop *loop, struct gate_deadline *d,
                                     uint64_t at_ms)
{
    d->at_ms = at_ms;
    if (at_ms != UINT64_MAX && (!gate_timer_active(&d->timer) || d->timer.at_ms > at_ms))
        gate_wheel_start(&loop->wheel, &d->timer, at_ms);
}

/* First thing in the timer's function: true when the deadline is really reached, else it starts
 * again by itself. */
static inline bool gate_deadline_reached(struct gate_loop *loop, struct gate_deadline *d)
{
    if (d->at_ms == UINT64_MAX)
        return false;
    if (d->at_ms <= gate_loop_now(loop))
        return true;
    gate_wheel_start(&loop->wheel, &d->timer, d->at_ms);
    return false;
}

static inline void gate_deadline_stop(struct gate_loop *loop, struct gate_deadline *d)
{
    d->at_ms = UINT64_MAX;
    gate_wheel_stop(&loop->wheel, &d->timer);
}

#endif
