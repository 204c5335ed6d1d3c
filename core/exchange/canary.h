/* Canary: what a worker keeps while a new generation is tried beside the one that serves: which
 * requests it gets, and what became of those of either. The worker writes; control reads. */
#ifndef GATE_EXCHANGE_CANARY_H
#define GATE_EXCHANGE_CANARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/histogram.h"

struct gate_worker; /* exchange/worker.h */

/* Parts of a whole: shares are given in millionths. */
#define GATE_CANARY_WHOLE 1000000u

/* Which of a worker's requests the canary gets. One of each 1/share in a row, at a place that
 * chance chooses: exact to a request or two however few there are, and never in step with clients
 * that come in a pattern of their own (a page and its twenty pictures). */
struct gate_canary_share {
    uint32_t share; /* of GATE_CANARY_WHOLE, at most half of it */
    uint32_t due;   /* requests that it should have had by now */
    uint64_t sum;   /* of shares, one a request */
    uint64_t mark;  /* the sum at which the next is due */
    uint64_t whole; /* where the stretch that `mark` lies in ends */
    uint64_t chance;
};

/* `seed`: any, but not the same in each worker. */
void gate_canary_share_init(struct gate_canary_share *s, uint32_t share, uint64_t seed);

/* Whether the canary gets this request. */
bool gate_canary_share_next(struct gate_canary_share *s);

/* What is counted of one generation on one worker, from the canary's start on. */
struct gate_canary_tally {
    uint64_t from_ns; /* requests that began before are not counted; before anybody counts */
    _Atomic uint64_t requests; /* that have ended; not tunnels */
    _Atomic uint64_t errors;   /* answered 5xx, or broken off by a fault of our side */
    _Atomic uint64_t faults;   /* errors that scripts raised */
    _Atomic uint64_t kills;    /* scripts that were stopped, had no memory, or are in quarantine */
    struct gate_histogram latency_us;
    struct gate_histogram under_way_us; /* how long requests had taken at the last look */
};

/* A request has ended. */
void gate_canary_count(struct gate_canary_tally *t, uint64_t began_ns, uint64_t ended_ns,
                       bool error);

/* Looks at the requests that are under way on the worker's two generations, so that those that
 * never end are seen too. Walks them all. */
void gate_canary_look(struct gate_worker *w);

/* A script has failed. NULL: nobody counts. */
void gate_canary_fault(struct gate_canary_tally *t);
void gate_canary_kill(struct gate_canary_tally *t);

/* The sum over workers, and what follows from it. */
struct gate_canary_figures {
    uint64_t requests;
    uint64_t errors;
    uint64_t faults;
    uint64_t kills;
    uint64_t p99_us;
    /* Those under way count with what they have taken so far. */
    struct gate_histogram latency_us;
};

/* Sums n tallies, each `stride` bytes behind the one before. */
void gate_canary_sum(const struct gate_canary_tally *first, uint32_t n, size_t stride,
                     struct gate_canary_figures *out);

#endif
