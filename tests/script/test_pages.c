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
    assert_int_equal(gate_pages_class(GATE_PAGES_SMALL), GATE_PAGES_STEPS - 1);
    assert_int_equal(gate_pages_class(GATE_PAGES_SMALL + 1), GATE_PAGES_STEPS);
    assert_int_equal(gate_pages_class(GATE_PAGES_LARGEST), GATE_PAGES_CLASSES - 1);
}

/* A block has room for what its class is asked for, and the next begins behind it. */
static void test_sizes(void **state)
{
    struct gate_pages ps;

    (void)state;
    gate_pages_init(&ps);
    for (size_t n = 1; n <= GATE_PAGES_LARGEST; n++) {
        uint32_t cls = gate_pages_class(n);
        struct gate_page *page;
        void *v[2];

        assert_true(gate_pages_grow(&ps, cls));
        for (int i = 0; i < 2; i++)
            v[i] = gate_pages_take(&ps, cls);
        page = gate_page_of(v[0]);
        assert_true(page->size >= n);
        assert_ptr_equal((char *)v[0] + page->size, v[1]);
        assert_ptr_equal(gate_page_of(v[1]), page);
        for (int i = 0; i < 2; i++)
            gate_pages_give(&ps, v[i]);
    }
    gate_pages_fini(&ps);
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

/* Empty pages go back, and serve other classes. */
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
    assert_int_equal(ps.pages, 1);
    assert_true(ps.from.idle > 69 * GATE_PAGE_SIZE);
    for (int i = 0; i < 300; i++)
        v[i] = take(&ps, 5000);
    assert_in_range(ps.pages, 101, 102);
    for (int i = 0; i < 300; i++)
        gate_pages_give(&ps, v[i]);
    gate_pages_fini(&ps);
}

static void test_poison(void **state)
{
    struct gate_pages ps;
    char *p, *q;

    (void)state;
    gate_pages_init(&ps);
    p = take(&ps, 40);
    q = take(&ps, 40);
    assert_false(GATE_POISONED(p + 39));
    gate_pages_give(&ps, p);
#ifdef GATE_WITH_ASAN
    assert_true(GATE_POISONED(p));
    assert_true(GATE_POISONED(q + 48)); /* was never taken */
#endif
    assert_ptr_equal(take(&ps, 48), p);
    gate_pages_give(&ps, p);
    gate_pages_give(&ps, q);
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
        cmocka_unit_test(test_classes), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_reuse),   cmocka_unit_test(test_back),
        cmocka_unit_test(test_poison),  cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
