/* h2, inside: what the files of the codec share. Private to http/. */
#ifndef GATE_HTTP_H2_INT_H
#define GATE_HTTP_H2_INT_H

#include "http/h2.h"
#include "http/h2_mem.h"
#include "http/websocket.h"

/* Interim answers relayed per request. */
#define GATE_H2_INFOS 8

struct gate_h2_pool {
    struct gate_h2_mem mem;
    struct gate_slab streams;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    /* Scratch of one head that is being sent. */
    nghttp2_nv *nv;
    uint32_t nv_cap;
    char *text;
    size_t text_cap;
};

/* Fields that wait: trailers for the body in front of them, a request for the peer's SETTINGS. The
 * list, then the text. */
struct gate_h2_list {
    size_t n;
    nghttp2_nv v[];
};

/* What an answer to our extended CONNECT has to say to stand for one of HTTP/1.1. */
struct gate_h2_asked {
    struct gate_str protocol;
    bool answers; /* to a key of WebSocket */
    char accept[GATE_WEBSOCKET_ACCEPT];
};

enum gate_h2_event {
    GATE_H2_ASKED = 1, /* the owner was told of the request */
    GATE_H2_HEAD = 2,  /* an answer's head is there */
    GATE_H2_ROOM = 4,  /* some of what waited has left */
    GATE_H2_RESET = 8, /* the stream broke */
};

static inline uint64_t gate_h2_now(const struct gate_h2 *c)
{
    return *c->now_ns / 1000000;
}

static inline struct gate_h2_stream *gate_h2_find(struct gate_h2 *c, int32_t id)
{
    return nghttp2_session_get_stream_user_data(c->ng, id);
}

/* The stream has something to tell: at the end of the present call, or of the owner's next. */
static inline void gate_h2_wake(struct gate_h2_stream *s)
{
    if (gate_list_empty(&s->event))
        gate_list_push(&s->h2->events, &s->event);
}

/* Somebody takes what comes on the stream, or will be asked whether he does. */
static inline bool gate_h2_stream_listens(const struct gate_h2_stream *s)
{
    return !s->cut && !s->malformed && (s->attached || !(s->events & GATE_H2_ASKED));
}

/* h2_head.c: heads that come in. False: no memory. */
void gate_h2_head_begin(struct gate_h2 *c, struct gate_h2_stream *s, bool trailers);
bool gate_h2_head_field(struct gate_h2 *c, nghttp2_rcbuf *name, nghttp2_rcbuf *value);
bool gate_h2_head_end(struct gate_h2 *c);
void gate_h2_head_drop(struct gate_h2 *c);
bool gate_h2_response(struct gate_h2_stream *s, struct gate_response_head *out, const char **why);

/* h2_message.c: heads that go out, as nghttp2's lists; they live until the next call. */
size_t gate_h2_nv(struct gate_h2 *c, const struct gate_message *m, bool no_length);
struct gate_h2_list *gate_h2_trailers_copy(const struct gate_fields *fs);
struct gate_h2_list *gate_h2_list_copy(const nghttp2_nv *v, size_t n);

/* One of the gateway's own fields; empty: it is not among them. */
struct gate_str gate_h2_extra(const struct gate_message *m, enum gate_field_id id);

/* h2_connect.c: asks for a tunnel, with the list of fields that says so; at once, or when the
 * peer's SETTINGS are there: then the second. */
void gate_h2_ask(struct gate_h2_stream *s, const struct gate_message *m, const nghttp2_nv *v,
                 size_t n);
void gate_h2_ask_waiting(struct gate_h2 *c);

/* h2_recv.c, h2_send.c: the callbacks. */
void gate_h2_recv_callbacks(nghttp2_session_callbacks *cb);
void gate_h2_send_callbacks(nghttp2_session_callbacks *cb);

/* h2_stream.c */
extern const struct gate_stream_ops gate_h2_server_ops;
extern const struct gate_stream_ops gate_h2_client_ops;
ssize_t gate_h2_read_out(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user);
struct gate_h2_stream *gate_h2_stream_new(struct gate_h2 *c);
void gate_h2_stream_free(struct gate_h2_stream *s);

void gate_h2_stream_attach(struct gate_h2_stream *s, const struct gate_h2_use *use);

/* Ends it, for no fault of the peer's. */
void gate_h2_stream_cut(struct gate_h2_stream *s, uint32_t code);

/* The protocol is done with it. */
void gate_h2_stream_close(struct gate_h2_stream *s);

/* Drops the body that came and that nobody will take. */
void gate_h2_stream_discard(struct gate_h2_stream *s);

/* Gives the peer's window for all streams back what was taken or dropped. */
void gate_h2_repay(struct gate_h2 *c);

/* h2_recv.c: we have reset it: its rest may still come. */
void gate_h2_note_stopped(struct gate_h2 *c, int32_t id);

/* One more stream ended badly: the budget, and the end of the connection when it is used up. */
void gate_h2_charge(struct gate_h2 *c);
void gate_h2_flooded(struct gate_h2 *c, const char *why);

/* Ends at once: GOAWAY with an error code of RFC 9113 section 7. */
void gate_h2_fail(struct gate_h2 *c, uint32_t code, const char *why);

#endif
