/* What the writer puts on the wire: heads, framings, lengths that are kept, small bodies behind
 * their head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/h1_writer.h"

struct bench {
    struct gate_block_pool pool;
    struct gate_h1_writer w;
};

static int open_bench(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    gate_block_pool_init(&b->pool, 0);
    gate_h1_writer_init(&b->w, &b->pool);
    *state = b;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *b = *state;

    gate_h1_writer_fini(&b->w);
    assert_int_equal(b->pool.live, 0);
    gate_block_pool_fini(&b->pool);
    free(b);
    return 0;
}

/* Takes what was written, as text until the next call. */
static const char *taken(struct bench *b)
{
    static char text[1 << 20];
    size_t n = b->w.out.bytes;

    assert_true(n < sizeof(text));
    gate_chain_read(&b->w.out, text);
    text[n] = '\0';
    gate_chain_clear(&b->w.out);
    return text;
}

static enum gate_err head(struct bench *b, int status, enum gate_framing framing, uint64_t length,
                          bool no_body)
{
    struct gate_message m = {.status = status, .framing = framing, .content_length = length};

    return gate_h1_writer_head(&b->w, &m, GATE_STR_NONE, no_body);
}

static enum gate_err body(struct bench *b, const char *text, bool last)
{
    struct gate_chain c;
    enum gate_err e;

    gate_chain_init(&c, &b->pool);
    gate_chain_copy(&c, text, strlen(text));
    e = gate_h1_writer_body(&b->w, &c, last);
    if (e == GATE_OK)
        assert_int_equal(c.bytes, 0);
    gate_chain_clear(&c);
    return e;
}

