/* The raw byte check. Every case runs whole, and fed byte by byte: the verdict and its place must
 * be the same. covers: http/bytes.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/bytes_int.h"
#include "http/scan.h"

struct scan_case {
    const char *bytes;
    size_t n;
    enum gate_scan_result want;
    uint32_t lines;  /* DONE */
    const char *why; /* BAD */
};

#define S(lit)    (lit), sizeof(lit) - 1
#define LONG_TEXT "0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct scan_case heads[] = {
    {S("GET / HTTP/1.1\r\n\r\n"), GATE_SCAN_DONE, 2, NULL},
    {S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), GATE_SCAN_DONE, 3, NULL},
    {S("GET / HTTP/1.1\r\nHost:\r\nX:\t \r\nY: \xff\x80\t.\r\n\r\n"), GATE_SCAN_DONE, 5, NULL},
    {S("GET / HTTP/1.1\r\n" LONG_TEXT ": " LONG_TEXT "\r\n\r\n"), GATE_SCAN_DONE, 3, NULL},
    {S("GET / HTTP/1.1\r\n!#$%&'*+-.^_`|~19azAZ: 1\r\n\r\n"), GATE_SCAN_DONE, 3, NULL},
    {S("G\xff /\tx\r\n\r\n"), GATE_SCAN_DONE, 2, NULL},
    {S("\r\n\r\n"), GATE_SCAN_DONE, 2, NULL},
    {S(""), GATE_SCAN_MORE, 0, NULL},
    {S("GET / HTT"), GATE_SCAN_MORE, 0, NULL},
    {S("GET / HTTP/1.1\r\nHost"), GATE_SCAN_MORE, 0, NULL},
    {S("GET / HTTP/1.1\r\nHost: a\r\n\r"), GATE_SCAN_MORE, 0, NULL},
    {S("GET /a\r\n"), GATE_SCAN_MORE, 0, NULL},
    /* Bare LF and bare CR in every place. */
    {S("GET / HTTP/1.1\nHost: a\n\n"), GATE_SCAN_BAD, 0, "LF without CR"},
    {S("GET / HTTP/1.1\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n"), GATE_SCAN_BAD, 0,
     "LF without CR"},
    {S("GET / HTTP/1.1\r\nHost: a\r\n\n"), GATE_SCAN_BAD, 0, "LF without CR"},
    {S("GET / HTTP/1.1\r\nHo\nst: a\r\n\r\n"), GATE_SCAN_BAD, 0, "LF without CR"},
    {S("GET / HTTP/1.1\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n"), GATE_SCAN_BAD, 0,
     "CR without LF"},
    {S("GET / HTTP/1.1\r\nX-Abc: \rxTransfer-Encoding: chunked\r\n\r\n"), GATE_SCAN_BAD, 0,
     "CR without LF"},
    {S("GET / HTTP/1.1\r\rHost: a\r\n\r\n"), GATE_SCAN_BAD, 0, "CR without LF"},
    {S("GET / HTTP/1.1\r\n\rX"), GATE_SCAN_BAD, 0, "CR without LF"},
    {S("GET / HTTP/1.1\r\nHo\rst: a\r\n\r\n"), GATE_SCAN_BAD, 0,
     "byte that a field name may not hold"},
    /* Folds. */
    {S("GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n"), GATE_SCAN_BAD, 0, "folded line"},
    {S("GET / HTTP/1.1\r\nHost: x\r\n Content-Length: 5\r\n\r\n"), GATE_SCAN_BAD, 0, "folded line"},
    {S("GET / HTTP/1.1\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n"), GATE_SCAN_BAD, 0,
     "folded line"},
    {S("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), GATE_SCAN_BAD, 0, "folded line"},
    /* Names. */
    {S("GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n"), GATE_SCAN_BAD, 0, "space before the colon"},
    {S("GET / HTTP/1.1\r\nContent-Length\t: 5\r\n\r\n"), GATE_SCAN_BAD, 0,
     "space before the colon"},
    {S("GET / HTTP/1.1\r\n: empty\r\n\r\n"), GATE_SCAN_BAD, 0, "empty field name"},
    {S("GET / HTTP/1.1\r\nX-\xe9: 1\r\n\r\n"), GATE_SCAN_BAD, 0,
     "byte that a field name may not hold"},
    {S("GET / HTTP/1.1\r\nnocolon\r\n\r\n"), GATE_SCAN_BAD, 0,
     "byte that a field name may not hold"},
    {S("GET / HTTP/1.1\r\n(x): 1\r\n\r\n"), GATE_SCAN_BAD, 0,
     "byte that a field name may not hold"},
    /* Controls. */
    {S("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n"), GATE_SCAN_BAD, 0, "NUL byte"},
    {S("GET /a\0b HTTP/1.1\r\n\r\n"), GATE_SCAN_BAD, 0, "NUL byte"},
    {S("GET / HTTP/1.1\r\nX: a\x7f\r\n\r\n"), GATE_SCAN_BAD, 0, "control byte"},
    {S("GET / HTTP/1.1\r\nX: a\x01\r\n\r\n"), GATE_SCAN_BAD, 0, "control byte"},
    {S("GET / HTTP/1.1\r\nTransfer-Encoding:\x0b"
       "chunked\r\n\r\n"),
     GATE_SCAN_BAD, 0, "control byte"},
    {S("GET /\x1b HTTP/1.1\r\n\r\n"), GATE_SCAN_BAD, 0, "control byte"},
    {S("HTTP/1.1 200 O\x1bK\r\n\r\n"), GATE_SCAN_BAD, 0, "control byte"},
};

static const struct scan_case trailers[] = {
    {S("\r\n"), GATE_SCAN_DONE, 1, NULL},
    {S("X: 1\r\n\r\n"), GATE_SCAN_DONE, 2, NULL},
    {S("X: 1\r\n"), GATE_SCAN_MORE, 0, NULL},
    {S(" X: 1\r\n\r\n"), GATE_SCAN_BAD, 0, "folded line"},
    {S("\n"), GATE_SCAN_BAD, 0, "LF without CR"},
    {S("\rX"), GATE_SCAN_BAD, 0, "CR without LF"},
    {S("X: 1\r\nGET / HTTP/1.1\r\n\r\n"), GATE_SCAN_BAD, 0, "space before the colon"},
};

typedef enum gate_scan_result (*scan_fn)(struct gate_scan *, const char *, size_t, size_t *,
                                         const char **);

/* Runs one case on a copy that is exactly as long as what has "arrived", so that a sanitizer sees a
 * read too far. */
static void check(const struct scan_case *c, scan_fn scan, size_t step)
{
    struct gate_scan s = {0};
    enum gate_scan_result got = GATE_SCAN_MORE;
    const char *why = NULL;
    size_t len = 0;
    size_t n = 0;

    do {
        char *copy;

        n = c->n - n < step ? c->n : n + step;
        copy = malloc(n == 0 ? 1 : n);
        assert_non_null(copy);
        memcpy(copy, c->bytes, n);
        got = scan(&s, copy, n, &len, &why);
        free(copy);
    } while (got == GATE_SCAN_MORE && n < c->n);
    if (got != c->want)
        print_error("case %s, step %zu: %s\n", c->bytes, step, why == NULL ? "" : why);
    assert_int_equal(got, c->want);
    if (got == GATE_SCAN_DONE) {
        assert_int_equal(len, c->n);
        assert_int_equal(s.lines, c->lines);
        assert_int_equal(s.at, c->n);
    }
    if (got == GATE_SCAN_BAD)
        assert_string_equal(why, c->why);
}

static void heads_and_trailers(void **state)
{
    static const size_t steps[] = {1, 2, 3, 7, 16, 17, 1000};

    (void)state;
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
            check(&heads[i], gate_scan_head, steps[k]);
        for (size_t i = 0; i < sizeof trailers / sizeof *trailers; i++)
            check(&trailers[i], gate_scan_trailers, steps[k]);
    }
}

