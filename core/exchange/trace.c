/* A trace is bounded: after GATE_TRACE_MAX entries only their number is kept. */
#include "exchange/trace.h"

#include <stdio.h>

struct gate_trace *gate_trace_new(struct gate_arena *arena, uint64_t begin_ns)
{
    struct gate_trace *t =
        gate_arena_zalloc(arena, sizeof(*t) + GATE_TRACE_MAX * sizeof(struct gate_trace_entry));

    t->arena = arena;
    t->begin_ns = begin_ns;
    return t;
}

void gate_trace_add(struct gate_trace *t, uint64_t now_ns, const char *step, const char *fmt, ...)
{
    char text[200];
    struct gate_trace_entry *e;
    va_list ap;
    int n;

    if (t == NULL)
        return;
    if (t->n == GATE_TRACE_MAX) {
        t->dropped++;
        return;
    }
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        n = 0;
    if ((size_t)n >= sizeof(text))
        n = (int)sizeof(text) - 1;
    e = &t->v[t->n++];
    e->at_ns = now_ns - t->begin_ns;
    e->step = step;
    e->verdict = gate_arena_copy(t->arena, gate_str_of(text, (size_t)n));
}

void gate_trace_write(const struct gate_trace *t, struct gate_log *log, struct gate_str id)
{
    char text[6 * 1024];
    struct gate_out o = gate_out_on(text, sizeof(text));
    struct gate_log_field fields[2];
    enum gate_log_level level = GATE_LOG_INFO;

    /* Somebody asked for it, so it is written whatever the log leaves out. */
    while (!gate_log_on(log, level) && level < GATE_LOG_ERROR)
        level++;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct gate_trace_entry *e = &t->v[i];

        gate_out_fmt(&o, "%s%s+%llu.%03llums:", i == 0 ? "" : " ", e->step,
                     (unsigned long long)(e->at_ns / 1000000),
                     (unsigned long long)(e->at_ns / 1000 % 1000));
        gate_out_str(&o, e->verdict);
    }
    if (t->dropped > 0)
        gate_out_fmt(&o, " and %u more", t->dropped);
    fields[0] = (struct gate_log_field){"request", id};
    fields[1] = (struct gate_log_field){"steps", gate_out_view(&o)};
    gate_log_write(log, level, "trace", fields, 2);
}
