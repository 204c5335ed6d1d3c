/* The client side of the stream interface over h1, and the writing side of a link. */
#include "base/assert.h"
#include "upstream/link_int.h"
#include "upstream/links.h"

/* More than this waits to be sent: the sender is asked to pause. */
#define OUT_HIGH (256u * 1024)

/* A write that fails does not end the stream: an early answer may be waiting to be read. */
static void write_failed(struct gate_link *l)
{
    gate_chain_clear(&l->out.out);
    l->keep = false;
    if (l->state == GATE_LINK_TUNNEL) {
        gate_link_broken(l, GATE_E_RESET, "the upstream closed the tunnel");
        return;
    }
    gate_conn_reading(&l->conn, true);
}

/* TLS has a word to say at the end, which may have to wait. */
static void end_ours(struct gate_link *l)
{
    if (l->conn.ops->shut(&l->conn) == GATE_E_AGAIN)
        gate_conn_want_write(&l->conn);
    else
        l->shut_asked = false;
}

static void flushed(struct gate_link *l)
{
    if (l->shut_asked && l->out.out.bytes == 0)
        end_ours(l);
    if (l->stream.events != NULL && !l->request_ended)
        l->stream.events->on_room(&l->stream);
}

void gate_link_send(struct gate_link *l)
{
    while (l->out.out.bytes > 0) {
        size_t n = 0;
        enum gate_err e = gate_conn_send(&l->conn, &l->out.out, &n);

        if (e == GATE_E_AGAIN) {
            gate_conn_want_write(&l->conn);
            break;
        }
        if (e != GATE_OK) {
            write_failed(l);
            return;
        }
        l->sent += n;
    }
    gate_link_clock(l);
    if (l->out.out.bytes < OUT_HIGH / 2)
        flushed(l);
}

void gate_link_flush(struct gate_link *l)
{
    gate_ready_cancel(&l->flush);
    gate_link_send(l);
}

void gate_link_on_flush(struct gate_ready *r)
{
    struct gate_link *l = gate_container_of(r, struct gate_link, flush);

    GATE_CHECK_MAGIC(l, GATE_LINK_MAGIC);
    if (l->state != GATE_LINK_DEAD && l->state != GATE_LINK_DIALING &&
        l->state != GATE_LINK_IDLE)
        gate_link_send(l);
}

/* ------------------------------------------------------------------ the stream's operations */

static enum gate_err op_send_info(struct gate_stream *s, const struct gate_message *m)
{
    (void)s;
    (void)m;
    return GATE_E_INVALID; /* requests have no interim heads */
}

static enum gate_err op_send_head(struct gate_stream *s, const struct gate_message *m, bool last)
{
    struct gate_link *l = gate_link_of(s);
    enum gate_err e;

    if (l->state == GATE_LINK_DEAD)
        return GATE_E_CLOSED;
    e = gate_h1_writer_head(&l->out, m, l->upgrade_asked ? GATE_STR("upgrade") : GATE_STR_NONE,
                            false);
    if (e != GATE_OK)
        return e;
    l->request_ended = last;
    gate_loop_flush(l->conn.loop, &l->flush);
    return GATE_OK;
}

static enum gate_err op_send_body(struct gate_stream *s, struct gate_chain *chunk, bool last)
{
    struct gate_link *l = gate_link_of(s);
    enum gate_err e;

    if (l->state == GATE_LINK_DEAD ||
        (l->state == GATE_LINK_DONE && l->out.framing != GATE_BODY_EOF)) {
        gate_chain_clear(chunk);
        return GATE_E_CLOSED;
    }
    e = gate_h1_writer_body(&l->out, chunk, last);
    if (e != GATE_OK)
        return e;
    if (last) {
        l->request_ended = true;
        l->shut_asked = l->out.framing == GATE_BODY_EOF;
    }
    gate_loop_flush(l->conn.loop, &l->flush);
    return GATE_OK;
}

static enum gate_err op_send_trailers(struct gate_stream *s, const struct gate_fields *trailers)
{
    struct gate_link *l = gate_link_of(s);
    enum gate_err e;

    if (l->state == GATE_LINK_DEAD)
        return GATE_E_CLOSED;
    e = gate_h1_writer_trailers(&l->out, trailers);
    if (e != GATE_OK)
        return e;
    l->request_ended = true;
    gate_loop_flush(l->conn.loop, &l->flush);
    return GATE_OK;
}

static size_t op_room(const struct gate_stream *s)
{
    const struct gate_link *l = gate_link_of(s);

    return l->out.out.bytes >= OUT_HIGH ? 0 : OUT_HIGH - l->out.out.bytes;
}

static void op_grant(struct gate_stream *s, size_t n)
{
    struct gate_link *l = gate_link_of(s);
    size_t before = l->credit;

    l->credit += n;
    if ((before > 0 && n > 0) || l->state == GATE_LINK_DEAD || l->state == GATE_LINK_DONE)
        return;
    if (l->credit > 0)
        gate_conn_reading(&l->conn, true);
    gate_link_clock(l);
}

static void op_reset(struct gate_stream *s, enum gate_close_reason why)
{
    struct gate_link *l = gate_link_of(s);

    s->events = NULL;
    gate_links_close(&l, why);
}

static void op_give_back(struct gate_stream *s)
{
    struct gate_link *l = gate_link_of(s);

    s->events = NULL;
    gate_links_put(l);
}

static struct gate_conn *op_raw_conn(struct gate_stream *s)
{
    return &gate_link_of(s)->conn;
}

const struct gate_stream_ops gate_link_stream_ops = {
    .name = "h1-client",
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
