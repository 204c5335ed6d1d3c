/* Counters: what is counted, once a thread; readers sum over threads. Fields are written by their
 * own thread only and read by anybody: relaxed atomics, no locks. */
#ifndef GATE_BASE_COUNTERS_H
#define GATE_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/close_reason.h"

enum gate_counter {
    GATE_C_CLIENT_ACCEPTED,      /* client connections accepted */
    GATE_C_CLIENT_CLOSED,
    GATE_C_CLIENT_REFUSED,       /* over the connection limits */
    GATE_C_REQUESTS,             /* exchanges begun */
    GATE_C_REQUESTS_DONE,        /* exchanges ended */
    GATE_C_REQUESTS_BAD,         /* heads that made no exchange */
    GATE_C_FAULTS,
    GATE_C_BYTES_IN,             /* client side, body and head */
    GATE_C_BYTES_OUT,
    GATE_C_LINKS_OPENED,         /* upstream connections */
    GATE_C_LINKS_CLOSED,
    GATE_C_LINKS_REUSED,
    GATE_C_LINKS_HTTP2,          /* those that speak it */
    GATE_C_LINK_STREAMS,         /* streams begun on these */
    GATE_C_CONNECT_FAILURES,
    GATE_C_RETRIES,
    GATE_C_TUNNELS,
    GATE_C_TUNNELS_DONE,
    GATE_C_TUNNEL_BYTES_IN,      /* of tunnels that have ended */
    GATE_C_TUNNEL_BYTES_OUT,
    GATE_C_UNDERSCORES_DROPPED,
    GATE_C_HOOK_ERRORS,
    GATE_C_HOOK_KILLS,
    GATE_C_HOOK_NOMEM,
    GATE_C_LOG_DROPPED,          /* access or error lines dropped by a stuck sink */
    GATE_C_ACCEPT_FAILURES,
    GATE_C_H2_CONNECTIONS,
    GATE_C_H2_STREAMS_REFUSED,   /* over the limit of open streams */
    GATE_C_H2_RESETS_RECEIVED,
    GATE_C_H2_RESETS_SENT,       /* with an error */
    GATE_C_H2_ERRORS,            /* frames and messages against the protocol */
    GATE_C_H2_FLOODS,            /* connections ended because a budget was used up */
    GATE_C_TLS_HANDSHAKES,       /* that clients and the gateway have ended well */
    GATE_C_TLS_RESUMED,          /* of these, by a ticket */
    GATE_C_TLS_FAILED,           /* not ended well; why: reasons tls_* of closes */
    GATE_C_LINK_TLS_HANDSHAKES,  /* with servers, that have ended well */
    GATE_C_LINK_TLS_RESUMED,
    GATE_C_LINK_TLS_FAILED,      /* reasons link_tls_* of closes */
    GATE_C_COUNT
};

/* One a thread, owned by that thread's worker, cache-line aligned; summed by the control thread. */
struct gate_counters {
    _Atomic uint64_t v[GATE_C_COUNT];
    _Atomic uint64_t closes[GATE_CLOSE_COUNT];
    _Atomic uint64_t bad_by_class[6]; /* GATE_C_REQUESTS_BAD by the class of the answer's status */
} __attribute__((aligned(64)));

static inline void gate_counters_add(struct gate_counters *c, enum gate_counter which, uint64_t n)
{
    uint64_t old = atomic_load_explicit(&c->v[which], memory_order_relaxed);

    atomic_store_explicit(&c->v[which], old + n, memory_order_relaxed);
}

static inline void gate_counters_close(struct gate_counters *c, enum gate_close_reason why)
{
    uint64_t old = atomic_load_explicit(&c->closes[why], memory_order_relaxed);

    atomic_store_explicit(&c->closes[why], old + 1, memory_order_relaxed);
}

/* A request head that made no exchange was answered with this status. */
static inline void gate_counters_bad(struct gate_counters *c, int status)
{
    _Atomic uint64_t *n = &c->bad_by_class[status / 100];
    uint64_t old = atomic_load_explicit(n, memory_order_relaxed);

    atomic_store_explicit(n, old + 1, memory_order_relaxed);
    gate_counters_add(c, GATE_C_REQUESTS_BAD, 1);
}

static inline uint64_t gate_counters_get(const struct gate_counters *c, enum gate_counter which)
{
    return atomic_load_explicit(&c->v[which], memory_order_relaxed);
}

/* How many that have begun have not ended. The owner counts on meanwhile, so that ends are read
 * first: else there could be fewer than none. */
static inline uint64_t gate_counters_open(const struct gate_counters *c, enum gate_counter begun,
                                          enum gate_counter ended)
{
    uint64_t gone = gate_counters_get(c, ended);
    uint64_t come = gate_counters_get(c, begun);

    return come > gone ? come - gone : 0;
}

/* Metric name ("moongate_client_connections_accepted_total") and help text. Never NULL. */
const char *gate_counter_name(enum gate_counter which);
const char *gate_counter_help(enum gate_counter which);

#endif
