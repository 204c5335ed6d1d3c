#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/handle.h"

static void test_make_get_end(void **state)
{
    struct gate_handle_table t;
    struct gate_handle a, b;
    int x, y;

    (void)state;
    gate_handle_table_init(&t);
    a = gate_handle_make(&t, &x);
    b = gate_handle_make(&t, &y);
    assert_ptr_equal(gate_handle_get(&t, a), &x);
    assert_ptr_equal(gate_handle_get(&t, b), &y);
    assert_int_equal(t.live, 2);
    gate_handle_end(&t, a);
    assert_null(gate_handle_get(&t, a));
    assert_ptr_equal(gate_handle_get(&t, b), &y);
    assert_int_equal(t.live, 1);
    gate_handle_end(&t, b);
    gate_handle_table_fini(&t);
    assert_null(gate_handle_get(&t, b));
}

static void test_an_old_handle_finds_nothing(void **state)
{
    struct gate_handle_table t;
    struct gate_handle old, now;
    int x, y;

    (void)state;
    gate_handle_table_init(&t);
    old = gate_handle_make(&t, &x);
    gate_handle_end(&t, old);
    now = gate_handle_make(&t, &y);
    assert_int_equal(now.id, old.id);
    assert_int_not_equal(now.serial, old.serial);
    assert_null(gate_handle_get(&t, old));
    /* Ending it again does not end the new one. */
    gate_handle_end(&t, old);
    assert_ptr_equal(gate_handle_get(&t, now), &y);
    assert_int_equal(t.live, 1);
    gate_handle_table_fini(&t);
}

static void test_nonsense_finds_nothing(void **state)
{
    struct gate_handle_table t;
    struct gate_handle zero = { 0, 0 };
    struct gate_handle far = { UINT32_MAX, 1 };
    struct gate_handle unused = { 5, 1 };
    int x;

    (void)state;
    gate_handle_table_init(&t);
    assert_null(gate_handle_get(&t, zero));
    gate_handle_make(&t, &x);
    assert_null(gate_handle_get(&t, zero));
    assert_null(gate_handle_get(&t, far));
    assert_null(gate_handle_get(&t, unused));
    gate_handle_end(&t, zero);
    gate_handle_end(&t, far);
    assert_int_equal(t.live, 1);
    gate_handle_table_fini(&t);
}

static void test_the_serial_skips_zero(void **state)
{
    struct gate_handle_table t;
    struct gate_handle h;
    int x;

    (void)state;
    gate_handle_table_init(&t);
    h = gate_handle_make(&t, &x);
    t.slots[h.id].serial = h.serial = UINT32_MAX;
    gate_handle_end(&t, h);
    h = gate_handle_make(&t, &x);
    assert_int_equal(h.serial, 1);
    gate_handle_table_fini(&t);
}

#define MANY 1000

static void test_growth_keeps_handles(void **state)
{
    struct gate_handle_table t;
    struct gate_handle h[MANY];
    int objects[MANY];

    (void)state;
    gate_handle_table_init(&t);
    for (int i = 0; i < MANY; i++) {
        h[i] = gate_handle_make(&t, &objects[i]);
        assert_int_equal(h[i].id, i);
    }
    assert_int_equal(t.cap, 1024);
    for (int i = 0; i < MANY; i += 2)
        gate_handle_end(&t, h[i]);
    assert_int_equal(t.live, MANY / 2);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(gate_handle_get(&t, h[i]), i % 2 == 0 ? NULL : &objects[i]);
    /* The free slots are used again before the table grows. */
    for (int i = 0; i < MANY / 2; i++)
        gate_handle_make(&t, &objects[i]);
    assert_int_equal(t.cap, 1024);
    gate_handle_table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_get_end),
        cmocka_unit_test(test_an_old_handle_finds_nothing),
        cmocka_unit_test(test_nonsense_finds_nothing),
        cmocka_unit_test(test_the_serial_skips_zero),
        cmocka_unit_test(test_growth_keeps_handles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
