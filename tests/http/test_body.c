/* The body decoder against golden bodies, whole and byte by byte. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/body.h"

#define S(lit) (lit), sizeof(lit) - 1

struct outcome {
    enum gate_body_result end;
    size_t used; /* of the input, trailers included */
    char content[4096];
    size_t n;
    const char *why;
};

/* Feeds `step` bytes at a time, as a connection would. Copies keep the slices as short as what
 * arrived. */
static void drive(struct gate_body *b, const char *p, size_t n, size_t step, struct outcome *o)
{
    size_t have = 0;

    memset(o, 0, sizeof *o);
    o->end = GATE_BODY_MORE;
    for (;;) {
        struct gate_str content;
        size_t used = 0;
        size_t left = have - o->used;
        char *slice = malloc(left == 0 ? 1 : left);

        assert_non_null(slice);
        memcpy(slice, p + o->used, left);
        if (o->end == GATE_BODY_TRAILERS) {
            enum gate_body_result r = gate_body_trailers(b, slice, left, &used, &o->why);

            if (r != GATE_BODY_MORE)
                o->end = r;
        } else {
            o->end = gate_body_feed(b, slice, left, &used, &content, &o->why);
            if (o->end == GATE_BODY_DATA) {
                assert_true(o->n + content.n <= sizeof o->content);
                memcpy(o->content + o->n, content.p, content.n);
                o->n += content.n;
            }
        }
        free(slice);
        o->used += used;
        if (o->end == GATE_BODY_DONE || o->end == GATE_BODY_BAD)
            return;
        if (o->end == GATE_BODY_DATA || (o->end == GATE_BODY_TRAILERS && used > 0))
            continue;
        if (have == n)
            return;
        have = n - have < step ? n : have + step;
    }
}

static const size_t steps[] = {1, 2, 3, 5, 1000};

struct chunk_case {
    const char *bytes;
    size_t n;
    const char *content; /* NULL: refused */
    size_t rest;         /* bytes that belong to the next message */
};

