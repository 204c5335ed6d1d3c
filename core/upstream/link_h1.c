/* The reading side of a link: heads, bodies by credit, the clock. Reads are driven by what the user
 * has granted. A response that ends gives the link back to the shelf only when both sides of the
 * exchange are complete and not one byte is left over. */
#include "upstream/link_h1_int.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "http/parse.h"
#include "net/socket.h"
#include "tls/tls.h"
#include "upstream/links.h"

/* Interim responses relayed per request. */
#define MAX_INFOS 8

/* A read of this much is sent before the next event is looked at: with many such in one turn the
 * second level cache would be gone over before the first is sent. */
#define SEND_AT_ONCE (32u * 1024)

static struct gate_link *link_of_conn(struct gate_conn *c)
{
    struct gate_link *l = gate_container_of(c, struct gate_link, conn);

    GATE_CHECK_MAGIC(l, GATE_LINK_MAGIC);
    return l;
}

static uint64_t after(const struct gate_link *l, uint32_t ms)
{
    return ms == 0 ? UINT64_MAX : gate_loop_now(l->conn.loop) + ms;
}

void gate_link_h1_clock(struct gate_link *l)
{
    uint64_t at = UINT64_MAX;

    if (l->h1.out.out.bytes > 0 || l->h1.state == GATE_LINK_LEAVING)
        at = after(l, l->h1.send_ms);
    else if (l->h1.state == GATE_LINK_HEAD && l->h1.request_ended)
        at = after(l, l->h1.first_byte_ms);
    else if ((l->h1.state == GATE_LINK_BODY || l->h1.state == GATE_LINK_TUNNEL) &&
             l->h1.credit > 0 && !l->conn.full && !l->h1.stream.rests)
        at = after(l, l->h1.read_ms);
    gate_deadline_set(l->conn.loop, &l->deadline, at);
}

void gate_link_h1_broken(struct gate_link *l, enum gate_err e, const char *why)
{
    const struct gate_stream_events *events = l->h1.stream.events;

    if (l->h1.state == GATE_LINK_DEAD || l->h1.state == GATE_LINK_DONE)
        return;
    l->h1.state = GATE_LINK_DEAD;
    l->keep = false;
    gate_conn_reading(&l->conn, false);
    gate_deadline_set(l->conn.loop, &l->deadline, UINT64_MAX);
    gate_chain_clear(&l->h1.out.out);
    if (events != NULL)
        events->on_reset(&l->h1.stream, e, why);
}

static void on_deadline(struct gate_timer *t)
{
    struct gate_link *l = gate_container_of(t, struct gate_link, deadline.timer);

    if (!gate_deadline_reached(l->conn.loop, &l->deadline))
        return;
    if (l->h1.state == GATE_LINK_IDLE) {
        gate_links_close(&l, GATE_CLOSE_LINK_IDLE);
        return;
    }
    if (l->h1.state == GATE_LINK_LEAVING) {
        gate_links_close(&l, GATE_CLOSE_LINK_ERROR);
        return;
    }
    gate_link_h1_broken(l, GATE_E_TIMEOUT,
                        l->h1.out.out.bytes > 0         ? "the upstream takes no bytes"
                        : l->h1.state == GATE_LINK_HEAD ? "no response head in time"
                                                        : "no response bytes in time");
}

/* A complete response: content and trailers were delivered. */
static void finish_response(struct gate_link *l)
{
    gate_conn_splice_end(&l->conn);
    l->h1.state = GATE_LINK_DONE;
    if (gate_h1_reader_held(&l->h1.in) > 0)
        l->keep = false;
    gate_h1_reader_rest(&l->h1.in);
    gate_deadline_set(l->conn.loop, &l->deadline, UINT64_MAX);
}

static void read_hint(struct gate_link *l)
{
    uint64_t blocks = l->h1.response_bytes / GATE_BLOCK_SIZE + 1;

    l->h1.in.blocks = (uint8_t)(blocks > 8 ? 8 : blocks);
}

static void begin_response(struct gate_link *l, const struct gate_response_head *head)
{
    l->keep = l->keep && head->keep_alive;
    if (head->status == 101) {
        l->h1.state = GATE_LINK_TUNNEL;
        l->keep = false;
        l->h1.request_ended = false; /* what goes up from here is bytes */
        gate_h1_reader_begin_body(&l->h1.in, GATE_BODY_EOF, 0);
        l->h1.out.framing = GATE_BODY_EOF;
        l->h1.out.ended = false;
        return;
    }
    l->h1.state = GATE_LINK_BODY;
    gate_h1_reader_begin_body(&l->h1.in, head->framing, head->content_length);
}

