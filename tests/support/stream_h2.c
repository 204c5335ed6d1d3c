/* See stream_h2.h. */
#include "stream_h2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_stream_h2 *server_of(struct gate_h2 *c)
{
    return gate_container_of(c, struct test_stream_h2, server);
}

/* ------------------------------------------------------------------ the owners */

static void on_request(struct gate_h2 *c, struct gate_h2_stream *s)
{
    struct test_stream_h2 *t = server_of(c);
    struct gate_request_head *head = gate_arena_zalloc(t->arena, sizeof(*head));
    struct gate_h2_use use = {.arena = t->arena, .limits = c->limits};
    struct gate_refusal no = gate_h2_request(s, t->arena, head);

    if (t->on_request(t, &s->stream, head, no, &use))
        gate_h2_attach(s, head, &use);
    else
        s->stream.ops->reset(&s->stream, GATE_CLOSE_BAD_REQUEST);
}

static void on_malformed(struct gate_h2 *c, const char *why)
{
    assert_non_null(why);
    server_of(c)->malformed++;
}

static void server_output(struct gate_h2 *c)
{
    struct test_stream_h2 *t = server_of(c);

    gate_loop_ready(t->loop, &t->move);
}

static void client_output(struct gate_h2 *c)
{
    struct test_stream_h2 *t = gate_container_of(c, struct test_stream_h2, client);

    gate_loop_ready(t->loop, &t->move);
}

static const struct gate_h2_owner client_owner = {.on_output = client_output};
static const struct gate_h2_owner server_owner = {
    .on_request = on_request,
    .on_malformed = on_malformed,
    .on_output = server_output,
};

/* ------------------------------------------------------------------ moving */

/* One piece of what waits arrives. */
static void arrive(struct test_stream_h2 *t, struct gate_h2 *c, struct gate_chain *from)
{
    struct gate_chain piece;
    struct gate_block *b;
    size_t n = from->bytes < t->piece ? from->bytes : t->piece;

    n = n < GATE_BLOCK_SIZE ? n : GATE_BLOCK_SIZE;
    if (n == 0)
        return;
    b = gate_block_take(&t->loop->blocks);
    gate_chain_init(&piece, &t->loop->blocks);
    gate_chain_move_n(&piece, from, n);
    gate_chain_read(&piece, b->data);
    b->used = (uint32_t)n;
    gate_h2_recv(c, b, b->data, n);
    gate_chain_clear(&piece);
    gate_block_unref(&b);
}

static void on_move(struct gate_ready *r)
{
    struct test_stream_h2 *t = gate_container_of(r, struct test_stream_h2, move);

    assert_int_equal(gate_h2_send(&t->client, &t->up, 65536), GATE_OK);
    assert_int_equal(gate_h2_send(&t->server, &t->down, 65536), GATE_OK);
    arrive(t, &t->server, &t->up);
    arrive(t, &t->client, &t->down);
    if (t->up.bytes > 0 || t->down.bytes > 0)
        gate_loop_ready(t->loop, &t->move);
}

void test_stream_h2_open(struct test_stream_h2 *t, struct gate_loop *loop, struct gate_arena *arena,
                         const struct gate_head_limits *limits, size_t piece)
{
    struct gate_h2_open how = {
        .blocks = &loop->blocks,
        .counters = &t->counters,
        .limits = limits,
        .now_ns = &loop->now_ns,
    };

    memset(t, 0, sizeof(*t));
    t->loop = loop;
    t->arena = arena;
    t->piece = piece;
    t->pool = how.pool = gate_h2_pool_new();
    gate_ready_init(&t->move, on_move);
    gate_chain_init(&t->up, &loop->blocks);
    gate_chain_init(&t->down, &loop->blocks);
    how.owner = &client_owner;
    gate_h2_open(&t->client, &how);
    how.owner = &server_owner;
    how.server = true;
    gate_h2_open(&t->server, &how);
}

void test_stream_h2_close(struct test_stream_h2 *t)
{
    gate_ready_cancel(&t->move);
    gate_h2_close(&t->client);
    gate_h2_close(&t->server);
    gate_chain_clear(&t->up);
    gate_chain_clear(&t->down);
    gate_h2_pool_free(&t->pool);
}

struct gate_stream *test_stream_h2_begin(struct test_stream_h2 *t, enum gate_method method,
                                         const struct gate_stream_events *events, void *user)
{
    struct gate_h2_use use = {
        .arena = t->arena,
        .limits = t->client.limits,
        .method = method,
        .events = events,
        .user = user,
    };
    struct gate_stream *s = gate_h2_begin(&t->client, &use);

    assert_non_null(s);
    return s;
}
