#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/names.h"

static void the_first_number_of_a_name_stays(void **state)
{
    struct gate_names t;

    (void)state;
    gate_names_init(&t, 3);
    assert_int_equal(gate_names_find(&t, GATE_STR("a")), GATE_NO_NUMBER);
    assert_int_equal(gate_names_add(&t, GATE_STR("a"), 7), 7);
    assert_int_equal(gate_names_add(&t, GATE_STR(""), 0), 0);
    assert_int_equal(gate_names_add(&t, GATE_STR("a\0b"), 2), 2);
    assert_int_equal(gate_names_add(&t, GATE_STR("a"), 9), 7);
    assert_int_equal(gate_names_find(&t, GATE_STR("a")), 7);
    assert_int_equal(gate_names_find(&t, GATE_STR("")), 0);
    assert_int_equal(gate_names_find(&t, GATE_STR("a\0b")), 2);
    assert_int_equal(gate_names_find(&t, GATE_STR("A")), GATE_NO_NUMBER);
    gate_names_fini(&t);
}

static void as_many_as_were_said_find_room(void **state)
{
    static char text[1000][8];
    struct gate_names t;

    (void)state;
    gate_names_init(&t, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        int n = snprintf(text[i], sizeof(text[i]), "%u", i);

        assert_int_equal(gate_names_add(&t, gate_str_of(text[i], (size_t)n), i), i);
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(gate_names_find(&t, gate_str_from_cstr(text[i])), i);
    assert_int_equal(gate_names_find(&t, GATE_STR("1000")), GATE_NO_NUMBER);
    gate_names_fini(&t);
}

static void a_table_that_was_not_made_has_no_names(void **state)
{
    const struct gate_names t = { NULL, 0, { 0, 0 } };

    (void)state;
    assert_int_equal(gate_names_find(&t, GATE_STR("a")), GATE_NO_NUMBER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_number_of_a_name_stays),
        cmocka_unit_test(as_many_as_were_said_find_room),
        cmocka_unit_test(a_table_that_was_not_made_has_no_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
