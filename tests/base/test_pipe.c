/* Pipes in chains: what goes in comes out as often as it went in, and no pipe that holds bytes is
 * used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pipe.h"

static struct gate_block_pool pool;
static struct gate_chain chain;

static int setup(void **state)
{
    (void)state;
    gate_block_pool_init(&pool, 0);
    gate_pipe_allow(&pool, 2);
    gate_chain_init(&chain, &pool);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_chain_clear(&chain);
    gate_block_pool_fini(&pool);
    return 0;
}

static void give(struct gate_pipe *p)
{
    struct gate_block *b = &p->block;

    gate_block_unref(&b);
}

static void put(struct gate_pipe *p, const char *text)
{
    assert_int_equal(write(p->in, text, strlen(text)), (ssize_t)strlen(text));
    gate_pipe_filled(p, strlen(text), &chain);
}

/* Takes n bytes from the front of the chain, which are in a pipe. */
static void take(size_t n, const char *expected)
{
    struct gate_slice front;
    char got[64];

    assert_true(gate_chain_front(&chain, &front));
    assert_non_null(gate_pipe_of(&front));
    assert_int_equal(read(gate_pipe_of(&front)->out, got, n), (ssize_t)n);
    assert_memory_equal(got, expected, n);
    gate_pipe_drained(gate_pipe_of(&front), n);
    gate_chain_drop(&chain, n);
}

static void bytes_follow_each_other(void **state)
{
    struct gate_pipe *p = gate_pipe_take(&pool);

    (void)state;
    put(p, "hello ");
    put(p, "world");
    assert_int_equal(chain.count, 1);
    assert_int_equal(chain.bytes, 11);
    take(3, "hel");
    put(p, "!");
    assert_int_equal(chain.count, 1);
    take(9, "lo world!");
    assert_int_equal(chain.bytes, 0);
    assert_int_equal(p->held, 0);
    give(p);
    assert_int_equal(pool.live, 0);
}

/* Framing stands in memory before, between and behind; an iovec list ends at a pipe. */
static void between_bytes_in_memory(void **state)
{
    struct gate_pipe *p = gate_pipe_take(&pool);
    struct gate_slice front;
    struct iovec iov[4];

    (void)state;
    assert_int_equal(gate_chain_copy(&chain, "a\r\n", 3), 0);
    put(p, "0123456789");
    assert_int_equal(gate_chain_copy(&chain, "\r\n", 2), 0);
    assert_int_equal(chain.count, 3);
    assert_int_equal(gate_chain_iov(&chain, iov, 4), 1);
    gate_chain_drop(&chain, 3);
    assert_int_equal(gate_chain_iov(&chain, iov, 4), 0);
    take(10, "0123456789");
    assert_true(gate_chain_front(&chain, &front));
    assert_null(gate_pipe_of(&front));
    assert_int_equal(gate_chain_iov(&chain, iov, 4), 1);
    give(p);
}

static void moved_and_split(void **state)
{
    struct gate_pipe *p = gate_pipe_take(&pool);
    struct gate_chain other;

    (void)state;
    gate_chain_init(&other, &pool);
    put(p, "abcdef");
    assert_int_equal(gate_chain_move_n(&other, &chain, 2), 2);
    assert_int_equal(chain.bytes, 4);
    gate_chain_move(&other, &chain);
    assert_int_equal(other.count, 1); /* joined again */
    gate_chain_move(&chain, &other);
    take(6, "abcdef");
    give(p);
}

static void an_empty_pipe_is_used_again(void **state)
{
    struct gate_pipe *p = gate_pipe_take(&pool);
    int in = p->in;

    (void)state;
    put(p, "x");
    take(1, "x");
    give(p);
    p = gate_pipe_take(&pool);
    assert_int_equal(p->in, in);
    put(p, "y");
    take(1, "y");
    give(p);
}

/* What was on its way to one client must never reach another. */
static void a_pipe_with_bytes_is_closed(void **state)
{
    struct gate_pipe *p = gate_pipe_take(&pool);
    char got[8];

    (void)state;
    put(p, "secret");
    give(p);
    gate_chain_clear(&chain);
    assert_int_equal(pool.live, 0);
    assert_null(pool.pipes);
    p = gate_pipe_take(&pool);
    assert_int_equal(p->held, 0);
    assert_int_equal(read(p->out, got, sizeof(got)), -1);
    give(p);
}

static void no_more_than_allowed(void **state)
{
    struct gate_pipe *a = gate_pipe_take(&pool);
    struct gate_pipe *b = gate_pipe_take(&pool);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_null(gate_pipe_take(&pool));
    give(a);
    a = gate_pipe_take(&pool);
    assert_non_null(a);
    put(a, "x");
    give(a);
    gate_chain_clear(&chain);
    a = gate_pipe_take(&pool); /* one was closed: another may be opened */
    assert_non_null(a);
    give(a);
    give(b);
}

static void count_call(void *calls)
{
    ++*(int *)calls;
}

static void who_waits_is_called_once(void **state)
{
    struct gate_pipe *p = gate_pipe_take(&pool);
    int calls = 0;

    (void)state;
    put(p, "abc");
    p->on_empty = count_call;
    p->arg = &calls;
    take(2, "ab");
    assert_int_equal(calls, 0);
    take(1, "c");
    assert_int_equal(calls, 1);
    put(p, "d");
    take(1, "d");
    assert_int_equal(calls, 1);
    give(p);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bytes_follow_each_other),     CASE(between_bytes_in_memory),
        CASE(moved_and_split),             CASE(an_empty_pipe_is_used_again),
        CASE(a_pipe_with_bytes_is_closed), CASE(no_more_than_allowed),
        CASE(who_waits_is_called_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
