/* What was given up: each bundle once, the latest of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "run/engine_int.h"

static void give_up(struct gate_engine *e, uint64_t hash, uint64_t number)
{
    gate_given_up_add(e, &(struct gate_given_up){
        .hash = hash, .number = number, .why = GATE_GIVEN_UP_CANARY });
}

static uint64_t number_of(const struct gate_engine *e, uint64_t hash)
{
    const struct gate_given_up *g = gate_given_up_find(e, hash);

    return g == NULL ? 0 : g->number;
}

static void what_is_dropped_is_not_found(void **state)
{
    static struct gate_engine e;

    (void)state;
    gate_given_up_drop(&e, 1);
    assert_int_equal(e.n_given_up, 0);
    for (uint64_t i = 1; i <= 3; i++)
        give_up(&e, i, 10 + i);
    gate_given_up_drop(&e, 2);
    gate_given_up_drop(&e, 2);
    assert_int_equal(e.n_given_up, 2);
    assert_int_equal(number_of(&e, 1), 11);
    assert_int_equal(number_of(&e, 2), 0);
    assert_int_equal(number_of(&e, 3), 13);
    /* Once more, by another number. */
    give_up(&e, 1, 20);
    assert_int_equal(e.n_given_up, 2);
    assert_int_equal(number_of(&e, 1), 20);
}

static void the_oldest_goes_for_a_new_one(void **state)
{
    static struct gate_engine e;

    (void)state;
    for (uint64_t i = 1; i <= GATE_GIVEN_UP_MAX + 2; i++)
        give_up(&e, i, 10 + i);
    assert_int_equal(e.n_given_up, GATE_GIVEN_UP_MAX);
    assert_int_equal(number_of(&e, 2), 0);
    for (uint64_t i = 3; i <= GATE_GIVEN_UP_MAX + 2; i++)
        assert_int_equal(number_of(&e, i), 10 + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_dropped_is_not_found),
        cmocka_unit_test(the_oldest_goes_for_a_new_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
