/* The server side of the stream interface over h1, and the writing side of a session. Operations
 * never close the session; the flush does, from the loop. */
#include "base/assert.h"
#include "session/session_int.h"

static struct gate_h1_server *h1_of(const struct gate_stream *s)
{
    return gate_container_of(s, struct gate_h1_server, stream);
}

static void want_flush(struct gate_h1_server *h)
{
    if (h->out.out.bytes == 0)
        h->wrote_ms = gate_loop_now(h->session->conn.loop);
    gate_loop_flush(h->session->conn.loop, &h->flush);
}

/* ------------------------------------------------------------------ leaving */

void gate_session_h1_settle(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;

    if (h == NULL || s->state != GATE_SESSION_IDLE || h->out.out.bytes > 0 ||
        gate_h1_reader_held(&h->in) > 0)
        return;
    gate_session_h1_drop(s);
    gate_session_clock(s);
}

/* Everything left: close at once when the client has nothing unread with us, else linger so that
 * the answer is not lost to a reset. */
static void close_or_linger(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;

    if (h->cut && h->out.framing == GATE_BODY_EOF && !h->out.ended) {
        gate_conn_abort(&s->conn);
        gate_session_close(s, s->why);
        return;
    }
    if (h->eof || h->cut || (h->body_done && !h->body_bad && gate_h1_reader_held(&h->in) == 0)) {
        gate_session_close(s, s->why);
        return;
    }
    s->conn.ops->shut(&s->conn);
    s->state = GATE_SESSION_LINGER;
    h->linger_left = GATE_LINGER_BYTES;
    gate_conn_reading(&s->conn, true);
    gate_session_clock(s);
}

void gate_session_h1_done(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;
    struct gate_loop *loop = s->conn.loop;

    h->x = NULL;
    h->stream.events = NULL;
    if (h->keep && h->body_done && !h->body_bad && !h->eof && !h->cut && h->out.ended &&
        !s->worker->draining) {
        gate_session_idle(s);
        if (gate_h1_reader_held(&h->in) > 0) {
            h->begin_ns = loop->now_ns;
            gate_loop_ready(loop, &h->next);
        }
    } else {
        s->state = GATE_SESSION_CLOSING;
        if (s->why == GATE_CLOSE_NONE)
            s->why = GATE_CLOSE_ASKED;
        gate_session_clock(s);
    }
    gate_loop_flush(loop, &h->flush);
}

/* ------------------------------------------------------------------ flush */

/* After a write that emptied the queue. */
static void flushed(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;

    if (h->shut_asked) {
        if (s->conn.ops->shut(&s->conn) == GATE_E_AGAIN) {
            gate_conn_want_write(&s->conn);
            return;
        }
        h->shut_asked = false;
        h->window_ms = gate_loop_now(s->conn.loop);
        gate_session_clock(s);
    }
    if (s->state == GATE_SESSION_CLOSING)
        close_or_linger(s);
    else if (s->state == GATE_SESSION_IDLE)
        gate_session_h1_settle(s);
}

/* Requests that waited for room in the queue of answers. */
static void go_on(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;

    if (s->state != GATE_SESSION_IDLE || gate_session_out_full(h))
        return;
    gate_conn_reading(&s->conn, true);
    if (gate_h1_reader_held(&h->in) > 0)
        gate_loop_ready(s->conn.loop, &h->next);
}

void gate_session_h1_flush(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;
    bool blocked = false;

    while (h->out.out.bytes > 0 && !blocked) {
        size_t n = 0;
        enum gate_err e = gate_conn_send(&s->conn, &h->out.out, &n);

        if (e == GATE_E_AGAIN) {
            gate_conn_want_write(&s->conn);
            blocked = true;
        } else if (e != GATE_OK) {
            s->why = GATE_CLOSE_CLIENT_RESET;
            gate_session_close(s, s->why);
            return;
        } else {
            h->wrote_ms = gate_loop_now(s->conn.loop);
            gate_counters_add(&s->worker->counters, GATE_C_BYTES_OUT, n);
        }
    }
    if (blocked)
        gate_session_clock(s);
    if (h->stream.events != NULL && h->out.out.bytes < GATE_SESSION_OUT_HIGH / 2)
        h->stream.events->on_room(&h->stream);
    go_on(s);
    if (h->out.out.bytes == 0)
        flushed(s);
}

