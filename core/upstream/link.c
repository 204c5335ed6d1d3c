/* The reading side of a link: heads, bodies by credit, the clock. Reads are driven by what the user
 * has granted. A response that ends gives the link back to the shelf only when both sides of the
 * exchange are complete and not one byte is left over. */
#include "upstream/link_int.h"

#include "base/assert.h"
#include "http/parse.h"
#include "tls/tls.h"
#include "upstream/links.h"

/* Interim responses relayed per request (SECURITY.md section F). */
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

void gate_link_clock(struct gate_link *l)
{
    uint64_t at = UINT64_MAX;

    if (l->out.out.bytes > 0)
        at = after(l, l->send_ms);
    else if (l->state == GATE_LINK_HEAD && l->request_ended)
        at = after(l, l->first_byte_ms);
    else if (l->state == GATE_LINK_TUNNEL ||
             (l->state == GATE_LINK_BODY && l->credit > 0 && !l->conn.full && !l->stream.rests))
        at = after(l, l->read_ms);
    gate_deadline_set(l->conn.loop, &l->deadline, at);
}

void gate_link_broken(struct gate_link *l, enum gate_err e, const char *why)
{
    const struct gate_stream_events *events = l->stream.events;

    if (l->state == GATE_LINK_DEAD || l->state == GATE_LINK_DONE)
        return;
    l->state = GATE_LINK_DEAD;
    l->keep = false;
    gate_conn_reading(&l->conn, false);
    gate_deadline_set(l->conn.loop, &l->deadline, UINT64_MAX);
    gate_chain_clear(&l->out.out);
    if (events != NULL)
        events->on_reset(&l->stream, e, why);
}

static void on_deadline(struct gate_timer *t)
{
    struct gate_link *l = gate_container_of(t, struct gate_link, deadline.timer);

    if (!gate_deadline_reached(l->conn.loop, &l->deadline))
        return;
    if (l->state == GATE_LINK_DIALING) {
        gate_dial_late(l);
        return;
    }
    if (l->state == GATE_LINK_IDLE) {
        gate_links_close(&l, GATE_CLOSE_LINK_IDLE);
        return;
    }
    gate_link_broken(l, GATE_E_TIMEOUT,
                     l->out.out.bytes > 0         ? "the upstream takes no bytes"
                     : l->state == GATE_LINK_HEAD ? "no response head in time"
                                                  : "no response bytes in time");
}

/* A complete response: content and trailers were delivered. */
static void finish_response(struct gate_link *l)
{
    gate_conn_splice_end(&l->conn);
    l->state = GATE_LINK_DONE;
    if (gate_h1_reader_held(&l->in) > 0)
        l->keep = false;
    gate_h1_reader_rest(&l->in);
    gate_deadline_set(l->conn.loop, &l->deadline, UINT64_MAX);
}

static void read_hint(struct gate_link *l)
{
    uint64_t blocks = l->response_bytes / GATE_BLOCK_SIZE + 1;

    l->in.blocks = (uint8_t)(blocks > 8 ? 8 : blocks);
}

static void begin_response(struct gate_link *l, const struct gate_response_head *head)
{
    l->keep = l->keep && head->keep_alive;
    if (head->status == 101) {
        l->state = GATE_LINK_TUNNEL;
        l->keep = false;
        gate_h1_reader_begin_body(&l->in, GATE_BODY_EOF, 0);
        l->out.framing = GATE_BODY_EOF;
        l->out.ended = false;
        return;
    }
    l->state = GATE_LINK_BODY;
    gate_h1_reader_begin_body(&l->in, head->framing, head->content_length);
}

/* One head is whole. False: the stream is broken. */
static bool take_head(struct gate_link *l, const char *p, size_t n)
{
    struct gate_response_head head;
    struct gate_refusal r =
        gate_parse_response_marked(p, n, &l->in.marks, l->limits, l->method, l->arena, &head);

    if (r.status != 0) {
        gate_link_broken(l, GATE_E_SYNTAX, r.why);
        return false;
    }
    if (head.status == 101 &&
        !(l->upgrade_asked && head.upgrade && gate_str_ieq(head.upgrade_token, l->upgrade_token))) {
        gate_link_broken(l, GATE_E_SYNTAX, "101 to a request that did not ask for it");
        return false;
    }
    if (head.status < 200 && head.status != 101) {
        if (++l->infos > MAX_INFOS) {
            gate_link_broken(l, GATE_E_SYNTAX, "too many interim responses");
            return false;
        }
        l->stream.events->on_info(&l->stream, &head);
        return true;
    }
    begin_response(l, &head);
    l->stream.events->on_head(&l->stream, &head, l->in.b);
    return l->state != GATE_LINK_DEAD;
}

static bool consume_head(struct gate_link *l)
{
    const char *p = NULL;
    const char *why = NULL;
    size_t n = 0;

    switch (gate_h1_reader_head(&l->in, &p, &n, &why)) {
    case GATE_SCAN_DONE:
        return take_head(l, p, n);
    case GATE_SCAN_BAD:
        gate_link_broken(l, GATE_E_SYNTAX, why);
        return false;
    default:
        if (gate_h1_reader_held(&l->in) > l->limits->header_bytes)
            gate_link_broken(l, GATE_E_SYNTAX, "the response head is too large");
        return false;
    }
}

