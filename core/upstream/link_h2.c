/* A link over HTTP/2: bytes between its conn and the codec, and what it is to others meanwhile. It
 * reads at any time: how much of a body may come is said by the windows of its stream. The link is
 * closed from an event, the flush or the deadline, never from inside an operation of a stream. */
#include "upstream/link_h2.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "http/h2.h"
#include "tls/tls.h"
#include "upstream/links.h"

/* Gathered for one send. */
#define SEND_BYTES (256u * 1024)

/* Reads of one event. */
#define READS_MOST 4

/* A read of this much is sent on before the next event is looked at (as of HTTP/1). */
#define SEND_AT_ONCE (32u * 1024)

/* After so long a silence the next request goes together with a question whether the peer is there,
 * and others go to it while the answer takes no longer than this. */
#define SILENCE_MS 10000
#define PONG_MS    1000

static struct gate_link_h2 *of_codec(struct gate_h2 *c)
{
    return gate_container_of(c, struct gate_link_h2, h2);
}

static struct gate_link *link_of_conn(struct gate_conn *c)
{
    struct gate_link *l = gate_container_of(c, struct gate_link, conn);

    GATE_CHECK_MAGIC(l, GATE_LINK_MAGIC);
    return l;
}

static uint64_t now_of(const struct gate_link *l)
{
    return gate_loop_now(l->conn.loop);
}

/* ------------------------------------------------------------------ what it is to others */

uint32_t gate_link_h2_streams_max(const struct gate_link *l)
{
    const struct gate_link_h2 *h = l->h2;

    if (h->doubted || (h->h2.probing && now_of(l) >= h->probe_ms + PONG_MS))
        return 0;
    return gate_h2_streams_max(&h->h2);
}

/* So many of the peer's streams are open on it. */
static void count_streams(const struct gate_link *l, uint32_t n)
{
    gate_peer_count_streams(l->share, (int32_t)(n - l->h2->counted));
    l->h2->counted = n;
}

/* What other workers and the operator may know. */
static void publish(struct gate_link *l)
{
    struct gate_link_h2 *h = l->h2;
    uint32_t max = gate_h2_streams_max(&h->h2);

    count_streams(l, h->h2.open);
    if (h->h2.greeted && max > 0 &&
        max != atomic_load_explicit(&l->peer->streams_max, memory_order_relaxed))
        atomic_store_explicit(&l->peer->streams_max, max, memory_order_relaxed);
}

/* The deadline is no later than the first that a stream can have from now on. */
static void watch(struct gate_link *l)
{
    uint64_t at = now_of(l) + l->h2->patience_ms;

    if (l->h2->patience_ms > 0 && l->deadline.at_ms > at)
        gate_deadline_set(l->conn.loop, &l->deadline, at);
}

/* Whether anybody is on it. Streams that nobody waits for are gone once their resets have left;
 * where the socket takes nothing they do not count. */
static bool is_used(const struct gate_link *l)
{
    const struct gate_list *streams = &l->h2->h2.streams;

    if (l->claims > 0)
        return true;
    for (const struct gate_list *n = streams->next; n != streams; n = n->next)
        if (!l->h2->blocked || gate_container_of(n, struct gate_h2_stream, node)->attached)
            return true;
    return false;
}

/* After everything that happened: on the shelf or off it, idle, or closed. */
static void settle(struct gate_link *l)
{
    struct gate_link_h2 *h = l->h2;

    publish(l);
    l->keep = l->keep && !h->lost && !h->mute && !h->h2.leaving;
    if (is_used(l)) {
        gate_links_offer(l);
        watch(l);
        return;
    }
    l->keep = l->keep && !h->doubted;
    h->patience_ms = 0;
    gate_intake_rest(&h->in);
    gate_links_rest(l, h->lost ? GATE_CLOSE_LINK_ENDED : GATE_CLOSE_ASKED);
}

/* The connection is over: each stream is told, and judged by its own exchange. */
static void lose(struct gate_link *l, enum gate_err e, const char *why)
{
    struct gate_link_h2 *h = l->h2;

    if (h->lost)
        return;
    h->lost = true;
    l->keep = false;
    gate_conn_reading(&l->conn, false);
    gate_deadline_set(l->conn.loop, &l->deadline, UINT64_MAX);
    gate_chain_clear(&h->out);
    gate_h2_lose(&h->h2, e, why);
}

/* Both sides have said what they had to say. */
static void finish(struct gate_link *l)
{
    const struct gate_h2 *c = &l->h2->h2;

    if (c->why == NULL) {
        lose(l, GATE_E_RESET, "the upstream ended the connection");
        return;
    }
    if (!c->flooded)
        gate_counters_add(l->links->counters, GATE_C_H2_ERRORS, 1);
    lose(l, GATE_E_SYNTAX, c->greeted ? c->why : "the upstream does not speak HTTP/2");
}

