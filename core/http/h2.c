/* The connection: set-up, ends, and telling what came. */
#include "http/h2.h"

#include "base/assert.h"
#include "http/h2_int.h"
#include "http/parse.h"

/* Limits of nghttp2's own, beside ours (h2_flood.h). */
#define CONTINUATIONS 8
#define OUTBOUND_ACKS 1000
#define SETTINGS_MAX  32

/* Resets of any kind, at once and for each second: ours tell one kind from another. */
#define RESETS_ALL 1000

/* ------------------------------------------------------------------ pool */

static nghttp2_option *options_new(void)
{
    nghttp2_option *o;

    GATE_ASSERT(nghttp2_option_new(&o) == 0);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_stream_reset_rate_limit(o, RESETS_ALL, RESETS_ALL);
    nghttp2_option_set_max_continuations(o, CONTINUATIONS);
    nghttp2_option_set_max_outbound_ack(o, OUTBOUND_ACKS);
    nghttp2_option_set_max_settings(o, SETTINGS_MAX);
    nghttp2_option_set_peer_max_concurrent_streams(o, GATE_H2_STREAMS);
    nghttp2_option_set_builtin_recv_extension_type(o, NGHTTP2_PRIORITY_UPDATE);
    return o;
}

struct gate_h2_pool *gate_h2_pool_new(void)
{
    struct gate_h2_pool *p = gate_calloc(1, sizeof(*p));

    gate_h2_mem_init(&p->mem);
    gate_slab_init(&p->streams, "h2 stream", sizeof(struct gate_h2_stream));
    GATE_ASSERT(nghttp2_session_callbacks_new(&p->callbacks) == 0);
    gate_h2_recv_callbacks(p->callbacks);
    gate_h2_send_callbacks(p->callbacks);
    p->options = options_new();
    return p;
}

void gate_h2_pool_free(struct gate_h2_pool **pool)
{
    struct gate_h2_pool *p = *pool;

    *pool = NULL;
    if (p == NULL)
        return;
    nghttp2_option_del(p->options);
    nghttp2_session_callbacks_del(p->callbacks);
    gate_slab_fini(&p->streams);
    gate_h2_mem_fini(&p->mem);
    gate_free(p->nv);
    gate_free(p->text);
    gate_free(p);
}

/* ------------------------------------------------------------------ open, close */

/* nghttp2 ends the connection for one stream too many, where that stream alone is to be refused
 * (RFC 9113 section 5.1.2). So h2_send.c tells the peer of our limit, h2_recv.c refuses, and this
 * one is for those that wait for their reset, and for idle ones that were given a priority. */
#define STREAMS_INSIDE (10 * GATE_H2_STREAMS)

/* What a peer is told of us first. Clients of ours take no pushes. */
static void greet(struct gate_h2 *c)
{
    const nghttp2_settings_entry v[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_INSIDE},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->limits->header_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    const nghttp2_settings_entry client[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->limits->header_bytes},
    };
    int failed;

    failed = c->server ? nghttp2_submit_settings(c->ng, 0, v, GATE_COUNT_OF(v))
                       : nghttp2_submit_settings(c->ng, 0, client, GATE_COUNT_OF(client));
    failed |= nghttp2_session_set_local_window_size(c->ng, 0, 0, GATE_H2_WINDOW);
    GATE_ASSERT(failed == 0);
}

void gate_h2_open(struct gate_h2 *c, const struct gate_h2_open *how)
{
    int failed;

    memset(c, 0, sizeof(*c));
    c->owner = how->owner;
    c->pool = how->pool;
    c->blocks = how->blocks;
    c->counters = how->counters;
    c->limits = how->limits;
    c->now_ns = how->now_ns;
    c->server = how->server;
    c->https = how->https;
    c->skip = c->server ? NGHTTP2_CLIENT_MAGIC_LEN : 0;
    gate_list_init(&c->streams);
    gate_list_init(&c->events);
    gate_h2_flood_init(&c->flood, gate_h2_now(c));
    failed = (c->server ? nghttp2_session_server_new3 : nghttp2_session_client_new3)(
        &c->ng, c->pool->callbacks, c, c->pool->options, &c->pool->mem.ng);
    GATE_ASSERT(failed == 0);
    greet(c);
}

