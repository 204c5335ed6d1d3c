/* The sandbox, checked from inside (tests/support/sandbox_checks.lua). */
/* covers: script/library.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/check_list.h"

static void test_sandbox(void **state)
{
    (void)state;
    assert_int_equal(check_list_run("sandbox_checks", 15), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sandbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
