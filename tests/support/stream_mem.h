/* Streams in memory: both sides of one connection without a socket, for tests of what uses streams.
 * A request's body and its answer's go by the same rules as over h1: framing is checked, credits
 * bound what is delivered, room bounds what is sent. One thread. */
#ifndef GATE_TESTS_STREAM_MEM_H
#define GATE_TESTS_STREAM_MEM_H

#include "http/stream.h"
#include "net/loop.h"

/* Bytes on their way in one direction before the sender is asked to pause. */
#define TEST_STREAM_MEM_ROOM (256u * 1024)

/* What goes one way: events that the other side has not seen yet. */
struct test_stream_mem_way {
    bool head; /* a final head waits to be seen */
    bool head_seen;
    int infos[16]; /* statuses that wait to be seen */
    int n_infos;
    struct gate_response_head h;
    struct gate_chain body;
    uint64_t left; /* of a Content-Length */
    uint8_t framing;
    bool ended; /* the sender is done */
    bool end_seen;
    struct gate_fields trailers;
    struct gate_field trailer_list[16];
    bool has_trailers;
    bool broken; /* reset by the sender */
    bool full;   /* room fell to 0: on_room is owed */
};

struct test_stream_mem_side {
    struct gate_stream stream;
    struct test_stream_mem *pair;
    struct test_stream_mem_side *peer;
    struct test_stream_mem_way out;
    size_t credit; /* of what comes in */
    bool attached;
    bool broken_seen;
};

struct test_stream_mem {
    struct gate_loop *loop;
    struct gate_arena *arena; /* copies of heads and trailers */
    struct gate_ready deliver;
    struct test_stream_mem_side client; /* sends a request, hears an answer */
    struct test_stream_mem_side server;
    /* A request head came: the server sets events and user of the stream it is given, which is
     * attached then. */
    void (*on_request)(struct test_stream_mem *m, struct gate_stream *server,
                       const struct gate_response_head *as);
    void *user;
};

void test_stream_mem_open(struct test_stream_mem *m, struct gate_loop *loop,
                          struct gate_arena *arena);
void test_stream_mem_close(struct test_stream_mem *m);

/* Begins an exchange; allowed when the former one was given back on both sides. */
struct gate_stream *test_stream_mem_begin(struct test_stream_mem *m,
                                          const struct gate_stream_events *events, void *user);

#endif
