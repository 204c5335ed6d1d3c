/* Dates against the C library's calendar, and a few by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "http/date.h"

static void check(int64_t s)
{
    time_t t = (time_t)s;
    char want[64];
    char got[GATE_DATE_LEN];
    char log[GATE_DATE_LOG_LEN];
    struct tm tm;

    assert_non_null(gmtime_r(&t, &tm));
    strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    gate_date_http(s, got);
    assert_int_equal(strlen(want), GATE_DATE_LEN);
    assert_memory_equal(got, want, GATE_DATE_LEN);
    strftime(want, sizeof want, "%d/%b/%Y:%H:%M:%S +0000", &tm);
    gate_date_log(s, log);
    assert_memory_equal(log, want, GATE_DATE_LOG_LEN);
}

static void by_hand(void **state)
{
    char got[GATE_DATE_LEN];

    (void)state;
    gate_date_http(784111777, got);
    assert_memory_equal(got, "Sun, 06 Nov 1994 08:49:37 GMT", GATE_DATE_LEN);
    gate_date_http(0, got);
    assert_memory_equal(got, "Thu, 01 Jan 1970 00:00:00 GMT", GATE_DATE_LEN);
    gate_date_http(-1, got);
    assert_memory_equal(got, "Wed, 31 Dec 1969 23:59:59 GMT", GATE_DATE_LEN);
    gate_date_http(951782400, got);
    assert_memory_equal(got, "Tue, 29 Feb 2000 00:00:00 GMT", GATE_DATE_LEN);
    gate_date_http(INT64_MAX, got);
    assert_memory_equal(got, "Fri, 31 Dec 9999 23:59:59 GMT", GATE_DATE_LEN);
    gate_date_http(INT64_MIN, got);
    assert_memory_equal(got, "Sat, 01 Jan 0000 00:00:00 GMT", GATE_DATE_LEN);
}

static void like_the_library(void **state)
{
    (void)state;
    for (int64_t day = -20000; day < 120000; day += 1)
        check(day * 86400 + (day * 7919) % 86400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(like_the_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
