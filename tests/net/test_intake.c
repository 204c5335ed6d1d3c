/* Reading into blocks that are taken at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/intake.h"

struct world {
    struct gate_clock clock;
    struct gate_loop loop;
    struct gate_conn conn;
    struct gate_intake in;
    int peer;
    char *heard;
    size_t n;
    int parts;
    struct gate_block *kept; /* holds on to what came first */
};

static void nothing(struct gate_conn *c)
{
    (void)c;
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    int size = 1 << 20, fds[2];

    gate_clock_init(&w->clock);
    assert_int_equal(gate_loop_open(&w->loop, &w->clock, NULL), GATE_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    gate_conn_open(&w->conn, &w->loop, fds[0], nothing, nothing);
    w->peer = fds[1];
    w->heard = malloc(1 << 20);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;

    gate_block_unref(&w->kept);
    gate_intake_rest(&w->in);
    assert_int_equal(w->loop.blocks.live, 0);
    gate_conn_close(&w->conn);
    close(w->peer);
    gate_loop_close(&w->loop);
    free(w->heard);
    free(w);
    return 0;
}

static void hear(void *to, struct gate_block *b, const char *p, size_t n)
{
    struct world *w = to;

    assert_true(p >= b->data && p + n == b->data + b->used && b->used <= b->cap);
    memcpy(w->heard + w->n, p, n);
    w->n += n;
    if (w->parts++ == 0)
        w->kept = gate_block_ref(b);
}

static enum gate_err intake(struct world *w, size_t *n, bool *full)
{
    return gate_intake_read(&w->in, &w->conn, hear, w, n, full);
}

static void say(struct world *w, const char *bytes, size_t n)
{
    assert_int_equal(send(w->peer, bytes, n, 0), (ssize_t)n);
}

static void small_reads_share_a_block(void **state)
{
    struct world *w = *state;
    bool full = true;
    size_t n = 0;

    say(w, "one", 3);
    assert_int_equal(intake(w, &n, &full), GATE_OK);
    assert_int_equal(n, 3);
    assert_false(full);
    say(w, "two", 3);
    assert_int_equal(intake(w, &n, &full), GATE_OK);
    assert_memory_equal(w->heard, "onetwo", 6);
    assert_memory_equal(w->kept->data, "onetwo", 6);
    assert_int_equal(w->loop.blocks.live, 1);
}

static void a_block_that_nobody_holds_is_filled_anew(void **state)
{
    struct world *w = *state;
    bool full;
    size_t n;

    say(w, "one", 3);
    assert_int_equal(intake(w, &n, &full), GATE_OK);
    gate_block_unref(&w->kept);
    say(w, "two", 3);
    assert_int_equal(intake(w, &n, &full), GATE_OK);
    assert_memory_equal(w->in.block->data, "two", 3);
    gate_intake_rest(&w->in);
    assert_int_equal(w->loop.blocks.live, 0);
}

static void reads_that_come_back_full_grow(void **state)
{
    struct world *w = *state;
    char *bytes = calloc(1, 300000);
    size_t n = 0, before = 0;
    bool full = true;

    for (size_t i = 0; i < 300000; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    say(w, bytes, 150000);
    assert_int_equal(intake(w, &n, &full), GATE_OK);
    assert_int_equal(n, GATE_BLOCK_SIZE);
    assert_true(full);
    while (full && w->n < 150000) {
        before = n;
        assert_int_equal(intake(w, &n, &full), GATE_OK);
        assert_true(n > before || !full);
    }
    assert_int_equal(w->n, 150000);
    assert_memory_equal(w->heard, bytes, 150000);
    assert_false(full);
    say(w, "x", 1);
    assert_int_equal(intake(w, &n, &full), GATE_OK);
    assert_true(w->loop.blocks.live <= 2); /* one is kept here, one is read into */
    free(bytes);
}

static void nothing_there_the_end_and_no_memory(void **state)
{
    struct world *w = *state;
    size_t n = 9;
    bool full = true;

    assert_int_equal(intake(w, &n, &full), GATE_E_AGAIN);
    assert_int_equal(n, 0);
    assert_false(full);
    assert_null(w->in.block);
    w->loop.blocks.limit = 1;
    say(w, "x", 1);
    assert_int_equal(intake(w, &n, &full), GATE_E_NOMEM);
    w->loop.blocks.limit = 0;
    assert_int_equal(intake(w, &n, &full), GATE_OK);
    shutdown(w->peer, SHUT_WR);
    assert_int_equal(intake(w, &n, &full), GATE_E_EOF);
    assert_int_equal(w->n, 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
    const struct CMUnitTest tests[] = {
        CASE(small_reads_share_a_block),
        CASE(a_block_that_nobody_holds_is_filled_anew),
        CASE(reads_that_come_back_full_grow),
        CASE(nothing_there_the_end_and_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
