/* Link: one upstream connection: whose it is, how it comes up, what its shelf has to know of it.
 * What is spoken on it, and its streams, are of link_h1.h. One thread; from the slab of its
 * worker's gate_links, which owns it; lent to an attempt, on the shelf between. */
#ifndef GATE_UPSTREAM_LINK_H
#define GATE_UPSTREAM_LINK_H

#include "net/conn.h"
#include "net/deadline.h"
#include "tls/client.h"
#include "upstream/link_h1.h"
#include "upstream/registry.h"

#define GATE_LINK_MAGIC 0x4c4e4b31u

struct gate_links;
struct gate_upstream_local;

struct gate_link {
    uint32_t magic;
    bool dialing;
    bool keep;    /* the connection may be used again as far as is known */
    bool shelved; /* on a shelf */
    struct gate_conn conn;
    struct gate_deadline deadline;
    struct gate_list node; /* shelf, or the list of live links */
    struct gate_links *links;
    struct gate_upstream_local *local;
    struct gate_peer *peer; /* a reference */
    struct gate_tls_client *tls; /* whom it was opened as and for; a reference; NULL: plain */
    uint32_t requests;      /* begun on it, ever */
    uint64_t born_ms;
    uint64_t sent; /* bytes that the kernel took */
    /* While it is dialed (upstream/dial.h). */
    void (*on_dialed)(struct gate_link *l, enum gate_err e, const char *why);
    void *dial_arg;
    struct gate_link_h1 h1;
};

/* What a request brings to its link. */
struct gate_link_use {
    struct gate_arena *arena; /* response head and fields */
    const struct gate_head_limits *limits;
    const struct gate_timeouts *timeouts;
    enum gate_method method;
    bool upgrade; /* the request asks for an upgrade: 101 is expected */
    struct gate_str upgrade_token; /* to this protocol; lives as long as the arena */
    const struct gate_stream_events *events;
    void *user;
};

/* A link that is being dialed, on a descriptor that is connecting or connected. */
void gate_link_init(struct gate_link *l, struct gate_loop *loop, int fd);

/* Bytes that go out before all requests, on a link that has carried none (a PROXY header). */
enum gate_err gate_link_preface(struct gate_link *l, struct gate_str bytes);

/* The connection is up, shaken hands and all: streams may begin. */
void gate_link_ready(struct gate_link *l);

/* Begins a stream. */
struct gate_stream *gate_link_begin(struct gate_link *l, const struct gate_link_use *use);

/* Whether nothing has come that nobody asked for, nor an end. */
bool gate_link_is_silent(struct gate_link *l);

/* Bytes that were given to the connection, sent or not; of TLS those that it made of them. */
uint64_t gate_link_written(const struct gate_link *l);

/* Whether the peer has taken not one of the bytes that follow the first `from`, on a connection
 * that broke with `e`. */
bool gate_link_untaken(const struct gate_link *l, uint64_t from, enum gate_err e);

#endif
