/* Streams: the operations of both sides. They only note and submit; what they cause is told from
 * the owner's next gate_h2_recv or gate_h2_send. */
#include "base/assert.h"
#include "http/h2_int.h"

/* What may wait on a connection for its peer's windows, shared by its streams, so that each has its
 * own part and none can take another's. */
#define OUT_SHARED (1024u * 1024)
#define OUT_MOST   (256u * 1024)
#define OUT_LEAST  (8u * 1024)

/* ------------------------------------------------------------------ lifetime */

struct gate_h2_stream *gate_h2_stream_new(struct gate_h2 *c)
{
    struct gate_h2_stream *s = gate_slab_take(&c->pool->streams);

    memset(s, 0, sizeof(*s));
    s->h2 = c;
    s->begin_ms = gate_h2_now(c);
    s->stream.ops = c->server ? &gate_h2_server_ops : &gate_h2_client_ops;
    s->stream.shares = true;
    gate_list_init(&s->node);
    gate_list_init(&s->event);
    gate_list_push(&c->streams, &s->node);
    gate_chain_init(&s->in, c->blocks);
    gate_chain_init(&s->out, c->blocks);
    c->open++;
    return s;
}

void gate_h2_stream_free(struct gate_h2_stream *s)
{
    gate_list_remove(&s->node);
    gate_list_remove(&s->event);
    gate_h2_stream_discard(s);
    gate_chain_clear(&s->out);
    gate_block_unref(&s->block);
    gate_block_unref(&s->trailer_block);
    gate_free(s->trailers);
    gate_free(s->waiting);
    gate_slab_give(&s->h2->pool->streams, s);
}

void gate_h2_stream_close(struct gate_h2_stream *s)
{
    s->closed = true;
    s->h2->open--;
    gate_chain_clear(&s->out);
    gate_h2_wake(s);
}

void gate_h2_stream_discard(struct gate_h2_stream *s)
{
    s->h2->held -= (uint32_t)s->in.bytes;
    gate_chain_clear(&s->in);
}

static void poke(struct gate_h2_stream *s)
{
    s->h2->owner->on_output(s->h2);
}

static bool is_over(const struct gate_h2_stream *s)
{
    return s->closed || s->cut || s->malformed;
}

/* ------------------------------------------------------------------ sending */

static void resume(struct gate_h2_stream *s)
{
    if (s->deferred) {
        s->deferred = false;
        nghttp2_session_resume_data(s->h2->ng, s->id);
    }
    poke(s);
}

void gate_h2_stream_unhold(struct gate_h2_stream *s)
{
    if (!s->held)
        return;
    s->held = false;
    resume(s);
}

static void begin_message(struct gate_h2_stream *s, const struct gate_message *m,
                                   bool no_body)
{
    s->framing = no_body ? GATE_BODY_NONE : (uint8_t)m->framing;
    s->left = s->framing == GATE_BODY_LENGTH ? m->content_length : 0;
    s->out_ended = s->framing == GATE_BODY_NONE || (s->framing == GATE_BODY_LENGTH && s->left == 0);
    s->head_sent = true;
    s->out_ms = gate_h2_now(s->h2);
}

static enum gate_err op_send_info(struct gate_stream *stream, const struct gate_message *m)
{
    struct gate_h2_stream *s = gate_h2_stream_of(stream);
    size_t n;

    if (!s->h2->server)
        return GATE_E_INVALID; /* requests have no interim heads */
    if (is_over(s))
        return GATE_E_CLOSED;
    if (s->head_sent)
        return GATE_OK;
    if (m->status == 100)
        s->expect = false;
    n = gate_h2_nv(s->h2, m, true);
    if (nghttp2_submit_headers(s->h2->ng, NGHTTP2_FLAG_NONE, s->id, NULL, s->h2->pool->nv, n,
                               NULL) != 0)
        return GATE_E_CLOSED;
    poke(s);
    return GATE_OK;
}

/* Both sides have agreed to switch protocols: what follows is bytes, ended by END_STREAM. */
static void begin_tunnel(struct gate_h2_stream *s)
{
    GATE_ASSERT(s->connect);
    s->tunnel = true;
    s->framing = GATE_BODY_EOF;
    s->out_ended = false;
    s->window_ms = gate_h2_now(s->h2);
}

