/* Peer: one address of one upstream: what is known of it, and what workers count of it. Any thread.
 * What each request reads is written seldom; what each request writes lies in a share for each
 * worker, on a cache line of its own, which only that worker's thread writes. Readers sum. */
#ifndef GATE_UPSTREAM_PEER_H
#define GATE_UPSTREAM_PEER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/assert.h"
#include "base/mem.h"

/* What one worker has to do with a peer. */
struct gate_peer_share {
    uint32_t holds;               /* the worker's references: together they are one of the peer's */
    _Atomic uint32_t active;      /* requests in flight */
    _Atomic uint32_t connections; /* open links */
    _Atomic uint32_t streams;     /* open over HTTP/2 */
    _Atomic uint64_t requests;    /* ever */
    _Atomic uint64_t latency_ns;  /* mean of the last answers, until the first byte */
    _Atomic uint32_t answers;     /* how many that mean stands for, in 256ths */
    _Atomic uint32_t answers_at;  /* the span of time in which it did */
} __attribute__((aligned(GATE_CACHE_LINE)));

/* Reference-counted; lives as long as a set, a worker or a script refers to it. */
struct gate_peer {
    _Atomic uint32_t refs;
    uint32_t workers;               /* shares */
    struct gate_addr addr;
    char text[GATE_ADDR_TEXT];      /* "127.0.0.1:9001" */
    char name[256];                 /* the server as declared ("origin.test:80") */
    _Atomic uint64_t failures;      /* connects and attempts that failed */
    _Atomic uint32_t connect_fails; /* in a row */
    _Atomic uint32_t streams_max;   /* of one connection, as the peer said last; 0: it has not */
    _Atomic uint64_t down_until_ms; /* passive mark: monotonic ms; 0: healthy */
    _Atomic bool http1;             /* it was asked for HTTP/2, and chose HTTP/1.1 */
    struct gate_peer_share shares[];
};

/* With one reference, for the caller. */
struct gate_peer *gate_peer_new(const struct gate_addr *addr, const char *server,
                                uint32_t workers);
void gate_peer_ref(struct gate_peer *p);
void gate_peer_unref(struct gate_peer **p);

/* Passive health (connect failures): after 3 failures in a row the peer is marked down for 10 s,
 * doubled at each further one up to 60 s. Those while it is down lengthen nothing: they were under
 * way, or there is no other peer. The first answers for how many ms it is down from now on, when
 * that begins with this failure (else 0); the second whether it had been marked. */
uint64_t gate_peer_connect_failed(struct gate_peer *p, uint64_t now_ms);
bool gate_peer_connect_ok(struct gate_peer *p);
bool gate_peer_is_down(const struct gate_peer *p, uint64_t now_ms);

/* Sums of all workers. Each number is one that was true a moment ago; the sum need not be. */
uint32_t gate_peer_active(const struct gate_peer *p);
uint32_t gate_peer_connections(const struct gate_peer *p);
uint32_t gate_peer_streams(const struct gate_peer *p);
uint64_t gate_peer_requests(const struct gate_peer *p);

/* The time to the first byte, smoothed; 0: there was no answer yet. A worker's own is a mean in
 * which each new answer counts an eighth; of the means of all workers, each counts as much as the
 * answers behind it, of which there are at most eight, and half as many every 8.6 s. So one that
 * had no answers does not count, and one that had them long ago hardly, unless nobody had any
 * since. */
uint64_t gate_peer_latency_us(const struct gate_peer *p);

/* ------------------------------------------------------------------ on a worker's thread */

static inline struct gate_peer_share *gate_peer_share_of(struct gate_peer *p, uint32_t worker)
{
    GATE_DEBUG_ASSERT(worker < p->workers);
    return &p->shares[worker];
}

/* A reference of a worker's own, and its share. The first one takes one of the peer's, the last one
 * gives it back: between them nothing is written that other workers read. */
static inline struct gate_peer_share *gate_peer_hold(struct gate_peer *p, uint32_t worker)
{
    struct gate_peer_share *s = gate_peer_share_of(p, worker);

    if (GATE_UNLIKELY(s->holds == 0))
        gate_peer_ref(p);
    s->holds++;
    return s;
}

/* Clears the pointer, which may be NULL. Peer and share may be gone afterwards. */
static inline void gate_peer_release(struct gate_peer **p, struct gate_peer_share *s)
{
    struct gate_peer *x = *p;

    *p = NULL;
    if (x == NULL)
        return;
    GATE_DEBUG_ASSERT(s->holds > 0);
    if (GATE_UNLIKELY(--s->holds == 0))
        gate_peer_unref(&x);
}

/* To a number of a share, by whoever writes it. */
static inline void gate_peer_share_add(_Atomic uint32_t *n, int32_t change)
{
    uint32_t old = atomic_load_explicit(n, memory_order_relaxed);

    atomic_store_explicit(n, old + (uint32_t)change, memory_order_relaxed);
}

/* A request begins, or ends. */
static inline void gate_peer_begin(struct gate_peer_share *s)
{
    uint64_t requests = atomic_load_explicit(&s->requests, memory_order_relaxed);

    atomic_store_explicit(&s->requests, requests + 1, memory_order_relaxed);
    gate_peer_share_add(&s->active, 1);
}

static inline void gate_peer_end(struct gate_peer_share *s)
{
    gate_peer_share_add(&s->active, -1);
}

/* Links are opened, or closed; streams over HTTP/2 likewise. */
static inline void gate_peer_count_connections(struct gate_peer_share *s, int32_t change)
{
    gate_peer_share_add(&s->connections, change);
}

static inline void gate_peer_count_streams(struct gate_peer_share *s, int32_t change)
{
    gate_peer_share_add(&s->streams, change);
}

/* An answer took so long until its first byte. */
void gate_peer_note_latency(struct gate_peer_share *s, uint64_t ns, uint64_t now_ns);

#endif