static void by_length(void **state)
{
    struct bench *b = *state;

    assert_int_equal(head(b, 200, GATE_BODY_LENGTH, 10, false), GATE_OK);
    assert_int_equal(body(b, "hello", false), GATE_OK);
    assert_false(b->w.ended);
    assert_int_equal(b->w.out.count, 1); /* behind its head: one plain send */
    assert_int_equal(body(b, "world", true), GATE_OK);
    assert_true(b->w.ended);
    assert_string_equal(taken(b), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhelloworld");
}

static void lengths_are_kept(void **state)
{
    struct bench *b = *state;

    head(b, 200, GATE_BODY_LENGTH, 4, false);
    assert_int_equal(body(b, "hello", false), GATE_E_INVALID);
    assert_int_equal(body(b, "he", false), GATE_OK);
    assert_int_equal(body(b, "l", true), GATE_E_INVALID);
    assert_int_equal(gate_h1_writer_trailers(&b->w, NULL), GATE_E_INVALID);
    assert_false(b->w.ended);
}

static void chunked(void **state)
{
    struct bench *b = *state;
    struct gate_field f = {"X-Sum", "1", 5, GATE_F_OTHER, 1};
    struct gate_fields fs = {.v = &f, .n = 1, .cap = 1};

    assert_int_equal(head(b, 200, GATE_BODY_CHUNKED, 0, false), GATE_OK);
    body(b, "hello", false);
    body(b, "", false); /* not the last chunk by mistake */
    body(b, "0123456789abcdef", false);
    assert_int_equal(gate_h1_writer_trailers(&b->w, &fs), GATE_OK);
    assert_true(b->w.ended);
    assert_string_equal(taken(b),
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                        "10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\n");
    head(b, 200, GATE_BODY_CHUNKED, 0, false);
    taken(b);
    body(b, "x", true);
    assert_string_equal(taken(b), "1\r\nx\r\n0\r\n\r\n");
    assert_int_equal(gate_h1_writer_trailers(&b->w, &fs), GATE_OK); /* once */
    assert_string_equal(taken(b), "");
}

static void until_the_end(void **state)
{
    struct bench *b = *state;

    head(b, 200, GATE_BODY_EOF, 0, false);
    body(b, "hello", false);
    assert_false(b->w.ended);
    body(b, "", true);
    assert_true(b->w.ended);
    assert_string_equal(taken(b), "HTTP/1.1 200 OK\r\n\r\nhello");
}

static void heads_without_bodies(void **state)
{
    struct bench *b = *state;

    head(b, 200, GATE_BODY_LENGTH, 10, true); /* HEAD */
    assert_true(b->w.ended);
    assert_int_equal(body(b, "hello", true), GATE_OK);
    assert_string_equal(taken(b), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    head(b, 200, GATE_BODY_CHUNKED, 0, true);
    assert_int_equal(gate_h1_writer_trailers(&b->w, NULL), GATE_OK);
    assert_string_equal(taken(b), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    head(b, 204, GATE_BODY_NONE, 0, true);
    assert_string_equal(taken(b), "HTTP/1.1 204 No Content\r\n\r\n");
}

static void interim_heads_change_nothing(void **state)
{
    struct bench *b = *state;
    struct gate_message m = {.status = 103};

    head(b, 200, GATE_BODY_CHUNKED, 0, false);
    taken(b);
    assert_int_equal(gate_h1_writer_info(&b->w, &m), GATE_OK);
    assert_string_equal(taken(b), "HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_int_equal(b->w.framing, GATE_BODY_CHUNKED);
    assert_false(b->w.ended);
}

/* Large content goes by reference, not by copy. */
static void large_bodies_are_not_copied(void **state)
{
    struct bench *b = *state;
    struct gate_block *block = gate_block_take(&b->pool);
    struct gate_chain c;

    memset(block->data, 'x', GATE_BLOCK_SIZE);
    gate_chain_init(&c, &b->pool);
    gate_chain_add(&c, block, block->data, 10000);
    head(b, 200, GATE_BODY_LENGTH, 10000, false);
    assert_int_equal(gate_h1_writer_body(&b->w, &c, true), GATE_OK);
    assert_int_equal(block->refs, 2);
    gate_block_unref(&block);
    assert_int_equal(strlen(taken(b)),
                     strlen("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n") + 10000);
}

static void heads_of_every_size(void **state)
{
    struct bench *b = *state;
    static char value[60000];
    struct gate_field f = {"X", value, 1, GATE_F_OTHER, 0};
    struct gate_message m = {.status = 200, .extra = &f, .n_extra = 1};

    memset(value, 'v', sizeof(value));
    for (uint32_t n = 1000; n <= 40000; n += 13000) {
        f.value_len = n;
        assert_int_equal(gate_h1_writer_head(&b->w, &m, GATE_STR("close"), false), GATE_OK);
        assert_int_equal(strlen(taken(b)),
                         n + strlen("HTTP/1.1 200 OK\r\nX: \r\nConnection: close\r\n\r\n"));
    }
    f.value_len = 50000;
    assert_int_equal(gate_h1_writer_head(&b->w, &m, GATE_STR_NONE, false), GATE_E_LIMIT);
    f.value_len = 5;
    b->pool.limit = 1;
    assert_int_equal(gate_h1_writer_head(&b->w, &m, GATE_STR_NONE, false), GATE_E_NOMEM);
}

/* What the limits of heads allow has its place; more leaves the message without its end. */
static void trailers_of_every_size(void **state)
{
    struct bench *b = *state;
    static char value[50000];
    struct gate_field f = {"X", value, 1, GATE_F_OTHER, 32000};
    struct gate_fields fs = {.v = &f, .n = 1, .cap = 1};

    memset(value, 'v', sizeof(value));
    head(b, 200, GATE_BODY_CHUNKED, 0, false);
    taken(b);
    assert_int_equal(gate_h1_writer_trailers(&b->w, &fs), GATE_OK);
    assert_int_equal(strlen(taken(b)), 32000 + strlen("0\r\nX: \r\n\r\n"));
    head(b, 200, GATE_BODY_CHUNKED, 0, false);
    taken(b);
    f.value_len = 50000;
    assert_int_equal(gate_h1_writer_trailers(&b->w, &fs), GATE_E_LIMIT);
    assert_int_equal(b->w.out.bytes, 0);
    assert_false(b->w.ended);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(by_length),
        CASE(lengths_are_kept),
        CASE(chunked),
        CASE(until_the_end),
        CASE(heads_without_bodies),
        CASE(interim_heads_change_nothing),
        CASE(large_bodies_are_not_copied),
        CASE(heads_of_every_size),
        CASE(trailers_of_every_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
