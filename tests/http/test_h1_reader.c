/* Messages through the reader in pieces of every kind: byte by byte, over block borders, many
 * blocks at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/h1_reader.h"

/* A reader with the bytes that it will be given. */
struct feed {
    struct gate_block_pool pool;
    struct gate_h1_reader r;
    char *bytes;
    size_t n;
    size_t at;
    size_t step;   /* most of one read */
    char *content; /* of all bodies */
    size_t got;
    char trailers[256];
};

static void open_feed(struct feed *f, size_t cap, size_t step)
{
    memset(f, 0, sizeof(*f));
    gate_block_pool_init(&f->pool, 0);
    gate_h1_reader_init(&f->r);
    f->bytes = calloc(1, cap);
    f->content = calloc(1, cap);
    f->step = step;
}

static void close_feed(struct feed *f)
{
    gate_h1_reader_fini(&f->r);
    assert_int_equal(f->pool.live, 0);
    gate_block_pool_fini(&f->pool);
    free(f->bytes);
    free(f->content);
}

static void add(struct feed *f, const char *text)
{
    memcpy(f->bytes + f->n, text, strlen(text));
    f->n += strlen(text);
}

static void add_run(struct feed *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        f->bytes[f->n++] = (char)('a' + i % 26);
}

/* What a socket would put into the space. */
static size_t put(struct feed *f, struct gate_h1_space *s)
{
    size_t n = f->n - f->at < f->step ? f->n - f->at : f->step;
    size_t left;

    n = n < s->bytes ? n : s->bytes;
    left = n;
    for (int i = 0; left > 0; i++) {
        size_t take = left < s->iov[i].iov_len ? left : s->iov[i].iov_len;

        assert_true(i < s->count);
        memcpy(s->iov[i].iov_base, f->bytes + f->at, take);
        f->at += take;
        left -= take;
    }
    assert_true(n > 0);
    return n;
}

/* Reads until a head is there; its length. */
static size_t read_head(struct feed *f)
{
    struct gate_h1_space s;
    const char *p = NULL, *why = NULL;
    size_t n = 0;

    for (;;) {
        enum gate_scan_result res = GATE_SCAN_MORE;
        size_t got;

        if (gate_h1_reader_held(&f->r) > 0)
            res = gate_h1_reader_head(&f->r, &p, &n, &why);
        if (res == GATE_SCAN_DONE)
            return n;
        assert_int_equal(res, GATE_SCAN_MORE);
        assert_int_equal(gate_h1_reader_head_space(&f->r, &f->pool, &s), GATE_OK);
        got = put(f, &s);
        for (int i = 0; gate_h1_reader_filled(&f->r, &s, i, &got); i++)
            ;
    }
}

static enum gate_body_result consume(struct feed *f)
{
    struct gate_chain c;
    const char *p = NULL, *why = NULL;
    size_t n = 0;
    enum gate_body_result res;

    gate_chain_init(&c, &f->pool);
    res = gate_h1_reader_body(&f->r, &c, &p, &n, &why);
    gate_chain_read(&c, f->content + f->got);
    f->got += c.bytes;
    gate_chain_clear(&c);
    if (res == GATE_BODY_TRAILERS)
        snprintf(f->trailers, sizeof(f->trailers), "%.*s", (int)(n < 250 ? n : 250), p);
    return res;
}

/* Reads a body to its end with a credit that never runs out. */
static enum gate_body_result read_body(struct feed *f, enum gate_framing framing, uint64_t length)
{
    struct gate_h1_space s;
    enum gate_body_result res;

    gate_h1_reader_begin_body(&f->r, framing, length);
    res = consume(f);
    while (res == GATE_BODY_MORE || res == GATE_BODY_DATA) {
        size_t got;

        assert_int_equal(gate_h1_reader_body_space(&f->r, &f->pool, 1 << 20, &s), GATE_OK);
        got = put(f, &s);
        for (int i = 0; gate_h1_reader_filled(&f->r, &s, i, &got); i++) {
            if (res == GATE_BODY_MORE || res == GATE_BODY_DATA)
                res = consume(f);
        }
    }
    return res;
}

static const size_t steps[] = {1, 2, 7, 100, 16383, 16384, 16385, 40000, 100000, 1 << 20};