/* One head is whole. False: the stream is broken. */
static bool take_head(struct gate_link *l, const char *p, size_t n)
{
    struct gate_response_head head;
    struct gate_refusal r =
        gate_parse_response_marked(p, n, &l->h1.in.marks, l->h1.limits, l->h1.method, l->h1.arena,
                                   &head);

    if (r.status != 0) {
        gate_link_h1_broken(l, GATE_E_SYNTAX, r.why);
        return false;
    }
    if (head.status == 101 &&
        !(l->h1.upgrade_asked && head.upgrade &&
          gate_str_ieq(head.upgrade_token, l->h1.upgrade_token))) {
        gate_link_h1_broken(l, GATE_E_SYNTAX, "101 to a request that did not ask for it");
        return false;
    }
    if (head.status < 200 && head.status != 101) {
        if (++l->h1.infos > MAX_INFOS) {
            gate_link_h1_broken(l, GATE_E_SYNTAX, "too many interim responses");
            return false;
        }
        gate_link_h1_clock(l);
        l->h1.stream.events->on_info(&l->h1.stream, &head);
        return true;
    }
    begin_response(l, &head);
    l->h1.stream.events->on_head(&l->h1.stream, &head, l->h1.in.b);
    return l->h1.state != GATE_LINK_DEAD;
}

static bool consume_head(struct gate_link *l)
{
    const char *p = NULL;
    const char *why = NULL;
    size_t n = 0;

    switch (gate_h1_reader_head(&l->h1.in, &p, &n, &why)) {
    case GATE_SCAN_DONE:
        return take_head(l, p, n);
    case GATE_SCAN_BAD:
        gate_link_h1_broken(l, GATE_E_SYNTAX, why);
        return false;
    default:
        if (gate_h1_reader_held(&l->h1.in) > l->h1.limits->header_bytes)
            gate_link_h1_broken(l, GATE_E_SYNTAX, "the response head is too large");
        return false;
    }
}

static void consume_trailers(struct gate_link *l, const char *p, size_t n)
{
    struct gate_fields *fs = gate_arena_zalloc(l->h1.arena, sizeof(*fs));
    struct gate_refusal r = gate_parse_trailers(p, n, l->h1.limits, l->h1.arena, fs);

    if (r.status != 0) {
        gate_link_h1_broken(l, GATE_E_SYNTAX, r.why);
        return;
    }
    if (fs->n > 0)
        l->h1.stream.events->on_trailers(&l->h1.stream, fs, l->h1.in.b);
    finish_response(l);
}

/* Content of the current block into `chunk`. */
static void consume_body(struct gate_link *l, struct gate_chain *chunk)
{
    const char *p = NULL;
    const char *why = NULL;
    size_t n = 0;

    switch (gate_h1_reader_body(&l->h1.in, chunk, &p, &n, &why)) {
    case GATE_BODY_MORE:
    case GATE_BODY_DATA:
        break;
    case GATE_BODY_TRAILERS:
        consume_trailers(l, p, n);
        break;
    case GATE_BODY_DONE:
        finish_response(l);
        break;
    case GATE_BODY_BAD:
        gate_link_h1_broken(l, GATE_E_SYNTAX, why);
        break;
    }
}

static void consume(struct gate_link *l, struct gate_chain *chunk)
{
    while (l->h1.state == GATE_LINK_HEAD && gate_h1_reader_held(&l->h1.in) > 0) {
        if (!consume_head(l))
            break;
    }
    if (l->h1.state == GATE_LINK_BODY || l->h1.state == GATE_LINK_TUNNEL)
        consume_body(l, chunk);
}

static void deliver(struct gate_link *l, struct gate_chain *chunk)
{
    const struct gate_stream_events *events = l->h1.stream.events;

    l->h1.credit -= l->h1.credit < chunk->bytes ? l->h1.credit : chunk->bytes;
    l->h1.response_bytes += chunk->bytes;
    if (chunk->bytes > 0 && events != NULL && l->h1.state != GATE_LINK_DEAD)
        events->on_body(&l->h1.stream, chunk);
    gate_chain_clear(chunk);
    if (l->h1.state == GATE_LINK_DONE && l->h1.stream.events != NULL)
        l->h1.stream.events->on_end(&l->h1.stream);
}

