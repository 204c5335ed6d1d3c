/* Streams: one request/response pair on a session or a link; the same interface for h1 and h2, for
 * both sides, and for the in-memory one that tests use. One thread; the protocol side owns the
 * stream, an exchange or attempt attaches to it. */
#ifndef GATE_HTTP_STREAM_H
#define GATE_HTTP_STREAM_H

#include "base/block.h"
#include "base/close_reason.h"
#include "base/err.h"
#include "http/head.h"
#include "http/write.h"

struct gate_stream;
struct gate_conn;

/* What a stream's user may ask for. None of these calls back into the user before it returns:
 * events come later, from the loop. */
struct gate_stream_ops {
    const char *name; /* "h1-server", "h1-client", "memory" */

    /* An interim response (100-199, not 101). Servers only. Ignored for HTTP/1.0 clients. */
    enum gate_err (*send_info)(struct gate_stream *s, const struct gate_message *m);

    /* The head. The message is written before the call returns. `last`: no body and no trailers
     * follow. The bytes leave at the next flush, together with body bytes that were sent by then.
     */
    enum gate_err (*send_head)(struct gate_stream *s, const struct gate_message *m, bool last);

    /* Takes all slices of `chunk` (it is empty afterwards). May be called without regard to room; a
     * polite sender stops at 0. */
    enum gate_err (*send_body)(struct gate_stream *s, struct gate_chain *chunk, bool last);

    /* Ends the message with trailers (h1: only when it is chunked; else they are dropped). */
    enum gate_err (*send_trailers)(struct gate_stream *s, const struct gate_fields *trailers);

    /* Body bytes that may be sent now before the stream wants to be asked again; on_room follows
     * when it rises from 0. */
    size_t (*room)(const struct gate_stream *s);

    /* Allows the peer n more body bytes. Nothing is read beyond the sum of grants (but for what
     * came with the head). 0 only has the clocks looked at, after `rests` changed. */
    void (*grant)(struct gate_stream *s, size_t n);

    /* Ends both directions at once; the message stays visibly incomplete. The stream is detached:
     * no event follows. After a complete exchange in both directions it is give_back that ends it,
     * not reset. */
    void (*reset)(struct gate_stream *s, enum gate_close_reason why);

    /* The user is done: everything was sent and received, or the rest of what comes in is of no
     * interest (the protocol drains or closes as it must). Detaches: no event follows. */
    void (*give_back)(struct gate_stream *s);

    /* The plain connection under the stream, for tunnels and splice; NULL when there is none (h2).
     */
    struct gate_conn *(*raw_conn)(struct gate_stream *s);
};

/* What a stream tells its user. Called from the loop, never from inside an operation. */
struct gate_stream_events {
    /* Clients only: an interim response; 101 is an on_head. The head lives until the call returns.
     */
    void (*on_info)(struct gate_stream *s, const struct gate_response_head *head);

    /* Clients only: the final response head; views live as long as the attempt's arena and `block`,
     * on which the user takes a reference if it keeps the head (the head is views into it). */
    void (*on_head)(struct gate_stream *s, const struct gate_response_head *head,
                    struct gate_block *block);

    /* Content, framing taken off. The user takes what it wants from `chunk`; what is left is
     * dropped. */
    void (*on_body)(struct gate_stream *s, struct gate_chain *chunk);

    /* Trailers, before on_end. */
    void (*on_trailers)(struct gate_stream *s, const struct gate_fields *trailers,
                        struct gate_block *block);

    /* The peer's message is complete. */
    void (*on_end)(struct gate_stream *s);

    /* The stream broke: no event follows, operations answer GATE_E_CLOSED. GATE_E_EOF/RESET: peer;
     * SYNTAX: its bytes (why says which); TIMEOUT: rates and stalls that the protocol side watches.
     */
    void (*on_reset)(struct gate_stream *s, enum gate_err err, const char *why);

    /* room() rose from 0, or everything that was sent has left. */
    void (*on_room)(struct gate_stream *s);
};

struct gate_stream {
    const struct gate_stream_ops *ops;
    const struct gate_stream_events *events; /* NULL while nobody is attached */
    void *user;                              /* of the events */
    bool shares;      /* its connection carries others: what waits for one must stay small */
    bool takes_pipes; /* on_body may bring bytes in pipes: the user only passes them on */
    uint32_t code; /* of HTTP/2, with which the peer reset it; 0: none is known */
    bool unhurried; /* the peer may be silent amid its message: no rate is asked of it */
    bool rests; /* the user is busy with what came: the peer's clocks stand still */
};

#endif
