#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "balance_case.h"

static void test_smooth(void **state)
{
    static const int order[] = {0, 0, 1, 0, 2, 0, 0};
    struct balance_case c;

    (void)state;
    case_init(&c, (const uint32_t[]){5, 1, 1}, 3);
    for (int i = 0; i < 70; i++)
        assert_int_equal(case_pick(&c, &gate_balance_round_robin), order[i % 7]);
    assert_int_equal(c.got[0], 50);
    case_fini(&c);
}

static void test_equal_weights_take_turns(void **state)
{
    struct balance_case c;

    (void)state;
    case_init(&c, (const uint32_t[]){2, 2, 2}, 3);
    for (int i = 0; i < 30; i++)
        assert_int_equal(case_pick(&c, &gate_balance_round_robin), i % 3);
    case_fini(&c);
}

static void test_one_that_returns_gets_no_flood(void **state)
{
    struct balance_case c;

    (void)state;
    case_init(&c, (const uint32_t[]){1, 1}, 2);
    c.set->v[0].down = true;
    for (int i = 0; i < 1000; i++)
        case_pick(&c, &gate_balance_round_robin);
    c.set->v[0].down = false;
    for (int i = 0; i < 10; i++)
        case_pick(&c, &gate_balance_round_robin);
    assert_int_equal(c.got[0], 5);
    case_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smooth),
        cmocka_unit_test(test_equal_weights_take_turns),
        cmocka_unit_test(test_one_that_returns_gets_no_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
