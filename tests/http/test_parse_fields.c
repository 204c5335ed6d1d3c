/* Trailer blocks: what passes, what is left out, what is refused. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "http/parse.h"
#include "http/scan.h"

static struct gate_head_limits limits = {
    .header_bytes = 1024,
    .header_count = 20,
};

/* What is left of a block, as "name=value;". */
static struct gate_refusal trailers(const char *z, char *text, struct gate_fields *fs,
                                    struct gate_arena *arena)
{
    struct gate_scan s = {0};
    const char *why;
    size_t len;
    struct gate_refusal no;

    assert_int_equal(gate_scan_trailers(&s, z, strlen(z), &len, &why), GATE_SCAN_DONE);
    no = gate_parse_trailers(z, len, &limits, arena, fs);
    for (uint32_t i = 0; no.status == 0 && i < fs->n; i++)
        text += sprintf(text, "%.*s=%.*s;", (int)fs->v[i].name_len, fs->v[i].name,
                        (int)fs->v[i].value_len, fs->v[i].value);
    *text = '\0';
    return no;
}

static void what_passes(void **state)
{
    static const struct {
        const char *block;
        const char *left;
    } table[] = {
        {"\r\n", ""},
        {"X: 1\r\n\r\n", "X=1;"},
        {"Server-Timing:  a;dur=1 \t\r\nETag: \"x\"\r\nempty:\r\n\r\n",
         "Server-Timing=a;dur=1;ETag=\"x\";empty=;"},
        {"Transfer-Encoding: identity\r\nContent-Length: 7\r\nHost: evil.test\r\n"
         "X-Forwarded-For: 6.6.6.6\r\nX: 1\r\n\r\n",
         "X=1;"},
        {"Authorization: a\r\nProxy-Authorization: b\r\nCookie: c\r\nSet-Cookie: d\r\n"
         "Connection: e\r\nTE: f\r\nTrailer: g\r\nUpgrade: h\r\nForwarded: i\r\nVia: j\r\n"
         "X-Real-IP: k\r\nX-Original-URL: l\r\nCache-Control: m\r\nExpect: n\r\n\r\n",
         ""},
        {"Content-MD5: a\r\ncontent-Foo: b\r\nX-Forwarded-Client-Cert: c\r\nProxy-Foo: d\r\n\r\n",
         ""},
        {"Trans: 1\r\nX-Forward: 2\r\nContent: 3\r\n\r\n", "Trans=1;X-Forward=2;Content=3;"},
        {"X-Forwarded: 1\r\nTrue-Client-IP: 2\r\nClient-IP: 3\r\nX-Host: 4\r\n"
         "X-Method-Override: 5\r\nForwarded-For: 6\r\n\r\n",
         ""},
        {"Set-Cookie2: 1\r\nCookie2: 2\r\nAuthentication-Info: 3\r\nX-Auth-Token: 4\r\n"
         "x-authorization: 5\r\nX-API-Key: 6\r\n\r\n",
         ""},
        {"Author: 1\r\nX-Author: 2\r\nX-Checksum: 3\r\nCook: 4\r\n\r\n",
         "Author=1;X-Author=2;X-Checksum=3;Cook=4;"},
        {"x_y: 1\r\nz: 2\r\n\r\n", "z=2;"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gate_arena arena;
        struct gate_fields fs;
        char text[512];

        gate_arena_init(&arena, NULL);
        assert_int_equal(trailers(table[i].block, text, &fs, &arena).status, 0);
        assert_string_equal(text, table[i].left);
        gate_arena_clear(&arena);
    }
}

static void known_is_of_what_is_left(void **state)
{
    struct gate_arena arena;
    struct gate_fields fs;
    char text[512];

    (void)state;
    gate_arena_init(&arena, NULL);
    trailers("Host: a\r\nETag: b\r\n\r\n", text, &fs, &arena);
    assert_true(fs.known == GATE_F_BIT(GATE_F_ETAG));
    gate_arena_clear(&arena);
}

static void what_is_refused(void **state)
{
    struct gate_head_limits saved = limits;
    struct gate_arena arena;
    struct gate_fields fs;
    char text[8192];
    char block[4096] = "";

    (void)state;
    gate_arena_init(&arena, NULL);
    for (int i = 0; i < 21; i++)
        strcat(block, "a: b\r\n");
    strcat(block, "\r\n");
    assert_int_equal(trailers(block, text, &fs, &arena).status, 431);
    assert_int_equal(trailers(block + 6, text, &fs, &arena).status, 0);
    sprintf(block, "X: %01100d\r\n\r\n", 0);
    assert_int_equal(trailers(block, text, &fs, &arena).status, 431);
    sprintf(block, "X%0300d: 1\r\n\r\n", 0);
    assert_int_equal(trailers(block, text, &fs, &arena).status, 431);
    limits.underscores = GATE_UNDERSCORE_REJECT;
    assert_int_equal(trailers("x_y: 1\r\n\r\n", text, &fs, &arena).status, 400);
    limits.underscores = GATE_UNDERSCORE_KEEP;
    assert_int_equal(trailers("x_y: 1\r\n\r\n", text, &fs, &arena).status, 0);
    assert_string_equal(text, "x_y=1;");
    limits.header_count = 0;
    assert_int_equal(trailers("x: 1\r\n\r\n", text, &fs, &arena).status, 431);
    assert_int_equal(trailers("\r\n", text, &fs, &arena).status, 0);
    limits = saved;
    gate_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes),
        cmocka_unit_test(known_is_of_what_is_left),
        cmocka_unit_test(what_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
