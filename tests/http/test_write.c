/* The serializer: golden heads, and what may never come out. */
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
#include "http/write.h"

static const struct gate_head_limits limits = {
    .header_bytes = 32768,
    .header_count = 100,
    .target_bytes = 8192,
    .merge_slashes = true,
};

#define FIELD(n_, v_)                                                                              \
    {                                                                                              \
        .name = (n_), .value = (v_), .name_len = sizeof(n_) - 1, .value_len = sizeof(v_) - 1       \
    }

struct fixture {
    struct gate_arena arena;
    struct gate_request_head req;
    struct gate_response_head res;
    struct gate_headers h;
    struct gate_message m;
};

static size_t scanned(const char *z)
{
    struct gate_scan s = {0};
    const char *why;
    size_t len = 0;

    assert_int_equal(gate_scan_head(&s, z, strlen(z), &len, &why), GATE_SCAN_DONE);
    return len;
}

/* A request as it would be relayed, but for what the test changes. */
static void request(struct fixture *f, const char *z)
{
    memset(f, 0, sizeof *f);
    gate_arena_init(&f->arena, NULL);
    assert_int_equal(gate_parse_request(z, scanned(z), &limits, false, &f->arena, &f->req).status,
                     0);
    f->h = (struct gate_headers){.original = &f->req.fields, .arena = &f->arena};
    f->m = (struct gate_message){
        .method = f->req.method_text,
        .path = f->req.path,
        .query = f->req.query,
        .has_query = f->req.has_query,
        .headers = &f->h,
        .drop = GATE_DROP_REQUEST,
        .drop_nominated = true,
        .framing = f->req.framing,
        .content_length = f->req.content_length,
    };
}

static void response(struct fixture *f, const char *z)
{
    memset(f, 0, sizeof *f);
    gate_arena_init(&f->arena, NULL);
    assert_int_equal(
        gate_parse_response(z, scanned(z), &limits, GATE_M_GET, &f->arena, &f->res).status, 0);
    f->h = (struct gate_headers){.original = &f->res.fields, .arena = &f->arena};
    f->m = (struct gate_message){
        .status = f->res.status,
        .headers = &f->h,
        .drop = GATE_DROP_RESPONSE,
        .drop_nominated = true,
        .framing = f->res.framing,
        .content_length = f->res.content_length,
    };
}

/* Writes into memory of exactly the size, and compares; also into less. */
static void written(struct fixture *f, const char *connection, const char *want)
{
    struct gate_str c = gate_str_from_cstr(connection);
    size_t size = strlen(want);
    char *p = malloc(size);
    struct gate_out o = gate_out_on(p, size);

    assert_non_null(p);
    gate_write_head(&o, &f->m, c);
    assert_false(o.full);
    if (o.n != strlen(want) || memcmp(p, want, o.n) != 0)
        print_error("got:\n%.*s", (int)o.n, p);
    assert_int_equal(o.n, strlen(want));
    assert_memory_equal(p, want, o.n);
    for (size_t cap = 0; cap < o.n; cap++) {
        char *small = malloc(cap == 0 ? 1 : cap);
        struct gate_out s = gate_out_on(small, cap);

        assert_non_null(small);
        gate_write_head(&s, &f->m, c);
        assert_true(s.full);
        free(small);
    }
    free(p);
    gate_arena_clear(&f->arena);
}

