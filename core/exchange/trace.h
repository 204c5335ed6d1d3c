/* Trace: what happened to one exchange, step by step, with times and verdicts; switched on per
 * exchange. Arena memory, one thread. */
#ifndef GATE_EXCHANGE_TRACE_H
#define GATE_EXCHANGE_TRACE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/log.h"

struct gate_trace_entry {
    uint64_t at_ns;          /* since the exchange began */
    const char *step;        /* static */
    struct gate_str verdict; /* arena or static */
};

struct gate_trace {
    struct gate_arena *arena;
    uint64_t begin_ns;
    uint32_t n;
    uint32_t dropped; /* over GATE_TRACE_MAX */
    struct gate_trace_entry v[];
};

#define GATE_TRACE_MAX 64

struct gate_trace *gate_trace_new(struct gate_arena *arena, uint64_t begin_ns);

/* NULL trace: does nothing. The verdict is copied. */
void gate_trace_add(struct gate_trace *t, uint64_t now_ns, const char *step, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* One log line: every entry as "step+1.234ms:verdict". */
void gate_trace_write(const struct gate_trace *t, struct gate_log *log, struct gate_str id);

#endif
