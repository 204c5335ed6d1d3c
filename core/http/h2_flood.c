#include "http/h2_flood.h"

#include <string.h>

void gate_h2_flood_init(struct gate_h2_flood *f, uint64_t now_ms)
{
    memset(f, 0, sizeof(*f));
    f->begin_ms = f->refill_ms = now_ms;
    f->resets = GATE_H2_RESETS;
}

bool gate_h2_flood_reset(struct gate_h2_flood *f, uint64_t now_ms)
{
    uint64_t seconds = (now_ms - f->refill_ms) / 1000;

    f->refill_ms += seconds * 1000;
    seconds *= GATE_H2_RESETS_REFILL;
    f->resets = seconds > GATE_H2_RESETS - f->resets ? GATE_H2_RESETS
                                                     : f->resets + (uint32_t)seconds;
    if (f->resets == 0)
        return false;
    f->resets--;
    return true;
}

void gate_h2_flood_clean(struct gate_h2_flood *f)
{
    if (f->resets < GATE_H2_RESETS)
        f->resets++;
}

bool gate_h2_flood_idle(const struct gate_h2_flood *f, uint64_t now_ms)
{
    uint64_t allowed = GATE_H2_OVERHEAD + 8 * f->content +
                       (now_ms - f->begin_ms) / 1000 * GATE_H2_OVERHEAD_REFILL;

    return f->bytes > allowed;
}
