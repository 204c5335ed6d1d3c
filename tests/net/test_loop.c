/* The loop: order of a turn, fairness, timers, the moved clock, and the asserts that keep the
 * drain in its place. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/deadline.h"
#include "net/loop.h"
#include "support/aborts.h"

static bool unwatched;  /* epoll takes no descriptors */

/* libev calls it. */
__attribute__((visibility("default")))
int epoll_ctl(int ep, int op, int fd, struct epoll_event *event)
{
    if (unwatched && op == EPOLL_CTL_ADD) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, ep, op, fd, event);
}

/* One loop, and a record of what ran on it. */
struct fixture {
    struct gate_loop loop;
    struct gate_clock clock;
    char trace[64];
    size_t n;
    int pipe[2];
    struct ev_io io;
    struct gate_timer timer;
    struct gate_ready a;
    struct gate_ready b;
    struct gate_ready flush;
    int spins;
    int reads;
    bool was_tired; /* when the last read came */
};

static struct fixture *f;

static void note(char c)
{
    if (f->n < sizeof(f->trace) - 1)
        f->trace[f->n++] = c;
}

static void on_io(struct ev_loop *ev, struct ev_io *io, int events)
{
    char byte;

    (void)ev;
    (void)events;
    assert_int_equal(read(io->fd, &byte, 1), 1);
    f->reads++;
    f->was_tired = gate_loop_is_tired(&f->loop);
    note('i');
    gate_loop_ready(&f->loop, &f->a);
}

static void on_timer(struct gate_timer *t)
{
    (void)t;
    note('t');
}

static void on_a(struct gate_ready *r)
{
    (void)r;
    note('a');
    gate_loop_ready(&f->loop, &f->b);
    gate_loop_flush(&f->loop, &f->flush);
}

static void on_b(struct gate_ready *r)
{
    (void)r;
    note('b');
}

static void on_flush(struct gate_ready *r)
{
    (void)r;
    note('f');
}

static int setup(void **state)
{
    f = calloc(1, sizeof(*f));
    *state = f;
    gate_clock_init(&f->clock);
    if (gate_loop_open(&f->loop, &f->clock, NULL) != GATE_OK || pipe(f->pipe) != 0)
        return -1;
    ev_io_init(&f->io, on_io, f->pipe[0], EV_READ);
    ev_io_start(f->loop.ev, &f->io);
    gate_timer_init(&f->timer, on_timer);
    gate_ready_init(&f->a, on_a);
    gate_ready_init(&f->b, on_b);
    gate_ready_init(&f->flush, on_flush);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ev_io_stop(f->loop.ev, &f->io);
    gate_loop_close(&f->loop);
    close(f->pipe[0]);
    close(f->pipe[1]);
    free(f);
    return 0;
}

static void order_of_a_turn(void **state)
{
    (void)state;
    gate_loop_timer(&f->loop, &f->timer, 0);
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    gate_loop_turn(&f->loop, true);
    assert_string_equal(f->trace, "itabf");
}

static void ready_work_does_not_wait(void **state)
{
    (void)state;
    gate_loop_ready(&f->loop, &f->a);
    gate_loop_ready(&f->loop, &f->a);
    assert_int_equal(f->n, 0);
    gate_loop_turn(&f->loop, true);
    assert_string_equal(f->trace, "abf");
}

static void cancelled_while_it_is_due(struct gate_ready *r)
{
    (void)r;
    note('c');
    gate_ready_cancel(&f->b);
}

static void cancel(void **state)
{
    (void)state;
    f->a.fn = cancelled_while_it_is_due;
    gate_loop_ready(&f->loop, &f->a);
    gate_loop_ready(&f->loop, &f->b);
    gate_loop_turn(&f->loop, true);
    assert_string_equal(f->trace, "c");
}

static void spin(struct gate_ready *r)
{
    f->spins++;
    gate_loop_ready(&f->loop, r);
}

