#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/poison.h"

static void test_small_things(void **state)
{
    char *p = gate_calloc(4, 4);

    (void)state;
    for (int i = 0; i < 16; i++)
        assert_int_equal(p[i], 0);
    p = gate_realloc(p, 4096);
    memset(p, 1, 4096);
    gate_free(p);
    p = gate_strdup("hello");
    assert_string_equal(p, "hello");
    gate_free(p);
    p = gate_strndup("hello", 2);
    assert_string_equal(p, "he");
    gate_free(p);
    p = gate_strndup(NULL, 0);
    assert_string_equal(p, "");
    gate_free(p);
    p = gate_strndup("he\0lo", 5);
    assert_string_equal(p, "he");
    gate_free(p);
    /* Nothing is still something to free. */
    p = gate_alloc(0);
    assert_non_null(p);
    gate_free(p);
    p = gate_try_alloc(0);
    assert_non_null(p);
    gate_free(p);
    gate_free(NULL);
}

static void test_lines_are_nobody_elses(void **state)
{
    static const size_t sizes[] = {0, 1, 64, 65, 1000};
    char *got[GATE_COUNT_OF(sizes)];

    (void)state;
    for (size_t i = 0; i < GATE_COUNT_OF(sizes); i++) {
        size_t whole = sizes[i] == 0 ? 64 : (sizes[i] + 63) / 64 * 64;

        got[i] = gate_calloc_lines(sizes[i]);
        assert_int_equal((uintptr_t)got[i] % 64, 0);
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(got[i][at], 0);
        memset(got[i], 1, whole); /* to the end of the last line */
    }
    for (size_t i = 0; i < GATE_COUNT_OF(sizes); i++)
        gate_free(got[i]);
}

static void test_slab_objects_are_apart(void **state)
{
    struct gate_slab s;
    char *got[300];

    (void)state;
    gate_slab_init(&s, "test", 100);
    assert_int_equal(s.size, 112);
    for (int i = 0; i < 300; i++) {
        got[i] = gate_slab_take(&s);
        assert_int_equal((uintptr_t)got[i] % 16, 0);
        memset(got[i], i, 100);
    }
    assert_int_equal(s.in_use, 300);
    for (int i = 0; i < 300; i++) {
        for (int at = 0; at < 100; at++)
            assert_int_equal((unsigned char)got[i][at], i & 0xff);
        gate_slab_give(&s, got[i]);
    }
    assert_int_equal(s.in_use, 0);
    gate_slab_fini(&s);
    gate_slab_fini(&s);
}

static void test_a_warm_slab_takes_no_page(void **state)
{
    struct gate_slab s;
    void *a, *pages;

    (void)state;
    gate_slab_init(&s, "test", 1);
    assert_int_equal(s.size, 16);
    a = gate_slab_take(&s);
    gate_slab_give(&s, a);
    pages = s.pages;
    for (int round = 0; round < 10; round++) {
        /* The object given last is taken first: it is warm in the cache. */
        assert_ptr_equal(gate_slab_take(&s), a);
        for (size_t i = 1; i < s.per_page; i++)
            gate_slab_take(&s);
        assert_ptr_equal(s.pages, pages);
        for (size_t i = s.per_page; i-- > 0;)
            gate_slab_give(&s, (char *)a + i * s.size);
    }
    gate_slab_fini(&s);
}

static void test_free_objects_are_poisoned(void **state)
{
#ifdef GATE_WITH_ASAN
    struct gate_slab s;
    char *p;

    (void)state;
    gate_slab_init(&s, "test", 64);
    p = gate_slab_take(&s);
    assert_false(GATE_POISONED(p) || GATE_POISONED(p + 63));
    assert_true(GATE_POISONED(p + 64));
    gate_slab_give(&s, p);
    assert_true(GATE_POISONED(p) && GATE_POISONED(p + 63));
    gate_slab_fini(&s);
#else
    (void)state;
    skip();
#endif
}

static void test_large_objects(void **state)
{
    struct gate_slab s;
    void *p;

    (void)state;
    gate_slab_init(&s, "test", 100000);
    assert_int_equal(s.per_page, 4);
    p = gate_slab_take(&s);
    memset(p, 7, 100000);
    gate_slab_give(&s, p);
    gate_slab_fini(&s);
}

/* Whether `fn` dies by a signal or a sanitizer's exit. */
static int dies(void (*fn)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        fn();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status != 0;
}

static void end_with_one_in_use(void)
{
    struct gate_slab s;

    gate_slab_init(&s, "test", 64);
    gate_slab_take(&s);
    gate_slab_fini(&s);
}

static void give_without_take(void)
{
    struct gate_slab s;
    void *p;

    gate_slab_init(&s, "test", 64);
    p = gate_slab_take(&s);
    gate_slab_give(&s, p);
    gate_slab_give(&s, p);
}

static void want_too_much(void)
{
    gate_realloc(gate_calloc(SIZE_MAX / 2, 4), 1);
}

static void test_misuse_aborts(void **state)
{
    (void)state;
    assert_true(dies(end_with_one_in_use));
    assert_true(dies(give_without_take));
    assert_true(dies(want_too_much));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_things),
        cmocka_unit_test(test_lines_are_nobody_elses),
        cmocka_unit_test(test_slab_objects_are_apart),
        cmocka_unit_test(test_a_warm_slab_takes_no_page),
        cmocka_unit_test(test_free_objects_are_poisoned),
        cmocka_unit_test(test_large_objects),
        cmocka_unit_test(test_misuse_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