void gate_h2_close(struct gate_h2 *c)
{
    if (c->ng == NULL)
        return;
    gate_h2_head_drop(c);
    while (!gate_list_empty(&c->streams))
        gate_h2_stream_free(gate_container_of(c->streams.next, struct gate_h2_stream, node));
    nghttp2_session_del(c->ng);
    c->ng = NULL;
    gate_block_unref(&c->head.b);
}

bool gate_h2_done(const struct gate_h2 *c)
{
    return !nghttp2_session_want_read(c->ng) && !nghttp2_session_want_write(c->ng);
}

void gate_h2_notice(struct gate_h2 *c)
{
    static const uint8_t mark[8] = "moongate";

    if (c->noticed)
        return;
    c->noticed = true;
    nghttp2_submit_shutdown_notice(c->ng);
    nghttp2_submit_ping(c->ng, NGHTTP2_FLAG_NONE, mark);
    c->owner->on_output(c);
}

void gate_h2_leave(struct gate_h2 *c)
{
    if (c->leaving)
        return;
    c->leaving = c->noticed = true;
    nghttp2_submit_goaway(c->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(c->ng),
                          NGHTTP2_NO_ERROR, NULL, 0);
    c->owner->on_output(c);
}

void gate_h2_fail(struct gate_h2 *c, uint32_t code, const char *why)
{
    if (c->why == NULL)
        c->why = why;
    nghttp2_session_terminate_session(c->ng, code);
    c->owner->on_output(c);
}

void gate_h2_late(struct gate_h2 *c)
{
    gate_h2_fail(c, c->greeted ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_SETTINGS_TIMEOUT, "too slow");
}