/* Work that is always ready starves neither descriptors nor timers nor output. */
static void endless_work_is_fair(void **state)
{
    (void)state;
    f->b.fn = spin;
    gate_loop_ready(&f->loop, &f->b);
    gate_loop_flush(&f->loop, &f->flush);
    gate_loop_timer(&f->loop, &f->timer, 0);
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    gate_loop_turn(&f->loop, true);
    assert_non_null(strchr(f->trace, 'f'));
    assert_non_null(strchr(f->trace, 't'));
    assert_int_equal(f->reads, 1);
    assert_in_range(f->spins, 2, 16);
    gate_loop_turn(&f->loop, true);
    assert_in_range(f->spins, 4, 32);
    gate_ready_cancel(&f->b);
}

static void take_long(struct gate_ready *r)
{
    (void)r;
    note('l');
    gate_loop_tire(&f->loop);
}

static void take_very_long(struct gate_ready *r)
{
    atomic_fetch_add(&f->clock.skew_ns, (int64_t)(50 * GATE_MS));
    take_long(r);
}

static void note_last(struct gate_ready *r)
{
    (void)r;
    note('z');
}

/* One piece of long work a turn: what it passes over waits for a poll, and comes before what came in
 * by then. */
static void long_work_lets_others_go_first(void **state)
{
    struct gate_ready first, second, third;

    (void)state;
    gate_ready_init(&first, take_long);
    gate_ready_init(&second, take_long);
    gate_ready_init(&third, note_last);
    gate_loop_ready(&f->loop, &first);
    gate_loop_ready(&f->loop, &second);
    gate_loop_ready(&f->loop, &third);
    gate_loop_turn(&f->loop, true);
    assert_string_equal(f->trace, "l");
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    gate_loop_turn(&f->loop, true);
    assert_int_equal(f->reads, 1);
    assert_string_equal(f->trace + 1, "il");
    gate_loop_turn(&f->loop, true);
    assert_string_equal(f->trace + 3, "zafb");
}

/* Who begins work from a callback of I/O is told that others stand first. */
static void what_was_passed_over_stands_first(void **state)
{
    struct gate_ready first, second;

    (void)state;
    gate_ready_init(&first, take_long);
    gate_ready_init(&second, take_long);
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    gate_loop_turn(&f->loop, true);
    assert_false(f->was_tired);
    gate_loop_ready(&f->loop, &first);
    gate_loop_ready(&f->loop, &second);
    gate_loop_turn(&f->loop, true);
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    gate_loop_turn(&f->loop, true);
    assert_true(f->was_tired);
    for (int i = 0; i < 2; i++)
        gate_loop_turn(&f->loop, false);
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    gate_loop_turn(&f->loop, true);
    assert_false(f->was_tired);
}

/* What is put off comes behind what came in, behind other work that was very long also a rest
 * later, and of both lists. */
static void what_is_put_off_rests(void **state)
{
    struct gate_ready first, second, last;
    uint64_t begin;

    (void)state;
    gate_ready_init(&first, take_very_long);
    gate_ready_init(&second, take_very_long);
    gate_ready_init(&last, note_last);
    gate_loop_behind(&f->loop, &first);
    gate_loop_behind(&f->loop, &second);
    gate_loop_later(&f->loop, &last);
    gate_loop_ready(&f->loop, &f->b);
    begin = gate_clock_now_ns(&f->clock);
    gate_loop_turn(&f->loop, true);
    assert_string_equal(f->trace, "bl");
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    while (f->n < 8)
        gate_loop_turn(&f->loop, true);
    assert_string_equal(f->trace + 2, "iafbzl");
    assert_true(gate_clock_now_ns(&f->clock) - begin >= 101 * GATE_MS);
    assert_int_equal(f->reads, 1);
}

