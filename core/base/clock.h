/* Clock: monotonic and wall time, and an offset that tests can move. Thread-safe (one atomic). */
#ifndef GATE_BASE_CLOCK_H
#define GATE_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* Owned by the engine and shared by its threads; `skew_ns` only ever grows. */
struct gate_clock {
    _Atomic int64_t skew_ns;    /* added to both clocks; 0 unless --test-clock moved it */
};

void gate_clock_init(struct gate_clock *c);

/* Monotonic nanoseconds, with skew. A system call (vDSO): loops cache it, see gate_loop_now. */
uint64_t gate_clock_now_ns(const struct gate_clock *c);

/* Wall clock, nanoseconds since 1970, with skew. */
int64_t gate_clock_wall_ns(const struct gate_clock *c);

/* Moves both clocks forward. Loops must be woken by the caller. */
void gate_clock_advance(struct gate_clock *c, uint64_t ns);

#define GATE_MS 1000000ull
#define GATE_SEC 1000000000ull

#endif