static void pipelined_messages(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
        struct feed f;

        open_feed(&f, 1 << 16, steps[k]);
        for (int i = 0; i < 20; i++)
            add(&f, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
                    "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                    "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3;a=b\r\nabc\r\n00002\r\nde\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n");
        for (int i = 0; i < 20; i++) {
            assert_int_equal(read_head(&f), 28);
            assert_int_equal(read_body(&f, GATE_BODY_NONE, 0), GATE_BODY_DONE);
            read_head(&f);
            f.got = 0;
            assert_int_equal(read_body(&f, GATE_BODY_LENGTH, 5), GATE_BODY_DONE);
            assert_memory_equal(f.content, "hello", 5);
            read_head(&f);
            f.got = 0;
            assert_int_equal(read_body(&f, GATE_BODY_CHUNKED, 0), GATE_BODY_TRAILERS);
            assert_memory_equal(f.content, "abcde", 5);
            assert_string_equal(f.trailers, "X-Sum: 1\r\nX-More: 2\r\n\r\n");
        }
        assert_int_equal(f.at, f.n);
        gate_h1_reader_rest(&f.r);
        assert_null(f.r.b);
        close_feed(&f);
    }
}

/* Bodies that grow the reads, with the next message right behind them. */
static void large_bodies(void **state)
{
    (void)state;
    for (size_t k = 4; k < sizeof(steps) / sizeof(steps[0]); k++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            struct feed f;
            char line[32];

            open_feed(&f, 4 << 20, steps[k]);
            add(&f, "POST / HTTP/1.1\r\n\r\n");
            if (chunked)
                add(&f, "fffff\r\n");
            add_run(&f, 0xfffff);
            for (int i = 0; chunked && i < 2000; i++) {
                snprintf(line, sizeof(line), "\r\n%x\r\n", 26 * (i % 20 + 1));
                add(&f, line);
                add_run(&f, 26u * (unsigned)(i % 20 + 1));
            }
            if (chunked)
                add(&f, "\r\n0\r\nX-Sum: 1\r\n\r\n");
            for (int i = 0; i < 2000; i++)
                add(&f, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
            read_head(&f);
            assert_int_equal(read_body(&f, chunked ? GATE_BODY_CHUNKED : GATE_BODY_LENGTH, 0xfffff),
                             chunked ? GATE_BODY_TRAILERS : GATE_BODY_DONE);
            assert_int_equal(f.got, chunked ? 0xfffff + 26 * 210 * 100 : 0xfffff);
            for (int i = 0; i < 0xfffff; i++)
                assert_true(f.content[i] == 'a' + i % 26);
            for (int i = 0; i < 2000; i++)
                assert_int_equal(read_head(&f), 31);
            assert_int_equal(f.at, f.n);
            close_feed(&f);
        }
    }
}

/* Heads of every size that fits, with several blocks offered at once; a body behind them. */
static void heads_grow_into_a_big_block(void **state)
{
    static const size_t sizes[] = {100,   2000,  14000, 16380, 16384,
                                   16390, 20000, 30000, 32767, 38900};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
            struct feed f;

            open_feed(&f, 1 << 18, steps[k]);
            f.r.blocks = (uint8_t)(1 << (k % 4));
            add(&f, "GET / HTTP/1.1\r\nX: ");
            add_run(&f, sizes[i] - f.n - 4);
            add(&f, "\r\n\r\n");
            add_run(&f, 26 * 3000);
            assert_int_equal(read_head(&f), sizes[i]);
            assert_int_equal(read_body(&f, GATE_BODY_LENGTH, 26 * 3000), GATE_BODY_DONE);
            for (int b = 0; b < 26 * 3000; b++)
                assert_true(f.content[b] == 'a' + b % 26);
            close_feed(&f);
        }
    }
}

static void heads_that_do_not_fit(void **state)
{
    (void)state;
    for (int blocks = 1; blocks <= 8; blocks *= 2) {
        struct feed f;
        struct gate_h1_space s;
        enum gate_err e;

        open_feed(&f, 1 << 20, 200000);
        f.r.blocks = (uint8_t)blocks;
        add(&f, "GET / HTTP/1.1\r\nX: ");
        add_run(&f, 900000);
        while ((e = gate_h1_reader_head_space(&f.r, &f.pool, &s)) == GATE_OK) {
            const char *p = NULL, *why = NULL;
            size_t n = 0, got = put(&f, &s);

            for (int i = 0; gate_h1_reader_filled(&f.r, &s, i, &got); i++)
                assert_int_equal(gate_h1_reader_head(&f.r, &p, &n, &why), GATE_SCAN_MORE);
        }
        assert_int_equal(e, GATE_E_LIMIT);
        assert_true(gate_h1_reader_held(&f.r) > GATE_BLOCK_BIG - 2048);
        close_feed(&f);
    }
}

static void trailers_over_a_block_border(void **state)
{
    (void)state;
    for (size_t pad = 16384 - 60; pad < 16384 + 5; pad++) {
        struct feed f;
        char line[32];

        open_feed(&f, 1 << 18, 1 << 18);
        f.r.blocks = 8;
        snprintf(line, sizeof(line), "HTTP/1.1 200 OK\r\n\r\n%zx\r\n", pad);
        add(&f, line);
        add_run(&f, pad);
        add(&f, "\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n");
        add_run(&f, 100000);
        read_head(&f);
        assert_int_equal(read_body(&f, GATE_BODY_CHUNKED, 0), GATE_BODY_TRAILERS);
        assert_string_equal(f.trailers, "X-A: 1\r\nX-B: 2\r\n\r\n");
        assert_int_equal(f.got, pad);
        close_feed(&f);
    }
}

