#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "run/quantity.h"

static double number(const char *text, const char *rest)
{
    double n = -1;

    assert_true(gate_quantity_number(&text, &n));
    assert_string_equal(text, rest);
    return n;
}

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void numbers_end_where_they_end(void **state)
{
    (void)state;
    assert_true(is_near(number("5%", "%"), 5));
    assert_true(is_near(number("0.25x", "x"), 0.25));
    assert_true(is_near(number("1.", "."), 1));
    assert_true(is_near(number("1.5.2", ".2"), 1.5));
    assert_true(is_near(number("999999999", ""), 999999999));
}

static void other_texts_are_no_numbers(void **state)
{
    static const char *const bad[] = { "", "-1", "+1", ".5", "x", "1234567890", "inf", "nan" };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *text = bad[i];
        double n;

        assert_false(gate_quantity_number(&text, &n));
        assert_ptr_equal(text, bad[i]);
    }
    {
        const char *hex = "0x10";
        double n;

        assert_true(gate_quantity_number(&hex, &n));
        assert_string_equal(hex, "x10");
    }
}

static void units_of_time(void **state)
{
    static const struct {
        const char *text;
        double us;
    } all[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1e6 }, { "m", 60e6 }, { "h", 3600e6 } };
    const char *text = "d";
    double us;

    (void)state;
    assert_false(gate_quantity_time_unit(&text, &us));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        text = all[i].text;
        assert_true(gate_quantity_time_unit(&text, &us));
        assert_string_equal(text, "");
        assert_true(is_near(us, all[i].us));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_end_where_they_end),
        cmocka_unit_test(other_texts_are_no_numbers),
        cmocka_unit_test(units_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
