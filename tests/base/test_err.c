#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void test_every_error_has_words(void **state)
{
    (void)state;
    for (int e = 0; e < GATE_E_COUNT; e++) {
        assert_string_not_equal(gate_err_name(e), "unknown");
        assert_string_not_equal(gate_err_text(e), "an unknown error");
        for (int other = 0; other < e; other++)
            assert_string_not_equal(gate_err_name(e), gate_err_name(other));
    }
    assert_string_equal(gate_err_name(GATE_E_TIMEOUT), "timeout");
    assert_string_equal(gate_err_text(GATE_E_TIMEOUT), "the deadline passed");
}

static void test_a_stranger_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(gate_err_name(GATE_E_COUNT), "unknown");
    assert_string_equal(gate_err_text((enum gate_err)-1), "an unknown error");
}

static void test_errno_is_mapped(void **state)
{
    (void)state;
    assert_int_equal(gate_err_from_errno(0), GATE_OK);
    assert_int_equal(gate_err_from_errno(EAGAIN), GATE_E_AGAIN);
    assert_int_equal(gate_err_from_errno(EINTR), GATE_E_AGAIN);
    assert_int_equal(gate_err_from_errno(EINPROGRESS), GATE_E_AGAIN);
    assert_int_equal(gate_err_from_errno(EPIPE), GATE_E_RESET);
    assert_int_equal(gate_err_from_errno(ECONNRESET), GATE_E_RESET);
    assert_int_equal(gate_err_from_errno(ECONNREFUSED), GATE_E_REFUSED);
    assert_int_equal(gate_err_from_errno(ETIMEDOUT), GATE_E_TIMEOUT);
    assert_int_equal(gate_err_from_errno(EMFILE), GATE_E_LIMIT);
    assert_int_equal(gate_err_from_errno(ENOMEM), GATE_E_NOMEM);
    assert_int_equal(gate_err_from_errno(ENETUNREACH), GATE_E_SYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_has_words),
        cmocka_unit_test(test_a_stranger_is_unknown),
        cmocka_unit_test(test_errno_is_mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
