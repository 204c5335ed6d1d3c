#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <time.h>

#include "base/clock.h"

static void test_both_clocks_run(void **state)
{
    struct gate_clock c;
    uint64_t before;
    int64_t wall;

    (void)state;
    gate_clock_init(&c);
    before = gate_clock_now_ns(&c);
    assert_true(before > 0);
    assert_true(gate_clock_now_ns(&c) >= before);
    wall = gate_clock_wall_ns(&c) / (int64_t)GATE_SEC;
    assert_true(wall >= (int64_t)time(NULL) - 2 && wall <= (int64_t)time(NULL) + 2);
}

static void test_advance_moves_both(void **state)
{
    struct gate_clock c;
    uint64_t now;
    int64_t wall;

    (void)state;
    gate_clock_init(&c);
    now = gate_clock_now_ns(&c);
    wall = gate_clock_wall_ns(&c);
    gate_clock_advance(&c, 3600 * GATE_SEC);
    gate_clock_advance(&c, 5 * GATE_MS);
    assert_true(gate_clock_now_ns(&c) >= now + 3600 * GATE_SEC + 5 * GATE_MS);
    assert_true(gate_clock_now_ns(&c) < now + 3700 * GATE_SEC);
    assert_true(gate_clock_wall_ns(&c) >= wall + 3600 * (int64_t)GATE_SEC);
}

#define STEPS 10000

static void *advance(void *arg)
{
    for (int i = 0; i < STEPS; i++)
        gate_clock_advance(arg, GATE_SEC);
    return NULL;
}

/* Two threads move the clock and one reads it: no step is lost and time never goes back. */
static void test_threads_share_it(void **state)
{
    struct gate_clock c;
    pthread_t threads[2];
    uint64_t begin, last, now;

    (void)state;
    gate_clock_init(&c);
    begin = last = gate_clock_now_ns(&c);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, advance, &c), 0);
    while (last < begin + 2 * STEPS * GATE_SEC) {
        now = gate_clock_now_ns(&c);
        assert_true(now >= last);
        last = now;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&c.skew_ns), 2 * STEPS * (int64_t)GATE_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_clocks_run),
        cmocka_unit_test(test_advance_moves_both),
        cmocka_unit_test(test_threads_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