/* ------------------------------------------------------------------ writing */

/* False: nothing more goes out now. A peer that takes nothing more does not end the streams:
 * answers may be waiting to be read. Where the fault is the system's there is nothing to wait
 * for. */
static bool send_some(struct gate_link *l)
{
    struct gate_link_h2 *h = l->h2;
    size_t n = 0;
    enum gate_err e = gate_conn_send(&l->conn, &h->out, &n);

    if (e == GATE_OK) {
        l->sent += n;
        h->wrote_ms = now_of(l);
        return true;
    }
    if (e == GATE_E_AGAIN) {
        gate_conn_want_write(&l->conn);
        h->blocked = true;
        return false;
    }
    if (e == GATE_E_SYS)
        lose(l, GATE_E_RESET, strerrordesc_np(errno));
    h->mute = true;
    gate_chain_clear(&h->out);
    return false;
}

static void write_out(struct gate_link *l)
{
    struct gate_link_h2 *h = l->h2;

    while (!h->mute && !h->lost) {
        if (h->out.bytes == 0) {
            h->wrote_ms = now_of(l);
            if (gate_h2_send(&h->h2, &h->out, SEND_BYTES) != GATE_OK)
                lose(l, GATE_E_NOMEM, "no memory for a block");
            if (h->out.bytes == 0)
                break;
        }
        if (!send_some(l))
            break;
    }
    if (h->out.bytes == 0 && !h->lost && gate_h2_done(&h->h2))
        finish(l);
}

static void on_flush(struct gate_ready *r)
{
    struct gate_link_h2 *h = gate_container_of(r, struct gate_link_h2, flush);

    GATE_CHECK_MAGIC(h->link, GATE_LINK_MAGIC);
    if (!h->blocked)
        write_out(h->link);
    gate_h2_tell(&h->h2);
    settle(h->link);
}

static void on_writable(struct gate_conn *c)
{
    struct gate_link *l = link_of_conn(c);

    if (l->h2 == NULL)
        return;
    l->h2->blocked = false;
    write_out(l);
    settle(l);
}

static void on_output(struct gate_h2 *c)
{
    struct gate_link_h2 *h = of_codec(c);

    gate_loop_flush(h->link->conn.loop, &h->flush);
}

void gate_link_h2_poke(struct gate_link *l)
{
    gate_loop_flush(l->conn.loop, &l->h2->flush);
}

/* ------------------------------------------------------------------ reading */

static void take(void *link, struct gate_block *b, const char *p, size_t n)
{
    struct gate_link_h2 *h = ((struct gate_link *)link)->h2;

    if (h->failed == GATE_OK && !h->lost)
        h->failed = gate_h2_recv(&h->h2, b, p, n);
}

static void read_ended(struct gate_link *l, enum gate_err e)
{
    if (e == GATE_E_TLS)
        lose(l, e, gate_tls_why(gate_tls_of(&l->conn)));
    else if (e == GATE_E_NOMEM)
        lose(l, e, "no memory for a block");
    else
        lose(l, e == GATE_E_EOF ? e : GATE_E_RESET, "the upstream closed the connection");
}

/* False: nothing more comes. */
static bool read_once(struct gate_link *l, size_t *total)
{
    struct gate_link_h2 *h = l->h2;
    bool full = false;
    size_t n = 0;
    enum gate_err e = gate_intake_read(&h->in, &l->conn, take, l, &n, &full);

    *total += n;
    if (e == GATE_OK) {
        h->heard_ms = now_of(l);
        h->doubted = h->doubted && h->h2.probing;
    } else if (e != GATE_E_AGAIN) {
        read_ended(l, e);
    }
    if (h->failed != GATE_OK && !h->lost) {
        write_out(l); /* says what is wrong */
        lose(l, h->failed, h->h2.greeted ? h->h2.why : "the upstream does not speak HTTP/2");
    }
    return full && !h->lost;
}

static void on_readable(struct gate_conn *c)
{
    struct gate_link *l = link_of_conn(c);
    struct gate_loop *loop = c->loop;
    size_t total = 0;

    for (int i = 0; i < READS_MOST && read_once(l, &total); i++)
        ;
    settle(l);
    if (total >= SEND_AT_ONCE)
        gate_loop_settle(loop);
}

/* ------------------------------------------------------------------ clocks */

/* The peer has let a stream wait for too long: only that one ends, but no other begins here before
 * the peer has shown that it is there. */
