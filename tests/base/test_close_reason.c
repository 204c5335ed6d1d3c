#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/close_reason.h"

static void test_every_reason_has_its_own_name(void **state)
{
    (void)state;
    for (int why = 0; why < GATE_CLOSE_COUNT; why++) {
        assert_string_not_equal(gate_close_reason_name(why), "unknown");
        for (int other = 0; other < why; other++)
            assert_string_not_equal(gate_close_reason_name(why), gate_close_reason_name(other));
    }
    assert_string_equal(gate_close_reason_name(GATE_CLOSE_IDLE_TIMEOUT), "idle_timeout");
    assert_string_equal(gate_close_reason_name(GATE_CLOSE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reason_has_its_own_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