/* What follows the head belongs to somebody else, whatever it is. */
static void stops_at_the_end(void **state)
{
    static const char two[] = "GET / HTTP/1.1\r\nA: b\r\n\r\n\n\0 garbage";
    struct gate_scan s = {0};
    const char *why;
    size_t len;

    (void)state;
    assert_int_equal(gate_scan_head(&s, two, sizeof two - 1, &len, &why), GATE_SCAN_DONE);
    assert_int_equal(len, 24);
}

/* Each byte value in each place of a 40-byte value and name: vector steps and scalar tail agree
 * with the rule. */
static void every_byte_everywhere(void **state)
{
    char head[128];

    (void)state;
    for (int c = 0; c < 256; c++) {
        bool text = c == '\t' || (c >= 0x20 && c != 0x7f);
        bool token = strchr("!#$%&'*+-.^_`|~", c) != NULL && c != 0;

        token = token || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        for (size_t at = 0; at < 40; at++) {
            struct gate_scan s = {0};
            const char *why;
            size_t len;
            size_t n;

            memcpy(head, "R\r\nvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv:", 44);
            memcpy(head + 44, "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv\r\n\r\n", 45);
            n = 44 + 44;
            head[44 + at] = (char)c;
            assert_int_equal(gate_scan_head(&s, head, n, &len, &why) == GATE_SCAN_DONE, text);
            head[44 + at] = 'v';
            head[3 + at] = (char)c;
            s = (struct gate_scan){0};
            assert_int_equal(gate_scan_head(&s, head, n, &len, &why) == GATE_SCAN_DONE,
                             token || (c == ':' && at > 0));
        }
    }
}