/* Not where the client may be long in sending, or says nothing of it. */
static bool holds_end(const struct gate_h2_stream *s, const struct gate_message *m)
{
    bool soon = s->out_ended || (s->in_sized && s->in_left <= NGHTTP2_INITIAL_WINDOW_SIZE);

    return !s->in_ended && !m->head_is_all && soon;
}

static enum gate_err server_send_head(struct gate_stream *stream, const struct gate_message *m,
                                      bool last)
{
    struct gate_h2_stream *s = gate_h2_stream_of(stream);
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = gate_h2_read_out};
    size_t n;

    (void)last;
    if (is_over(s))
        return GATE_E_CLOSED;
    n = gate_h2_nv(s->h2, m, m->status == 204);
    begin_message(s, m, s->head_method || m->status == 204 || m->status == 304);
    if (m->status == 101)
        begin_tunnel(s);
    s->expect = false;
    s->held = holds_end(s, m);
    if (nghttp2_submit_response(s->h2->ng, s->id, s->h2->pool->nv, n,
                                s->out_ended && !s->held ? NULL : &body) != 0)
        return GATE_E_CLOSED;
    poke(s);
    return GATE_OK;
}

static enum gate_err client_send_head(struct gate_stream *stream, const struct gate_message *m,
                                      bool last)
{
    struct gate_h2_stream *s = gate_h2_stream_of(stream);
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = gate_h2_read_out};
    size_t n;

    (void)last;
    if (is_over(s))
        return GATE_E_CLOSED;
    n = gate_h2_nv(s->h2, m, false);
    begin_message(s, m, false);
    if (gate_h2_extra(m, GATE_F_UPGRADE).n > 0) {
        gate_h2_ask(s, m, s->h2->pool->nv, n);
        poke(s);
        return GATE_OK;
    }
    s->id = nghttp2_submit_request(s->h2->ng, NULL, s->h2->pool->nv, n, s->out_ended ? NULL : &body,
                                   s);
    if (s->id < 0) {
        gate_h2_stream_close(s);
        return GATE_E_CLOSED;
    }
    poke(s);
    return GATE_OK;
}

static enum gate_err op_send_body(struct gate_stream *stream, struct gate_chain *chunk, bool last)
{
    struct gate_h2_stream *s = gate_h2_stream_of(stream);

    if (is_over(s)) {
        gate_chain_clear(chunk);
        return GATE_E_CLOSED;
    }
    if (s->framing == GATE_BODY_NONE) {
        gate_chain_clear(chunk);
        return GATE_OK;
    }
    if (s->framing == GATE_BODY_LENGTH) {
        if (chunk->bytes > s->left)
            return GATE_E_INVALID;
        s->left -= chunk->bytes;
    }
    if (s->out.bytes == 0)
        s->out_ms = gate_h2_now(s->h2);
    if (s->bytes_out != NULL)
        *s->bytes_out += chunk->bytes;
    gate_chain_move(&s->out, chunk);
    if (last && s->framing == GATE_BODY_LENGTH && s->left > 0)
        return GATE_E_INVALID;
    if (last && s->tunnel)
        s->window_ms = gate_h2_now(s->h2);
    s->out_ended = s->out_ended || last;
    resume(s);
    return GATE_OK;
}

static enum gate_err op_send_trailers(struct gate_stream *stream,
                                      const struct gate_fields *trailers)
{
    struct gate_h2_stream *s = gate_h2_stream_of(stream);

    if (is_over(s))
        return GATE_E_CLOSED;
    if (s->framing == GATE_BODY_LENGTH && s->left > 0)
        return GATE_E_INVALID;
    if (trailers != NULL && trailers->n > 0 && !s->out_ended)
        s->trailers = gate_h2_trailers_copy(trailers);
    s->out_ended = true;
    resume(s);
    return GATE_OK;
}

static size_t op_room(const struct gate_stream *stream)
{
    const struct gate_h2_stream *s = gate_h2_stream_of(stream);
    size_t part = OUT_SHARED / (s->h2->open > 0 ? s->h2->open : 1);

    part = part > OUT_MOST ? OUT_MOST : part < OUT_LEAST ? OUT_LEAST : part;
    return s->out.bytes >= part ? 0 : part - s->out.bytes;
}

/* ------------------------------------------------------------------ receiving */

