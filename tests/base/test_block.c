#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/block.h"
#include "base/poison.h"

static void test_take_and_unref(void **state)
{
    struct gate_block_pool pool;
    struct gate_block *a, *b, *again;

    (void)state;
    gate_block_pool_init(&pool, 0);
    a = gate_block_take(&pool);
    b = gate_block_take_big(&pool);
    assert_int_equal(a->cap, GATE_BLOCK_SIZE);
    assert_int_equal(b->cap, GATE_BLOCK_BIG);
    assert_int_equal(a->refs, 1);
    assert_int_equal(a->used, 0);
    memset(a->data, 1, a->cap);
    memset(b->data, 2, b->cap);
    a->used = 77;
    assert_int_equal(pool.live, 2);
    assert_int_equal(pool.live_bytes, GATE_BLOCK_SIZE + GATE_BLOCK_BIG);

    again = gate_block_ref(a);
    gate_block_unref(&again);
    assert_null(again);
    assert_int_equal(pool.live, 2);
    again = a;
    gate_block_unref(&a);
    assert_null(a);
#ifdef GATE_WITH_ASAN
    assert_true(GATE_POISONED(again->data));
#endif
    gate_block_unref(&a);
    gate_block_unref(&b);
    assert_int_equal(pool.live, 0);
    assert_int_equal(pool.live_bytes, 0);
    assert_int_equal(gate_block_pool_hot(&pool), GATE_BLOCK_SIZE + GATE_BLOCK_BIG);

    /* The free block comes back, clean. */
    a = gate_block_take(&pool);
    assert_ptr_equal(a, again);
    assert_int_equal(a->used, 0);
    assert_int_equal(a->refs, 1);
    assert_int_equal(gate_block_pool_hot(&pool), GATE_BLOCK_BIG);
    gate_block_unref(&a);
    gate_block_pool_fini(&pool);
}

static void test_the_limit(void **state)
{
    struct gate_block_pool pool;
    struct gate_block *a, *b;

    (void)state;
    gate_block_pool_init(&pool, 2 * GATE_BLOCK_SIZE);
    a = gate_block_take(&pool);
    assert_null(gate_block_take_big(&pool));
    b = gate_block_take(&pool);
    assert_non_null(b);
    assert_null(gate_block_take(&pool));
    gate_block_unref(&a);
    a = gate_block_take(&pool);
    assert_non_null(a);
    gate_block_unref(&a);
    gate_block_unref(&b);
    gate_block_pool_fini(&pool);
}

static void test_what_nobody_needed_goes_back(void **state)
{
    struct gate_block_pool pool;
    struct gate_block *got[4], *one;

    (void)state;
    gate_block_pool_init(&pool, 0);
    for (int i = 0; i < 4; i++)
        got[i] = gate_block_take(&pool);
    memset(got[3]->data, 7, got[3]->cap);
    for (int i = 0; i < 4; i++)
        gate_block_unref(&got[i]);
    /* All four were needed since the pool began. */
    gate_block_pool_trim(&pool);
    assert_int_equal(gate_block_pool_hot(&pool), 4 * GATE_BLOCK_SIZE);
    /* One was needed since: three go, and come back empty. */
    one = gate_block_take(&pool);
    gate_block_unref(&one);
    gate_block_pool_trim(&pool);
    assert_int_equal(gate_block_pool_hot(&pool), GATE_BLOCK_SIZE);
    for (int i = 0; i < 4; i++)
        got[i] = gate_block_take(&pool);
    assert_int_equal(gate_block_pool_hot(&pool), 0);
    for (int i = 0; i < 4; i++)
        gate_block_unref(&got[i]);
    assert_int_equal(pool.live, 0);
    gate_block_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_and_unref),
        cmocka_unit_test(test_the_limit),
        cmocka_unit_test(test_what_nobody_needed_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
