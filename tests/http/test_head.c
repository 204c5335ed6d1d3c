/* Names of methods and status codes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/head.h"

static void methods(void **state)
{
    static const struct {
        const char *text;
        enum gate_method m;
        bool idempotent;
    } table[] = {
        {"GET", GATE_M_GET, true},          {"HEAD", GATE_M_HEAD, true},
        {"POST", GATE_M_POST, false},       {"PUT", GATE_M_PUT, true},
        {"DELETE", GATE_M_DELETE, true},    {"OPTIONS", GATE_M_OPTIONS, true},
        {"PATCH", GATE_M_PATCH, false},     {"TRACE", GATE_M_TRACE, true},
        {"CONNECT", GATE_M_CONNECT, false}, {"get", GATE_M_OTHER, false},
        {"GETS", GATE_M_OTHER, false},      {"GE", GATE_M_OTHER, false},
        {"", GATE_M_OTHER, false},          {"LOCK", GATE_M_OTHER, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        enum gate_method m = gate_method_of(gate_str_from_cstr(table[i].text));

        assert_int_equal(m, table[i].m);
        assert_int_equal(gate_method_idempotent(m), table[i].idempotent);
    }
}

static void reasons(void **state)
{
    (void)state;
    assert_true(gate_str_eq(gate_status_reason(200), GATE_STR("OK")));
    assert_true(gate_str_eq(gate_status_reason(100), GATE_STR("Continue")));
    assert_true(gate_str_eq(gate_status_reason(404), GATE_STR("Not Found")));
    assert_true(gate_str_eq(gate_status_reason(511), GATE_STR("Network Authentication Required")));
    for (int status = -1; status < 700; status++)
        assert_true(gate_status_reason(status).n > 0);
    assert_true(gate_str_eq(gate_status_reason(299), GATE_STR("Unknown")));
    assert_true(gate_str_eq(gate_status_reason(0), GATE_STR("Unknown")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods),
        cmocka_unit_test(reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
