#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "run/canary_order.h"

static char why[300];

static uint32_t share(const char *text)
{
    struct gate_canary_order o = { .share = 0 };

    why[0] = '\0';
    return gate_canary_order_share(&o, text, why, sizeof(why)) ? o.share : 0;
}

static uint64_t time_of(const char *text)
{
    struct gate_canary_order o = { .for_ms = 0 };

    why[0] = '\0';
    return gate_canary_order_time(&o, text, why, sizeof(why)) ? o.for_ms : 0;
}

static void shares_are_percentages_up_to_half(void **state)
{
    static const char *const bad[] = { "0%", "51%", "50.01%", "100%", "0.00001%" };

    (void)state;
    assert_int_equal(share("5%"), 50000);
    assert_int_equal(share("0.5%"), 5000);
    assert_int_equal(share("50%"), 500000);
    assert_int_equal(share("0.0001%"), 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(share(bad[i]), 0);
        assert_non_null(strstr(why, "at most 50%"));
    }
    assert_int_equal(share("5"), 0);
    assert_string_equal(why, "\"5\": expected a share of the requests, such as 5% or 0.5%");
    assert_int_equal(share("-5%"), 0);
    assert_int_equal(share("5%x"), 0);
    assert_int_equal(share(""), 0);
}

static void times_are_from_a_second_to_a_day(void **state)
{
    (void)state;
    assert_int_equal(time_of("60s"), 60000);
    assert_int_equal(time_of("1.5s"), 1500);
    assert_int_equal(time_of("5m"), 300000);
    assert_int_equal(time_of("24h"), 86400000);
    assert_int_equal(time_of("25h"), 0);
    assert_non_null(strstr(why, "from 1s to 24h"));
    assert_int_equal(time_of("999ms"), 0);
    assert_non_null(strstr(why, "from 1s to 24h"));
    assert_int_equal(time_of("60"), 0);
    assert_string_equal(why, "\"60\": expected a time such as 60s or 5m");
    assert_int_equal(time_of("60 s"), 0);
    assert_int_equal(time_of("60sx"), 0);
}

static void what_is_not_said_has_a_default(void **state)
{
    struct gate_canary_order o = { .share = 1 };
    char text[200];

    (void)state;
    gate_canary_order_complete(&o);
    assert_int_equal(o.for_ms, 60000);
    gate_conditions_text(&o.conditions, text, sizeof(text));
    assert_string_equal(text, GATE_CONDITIONS_DEFAULT);
}

static void conditions_of_ones_own_replace_the_default(void **state)
{
    struct gate_canary_order o = { .share = 1, .for_ms = 2000 };
    char text[200];

    (void)state;
    assert_true(gate_canary_order_abort(&o, "errors > 1%", why, sizeof(why)));
    assert_true(gate_canary_order_abort(&o, "kills > 0", why, sizeof(why)));
    assert_false(gate_canary_order_abort(&o, "oops", why, sizeof(why)));
    assert_string_equal(why, "\"oops\": at \"oops\": expected errors, faults, kills or p99");
    gate_canary_order_complete(&o);
    assert_int_equal(o.for_ms, 2000);
    gate_conditions_text(&o.conditions, text, sizeof(text));
    assert_string_equal(text, "errors > 1%, kills > 0");
}

static void shares_and_times_as_text(void **state)
{
    char text[24];

    (void)state;
    gate_canary_order_share_text(50000, text);
    assert_string_equal(text, "5%");
    gate_canary_order_share_text(2500, text);
    assert_string_equal(text, "0.25%");
    gate_canary_order_share_text(100000, text);
    assert_string_equal(text, "10%");
    gate_canary_order_time_text(60000, text);
    assert_string_equal(text, "60 s");
    gate_canary_order_time_text(1500, text);
    assert_string_equal(text, "1.5 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_percentages_up_to_half),
        cmocka_unit_test(times_are_from_a_second_to_a_day),
        cmocka_unit_test(what_is_not_said_has_a_default),
        cmocka_unit_test(conditions_of_ones_own_replace_the_default),
        cmocka_unit_test(shares_and_times_as_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