/* The marks are where a plain search finds colon and CR, however the bytes came in. */
static void marks_are_colons_and_ends(void **state)
{
    static const char *lines[] = {
        "A: b", "a-rather-long-name-of-a-field:value", "x_y:", "Z: \t q \t ", "Host: example.test",
        "v: http://a:b@c:80/\xff",
    };
    char head[4096] = "GET /a:b HTTP/1.1\r\n";

    (void)state;
    srand(11);
    for (int round = 0; round < 600; round++) {
        size_t n = strlen("GET /a:b HTTP/1.1\r\n");
        int count = rand() % 40;
        size_t step = 1 + (size_t)rand() % 90;
        struct gate_scan_marks marks;
        struct gate_scan s = {.marks = &marks};
        enum gate_scan_result r = GATE_SCAN_MORE;
        const char *why;
        size_t len;
        size_t at = n;

        for (int i = 0; i < count; i++)
            n += (size_t)sprintf(head + n, "%s\r\n", lines[rand() % 6]);
        n += (size_t)sprintf(head + n, "\r\n");
        for (size_t have = step; r == GATE_SCAN_MORE; have += step)
            r = gate_scan_head(&s, head, have < n ? have : n, &len, &why);
        assert_int_equal(r, GATE_SCAN_DONE);
        assert_int_equal(marks.lines, count + 2);
        assert_int_equal(marks.v[0].end, at - 2);
        for (int i = 1; i <= count && i < GATE_SCAN_MARKS; i++) {
            assert_ptr_equal(head + marks.v[i].colon, strchr(head + at, ':'));
            assert_ptr_equal(head + marks.v[i].end, strchr(head + at, '\r'));
            at = marks.v[i].end + 2;
        }
    }
}

static void searches_agree_with_their_scalar_forms(void **state)
{
    char buf[70];

    (void)state;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)rand() % sizeof buf;
        size_t from = n == 0 ? 0 : (size_t)rand() % (n + 1);
        uint32_t colons = 0;

        for (size_t i = 0; i < n; i++) {
            buf[i] = "abc-XYZ:09\r\n\t _.\x7f\x80\xff\x01"[rand() % 21];
            colons += buf[i] == ':';
        }
        assert_int_equal(gate_bytes_text_end(buf, from, n),
                         gate_bytes_text_end_scalar(buf, from, n));
        assert_int_equal(gate_bytes_token_end(buf, from, n),
                         gate_bytes_token_end_scalar(buf, from, n));
        assert_int_equal(gate_bytes_find(buf, from, n, ':'),
                         gate_bytes_find_scalar(buf, from, n, ':'));
        assert_int_equal(gate_bytes_count(buf, n, ':'), colons);
    }
}

static void counts_past_one_lane(void **state)
{
    enum { N = 40000 };
    char *all = malloc(N);

    (void)state;
    assert_non_null(all);
    memset(all, ':', N);
    assert_int_equal(gate_bytes_count(all, N, ':'), N);
    assert_int_equal(gate_bytes_count(all, 17, ':'), 17);
    assert_int_equal(gate_bytes_count(all, N, 'x'), 0);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_and_trailers),
        cmocka_unit_test(stops_at_the_end),
        cmocka_unit_test(every_byte_everywhere),
        cmocka_unit_test(marks_are_colons_and_ends),
        cmocka_unit_test(searches_agree_with_their_scalar_forms),
        cmocka_unit_test(counts_past_one_lane),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
