#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/nearest.h"

static const char *const names[] = { "run", "check", "routes", "reload", "--workers", NULL };

static void finds_what_was_meant(void **state)
{
    (void)state;
    assert_string_equal(gate_nearest("chekc", names), "check");
    assert_string_equal(gate_nearest("rnu", names), "run");
    assert_string_equal(gate_nearest("route", names), "routes");
    assert_string_equal(gate_nearest("relaod", names), "reload");
    assert_string_equal(gate_nearest("--worker", names), "--workers");
    assert_string_equal(gate_nearest("run", names), "run");
}

static void finds_nothing_far_away(void **state)
{
    (void)state;
    assert_null(gate_nearest("xyzzy", names));
    assert_null(gate_nearest("", names));
    assert_null(gate_nearest("serve", names));
    assert_null(gate_nearest("a name that is longer than any that we have or ever will", names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_meant),
        cmocka_unit_test(finds_nothing_far_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
