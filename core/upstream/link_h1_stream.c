/* The client side of the stream interface over h1, and the writing side of a link. */
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "upstream/link_h1_int.h"
#include "upstream/links.h"

/* More than this waits to be sent: the sender is asked to pause. */
#define OUT_HIGH (256u * 1024)

/* A peer that takes nothing more does not end the stream: an early answer may be waiting to be
 * read. Where the fault is the system's there is nothing to wait for. */
static void write_failed(struct gate_link *l, enum gate_err e, int sys_errno)
{
    gate_chain_clear(&l->h1.out.out);
    l->keep = l->h1.shut_asked = false;
    if (l->h1.state == GATE_LINK_LEAVING) {
        gate_links_close(&l, GATE_CLOSE_LINK_ERROR);
        return;
    }
    if (l->h1.out.framing == GATE_BODY_EOF) {
        l->h1.state = GATE_LINK_TUNNEL; /* its origin may have ended its side */
        gate_link_h1_broken(l, GATE_E_RESET, "the upstream closed the tunnel");
        return;
    }
    if (e == GATE_E_SYS) {
        gate_link_h1_broken(l, GATE_E_RESET, strerrordesc_np(sys_errno));
        return;
    }
    l->h1.request_ended = true; /* as much of it as the peer will ever see */
    gate_link_h1_clock(l);
    gate_conn_reading(&l->conn, true);
}

/* TLS has a word to say at the end, which may have to wait. */
static void end_ours(struct gate_link *l)
{
    if (l->conn.ops->shut(&l->conn) == GATE_E_AGAIN)
        gate_conn_want_write(&l->conn);
    else
        l->h1.shut_asked = false;
}

static void flushed(struct gate_link *l)
{
    if (l->h1.shut_asked && l->h1.out.out.bytes == 0)
        end_ours(l);
    if (l->h1.state == GATE_LINK_LEAVING && !l->h1.shut_asked) {
        gate_links_close(&l, GATE_CLOSE_LINK_ENDED);
        return;
    }
    if (l->h1.stream.events != NULL && !l->h1.request_ended)
        l->h1.stream.events->on_room(&l->h1.stream);
}

void gate_link_h1_send(struct gate_link *l)
{
    while (l->h1.out.out.bytes > 0) {
        size_t n = 0;
        enum gate_err e = gate_conn_send(&l->conn, &l->h1.out.out, &n);

        if (e == GATE_E_AGAIN) {
            gate_conn_want_write(&l->conn);
            break;
        }
        if (e != GATE_OK) {
            write_failed(l, e, errno);
            return;
        }
        l->sent += n;
    }
    gate_link_h1_clock(l);
    if (l->h1.out.out.bytes < OUT_HIGH / 2)
        flushed(l);
}

void gate_link_h1_flush(struct gate_link *l)
{
    gate_ready_cancel(&l->h1.flush);
    gate_link_h1_send(l);
}

void gate_link_h1_on_flush(struct gate_ready *r)
{
    struct gate_link *l = gate_container_of(r, struct gate_link, h1.flush);

    GATE_CHECK_MAGIC(l, GATE_LINK_MAGIC);
    if (l->h1.state != GATE_LINK_DEAD && l->h1.state != GATE_LINK_IDLE)
        gate_link_h1_send(l);
}

/* ------------------------------------------------------------------ the stream's operations */

static struct gate_link *link_of(const struct gate_stream *s)
{
    return gate_container_of(s, struct gate_link, h1.stream);
}

static enum gate_err op_send_info(struct gate_stream *s, const struct gate_message *m)
{
    (void)s;
    (void)m;
    return GATE_E_INVALID; /* requests have no interim heads */
}

static enum gate_err op_send_head(struct gate_stream *s, const struct gate_message *m, bool last)
{
    struct gate_link *l = link_of(s);
    enum gate_err e;

    if (l->h1.state == GATE_LINK_DEAD)
        return GATE_E_CLOSED;
    e = gate_h1_writer_head(&l->h1.out, m,
                            l->h1.upgrade_asked ? GATE_STR("upgrade") : GATE_STR_NONE, false);
    if (e != GATE_OK)
        return e;
    l->h1.request_ended = last;
    gate_loop_flush(l->conn.loop, &l->h1.flush);
    return GATE_OK;
}

static enum gate_err op_send_body(struct gate_stream *s, struct gate_chain *chunk, bool last)
{
    struct gate_link *l = link_of(s);
    enum gate_err e;

    if (l->h1.state == GATE_LINK_DEAD ||
        (l->h1.state == GATE_LINK_DONE && l->h1.out.framing != GATE_BODY_EOF)) {
        gate_chain_clear(chunk);
        return GATE_E_CLOSED;
    }
    e = gate_h1_writer_body(&l->h1.out, chunk, last);
    if (e != GATE_OK)
        return e;
    if (last) {
        l->h1.request_ended = true;
        l->h1.shut_asked = l->h1.out.framing == GATE_BODY_EOF;
    }
    gate_loop_flush(l->conn.loop, &l->h1.flush);
    return GATE_OK;
}

static enum gate_err op_send_trailers(struct gate_stream *s, const struct gate_fields *trailers)
{
    struct gate_link *l = link_of(s);
    enum gate_err e;

    if (l->h1.state == GATE_LINK_DEAD)
        return GATE_E_CLOSED;
    e = gate_h1_writer_trailers(&l->h1.out, trailers);
    if (e != GATE_OK)
        return e;
    l->h1.request_ended = true;
    gate_loop_flush(l->conn.loop, &l->h1.flush);
    return GATE_OK;
}

static size_t op_room(const struct gate_stream *s)
{
    const struct gate_link *l = link_of(s);

    return l->h1.out.out.bytes >= OUT_HIGH ? 0 : OUT_HIGH - l->h1.out.out.bytes;
}

static void op_grant(struct gate_stream *s, size_t n)
{
    struct gate_link *l = link_of(s);
    size_t before = l->h1.credit;

    l->h1.credit += n;
    if ((before > 0 && n > 0) || l->h1.state == GATE_LINK_DEAD ||
        l->h1.state == GATE_LINK_DONE)
        return;
    if (l->h1.credit > 0)
        gate_conn_reading(&l->conn, true);
    gate_link_h1_clock(l);
}

static void op_reset(struct gate_stream *s, enum gate_close_reason why)
{
    struct gate_link *l = link_of(s);

    s->events = NULL;
    if (l->h1.state == GATE_LINK_TUNNEL) /* its end must not look like one in order */
        gate_conn_abort(&l->conn);
    gate_links_close(&l, why);
}

/* Both sides of a tunnel have ended, and what ours said last waits to be sent. */
static bool has_last_words(const struct gate_link *l)
{
    return l->h1.state == GATE_LINK_DONE && l->h1.out.framing == GATE_BODY_EOF &&
           l->h1.shut_asked;
}

static void op_give_back(struct gate_stream *s)
{
    struct gate_link *l = link_of(s);

    s->events = NULL;
    if (has_last_words(l)) {
        l->h1.state = GATE_LINK_LEAVING;
        gate_link_h1_clock(l);
        return;
    }
    gate_links_put(l);
}

static struct gate_conn *op_raw_conn(struct gate_stream *s)
{
    return &link_of(s)->conn;
}

const struct gate_stream_ops gate_link_h1_stream_ops = {
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
