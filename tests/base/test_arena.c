#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/poison.h"

static void test_allocations_are_apart_and_aligned(void **state)
{
    struct gate_chunk_pool pool;
    struct gate_arena a;
    unsigned char *got[500];

    (void)state;
    gate_chunk_pool_init(&pool);
    gate_arena_init(&a, &pool);
    assert_null(a.pages);
    for (int i = 0; i < 500; i++) {
        got[i] = gate_arena_alloc(&a, (size_t)i);
        assert_int_equal((uintptr_t)got[i] % 16, 0);
        memset(got[i], i, (size_t)i);
    }
    for (int i = 0; i < 500; i++) {
        for (int at = 0; at < i; at++)
            assert_int_equal(got[i][at], i & 0xff);
    }
    assert_int_equal(a.bytes, 499 * 500 / 2);
    gate_arena_clear(&a);
    assert_int_equal(pool.live, 0);
    assert_true(pool.n_hot > 30);
    gate_chunk_pool_fini(&pool);
}

static void test_a_warm_pool_gives_the_same_pages(void **state)
{
    struct gate_chunk_pool pool;
    struct gate_arena a;
    void *first;

    (void)state;
    gate_chunk_pool_init(&pool);
    gate_arena_init(&a, &pool);
    first = gate_arena_alloc(&a, 10);
    assert_int_equal(pool.live, 1);
    gate_arena_clear(&a);
    assert_int_equal(pool.n_hot, 1);
    assert_ptr_equal(gate_arena_alloc(&a, 10), first);
    assert_int_equal(pool.n_hot, 0);
    gate_arena_clear(&a);
    gate_arena_clear(&a);
    gate_chunk_pool_fini(&pool);
}

static void test_large_things_leave_the_page_in_use(void **state)
{
    struct gate_chunk_pool pool;
    struct gate_arena a;
    char *before, *large, *after;

    (void)state;
    gate_chunk_pool_init(&pool);
    gate_arena_init(&a, &pool);
    large = gate_arena_alloc(&a, 5000);
    memset(large, 1, 5000);
    before = gate_arena_alloc(&a, 16);
    large = gate_arena_zalloc(&a, 100000);
    assert_int_equal(large[99999], 0);
    memset(large, 2, 100000);
    after = gate_arena_alloc(&a, 16);
    assert_true(after > before && after - before <= 64);
    /* Only the ordinary page is the pool's. */
    assert_int_equal(pool.live, 1);
    gate_arena_clear(&a);
    assert_int_equal(pool.n_hot, 1);
    gate_chunk_pool_fini(&pool);
}

static void test_what_nobody_needed_goes_back(void **state)
{
    struct gate_chunk_pool pool;
    struct gate_arena a;

    (void)state;
    gate_chunk_pool_init(&pool);
    gate_arena_init(&a, &pool);
    for (int i = 0; i < 8; i++)
        memset(gate_arena_alloc(&a, 4000), 1, 4000);
    gate_arena_clear(&a);
    gate_chunk_pool_trim(&pool);
    assert_int_equal(gate_chunk_pool_hot(&pool), 8 * 4096);
    gate_arena_alloc(&a, 10);
    gate_arena_clear(&a);
    gate_chunk_pool_trim(&pool);
    assert_int_equal(gate_chunk_pool_hot(&pool), 4096);
    gate_chunk_pool_fini(&pool);
}

static void test_copies(void **state)
{
    struct gate_arena a;
    struct gate_str s;
    char *z;

    (void)state;
    gate_arena_init(&a, NULL);
    s = gate_arena_copy(&a, GATE_STR("hello"));
    assert_true(gate_str_eq(s, GATE_STR("hello")));
    s = gate_arena_copy(&a, GATE_STR_NONE);
    assert_int_equal(s.n, 0);
    assert_non_null(s.p);
    z = gate_arena_cstr(&a, GATE_STR("hello"));
    assert_string_equal(z, "hello");
    assert_string_equal(gate_arena_cstr(&a, GATE_STR_NONE), "");
    gate_arena_clear(&a);
}

struct trace {
    struct gate_arena *a;
    char text[8];
    int n;
};

static void note_one(void *arg)
{
    struct trace *t = arg;

    t->text[t->n++] = '1';
}

static void note_two(void *arg)
{
    struct trace *t = arg;

    t->text[t->n++] = '2';
    /* Legal while the arena is being cleared. */
    gate_arena_on_clear(t->a, note_one, t);
}

static void test_notes_run_in_reverse(void **state)
{
    struct gate_arena a;
    struct trace t = { &a, "", 0 };

    (void)state;
    gate_arena_init(&a, NULL);
    gate_arena_on_clear(&a, note_one, &t);
    gate_arena_on_clear(&a, note_one, &t);
    gate_arena_on_clear(&a, note_two, &t);
    gate_arena_clear(&a);
    assert_string_equal(t.text, "2111");
    gate_arena_clear(&a);
    assert_int_equal(t.n, 4);
}

static void note(void *arg)
{
    (*(int *)arg)++;
}

static void test_an_arena_takes_what_another_holds(void **state)
{
    struct gate_chunk_pool pool;
    struct gate_arena a, b;
    int notes = 0;
    char *mine, *theirs, *large;

    (void)state;
    gate_chunk_pool_init(&pool);
    gate_arena_init(&a, &pool);
    gate_arena_init(&b, &pool);
    gate_arena_adopt(&a, &b); /* of nothing: nothing */
    theirs = gate_arena_cstr(&b, GATE_STR("theirs"));
    large = gate_arena_zalloc(&b, 100000);
    gate_arena_on_clear(&b, note, &notes);
    gate_arena_adopt(&a, &b); /* by one that has no page yet */
    mine = gate_arena_cstr(&a, GATE_STR("mine"));
    gate_arena_alloc(&b, 16); /* it can be used again */
    gate_arena_on_clear(&a, note, &notes);
    gate_arena_on_clear(&b, note, &notes);
    gate_arena_adopt(&a, &b);
    gate_arena_clear(&b);
    assert_int_equal(notes, 0);
    assert_string_equal(mine, "mine");
    assert_string_equal(theirs, "theirs");
    assert_int_equal(large[99999], 0);
    gate_arena_clear(&a);
    assert_int_equal(notes, 3);
    assert_int_equal(a.bytes + b.bytes, 0);
    gate_chunk_pool_fini(&pool);
}

static void test_what_is_not_handed_out_is_poisoned(void **state)
{
#ifdef GATE_WITH_ASAN
    struct gate_chunk_pool pool;
    struct gate_arena a;
    char *p;

    (void)state;
    gate_chunk_pool_init(&pool);
    gate_arena_init(&a, &pool);
    p = gate_arena_alloc(&a, 32);
    gate_arena_alloc(&a, 32);
    assert_false(GATE_POISONED(p + 31));
    assert_true(GATE_POISONED(p + 32));
    gate_arena_clear(&a);
    assert_true(GATE_POISONED(p));
    gate_chunk_pool_fini(&pool);
#else
    (void)state;
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocations_are_apart_and_aligned),
        cmocka_unit_test(test_a_warm_pool_gives_the_same_pages),
        cmocka_unit_test(test_large_things_leave_the_page_in_use),
        cmocka_unit_test(test_what_nobody_needed_goes_back),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_notes_run_in_reverse),
        cmocka_unit_test(test_an_arena_takes_what_another_holds),
        cmocka_unit_test(test_what_is_not_handed_out_is_poisoned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
