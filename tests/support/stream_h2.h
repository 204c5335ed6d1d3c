/* A pair of streams over HTTP/2 without sockets: two codecs (http/h2.h) whose bytes go from one to
 * the other through the ready queue, whole or in pieces. */
#ifndef GATE_TESTS_STREAM_H2_H
#define GATE_TESTS_STREAM_H2_H

#include "http/h2.h"
#include "net/loop.h"

struct test_stream_h2 {
    struct gate_loop *loop;
    struct gate_arena *arena;
    struct gate_counters counters;
    struct gate_h2_pool *pool;
    struct gate_h2 client, server;
    struct gate_chain up, down; /* on their way */
    struct gate_ready move;
    size_t piece; /* bytes that arrive at once */
    /* A request came: the server attaches events and user, or leaves it alone. */
    bool (*on_request)(struct test_stream_h2 *t, struct gate_stream *server,
                       const struct gate_request_head *head, struct gate_refusal refusal,
                       struct gate_h2_use *use);
    void *user;
    int malformed; /* heads that the codec did not pass on */
};

void test_stream_h2_open(struct test_stream_h2 *t, struct gate_loop *loop, struct gate_arena *arena,
                         const struct gate_head_limits *limits, size_t piece);
void test_stream_h2_close(struct test_stream_h2 *t);

struct gate_stream *test_stream_h2_begin(struct test_stream_h2 *t, enum gate_method method,
                                         const struct gate_stream_events *events, void *user);

#endif
