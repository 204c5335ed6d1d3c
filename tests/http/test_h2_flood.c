/* Budgets of an HTTP/2 connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/h2_flood.h"

static void a_hundred_at_once_and_one_a_second(void **state)
{
    struct gate_h2_flood f;

    (void)state;
    gate_h2_flood_init(&f, 5000);
    for (int i = 0; i < GATE_H2_RESETS; i++)
        assert_true(gate_h2_flood_reset(&f, 5999));
    assert_false(gate_h2_flood_reset(&f, 5999));
    assert_true(gate_h2_flood_reset(&f, 6000));
    assert_false(gate_h2_flood_reset(&f, 6500));
    assert_true(gate_h2_flood_reset(&f, 8000));
    assert_true(gate_h2_flood_reset(&f, 8000));
    assert_false(gate_h2_flood_reset(&f, 8999));
}

static void it_never_holds_more_than_a_hundred(void **state)
{
    struct gate_h2_flood f;

    (void)state;
    gate_h2_flood_init(&f, 0);
    for (int i = 0; i < GATE_H2_RESETS; i++)
        assert_true(gate_h2_flood_reset(&f, 10000000));
    assert_false(gate_h2_flood_reset(&f, 10000000));
}

static void what_ends_well_makes_up_for_what_does_not(void **state)
{
    struct gate_h2_flood f;

    (void)state;
    gate_h2_flood_init(&f, 0);
    gate_h2_flood_clean(&f); /* no more than a hundred */
    for (int i = 0; i < 3 * GATE_H2_RESETS; i++) {
        assert_true(gate_h2_flood_reset(&f, 0));
        gate_h2_flood_clean(&f);
    }
    for (int i = 0; i < GATE_H2_RESETS; i++)
        assert_true(gate_h2_flood_reset(&f, 0));
    assert_false(gate_h2_flood_reset(&f, 0));
    gate_h2_flood_clean(&f);
    assert_true(gate_h2_flood_reset(&f, 0));
    assert_false(gate_h2_flood_reset(&f, 0));
}

static void bytes_are_held_against_content(void **state)
{
    struct gate_h2_flood f;

    (void)state;
    gate_h2_flood_init(&f, 1000);
    f.bytes = GATE_H2_OVERHEAD;
    assert_false(gate_h2_flood_idle(&f, 1000));
    f.bytes++;
    assert_true(gate_h2_flood_idle(&f, 1000));
    assert_false(gate_h2_flood_idle(&f, 2000)); /* a second's worth of PINGs more */
    f.content = 1000;
    f.bytes = GATE_H2_OVERHEAD + 8000;
    assert_false(gate_h2_flood_idle(&f, 1000));
    f.bytes++;
    assert_true(gate_h2_flood_idle(&f, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_at_once_and_one_a_second),
        cmocka_unit_test(it_never_holds_more_than_a_hundred),
        cmocka_unit_test(what_ends_well_makes_up_for_what_does_not),
        cmocka_unit_test(bytes_are_held_against_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
