/* Small things a worker caches for its exchanges. */
#include "exchange/worker.h"

#include "base/clock.h"

struct gate_str gate_worker_date(struct gate_worker *w)
{
    /* The wall clock is read once a loop second; Date has no finer grain. */
    uint64_t mono_s = w->loop.now_ns / GATE_SEC;

    if (mono_s != w->date_mono_s) {
        w->date_mono_s = mono_s;
        w->date_s = gate_clock_wall_ns(w->loop.clock) / (int64_t)GATE_SEC;
        gate_date_http(w->date_s, w->date);
    }
    return (struct gate_str){w->date, GATE_DATE_LEN};
}
