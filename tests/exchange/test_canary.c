#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "exchange/canary.h"

/* However many requests came so far, the canary had its share of them. */
static void check_share(uint32_t share, uint32_t requests, uint64_t seed)
{
    struct gate_canary_share s;
    uint64_t got = 0;

    gate_canary_share_init(&s, share, seed);
    for (uint64_t n = 1; n <= requests; n++) {
        got += gate_canary_share_next(&s);
        assert_true(llabs((long long)(got * GATE_CANARY_WHOLE) - (long long)(n * share)) <=
                    2 * (long long)GATE_CANARY_WHOLE);
    }
}

static void test_the_share_is_exact(void **state)
{
    static const uint32_t shares[] = { 1, 100, 5000, 50000, 123456, 333333, 499999, 500000 };

    (void)state;
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        for (uint64_t seed = 0; seed < 20; seed++)
            check_share(shares[i], 20000, seed * 0x9e3779b97f4a7c15u);
    }
}

/* A client that asks for the same twenty things again and again: each of them is tried. */
static void test_no_pattern_of_clients_escapes_it(void **state)
{
    struct gate_canary_share s;
    uint32_t hits[20] = { 0 };

    (void)state;
    gate_canary_share_init(&s, 50000, 7);
    for (int i = 0; i < 20 * 4000; i++)
        hits[i % 20] += gate_canary_share_next(&s);
    for (int i = 0; i < 20; i++)
        assert_in_range(hits[i], 100, 300);
}

static void test_requests_are_counted_from_the_start_on(void **state)
{
    static struct gate_canary_tally t[2];
    struct gate_canary_figures f;

    (void)state;
    t[0].from_ns = t[1].from_ns = 1000000;
    gate_canary_count(&t[0], 999999, 90000000, true);
    gate_canary_sum(t, 2, sizeof(t[0]), &f);
    assert_int_equal(f.requests + f.errors + f.p99_us, 0);
    gate_canary_count(&t[0], 1000000, 1020000, false);
    gate_canary_count(&t[1], 2000000, 2010000, true);
    gate_canary_fault(&t[1]);
    gate_canary_fault(&t[1]);
    gate_canary_kill(&t[0]);
    gate_canary_fault(NULL);
    gate_canary_kill(NULL);
    gate_canary_sum(t, 2, sizeof(t[0]), &f);
    assert_int_equal(f.requests, 2);
    assert_int_equal(f.errors, 1);
    assert_int_equal(f.faults, 2);
    assert_int_equal(f.kills, 1);
    assert_int_equal(f.p99_us, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_share_is_exact),
        cmocka_unit_test(test_no_pattern_of_clients_escapes_it),
        cmocka_unit_test(test_requests_are_counted_from_the_start_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