/* A read never brings more than the credit, and little beyond the message. */
static void reads_are_bounded(void **state)
{
    struct feed f;
    struct gate_h1_space s;

    (void)state;
    open_feed(&f, 1000, 1000);
    f.r.blocks = 64;
    gate_h1_reader_begin_body(&f.r, GATE_BODY_LENGTH, 1 << 20);
    for (size_t credit = 1; credit < 300000; credit = credit * 3 + 1) {
        size_t sum = 0;

        assert_int_equal(gate_h1_reader_body_space(&f.r, &f.pool, credit, &s), GATE_OK);
        assert_int_equal(s.bytes, credit);
        for (int i = 0; i < s.count; i++)
            sum += s.iov[i].iov_len;
        assert_int_equal(sum, credit);
        gate_h1_reader_unused(&f.r, &s);
    }
    gate_h1_reader_begin_body(&f.r, GATE_BODY_LENGTH, 20000);
    assert_int_equal(gate_h1_reader_body_space(&f.r, &f.pool, 1 << 20, &s), GATE_OK);
    assert_in_range(s.bytes, 20000, 20000 + GATE_BLOCK_SIZE);
    gate_h1_reader_unused(&f.r, &s);
    assert_null(f.r.b);
    close_feed(&f);
}

/* The next read's size, after one of n bytes with this many blocks. */
static int blocks_after(struct feed *f, int blocks, size_t n)
{
    struct gate_h1_space s;

    gate_h1_reader_begin_body(&f->r, GATE_BODY_EOF, 0);
    f->r.blocks = (uint8_t)blocks;
    assert_int_equal(gate_h1_reader_body_space(&f->r, &f->pool, 1 << 30, &s), GATE_OK);
    n = n < s.bytes ? n : s.bytes;
    for (int i = 0; gate_h1_reader_filled(&f->r, &s, i, &n); i++)
        f->r.at = f->r.b->used;
    gate_h1_reader_rest(&f->r);
    return f->r.blocks;
}

static void reads_grow_and_shrink(void **state)
{
    struct feed f;

    (void)state;
    open_feed(&f, 1, 1);
    assert_int_equal(blocks_after(&f, 1, SIZE_MAX), 2);
    assert_int_equal(blocks_after(&f, GATE_H1_READ_BLOCKS, SIZE_MAX), GATE_H1_READ_BLOCKS);
    assert_int_equal(blocks_after(&f, 8, 4 * GATE_BLOCK_SIZE), 8);
    assert_int_equal(blocks_after(&f, 8, GATE_BLOCK_SIZE), 4);
    assert_int_equal(blocks_after(&f, 1, 1), 1);
    close_feed(&f);
}

static void no_memory(void **state)
{
    struct feed f;
    struct gate_h1_space s;

    (void)state;
    open_feed(&f, 1000, 1000);
    f.pool.limit = 1;
    assert_int_equal(gate_h1_reader_head_space(&f.r, &f.pool, &s), GATE_E_NOMEM);
    gate_h1_reader_begin_body(&f.r, GATE_BODY_LENGTH, 100);
    assert_int_equal(gate_h1_reader_body_space(&f.r, &f.pool, 100, &s), GATE_E_NOMEM);
    close_feed(&f);
}

/* The block for a head that grew over several reads is not to be had: the bytes are lost, and it is
 * said. */
static void no_memory_inside_a_read(void **state)
{
    struct feed f;
    struct gate_h1_space s;
    size_t got;

    (void)state;
    open_feed(&f, 40000, 40000);
    f.r.blocks = 2;
    add(&f, "GET / HTTP/1.1\r\nX: ");
    add_run(&f, 30000);
    assert_int_equal(gate_h1_reader_head_space(&f.r, &f.pool, &s), GATE_OK);
    f.pool.limit = f.pool.live_bytes;
    got = put(&f, &s);
    for (int i = 0; gate_h1_reader_filled(&f.r, &s, i, &got); i++)
        ;
    assert_true(f.r.lost);
    close_feed(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_messages),
        cmocka_unit_test(large_bodies),
        cmocka_unit_test(heads_grow_into_a_big_block),
        cmocka_unit_test(heads_that_do_not_fit),
        cmocka_unit_test(trailers_over_a_block_border),
        cmocka_unit_test(reads_are_bounded),
        cmocka_unit_test(reads_grow_and_shrink),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(no_memory_inside_a_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