void gate_session_h1_on_flush(struct gate_ready *r)
{
    struct gate_h1_server *h = gate_container_of(r, struct gate_h1_server, flush);

    gate_session_h1_flush(h->session);
}

/* ------------------------------------------------------------------ operations */

static enum gate_err op_send_info(struct gate_stream *s, const struct gate_message *m)
{
    struct gate_h1_server *h = h1_of(s);
    enum gate_err e;

    if (h->minor == 0 || h->head_sent)
        return GATE_OK;
    want_flush(h);
    e = gate_h1_writer_info(&h->out, m);
    if (m->status == 100)
        h->expect = false;
    return e;
}

/* What this client sent was not acceptable: nothing that follows is looked at. */
static bool refused(const struct gate_exchange *x)
{
    return x != NULL && (x->fault == GATE_FAULT_BAD_REQUEST || x->fault == GATE_FAULT_TOO_LARGE);
}

/* An answer of our own does not wait for the request's body. What of that came with the head is of
 * no interest to anybody, but where it is all of it the connection can be kept. */
static GATE_COLD void pass_over(struct gate_h1_server *h)
{
    struct gate_chain chunk;
    const char *p = NULL;
    const char *why = NULL;
    size_t n = 0;
    enum gate_body_result r;

    if (h->body_bad || h->x == NULL || h->x->res.head != NULL || gate_h1_reader_held(&h->in) == 0)
        return;
    gate_chain_init(&chunk, &h->session->conn.loop->blocks);
    r = gate_h1_reader_body(&h->in, &chunk, &p, &n, &why);
    h->x->bytes_in += chunk.bytes;
    gate_chain_clear(&chunk);
    h->body_done = r == GATE_BODY_DONE;
    h->body_bad = r == GATE_BODY_BAD || r == GATE_BODY_TRAILERS;
}

/* How the body of an answer is framed for this client, and whether the connection can be kept after
 * it. */
static void decide_framing(struct gate_h1_server *h, struct gate_message *m, bool no_body)
{
    if (GATE_UNLIKELY(!h->body_done))
        pass_over(h);
    h->keep = h->wants_keep && !h->session->worker->draining && h->body_done && !h->body_bad &&
              !h->eof && !refused(h->x);
    if (no_body || m->framing == GATE_BODY_NONE || m->framing == GATE_BODY_LENGTH)
        return;
    if (h->minor > 0) {
        m->framing = GATE_BODY_CHUNKED;
        return;
    }
    m->framing = GATE_BODY_EOF;
    h->keep = false;
}

/* A 426 may say which protocol it wants. */
static bool says_upgrade(const struct gate_message *m)
{
    for (uint32_t i = 0; m->status == 426 && i < m->n_extra; i++)
        if (m->extra[i].id == GATE_F_UPGRADE)
            return true;
    return false;
}

static struct gate_str connection_field(const struct gate_h1_server *h,
                                        const struct gate_message *m)
{
    if (h->tunnel)
        return GATE_STR("upgrade");
    if (says_upgrade(m))
        return h->keep ? GATE_STR("upgrade") : GATE_STR("close, upgrade");
    if (!h->keep)
        return GATE_STR("close");
    return h->minor == 0 ? GATE_STR("keep-alive") : GATE_STR_NONE;
}

static enum gate_err op_send_head(struct gate_stream *s, const struct gate_message *m, bool last)
{
    struct gate_h1_server *h = h1_of(s);
    struct gate_message mine = *m;
    bool no_body = h->head_method || m->status == 204 || m->status == 304;
    enum gate_err e;