/* Nor does what is put off wait for the end of long work that comes in turn for turn. */
static void nothing_waits_for_ever(void **state)
{
    struct gate_ready fresh, more, last;
    int turns = 0;

    (void)state;
    gate_ready_init(&fresh, take_long);
    gate_ready_init(&more, take_long);
    gate_ready_init(&last, note_last);
    gate_loop_behind(&f->loop, &more);
    gate_loop_later(&f->loop, &last);
    while (strchr(f->trace, 'z') == NULL) {
        gate_loop_ready(&f->loop, &fresh);
        gate_loop_turn(&f->loop, true);
        assert_in_range(++turns, 1, 4);
    }
    assert_true(gate_list_empty(&more.node));
}

/* An answer does not wait in the flush list for long work of the turn behind. */
static void answers_leave_before_long_work(void **state)
{
    struct gate_ready first, second;

    (void)state;
    gate_ready_init(&first, take_long);
    gate_ready_init(&second, take_long);
    gate_loop_ready(&f->loop, &first);
    gate_loop_turn(&f->loop, true);
    gate_loop_flush(&f->loop, &f->flush);
    gate_loop_ready(&f->loop, &second);
    gate_loop_turn(&f->loop, true);
    assert_string_equal(f->trace, "lfl");
}

static void timer_fires_after_its_time(void **state)
{
    uint64_t begin = gate_clock_now_ns(&f->clock);

    (void)state;
    gate_loop_refresh(&f->loop);
    gate_loop_timer(&f->loop, &f->timer, 20);
    while (f->n == 0)
        gate_loop_turn(&f->loop, true);
    assert_true(gate_clock_now_ns(&f->clock) - begin >= 19 * GATE_MS);
    assert_false(gate_timer_active(&f->timer));
}

static int turns_until(char c)
{
    int turns = 0;

    while (strchr(f->trace, c) == NULL) {
        gate_loop_turn(&f->loop, true);
        turns++;
    }
    return turns;
}

static void stop_timer(struct gate_ready *r)
{
    (void)r;
    gate_loop_untimer(&f->loop, &f->timer);
}

/* A timer that was stopped leaves at most one needless wake; an earlier one is not held up by a
 * later one. */
static void timer_is_armed_lazily(void **state)
{
    struct gate_timer late;

    (void)state;
    gate_timer_init(&late, on_timer);
    gate_loop_timer(&f->loop, &late, 60000);
    gate_loop_turn(&f->loop, false);
    gate_loop_timer(&f->loop, &f->timer, 5);
    gate_loop_turn(&f->loop, false);
    assert_in_range(turns_until('t'), 0, 2);

    f->n = 0;
    memset(f->trace, 0, sizeof(f->trace));
    gate_loop_timer(&f->loop, &f->timer, 3);
    gate_loop_turn(&f->loop, false);
    f->a.fn = stop_timer;
    gate_loop_ready(&f->loop, &f->a);
    gate_loop_turn(&f->loop, false);
    gate_loop_untimer(&f->loop, &late);
    gate_timer_init(&late, on_timer);
    gate_loop_timer(&f->loop, &late, 10);
    assert_in_range(turns_until('t'), 1, 3);
    assert_string_equal(f->trace, "t");
}

/* Moving the clock makes timers due at the next turn, and later timers keep their distance. */
static void moved_clock(void **state)
{
    uint64_t before = gate_loop_now(&f->loop);

    (void)state;
    gate_loop_timer(&f->loop, &f->timer, 3600000);
    gate_loop_turn(&f->loop, false);
    gate_clock_advance(&f->clock, 3500000 * GATE_MS);
    gate_loop_turn(&f->loop, false);
    assert_string_equal(f->trace, "");
    gate_clock_advance(&f->clock, 99990 * GATE_MS);
    gate_loop_turn(&f->loop, false);
    assert_in_range(turns_until('t'), 0, 3);
    assert_true(gate_loop_now(&f->loop) >= before + 3600000);
}

static struct gate_deadline deadline;

static void on_deadline(struct gate_timer *t)
{
    (void)t;
    note(gate_deadline_reached(&f->loop, &deadline) ? 'd' : '-');
}

