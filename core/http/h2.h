/* h2: one side of an HTTP/2 connection as a codec: bytes in, bytes out, and streams in between
 * (http/stream.h), for servers and clients. nghttp2 inside, on memory only; knows no socket. One
 * thread; embedded in the session or link that owns it.
 *
 * nghttp2's callbacks only note what came; users and owner hear of it at the end of gate_h2_recv
 * and gate_h2_send, so that a request which was cancelled in the same read never begins. Heads are
 * written down as the HTTP/1.1 heads they stand for and judged by the same code (http/parse.h). */
#ifndef GATE_HTTP_H2_H
#define GATE_HTTP_H2_H

#include "base/counters.h"
#include "base/list.h"
#include "http/h2_flood.h"
#include "http/head.h"
#include "http/stream.h"

/* What a server lets a client have open at once, and send on all streams before we took it. */
#define GATE_H2_STREAMS   100
#define GATE_H2_WINDOW    (1024u * 1024)

/* Streams reset by us of which it is known. */
#define GATE_H2_STOPPED 128

/* Clients: so many cancelled streams, and more than half of all: no more begin. A peer may take
 * them for an attack, and end what others have on the connection. */
#define GATE_H2_CANCELLED 50

/* Streams of one connection, over its life: then it is drained. */
#define GATE_H2_LIFETIME 1000000u

struct nghttp2_session;
struct nghttp2_rcbuf;
struct gate_h2;
struct gate_h2_stream;
struct gate_h2_asked;
struct gate_h2_list;
struct gate_h2_pool;

/* What the connections of a worker share: memory, callbacks, scratch. */
struct gate_h2_pool *gate_h2_pool_new(void);
void gate_h2_pool_free(struct gate_h2_pool **pool);

/* Who owns the connection. */
struct gate_h2_owner {
    /* Servers: a request's head is there. The owner looks at it (gate_h2_request) and attaches, or
     * resets the stream. */
    void (*on_request)(struct gate_h2 *c, struct gate_h2_stream *s);
    /* Servers: the head of a request was malformed; nghttp2 has reset the stream. Only for the log:
     * no operation is allowed. */
    void (*on_malformed)(struct gate_h2 *c, const char *why);
    /* There is something to send, nothing will be said any more, or a deadline may be nearer than
     * what the owner knows. Only notes it. */
    void (*on_output)(struct gate_h2 *c);
};

/* A head while its fields come in: HTTP/1.1 text in a block that several heads share. */
struct gate_h2_head {
    struct gate_h2_stream *s; /* whose; NULL: none is under way */
    struct gate_block *b;     /* kept from head to head while it has room */
    uint32_t start;           /* the text is [start, start + n) */
    uint32_t n;
    uint32_t sum;        /* of names and values, and 32 for each */
    uint32_t cookie_end; /* of the cookie line without its CRLF, from start; 0: none yet */
    bool trailers;
    bool lines;     /* the start line is written */
    bool too_large; /* nothing more is written */
    bool grpc;      /* the Content-Type is that of gRPC */
    const char *why; /* not acceptable */
    struct nghttp2_rcbuf *pseudo[5];
    uint64_t begin_ms;
};

struct gate_h2 {
    struct nghttp2_session *ng;
    const struct gate_h2_owner *owner;
    struct gate_h2_pool *pool;
    struct gate_block_pool *blocks;
    struct gate_counters *counters;
    const struct gate_head_limits *limits; /* the owner keeps it true */
    const uint64_t *now_ns;
    struct gate_list streams; /* all of them, closed ones that are still in use too */
    struct gate_list events;  /* those with something to tell */
    struct gate_h2_head head;
    struct gate_h2_flood flood;
    struct gate_block *in;   /* of the bytes that are being received */
    struct gate_chain *sink;   /* of the bytes that are being sent */
    struct gate_block *frames; /* heads of frames and small bodies are put here meanwhile */
    size_t sink_max;
    uint32_t open; /* streams */
    uint32_t begun;         /* streams, ever */
    uint32_t cancelled;     /* of them by us, for no fault of the peer's */
    int32_t last_id;        /* servers: the highest that the client has begun */
    uint64_t before_last;   /* which of the 64 odd numbers below it were, the next one first */
    int32_t stopped[GATE_H2_STOPPED]; /* streams that we reset last: their rest may still come */
    uint32_t n_stopped;
    uint8_t frame[13]; /* the head of the frame that is coming in, of priorities four bytes more */
    uint8_t frame_n;
    uint32_t skip;  /* bytes that come before the next one */
    int32_t top_id; /* the highest among the heads of HEADERS frames */
    uint32_t held;  /* body bytes that nobody was there to take */
    uint32_t owed;  /* body bytes that the peer's window for all streams still lacks */
    const char *why; /* the connection failed; static */
    bool server;
    bool https;
    bool flooded;
    bool greeted;    /* the peer's SETTINGS are there */
    bool leaving;    /* no new streams: a last GOAWAY is on its way or was received */
    bool noticed;    /* the first GOAWAY of a drain was submitted */
    bool pong;       /* the PING behind it was answered */
    bool probing;    /* clients: a PING that asks whether the peer is there is on its way */
    bool paused;     /* the sink was full */
};

