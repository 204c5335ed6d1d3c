/* Sending: what waits of all streams, in the order that nghttp2 finds by their urgency (RFC 9218),
 * into one chain. Heads of frames and small bodies lie one behind the other in a block, so that one
 * plain send carries many answers; larger ones go by reference. */
#include "http/h2_int.h"

/* Up to here a copy is cheaper than a second iovec and a longer-held block. */
#define COPY_BELOW 4096

#define FRAME_HEAD 9

/* One entry of SETTINGS: its number, and a value of four bytes. */
#define SETTING 6

/* Copies behind what is in the sink. A block of the call's own takes it, so that what lies between
 * bodies that go by reference does not take a block each. */
static bool put(struct gate_h2 *c, const void *bytes, size_t n)
{
    const char *p = bytes;

    while (n > 0) {
        struct gate_block *b = c->frames;
        size_t take;

        if (b == NULL || b->used == b->cap) {
            gate_block_unref(&c->frames);
            c->frames = b = gate_block_take(c->blocks);
            if (b == NULL)
                return false;
        }
        take = b->cap - b->used < n ? b->cap - b->used : n;
        memcpy(b->data + b->used, p, take);
        gate_chain_add(c->sink, b, b->data + b->used, take);
        b->used += (uint32_t)take;
        p += take;
        n -= take;
    }
    return true;
}

static bool move_body(struct gate_h2 *c, struct gate_chain *from, size_t n)
{
    struct gate_slice slice;

    if (n > COPY_BELOW) {
        gate_chain_move_n(c->sink, from, n);
        return true;
    }
    while (n > 0 && gate_chain_front(from, &slice)) {
        size_t take = slice.n < n ? slice.n : n;

        if (!put(c, slice.p, take))
            return false;
        gate_chain_drop(from, take);
        n -= take;
    }
    return true;
}

/* One DATA frame whose payload nghttp2 has not seen. */
static int on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
                        nghttp2_data_source *source, void *user)
{
    struct gate_h2 *c = user;
    struct gate_h2_stream *s = source->ptr;

    (void)ng;
    (void)frame;
    if (!put(c, head, FRAME_HEAD) || !move_body(c, &s->out, n))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    c->flood.content += n;
    s->out_ms = gate_h2_now(c);
    if (s->attached && !s->out_ended) {
        s->events |= GATE_H2_ROOM;
        gate_h2_wake(s);
    }
    c->paused = c->sink->bytes >= c->sink_max;
    return c->paused ? NGHTTP2_ERR_PAUSE : 0;
}

ssize_t gate_h2_read_out(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct gate_h2_stream *s = source->ptr;
    size_t n = s->out.bytes < length ? s->out.bytes : length;

    (void)buf;
    (void)user;
    if (n == 0 && (!s->out_ended || s->held)) {
        s->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n < s->out.bytes || !s->out_ended || s->held)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (s->trailers != NULL) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(ng, id, s->trailers->v, s->trailers->n) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        gate_free(s->trailers);
        s->trailers = NULL;
    }
    return (ssize_t)n;
}

/* For no WINDOW_UPDATE of the stream, which would have made it malformed: SETTINGS have made its
 * window too large, which the connection has to fail for (RFC 9113 section 6.9.2; nghttp2 resets
 * the streams alone), or bytes came beyond it. */
static bool lost_its_window(const struct gate_h2_stream *s, const nghttp2_frame *frame)
{
    return frame->rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR && s != NULL &&
           !s->malformed && !s->cut;
}

static void reset_sent(struct gate_h2 *c, const nghttp2_frame *frame)
{
    struct gate_h2_stream *s = gate_h2_find(c, frame->hd.stream_id);

    if (lost_its_window(s, frame))
        gate_h2_fail(c, NGHTTP2_FLOW_CONTROL_ERROR, "a window of a stream is wrong");
    if (frame->rst_stream.error_code != NGHTTP2_REFUSED_STREAM || s != NULL)
        gate_h2_note_stopped(c, frame->hd.stream_id); /* else it was when it was refused */
    if (frame->rst_stream.error_code == NGHTTP2_NO_ERROR)
        return;
    gate_counters_add(c->counters, GATE_C_H2_RESETS_SENT, 1);
    if (s != NULL && s->cut) {
        c->cancelled++;
        return;
    }
    gate_h2_charge(c);
    if (s != NULL && !c->server) { /* nghttp2 does not tell of all that it resets for */
        s->malformed = true;
        s->why = s->why == NULL ? "malformed HTTP/2 message" : s->why;
    }
}