static void deadlines_move_for_a_store(void **state)
{
    (void)state;
    gate_deadline_init(&deadline, on_deadline);
    gate_deadline_set(&f->loop, &deadline, gate_loop_now(&f->loop) + 1000);
    gate_deadline_set(&f->loop, &deadline, gate_loop_now(&f->loop) + 5000);
    gate_clock_advance(&f->clock, 1500 * GATE_MS);
    gate_loop_turn(&f->loop, false);
    assert_string_equal(f->trace, "-");
    gate_clock_advance(&f->clock, 4000 * GATE_MS);
    gate_loop_turn(&f->loop, false);
    assert_string_equal(f->trace, "-d");
    gate_deadline_set(&f->loop, &deadline, gate_loop_now(&f->loop) + 1000);
    gate_deadline_stop(&f->loop, &deadline);
    gate_clock_advance(&f->clock, 4000 * GATE_MS);
    gate_loop_turn(&f->loop, false);
    assert_string_equal(f->trace, "-d");
}

static void *stop_it(void *arg)
{
    gate_loop_stop_async(arg);
    return NULL;
}

static void stop_from_another_thread(void **state)
{
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&thread, NULL, stop_it, &f->loop), 0);
        gate_loop_run(&f->loop);
        pthread_join(thread, NULL);
    }
}

static void turn_inside_a_drain(struct gate_ready *r)
{
    (void)r;
    gate_loop_turn(&f->loop, false);
}

static void turn(void *arg)
{
    (void)arg;
    gate_loop_ready(&f->loop, &f->a);
    gate_loop_turn(&f->loop, false);
}

static void drain_inside_a_script_aborts(void **state)
{
    (void)state;
    f->loop.in_script = true;
    assert_aborts(turn, NULL, "in_script");
    f->loop.in_script = false;
}

static void nested_drain_aborts(void **state)
{
    (void)state;
    f->a.fn = turn_inside_a_drain;
    assert_aborts(turn, NULL, "draining");
}

/* libev alone would end the process where the second descriptor of a loop is not to be had. */
static void no_descriptors_are_an_error(void **state)
{
    struct rlimit before, few;
    struct gate_loop loop;
    enum gate_err err;
    int next = dup(0), error;

    (void)state;
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (rlim_t spare = 0; spare < 2; spare++) {
        few = before;
        few.rlim_cur = (rlim_t)next + spare;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        err = gate_loop_open(&loop, &f->clock, NULL);
        error = errno;
        setrlimit(RLIMIT_NOFILE, &before);
        assert_int_equal(err, GATE_E_SYS);
        assert_int_equal(error, EMFILE);
        assert_null(loop.ev);
    }
}

/* A loop that nobody could wake would wait for ever. */
static void a_kernel_that_does_not_watch_is_an_error(void **state)
{
    struct gate_loop loop;
    enum gate_err err;
    int error;

    (void)state;
    unwatched = true;
    err = gate_loop_open(&loop, &f->clock, NULL);
    error = errno;
    unwatched = false;
    assert_int_equal(err, GATE_E_SYS);
    assert_int_equal(error, ENOSPC);
    assert_null(loop.ev);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(order_of_a_turn),
        TEST(ready_work_does_not_wait),
        TEST(cancel),
        TEST(endless_work_is_fair),
        TEST(long_work_lets_others_go_first),
        TEST(what_was_passed_over_stands_first),
        TEST(what_is_put_off_rests),
        TEST(nothing_waits_for_ever),
        TEST(answers_leave_before_long_work),
        TEST(timer_fires_after_its_time),
        TEST(timer_is_armed_lazily),
        TEST(moved_clock),
        TEST(deadlines_move_for_a_store),
        TEST(stop_from_another_thread),
        TEST(drain_inside_a_script_aborts),
        TEST(nested_drain_aborts),
        TEST(no_descriptors_are_an_error),
        TEST(a_kernel_that_does_not_watch_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
