#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/block.h"
#include "base/err.h"

static struct gate_block_pool pool;

static int setup(void **state)
{
    (void)state;
    gate_block_pool_init(&pool, 0);
    return 0;
}

/* Fails when a test kept a block or a segment. */
static int teardown(void **state)
{
    (void)state;
    gate_block_pool_fini(&pool);
    return 0;
}

static void assert_holds(const struct gate_chain *c, const char *want, size_t n)
{
    char *got = malloc(n + 1);

    assert_int_equal(c->bytes, n);
    gate_chain_read(c, got);
    assert_memory_equal(got, want, n);
    free(got);
}

static void assert_text(const struct gate_chain *c, const char *want)
{
    assert_holds(c, want, strlen(want));
}

static struct gate_block *block_with(const char *text)
{
    struct gate_block *b = gate_block_take(&pool);

    memcpy(b->data, text, strlen(text));
    b->used = (uint32_t)strlen(text);
    return b;
}

static void test_add_joins_neighbours(void **state)
{
    struct gate_block *b = block_with("abcdef");
    struct gate_chain c;

    (void)state;
    gate_chain_init(&c, &pool);
    gate_chain_add(&c, b, b->data, 2);
    gate_chain_add(&c, b, b->data + 2, 2);
    assert_int_equal(c.count, 1);
    assert_int_equal(b->refs, 2);
    gate_chain_add(&c, b, b->data + 5, 1);
    gate_chain_add(&c, b, b->data, 0);
    assert_int_equal(c.count, 2);
    assert_int_equal(b->refs, 3);
    gate_chain_add(&c, NULL, "literal", 7);
    assert_text(&c, "abcdfliteral");
    gate_chain_clear(&c);
    assert_int_equal(b->refs, 1);
    assert_int_equal(c.bytes, 0);
    assert_int_equal(c.count, 0);
    assert_int_equal(pool.segs.in_use, 0);
    gate_block_unref(&b);
}

static void test_drop_and_front(void **state)
{
    struct gate_block *b = block_with("abcdef");
    struct gate_chain c;
    struct gate_slice s;

    (void)state;
    gate_chain_init(&c, &pool);
    assert_false(gate_chain_front(&c, &s));
    gate_chain_drop(&c, 0);
    gate_chain_add(&c, b, b->data, 3);
    gate_chain_add(&c, NULL, "123", 3);
    gate_chain_drop(&c, 1);
    assert_true(gate_chain_front(&c, &s));
    assert_ptr_equal(s.b, b);
    assert_ptr_equal(s.p, b->data + 1);
    assert_int_equal(s.n, 2);
    gate_chain_drop(&c, 3);
    assert_int_equal(b->refs, 1);
    assert_text(&c, "23");
    gate_chain_drop(&c, 2);
    assert_false(gate_chain_front(&c, &s));
    assert_int_equal(pool.segs.in_use, 0);
    gate_block_unref(&b);
}

static void test_copy_uses_exclusive_room(void **state)
{
    struct gate_chain c, other;
    struct gate_slice s;

    (void)state;
    gate_chain_init(&c, &pool);
    gate_chain_init(&other, &pool);
    assert_int_equal(gate_chain_copy(&c, "", 0), GATE_OK);
    assert_int_equal(pool.live, 0);
    assert_int_equal(gate_chain_copy(&c, "hello ", 6), GATE_OK);
    assert_int_equal(gate_chain_copy(&c, "world", 5), GATE_OK);
    assert_int_equal(c.count, 1);
    assert_int_equal(pool.live, 1);
    assert_text(&c, "hello world");

    /* Another user of the block: nothing may be written behind what he sees. */
    gate_chain_share(&other, &c);
    assert_int_equal(gate_chain_copy(&c, "!", 1), GATE_OK);
    assert_int_equal(c.count, 2);
    assert_int_equal(pool.live, 2);
    assert_text(&c, "hello world!");
    gate_chain_clear(&other);

    /* A slice that ends before its block's content: neither. */
    gate_chain_clear(&c);
    assert_int_equal(gate_chain_copy(&c, "abcd", 4), GATE_OK);
    gate_chain_move_n(&other, &c, 2);
    gate_chain_clear(&c);
    assert_int_equal(gate_chain_copy(&other, "X", 1), GATE_OK);
    assert_int_equal(other.count, 2);
    gate_chain_front(&other, &s);
    assert_memory_equal(s.b->data, "abcd", 4);
    gate_chain_clear(&other);
}

static void test_copy_of_much_is_all_or_nothing(void **state)
{
    size_t n = 3 * GATE_BLOCK_SIZE + 100;
    char *bytes = malloc(n);
    struct gate_chain c;

    (void)state;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    gate_chain_init(&c, &pool);
    assert_int_equal(gate_chain_copy(&c, bytes, n), GATE_OK);
    assert_int_equal(c.count, 4);
    assert_holds(&c, bytes, n);
    gate_chain_clear(&c);

    assert_int_equal(gate_chain_copy(&c, bytes, 100), GATE_OK);
    assert_int_equal(gate_chain_copy(&c, bytes + 100, n - 100), GATE_OK);
    assert_int_equal(c.count, 4);
    assert_holds(&c, bytes, n);
    gate_chain_clear(&c);

    pool.limit = 3 * GATE_BLOCK_SIZE;
    assert_int_equal(gate_chain_copy(&c, bytes, 100), GATE_OK);
    assert_int_equal(gate_chain_copy(&c, bytes, n), GATE_E_NOMEM);
    assert_int_equal(pool.live, 1);
    assert_holds(&c, bytes, 100);
    gate_chain_clear(&c);
    free(bytes);
}