    (void)last;
    want_flush(h);
    h->tunnel = m->status == 101;
    if (!h->tunnel)
        decide_framing(h, &mine, no_body);
    e = gate_h1_writer_head(&h->out, &mine, connection_field(h, m), no_body);
    if (e != GATE_OK)
        return e;
    h->head_sent = true;
    h->expect = false;
    if (h->tunnel) {
        h->out.framing = GATE_BODY_EOF;
        h->out.ended = false;
        h->keep = false;
        h->body_done = false;
        gate_h1_reader_begin_body(&h->in, GATE_BODY_EOF, 0);
        h->session->why = GATE_CLOSE_TUNNEL_END;
    }
    return GATE_OK;
}

static enum gate_err op_send_body(struct gate_stream *s, struct gate_chain *chunk, bool last)
{
    struct gate_h1_server *h = h1_of(s);
    size_t n = chunk->bytes;
    enum gate_err e;

    want_flush(h);
    e = gate_h1_writer_body(&h->out, chunk, last);
    if (e == GATE_OK && h->x != NULL)
        h->x->bytes_out += n;
    if (last && h->tunnel)
        h->shut_asked = true;
    return e;
}

static enum gate_err op_send_trailers(struct gate_stream *s, const struct gate_fields *trailers)
{
    struct gate_h1_server *h = h1_of(s);

    want_flush(h);
    return gate_h1_writer_trailers(&h->out, trailers);
}

static size_t op_room(const struct gate_stream *s)
{
    const struct gate_h1_server *h = h1_of(s);

    return h->out.out.bytes >= GATE_SESSION_OUT_HIGH ? 0 : GATE_SESSION_OUT_HIGH - h->out.out.bytes;
}

/* The 100 that the client waits for, when its body is first wanted. */
static void send_continue(struct gate_h1_server *h)
{
    struct gate_message m = {.status = 100};

    h->expect = false;
    if (h->in.body.total == 0 && !h->head_sent && gate_h1_reader_held(&h->in) == 0) {
        want_flush(h);
        gate_h1_writer_info(&h->out, &m);
    }
}

/* The window of the body rate is longer by what the user rests: it does not begin anew, or drops
 * of a body could keep it open for ever. */
static GATE_COLD void rest_changed(struct gate_h1_server *h)
{
    uint64_t now = gate_loop_now(h->session->conn.loop);

    if (h->stream.rests)
        h->rest_ms = now;
    else
        h->window_ms += now - (h->rest_ms > h->window_ms ? h->rest_ms : h->window_ms);
}

static void op_grant(struct gate_stream *s, size_t n)
{
    struct gate_h1_server *h = h1_of(s);
    bool first = h->credit == 0;

    h->credit += n;
    if (h->expect && n > 0)
        send_continue(h);
    if (n == 0)
        rest_changed(h);
    if ((!first && n > 0) || h->credit == 0 || h->body_done || h->body_bad || h->eof)
        return;
    if (h->tunnel && gate_h1_reader_held(&h->in) > 0)
        gate_loop_ready(h->session->conn.loop, &h->next);
    if (first)
        gate_session_h1_window(h);
    gate_conn_reading(&h->session->conn, true);
    gate_session_clock(h->session);
}

static void op_reset(struct gate_stream *s, enum gate_close_reason why)
{
    struct gate_h1_server *h = h1_of(s);

    h->cut = true;
    h->keep = false;
    if (h->session->why == GATE_CLOSE_NONE)
        h->session->why = why;
    gate_session_h1_done(h->session);
}

static void op_give_back(struct gate_stream *s)
{
    struct gate_h1_server *h = h1_of(s);

    if (!h->out.ended && !h->tunnel)
        h->cut = true;
    if (!h->body_done && h->session->why == GATE_CLOSE_NONE)
        h->session->why = GATE_CLOSE_EARLY_ANSWER;
    gate_session_h1_done(h->session);
}

static struct gate_conn *op_raw_conn(struct gate_stream *s)
{
    return &h1_of(s)->session->conn;
}

const struct gate_stream_ops gate_session_stream_ops = {
    .name = "h1-server",
    .send_info = op_send_info,
    .send_head = op_send_head,
    .send_body = op_send_body,
    .send_trailers = op_send_trailers,
    .room = op_room,
    .grant = op_grant,
    .reset = op_reset,
    .give_back = op_give_back,
    .raw_conn = op_raw_conn,
};
