/* The faulty kind does what its plan says, and counts. That it is a conn otherwise: test_conn.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/conn_fault.h"

static struct gate_clock clock_of_test;
static struct gate_loop loop;
static struct gate_conn c;
static struct gate_fault_plan plan;
static int peer;
static int calls;

static void on_event(struct gate_conn *conn)
{
    (void)conn;
    calls++;
}

static int setup(void **state)
{
    int fd[2];

    (void)state;
    gate_clock_init(&clock_of_test);
    assert_int_equal(gate_loop_open(&loop, &clock_of_test, NULL), GATE_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    peer = fd[1];
    calls = 0;
    plan = (struct gate_fault_plan){ 0 };
    gate_conn_open(&c, &loop, fd[0], on_event, on_event);
    gate_conn_fault_wrap(&c, &plan);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_conn_close(&c);
    gate_loop_close(&loop);
    close(peer);
    return 0;
}

static enum gate_err do_read(size_t cap, size_t *n)
{
    char room[64];
    struct iovec iov[2] = { { room, cap / 2 }, { room + cap / 2, cap - cap / 2 } };

    return gate_conn_read(&c, iov, 2, n);
}

static enum gate_err do_write(size_t *n)
{
    struct iovec iov[2] = { { "ab", 2 }, { "cdef", 4 } };

    return gate_conn_write(&c, iov, 2, n);
}

/* Operations 1 to 4 are write, read, peek and shut; each may be the one that fails. */
static void run_four(enum gate_err results[4])
{
    char byte;
    size_t n;

    assert_int_equal(write(peer, "xy", 2), 2);
    results[0] = do_write(&n);
    results[1] = do_read(2, &n);
    assert_int_equal(write(peer, "z", 1), 1);
    results[2] = c.ops->peek(&c, &byte, 1, &n);
    results[3] = c.ops->shut(&c);
}

static void errno_at_a_call(void **state)
{
    static const struct {
        int error;
        enum gate_err result;
    } cases[] = {
        { ECONNRESET, GATE_E_RESET }, { EPIPE, GATE_E_RESET }, { ETIMEDOUT, GATE_E_RESET },
        { EHOSTUNREACH, GATE_E_RESET }, { EIO, GATE_E_SYS }, { ENOBUFS, GATE_E_SYS },
        { EAGAIN, GATE_E_AGAIN },
    };
    enum gate_err results[4];

    for (size_t i = 0; i < GATE_COUNT_OF(cases); i++) {
        for (uint32_t k = 1; k <= 4; k++) {
            plan.fail_at = k;
            plan.fail_errno = cases[i].error;
            run_four(results);
            for (uint32_t op = 1; op <= 4; op++)
                assert_int_equal(results[op - 1], op == k ? cases[i].result : GATE_OK);
            assert_int_equal(plan.calls, 4);
            teardown(state);
            setup(state);
        }
    }
}

static void at_most_n_bytes(void **state)
{
    char text[8] = "";
    size_t n;

    (void)state;
    plan.max_bytes = 3;
    assert_int_equal(do_write(&n), GATE_OK);
    assert_int_equal(n, 3);
    assert_int_equal(read(peer, text, sizeof(text)), 3);
    assert_string_equal(text, "abc");
    assert_int_equal(write(peer, "12345678", 8), 8);
    assert_int_equal(c.ops->peek(&c, text, sizeof(text), &n), GATE_OK);
    assert_int_equal(n, 3);
    assert_int_equal(do_read(8, &n), GATE_OK);
    assert_int_equal(n, 3);
    assert_int_equal(do_read(2, &n), GATE_OK);
    assert_int_equal(n, 2);
}

/* Each success is followed by one would-block, and the loop calls again. */
static void again_after_each(void **state)
{
    size_t n;

    (void)state;
    plan.again_after_each = true;
    assert_int_equal(write(peer, "12345678", 8), 8);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(do_read(2, &n), GATE_OK);
        assert_int_equal(do_read(2, &n), GATE_E_AGAIN);
        assert_int_equal(n, 0);
        assert_int_equal(do_write(&n), GATE_OK);
        assert_int_equal(do_write(&n), GATE_E_AGAIN);
        assert_int_equal(n, 0);
    }
    gate_conn_reading(&c, true);
    while (calls < 1)
        gate_loop_turn(&loop, true);
    gate_conn_reading(&c, false);
    gate_conn_want_write(&c);
    while (calls < 2)
        gate_loop_turn(&loop, true);
}

/* A short answer of the kernel (nothing there) does not arm another would-block. */
static void again_only_after_success(void **state)
{
    size_t n;

    (void)state;
    plan.again_after_each = true;
    assert_int_equal(do_read(2, &n), GATE_E_AGAIN);
    assert_int_equal(write(peer, "x", 1), 1);
    assert_int_equal(do_read(2, &n), GATE_OK);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(errno_at_a_call),
        TEST(at_most_n_bytes),
        TEST(again_after_each),
        TEST(again_only_after_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