static const struct chunk_case chunked[] = {
    {S("0\r\n\r\n"), "", 0},
    {S("5\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {S("5\r\nhello\r\n0\r\n\r\nGET /"), "hello", 5},
    {S("00000000000005\r\nhello\r\n000\r\n\r\n"), "hello", 0},
    {S("a\r\n0123456789\r\nB\r\n0123456789x\r\n0\r\n\r\n"), "01234567890123456789x", 0},
    {S("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n", 0},
    {S("5\r\nhello\r\n0\r\nX: 1\r\nY: 2\r\n\r\n"), "hello", 0},
    /* Extensions that RFC 9112 section 7.1.1 allows; llhttp 8.1 refuses some of them. */
    {S("5;a\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {S("5;a=b\r\nhello\r\n0;z\r\n\r\n"), "hello", 0},
    {S("5;a=b;c=d\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {S("5;a=\"x;\r y\"\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=\"x; y\\\"\\\\\tz\"\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {S("5;a=\"\";b\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {S("5;a=\"\xc3\xa9\"\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {S("5  ;a  =  b  ;\tc  ;d\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {S("5;a \t b\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=b(\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5 ; a = b ;\tc\t=\t\"d\" ; e\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    /* Extensions that it does not. */
    {S("5;\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=b;\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;=b\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a b\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a \r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=b \r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=b c\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=\"b\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=\"\\\x01\"\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a\nX\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a\rX\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;a=(\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5;;a\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    /* Sizes. */
    {S("5 \r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5\t\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S(" 5\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("0x5\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("+5\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("-1\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5g\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S(";a\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("10000000000000005\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("00000000000000005\r\nhello\r\n0\r\n\r\n"), NULL, 0},
    /* Line ends. */
    {S("5\nhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5\rXhello\r\n0\r\n\r\n"), NULL, 0},
    {S("5\r\nhelloXX0\r\n\r\n"), NULL, 0},
    {S("5\r\nhello\n0\r\n\r\n"), NULL, 0},
    {S("5\r\nhello\rX0\r\n\r\n"), NULL, 0},
    {S("5\r\nhello0\r\n\r\n"), NULL, 0},
    {S("5\r\nhello!\r\n0\r\n\r\n"), NULL, 0},
    {S("5\r\nhello\r\n0\n\n"), NULL, 0},
    /* Trailers. */
    {S("0\r\n X: 1\r\n\r\n"), NULL, 0},
    {S("0\r\nX : 1\r\n\r\n"), NULL, 0},
    {S("0\r\nX: 1\n\r\n"), NULL, 0},
    {S("0\r\n\rX"), NULL, 0},
    {S("0\r\nX: 1\r\n Y: 1\r\n\r\n"), NULL, 0},
    {S("0\r\n: 1\r\n\r\n"), NULL, 0},
};

static void chunked_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof chunked / sizeof *chunked; i++) {
        const struct chunk_case *c = &chunked[i];

        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            struct outcome o;
            struct gate_body b;

            gate_body_init(&b, GATE_BODY_CHUNKED, 0);
            drive(&b, c->bytes, c->n, steps[k], &o);
            if (o.end != (c->content == NULL ? GATE_BODY_BAD : GATE_BODY_DONE))
                print_error("case \"%s\", step %zu\n", c->bytes, steps[k]);
            if (c->content == NULL) {
                assert_int_equal(o.end, GATE_BODY_BAD);
                assert_non_null(o.why);
                assert_false(b.done);
                continue;
            }
            assert_int_equal(o.end, GATE_BODY_DONE);
            assert_true(b.done);
            assert_int_equal(o.used, c->n - c->rest);
            assert_int_equal(o.n, strlen(c->content));
            assert_memory_equal(o.content, c->content, o.n);
            assert_int_equal(b.total, o.n);
        }
    }
}

/* Every prefix of a good body wants more, and no prefix counts as complete when the peer goes away.
 */
static void truncated_bodies(void **state)
{
    static const char whole[] = "5;a=\"b\"\r\nhello\r\n0\r\nX: 1\r\n\r\n";

    (void)state;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        struct outcome o;
        struct gate_body b;

        gate_body_init(&b, GATE_BODY_CHUNKED, 0);
        drive(&b, whole, n, 1, &o);
        assert_true(o.end == GATE_BODY_MORE || o.end == GATE_BODY_TRAILERS);
        assert_false(gate_body_eof(&b));
        assert_false(b.done);
    }
}

static void extension_limits(void **state)
{
    static char body[64 * 1024];
    struct outcome o;
    struct gate_body b;

    (void)state;
    /* 256 bytes on one line pass, 257 do not. */
    for (int extra = 0; extra < 2; extra++) {
        int n = snprintf(body, sizeof body, "1;%0*d\r\na\r\n0\r\n\r\n", 255 + extra, 0);

        gate_body_init(&b, GATE_BODY_CHUNKED, 0);
        drive(&b, body, (size_t)n, 1000, &o);
        assert_int_equal(o.end, extra == 0 ? GATE_BODY_DONE : GATE_BODY_BAD);
    }
    /* 64 lines of 256 bytes are 16 KiB; one byte more is too much for the message. */
    for (int extra = 0; extra < 2; extra++) {
        int n = 0;

        for (int i = 0; i < 64; i++)
            n += snprintf(body + n, sizeof body - (size_t)n, "1;%0255d\r\na\r\n", 0);
        n += snprintf(body + n, sizeof body - (size_t)n, extra ? "1;a\r\na\r\n" : "0\r\n\r\n");
        gate_body_init(&b, GATE_BODY_CHUNKED, 0);
        drive(&b, body, (size_t)n, 1, &o);
        assert_int_equal(o.end, extra == 0 ? GATE_BODY_DONE : GATE_BODY_BAD);
    }
}

/* A mebibyte of extension is refused after its first 256 bytes. */
static void extension_flood(void **state)
{
    static char flood[1024 * 1024];
    struct gate_str content;
    struct gate_body b;
    const char *why;
    size_t used;

    (void)state;
    memset(flood, 'a', sizeof flood);
    flood[0] = '1';
    flood[1] = ';';
    gate_body_init(&b, GATE_BODY_CHUNKED, 0);
    assert_int_equal(gate_body_feed(&b, flood, sizeof flood, &used, &content, &why), GATE_BODY_BAD);
    assert_int_equal(used, 257);
}

static void lengths(void **state)
{
    struct outcome o;
    struct gate_body b;

    (void)state;
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        gate_body_init(&b, GATE_BODY_LENGTH, 5);
        drive(&b, S("helloGET /"), steps[k], &o);
        assert_int_equal(o.end, GATE_BODY_DONE);
        assert_int_equal(o.used, 5);
        assert_memory_equal(o.content, "hello", 5);
        assert_true(b.done);
        gate_body_init(&b, GATE_BODY_LENGTH, 5);
        drive(&b, S("hel"), steps[k], &o);
        assert_int_equal(o.end, GATE_BODY_MORE);
        assert_false(gate_body_eof(&b));
    }
    gate_body_init(&b, GATE_BODY_LENGTH, 0);
    assert_true(b.done);
    drive(&b, S("x"), 1, &o);
    assert_int_equal(o.end, GATE_BODY_DONE);
    assert_int_equal(o.used, 0);
    gate_body_init(&b, GATE_BODY_NONE, 7);
    assert_true(b.done);
    drive(&b, S("x"), 1, &o);
    assert_int_equal(o.end, GATE_BODY_DONE);
    assert_int_equal(o.used, 0);
}

/* `done` is already set with the last content, so that nobody has to ask once more. */
static void done_with_the_last_byte(void **state)
{
    struct gate_str content;
    struct gate_body b;
    const char *why;
    size_t used;

    (void)state;
    gate_body_init(&b, GATE_BODY_LENGTH, 3);
    assert_int_equal(gate_body_feed(&b, "abcdef", 6, &used, &content, &why), GATE_BODY_DATA);
    assert_int_equal(used, 3);
    assert_true(b.done);
}

static void until_the_end(void **state)
{
    struct outcome o;
    struct gate_body b;

    (void)state;
    gate_body_init(&b, GATE_BODY_EOF, 0);
    drive(&b, S("any\r\n0\r\n\r\n"), 2, &o);
    assert_int_equal(o.end, GATE_BODY_MORE);
    assert_int_equal(o.n, 10);
    assert_false(b.done);
    assert_true(gate_body_eof(&b));
    assert_true(b.done);
}

/* Trailers stop the decoder at their first byte, also when there are none. */
static void trailers_are_for_the_caller(void **state)
{
    struct gate_str content;
    struct gate_body b;
    const char *why;
    size_t used;

    (void)state;
    gate_body_init(&b, GATE_BODY_CHUNKED, 0);
    assert_int_equal(gate_body_feed(&b, "0\r\n\r\n", 5, &used, &content, &why), GATE_BODY_TRAILERS);
    assert_int_equal(used, 3);
    assert_int_equal(gate_body_feed(&b, "\r\n", 2, &used, &content, &why), GATE_BODY_TRAILERS);
    assert_int_equal(used, 0);
    assert_int_equal(gate_body_trailers(&b, "\r", 1, &used, &why), GATE_BODY_MORE);
    assert_int_equal(gate_body_trailers(&b, "\r\nG", 3, &used, &why), GATE_BODY_DONE);
    assert_int_equal(used, 2);
    assert_true(b.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunked_bodies),   cmocka_unit_test(truncated_bodies),
        cmocka_unit_test(extension_limits), cmocka_unit_test(extension_flood),
        cmocka_unit_test(lengths),          cmocka_unit_test(done_with_the_last_byte),
        cmocka_unit_test(until_the_end),    cmocka_unit_test(trailers_are_for_the_caller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