static void consume_trailers(struct gate_link *l, const char *p, size_t n)
{
    struct gate_fields *fs = gate_arena_zalloc(l->arena, sizeof(*fs));
    struct gate_refusal r = gate_parse_trailers(p, n, l->limits, l->arena, fs);

    if (r.status != 0) {
        gate_link_broken(l, GATE_E_SYNTAX, r.why);
        return;
    }
    if (fs->n > 0)
        l->stream.events->on_trailers(&l->stream, fs, l->in.b);
    finish_response(l);
}

/* Content of the current block into `chunk`. */
static void consume_body(struct gate_link *l, struct gate_chain *chunk)
{
    const char *p = NULL;
    const char *why = NULL;
    size_t n = 0;

    switch (gate_h1_reader_body(&l->in, chunk->pool, chunk, &p, &n, &why)) {
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
        gate_link_broken(l, GATE_E_SYNTAX, why);
        break;
    }
}

static void consume(struct gate_link *l, struct gate_chain *chunk)
{
    while (l->state == GATE_LINK_HEAD && gate_h1_reader_held(&l->in) > 0) {
        if (!consume_head(l))
            break;
    }
    if (l->state == GATE_LINK_BODY || l->state == GATE_LINK_TUNNEL)
        consume_body(l, chunk);
}

static void deliver(struct gate_link *l, struct gate_chain *chunk)
{
    const struct gate_stream_events *events = l->stream.events;

    l->credit -= l->credit < chunk->bytes ? l->credit : chunk->bytes;
    l->response_bytes += chunk->bytes;
    if (chunk->bytes > 0 && events != NULL && l->state != GATE_LINK_DEAD)
        events->on_body(&l->stream, chunk);
    gate_chain_clear(chunk);
    if (l->state == GATE_LINK_DONE && l->stream.events != NULL)
        l->stream.events->on_end(&l->stream);
}

/* The upstream ended or cut the connection. */
static void read_ended(struct gate_link *l, enum gate_err e)
{
    if ((l->state == GATE_LINK_BODY || l->state == GATE_LINK_TUNNEL) && e == GATE_E_EOF &&
        gate_body_eof(&l->in.body)) {
        if (l->state == GATE_LINK_TUNNEL)
            gate_conn_reading(&l->conn, false);
        l->keep = false;
        finish_response(l);
        l->stream.events->on_end(&l->stream);
        return;
    }
    if (e == GATE_E_TLS) {
        gate_link_broken(l, e, gate_tls_why(gate_tls_of(&l->conn)));
        return;
    }
    gate_link_broken(l, e == GATE_E_EOF ? GATE_E_EOF : GATE_E_RESET,
                     l->state == GATE_LINK_HEAD ? "the upstream closed before it answered"
                                                : "the upstream closed inside the body");
}

/* Content from the socket into a pipe. False: there is no pipe for it. */
static bool splice_once(struct gate_link *l)
{
    size_t max = l->credit < l->in.body.left ? l->credit : (size_t)l->in.body.left;
    struct gate_chain chunk;
    enum gate_err e;
    size_t n;

    gate_chain_init(&chunk, &l->conn.loop->blocks);
    e = gate_conn_splice(&l->conn, max, &chunk, &n);
    if (e == GATE_E_LIMIT)
        return false;
    if (e == GATE_OK) {
        if (gate_body_skip(&l->in.body, n))
            finish_response(l);
        deliver(l, &chunk);
    } else if (e != GATE_E_AGAIN) {
        read_ended(l, e);
    }
    return true;
}

static bool may_splice(const struct gate_link *l)
{
    return l->stream.takes_pipes && l->state == GATE_LINK_BODY &&
           (l->conn.pipe != NULL || gate_h1_reader_bulk(&l->in));
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
    if (l->state == GATE_LINK_HEAD)
        e = gate_h1_reader_head_space(&l->in, &l->conn.loop->blocks, &space);
    else
        e = gate_h1_reader_body_space(&l->in, &l->conn.loop->blocks, l->credit, &space);
    if (e != GATE_OK) {
        gate_link_broken(l, e,
                         e == GATE_E_LIMIT ? "the response head or trailers are too large"
                                           : "no memory for a block");
        return false;
    }
    e = gate_conn_read(&l->conn, space.iov, space.count, &n);
    if (e != GATE_OK) {
        gate_h1_reader_unused(&l->in, &space);
        if (e != GATE_E_AGAIN)
            read_ended(l, e);
        return false;
    }
    full = n == space.bytes;
    gate_chain_init(&chunk, &l->conn.loop->blocks);
    for (int i = 0; gate_h1_reader_filled(&l->in, &space, i, &n); i++) {
        consume(l, &chunk);
        if (l->state == GATE_LINK_DONE || l->state == GATE_LINK_DEAD) {
            l->keep = l->keep && n == 0;
            n = 0; /* what came behind the response may be anything: nobody looks at it */
        }
    }
    if (l->in.lost)
        gate_link_broken(l, GATE_E_NOMEM, "no memory for a block");
    deliver(l, &chunk);
    return full;
}

