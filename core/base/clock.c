#include "base/clock.h"

#include <time.h>

static int64_t read_ns(const struct gate_clock *c, clockid_t which)
{
    struct timespec ts;

    /* Cannot fail: both clocks exist on every Linux. */
    clock_gettime(which, &ts);
    return (int64_t)ts.tv_sec * (int64_t)GATE_SEC + ts.tv_nsec +
           atomic_load_explicit(&c->skew_ns, memory_order_relaxed);
}

void gate_clock_init(struct gate_clock *c)
{
    atomic_init(&c->skew_ns, 0);
}

uint64_t gate_clock_now_ns(const struct gate_clock *c)
{
    return (uint64_t)read_ns(c, CLOCK_MONOTONIC);
}

int64_t gate_clock_wall_ns(const struct gate_clock *c)
{
    return read_ns(c, CLOCK_REALTIME);
}

void gate_clock_advance(struct gate_clock *c, uint64_t ns)
{
    atomic_fetch_add_explicit(&c->skew_ns, (int64_t)ns, memory_order_relaxed);
}
