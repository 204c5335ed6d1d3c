/* Registry: all upstreams and their peers, outside generations, keyed by upstream name and address:
 * health, counters and marks survive a reload. Shared by all threads: the table has its own lock,
 * taken when a generation is applied or DNS answers; a peer's numbers are atomics. */
#ifndef GATE_UPSTREAM_REGISTRY_H
#define GATE_UPSTREAM_REGISTRY_H

#include <stdatomic.h>

#include "base/addr.h"
#include "base/clock.h"
#include "config/config.h"

struct gate_registry;

/* One address of one upstream. Reference-counted; lives as long as a set, a link or a script refers
 * to it. */
struct gate_peer {
    _Atomic uint32_t refs;
    struct gate_addr addr;
    char text[GATE_ADDR_TEXT];    /* "127.0.0.1:9001" */
    char name[256];               /* the server as declared ("origin.test:80") */
    _Atomic uint32_t active;      /* requests in flight, all workers */
    _Atomic uint32_t connections; /* open links, all workers */
    _Atomic uint64_t requests;
    _Atomic uint64_t failures;      /* connects and attempts that failed */
    _Atomic uint32_t connect_fails; /* in a row */
    _Atomic uint64_t down_until_ms; /* passive mark: monotonic ms; 0: healthy */
    _Atomic uint64_t latency_us;    /* moving average to the first byte */
    _Atomic uint32_t streams;       /* open over HTTP/2, all workers */
    _Atomic uint32_t streams_max;   /* of one connection, as the peer said last; 0: it has not */
    _Atomic bool http1;             /* it was asked for HTTP/2, and chose HTTP/1.1 */
};

/* The peers of one upstream at one moment: immutable, reference-counted, replaced whole. */
struct gate_peer_entry {
    struct gate_peer *peer;
    uint32_t weight;
    uint32_t max_connections;
    bool backup;
    bool down;
    struct gate_str zone;
};

struct gate_peer_set {
    _Atomic uint32_t refs;
    uint64_t version;
    uint32_t n;
    struct gate_peer_entry v[];
};

struct gate_registry *gate_registry_new(const struct gate_clock *clock);
void gate_registry_free(struct gate_registry **r);

/* One upstream's place in the registry; stable for the life of the process once made. */
struct gate_upstream;

/* Brings the registry to a configuration: new upstreams and peers appear, known ones keep their
 * state, gone ones lose their set. Names that need DNS begin with what was resolved before (or an
 * empty set). Control thread. */
enum gate_err gate_registry_apply(struct gate_registry *r, const struct gate_config *config);

/* Finds by name; NULL: none. Any thread; generations keep the pointer per ordinal. */
struct gate_upstream *gate_registry_find(struct gate_registry *r, struct gate_str name);

/* The set of an upstream as it is now, with a reference for the caller. Never NULL (may be empty).
 * Cheap: workers cache it and compare gate_upstream_version first. */
struct gate_peer_set *gate_upstream_peers(struct gate_upstream *u);
uint64_t gate_upstream_version(const struct gate_upstream *u);
void gate_peer_set_unref(struct gate_peer_set **set);

/* DNS gave the addresses of one named server (control thread); their ports are replaced by the
 * server's. None: what was known before stays. */
void gate_upstream_resolved(struct gate_upstream *u, struct gate_str server,
                            const struct gate_addr *addrs, size_t n);

void gate_peer_ref(struct gate_peer *p);
void gate_peer_unref(struct gate_peer **p);

/* Passive health (connect failures): after 3 failures in a row the peer is marked down for 10 s,
 * doubled at each further one up to 60 s. Those while it is down lengthen nothing: they were under
 * way, or there is no other peer. The first answers for how many ms it is down from now on, when
 * that begins with this failure (else 0); the second whether it had been marked. */
uint64_t gate_peer_connect_failed(struct gate_peer *p, uint64_t now_ms);
bool gate_peer_connect_ok(struct gate_peer *p);
bool gate_peer_is_down(const struct gate_peer *p, uint64_t now_ms);

/* Walks upstreams for /status, /metrics and `moongate upstreams`; takes the table's lock. */
void gate_registry_each(struct gate_registry *r,
                        void (*fn)(void *arg, struct gate_str upstream,
                                   const struct gate_peer_set *set),
                        void *arg);

/* Servers of the present configuration that need DNS: control asks and answers with
 * gate_upstream_resolved. */
void gate_registry_names(struct gate_registry *r,
                         void (*fn)(void *arg, struct gate_upstream *u, struct gate_str server,
                                    struct gate_str host, uint16_t port),
                         void *arg);

#endif
