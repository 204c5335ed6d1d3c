/* Response heads: golden cases that the head alone decides. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/parse.h"
#include "http/scan.h"

#define E       "\r\n"
#define OK_LINE "HTTP/1.1 200 OK\r\n"

static const struct gate_head_limits limits = {
    .header_bytes = 4096,
    .header_count = 20,
    .target_bytes = 8192,
    .merge_slashes = true,
};

/* 502 when the scan refuses, as an upstream link does. */
static struct gate_refusal parse(const char *z, size_t n, enum gate_method method,
                                 struct gate_arena *arena, struct gate_response_head *out)
{
    struct gate_scan s = {0};
    const char *why = NULL;
    size_t len = 0;
    char *copy = malloc(n);

    assert_non_null(copy);
    gate_arena_on_clear(arena, free, copy);
    memcpy(copy, z, n);
    if (gate_scan_head(&s, copy, n, &len, &why) != GATE_SCAN_DONE)
        return (struct gate_refusal){502, why == NULL ? "incomplete" : why};
    return gate_parse_response(copy, len, &limits, method, arena, out);
}

static const struct {
    const char *name;
    const char *bytes;
    bool accepted;
} cases[] = {
    {"plain", OK_LINE "Content-Length: 2\r\n" E, true},
    {"no reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n" E, true},
    {"no space either", "HTTP/1.1 200\r\nContent-Length: 2\r\n" E, true},
    {"reason", "HTTP/1.1 299 any \xc3\xa9\ttext: (really)\r\n" E, true},
    {"599", "HTTP/1.1 599 x\r\n" E, true},
    {"UP-01", OK_LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" E, false},
    {"TE+CL", OK_LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" E, false},
    {"UP-02", OK_LINE "Content-Length: 5\r\nContent-Length: 6\r\n" E, false},
    {"same twice", OK_LINE "Content-Length: 5\r\nContent-Length: 5\r\n" E, false},
    {"list", OK_LINE "Content-Length: 5, 5\r\n" E, false},
    {"UP-03", OK_LINE "Content-Length: -1\r\n" E, false},
    {"empty CL", OK_LINE "Content-Length:\r\n" E, false},
    {"huge CL", OK_LINE "Content-Length: 18446744073709551621\r\n" E, false},
    {"UP-15", OK_LINE "Transfer-Encoding: chunked, gzip\r\n" E, false},
    {"gzip, chunked", OK_LINE "Transfer-Encoding: gzip, chunked\r\n" E, false},
    {"gzip", OK_LINE "Transfer-Encoding: gzip\r\n" E, false},
    {"identity", OK_LINE "Transfer-Encoding: identity\r\n" E, false},
    {"empty TE", OK_LINE "Transfer-Encoding:\r\nContent-Length: 5\r\n" E, false},
    {"two TE", OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" E, false},
    {"TE in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" E, false},
    {"UP-07", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n" E, false},
    {"103 TE", "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n" E, false},
    {"101 CL", "HTTP/1.1 101 x\r\nContent-Length: 0\r\n" E, false},
    {"chunkedx", OK_LINE "Transfer-Encoding: chunkedx\r\n" E, false},
    {"2/0", "HTTP/1.1 2/0 OK\r\nContent-Length: 0\r\n" E, false},
    {"20/", "HTTP/1.1 20/ OK\r\nContent-Length: 0\r\n" E, false},
    {"20:", "HTTP/1.1 20: OK\r\nContent-Length: 0\r\n" E, false},
    {"UP-17", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n" E, false},
    {"UP-18", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n" E, false},
    {"099", "HTTP/1.1 099 OK\r\n" E, false},
    {"600", "HTTP/1.1 600 OK\r\n" E, false},
    {"999", "HTTP/1.1 999 OK\r\n" E, false},
    {"2000", "HTTP/1.1 2000 OK\r\n" E, false},
    {"20x", "HTTP/1.1 20x OK\r\n" E, false},
    {"2:0", "HTTP/1.1 2:0 OK\r\n" E, false},
    {"2/0", "HTTP/1.1 2/0 OK\r\n" E, false},
    {"20/", "HTTP/1.1 20/ OK\r\n" E, false},
    {"tab", "HTTP/1.1\t200 OK\r\n" E, false},
    {"200x", "HTTP/1.1 200x\r\n" E, false},
    {"HTTP/1.x", "HTTP/1.x 200 OK\r\n" E, false},
    {"+20", "HTTP/1.1 +20 OK\r\n" E, false},
    {"UP-19", "HTTP/1.1 \r\nContent-Length: 0\r\n" E, false},
    {"nothing", "HTTP/1.1\r\n" E, false},
    {"two spaces", "HTTP/1.1  200 OK\r\n" E, false},
    {"UP-20", "HTTP/1.1 200 O\x1bK\r\n" E, false},
    {"UP-21", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n" E, false},
    {"HTTP/1.2", "HTTP/1.2 200 OK\r\n" E, false},
    {"HTTP/0.9", "HTTP/0.9 200 OK\r\n" E, false},
    {"UP-22", "<html>hello</html>\r\n" E, false},
    {"RTSP", "RTSP/1.0 200 OK\r\n" E, false},
    {"ICY", "ICY 200 OK\r\n" E, false},
    {"lower case", "http/1.1 200 OK\r\n" E, false},
    {"leading CRLF", "\r\nHTTP/1.1 200 OK\r\n" E, false},
    {"UP-23", OK_LINE "X: a\r\n Set-Cookie: s=1\r\n" E, false},
    {"UP-25", OK_LINE "X: \rSet-Cookie: s=evil\r\n" E, false},
    {"bare LF", OK_LINE "X: a\nSet-Cookie: s=evil\r\n" E, false},
    {"space before colon", OK_LINE "X : a\r\n" E, false},
    {"no colon", OK_LINE "X\r\n" E, false},
    {"underscore", OK_LINE "x_y: a\r\nContent-Length: 0\r\n" E, true},
};

static void golden_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gate_response_head head;
        struct gate_arena arena;
        struct gate_refusal no;

        gate_arena_init(&arena, NULL);
        no = parse(cases[i].bytes, strlen(cases[i].bytes), GATE_M_GET, &arena, &head);
        if ((no.status == 0) != cases[i].accepted)
            print_error("%s: %d %s\n", cases[i].name, no.status, no.why == NULL ? "" : no.why);
        assert_int_equal(no.status, cases[i].accepted ? 0 : 502);
        assert_true(cases[i].accepted || no.why != NULL);
        gate_arena_clear(&arena);
    }
}

static void nul_in_the_reason(void **state)
{
    static const char z[] = "HTTP/1.1 200 O\0K\r\n\r\n";
    struct gate_response_head head;
    struct gate_arena arena;

    (void)state;
    gate_arena_init(&arena, NULL);
    assert_int_equal(parse(z, sizeof z - 1, GATE_M_GET, &arena, &head).status, 502);
    gate_arena_clear(&arena);
}

static const struct {
    const char *bytes;
    enum gate_method method;
    enum gate_framing framing;
    uint64_t length;
    bool keep_alive;
} framings[] = {
    {OK_LINE "Content-Length: 5\r\n" E, GATE_M_GET, GATE_BODY_LENGTH, 5, true},
    {OK_LINE "Content-Length: 0\r\n" E, GATE_M_GET, GATE_BODY_LENGTH, 0, true},
    {OK_LINE "Transfer-Encoding: Chunked\r\n" E, GATE_M_GET, GATE_BODY_CHUNKED, 0, true},
    {OK_LINE E, GATE_M_GET, GATE_BODY_EOF, 0, false},
    {"HTTP/1.0 200 OK\r\n" E, GATE_M_GET, GATE_BODY_EOF, 0, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" E, GATE_M_GET, GATE_BODY_EOF, 0, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n" E, GATE_M_GET, GATE_BODY_LENGTH, 1, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n" E, GATE_M_GET,
     GATE_BODY_LENGTH, 1, true},
    {OK_LINE "Connection: close\r\nContent-Length: 1\r\n" E, GATE_M_GET, GATE_BODY_LENGTH, 1,
     false},
    /* What has no body has none, whatever it says; the length is still told. */
    {OK_LINE "Content-Length: 5\r\n" E, GATE_M_HEAD, GATE_BODY_NONE, 5, true},
    {OK_LINE "Transfer-Encoding: chunked\r\n" E, GATE_M_HEAD, GATE_BODY_NONE, 0, true},
    {OK_LINE E, GATE_M_HEAD, GATE_BODY_NONE, 0, true},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n" E, GATE_M_GET, GATE_BODY_NONE, 0, true},
    /* But where bytes may follow all the same, the connection is not for another request. */
    {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n" E, GATE_M_GET, GATE_BODY_NONE, 5, false},
    {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n" E, GATE_M_GET, GATE_BODY_NONE, 0,
     false},
    {"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n" E, GATE_M_GET, GATE_BODY_NONE,
     0, false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n" E, GATE_M_GET, GATE_BODY_NONE, 5, true},
    {"HTTP/1.1 100 Continue\r\n" E, GATE_M_GET, GATE_BODY_NONE, 0, true},
    {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n" E, GATE_M_GET, GATE_BODY_NONE, 0, true},
    {"HTTP/1.1 205 Reset Content\r\n" E, GATE_M_GET, GATE_BODY_EOF, 0, false},
};

static void framing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof framings / sizeof *framings; i++) {
        struct gate_response_head head;
        struct gate_arena arena;

        gate_arena_init(&arena, NULL);
        assert_int_equal(
            parse(framings[i].bytes, strlen(framings[i].bytes), framings[i].method, &arena, &head)
                .status,
            0);
        if (head.framing != framings[i].framing || head.keep_alive != framings[i].keep_alive)
            print_error("%s", framings[i].bytes);
        assert_int_equal(head.framing, framings[i].framing);
        assert_int_equal(head.content_length, framings[i].length);
        assert_int_equal(head.keep_alive, framings[i].keep_alive);
        gate_arena_clear(&arena);
    }
}

static void upgrades(void **state)
{
    static const struct {
        const char *bytes;
        bool upgrade;
    } table[] = {
        {"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" E, true},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n" E, false},
        {"HTTP/1.1 101 x\r\nConnection: upgrade\r\n" E, false},
        {"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n" E, false},
        {"HTTP/1.0 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" E, false},
        {OK_LINE "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n" E, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gate_response_head head;
        struct gate_arena arena;

        gate_arena_init(&arena, NULL);
        assert_int_equal(
            parse(table[i].bytes, strlen(table[i].bytes), GATE_M_GET, &arena, &head).status, 0);
        assert_int_equal(head.upgrade, table[i].upgrade);
        assert_true(!head.upgrade || gate_str_eq(head.upgrade_token, GATE_STR("websocket")));
        assert_true(head.status != 101 || !head.keep_alive);
        gate_arena_clear(&arena);
    }
}

static void the_table(void **state)
{
    static const char z[] = "HTTP/1.1 404 Not There\r\nServer: x/1 \r\nset-cookie: a=1\r\n"
                            "SET-COOKIE: b=2\r\nX_y:\r\nContent-Length: 0\r\n\r\nrest";
    struct gate_response_head head;
    struct gate_arena arena;

    (void)state;
    gate_arena_init(&arena, NULL);
    assert_int_equal(parse(z, sizeof z - 1, GATE_M_GET, &arena, &head).status, 0);
    assert_int_equal(head.status, 404);
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.fields.n, 5);
    assert_int_equal(head.fields.v[0].id, GATE_F_SERVER);
    assert_true(gate_str_eq(gate_field_value(&head.fields.v[0]), GATE_STR("x/1")));
    assert_int_equal(head.fields.v[1].id, GATE_F_SET_COOKIE);
    assert_int_equal(head.fields.v[2].id, GATE_F_SET_COOKIE);
    assert_int_equal(head.fields.v[3].id, GATE_F_OTHER);
    assert_int_equal(head.fields.v[3].value_len, 0);
    gate_arena_clear(&arena);
}

static void limits_hold(void **state)
{
    char z[8192];
    struct gate_response_head head;
    struct gate_arena arena;
    size_t n;

    (void)state;
    gate_arena_init(&arena, NULL);
    for (int fields = 20; fields <= 21; fields++) {
        n = (size_t)sprintf(z, OK_LINE);
        for (int i = 0; i < fields; i++)
            n += (size_t)sprintf(z + n, "a: b\r\n");
        n += (size_t)sprintf(z + n, "\r\n");
        assert_int_equal(parse(z, n, GATE_M_GET, &arena, &head).status, fields == 20 ? 0 : 502);
    }
    n = (size_t)sprintf(z, OK_LINE "X: %04100d\r\n\r\n", 0);
    assert_int_equal(parse(z, n, GATE_M_GET, &arena, &head).status, 502);
    n = (size_t)sprintf(z, OK_LINE "X%0300d: 1\r\n\r\n", 0);
    assert_int_equal(parse(z, n, GATE_M_GET, &arena, &head).status, 502);
    gate_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_heads), cmocka_unit_test(nul_in_the_reason),
        cmocka_unit_test(framing),      cmocka_unit_test(upgrades),
        cmocka_unit_test(the_table),    cmocka_unit_test(limits_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