static bool may_read(const struct gate_link *l)
{
    return l->state == GATE_LINK_HEAD ||
           ((l->state == GATE_LINK_BODY || l->state == GATE_LINK_TUNNEL) && l->credit > 0);
}

static enum gate_err listen_to(struct gate_link *l)
{
    char byte;
    size_t n = 0;

    return l->conn.ops->peek(&l->conn, &byte, 1, &n);
}

bool gate_link_is_silent(struct gate_link *l)
{
    return listen_to(l) == GATE_E_AGAIN;
}

/* A parked link must be silent. */
static void parked_readable(struct gate_link *l)
{
    enum gate_err e = listen_to(l);

    if (e != GATE_E_AGAIN)
        gate_links_close(&l, e == GATE_OK ? GATE_CLOSE_LINK_DIRTY : GATE_CLOSE_LINK_ENDED);
}

static void on_readable(struct gate_conn *c)
{
    struct gate_link *l = link_of_conn(c);
    struct gate_loop *loop = c->loop;
    uint64_t before = l->response_bytes;
    bool large;

    if (l->state == GATE_LINK_IDLE) {
        parked_readable(l);
        return;
    }
    if (l->state == GATE_LINK_DONE) {
        gate_conn_reading(c, false); /* its user has not given it back yet */
        return;
    }
    while (may_read(l) && read_once(l))
        ;
    if (!may_read(l) && l->state != GATE_LINK_DONE)
        gate_conn_reading(&l->conn, false);
    if (l->state != GATE_LINK_DEAD && l->state != GATE_LINK_DONE)
        gate_link_clock(l);
    large = l->response_bytes - before >= SEND_AT_ONCE;
    if (large)
        gate_loop_settle(loop);
}

static void on_writable(struct gate_conn *c)
{
    struct gate_link *l = link_of_conn(c);

    if (l->state != GATE_LINK_DEAD && l->state != GATE_LINK_IDLE)
        gate_link_send(l);
}

void gate_link_init(struct gate_link *l, struct gate_loop *loop, int fd)
{
    memset(l, 0, sizeof(*l));
    l->magic = GATE_LINK_MAGIC;
    gate_conn_open(&l->conn, loop, fd, NULL, NULL);
    gate_h1_reader_init(&l->in);
    gate_h1_writer_init(&l->out, &loop->blocks);
    gate_ready_init(&l->flush, gate_link_on_flush);
    gate_deadline_init(&l->deadline, on_deadline);
    gate_list_init(&l->node);
    l->born_ms = gate_loop_now(loop);
    l->state = GATE_LINK_DIALING;
    l->keep = true;
}

void gate_link_ready(struct gate_link *l)
{
    l->conn.on_readable = on_readable;
    l->conn.on_writable = on_writable;
    l->state = GATE_LINK_IDLE;
}

enum gate_err gate_link_preface(struct gate_link *l, struct gate_str bytes)
{
    return gate_chain_copy(&l->out.out, bytes.p, bytes.n) == 0 ? GATE_OK : GATE_E_NOMEM;
}

uint64_t gate_link_written(const struct gate_link *l)
{
    const struct gate_tls *tls = gate_tls_of(&l->conn);

    return tls != NULL ? gate_tls_written(tls) - l->written : l->sent;
}

void gate_link_park(struct gate_link *l, uint32_t idle_ms)
{
    l->state = GATE_LINK_IDLE;
    l->stream.events = NULL;
    gate_deadline_set(l->conn.loop, &l->deadline, after(l, idle_ms));
    gate_conn_reading(&l->conn, true);
}

struct gate_stream *gate_link_begin(struct gate_link *l, const struct gate_link_use *use)
{
    GATE_ASSERT(l->state == GATE_LINK_IDLE);
    l->state = GATE_LINK_HEAD;
    l->reused = l->requests > 0;
    l->requests++;
    l->request_ended = false;
    l->upgrade_asked = use->upgrade;
    l->upgrade_token = use->upgrade_token;
    l->infos = 0;
    l->credit = 0;
    l->arena = use->arena;
    l->limits = use->limits;
    l->method = use->method;
    l->send_ms = use->timeouts->send_ms;
    l->first_byte_ms = use->timeouts->first_byte_ms;
    l->read_ms = use->timeouts->read_ms;
    l->stream.ops = &gate_link_stream_ops;
    l->stream.events = use->events;
    l->stream.user = use->user;
    l->stream.takes_pipes = l->stream.rests = false;
    read_hint(l);
    l->response_bytes = 0;
    l->sent = 0;
    if (l->tls != NULL)
        l->written = gate_tls_written(gate_tls_of(&l->conn));
    gate_conn_reading(&l->conn, true);
    return &l->stream;
}
