/* Link: one upstream connection; h1 now: one stream at a time. The client side of the stream
 * interface. One thread; from the slab of its worker's gate_links, which owns it; lent to an
 * attempt while a stream is on it, on the shelf between. */
#ifndef GATE_UPSTREAM_LINK_H
#define GATE_UPSTREAM_LINK_H

#include "http/h1_reader.h"
#include "http/h1_writer.h"
#include "http/stream.h"
#include "net/conn.h"
#include "net/deadline.h"
#include "tls/client.h"
#include "upstream/registry.h"

struct gate_links;
struct gate_upstream_local;

enum gate_link_state {
    GATE_LINK_DIALING,
    GATE_LINK_IDLE, /* on the shelf, or fresh */
    GATE_LINK_HEAD, /* a request is going out; no response head yet */
    GATE_LINK_BODY,
    GATE_LINK_TUNNEL, /* after 101: raw bytes both ways */
    GATE_LINK_DONE,   /* the response is complete; waits for give_back */
    GATE_LINK_DEAD    /* broken; waits for reset or give_back */
};

struct gate_link {
    uint32_t magic;
    uint8_t state;
    bool keep;   /* the connection may be used again as far as is known */
    bool reused; /* it carried a request before this one */
    bool request_ended;
    bool upgrade_asked;
    struct gate_str upgrade_token; /* which one */
    bool shelved;    /* on a shelf */
    bool shut_asked; /* tunnel: our side ends once `out` is empty */
    uint8_t infos;   /* interim responses seen */
    struct gate_conn conn;
    struct gate_stream stream;
    struct gate_h1_reader in;
    struct gate_h1_writer out;
    struct gate_ready flush;
    struct gate_deadline deadline;
    struct gate_list node; /* shelf, or the list of live links */
    struct gate_links *links;
    struct gate_upstream_local *local;
    struct gate_peer *peer; /* a reference */
    struct gate_tls_client *tls; /* whom it was opened as and for; a reference; NULL: plain */
    size_t credit;
    uint32_t requests;
    uint64_t born_ms;
    uint64_t response_bytes; /* of the last response, for the next one's first read */
    uint64_t sent;           /* bytes of the request on it that the kernel took */
    uint64_t written;        /* by TLS, when the request began */
    /* Of the request on it; borrowed from the attempt. */
    struct gate_arena *arena;
    const struct gate_head_limits *limits;
    enum gate_method method;
    uint32_t send_ms;
    uint32_t first_byte_ms;
    uint32_t read_ms;
    /* While it is dialed (upstream/dial.h). */
    void (*on_dialed)(struct gate_link *l, enum gate_err e, const char *why);
    void *dial_arg;
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

/* Begins a stream on an idle link. */
struct gate_stream *gate_link_begin(struct gate_link *l, const struct gate_link_use *use);

static inline struct gate_link *gate_link_of(const struct gate_stream *s)
{
    return gate_container_of(s, struct gate_link, stream);
}

/* Watches the connection while it is parked: any byte or end closes it. */
void gate_link_park(struct gate_link *l, uint32_t idle_ms);

/* Bytes that go out before all requests, on a link that has carried none (a PROXY header). */
enum gate_err gate_link_preface(struct gate_link *l, struct gate_str bytes);

/* Whether nothing has come that nobody asked for, nor an end. */
bool gate_link_is_silent(struct gate_link *l);

/* Bytes since the begin of the request that have left for the kernel: of TLS more than the request
 * has. */
uint64_t gate_link_written(const struct gate_link *l);

/* Sends what waits to be sent now, not at the end of the turn. */
void gate_link_flush(struct gate_link *l);

/* A link that is being dialed, on a descriptor that is connecting or connected. */
void gate_link_init(struct gate_link *l, struct gate_loop *loop, int fd);

/* The dial is done: the link can take requests. */
void gate_link_ready(struct gate_link *l);

#endif