static void requests(void **state)
{
    static const struct gate_field extra[] = {FIELD("Host", "x"), FIELD("Via", "1.1 moongate")};
    struct fixture f;

    (void)state;
    request(&f, "GET /a/../b?c HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nX:  1 \r\n\r\n");
    written(&f, "", "GET /b?c HTTP/1.1\r\nAccept: */*\r\nX: 1\r\n\r\n");
    request(&f, "GET /? HTTP/1.1\r\nA: 1\r\nHost: x\r\nB: 2\r\nC: 3\r\n\r\n");
    f.m.extra = extra;
    f.m.n_extra = 2;
    written(&f, "keep-alive",
            "GET /? HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\nHost: x\r\n"
            "Via: 1.1 moongate\r\nConnection: keep-alive\r\n\r\n");
    request(&f, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
    written(&f, "", "OPTIONS * HTTP/1.1\r\n\r\n");
    request(&f, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 05\r\nX:\r\n\r\n");
    written(&f, "close",
            "POST /a HTTP/1.1\r\nX: \r\nConnection: close\r\n"
            "Content-Length: 5\r\n\r\n");
    request(&f, "POST /a HTTP/1.1\r\nHost: x\r\ntransfer-encoding:CHUNKED\r\n\r\n");
    written(&f, "", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    request(&f, "POST /a HTTP/1.1\r\nHost: x\r\n\r\n");
    f.m.explicit_zero = true;
    written(&f, "", "POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
}

/* Lines are copied as they came only where they came as they would be written. */
static void lines_as_they_came(void **state)
{
    struct fixture f;

    (void)state;
    request(&f, "GET / HTTP/1.1\r\na: 1\r\nb:2\r\nc:\t3\r\nd: 4 \r\ne: 5\r\nHost: x\r\nf:  6\r\n"
                "g:\r\nh: \r\ni: 7\r\nj: 8\t\r\n\r\n");
    written(&f, "",
            "GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\ne: 5\r\nf: 6\r\n"
            "g: \r\nh: \r\ni: 7\r\nj: 8\r\n\r\n");
}

static void hop_by_hop(void **state)
{
    struct fixture f;

    (void)state;
    request(&f, "GET / HTTP/1.1\r\nHost: x\r\nKeep-Alive: 1\r\nProxy-Connection: 1\r\nTE: gzip\r\n"
                "Connection: te\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
                "h2c\r\nHTTP2-Settings: AAA\r\n"
                "Proxy: http://evil.test/\r\nTrailer: a\r\nExpect: 100-continue\r\n"
                "Proxy-Authorization: b\r\nY: 2\r\n\r\n");
    written(&f, "", "GET / HTTP/1.1\r\nTrailer: a\r\nY: 2\r\n\r\n");
    response(&f, "HTTP/1.1 200 Fine\r\nConnection: close, Set-Cookie, X-Hop\r\nKeep-Alive: 1\r\n"
                 "Proxy-Authenticate: x\r\nUpgrade: h2c\r\nSet-Cookie: a\r\nx-hop: 1\r\n"
                 "Content-Length: 2\r\n\r\n");
    written(&f, "", "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nContent-Length: 2\r\n\r\n");
}

static void nominations(void **state)
{
    static const char z[] =
        "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6\r\nX-Real-IP: 7\r\nAuthorization: a\r\n"
        "Cookie: c\r\nContent-Type: t\r\nContent-Foo: u\r\nCache-Control: n\r\nX-Hop: 1\r\n"
        "X-Hop: 2\r\nForwarded: for=9\r\nVia: v\r\nAccept: b\r\n"
        "Connection: close, X-Forwarded-For, X-Real-IP, Authorization, Cookie, Host\r\n"
        "Connection: Content-Type, content-foo, Cache-Control, x-hop, Forwarded, "
        "Via,accept\r\n\r\n";
    struct fixture f;

    (void)state;
    request(&f, z);
    written(&f, "",
            "GET / HTTP/1.1\r\nX-Forwarded-For: 6\r\nX-Real-IP: 7\r\nAuthorization: a\r\n"
            "Cookie: c\r\nContent-Type: t\r\nContent-Foo: u\r\nCache-Control: n\r\n"
            "Forwarded: for=9\r\nVia: v\r\n\r\n");
    request(&f, z);
    assert_true(gate_nominated(&f.req.fields, GATE_STR("X-HOP")));
    assert_true(gate_nominated(&f.req.fields, GATE_STR("accept")));
    assert_false(gate_nominated(&f.req.fields, GATE_STR("host")));
    assert_false(gate_nominated(&f.req.fields, GATE_STR("x-other")));
    assert_false(gate_nominated(&f.req.fields, GATE_STR_NONE));
    gate_arena_clear(&f.arena);
    request(&f, "GET / HTTP/1.1\r\nHost: x\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n");
    f.m.drop_nominated = false;
    written(&f, "", "GET / HTTP/1.1\r\nX-Hop: 1\r\n\r\n");
}

static void edits(void **state)
{
    struct fixture f;

    (void)state;
    request(&f, "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nConnection: B, D\r\n\r\n");
    assert_int_equal(gate_headers_set(&f.h, GATE_STR("a"), GATE_STR("3")), GATE_OK);
    assert_int_equal(gate_headers_add(&f.h, GATE_STR("D"), GATE_STR("4")), GATE_OK);
    written(&f, "", "GET / HTTP/1.1\r\na: 3\r\nD: 4\r\n\r\n");
    /* What is left between the hidden lines goes out as it came, or as it has to be written. */
    request(&f, "GET / HTTP/1.1\r\nHost: x\r\nFoo: 1\r\nCookie: c\r\nB:2\r\nC: 3\r\nE: 4\r\n"
                "foO: 5\r\nAccept: t\r\nF: 6\r\n\r\n");
    gate_headers_set(&f.h, GATE_STR("fOO"), GATE_STR("a"));
    gate_headers_set(&f.h, GATE_STR("cookie"), GATE_STR(" b "));
    gate_headers_remove(&f.h, GATE_STR("ACCEPT"));
    gate_headers_add(&f.h, GATE_STR("C"), GATE_STR(""));
    written(&f, "", "GET / HTTP/1.1\r\nB: 2\r\nC: 3\r\nE: 4\r\nF: 6\r\nfOO: a\r\ncookie: b\r\nC: \r\n\r\n");
    /* Framing and connection fields of an edit stay inside whatever drop says. */
    request(&f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    gate_headers_set(&f.h, GATE_STR("Content-Length"), GATE_STR("7"));
    gate_headers_set(&f.h, GATE_STR("transfer-encoding"), GATE_STR("chunked"));
    gate_headers_set(&f.h, GATE_STR("Connection"), GATE_STR("x"));
    gate_headers_set(&f.h, GATE_STR("Cookie"), GATE_STR("y"));
    f.m.drop |= GATE_F_BIT(GATE_F_COOKIE);
    written(&f, "", "GET / HTTP/1.1\r\nCookie: y\r\n\r\n");
}

static void responses(void **state)
{
    struct fixture f;

    (void)state;
    response(&f, "HTTP/1.1 404 Nowhere\r\nServer: a\r\nDate: b\r\nContent-Length: 12\r\n\r\n");
    written(&f, "", "HTTP/1.1 404 Not Found\r\nServer: a\r\nDate: b\r\nContent-Length: 12\r\n\r\n");
    response(&f, "HTTP/1.1 299 What\r\nTransfer-Encoding: chunked\r\n\r\n");
    written(&f, "", "HTTP/1.1 299 Unknown\r\nTransfer-Encoding: chunked\r\n\r\n");
    response(&f, "HTTP/1.1 200 OK\r\n\r\n");
    written(&f, "close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    /* Bodiless statuses never carry framing. */
    response(&f, "HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n");
    f.m.framing = GATE_BODY_LENGTH;
    written(&f, "", "HTTP/1.1 204 No Content\r\n\r\n");
    response(&f, "HTTP/1.1 103 x\r\nLink: a\r\n\r\n");
    f.m.framing = GATE_BODY_CHUNKED;
    written(&f, "", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
    f = (struct fixture){.m = {.status = 503, .explicit_zero = true}};
    written(&f, "close",
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

/* Fields that do not stand in a head: their surroundings are not looked at. */
static void built_fields(void **state)
{
    struct fixture f = {0};
    struct gate_field v[2];
    struct gate_fields fs = {.v = v, .n = 2, .cap = 2};

    (void)state;
    for (int i = 0; i < 2; i++) {
        char *name = malloc(1);
        char *value = malloc(1);

        assert_true(name != NULL && value != NULL);
        gate_arena_on_clear(&f.arena, free, name);
        gate_arena_on_clear(&f.arena, free, value);
        *name = (char)('A' + i);
        *value = (char)('1' + i);
        v[i] = (struct gate_field){.name = name, .value = value, .name_len = 1, .value_len = 1};
    }
    f.h = (struct gate_headers){.original = &fs, .arena = &f.arena};
    f.m = (struct gate_message){.status = 200, .headers = &f.h};
    written(&f, "", "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n");
}

/* The walk that h2 uses sees the same fields. */
static void the_walk(void **state)
{
    static const struct gate_field extra[] = {FIELD("Via", "w")};
    struct gate_message_cursor c = {0};
    const struct gate_field *v;
    struct fixture f;
    char got[16] = "";
    size_t n = 0;

    (void)state;
    request(&f, "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nConnection: b\r\n\r\n");
    gate_headers_add(&f.h, GATE_STR("C"), GATE_STR("3"));
    gate_headers_add(&f.h, GATE_STR("TE"), GATE_STR("3"));
    f.m.extra = extra;
    f.m.n_extra = 1;
    while ((v = gate_message_next(&f.m, &c)) != NULL)
        got[n++] = v->name[0];
    assert_string_equal(got, "ACV");
    gate_arena_clear(&f.arena);
}

/* Short ones are copied as words (bytes_int.h). */
static void lines_of_all_lengths(void **state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

    (void)state;
    for (uint16_t n = 1; n < 26; n++) {
        const struct gate_field extra = {
            .name = letters, .value = letters + 26 - n, .name_len = n, .value_len = n};
        struct fixture f = {.m = {.status = 200, .extra = &extra, .n_extra = 1}};
        char wanted[128];

        snprintf(wanted, sizeof wanted, "HTTP/1.1 200 OK\r\n%.*s: %s\r\n\r\n", n, letters,
                 letters + 26 - n);
        written(&f, "", wanted);
    }
}

static void chunks(void **state)
{
    static const struct {
        uint64_t n;
        const char *line;
    } table[] = {
        {0, "0\r\n"},
        {10, "a\r\n"},
        {500, "1f4\r\n"},
        {UINT64_MAX, "ffffffffffffffff\r\n"},
    };
    struct gate_field v[] = {FIELD("X", "1"), FIELD("Y", "")};
    struct gate_fields fs = {.v = v, .n = 2, .cap = 2};
    char to[64];
    struct gate_out o = gate_out_on(to, sizeof to);

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t n = gate_write_chunk_line(to, table[i].n);

        assert_int_equal(n, strlen(table[i].line));
        assert_memory_equal(to, table[i].line, n);
    }
    gate_write_last_chunk(&o, NULL);
    assert_int_equal(o.n, 5);
    assert_memory_equal(to, "0\r\n\r\n", 5);
    o.n = 0;
    gate_write_last_chunk(&o, &fs);
    assert_int_equal(o.n, 16);
    assert_memory_equal(to, "0\r\nX: 1\r\nY: \r\n\r\n", 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),     cmocka_unit_test(lines_as_they_came),
        cmocka_unit_test(hop_by_hop),   cmocka_unit_test(nominations),
        cmocka_unit_test(edits),        cmocka_unit_test(responses),
        cmocka_unit_test(built_fields), cmocka_unit_test(the_walk),
        cmocka_unit_test(chunks),       cmocka_unit_test(lines_of_all_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
