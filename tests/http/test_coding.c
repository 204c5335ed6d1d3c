/* Codings: what is decoded is what was encoded, however it is cut; what is broken or expands too
 * much is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "http/coding.h"

static struct gate_block_pool pool;
static char plain[300000];
static char coded[400000];

static int setup(void **state)
{
    (void)state;
    gate_block_pool_init(&pool, 0);
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (char)('a' + (i * i / 7) % 26);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_block_pool_fini(&pool);
    return 0;
}

/* window: 15 zlib, 31 gzip, -15 raw deflate (zlib.h, deflateInit2). */
static size_t encode(const char *p, size_t n, int window)
{
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)coded;
    z.avail_out = sizeof(coded);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* Feeds `step` bytes at a time; the result is the first error, or GATE_E_EOF when the body is not
 * complete. What came is compared with `want`. */
static enum gate_err decoded(enum gate_coding coding, const char *p, size_t n, size_t step,
                             const char *want, size_t want_n)
{
    struct gate_decoder *d = gate_decoder_new(coding);
    struct gate_chain in, out;
    enum gate_err e = GATE_OK;
    char *got;

    gate_chain_init(&in, &pool);
    gate_chain_init(&out, &pool);
    for (size_t at = 0; at < n && e == GATE_OK; at += step) {
        assert_int_equal(gate_chain_copy(&in, p + at, n - at < step ? n - at : step), 0);
        while (e == GATE_OK && (in.bytes > 0 || gate_decoder_pending(d))) {
            size_t before = out.bytes;

            e = gate_decoder_feed(d, &in, &out);
            assert_true(out.bytes - before <= GATE_DECODER_SLICE + GATE_BLOCK_SIZE);
        }
    }
    if (e == GATE_OK && !gate_decoder_done(d))
        e = GATE_E_EOF;
    if (e == GATE_OK) {
        assert_int_equal(out.bytes, want_n);
        got = malloc(out.bytes + 1);
        gate_chain_read(&out, got);
        assert_memory_equal(got, want, want_n);
        free(got);
    }
    gate_chain_clear(&in);
    gate_chain_clear(&out);
    gate_decoder_free(&d);
    assert_null(d);
    return e;
}

static void names(void **state)
{
    static const struct {
        const char *text;
        enum gate_coding coding;
    } cases[] = {
        {"", GATE_CODING_IDENTITY},          {"identity", GATE_CODING_IDENTITY},
        {"gzip", GATE_CODING_GZIP},          {"X-GZip", GATE_CODING_GZIP},
        {"deflate", GATE_CODING_DEFLATE},    {" br ", GATE_CODING_BROTLI},
        {"identity, gzip", GATE_CODING_GZIP}, {"gzip, gzip", GATE_CODING_UNKNOWN},
        {"zstd", GATE_CODING_UNKNOWN},       {"gzip, br", GATE_CODING_UNKNOWN},
        {"gzip;q=1", GATE_CODING_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(gate_coding_of(gate_str_from_cstr(cases[i].text)), cases[i].coding);
}

static void what_was_encoded(void **state)
{
    static const struct {
        enum gate_coding coding;
        int window;
    } ways[] = {{GATE_CODING_GZIP, 31}, {GATE_CODING_DEFLATE, 15}, {GATE_CODING_DEFLATE, -15}};
    static const size_t steps[] = {1, 7, 1000, 400000};

    (void)state;
    for (size_t w = 0; w < 3; w++) {
        size_t n = encode(plain, sizeof(plain), ways[w].window);

        for (size_t s = 0; s < 4; s++)
            assert_int_equal(decoded(ways[w].coding, coded, n, steps[s], plain, sizeof(plain)),
                             GATE_OK);
        for (size_t cut = 1; cut < n; cut += n / 20)
            assert_int_equal(decoded(ways[w].coding, coded, cut, 100, "", 0), GATE_E_EOF);
    }
}

/* The shortest brotli streams: "hello" and nothing (RFC 7932 section 9). */
static void brotli(void **state)
{
    static const char hello[] = "\x0b\x02\x80hello\x03";

    (void)state;
    for (size_t step = 1; step < sizeof(hello); step++)
        assert_int_equal(decoded(GATE_CODING_BROTLI, hello, sizeof(hello) - 1, step, "hello", 5),
                         GATE_OK);
    assert_int_equal(decoded(GATE_CODING_BROTLI, hello, 5, 1, "", 0), GATE_E_EOF);
    assert_int_equal(decoded(GATE_CODING_BROTLI, "\x3b", 1, 1, "", 0), GATE_OK);
    assert_int_equal(decoded(GATE_CODING_BROTLI, "\xff\xff\xff\xff", 4, 4, "", 0), GATE_E_SYNTAX);
}

static void several_members(void **state)
{
    size_t n = encode("hello ", 6, 31);
    char two[200];
    size_t both;

    (void)state;
    memcpy(two, coded, n);
    both = n + encode("world", 5, 31);
    memcpy(two + n, coded, both - n);
    for (size_t step = 1; step <= both; step += 3)
        assert_int_equal(decoded(GATE_CODING_GZIP, two, both, step, "hello world", 11), GATE_OK);
}

static void no_body_at_all(void **state)
{
    (void)state;
    assert_int_equal(decoded(GATE_CODING_GZIP, "", 0, 1, "", 0), GATE_OK);
}

static void broken(void **state)
{
    size_t n = encode(plain, 1000, 31);

    (void)state;
    assert_int_equal(decoded(GATE_CODING_GZIP, "this is no gzip", 15, 15, "", 0), GATE_E_SYNTAX);
    coded[n] = 'x'; /* behind the end */
    assert_int_equal(decoded(GATE_CODING_GZIP, coded, n + 1, 9, "", 0), GATE_E_EOF);
    coded[n + 1] = 'y';
    assert_int_equal(decoded(GATE_CODING_GZIP, coded, n + 2, 9, "", 0), GATE_E_SYNTAX);
    coded[n - 6] ^= 1; /* the checksum */
    assert_int_equal(decoded(GATE_CODING_GZIP, coded, n, 9, "", 0), GATE_E_SYNTAX);
    n = encode(plain, 1000, 15);
    coded[n] = 'x';
    assert_int_equal(decoded(GATE_CODING_DEFLATE, coded, n + 1, 9, "", 0), GATE_E_SYNTAX);
}

/* Bodies of nothing but zeros expand a thousand times. */
static void bombs(void **state)
{
    char *zeros = calloc(1, 8 << 20);
    size_t n = encode(zeros, 8 << 20, 31);

    (void)state;
    assert_int_equal(decoded(GATE_CODING_GZIP, coded, n, 100, "", 0), GATE_E_LIMIT);
    n = encode(zeros, GATE_DECODER_JUDGED_FROM, 31);
    assert_int_equal(
        decoded(GATE_CODING_GZIP, coded, n, 100, zeros, GATE_DECODER_JUDGED_FROM), GATE_OK);
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),          cmocka_unit_test(what_was_encoded),
        cmocka_unit_test(brotli),         cmocka_unit_test(several_members),
        cmocka_unit_test(no_body_at_all), cmocka_unit_test(broken),
        cmocka_unit_test(bombs),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
