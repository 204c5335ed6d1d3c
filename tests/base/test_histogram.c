#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/histogram.h"

static struct gate_histogram h;

static uint64_t only(uint64_t value)
{
    memset(&h, 0, sizeof(h));
    gate_histogram_add(&h, value);
    return gate_histogram_quantile(&h, 990);
}

static void test_an_empty_one_answers_zero(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    assert_int_equal(gate_histogram_quantile(&h, 990), 0);
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 2 * GATE_HISTOGRAM_STEP; v++)
        assert_int_equal(only(v), v);
}

static void test_large_values_are_a_little_too_large_at_most(void **state)
{
    (void)state;
    for (uint64_t v = 1; v < UINT32_MAX; v += v / 7 + 1) {
        uint64_t told = only(v);

        assert_true(told >= v);
        assert_true(told <= v + v / 31);
    }
    assert_int_equal(only(UINT32_MAX), UINT32_MAX);
    assert_int_equal(only(UINT64_MAX), UINT32_MAX);
}

/* Each bucket ends where the next one begins. */
static void test_order_is_kept(void **state)
{
    (void)state;
    for (uint64_t v = 1; v < 1u << 20; v += v / 100 + 1)
        assert_true(only(v) >= only(v - 1));
}

static void test_quantiles(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    for (uint64_t v = 1; v <= 1000; v++)
        gate_histogram_add(&h, v <= 989 ? 10 : 50000);
    assert_int_equal(gate_histogram_quantile(&h, 500), 10);
    assert_int_equal(gate_histogram_quantile(&h, 989), 10);
    assert_in_range(gate_histogram_quantile(&h, 990), 50000, 51600);
    assert_in_range(gate_histogram_quantile(&h, 1000), 50000, 51600);
}

/* A quantile is above a value exactly when enough of the values are. */
static void test_what_is_above(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    for (uint64_t v = 1; v <= 1000; v++)
        gate_histogram_add(&h, v * 37);
    assert_int_equal(gate_histogram_total(&h), 1000);
    assert_int_equal(gate_histogram_above(&h, 0), 1000);
    assert_int_equal(gate_histogram_above(&h, 40000), 0);
    for (uint64_t v = 35000; v < 37500; v += 10)
        assert_int_equal(gate_histogram_quantile(&h, 990) > v, gate_histogram_above(&h, v) > 10);
}

static void test_merging(void **state)
{
    static struct gate_histogram a, b;

    (void)state;
    for (int i = 0; i < 99; i++)
        gate_histogram_add(&a, 7);
    gate_histogram_add(&b, 20);
    gate_histogram_merge(&b, &a);
    assert_int_equal(gate_histogram_quantile(&b, 990), 7);
    assert_int_equal(gate_histogram_quantile(&b, 1000), 20);
    assert_int_equal(gate_histogram_quantile(&a, 1000), 7);
    gate_histogram_clear(&a);
    assert_int_equal(gate_histogram_quantile(&a, 1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_one_answers_zero),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_large_values_are_a_little_too_large_at_most),
        cmocka_unit_test(test_order_is_kept),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_what_is_above),
        cmocka_unit_test(test_merging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
