#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "balance_case.h"

static int pick(struct balance_case *c)
{
    return case_pick(c, &gate_balance_least_requests);
}

static void test_fewest(void **state)
{
    struct balance_case c;

    (void)state;
    case_init(&c, (const uint32_t[]){1, 1, 1}, 3);
    /* Each worker has the fewest at another one: it is the sum that counts. */
    case_active(&c, 0, 0, 4);
    case_active(&c, 1, 1, 1);
    case_active(&c, 2, 3, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pick(&c), 1);
    case_fini(&c);
}

static void test_ties_take_turns(void **state)
{
    struct balance_case c;

    (void)state;
    case_init(&c, (const uint32_t[]){1, 1, 1}, 3);
    for (int i = 0; i < 9; i++)
        assert_int_equal(pick(&c), i % 3);
    case_active(&c, 1, 0, 1);
    for (int i = 0; i < 4; i++)
        pick(&c);
    assert_int_equal(c.got[0], 5);
    assert_int_equal(c.got[1], 3);
    assert_int_equal(c.got[2], 5);
    case_fini(&c);
}

/* With requests that stay, each peer ends up with its share. */
static void test_weights(void **state)
{
    struct balance_case c;

    (void)state;
    case_init(&c, (const uint32_t[]){3, 1, 2}, 3);
    for (int i = 0; i < 60; i++)
        gate_peer_begin(gate_peer_share_of(c.peers[pick(&c)], i % CASE_WORKERS));
    assert_in_range(c.got[0], 29, 31);
    assert_in_range(c.got[1], 9, 11);
    assert_in_range(c.got[2], 19, 21);
    case_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fewest),
        cmocka_unit_test(test_ties_take_turns),
        cmocka_unit_test(test_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
