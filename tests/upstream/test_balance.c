#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "balance_case.h"

static const uint32_t equal[] = {1, 1, 1, 1};

static int pick(struct balance_case *c)
{
    return case_pick(c, &gate_balance_round_robin);
}

static void mark(struct gate_peer *p, uint64_t until_ms)
{
    atomic_store(&p->down_until_ms, until_ms);
}

static void test_leaves_out(void **state)
{
    struct balance_case c;

    (void)state;
    case_init(&c, (const uint32_t[]){1, 1, 0, 1}, 4);
    c.set->v[0].down = true;
    c.set->v[1].max_connections = 2;
    case_active(&c, 1, 1, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pick(&c), 3);
    case_active(&c, 1, 1, 0);
    pick(&c);
    pick(&c);
    assert_int_equal(c.got[1], 1);
    c.set->v[1].down = c.set->v[3].down = true;
    assert_int_equal(pick(&c), -1);
    case_fini(&c);
}

static void test_tried(void **state)
{
    struct balance_case c;
    const struct gate_peer *tried[2];
    struct gate_peer *p;

    (void)state;
    case_init(&c, equal, 2);
    tried[0] = c.peers[0];
    tried[1] = c.peers[1];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            gate_balance_pick(&gate_balance_round_robin, &c.st, c.set, 0, tried, 1, &p), GATE_OK);
        assert_ptr_equal(p, c.peers[1]);
    }
    assert_int_equal(gate_balance_pick(&gate_balance_round_robin, &c.st, c.set, 0, tried, 2, &p),
                     GATE_E_NOTFOUND);
    assert_null(p);
    case_fini(&c);
}

static void test_others(void **state)
{
    struct balance_case c;
    const struct gate_peer *tried[1];

    (void)state;
    case_init(&c, equal, 3);
    tried[0] = c.peers[0];
    assert_true(gate_balance_has_other(c.set, 1000, tried, 1, c.peers[1]));
    c.set->v[2].backup = true;
    assert_true(gate_balance_has_other(c.set, 1000, tried, 1, c.peers[1]));
    mark(c.peers[2], 2000); /* a guess is good enough for a first try only */
    assert_false(gate_balance_has_other(c.set, 1000, tried, 1, c.peers[1]));
    assert_true(gate_balance_has_other(c.set, 3000, tried, 1, c.peers[1]));
    c.set->v[2].down = true;
    assert_false(gate_balance_has_other(c.set, 3000, tried, 1, c.peers[1]));
    case_fini(&c);
}

static void test_backups_and_marks(void **state)
{
    struct balance_case c;

    (void)state;
    case_init(&c, equal, 3);
    c.set->v[0].backup = true;
    for (int i = 0; i < 4; i++)
        assert_int_not_equal(pick(&c), 0);
    mark(c.peers[1], 2000);
    assert_int_equal(pick(&c), 2);
    mark(c.peers[2], 2000);
    assert_int_equal(pick(&c), 0);
    /* All are marked: a guess refuses nobody, and backups stay behind. */
    mark(c.peers[0], 2000);
    for (int i = 0; i < 4; i++)
        assert_int_not_equal(pick(&c), 0);
    c.set->v[1].down = c.set->v[2].down = true;
    assert_int_equal(pick(&c), 0);
    c.set->v[0].down = true;
    assert_int_equal(pick(&c), -1);
    case_fini(&c);
}

static void test_empty_and_new_version(void **state)
{
    struct balance_case none, c;

    (void)state;
    case_init(&none, equal, 0);
    assert_int_equal(pick(&none), -1);
    case_fini(&none);
    case_init(&c, equal, 3);
    assert_int_equal(pick(&c), 0);
    assert_int_equal(pick(&c), 1);
    c.set->version = 2;
    c.set->n = 2;
    assert_int_equal(pick(&c), 0);
    case_fini(&c);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(gate_balance_ops_of(GATE_BALANCE_ROUND_ROBIN)->name, "round_robin");
    assert_string_equal(gate_balance_ops_of(GATE_BALANCE_LEAST_REQUESTS)->name, "least_requests");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_out),
        cmocka_unit_test(test_tried),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_backups_and_marks),
        cmocka_unit_test(test_empty_and_new_version),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
