/* Histogram: how often values came up, in buckets some 3 % wide (log-linear), so that a quantile
 * costs a walk and no sample is kept. One thread adds, any thread reads: relaxed atomics. */
#ifndef GATE_BASE_HISTOGRAM_H
#define GATE_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

/* Buckets of one power of two; values below are exact. */
#define GATE_HISTOGRAM_STEP 32

/* For values of 32 bits; larger ones count as the largest. */
#define GATE_HISTOGRAM_BUCKETS (28 * GATE_HISTOGRAM_STEP)

/* All zero is empty. */
struct gate_histogram {
    _Atomic uint64_t v[GATE_HISTOGRAM_BUCKETS];
};

void gate_histogram_add(struct gate_histogram *h, uint64_t value);

/* Of whoever adds: empties it. */
void gate_histogram_clear(struct gate_histogram *h);

/* Adds what another one has counted; `to` is the caller's alone. */
void gate_histogram_merge(struct gate_histogram *to, const struct gate_histogram *from);

uint64_t gate_histogram_total(const struct gate_histogram *h);

/* How many are above the value, by the upper ends of their buckets. */
uint64_t gate_histogram_above(const struct gate_histogram *h, uint64_t value);

/* The value that `per_mille` of 1000 values do not exceed: the upper end of its bucket, so never
 * too small. 0 without any value. */
uint64_t gate_histogram_quantile(const struct gate_histogram *h, uint32_t per_mille);

#endif