/* Clients: how long a stream waits for its peer, in milliseconds; 0: for ever. */
struct gate_h2_patience {
    uint32_t send_ms;
    uint32_t first_byte_ms;
    uint32_t read_ms;
};

/* One request and its answer. From the pool's slab; freed when the protocol and the user are both
 * done with it. */
struct gate_h2_stream {
    struct gate_stream stream;
    struct gate_h2 *h2;
    struct gate_list node;
    struct gate_list event;
    int32_t id;
    uint8_t events;      /* what there is to tell */
    uint8_t framing;     /* enum gate_framing of what we send */
    bool attached;       /* a user is there, or an owner that was asked for one */
    bool closed;         /* the protocol is done with it */
    bool bodiless;       /* it was with its head */
    bool in_sized;       /* the peer has given a Content-Length */
    bool in_ended;       /* the peer's message is complete */
    bool in_told;        /* the user knows */
    bool out_ended;      /* ours is, up to what waits */
    bool out_sent;       /* and has left */
    bool held;           /* its end waits for that of the request */
    bool head_sent;
    bool deferred;       /* waits for more to send */
    bool head_method;    /* of a HEAD */
    bool connect;        /* of an extended CONNECT (RFC 8441) */
    bool grpc;           /* of a gRPC call; known of refused heads, too */
    bool tunnel;         /* which was agreed to: bodies are raw bytes, both ways */
    bool expect;         /* a 100 is owed when the body is first wanted */
    bool cut;            /* reset by us, for no fault of the peer's */
    bool malformed;      /* reset for what the peer sent */
    bool refused;        /* the peer has not looked at it */
    bool answered;       /* the final head of an answer was told */
    enum gate_err err;   /* it broke, for no fault of its own frames */
    uint8_t empty_frames;
    uint8_t infos;       /* heads of interim answers seen */
    struct gate_chain in;  /* body that was not granted yet */
    struct gate_chain out; /* body that waits for the peer's window */
    size_t credit;
    uint64_t left;       /* of a Content-Length that we announced */
    uint64_t in_left;    /* of the peer's, not told yet */
    uint64_t begin_ms;
    uint64_t out_ms;     /* what waits moved */
    uint64_t in_ms;      /* clients: something came, or began to be waited for */
    uint64_t window_ms;  /* body rate: begin of the window; tunnels: when bytes came last */
    uint64_t window_bytes;
    uint64_t rest_ms;    /* the user rests since */
    /* The last head or trailers that came: text, until it is told; then the user's. */
    struct gate_block *block;
    uint32_t text;
    uint32_t text_n;
    struct gate_block *trailer_block;
    uint32_t trailer_text;
    uint32_t trailer_n;
    struct gate_refusal refusal; /* of either */
    const char *why;             /* it broke; static */
    struct gate_h2_list *trailers; /* of ours, until they leave */
    struct gate_h2_list *waiting;  /* a request that may not leave yet */
    struct gate_h2_asked *asked;   /* of a tunnel that we ask for; arena */
    /* Of the use. */
    struct gate_arena *arena;
    const struct gate_head_limits *limits;
    enum gate_method method;
    struct gate_h2_patience patience;
    uint64_t *bytes_in;
    uint64_t *bytes_out;
    struct gate_response_head *answer; /* until it is told */
};

struct gate_h2_use {
    struct gate_arena *arena; /* response head and fields; servers: trailers of the request */
    const struct gate_head_limits *limits;
    enum gate_method method;
    struct gate_h2_patience patience;
    const struct gate_stream_events *events;
    void *user;
    uint64_t *bytes_in; /* body bytes are counted here; NULL: not */
    uint64_t *bytes_out;
};

/* Begins: the preface waits to be sent. The pool and `blocks` outlive it. */
struct gate_h2_open {
    const struct gate_h2_owner *owner;
    struct gate_h2_pool *pool;
    struct gate_block_pool *blocks;
    struct gate_counters *counters;
    const struct gate_head_limits *limits;
    const uint64_t *now_ns;
    bool server;
    bool https; /* what :scheme has to say */
};
void gate_h2_open(struct gate_h2 *c, const struct gate_h2_open *how);

