/* A client connection over HTTP/2: bytes between its conn and the codec (http/h2.h), and its end.
 * One send a turn carries the frames of all streams. The session is closed from the flush, the
 * deadline or a read, never from inside an operation of a stream. */
#include "base/assert.h"
#include "session/session_int.h"

/* Gathered for one send. */
#define SEND_BYTES (256u * 1024)

/* Reads of one event. */
#define READS_MOST 4

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* ------------------------------------------------------------------ the end */

/* Tells the exchange of a stream that its client is gone. */
static void lose(struct gate_h2_stream *st, const char *why)
{
    if (st->attached && st->stream.events != NULL) {
        struct gate_exchange *x = st->stream.user;

        st->stream.events = NULL;
        gate_flow_client_gone(x, why);
    }
}

static void lose_all(struct gate_session *s)
{
    enum gate_close_reason why = s->why == GATE_CLOSE_NONE ? GATE_CLOSE_CLIENT_ABORT : s->why;
    struct gate_list *streams = &s->h2->h2.streams;

    for (struct gate_list *n = streams->next; n != streams; n = n->next)
        lose(gate_container_of(n, struct gate_h2_stream, node), gate_close_reason_name(why));
}

static enum gate_close_reason reason(const struct gate_session *s)
{
    const struct gate_h2 *c = &s->h2->h2;

    if (s->why != GATE_CLOSE_NONE)
        return s->why;
    if (c->flooded)
        return GATE_CLOSE_HTTP2_FLOOD;
    if (c->why != NULL)
        return GATE_CLOSE_HTTP2_ERROR;
    if (s->worker->draining)
        return GATE_CLOSE_DRAIN;
    return c->noticed ? GATE_CLOSE_ASKED : GATE_CLOSE_CLIENT_EOF;
}

/* All is said, and nobody hears the answers to what is under way. What the client still sends is
 * dropped for a while, so that our last words are not lost to a reset. */
static void finish(struct gate_session *s)
{
    struct gate_h2_server *h = s->h2;

    s->why = reason(s);
    h->ending = h->lingers = true;
    h->linger_left = GATE_LINGER_BYTES;
    lose_all(s);
    s->conn.ops->shut(&s->conn);
    gate_conn_reading(&s->conn, true);
    gate_deadline_set(s->conn.loop, &s->deadline, gate_loop_now(s->conn.loop) + GATE_LINGER_MS);
}

static void read_ended(struct gate_session *s, enum gate_err e)
{
    bool inside = s->h2->h2.open > 0;

    if (s->why == GATE_CLOSE_NONE && reason(s) == GATE_CLOSE_CLIENT_EOF)
        s->why = e != GATE_E_EOF ? GATE_CLOSE_CLIENT_RESET
                 : inside        ? GATE_CLOSE_CLIENT_ABORT
                                 : GATE_CLOSE_CLIENT_EOF;
    gate_session_close(s, reason(s));
}

/* ------------------------------------------------------------------ writing */

/* False: the session is gone. */
static bool send_some(struct gate_session *s, bool *blocked)
{
    struct gate_h2_server *h = s->h2;
    size_t n = 0;
    enum gate_err e = gate_conn_send(&s->conn, &h->out, &n);

    if (e == GATE_OK) {
        h->wrote_ms = gate_loop_now(s->conn.loop);
        gate_counters_add(&s->worker->counters, GATE_C_BYTES_OUT, n);
        return true;
    }
    if (e == GATE_E_AGAIN) {
        gate_conn_want_write(&s->conn);
        *blocked = true;
        return true;
    }
    s->why = GATE_CLOSE_CLIENT_RESET;
    gate_session_close(s, s->why);
    return false;
}

static void flush(struct gate_session *s)
{
    struct gate_h2_server *h = s->h2;
    bool blocked = false;

    while (!blocked) {
        if (h->out.bytes == 0) {
            h->wrote_ms = gate_loop_now(s->conn.loop);
            if (gate_h2_send(&h->h2, &h->out, SEND_BYTES) != GATE_OK) {
                gate_session_close(s, GATE_CLOSE_FAULT);
                return;
            }
            if (h->out.bytes == 0)
                break;
        }
        if (!send_some(s, &blocked))
            return;
    }
    if (h->out.bytes == 0 && !h->lingers && (h->ending || gate_h2_done(&h->h2))) {
        finish(s);
        return;
    }
    gate_session_h2_clock(s);
}

static void on_flush(struct gate_ready *r)
{
    struct gate_h2_server *h = gate_container_of(r, struct gate_h2_server, flush);

    /* While a send is blocked, what waits in it comes first. */
    if (h->out.bytes > 0)
        gate_h2_tell(&h->h2);
    else if (!h->lingers)
        flush(h->session);
}

static void on_writable(struct gate_conn *c)
{
    struct gate_session *s = gate_container_of(c, struct gate_session, conn);

    GATE_CHECK_MAGIC(s, GATE_SESSION_MAGIC);
    if (!s->h2->lingers)
        flush(s);
}

/* ------------------------------------------------------------------ reading */

