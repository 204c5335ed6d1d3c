/* What a conn promises, held against each kind: plain and faulty, over TCP and over a socket
 * pair. A new kind joins the table. Then the rules of watching, with a kind made for it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/conn.h"
#include "net/conn_fault.h"

struct kind {
    const char *name;
    bool tcp;
    bool faulty;
    struct gate_fault_plan plan;
};

static struct kind kinds[] = {
    { .name = "plain tcp", .tcp = true },
    { .name = "plain pair" },
    { .name = "faulty tcp without faults", .tcp = true, .faulty = true },
    { .name = "faulty tcp, 1 byte", .tcp = true, .faulty = true, .plan.max_bytes = 1 },
    { .name = "faulty pair, again", .faulty = true, .plan.again_after_each = true },
    { .name = "faulty tcp, 3 bytes, again", .tcp = true, .faulty = true,
      .plan = { .max_bytes = 3, .again_after_each = true } },
};

struct fixture {
    struct gate_clock clock;
    struct gate_loop loop;
    struct gate_loop second;
    struct gate_conn c;
    struct gate_fault_plan plan;
    const struct kind *kind;
    int peer;
    int readable;           /* calls of on_readable */
    int writable;
    char *data;             /* what is sent or expected */
    size_t size;
    size_t done;
    enum gate_err end;      /* result that ended the reading or writing */
    bool pull;              /* on_readable reads by itself */
    bool close_inside;
};

static struct fixture *f;

static void fill(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 7 + i / 251);
}

static void tcp_pair(int fd[2])
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(in);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &n), 0);
    fd[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd[1], (struct sockaddr *)&in, sizeof(in)), 0);
    fd[0] = accept(listener, NULL, NULL);
    assert_true(fd[0] >= 0);
    close(listener);
}

static void pair(bool tcp, int fd[2])
{
    if (tcp)
        tcp_pair(fd);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
}

static bool read_once(struct gate_conn *c)
{
    size_t left = f->size - f->done;
    size_t third = left / 3 + 1;
    struct iovec iov[2] = {
        { f->data + f->done, third < left ? third : left },
        { f->data + f->done + third, left > third ? left - third : 0 },
    };
    size_t n;

    f->end = gate_conn_read(c, iov, iov[1].iov_len > 0 ? 2 : 1, &n);
    if (f->end != GATE_OK)
        return false;
    assert_in_range(n, 1, left);
    f->done += n;
    return f->done < f->size;
}

static void on_readable(struct gate_conn *c)
{
    f->readable++;
    if (f->close_inside)
        gate_conn_close(c);
    else if (f->pull && !read_once(c) && f->end != GATE_E_AGAIN)
        gate_conn_reading(c, false);
}

static void push(struct gate_conn *c)
{
    f->end = GATE_OK;
    while (f->done < f->size && f->end == GATE_OK) {
        struct iovec iov[2] = {
            { f->data + f->done, 1 },
            { f->data + f->done + 1, f->size - f->done - 1 },
        };
        size_t n;

        f->end = gate_conn_write(c, iov, iov[1].iov_len > 0 ? 2 : 1, &n);
        f->done += n;
    }
    if (f->end == GATE_E_AGAIN)
        gate_conn_want_write(c);
}

static void on_writable(struct gate_conn *c)
{
    f->writable++;
    push(c);
}