static void doubt(struct gate_link *l)
{
    struct gate_link_h2 *h = l->h2;

    h->doubted = true;
    gate_h2_probe(&h->h2);
}

static uint64_t judge(struct gate_link *l)
{
    struct gate_link_h2 *h = l->h2;
    uint64_t now = now_of(l), at = UINT64_MAX;
    uint64_t blocked = h->blocked ? h->wrote_ms : 0;

    for (struct gate_list *n = h->h2.streams.next; n != &h->h2.streams; n = n->next) {
        struct gate_h2_stream *s = gate_container_of(n, struct gate_h2_stream, node);
        const char *why = NULL;
        uint64_t due = gate_h2_due(s, blocked, &why);

        if (due <= now) {
            gate_h2_give_up(s, why);
            doubt(l);
        } else if (due < at) {
            at = due;
        }
    }
    return at;
}

static void on_deadline(struct gate_timer *t)
{
    struct gate_link *l = gate_container_of(t, struct gate_link, deadline.timer);

    if (!gate_deadline_reached(l->conn.loop, &l->deadline))
        return;
    if (l->idle) {
        gate_links_close(&l, GATE_CLOSE_LINK_IDLE);
        return;
    }
    gate_deadline_set(l->conn.loop, &l->deadline, judge(l));
    gate_h2_tell(&l->h2->h2);
    gate_link_h2_poke(l);
}

/* ------------------------------------------------------------------ begin, end */

static const struct gate_h2_owner owner = {.on_output = on_output};

/* The codec comes with the first request: its limits are what the peer is told. */
static void start(struct gate_link *l, const struct gate_head_limits *limits)
{
    struct gate_links *links = l->links;
    struct gate_link_h2 *h = gate_slab_take(&links->h2_slab);
    struct gate_h2_open how = {
        .owner = &owner,
        .pool = gate_links_h2_pool(links),
        .blocks = &l->conn.loop->blocks,
        .counters = links->counters,
        .limits = &h->limits,
        .now_ns = &l->conn.loop->now_ns,
        .https = l->tls != NULL,
    };

    memset(h, 0, sizeof(*h));
    h->link = l;
    h->limits = *limits;
    gate_chain_init(&h->out, &l->conn.loop->blocks);
    gate_chain_move(&h->out, &l->h1.out.out); /* a PROXY header */
    gate_ready_init(&h->flush, on_flush);
    h->heard_ms = now_of(l);
    l->h2 = h;
    gate_h2_open(&h->h2, &how);
    gate_conn_reading(&l->conn, true);
}

static uint32_t shorter(uint32_t a, uint32_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

struct gate_stream *gate_link_h2_begin(struct gate_link *l, const struct gate_link_use *use)
{
    const struct gate_timeouts *t = use->timeouts;
    struct gate_h2_use h2 = {
        .arena = use->arena,
        .limits = use->limits,
        .method = use->method,
        .patience = {t->send_ms, t->first_byte_ms, t->read_ms},
        .events = use->events,
        .user = use->user,
    };
    struct gate_link_h2 *h;
    struct gate_stream *s;

    if (l->h2 == NULL)
        start(l, use->limits);
    h = l->h2;
    h->limits = *use->limits;
    if (!h->h2.probing && now_of(l) - h->heard_ms > SILENCE_MS) {
        h->probe_ms = now_of(l);
        gate_h2_probe(&h->h2);
    }
    s = gate_h2_begin(&h->h2, &h2);
    if (s == NULL)
        return NULL;
    h->patience_ms = shorter(shorter(h->patience_ms, t->send_ms),
                             shorter(t->first_byte_ms, t->read_ms));
    gate_counters_add(l->links->counters, GATE_C_LINK_STREAMS, 1);
    return s;
}

void gate_link_h2_open(struct gate_link *l)
{
    l->conn.on_readable = on_readable;
    l->conn.on_writable = on_writable;
    l->deadline.timer.fn = on_deadline;
    gate_counters_add(l->links->counters, GATE_C_LINKS_HTTP2, 1);
}

void gate_link_h2_leave(struct gate_link *l)
{
    struct gate_link_h2 *h = l->h2;

    if (h == NULL || h->lost)
        return;
    gate_h2_leave(&h->h2);
    write_out(l);
}

void gate_link_h2_fini(struct gate_link *l)
{
    struct gate_link_h2 *h = l->h2;

    if (h == NULL)
        return;
    gate_h2_close(&h->h2);
    gate_ready_cancel(&h->flush);
    gate_chain_clear(&h->out);
    gate_intake_rest(&h->in);
    count_streams(l, 0);
    l->h2 = NULL;
    gate_slab_give(&l->links->h2_slab, h);
}