static void take(void *session, struct gate_block *b, const char *p, size_t n)
{
    struct gate_session *s = session;
    struct gate_h2_server *h = s->h2;

    if (h->ending)
        return;
    h->h2.limits = &s->worker->seat->generation->head_limits;
    if (gate_h2_recv(&h->h2, b, p, n) == GATE_OK) {
        if (h->h2.pong) /* the round trip behind the first GOAWAY is over */
            gate_h2_leave(&h->h2);
        gate_session_h2_clock(s);
        return;
    }
    h->ending = true;
    gate_conn_reading(&s->conn, false);
    gate_loop_flush(s->conn.loop, &h->flush);
}

/* One read; true when another may be worth it at once. */
static bool read_once(struct gate_session *s)
{
    size_t n = 0;
    bool full = false;
    enum gate_err e = gate_intake_read(&s->h2->in, &s->conn, take, s, &n, &full);

    if (e == GATE_OK)
        gate_counters_add(&s->worker->counters, GATE_C_BYTES_IN, n);
    else if (e == GATE_E_NOMEM)
        gate_session_close(s, GATE_CLOSE_FAULT);
    else if (e != GATE_E_AGAIN)
        read_ended(s, e);
    return full;
}

static void on_readable(struct gate_conn *c)
{
    struct gate_session *s = gate_container_of(c, struct gate_session, conn);
    struct gate_h2_server *h = s->h2;

    GATE_CHECK_MAGIC(s, GATE_SESSION_MAGIC);
    if (h->lingers) {
        gate_session_linger(s, &s->h2->linger_left);
        return;
    }
    for (int i = 0; i < READS_MOST && !h->ending; i++)
        if (!read_once(s))
            return;
}

/* ------------------------------------------------------------------ begin */

static struct gate_h2_pool *pool_of(struct gate_worker *w)
{
    struct gate_session_shared *shared = gate_session_shared_of(w);

    if (shared->pool == NULL)
        shared->pool = gate_h2_pool_new();
    return shared->pool;
}

void gate_session_h2_begin(struct gate_session *s)
{
    struct gate_worker *w = s->worker;
    struct gate_h2_server *h = gate_slab_take(&gate_session_shared_of(w)->h2);
    struct gate_h2_open how = {
        .owner = &gate_session_h2_owner,
        .pool = pool_of(w),
        .blocks = &w->loop.blocks,
        .counters = &w->counters,
        .limits = &w->seat->generation->head_limits,
        .now_ns = &w->loop.now_ns,
        .server = true,
        .https = s->listener->https,
    };

    memset(h, 0, sizeof(*h));
    h->session = s;
    h->begin_ms = h->idle_ms = gate_loop_now(&w->loop);
    gate_chain_init(&h->out, &w->loop.blocks);
    gate_ready_init(&h->flush, on_flush);
    s->h2 = h;
    s->state = GATE_SESSION_H2;
    s->conn.on_readable = on_readable;
    s->conn.on_writable = on_writable;
    s->deadline.timer.fn = gate_session_h2_on_deadline;
    gate_h2_open(&h->h2, &how);
    gate_counters_add(&w->counters, GATE_C_H2_CONNECTIONS, 1);
    if (w->draining)
        gate_session_h2_drain(s);
    gate_conn_reading(&s->conn, true);
    gate_loop_flush(&w->loop, &h->flush);
}

bool gate_session_h2_awaits(const struct gate_session *s, struct gate_str held)
{
    return s->listener->http2 && !s->listener->https && s->requests == 0 &&
           held.n < sizeof(preface) - 1 && memcmp(held.p, preface, held.n) == 0;
}

bool gate_session_h2_preface(struct gate_session *s, struct gate_str head)
{
    struct gate_block *b;
    size_t n;

    if (head.n != strlen("PRI * HTTP/2.0\r\n\r\n") || !gate_session_h2_awaits(s, head))
        return false;
    b = gate_block_ref(s->h1->in.b);
    n = (size_t)(b->data + b->used - head.p);
    gate_session_h1_drop(s);
    gate_session_h2_begin(s);
    take(s, b, head.p, n);
    gate_block_unref(&b);
    return true;
}

/* ------------------------------------------------------------------ drop, drain, cut */

void gate_session_h2_drop(struct gate_session *s)
{
    struct gate_h2_server *h = s->h2;

    if (h == NULL)
        return;
    lose_all(s);
    gate_h2_close(&h->h2);
    gate_ready_cancel(&h->flush);
    gate_chain_clear(&h->out);
    gate_intake_rest(&h->in);
    s->h2 = NULL;
    gate_slab_give(&gate_session_shared_of(s->worker)->h2, h);
}

void gate_session_h2_drain(struct gate_session *s)
{
    struct gate_h2_server *h = s->h2;

    if (h->h2.noticed || h->ending)
        return;
    h->notice_ms = gate_loop_now(s->conn.loop);
    gate_h2_notice(&h->h2);
    gate_session_h2_clock(s);
}

void gate_session_h2_cut(struct gate_session *s, const struct gate_generation_seat *seat)
{
    const char *why = gate_close_reason_name(GATE_CLOSE_DRAIN);
    struct gate_list *n;

    for (n = s->h2->h2.streams.next; n != &s->h2->h2.streams; n = n->next) {
        struct gate_h2_stream *st = gate_container_of(n, struct gate_h2_stream, node);
        struct gate_exchange *x = st->stream.user;

        if (!st->attached || st->stream.events == NULL || x->seat != seat ||
            gate_flow_call_off(x, why))
            continue;
        lose(st, why);
        st->stream.ops->reset(&st->stream, GATE_CLOSE_DRAIN);
    }
}