/* The 100 that the client waits for, when its body is first wanted. */
static void send_continue(struct gate_h2_stream *s)
{
    static const struct gate_message m = {.status = 100};

    s->expect = false;
    if (s->in.bytes == 0 && !s->in_ended && !s->head_sent)
        op_send_info(&s->stream, &m);
}

/* The window of the body rate is longer by what the user rests: it does not begin anew, or drops
 * of a body could keep it open for ever. */
static GATE_COLD void rest_changed(struct gate_h2_stream *s)
{
    uint64_t now = gate_h2_now(s->h2);

    s->in_ms = now;
    if (s->stream.rests)
        s->rest_ms = now;
    else
        s->window_ms += now - (s->rest_ms > s->window_ms ? s->rest_ms : s->window_ms);
}

static void op_grant(struct gate_stream *stream, size_t n)
{
    struct gate_h2_stream *s = gate_h2_stream_of(stream);
    bool first = s->credit == 0 || n == 0;

    if (s->expect && n > 0 && !is_over(s))
        send_continue(s);
    if (n == 0) {
        rest_changed(s);
    } else if (s->credit == 0) { /* the body is wanted from now on: the peer is judged anew */
        s->in_ms = s->window_ms = gate_h2_now(s->h2);
        s->window_bytes = 0;
    }
    s->credit += n;
    if (s->in.bytes > 0 || (s->in_ended && !s->in_told))
        gate_h2_wake(s);
    if (first || !gate_list_empty(&s->event))
        poke(s);
}

/* ------------------------------------------------------------------ leaving */

static void detach(struct gate_h2_stream *s)
{
    s->stream.events = NULL;
    s->attached = false;
    s->bytes_in = s->bytes_out = NULL;
    gate_h2_stream_discard(s);
    gate_h2_wake(s);
    poke(s);
}

void gate_h2_stream_cut(struct gate_h2_stream *s, uint32_t code)
{
    s->cut = true;
    gate_chain_clear(&s->out);
    if (s->id <= 0) /* a request that was never sent */
        gate_h2_stream_close(s);
    else
        nghttp2_submit_rst_stream(s->h2->ng, NGHTTP2_FLAG_NONE, s->id, code);
}

void gate_h2_stop(struct gate_h2_stream *s)
{
    gate_h2_stream_cut(s, NGHTTP2_NO_ERROR);
    poke(s);
}

/* In a tunnel CANCEL stands for a reset of TCP (RFC 8441 section 5). */
static void op_reset(struct gate_stream *stream, enum gate_close_reason why)
{
    struct gate_h2_stream *s = gate_h2_stream_of(stream);

    (void)why;
    if (!is_over(s))
        gate_h2_stream_cut(s, s->h2->server && !s->tunnel ? NGHTTP2_INTERNAL_ERROR
                                                          : NGHTTP2_CANCEL);
    detach(s);
}

static void server_give_back(struct gate_stream *stream)
{
    struct gate_h2_stream *s = gate_h2_stream_of(stream);

    if (!is_over(s) && !s->out_ended)
        gate_h2_stream_cut(s, NGHTTP2_INTERNAL_ERROR);
    detach(s);
}

static void client_give_back(struct gate_stream *stream)
{
    struct gate_h2_stream *s = gate_h2_stream_of(stream);

    if (!is_over(s) && !(s->out_ended && s->in_ended))
        gate_h2_stream_cut(s, NGHTTP2_CANCEL);
    detach(s);
}

static struct gate_conn *op_raw_conn(struct gate_stream *stream)
{
    (void)stream;
    return NULL;
}

const struct gate_stream_ops gate_h2_server_ops = {
    .name = "h2-server",
    .send_info = op_send_info,
    .send_head = server_send_head,
    .send_body = op_send_body,
    .send_trailers = op_send_trailers,
    .room = op_room,
    .grant = op_grant,
    .reset = op_reset,
    .give_back = server_give_back,
    .raw_conn = op_raw_conn,
};

const struct gate_stream_ops gate_h2_client_ops = {
    .name = "h2-client",
    .send_info = op_send_info,
    .send_head = client_send_head,
    .send_body = op_send_body,
    .send_trailers = op_send_trailers,
    .room = op_room,
    .grant = op_grant,
    .reset = op_reset,
    .give_back = client_give_back,
    .raw_conn = op_raw_conn,
};
