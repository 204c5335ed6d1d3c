/* Link: one upstream connection: whose it is, how it comes up, what its shelf has to know of it.
 * What is spoken on it, and its streams, are of link_h1.h and link_h2.h. One thread; from the slab
 * of its worker's gate_links, which owns it; lent to attempts, on the shelf between. */
#ifndef GATE_UPSTREAM_LINK_H
#define GATE_UPSTREAM_LINK_H

#include "net/conn.h"
#include "net/deadline.h"
#include "tls/client.h"
#include "upstream/link_h1.h"
#include "upstream/link_h2.h"
#include "upstream/registry.h"

#define GATE_LINK_MAGIC 0x4c4e4b31u

struct gate_links;
struct gate_upstream_local;

enum gate_link_protocol { GATE_LINK_H1, GATE_LINK_H2 };

/* What a request wants of its link. */
struct gate_link_want {
    struct gate_tls_client *tls; /* NULL: plain; borrowed */
    uint64_t after; /* the serial of one that broke: a newer one is wanted; 0: any will do */
    uint32_t connect_ms; /* the handshake included; 0: no limit */
    uint8_t http2;  /* enum gate_http2 */
    bool alone;     /* a link that no other request has used or will use */
};

/* Somebody who waits for a link that is dialed: an attempt. */
struct gate_link_claim {
    struct gate_list node;
    struct gate_link *link; /* NULL: none */
    /* The link is up, or failed with `e` for `why`, and is gone after the call; GATE_E_AGAIN: it is
     * up, and serves another one only. */
    void (*on_link)(struct gate_link_claim *c, enum gate_err e, const char *why);
};

struct gate_link {
    uint32_t magic;
    bool dialing;
    bool keep;    /* the connection may be used again as far as is known */
    bool alone;   /* for one request only */
    bool shelved; /* on a shelf */
    bool idle;    /* carries nothing, and is counted so */
    uint8_t http2;    /* enum gate_http2: what it was opened for */
    uint8_t protocol; /* enum gate_link_protocol; once it is up */
    struct gate_conn conn;
    struct gate_deadline deadline;
    struct gate_list node; /* shelf, or the list of live links */
    struct gate_links *links;
    struct gate_upstream_local *local;
    struct gate_peer *peer; /* held */
    struct gate_peer_share *share; /* of the peer: it counts there */
    struct gate_tls_client *tls; /* whom it was opened as and for; a reference; NULL: plain */
    uint32_t requests;      /* begun on it, ever */
    uint32_t claims;        /* places for streams that have not begun; HTTP/2, or not known yet */
    uint64_t serial;        /* later ones have higher numbers */
    uint64_t born_ms;
    uint64_t sent; /* bytes that the kernel took */
    struct gate_list waiting; /* claims, while it is dialed */
    struct gate_link_h1 h1;
    struct gate_link_h2 *h2; /* from its first stream on */
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

/* The connection is up, shaken hands and all: streams may begin, and who waited is told. */
void gate_link_ready(struct gate_link *l, enum gate_link_protocol protocol);

/* It did not come up, for `why`: who waited is told, and it is closed. */
void gate_link_failed(struct gate_link *l, enum gate_err e, const char *why,
                      enum gate_close_reason reason);

/* Begins a stream: on an idle link of HTTP/1, or in a place that was claimed. NULL: the connection
 * has ended since, and the place is given up. */
struct gate_stream *gate_link_begin(struct gate_link *l, const struct gate_link_use *use);

/* Gives up a place in which no stream has begun. */
void gate_link_release(struct gate_link *l, enum gate_close_reason why);

/* HTTP/2, and links that may turn out so: how many more streams it has room for. */
uint32_t gate_link_room(const struct gate_link *l);

/* Whether nothing has come that nobody asked for, nor an end. */
bool gate_link_is_silent(struct gate_link *l);

/* Bytes that were given to the connection, sent or not; of TLS those that it made of them. */
uint64_t gate_link_written(const struct gate_link *l);

/* Whether the peer has taken not one of the bytes that follow the first `from`, on a connection
 * that broke with `e`. */
bool gate_link_untaken(const struct gate_link *l, uint64_t from, enum gate_err e);

#endif
