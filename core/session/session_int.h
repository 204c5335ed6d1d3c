/* Private to session/: the client connection, its h1 side while it is not idle, its h2 side. */
#ifndef GATE_SESSION_SESSION_INT_H
#define GATE_SESSION_SESSION_INT_H

#include <netinet/in.h>

#include "exchange/exchange.h"
#include "flow/flow.h"
#include "http/h1_reader.h"
#include "http/h1_writer.h"
#include "http/h2.h"
#include "http/proxy_header.h"
#include "net/conn.h"
#include "net/deadline.h"
#include "net/intake.h"
#include "session/session.h"
#include "tls/tls.h"

#define GATE_SESSION_MAGIC 0x53455353u

/* More than this waits to be sent: senders are asked to pause. */
#define GATE_SESSION_OUT_HIGH    (256u * 1024)
#define GATE_SESSION_OUT_ANSWERS 32

/* Lingering close: what is read and dropped at most. */
#define GATE_LINGER_BYTES (64u * 1024)
#define GATE_LINGER_MS    1000

/* The body rate is judged over windows of this length. */
#define GATE_RATE_WINDOW_MS 10000

enum gate_session_state {
    GATE_SESSION_HOOK, /* a connect hook waits */
    GATE_SESSION_PROXY, /* the PROXY header is due */
    GATE_SESSION_HANDSHAKE, /* TLS; the conn is plain until the first byte comes */
    GATE_SESSION_IDLE, /* between requests; holds no block, no h1 side */
    GATE_SESSION_HEAD, /* a head is coming in */
    GATE_SESSION_EXCHANGE,
    GATE_SESSION_CLOSING, /* the last bytes leave, then close or linger */
    GATE_SESSION_LINGER,  /* our side is shut; what still comes is dropped */
    GATE_SESSION_H2       /* over HTTP/2, whatever its streams do */
};

/* What a session needs only while there is a request: from a slab of its own, so that an idle
 * session stays small. */
struct gate_h1_server {
    struct gate_session *session;
    struct gate_stream stream;
    struct gate_h1_reader in;
    struct gate_h1_writer out;
    struct gate_ready flush;
    struct gate_ready next;  /* a pipelined request is to be looked at */
    struct gate_exchange *x; /* the exchange on the stream; NULL: none attached */
    size_t credit;
    uint64_t begin_ns;  /* first byte of the head */
    uint64_t window_ms; /* body rate: begin of the window */
    uint64_t window_bytes;
    uint64_t rest_ms;  /* the stream's user rests since */
    uint64_t wrote_ms; /* last write that got further */
    uint32_t linger_left;
    uint8_t minor;
    bool head_method; /* the request is a HEAD */
    bool body_done;   /* the request is received to its end */
    bool body_bad;    /* nothing more may be believed of what comes in */
    bool wants_keep;  /* the client wants the connection kept */
    bool keep;        /* and the answer said nothing else */
    bool expect;      /* a 100 is owed when the body is first wanted */
    bool head_sent;
    bool eof; /* the client ended its side */
    bool tunnel;
    bool shut_asked; /* tunnel: our side ends once `out` is empty */
    bool crlf_skipped;
    bool line_judged; /* the request line of a head that is not whole was looked at */
    bool cut;         /* the message must be seen to be incomplete */
    bool paused;      /* the body was not read, because its pipe was full */
};

/* What a session over HTTP/2 needs, from its first byte to its end. */
struct gate_h2_server {
    struct gate_session *session;
    struct gate_h2 h2;
    struct gate_chain out; /* taken from the codec, on its way into the socket */
    struct gate_ready flush;
    struct gate_intake in;
    uint64_t begin_ms;
    uint64_t idle_ms;   /* since when there is no stream */
    uint64_t wrote_ms;  /* last write that got further */
    uint64_t notice_ms; /* of the first GOAWAY */
    uint32_t linger_left;
    bool ending;    /* nothing more is read */
    bool lingers;
};

struct gate_session {
    uint32_t magic;
    uint8_t state;
    uint8_t why;   /* enum gate_close_reason, known before the close */
    bool read_big; /* its requests fill blocks */
    bool counted;  /* in worker->ip_counts */
    uint8_t ip_len;
    struct gate_conn conn;
    struct gate_deadline deadline;
    struct gate_list node; /* worker->session_list; shared->handshakes while TLS shakes hands */
    struct gate_worker *worker;
    struct gate_listener *listener;
    struct gate_h1_server *h1;  /* NULL while idle */
    struct gate_h2_server *h2;  /* NULL: over HTTP/1 */
    struct gate_hook_run *hook; /* connect or certificate hooks that wait */
    struct gate_session_choice *choice; /* of a certificate, while a handshake waits for it */
    struct gate_generation_seat *hook_seat; /* their VM's; a reference */
    struct gate_proxy_reader *proxy;        /* while its header is due; from the slab */
    uint32_t requests;
    char ip[GATE_IP_TEXT]; /* of the peer, as text */
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    } peer; /* family AF_UNIX: a Unix client */
};

/* What the sessions of a worker share. */
struct gate_session_shared {
    struct gate_slab h1;
    struct gate_slab proxy;
    struct gate_slab h2;
    struct gate_h2_pool *pool; /* NULL before the first HTTP/2 connection */
    struct gate_list handshakes; /* sessions whose TLS has begun, the oldest first */
    uint32_t n_handshakes;
    struct gate_log_pace tls_pace; /* lines about handshakes that failed */
    struct gate_log_pace full_pace; /* lines about connections over the limits */
};

