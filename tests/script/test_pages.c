/* Pages of small blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "script/pages_int.h"

static void *take(struct gate_pages *ps, size_t n)
{
    void *p = gate_pages_take(ps, gate_pages_class(n));

    if (p == NULL) {
        assert_true(gate_pages_grow(ps, gate_pages_class(n)));
        p = gate_pages_take(ps, gate_pages_class(n));
    }
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 16, 0);
    memset(p, 0xa5, n);
    return p;
}

static void test_classes(void **state)
{
    (void)state;
    assert_int_equal(gate_pages_class(1), 1);
    assert_int_equal(gate_pages_class(16), 1);
    assert_int_equal(gate_pages_class(17), 2);
    assert_true(gate_pages_class(GATE_PAGES_LARGEST) < GATE_PAGES_CLASSES);
}

/* Every block of a page is used once, and used again after it was given back. */
static void test_reuse(void **state)
{
    struct gate_pages ps;
    void *v[2000];

    (void)state;
    gate_pages_init(&ps);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2000; i++)
            v[i] = take(&ps, 48);
        for (int i = 0; i < 2000; i++)
            *(int *)v[i] = i;
        for (int i = 0; i < 2000; i++)
            assert_int_equal(*(int *)v[i], i);
        assert_in_range(ps.pages, 6, 7);
        for (int i = 0; i < 2000; i++)
            gate_pages_give(&ps, v[round == 1 ? 1999 - i : i]);
    }
    gate_pages_fini(&ps);
}

/* Empty pages serve other classes, and most go back. */
static void test_back(void **state)
{
    struct gate_pages ps;
    static void *v[40000];

    (void)state;
    gate_pages_init(&ps);
    for (int i = 0; i < 40000; i++)
        v[i] = take(&ps, 32);
    assert_true(ps.pages > 70);
    for (int i = 0; i < 40000; i++)
        gate_pages_give(&ps, v[i]);
    assert_true(ps.pages < 20);
    for (int i = 0; i < 300; i++)
        v[i] = take(&ps, 512);
    assert_true(ps.pages < 20);
    for (int i = 0; i < 300; i++)
        gate_pages_give(&ps, v[i]);
    gate_pages_fini(&ps);
}

static void test_random(void **state)
{
    struct gate_pages ps;
    static unsigned char *v[512];
    static size_t n[512];

    (void)state;
    srand(1);
    gate_pages_init(&ps);
    for (int i = 0; i < 200000; i++) {
        int k = rand() % 512;

        if (v[k] != NULL) {
            for (size_t j = 0; j < n[k]; j += 7)
                assert_int_equal(v[k][j], (unsigned char)k);
            gate_pages_give(&ps, v[k]);
            v[k] = NULL;
        } else {
            n[k] = 1 + (size_t)rand() % GATE_PAGES_LARGEST;
            v[k] = take(&ps, n[k]);
            memset(v[k], k, n[k]);
        }
    }
    for (int k = 0; k < 512; k++)
        if (v[k] != NULL)
            gate_pages_give(&ps, v[k]);
    gate_pages_fini(&ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
