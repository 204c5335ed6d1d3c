#include "base/histogram.h"

#define STEP_BITS 5

/* Below STEP each value has its bucket; above, each power of two is cut into STEP of them. */
static uint32_t bucket_of(uint64_t value)
{
    uint32_t shift;

    if (value > UINT32_MAX)
        value = UINT32_MAX;
    if (value < GATE_HISTOGRAM_STEP)
        return (uint32_t)value;
    shift = 31 - (uint32_t)__builtin_clz((uint32_t)value) - STEP_BITS;
    return shift * GATE_HISTOGRAM_STEP + (uint32_t)(value >> shift);
}

static uint64_t upper_end(uint32_t bucket)
{
    uint32_t shift;

    if (bucket < 2 * GATE_HISTOGRAM_STEP)
        return bucket;
    shift = bucket / GATE_HISTOGRAM_STEP - 1;
    return ((uint64_t)(bucket - shift * GATE_HISTOGRAM_STEP + 1) << shift) - 1;
}

static uint64_t count_of(const struct gate_histogram *h, uint32_t bucket)
{
    return atomic_load_explicit(&h->v[bucket], memory_order_relaxed);
}

static void add(struct gate_histogram *h, uint32_t bucket, uint64_t n)
{
    atomic_store_explicit(&h->v[bucket], count_of(h, bucket) + n, memory_order_relaxed);
}

void gate_histogram_add(struct gate_histogram *h, uint64_t value)
{
    add(h, bucket_of(value), 1);
}

void gate_histogram_clear(struct gate_histogram *h)
{
    for (uint32_t i = 0; i < GATE_HISTOGRAM_BUCKETS; i++)
        atomic_store_explicit(&h->v[i], 0, memory_order_relaxed);
}

void gate_histogram_merge(struct gate_histogram *to, const struct gate_histogram *from)
{
    for (uint32_t i = 0; i < GATE_HISTOGRAM_BUCKETS; i++)
        add(to, i, count_of(from, i));
}

uint64_t gate_histogram_total(const struct gate_histogram *h)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < GATE_HISTOGRAM_BUCKETS; i++)
        total += count_of(h, i);
    return total;
}

uint64_t gate_histogram_above(const struct gate_histogram *h, uint64_t value)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < GATE_HISTOGRAM_BUCKETS; i++)
        n += upper_end(i) > value ? count_of(h, i) : 0;
    return n;
}

uint64_t gate_histogram_quantile(const struct gate_histogram *h, uint32_t per_mille)
{
    uint64_t seen = 0, wanted = (gate_histogram_total(h) * per_mille + 999) / 1000;
    uint32_t last = 0;

    /* The counts may have moved on meanwhile: never beyond the last that is not empty. */
    for (uint32_t i = 0; i < GATE_HISTOGRAM_BUCKETS && seen < wanted; i++) {
        uint64_t n = count_of(h, i);

        seen += n;
        last = n > 0 ? i : last;
    }
    return upper_end(last);
}