static inline struct gate_session_shared *gate_session_shared_of(struct gate_worker *w)
{
    return w->session_shared;
}

/* So many answers wait unread that the next request waits too: by their bytes, and by their number,
 * for each holds a block. */
static inline bool gate_session_out_full(const struct gate_h1_server *h)
{
    return h->out.out.bytes >= GATE_SESSION_OUT_HIGH ||
           h->out.out.count >= GATE_SESSION_OUT_ANSWERS;
}

static inline const struct gate_limits *gate_session_limits(const struct gate_session *s)
{
    return &s->worker->seat->generation->config->limits;
}

/* The body is wanted from now on: its rate is judged anew. */
static inline void gate_session_h1_window(struct gate_h1_server *h)
{
    h->window_ms = gate_loop_now(h->session->conn.loop);
    h->window_bytes = 0;
}

/* session.c */
void gate_session_close(struct gate_session *s, enum gate_close_reason why);
void gate_session_clock(struct gate_session *s);
void gate_session_start(struct gate_session *s);
void gate_session_idle(struct gate_session *s);
/* Our side is shut: drops what still comes, `left` bytes at most. May close the session. */
void gate_session_linger(struct gate_session *s, uint32_t *left);
void gate_session_addr(const struct gate_session *s, struct gate_addr *out);
void gate_session_set_peer(struct gate_session *s, const struct gate_addr *peer);
bool gate_session_count(struct gate_session *s);
void gate_session_refuse(struct gate_session *s);
void gate_session_readable(struct gate_conn *c);
void gate_session_writable(struct gate_conn *c);

/* session_proxy.c: what stands before the first request */
void gate_session_proxy_begin(struct gate_session *s);
void gate_session_proxy_drop(struct gate_session *s);

/* How a read went. After GATE_READ_GONE the session may be closed and must not be touched. */
enum gate_session_read { GATE_READ_GONE, GATE_READ_NOTHING, GATE_READ_SHORT, GATE_READ_FULL };

/* session_choice.c: the certificate hook. Asks it for a handshake that waits; the handshake goes on
 * by gate_session_tls_go_on. The second: the session is about to be closed. */
void gate_session_choose(struct gate_session *s);
void gate_session_choice_drop(struct gate_session *s);
void gate_session_tls_go_on(struct gate_session *s);

/* session_tls.c: handshakes; whether a request for that host may come over this connection. The
 * last: the session is about to be closed. */
struct gate_refusal gate_session_tls_judge(const struct gate_session *s, struct gate_str host);
void gate_session_tls_begin(struct gate_session *s);
void gate_session_tls_fail(struct gate_session *s, enum gate_close_reason why);
void gate_session_tls_dropped(struct gate_session *s);

/* session_h1.c: reading */
struct gate_h1_server *gate_session_h1_new(struct gate_session *s);
void gate_session_h1_readable(struct gate_session *s);
void gate_session_h1_begin(struct gate_session *s);
void gate_session_h1_refuse(struct gate_session *s, struct gate_refusal r, struct gate_str line,
                            enum gate_close_reason why);
void gate_session_h1_drop(struct gate_session *s);

/* The client ended its side, or cut the connection. */
void gate_session_h1_ended(struct gate_session *s, enum gate_err e);

/* session_body.c: bodies; what came with the head, and one read */
void gate_session_body_take(struct gate_session *s);
enum gate_session_read gate_session_body_read(struct gate_session *s);
/* The exchange of a head that is valid, as far as its session knows it. */
void gate_session_fill(struct gate_session *s, struct gate_exchange *x, struct gate_stream *down,
                       uint64_t begin_ns);

/* session_h2.c: the connection. Begins on a conn of which nothing was read (ALPN) … */
void gate_session_h2_begin(struct gate_session *s);

/* … or where the preface was read as an HTTP/1 head. False: it is none, or not spoken here. The
 * second: what came may still become it. */
bool gate_session_h2_preface(struct gate_session *s, struct gate_str head);
bool gate_session_h2_awaits(const struct gate_session *s, struct gate_str held);

void gate_session_h2_drop(struct gate_session *s);
void gate_session_h2_drain(struct gate_session *s);
void gate_session_h2_cut(struct gate_session *s, const struct gate_generation_seat *seat);

/* session_h2_request.c: its streams */
extern const struct gate_h2_owner gate_session_h2_owner;

/* session_h2_clock.c: what takes too long. The second sees to it that the first is called. */
void gate_session_h2_on_deadline(struct gate_timer *t);
void gate_session_h2_clock(struct gate_session *s);

/* Ends the connection if it only idles, as if it had idled long enough. */
void gate_session_h2_spare(struct gate_session *s);

/* session_stream.c: writing, and the server side of the stream interface */
extern const struct gate_stream_ops gate_session_stream_ops;
void gate_session_h1_flush(struct gate_session *s);
void gate_session_h1_on_flush(struct gate_ready *r);

/* Nobody is on the stream any more: the next request, or the close. Never closes before it returns.
 */
void gate_session_h1_done(struct gate_session *s);

/* Gives the h1 side back when the session is idle and nothing is held or on its way. */
void gate_session_h1_settle(struct gate_session *s);

#endif