static int on_frame_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct gate_h2 *c = user;
    struct gate_h2_stream *s;

    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        s = gate_h2_find(c, frame->hd.stream_id);
        if (s != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            s->out_sent = true;
        break;
    case NGHTTP2_RST_STREAM:
        reset_sent(c, frame);
        break;
    case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR && c->why == NULL)
            c->why = nghttp2_http2_strerror(frame->goaway.error_code);
        break;
    default:
        break;
    }
    return 0;
}

/* The protocol is done with the stream, in order or not. */
static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
    struct gate_h2 *c = user;
    struct gate_h2_stream *s = gate_h2_find(c, id);
    bool whole;

    (void)ng;
    if (s == NULL)
        return 0;
    whole = s->in_ended && !s->malformed && (!c->server || s->out_sent);
    if (c->head.s == s)
        gate_h2_head_drop(c);
    s->refused = code == NGHTTP2_REFUSED_STREAM && !s->malformed;
    s->stream.code = code;
    if (whole)
        gate_h2_flood_clean(&c->flood);
    gate_h2_stream_close(s);
    if (!whole) {
        s->events |= GATE_H2_RESET;
        gate_h2_stream_discard(s);
        if (s->why == NULL)
            s->why = c->server ? "the client cancelled the stream"
                               : "the upstream cancelled the stream";
    }
    return 0;
}

/* A request that could not leave any more: nghttp2 closes its stream next, as one that the peer has
 * refused. */
static int on_frame_not_sent(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    struct gate_h2 *c = user;
    struct gate_h2_stream *s = gate_h2_find(c, frame->hd.stream_id);

    (void)ng;
    (void)error;
    if (s != NULL && !c->server && frame->hd.type == NGHTTP2_HEADERS && !s->cut)
        s->why = "the upstream takes no more streams";
    return 0;
}

void gate_h2_send_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
}

/* nghttp2 has a limit of streams of its own (h2.c); the peer is told ours, our first setting. */
static bool put_frame(struct gate_h2 *c, const uint8_t *p, size_t n)
{
    uint8_t told[FRAME_HEAD + SETTING];

    if (!c->server || p[3] != NGHTTP2_SETTINGS || n < sizeof(told))
        return put(c, p, n);
    memcpy(told, p, sizeof(told));
    memset(told + sizeof(told) - 4, 0, 3);
    told[sizeof(told) - 1] = GATE_H2_STREAMS;
    return put(c, told, sizeof(told)) && put(c, p + sizeof(told), n - sizeof(told));
}

static enum gate_err fill(struct gate_h2 *c, struct gate_chain *out, size_t max)
{
    while (out->bytes < max) {
        const uint8_t *p = NULL;
        ssize_t n = nghttp2_session_mem_send(c->ng, &p);

        if (n < 0)
            return n == NGHTTP2_ERR_NOMEM ? GATE_E_NOMEM : GATE_E_SYNTAX;
        if (n == 0)
            break; /* nothing more, or the sink is full */
        if (!put_frame(c, p, (size_t)n))
            return GATE_E_NOMEM;
    }
    return GATE_OK;
}

enum gate_err gate_h2_send(struct gate_h2 *c, struct gate_chain *out, size_t max)
{
    enum gate_err e;

    c->sink = out;
    c->sink_max = max;
    e = fill(c, out, max);
    c->sink = NULL;
    gate_block_unref(&c->frames);
    if (e != GATE_OK || gate_list_empty(&c->events))
        return e;
    gate_h2_tell(c);
    if (nghttp2_session_want_write(c->ng))
        c->owner->on_output(c);
    return GATE_OK;
}
