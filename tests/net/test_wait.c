/* Waits: each way a wait can end, and that it ends once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "net/wait.h"

struct fixture {
    struct gate_loop loop;
    struct gate_clock clock;
    struct gate_wait w;
    int ended;
    int undone;
    enum gate_err result;
    enum gate_wait_state seen;
};

static void on_end(struct gate_wait *w, enum gate_err result)
{
    struct fixture *f = w->arg;

    f->ended++;
    f->result = result;
    f->seen = w->state;
}

static void on_cancel(struct gate_wait *w)
{
    struct fixture *f = w->arg;

    assert_int_equal(f->ended, 0);
    f->undone++;
    gate_wait_wake(w, GATE_E_CLOSED);   /* what is undone may still try to wake */
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    gate_clock_init(&f->clock);
    if (gate_loop_open(&f->loop, &f->clock, NULL) != GATE_OK)
        return -1;
    gate_wait_init(&f->w, &f->loop, on_end, f);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->w.state, GATE_WAIT_IDLE);
    assert_int_equal(f->loop.wheel.count, 0);
    gate_loop_close(&f->loop);
    free(f);
    return 0;
}

static void turn_after(struct fixture *f, uint64_t ms)
{
    gate_clock_advance(&f->clock, ms * GATE_MS);
    gate_loop_turn(&f->loop, false);
}

static uint64_t in_ms(const struct fixture *f, uint64_t ms)
{
    return gate_loop_now(&f->loop) + ms;
}

static void wake_runs_from_the_drain(void **state)
{
    struct fixture *f = *state;

    gate_wait_wake(&f->w, GATE_OK);     /* idle: nothing */
    gate_wait_arm(&f->w, in_ms(f, 1000), on_cancel);
    gate_wait_wake(&f->w, GATE_E_RESET);
    gate_wait_wake(&f->w, GATE_OK);     /* the first one counts */
    assert_int_equal(f->ended, 0);
    assert_int_equal(f->w.state, GATE_WAIT_WOKEN);
    gate_loop_turn(&f->loop, true);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->result, GATE_E_RESET);
    assert_int_equal(f->seen, GATE_WAIT_IDLE);
    turn_after(f, 2000);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->undone, 0);
}

static void deadline_undoes_then_ends(void **state)
{
    struct fixture *f = *state;

    gate_wait_arm(&f->w, in_ms(f, 1000), on_cancel);
    turn_after(f, 500);
    assert_int_equal(f->ended, 0);
    turn_after(f, 501);
    assert_int_equal(f->undone, 1);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->result, GATE_E_TIMEOUT);
}

static void expire_undoes_then_ends(void **state)
{
    struct fixture *f = *state;

    gate_wait_expire(&f->w, GATE_E_CANCELLED);  /* idle: nothing */
    gate_wait_arm(&f->w, in_ms(f, 1000), on_cancel);
    gate_wait_expire(&f->w, GATE_E_CANCELLED);
    gate_wait_expire(&f->w, GATE_E_TIMEOUT);    /* the first one counts */
    assert_int_equal(f->undone, 1);
    assert_int_equal(f->ended, 0);
    turn_after(f, 2000);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->result, GATE_E_CANCELLED);
}

static void cancel_in_every_state(void **state)
{
    struct fixture *f = *state;

    gate_wait_cancel(&f->w);
    assert_int_equal(f->undone, 0);

    gate_wait_arm(&f->w, in_ms(f, 10), on_cancel);
    gate_wait_cancel(&f->w);
    assert_int_equal(f->undone, 1);
    gate_wait_cancel(&f->w);
    turn_after(f, 20);
    assert_int_equal(f->undone, 1);

    gate_wait_arm(&f->w, in_ms(f, 10), on_cancel);
    gate_wait_wake(&f->w, GATE_OK);
    gate_wait_cancel(&f->w);
    assert_int_equal(f->undone, 1);
    turn_after(f, 20);
    assert_int_equal(f->ended, 0);
}

static int rounds;

static void again(struct gate_wait *w, enum gate_err result)
{
    assert_int_equal(result, GATE_OK);
    if (++rounds == 5)
        return;
    gate_wait_arm(w, 0, NULL);
    gate_wait_wake(w, GATE_OK);
}

static void can_be_armed_from_its_end(void **state)
{
    struct fixture *f = *state;

    rounds = 0;
    gate_wait_init(&f->w, &f->loop, again, f);
    gate_wait_arm(&f->w, 0, NULL);
    gate_wait_wake(&f->w, GATE_OK);
    while (rounds < 5)
        gate_loop_turn(&f->loop, true);
}

struct owner {
    struct gate_wait w;
    struct gate_wait *other;
};

static void cancel_other_and_free(struct gate_wait *w, enum gate_err result)
{
    (void)result;
    gate_wait_cancel(gate_container_of(w, struct owner, w)->other);
    free(w->arg);
}

/* The end of a wait may free its owner and cancel others that are already due. */
static void may_free_its_owner(void **state)
{
    struct fixture *f = *state;
    struct owner *o = calloc(1, sizeof(*o));

    gate_wait_init(&o->w, &f->loop, cancel_other_and_free, o);
    o->other = &f->w;
    gate_wait_arm(&o->w, in_ms(f, 5), NULL);
    gate_wait_arm(&f->w, in_ms(f, 5), NULL);
    turn_after(f, 10);
    assert_int_equal(f->ended, 0);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wake_runs_from_the_drain),
        TEST(deadline_undoes_then_ends),
        TEST(expire_undoes_then_ends),
        TEST(cancel_in_every_state),
        TEST(can_be_armed_from_its_end),
        TEST(may_free_its_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