static int setup(void **state)
{
    struct kind *kind = *state;
    int fd[2];

    f = calloc(1, sizeof(*f));
    f->kind = kind;
    gate_clock_init(&f->clock);
    assert_int_equal(gate_loop_open(&f->loop, &f->clock, NULL), GATE_OK);
    assert_int_equal(gate_loop_open(&f->second, &f->clock, NULL), GATE_OK);
    pair(kind->tcp, fd);
    f->peer = fd[1];
    gate_conn_open(&f->c, &f->loop, fd[0], on_readable, on_writable);
    if (kind->faulty) {
        f->plan = kind->plan;
        gate_conn_fault_wrap(&f->c, &f->plan);
    }
    f->size = kind->plan.max_bytes == 0 ? 3u << 20 : 20000;
    f->data = calloc(1, f->size + 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_conn_close(&f->c);
    gate_loop_close(&f->loop);
    gate_loop_close(&f->second);
    if (f->peer >= 0)
        close(f->peer);
    free(f->data);
    free(f);
    return 0;
}

/* Turns the loop until the conn has bytes or an end; returns it. */
static enum gate_err read_some(struct gate_loop *loop, void *to, size_t cap, size_t *n)
{
    struct iovec iov = { to, cap };
    enum gate_err err;

    while ((err = gate_conn_read(&f->c, &iov, 1, n)) == GATE_E_AGAIN)
        gate_loop_turn(loop, true);
    return err;
}

static void writes_everything(void **state)
{
    char *got = malloc(f->size);
    size_t have = 0;

    (void)state;
    fill(f->data, f->size);
    push(&f->c);
    while (have < f->size) {
        ssize_t n = recv(f->peer, got + have, f->size - have, MSG_DONTWAIT);

        if (n > 0)
            have += (size_t)n;
        else
            gate_loop_turn(&f->loop, true);
    }
    assert_int_equal(f->done, f->size);
    assert_memory_equal(got, f->data, f->size);
    assert_false(ev_is_active(&f->c.out));
    free(got);
}

static void reads_everything_and_the_end(void **state)
{
    char *sent = malloc(f->size);
    size_t given = 0;
    int spare = 0;

    (void)state;
    fill(sent, f->size);
    f->size++;      /* room left, so that reading goes on to the end */
    f->pull = true;
    gate_conn_reading(&f->c, true);
    while (f->end != GATE_E_EOF) {
        size_t left = f->size - 1 - given;
        ssize_t n = left > 0 ? send(f->peer, sent + given, left, MSG_DONTWAIT) : 0;

        given += n > 0 ? (size_t)n : 0;
        if (given == f->size - 1 && spare++ == 0)
            assert_int_equal(shutdown(f->peer, SHUT_WR), 0);
        gate_loop_turn(&f->loop, true);
        assert_true(f->end == GATE_OK || f->end == GATE_E_AGAIN || f->end == GATE_E_EOF);
    }
    assert_int_equal(f->done, f->size - 1);
    assert_memory_equal(f->data, sent, f->done);
    free(sent);
}

static void peeks_without_taking(void **state)
{
    char seen[8] = "";
    char got[8] = "";
    size_t have = 0;
    size_t n;

    (void)state;
    assert_int_equal(f->c.ops->peek(&f->c, seen, sizeof(seen), &n), GATE_E_AGAIN);
    assert_int_equal(write(f->peer, "abc", 3), 3);
    gate_conn_reading(&f->c, true);
    while (f->c.ops->peek(&f->c, seen, sizeof(seen), &n) == GATE_E_AGAIN)
        gate_loop_turn(&f->loop, true);
    assert_in_range(n, 1, 3);
    assert_memory_equal(seen, "abc", n);
    assert_int_equal(f->c.ops->pending(&f->c), 0);
    while (have < 3) {
        assert_int_equal(read_some(&f->loop, got + have, sizeof(got) - have, &n), GATE_OK);
        have += n;
    }
    assert_string_equal(got, "abc");
    close(f->peer);
    f->peer = -1;
    while ((f->end = f->c.ops->peek(&f->c, seen, sizeof(seen), &n)) == GATE_E_AGAIN)
        gate_loop_turn(&f->loop, true);
    assert_int_equal(f->end, GATE_E_EOF);
}

static void sees_a_reset(void **state)
{
    struct linger reset = { 1, 0 };
    struct iovec iov = { f->data, 1 };
    size_t n;

    (void)state;
    /* Unread bytes make the close of a socket pair a reset, too. */
    assert_int_equal(gate_conn_write(&f->c, &iov, 1, &n), GATE_OK);
    setsockopt(f->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(f->peer);
    f->peer = -1;
    gate_conn_reading(&f->c, true);
    assert_int_equal(read_some(&f->loop, f->data, 1, &n), GATE_E_RESET);
    while ((f->end = gate_conn_write(&f->c, &iov, 1, &n)) == GATE_E_AGAIN)
        ;
    assert_int_equal(f->end, GATE_E_RESET);
}

static void cuts_with_a_reset(void **state)
{
    char byte;

    (void)state;
    if (!f->kind->tcp)
        return;
    gate_conn_reading(&f->c, true);
    gate_conn_abort(&f->c);
    assert_false(gate_conn_is_open(&f->c));
    assert_int_equal(recv(f->peer, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    gate_conn_abort(&f->c);
    gate_conn_close(&f->c);
}

static void ends_its_own_direction(void **state)
{
    char byte;
    size_t n;

    (void)state;
    assert_int_equal(f->c.ops->shut(&f->c), GATE_OK);
    assert_int_equal(recv(f->peer, &byte, 1, 0), 0);
    assert_int_equal(write(f->peer, "x", 1), 1);
    gate_conn_reading(&f->c, true);
    assert_int_equal(read_some(&f->loop, &byte, 1, &n), GATE_OK);
    assert_int_equal(byte, 'x');
}

/* Without a reader bytes wait in the kernel and do not keep the loop busy. */
static void reading_off_and_on(void **state)
{
    (void)state;
    gate_conn_reading(&f->c, true);
    gate_loop_turn(&f->loop, false);
    gate_conn_reading(&f->c, false);
    assert_int_equal(write(f->peer, "x", 1), 1);
    while (ev_is_active(&f->c.in))
        gate_loop_turn(&f->loop, true);
    assert_int_equal(f->readable, 0);
    gate_conn_reading(&f->c, true);
    while (f->readable == 0)
        gate_loop_turn(&f->loop, true);

    /* Off and on between two events keeps the watcher. */
    gate_conn_reading(&f->c, false);
    assert_true(ev_is_active(&f->c.in));
    gate_conn_reading(&f->c, true);
    f->readable = 0;
    while (f->readable == 0)
        gate_loop_turn(&f->loop, true);
}

static void moves_to_another_loop(void **state)
{
    char byte;
    size_t n;

    (void)state;
    gate_conn_reading(&f->c, true);
    gate_loop_turn(&f->loop, false);
    gate_conn_detach(&f->c);
    assert_int_equal(write(f->peer, "x", 1), 1);
    gate_loop_turn(&f->loop, false);
    assert_int_equal(f->readable, 0);
    gate_conn_attach(&f->c, &f->second);
    while (f->readable == 0)
        gate_loop_turn(&f->second, true);
    gate_loop_turn(&f->loop, false);
    assert_int_equal(f->readable, 1);
    assert_int_equal(read_some(&f->second, &byte, 1, &n), GATE_OK);

    /* A blocked write moves, too. */
    gate_conn_want_write(&f->c);
    gate_conn_detach(&f->c);
    gate_conn_attach(&f->c, &f->loop);
    f->done = f->size;
    while (f->writable == 0)
        gate_loop_turn(&f->loop, true);
    gate_conn_detach(&f->c);    /* closing one that is on no loop */
}

static void want_write_calls_once(void **state)
{
    (void)state;
    f->done = f->size;      /* nothing to write */
    gate_conn_want_write(&f->c);
    while (f->writable == 0)
        gate_loop_turn(&f->loop, true);
    for (int i = 0; i < 5; i++)
        gate_loop_turn(&f->loop, false);
    assert_int_equal(f->writable, 1);
}

static void closes_inside_its_callback(void **state)
{
    (void)state;
    f->close_inside = true;
    gate_conn_reading(&f->c, true);
    gate_conn_want_write(&f->c);
    assert_int_equal(write(f->peer, "x", 1), 1);
    while (f->readable == 0)
        gate_loop_turn(&f->loop, true);
    gate_loop_turn(&f->loop, false);
    assert_false(gate_conn_is_open(&f->c));
}

/* A kind whose answers are set by the test, over a socket pair. */

static struct {
    enum gate_err read;
    uint8_t read_wants;
    uint8_t write_wants;
    size_t pending;
    size_t step;        /* pending bytes that one read takes */
    size_t comes;       /* bytes that are pending behind the next event of the writer */
} odd;

static enum gate_err odd_read(struct gate_conn *c, const struct iovec *iov, int count, size_t *n)
{
    (void)iov;
    (void)count;
    *n = odd.pending < odd.step ? odd.pending : odd.step;
    odd.pending -= *n;
    c->read_wants = odd.read_wants;
    return *n > 0 ? GATE_OK : odd.read;
}

static enum gate_err odd_write(struct gate_conn *c, const struct iovec *iov, int count, size_t *n)
{
    (void)iov;
    (void)count;
    *n = 0;
    c->write_wants = odd.write_wants;
    return GATE_E_AGAIN;
}

static size_t odd_pending(const struct gate_conn *c)
{
    (void)c;
    return odd.pending;
}

static void odd_fini(struct gate_conn *c)
{
    (void)c;
}

static const struct gate_conn_ops odd_kind = {
    .name = "odd",
    .read = odd_read,
    .write = odd_write,
    .pending = odd_pending,
    .fini = odd_fini,
};

static void odd_readable(struct gate_conn *c)
{
    struct iovec iov = { f->data, 1 };
    size_t n;

    f->readable++;
    f->end = gate_conn_read(c, &iov, 1, &n);
}

static void odd_writable(struct gate_conn *c)
{
    (void)c;
    f->writable++;
    odd.pending += odd.comes;
}

static int setup_odd(void **state)
{
    *state = &kinds[1];
    setup(state);
    f->c.ops = &odd_kind;
    f->c.on_readable = odd_readable;
    f->c.on_writable = odd_writable;
    odd.read = GATE_E_AGAIN;
    odd.read_wants = GATE_WANT_READ;
    odd.write_wants = GATE_WANT_WRITE;
    odd.pending = 0;
    odd.step = 1;
    odd.comes = 0;
    return 0;
}

/* Bytes that only the kind knows of are read without an event of the descriptor, and reading
 * them all takes no system's help. */
static void pending_bytes_are_delivered(void **state)
{
    (void)state;
    odd.pending = 100;
    gate_conn_reading(&f->c, true);
    assert_int_equal(f->readable, 0);
    while (odd.pending > 0)
        gate_loop_turn(&f->loop, true);
    assert_int_equal(f->readable, 100);
    gate_loop_turn(&f->loop, false);
    assert_int_equal(f->readable, 100);

    odd.pending = 3;
    gate_conn_reading(&f->c, false);
    gate_loop_turn(&f->loop, false);
    assert_int_equal(f->readable, 100);
    gate_conn_detach(&f->c);
    f->c.reading = true;
    gate_conn_attach(&f->c, &f->second);
    while (odd.pending > 0)
        gate_loop_turn(&f->second, true);
    assert_int_equal(f->readable, 103);
}

/* Bytes that came in with an event, of which the reader took only some. */
static void pending_after_an_event(void **state)
{
    (void)state;
    gate_conn_reading(&f->c, true);
    assert_int_equal(write(f->peer, "x", 1), 1);
    odd.pending = 5;
    while (odd.pending > 0)
        gate_loop_turn(&f->loop, true);
    assert_in_range(f->readable, 5, 6);
}

/* Bytes that came in while the writer went on (the end of a handshake, and the first request). */
static void pending_after_a_write(void **state)
{
    (void)state;
    gate_conn_reading(&f->c, true);
    odd.comes = 5;
    gate_conn_want_write(&f->c);
    while (f->writable == 0)
        gate_loop_turn(&f->loop, true);
    for (int i = 0; i < 10; i++)
        gate_loop_turn(&f->loop, false);
    assert_int_equal(odd.pending, 0);
    assert_int_equal(f->readable, 5);
}

static void read_that_wants_to_write(void **state)
{
    (void)state;
    gate_conn_reading(&f->c, true);
    odd.read_wants = GATE_WANT_WRITE;
    odd_readable(&f->c);
    assert_int_equal(f->end, GATE_E_AGAIN);
    assert_true(ev_is_active(&f->c.out));
    assert_false(ev_is_active(&f->c.in));       /* bytes that come would only spin */

    odd.read_wants = GATE_WANT_READ;
    while (f->readable == 1)
        gate_loop_turn(&f->loop, true);
    assert_false(ev_is_active(&f->c.out));
    assert_true(ev_is_active(&f->c.in));
    assert_int_equal(f->writable, 0);
}

static void write_that_wants_to_read(void **state)
{
    struct iovec iov = { f->data, 1 };
    size_t n;

    (void)state;
    odd.write_wants = GATE_WANT_READ;
    assert_int_equal(gate_conn_write(&f->c, &iov, 1, &n), GATE_E_AGAIN);
    gate_conn_want_write(&f->c);
    assert_true(ev_is_active(&f->c.in));
    assert_false(ev_is_active(&f->c.out));
    gate_loop_turn(&f->loop, false);
    assert_int_equal(f->writable, 0);
    assert_int_equal(write(f->peer, "x", 1), 1);
    while (f->writable == 0)
        gate_loop_turn(&f->loop, true);
    gate_loop_turn(&f->loop, false);
    assert_int_equal(f->writable, 1);
    assert_int_equal(f->readable, 0);
    assert_false(ev_is_active(&f->c.in));
}

/* Both sides cross: each event first serves the side that waits for it, the other follows. */
static void both_sides_crossed(void **state)
{
    struct iovec iov = { f->data, 1 };
    size_t n;

    (void)state;
    gate_conn_reading(&f->c, true);
    odd.read_wants = GATE_WANT_WRITE;
    odd_readable(&f->c);
    odd.write_wants = GATE_WANT_READ;
    assert_int_equal(gate_conn_write(&f->c, &iov, 1, &n), GATE_E_AGAIN);
    gate_conn_want_write(&f->c);
    odd.read_wants = GATE_WANT_READ;
    f->readable = 0;
    assert_int_equal(write(f->peer, "x", 1), 1);
    while (f->readable == 0 || f->writable == 0)
        gate_loop_turn(&f->loop, true);
    assert_int_equal(f->writable, 1);
}

static const struct CMUnitTest contract[] = {
    cmocka_unit_test(writes_everything),
    cmocka_unit_test(reads_everything_and_the_end),
    cmocka_unit_test(peeks_without_taking),
    cmocka_unit_test(sees_a_reset),
    cmocka_unit_test(cuts_with_a_reset),
    cmocka_unit_test(ends_its_own_direction),
    cmocka_unit_test(reading_off_and_on),
    cmocka_unit_test(moves_to_another_loop),
    cmocka_unit_test(want_write_calls_once),
    cmocka_unit_test(closes_inside_its_callback),
};

static int run_kind(struct kind *kind)
{
    struct CMUnitTest tests[GATE_COUNT_OF(contract)];

    for (size_t i = 0; i < GATE_COUNT_OF(contract); i++) {
        tests[i] = contract[i];
        tests[i].setup_func = setup;
        tests[i].teardown_func = teardown;
        tests[i].initial_state = kind;
    }
    return cmocka_run_group_tests_name(kind->name, tests, NULL, NULL);
}

#define ODD(t) cmocka_unit_test_setup_teardown(t, setup_odd, teardown)

int main(void)
{
    const struct CMUnitTest watching[] = {
        ODD(pending_bytes_are_delivered),
        ODD(pending_after_an_event),
        ODD(pending_after_a_write),
        ODD(read_that_wants_to_write),
        ODD(write_that_wants_to_read),
        ODD(both_sides_crossed),
    };
    int failed = cmocka_run_group_tests_name("watching", watching, NULL, NULL);

    _Static_assert(sizeof(struct gate_conn) <= 168, "an idle session pays for this");
    for (size_t i = 0; i < GATE_COUNT_OF(kinds); i++)
        failed += run_kind(&kinds[i]);
    return failed;
}