/* Frees all, streams too; whoever is attached has been told before. */
void gate_h2_close(struct gate_h2 *c);

/* Takes received bytes, which lie in b, and tells what they brought. GATE_E_SYNTAX: nothing more
 * may be read (c->why); what waits to be sent says so to the peer. */
enum gate_err gate_h2_recv(struct gate_h2 *c, struct gate_block *b, const char *p, size_t n);

/* Moves what may be sent behind `out`, until it holds about `max` bytes, frames of all streams by
 * urgency. GATE_E_NOMEM, GATE_E_SYNTAX: close. */
enum gate_err gate_h2_send(struct gate_h2 *c, struct gate_chain *out, size_t max);

/* Tells what there is to tell, while nothing can be sent. */
void gate_h2_tell(struct gate_h2 *c);

/* Nothing will be said any more by either side. */
bool gate_h2_done(const struct gate_h2 *c);

/* Ends in order: asks the peer to begin no more streams, and a round trip later (c->pong, or when
 * the owner says so) says which ones are served. */
void gate_h2_notice(struct gate_h2 *c);
void gate_h2_leave(struct gate_h2 *c);

/* Ends at once: the peer did not say in time what it had begun to say. */
void gate_h2_late(struct gate_h2 *c);

/* The answer is complete, and has left; the request is not, and of no interest to anybody. */
static inline bool gate_h2_is_early(const struct gate_h2_stream *s)
{
    return !s->attached && s->out_sent && !s->in_ended && !s->closed && !s->cut;
}

/* Asks the client to stop such a request (RFC 9113 section 8.1). Not at once: there are clients
 * that do not see the answer when the reset comes with it. */
void gate_h2_stop(struct gate_h2_stream *s);

/* Lets the end of an answer go, whatever the request does. Until then that of one without body, and
 * that of one to a request of which little is left, waits for the end of the request: there are
 * clients (curl 7.88) that hang when the one comes while they still send the other. */
void gate_h2_stream_unhold(struct gate_h2_stream *s);

/* Ends a stream whose peer does not take what waits for it, or says nothing; its user is told why.
 */
void gate_h2_stall(struct gate_h2_stream *s, const char *why);

/* Servers: the head of a request, judged. status 0: *out is complete. */
struct gate_refusal gate_h2_request(struct gate_h2_stream *s, struct gate_arena *arena,
                                    struct gate_request_head *out);
struct gate_str gate_h2_text(const struct gate_h2_stream *s);

/* Servers: attaches the user of a request whose head is `head`. */
void gate_h2_attach(struct gate_h2_stream *s, const struct gate_request_head *head,
                    const struct gate_h2_use *use);

/* Clients: the connection is gone. All streams that are not complete break; none begins. */
void gate_h2_lose(struct gate_h2 *c, enum gate_err e, const char *why);

/* Clients: asks the peer for a sign of life; c->probing until it comes. */
void gate_h2_probe(struct gate_h2 *c);

/* Clients: how many streams may be open at once; 0: no more may begin. */
uint32_t gate_h2_streams_max(const struct gate_h2 *c);

/* Clients: when the peer has been waited for too long; UINT64_MAX: it is not waited for. *why: what
 * is said then. While `blocked` the connection takes no bytes, since that time; 0: it does. */
uint64_t gate_h2_due(const struct gate_h2_stream *s, uint64_t blocked, const char **why);

/* Clients: gives up one stream, for `why`; its user is told. */
void gate_h2_give_up(struct gate_h2_stream *s, const char *why);

/* Clients: whether anything of an answer has come. */
static inline bool gate_h2_is_answered(const struct gate_h2_stream *s)
{
    return s->infos > 0 || s->block != NULL;
}

/* Clients: a stream for the next request; its head is sent by send_head. NULL: there can be no more
 * on this connection now. */
struct gate_stream *gate_h2_begin(struct gate_h2 *c, const struct gate_h2_use *use);

static inline struct gate_h2_stream *gate_h2_stream_of(const struct gate_stream *s)
{
    return gate_container_of(s, struct gate_h2_stream, stream);
}

/* The peer's clock of the body runs: bytes are wanted, and nothing of ours holds them back. */
static inline bool gate_h2_stream_waits(const struct gate_h2_stream *s)
{
    return s->stream.events != NULL && !s->in_ended && !s->closed && s->credit > 0 &&
           !s->tunnel && !s->stream.rests && s->h2->owed == 0;
}

/* A tunnel that lives by what its peer still says: ours is said. */
static inline bool gate_h2_tunnel_waits(const struct gate_h2_stream *s)
{
    return s->tunnel && s->out_ended && s->out.bytes == 0 && !s->in_ended && !s->closed && !s->cut;
}

#endif
