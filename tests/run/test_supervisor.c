#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/supervisor.h"

/* The first few come back at once; a file that kills every engine does not make a storm. */
static void waits_longer_each_time(void **state)
{
    static const uint32_t expected[] = { 100, 100, 100, 100, 200, 400, 800, 1600, 3200, 5000, 5000 };

    (void)state;
    for (uint32_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(gate_supervisor_delay(i + 1), expected[i]);
    assert_int_equal(gate_supervisor_delay(UINT32_MAX), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(waits_longer_each_time) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
