/* Sessions: the life of one client connection, over HTTP/1 or HTTP/2. One thread (the worker's); a
 * session owns its client conn and lives in the worker's slab until it is closed. */
#ifndef GATE_SESSION_SESSION_H
#define GATE_SESSION_SESSION_H

#include "base/addr.h"
#include "exchange/worker.h"
#include "tls/server.h"

/* A worker's own copy of what a listener says about its clients; ref-counted (not atomic): sessions
 * outlive reloads. */
struct gate_listener {
    uint32_t refs;
    struct gate_str text;       /* "127.0.0.1:8080", owned */
    struct gate_cidr_set trust; /* owned */
    struct gate_tls_server *tls; /* a reference; NULL: plain */
    bool https;
    bool half_close;
    bool proxy_protocol;
    bool http2;
};

/* Copies from the configuration; refs is 1. `tls` (may be NULL) is what the configuration's TLS was
 * made into. */
struct gate_listener *gate_listener_new(const struct gate_listener_config *config,
                                        struct gate_tls_server *tls);
void gate_listener_unref(struct gate_listener **l);

/* Takes an accepted descriptor over: connection limits, connect hook, then requests. Never fails: a
 * connection that cannot be served is closed and counted. */
void gate_session_open(struct gate_worker *w, struct gate_listener *l, int fd,
                       const struct gate_addr *peer);

/* Idle connections are closed after grace_ms, the oldest first; those over HTTP/2 are told to go.
 * The others are closed after their answer when the worker drains (worker->draining is set). */
void gate_session_drain(struct gate_worker *w, uint32_t grace_ms);

/* Closes the connections that only idle: descriptors have run out. Those without a request so far
 * are given a second. */
void gate_session_make_room(struct gate_worker *w);

/* Closes the clients whose requests are under way on this seat, but for tunnels: their exchanges
 * end as those of clients that have gone. */
void gate_session_cut(struct gate_worker *w, const struct gate_generation_seat *seat);

/* The drain limit is over, or the worker ends: closes all that is left; their exchanges end as
 * client_gone with an access line. */
void gate_session_close_all(struct gate_worker *w);

/* What the sessions of a worker share. */
void gate_session_init(struct gate_worker *w);
void gate_session_fini(struct gate_worker *w);

#endif