static void test_moving(void **state)
{
    struct gate_chain a, b;

    (void)state;
    gate_chain_init(&a, &pool);
    gate_chain_init(&b, &pool);
    gate_chain_move(&a, &b);
    gate_chain_add(&b, NULL, "abc", 3);
    gate_chain_move(&a, &b);
    assert_int_equal(b.bytes, 0);
    assert_null(b.head);
    gate_chain_add(&b, NULL, "def", 3);
    gate_chain_move(&a, &b);
    assert_text(&a, "abcdef");
    /* Many slices move with their segments. */
    for (int i = 0; i < 20; i++)
        gate_chain_add(&b, NULL, &"0123456789"[i % 10], 1);
    gate_chain_move(&a, &b);
    assert_text(&a, "abcdef01234567890123456789");
    assert_int_equal(gate_chain_move_n(&b, &a, 7), 7);
    assert_text(&b, "abcdef0");
    assert_int_equal(gate_chain_move_n(&b, &a, 1000), 19);
    assert_text(&b, "abcdef01234567890123456789");
    assert_int_equal(gate_chain_move_n(&a, &b, 0), 0);
    gate_chain_clear(&b);
}

static void test_moved_neighbours_join(void **state)
{
    struct gate_block *b = block_with("abcdef");
    struct gate_chain from, to;

    (void)state;
    gate_chain_init(&from, &pool);
    gate_chain_init(&to, &pool);
    gate_chain_add(&from, b, b->data, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(gate_chain_move_n(&to, &from, 1), 1);
    assert_int_equal(to.count, 1);
    assert_int_equal(b->refs, 2);
    assert_text(&to, "abcdef");
    gate_chain_clear(&to);
    gate_block_unref(&b);
}

static void test_iov(void **state)
{
    struct gate_chain c;
    struct iovec iov[16];

    (void)state;
    gate_chain_init(&c, &pool);
    assert_int_equal(gate_chain_iov(&c, iov, 16), 0);
    for (int i = 0; i < 10; i++)
        gate_chain_add(&c, NULL, &"0123456789"[i], 1);
    gate_chain_drop(&c, 1);
    assert_int_equal(gate_chain_iov(&c, iov, 16), 9);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(iov[i].iov_len, 1);
        assert_int_equal(*(const char *)iov[i].iov_base, '1' + i);
    }
    assert_int_equal(gate_chain_iov(&c, iov, 7), 7);
    assert_int_equal(gate_chain_iov(&c, iov, 0), 0);
    gate_chain_clear(&c);
}

#define MODEL_CHAINS 3
#define MODEL_BYTES (1u << 20)

/* What a chain must hold, as plain bytes. */
struct model {
    struct gate_chain c;
    char *bytes;
    size_t n;
};

static void model_drop(struct model *m, size_t n)
{
    gate_chain_drop(&m->c, n);
    memmove(m->bytes, m->bytes + n, m->n - n);
    m->n -= n;
}

static void model_move(struct model *to, struct model *from, size_t n)
{
    size_t moved = gate_chain_move_n(&to->c, &from->c, n);

    assert_int_equal(moved, n < from->n ? n : from->n);
    memcpy(to->bytes + to->n, from->bytes, moved);
    to->n += moved;
    memmove(from->bytes, from->bytes + moved, from->n - moved);
    from->n -= moved;
}

static void model_copy(struct model *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        m->bytes[m->n + i] = (char)rand();
    assert_int_equal(gate_chain_copy(&m->c, m->bytes + m->n, n), GATE_OK);
    m->n += n;
}

static void model_share(struct model *to, const struct model *from)
{
    gate_chain_share(&to->c, &from->c);
    memcpy(to->bytes + to->n, from->bytes, from->n);
    to->n += from->n;
}

static void model_step(struct model *m)
{
    struct model *a = &m[rand() % MODEL_CHAINS];
    struct model *b = &m[rand() % MODEL_CHAINS];
    size_t n = (size_t)rand() % (rand() % 8 == 0 ? 40000 : 50);

    switch (rand() % 4) {
    case 0:
        if (a->n < 100000)
            model_copy(a, n);
        break;
    case 1:
        model_drop(a, n < a->n ? n : a->n);
        break;
    case 2:
        if (a != b)
            model_move(a, b, n);
        break;
    default:
        if (a != b && a->n + b->n < 200000)
            model_share(a, b);
        break;
    }
    assert_holds(&a->c, a->bytes, a->n);
}

/* Random steps on three chains that share blocks, against plain bytes. */
static void test_like_plain_bytes(void **state)
{
    struct model m[MODEL_CHAINS];

    (void)state;
    srand(20260102);
    for (int i = 0; i < MODEL_CHAINS; i++) {
        gate_chain_init(&m[i].c, &pool);
        m[i].bytes = malloc(MODEL_BYTES);
        m[i].n = 0;
    }
    for (int step = 0; step < 20000; step++)
        model_step(m);
    for (int i = 0; i < MODEL_CHAINS; i++) {
        assert_holds(&m[i].c, m[i].bytes, m[i].n);
        gate_chain_clear(&m[i].c);
        free(m[i].bytes);
    }
    assert_int_equal(pool.live, 0);
}

#define CHAIN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHAIN_TEST(test_add_joins_neighbours),
        CHAIN_TEST(test_drop_and_front),
        CHAIN_TEST(test_copy_uses_exclusive_room),
        CHAIN_TEST(test_copy_of_much_is_all_or_nothing),
        CHAIN_TEST(test_moving),
        CHAIN_TEST(test_moved_neighbours_join),
        CHAIN_TEST(test_iov),
        CHAIN_TEST(test_like_plain_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