void gate_h2_stall(struct gate_h2_stream *s, const char *why)
{
    s->why = why;
    gate_chain_clear(&s->out);
    nghttp2_submit_rst_stream(s->h2->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
    s->h2->owner->on_output(s->h2);
}

void gate_h2_flooded(struct gate_h2 *c, const char *why)
{
    if (c->flooded)
        return;
    c->flooded = true;
    gate_counters_add(c->counters, GATE_C_H2_FLOODS, 1);
    gate_h2_fail(c, NGHTTP2_ENHANCE_YOUR_CALM, why);
}

void gate_h2_charge(struct gate_h2 *c)
{
    if (!gate_h2_flood_reset(&c->flood, gate_h2_now(c)))
        gate_h2_flooded(c, "too many streams that end badly");
}

/* ------------------------------------------------------------------ attaching */

void gate_h2_stream_attach(struct gate_h2_stream *s, const struct gate_h2_use *use)
{
    s->attached = true;
    s->stream.events = use->events;
    s->stream.user = use->user;
    s->arena = use->arena;
    s->limits = use->limits;
    s->method = use->method;
    s->patience = use->patience;
    s->bytes_in = use->bytes_in;
    s->bytes_out = use->bytes_out;
}

void gate_h2_attach(struct gate_h2_stream *s, const struct gate_request_head *head,
                    const struct gate_h2_use *use)
{
    gate_h2_stream_attach(s, use);
    s->head_method = head->method == GATE_M_HEAD;
    s->expect = head->expect_continue;
    s->in_told = head->framing == GATE_BODY_NONE && !s->connect;
}

/* ------------------------------------------------------------------ telling */

static void tell_head(struct gate_h2_stream *s)
{
    struct gate_response_head *head = s->answer;

    if (!(s->events & GATE_H2_HEAD))
        return;
    s->events &= (uint8_t)~GATE_H2_HEAD;
    s->answered = true;
    s->answer = NULL;
    s->stream.events->on_head(&s->stream, head, s->block);
}

/* How much of the body may be told. The last byte of a length that was given waits for the end:
 * what turns out to be longer must not look whole to those who have got the rest. */
static size_t tellable(const struct gate_h2_stream *s)
{
    size_t n = s->in.bytes < s->credit ? s->in.bytes : s->credit;

    return n > 0 && s->in_sized && n == s->in_left && !s->in_ended ? n - 1 : n;
}

static void tell_body(struct gate_h2_stream *s)
{
    struct gate_chain chunk;
    size_t n = tellable(s);

    if (n == 0 || s->stream.events == NULL)
        return;
    gate_chain_init(&chunk, s->in.pool);
    gate_chain_move_n(&chunk, &s->in, n);
    s->credit -= n;
    s->in_left -= s->in_sized ? n : 0;
    s->window_bytes += n;
    if (s->tunnel)
        s->window_ms = gate_h2_now(s->h2);
    s->h2->held -= (uint32_t)n;
    if (s->bytes_in != NULL)
        *s->bytes_in += n;
    if (!s->closed)
        nghttp2_session_consume_stream(s->h2->ng, s->id, n);
    s->stream.events->on_body(&s->stream, &chunk);
    gate_chain_clear(&chunk);
}

/* Whether the end may be told: trailers that are not valid make it none. */
static bool tell_trailers(struct gate_h2_stream *s)
{
    struct gate_fields *fs;
    struct gate_refusal no = s->refusal;

    if (s->trailer_block == NULL && no.status == 0)
        return true;
    fs = gate_arena_zalloc(s->arena, sizeof(*fs));
    if (s->tunnel)
        no = (struct gate_refusal){400, "trailers in a tunnel"};
    else if (no.status == 0)
        no = gate_parse_trailers(s->trailer_block->data + s->trailer_text, s->trailer_n, s->limits,
                                 s->arena, fs);
    if (no.status != 0) {
        s->malformed = true;
        s->why = no.why;
        s->events |= GATE_H2_RESET;
        nghttp2_submit_rst_stream(s->h2->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
        return false;
    }
    if (fs->n > 0)
        s->stream.events->on_trailers(&s->stream, fs, s->trailer_block);
    return true;
}

/* What ends before it has become a tunnel ends when it is one. */
static void tell_end(struct gate_h2_stream *s)
{
    if (!s->in_ended || s->in_told || s->in.bytes > 0 || s->stream.events == NULL ||
        (s->h2->server && s->connect && !s->tunnel))
        return;
    s->in_told = true;
    if (tell_trailers(s) && s->stream.events != NULL)
        s->stream.events->on_end(&s->stream);
}

static void tell_room(struct gate_h2_stream *s)
{
    if (!(s->events & GATE_H2_ROOM) || s->stream.events == NULL)
        return;
    s->events &= (uint8_t)~GATE_H2_ROOM;
    if (s->stream.ops->room(&s->stream) > 0)
        s->stream.events->on_room(&s->stream);
}

static enum gate_err error_of(const struct gate_h2_stream *s)
{
    if (s->malformed)
        return GATE_E_SYNTAX;
    return s->err != GATE_OK ? s->err : GATE_E_RESET;
}

static void tell_reset(struct gate_h2_stream *s)
{
    const struct gate_stream_events *events = s->stream.events;

    if (!(s->events & GATE_H2_RESET) || events == NULL)
        return;
    s->stream.events = NULL;
    events->on_reset(&s->stream, error_of(s), s->why);
}

/* The peer has ended its side of a tunnel, and now takes nothing of ours. */
static bool is_deaf(const struct gate_h2_stream *s)
{
    return s->tunnel && !s->h2->server && s->closed && s->in_told && !s->out_sent;
}

static void tell(struct gate_h2_stream *s)
{
    if (s->h2->server && !(s->events & GATE_H2_ASKED)) {
        s->events |= GATE_H2_ASKED;
        if (!s->closed && !s->malformed)
            s->h2->owner->on_request(s->h2, s);
        if (!s->attached)
            gate_h2_stream_discard(s);
    }
    if (s->stream.events != NULL && !(s->events & GATE_H2_RESET) && !s->malformed) {
        tell_head(s);
        tell_body(s);
        tell_end(s);
        tell_room(s);
    }
    if (GATE_UNLIKELY(is_deaf(s))) {
        s->why = "the upstream closed the tunnel";
        s->events |= GATE_H2_RESET;
    }
    tell_reset(s);
    if (s->closed && !s->attached)
        gate_h2_stream_free(s);
}

void gate_h2_tell(struct gate_h2 *c)
{
    struct gate_list *n;

    while ((n = gate_list_pop(&c->events)) != NULL)
        tell(gate_container_of(n, struct gate_h2_stream, event));
    gate_h2_repay(c);
    if (c->open == 0 && c->head.s == NULL)
        gate_block_unref(&c->head.b);
}