/* The upstream ended or cut the connection. */
static void read_ended(struct gate_link *l, enum gate_err e)
{
    if ((l->h1.state == GATE_LINK_BODY || l->h1.state == GATE_LINK_TUNNEL) && e == GATE_E_EOF &&
        gate_body_eof(&l->h1.in.body)) {
        if (l->h1.state == GATE_LINK_TUNNEL)
            gate_conn_reading(&l->conn, false);
        l->keep = false;
        finish_response(l);
        l->h1.stream.events->on_end(&l->h1.stream);
        return;
    }
    if (e == GATE_E_TLS) {
        gate_link_h1_broken(l, e, gate_tls_why(gate_tls_of(&l->conn)));
        return;
    }
    if (e == GATE_E_SYS) {
        gate_link_h1_broken(l, GATE_E_RESET, strerrordesc_np(errno));
        return;
    }
    gate_link_h1_broken(l, e == GATE_E_EOF ? GATE_E_EOF : GATE_E_RESET,
                        l->h1.state == GATE_LINK_HEAD ? "the upstream closed before it answered"
                                                      : "the upstream closed inside the body");
}

/* Content from the socket into a pipe. False: there is no pipe for it. */
static bool splice_once(struct gate_link *l)
{
    size_t max = l->h1.credit < l->h1.in.body.left ? l->h1.credit : (size_t)l->h1.in.body.left;
    struct gate_chain chunk;
    enum gate_err e;
    size_t n;

    gate_chain_init(&chunk, &l->conn.loop->blocks);
    e = gate_conn_splice(&l->conn, max, &chunk, &n);
    if (e == GATE_E_LIMIT)
        return false;
    if (e == GATE_OK) {
        if (gate_body_skip(&l->h1.in.body, n))
            finish_response(l);
        deliver(l, &chunk);
    } else if (e != GATE_E_AGAIN) {
        read_ended(l, e);
    }
    return true;
}

static bool may_splice(const struct gate_link *l)
{
    return l->h1.stream.takes_pipes && l->h1.state == GATE_LINK_BODY &&
           (l->conn.pipe != NULL || gate_h1_reader_bulk(&l->h1.in));
}

/* One read; true when another may be worth it at once (the space was filled). */
static bool read_once(struct gate_link *l)
{
    struct gate_h1_space space;
    struct gate_chain chunk;
    enum gate_err e;
    size_t n = 0;
    bool full;

    if (may_splice(l) && splice_once(l))
        return false;
    if (l->h1.state == GATE_LINK_HEAD)
        e = gate_h1_reader_head_space(&l->h1.in, &l->conn.loop->blocks, &space);
    else
        e = gate_h1_reader_body_space(&l->h1.in, &l->conn.loop->blocks, l->h1.credit, &space);
    if (e != GATE_OK) {
        gate_link_h1_broken(l, e,
                         e == GATE_E_LIMIT ? "the response head or trailers are too large"
                                           : "no memory for a block");
        return false;
    }
    e = gate_conn_read(&l->conn, space.iov, space.count, &n);
    if (e != GATE_OK) {
        gate_h1_reader_unused(&l->h1.in, &space);
        if (e != GATE_E_AGAIN)
            read_ended(l, e);
        return false;
    }
    full = n == space.bytes;
    gate_chain_init(&chunk, &l->conn.loop->blocks);
    for (int i = 0; gate_h1_reader_filled(&l->h1.in, &space, i, &n); i++) {
        consume(l, &chunk);
        if (l->h1.state == GATE_LINK_DONE || l->h1.state == GATE_LINK_DEAD) {
            l->keep = l->keep && n == 0;
            n = 0; /* what came behind the response may be anything: nobody looks at it */
        }
    }
    if (l->h1.in.lost)
        gate_link_h1_broken(l, GATE_E_NOMEM, "no memory for a block");
    deliver(l, &chunk);
    return full;
}

static bool may_read(const struct gate_link *l)
{
    return l->h1.state == GATE_LINK_HEAD ||
           ((l->h1.state == GATE_LINK_BODY || l->h1.state == GATE_LINK_TUNNEL) && l->h1.credit > 0);
}

/* A parked link must be silent. */
static void parked_readable(struct gate_link *l)
{
    char byte;
    size_t n = 0;
    enum gate_err e = l->conn.ops->peek(&l->conn, &byte, 1, &n);

    if (e != GATE_E_AGAIN)
        gate_links_close(&l, e == GATE_OK ? GATE_CLOSE_LINK_DIRTY : GATE_CLOSE_LINK_ENDED);
}

static void on_readable(struct gate_conn *c)
{
    struct gate_link *l = link_of_conn(c);
    struct gate_loop *loop = c->loop;
    uint64_t before = l->h1.response_bytes;
    bool large;

    if (l->h1.state == GATE_LINK_IDLE) {
        parked_readable(l);
        return;
    }
    if (l->h1.state == GATE_LINK_DONE) {
        gate_conn_reading(c, false); /* its user has not given it back yet */
        return;
    }
    while (may_read(l) && read_once(l))
        ;
    if (!may_read(l) && l->h1.state != GATE_LINK_DONE)
        gate_conn_reading(&l->conn, false);
    if (l->h1.state == GATE_LINK_BODY || l->h1.state == GATE_LINK_TUNNEL)
        gate_link_h1_clock(l); /* a part of a head does not put off the time for all of it */
    large = l->h1.response_bytes - before >= SEND_AT_ONCE;
    if (large)
        gate_loop_settle(loop);
}

static void on_writable(struct gate_conn *c)
{
    struct gate_link *l = link_of_conn(c);

    if (l->h1.state != GATE_LINK_DEAD && l->h1.state != GATE_LINK_IDLE)
        gate_link_h1_send(l);
}

void gate_link_h1_open(struct gate_link *l)
{
    l->conn.on_readable = on_readable;
    l->conn.on_writable = on_writable;
    l->deadline.timer.fn = on_deadline;
}

void gate_link_h1_init(struct gate_link *l)
{
    gate_h1_reader_init(&l->h1.in);
    gate_h1_writer_init(&l->h1.out, &l->conn.loop->blocks);
    gate_ready_init(&l->h1.flush, gate_link_h1_on_flush);
    l->h1.state = GATE_LINK_IDLE;
}

void gate_link_h1_fini(struct gate_link *l)
{
    gate_ready_cancel(&l->h1.flush);
    gate_h1_reader_fini(&l->h1.in);
    gate_h1_writer_fini(&l->h1.out);
}

bool gate_link_h1_clean(const struct gate_link *l)
{
    return l->h1.state == GATE_LINK_DONE && l->keep && l->h1.request_ended &&
           l->h1.out.out.bytes == 0;
}

void gate_link_h1_settle(struct gate_link *l)
{
    if (l->h1.state == GATE_LINK_DONE && l->keep && l->h1.request_ended && l->h1.out.out.bytes > 0)
        gate_link_h1_flush(l);
}

bool gate_link_h1_answered(const struct gate_link *l)
{
    return l->h1.infos > 0 || gate_h1_reader_held(&l->h1.in) > 0;
}

void gate_link_h1_park(struct gate_link *l, uint32_t idle_ms)
{
    l->h1.state = GATE_LINK_IDLE;
    l->h1.stream.events = NULL;
    gate_deadline_set(l->conn.loop, &l->deadline, after(l, idle_ms));
    gate_conn_reading(&l->conn, true);
}

struct gate_stream *gate_link_h1_begin(struct gate_link *l, const struct gate_link_use *use)
{
    GATE_ASSERT(l->h1.state == GATE_LINK_IDLE);
    l->h1.state = GATE_LINK_HEAD;
    l->h1.request_ended = false;
    l->h1.upgrade_asked = use->upgrade;
    l->h1.upgrade_token = use->upgrade_token;
    l->h1.infos = 0;
    l->h1.credit = 0;
    l->h1.arena = use->arena;
    l->h1.limits = use->limits;
    l->h1.method = use->method;
    l->h1.send_ms = use->timeouts->send_ms;
    l->h1.first_byte_ms = use->timeouts->first_byte_ms;
    l->h1.read_ms = use->timeouts->read_ms;
    l->h1.stream.ops = &gate_link_h1_stream_ops;
    l->h1.stream.events = use->events;
    l->h1.stream.user = use->user;
    l->h1.stream.takes_pipes = l->h1.stream.rests = false;
    read_hint(l);
    l->h1.response_bytes = 0;
    gate_conn_reading(&l->conn, true);
    return &l->h1.stream;
}
