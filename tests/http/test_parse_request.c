/* Request heads: golden cases that the head alone decides. Each goes
 * through the scan first, as in a session. covers: http/parse_lines.c */
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

#define H "Host: example.test\r\n"
#define E "\r\n"

static const struct gate_head_limits limits = {
    .header_bytes = 32768,
    .header_count = 100,
    .target_bytes = 8192,
    .merge_slashes = true,
};

/* Scan and parse of a copy that ends where the head does. The copy lives in the arena. */
static struct gate_refusal parse_with(const char *z, size_t n, const struct gate_head_limits *l,
                                      bool https, struct gate_arena *arena,
                                      struct gate_request_head *out)
{
    struct gate_scan s = {0};
    const char *why = NULL;
    size_t len = 0;
    char *copy = malloc(n);

    assert_non_null(copy);
    gate_arena_on_clear(arena, free, copy);
    memcpy(copy, z, n);
    switch (gate_scan_head(&s, copy, n, &len, &why)) {
    case GATE_SCAN_DONE:
        return gate_parse_request(copy, len, l, https, arena, out);
    case GATE_SCAN_BAD:
        return gate_parse_refuse_partial(copy, n, l);
    default:
        return gate_parse_early(copy, n, l);
    }
}

struct head_case {
    const char *name;
    const char *bytes;
    int status;
};

static const struct head_case cases[] = {
    /* A: framing. */
    {"H1-001", "POST /a HTTP/1.1\r\n" H "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n" E,
     400},
    {"H1-002", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n" E,
     400},
    {"H1-003",
     "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n" E,
     400},
    {"two chunked",
     "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" E,
     400},
    {"H1-004", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n" E, 501},
    {"identity", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n" E, 501},
    {"gzip", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n" E, 501},
    {"H1-005", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n" E, 400},
    {"gzip, chunked", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n" E, 501},
    {"chunkedx", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunkedx\r\n" E, 501},
    {"gzip, deflate", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: gzip, deflate\r\n" E, 501},
    {"chunked, gzip", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n" E, 400},
    {"H1-012", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: ,chunked\r\n" E, 400},
    {"gzip line, chunked line",
     "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n" E,
     400},
    {"gzip, chunked and a length",
     "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\nContent-Length: 1\r\n" E,
     400},
    {"gzip in 1.0", "POST /a HTTP/1.0\r\n" H "Transfer-Encoding: gzip\r\n" E, 400},
    {"quoted", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n" E, 400},
    {"parameter", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked;a=b\r\n" E, 400},
    {"H1-007",
     "POST /a HTTP/1.1\r\n" H "Transfer-Encoding:\x0b"
     "chunked\r\n" E,
     400},
    {"chunked tab", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\t\r\n" E, 400},
    {"H1-010", "POST /a HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n" E, 400},
    {"H1-011", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: \r\nContent-Length: 5\r\n" E, 400},
    {"empty TE", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding:\r\n" E, 400},
    {"H1-012", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: ,chunked\r\n" E, 400},
    {"H1-013", "POST /a HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n" E, 400},
    {"H1-014", "POST /a HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n" E, 400},
    {"H1-015", "POST /a HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n" E, 400},
    {"H1-016", "POST /a HTTP/1.1\r\n" H "Content-Length: +5\r\n" E, 400},
    {"H1-017", "POST /a HTTP/1.1\r\n" H "Content-Length: 0x5\r\n" E, 400},
    {"minus", "POST /a HTTP/1.1\r\n" H "Content-Length: -5\r\n" E, 400},
    {"inner space", "POST /a HTTP/1.1\r\n" H "Content-Length: 5 5\r\n" E, 400},
    {"H1-019", "POST /a HTTP/1.1\r\n" H "Content-Length: 18446744073709551621\r\n" E, 400},
    {"19 digits", "POST /a HTTP/1.1\r\n" H "Content-Length: 0000000000000000005\r\n" E, 400},
    {"H1-020", "POST /a HTTP/1.1\r\n" H "Content-Length:\r\n" E, 400},
    {"H1-022", "POST /a HTTP/1.1\r\n" H "Content-Length:\r\n 46\r\n" E, 400},
    {"H1-023",
     "GET /a HTTP/1.1\r\n"
     "Host: example.test\r\n Content-Length: 5\r\n" E,
     400},
    {"H1-024", "POST /a HTTP/1.1\r\n" H "Content-Length : 5\r\n" E, 400},
    {"H1-025", "POST /a HTTP/1.1\r\n" H "Content-Length\t: 5\r\n" E, 400},
    {"H1-026", "GET /a HTTP/1.1\r\n" H "X Y: 1\r\n" E, 400},
    {"H1-027", "GET /a HTTP/1.1\r\n" H ": empty\r\n" E, 400},
    {"H1-029", "GET /a HTTP/1.1\r\n" H "X-\xe9: 1\r\n" E, 400},
    /* B: lines and octets. */
    {"H1-048", "GET /a HTTP/1.1\nHost: example.test\n\n", 400},
    {"H1-049", "GET /a HTTP/1.1\r\n" H "X: y\nTransfer-Encoding: chunked\r\n" E, 400},
    {"H1-050", "GET /a HTTP/1.1\r\n" H "X: a\rTransfer-Encoding: chunked\r\n" E, 400},
    {"H1-051", "POST /a HTTP/1.1\r\n" H "X-Abc: \rxTransfer-Encoding: chunked\r\n" E, 400},
    {"H1-052", "GET /a HTTP/1.1\r\n" H "X: a\r\n b\r\n" E, 400},
    {"H1-053", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n" E, 400},
    {"H1-056", "GET /a HTTP/1.1\r\n" H "X: \x7f\r\n" E, 400},
    {"SOH", "GET /a HTTP/1.1\r\n" H "X: \x01\r\n" E, 400},
    {"LF ends head", "GET /a HTTP/1.1\r\n" H "\n", 400},
    /* C: request line. */
    {"H1-059", "get / HTTP/1.1\r\n" H E, 501},
    {"H1-060", "FOO / HTTP/1.1\r\n" H E, 501},
    {"QUERY", "QUERY / HTTP/1.1\r\n" H E, 501},
    {"RTSP method", "DESCRIBE / HTTP/1.1\r\n" H E, 501},
    {"PRI", "PRI / HTTP/1.1\r\n" H E, 501},
    {"H1-061", "A@B / HTTP/1.1\r\n" H E, 400},
    {"no method", " / HTTP/1.1\r\n" H E, 400},
    {"empty line", "\r\n" H E, 400},
    {"H1-063", "GET /a b HTTP/1.1\r\n" H E, 400},
    {"H1-064", "GET a HTTP/1.1\r\n" H E, 400},
    {"H1-065", "GET /a#frag HTTP/1.1\r\n" H E, 400},
    {"fragment in query", "GET /a?x#frag HTTP/1.1\r\n" H E, 400},
    {"H1-066", "GET /\xff HTTP/1.1\r\n" H E, 400},
    {"8-bit query", "GET /?\xc3\xa9 HTTP/1.1\r\n" H E, 400},
    {"backslash query", "GET /?a\\b HTTP/1.1\r\n" H E, 400},
    {"H1-067", "GET\t/a\tHTTP/1.1\r\n" H E, 400},
    {"tab in target", "GET /a\tb HTTP/1.1\r\n" H E, 400},
    {"H1-069", "GET * HTTP/1.1\r\n" H E, 400},
    {"*foo", "OPTIONS *foo HTTP/1.1\r\n" H E, 400},
    {"two spaces", "GET  / HTTP/1.1\r\n" H E, 400},
    {"two spaces before version", "GET /  HTTP/1.1\r\n" H E, 400},
    {"space at the end", "GET / HTTP/1.1 \r\n" H E, 400},
    {"no target", "GET HTTP/1.1\r\n" H E, 400},
    {"empty target", "GET  HTTP/1.1\r\n" H E, 400},
    {"H1-071", "GET /a\r\n", 400},
    {"H1-072", "GET /a\r\n" H "Content-Length: 5\r\n" E, 400},
    {"HTTP/0.9", "GET /a HTTP/0.9\r\n" H E, 400},
    {"H1-073", "GET /a HTTP/2.0\r\n" H E, 505},
    {"HTTP/3.0", "GET /a HTTP/3.0\r\n" H E, 505},
    {"HTTP/1.2", "GET /a HTTP/1.2\r\n" H E, 505},
    {"HTTP/1.9", "GET /a HTTP/1.9\r\n" H E, 505},
    {"HTTP/1.x", "GET /a HTTP/1.x\r\n" H E, 400},
    {"HTTP/x.1", "GET /a HTTP/x.1\r\n" H E, 400},
    {"HTTP/1.!", "GET /a HTTP/1.!\r\n" H E, 400},
    {"HTTP/2x0", "GET /a HTTP/2x0\r\n" H E, 400},
    {"HTTP/a.1", "GET /a HTTP/a.1\r\n" H E, 400},
    {"HTTP/1-1", "GET /a HTTP/1-1\r\n" H E, 400},
    {"HTTP/1.a", "GET /a HTTP/1.a\r\n" H E, 400},
    {"HTTP/1.:", "GET /a HTTP/1.:\r\n" H E, 400},
    {"method alone", "GETS\r\n" H E, 400},
    {"three lengths",
     "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nX: 1\r\nContent-Length: 1\r\n" E, 400},
    {"absolute query", "GET http://example.test?a\\b HTTP/1.1\r\n" H E, 400},
    {"just a letter", "GET x HTTP/1.1\r\n" H E, 400},
    {"TE of seven", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xhunked\r\n" E, 501},
    {"HTTP/2", "GET /a HTTP/2\r\n" H E, 400},
    {"HTTP/1.10", "GET /a HTTP/1.10\r\n" H E, 400},
    {"HTTP/01.1", "GET /a HTTP/01.1\r\n" H E, 400},
    {"http/1.1", "GET /a http/1.1\r\n" H E, 400},
    {"H1-075", "GET /a HTTP/1.1x\r\n" H E, 400},
    {"H1-079", "OPTIONS / RTSP/1.0\r\n" H E, 400},
    {"ICE", "SOURCE / ICE/1.0\r\n" H E, 400},
    {"H1-090", "CONNECT 127.0.0.1:22 HTTP/1.1\r\n" H E, 405},
    {"H1-091", "TRACE /a HTTP/1.1\r\n" H "Cookie: s=1\r\nMax-Forwards: 0\r\n" E, 405},
    {"H1-125", "PROXY TCP4 6.6.6.6 10.0.0.1 1 2\r\nGET /a HTTP/1.1\r\n" H E, 400},
    {"TLS", "\x16\x03\x01\x02", 400},
    /* C: Host and absolute-form. */
    {"H1-080", "GET /a HTTP/1.1\r\n" E, 400},
    {"H1-081", "GET /a HTTP/1.1\r\n" H "Host: evil.test\r\n" E, 400},
    {"two equal Hosts", "GET /a HTTP/1.1\r\n" H H E, 400},
    {"two Hosts 1.0", "GET /a HTTP/1.0\r\n" H H E, 400},
    {"H1-082", "GET /a HTTP/1.1\r\nHost: a, b\r\n" E, 400},
    {"H1-083", "GET /a HTTP/1.1\r\nHost: example.test/evil?x#y\r\n" E, 400},
    {"H1-084", "GET /a HTTP/1.1\r\nHost: a@evil\r\n" E, 400},
    {"H1-085", "GET /a HTTP/1.1\r\nHost: example.test:99999x\r\n" E, 400},
    {"port 0", "GET /a HTTP/1.1\r\nHost: example.test:0\r\n" E, 400},
    {"port 65536", "GET /a HTTP/1.1\r\nHost: example.test:65536\r\n" E, 400},
    {"no port", "GET /a HTTP/1.1\r\nHost: example.test:\r\n" E, 400},
    {"empty Host", "GET /a HTTP/1.1\r\nHost:\r\n" E, 400},
    {"H1-089", "GET /a HTTP/1.1\r\nHost: exa\tmple.test\r\n" E, 400},
    {"bad literal", "GET /a HTTP/1.1\r\nHost: [::1\r\n" E, 400},
    {"no literal", "GET /a HTTP/1.1\r\nHost: [example]\r\n" E, 400},
    {"H1-086", "GET http://example.test/a HTTP/1.1\r\nHost: evil.test\r\n" E, 400},
    {"other port", "GET http://example.test:81/a HTTP/1.1\r\n" H E, 400},
    {"H1-087", "GET http://example.test@evil.test/a HTTP/1.1\r\n" H E, 400},
    {"user", "GET http://u:p@example.test/a HTTP/1.1\r\n" H E, 400},
    {"H1-088", "GET gopher://127.0.0.1:6379/ HTTP/1.1\r\n" H E, 400},
    {"other scheme", "GET https://example.test/ HTTP/1.1\r\n" H E, 400},
    {"no authority", "GET http:///a HTTP/1.1\r\n" H E, 400},
    {"no authority at all", "GET http:// HTTP/1.1\r\n" H E, 400},
    {"authority-form", "GET example.test:80 HTTP/1.1\r\n" H E, 400},
    /* D. */
    {"H1-100", "POST /a HTTP/1.1\r\n" H "Expect: y 100-continue\r\nContent-Length: 5\r\n" E, 417},
    {"two Expects", "POST /a HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: 100-continue\r\n" E,
     417},
    {"empty Expect", "POST /a HTTP/1.1\r\n" H "Expect:\r\n" E, 417},
    {"Max-Forwards", "OPTIONS / HTTP/1.1\r\n" H "Max-Forwards: x\r\n" E, 400},
    {"two Max-Forwards", "OPTIONS / HTTP/1.1\r\n" H "Max-Forwards: 1\r\nMax-Forwards: 1\r\n" E,
     400},
    /* E: what the path part decides; more in test_target.c. */
    {"H1-107", "GET /pub/%00/admin HTTP/1.1\r\n" H E, 400},
    {"H1-111", "GET /../../etc/passwd HTTP/1.1\r\n" H E, 400},
    {"backslash", "GET /pub\\..\\admin HTTP/1.1\r\n" H E, 400},
    {"%zz", "GET /%zz HTTP/1.1\r\n" H E, 400},
    /* Accepted. */
    {"plain", "GET /a HTTP/1.1\r\n" H E, 0},
    {"H1-077", "GET /a HTTP/1.0\r\n" E, 0},
    {"H1-103", "GET /pub/%2e%2e/admin HTTP/1.1\r\n" H E, 0},
    {"H1-109", "GET /pub/%252e%252e/admin HTTP/1.1\r\n" H E, 0},
    {"H1-115", "GET /c HTTP/1.1\r\nHost: EXAMPLE.test:80\r\n" E, 0},
    {"H1-021", "GET /a HTTP/1.1\r\n" H "Content-Length: 46\r\n" E, 0},
    {"Chunked", "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n" E, 0},
    {"M-SEARCH", "M-SEARCH /a HTTP/1.1\r\n" H E, 0},
    {"PROPFIND", "PROPFIND /a HTTP/1.1\r\n" H E, 0},
    {"query list", "GET /a?|^{}[]\"<>`%zz HTTP/1.1\r\n" H E, 0},
    {"path list", "GET /|^{}[]\"<>` HTTP/1.1\r\n" H E, 0},
    {"Host OWS", "GET /a HTTP/1.1\r\nHost: \texample.test \t\r\n" E, 0},
    {"empty value", "GET /a HTTP/1.1\r\n" H "X:\r\nY: \r\nZ:\t\r\n" E, 0},
};

static void golden_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gate_arena arena;
        struct gate_request_head head;
        struct gate_refusal no;

        gate_arena_init(&arena, NULL);
        no = parse_with(cases[i].bytes, strlen(cases[i].bytes), &limits, false, &arena, &head);
        if (no.status != cases[i].status)
            print_error("%s: %d %s\n", cases[i].name, no.status, no.why == NULL ? "" : no.why);
        assert_int_equal(no.status, cases[i].status);
        assert_true((no.status == 0) == (no.why == NULL));
        gate_arena_clear(&arena);
    }
}

/* NUL bytes cannot stand in the table above. */
static void nul_bytes(void **state)
{
    static const char value[] = "GET /a HTTP/1.1\r\n" H "X: a\0b\r\n\r\n";
    static const char target[] = "GET /a\0b HTTP/1.1\r\n" H "\r\n";
    struct gate_request_head head;
    struct gate_arena arena;

    (void)state;
    gate_arena_init(&arena, NULL);
    assert_int_equal(parse_with(value, sizeof value - 1, &limits, false, &arena, &head).status,
                     400);
    assert_int_equal(parse_with(target, sizeof target - 1, &limits, false, &arena, &head).status,
                     400);
    gate_arena_clear(&arena);
}

struct fixture {
    struct gate_arena arena;
    struct gate_request_head head;
};

static struct gate_request_head *accept_as(struct fixture *f, const char *z, bool https)
{
    struct gate_refusal no;

    gate_arena_init(&f->arena, NULL);
    no = parse_with(z, strlen(z), &limits, https, &f->arena, &f->head);
    if (no.status != 0)
        print_error("%s: %d %s\n", z, no.status, no.why);
    assert_int_equal(no.status, 0);
    return &f->head;
}

static struct gate_request_head *accepted(struct fixture *f, const char *z)
{
    return accept_as(f, z, false);
}

#define assert_str(s, z)                                                                           \
    do {                                                                                           \
        assert_int_equal((s).n, strlen(z));                                                        \
        assert_memory_equal((s).p, (z), (s).n);                                                    \
    } while (0)

static void a_plain_head(void **state)
{
    struct fixture f;
    struct gate_request_head *h;

    (void)state;
    h = accepted(&f, "GET /a/%7Eb?x=%zz&y HTTP/1.1\r\nHost: Example.TEST:8080\r\n"
                     "x-a:  one two\t \r\nX-Empty:\r\nAccept: */*\r\n\r\n");
    assert_int_equal(h->method, GATE_M_GET);
    assert_str(h->method_text, "GET");
    assert_str(h->target, "/a/%7Eb?x=%zz&y");
    assert_str(h->path, "/a/~b");
    assert_str(h->path_text, "/a/~b");
    assert_true(h->has_query);
    assert_str(h->query, "x=%zz&y");
    assert_str(h->host, "example.test");
    assert_str(h->authority, "example.test:8080");
    assert_int_equal(h->port, 8080);
    assert_int_equal(h->minor, 1);
    assert_true(h->keep_alive);
    assert_false(h->expect_continue || h->options_star || h->upgrade);
    assert_int_equal(h->framing, GATE_BODY_NONE);
    assert_int_equal(h->max_forwards, -1);
    assert_int_equal(h->fields.n, 4);
    assert_int_equal(h->fields.v[0].id, GATE_F_HOST);
    assert_str(gate_field_name(&h->fields.v[1]), "x-a");
    assert_str(gate_field_value(&h->fields.v[1]), "one two");
    assert_int_equal(h->fields.v[1].id, GATE_F_OTHER);
    assert_str(gate_field_value(&h->fields.v[2]), "");
    assert_str(gate_field_value(&h->fields.v[3]), "*/*");
    assert_true(h->fields.known == (GATE_F_BIT(GATE_F_HOST) | GATE_F_BIT(GATE_F_ACCEPT)));
    gate_arena_clear(&f.arena);
}

static void query_forms(void **state)
{
    struct fixture f;

    (void)state;
    assert_false(accepted(&f, "GET /a HTTP/1.1\r\n" H E)->has_query);
    gate_arena_clear(&f.arena);
    assert_true(accepted(&f, "GET /a? HTTP/1.1\r\n" H E)->has_query);
    assert_str(f.head.query, "");
    gate_arena_clear(&f.arena);
    accepted(&f, "GET /%2e/a?b?c/../d HTTP/1.1\r\n" H E);
    assert_str(f.head.path, "/a");
    assert_str(f.head.query, "b?c/../d");
    gate_arena_clear(&f.arena);
}

static void absolute_form(void **state)
{
    struct fixture f;
    struct gate_request_head *h;

    (void)state;
    h = accepted(&f, "GET HTTP://EXAMPLE.test:80/a/./b?c HTTP/1.1\r\n" H E);
    assert_str(h->path, "/a/b");
    assert_str(h->query, "c");
    assert_str(h->authority, "example.test");
    gate_arena_clear(&f.arena);
    h = accepted(&f, "GET http://example.test HTTP/1.1\r\n" H E);
    assert_str(h->path, "/");
    gate_arena_clear(&f.arena);
    h = accepted(&f, "GET http://example.test?q HTTP/1.1\r\n" H E);
    assert_str(h->path, "/");
    assert_str(h->query, "q");
    gate_arena_clear(&f.arena);
    h = accept_as(&f, "GET https://[::1]:444/ HTTP/1.1\r\nHost: [::1]:444\r\n\r\n", true);
    assert_str(h->host, "[::1]");
    assert_int_equal(h->port, 444);
    gate_arena_clear(&f.arena);
    /* HTTP/1.0 without Host: the target says it. */
    h = accepted(&f, "GET http://Old.test:81/x HTTP/1.0\r\n\r\n");
    assert_str(h->host, "old.test");
    assert_str(h->authority, "old.test:81");
    gate_arena_clear(&f.arena);
}

static void options(void **state)
{
    struct fixture f;

    (void)state;
    assert_true(accepted(&f, "OPTIONS * HTTP/1.1\r\n" H "Max-Forwards: 0\r\n" E)->options_star);
    assert_str(f.head.path, "*");
    assert_int_equal(f.head.max_forwards, 0);
    gate_arena_clear(&f.arena);
    assert_true(accepted(&f, "OPTIONS http://example.test HTTP/1.1\r\n" H E)->options_star);
    gate_arena_clear(&f.arena);
    accepted(&f, "OPTIONS / HTTP/1.1\r\n" H "Max-Forwards: 99999999999\r\n" E);
    assert_int_equal(f.head.max_forwards, INT32_MAX);
    assert_false(f.head.options_star);
    gate_arena_clear(&f.arena);
    /* On other methods nobody looks at it. */
    assert_int_equal(accepted(&f, "GET / HTTP/1.1\r\n" H "Max-Forwards: x\r\n" E)->max_forwards,
                     -1);
    gate_arena_clear(&f.arena);
}

static void framing(void **state)
{
    struct fixture f;

    (void)state;
    accepted(&f, "POST / HTTP/1.1\r\n" H "Content-Length: 999999999999999999\r\n" E);
    assert_int_equal(f.head.framing, GATE_BODY_LENGTH);
    assert_true(f.head.content_length == 999999999999999999u);
    gate_arena_clear(&f.arena);
    accepted(&f, "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n" E);
    assert_int_equal(f.head.framing, GATE_BODY_LENGTH);
    gate_arena_clear(&f.arena);
    accepted(&f, "POST / HTTP/1.1\r\n" H "transfer-encoding:CHUNKED \r\n" E);
    assert_int_equal(f.head.framing, GATE_BODY_CHUNKED);
    gate_arena_clear(&f.arena);
}

static void expect_continue(void **state)
{
    struct fixture f;

    (void)state;
    assert_true(
        accepted(&f, "POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 5\r\n" E)
            ->expect_continue);
    gate_arena_clear(&f.arena);
    /* Nobody waits for a body that there is not; an old client does not know the 100. */
    assert_false(
        accepted(&f, "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n" E)->expect_continue);
    gate_arena_clear(&f.arena);
    assert_false(
        accepted(&f, "POST / HTTP/1.0\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n" E)
            ->expect_continue);
    gate_arena_clear(&f.arena);
}

static void keep_alive_and_upgrade(void **state)
{
    static const struct {
        const char *bytes;
        bool keep_alive;
        bool upgrade;
    } table[] = {
        {"GET / HTTP/1.1\r\n" H E, true, false},
        {"GET / HTTP/1.0\r\n" H E, false, false},
        {"GET / HTTP/1.0\r\n" H "Connection: Keep-Alive\r\n" E, true, false},
        {"GET / HTTP/1.1\r\n" H "Connection: close\t\r\n" E, false, false},
        {"GET / HTTP/1.1\r\n" H "Connection: a ,\tCLOSE , b\r\n" E, false, false},
        {"GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n" E, false, false},
        {"GET / HTTP/1.1\r\n" H "Connection: upgradf\r\nUpgrade: h2c, h2c\r\n" E, true, false},
        {"GET / HTTP/1.1\r\n" H "Connection: closed\r\n" E, true, false},
        {"GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n" E, true, true},
        {"GET / HTTP/1.0\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n" E, false, false},
        {"GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\n" E, true, false},
        {"GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\n" E, true, false},
        {"GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade:\r\n" E, true, false},
        {"GET / HTTP/1.1\r\n" H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" E, true,
         false},
        {"GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n" E, true,
         false},
        {"GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: a\r\nUpgrade: h2c\r\n" E, true,
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture f;

        accepted(&f, table[i].bytes);
        if (f.head.keep_alive != table[i].keep_alive || f.head.upgrade != table[i].upgrade)
            print_error("%s\n", table[i].bytes);
        assert_int_equal(f.head.keep_alive, table[i].keep_alive);
        assert_int_equal(f.head.upgrade, table[i].upgrade);
        if (f.head.upgrade)
            assert_str(f.head.upgrade_token, "websocket");
        gate_arena_clear(&f.arena);
    }
}

static void underscores(void **state)
{
    static const char z[] = "POST /a HTTP/1.1\r\n" H "Transfer_Encoding: chunked\r\nX_y: 1\r\n"
                            "Content-Length: 5\r\nX: 2\r\n\r\n";
    struct gate_head_limits l = limits;
    struct gate_request_head head;
    struct gate_arena arena;

    (void)state;
    gate_arena_init(&arena, NULL);
    assert_int_equal(parse_with(z, sizeof z - 1, &l, false, &arena, &head).status, 0);
    assert_int_equal(head.dropped_underscores, 2);
    assert_int_equal(head.fields.n, 3);
    assert_str(gate_field_name(&head.fields.v[2]), "X");
    assert_int_equal(head.framing, GATE_BODY_LENGTH);
    l.underscores = GATE_UNDERSCORE_KEEP;
    assert_int_equal(parse_with(z, sizeof z - 1, &l, false, &arena, &head).status, 0);
    assert_int_equal(head.fields.n, 5);
    assert_int_equal(head.dropped_underscores, 0);
    l.underscores = GATE_UNDERSCORE_REJECT;
    assert_int_equal(parse_with(z, sizeof z - 1, &l, false, &arena, &head).status, 400);
    gate_arena_clear(&arena);
}

/* A head of `before`, `n` times `unit`, and `after`. */
static int status_of_many(const char *before, const char *unit, size_t n, const char *after)
{
    size_t size = strlen(before) + n * strlen(unit) + strlen(after);
    char *z = malloc(size + 1);
    struct gate_request_head head;
    struct gate_arena arena;
    size_t at;
    int status;

    assert_non_null(z);
    at = (size_t)sprintf(z, "%s", before);
    while (n-- > 0)
        at += (size_t)sprintf(z + at, "%s", unit);
    memcpy(z + at, after, strlen(after));
    gate_arena_init(&arena, NULL);
    status = parse_with(z, size, &limits, false, &arena, &head).status;
    gate_arena_clear(&arena);
    free(z);
    return status;
}

static void limits_hold(void **state)
{
    const char *line = "GET /a HTTP/1.1\r\n" H;
    const char *end = " HTTP/1.1\r\n" H E;

    (void)state;
    assert_int_equal(status_of_many(line, "a: b\r\n", 99, "\r\n"), 0);
    assert_int_equal(status_of_many(line, "a: b\r\n", 100, "\r\n"), 431);
    assert_int_equal(status_of_many(line, "a: b\r\n", 2000, "\r\n"), 431);
    assert_int_equal(status_of_many("GET /a HTTP/1.1\r\n" H "X: ", "a", 32000, "\r\n\r\n"), 0);
    assert_int_equal(status_of_many("GET /a HTTP/1.1\r\n" H "X: ", "a", 33000, "\r\n\r\n"), 431);
    assert_int_equal(status_of_many("GET /a HTTP/1.1\r\n" H "X: ", "a", 33000, ""), 0);
    assert_int_equal(status_of_many(line, "n", 256, ": v\r\n\r\n"), 0);
    assert_int_equal(status_of_many(line, "n", 257, ": v\r\n\r\n"), 431);
    assert_int_equal(status_of_many("GET /", "a", 8191, end), 0);
    assert_int_equal(status_of_many("GET /", "a", 8192, end), 414);
    assert_int_equal(status_of_many("GET /", "a", 1000000, end), 414);
    assert_int_equal(status_of_many("GET /", "a", 1000000, ""), 414);
    assert_int_equal(status_of_many("GET http://example.test/", "a", 9000, end), 414);
    assert_int_equal(status_of_many("", "A", 65536, " / HTTP/1.1\r\n\r\n"), 501);
    assert_int_equal(status_of_many("", "A", 65536, ""), 501);
    assert_int_equal(status_of_many("GET /a HTTP/1.1\r\nHost: ", "a", 255, E E), 0);
    assert_int_equal(status_of_many("GET /a HTTP/1.1\r\nHost: ", "a", 256, E E), 400);
}

static void partial_heads(void **state)
{
    const char *z = "GET /a HTTP/1.1\r\nHost: x\r\n";
    struct gate_head_limits small = limits;

    (void)state;
    assert_int_equal(gate_parse_early("", 0, &limits).status, 0);
    assert_int_equal(gate_parse_early("GE", 2, &limits).status, 0);
    assert_int_equal(gate_parse_early("GET", 3, &limits).status, 0);
    assert_int_equal(gate_parse_early("G\x16", 2, &limits).status, 400);
    assert_int_equal(gate_parse_early("GET /a\r", 7, &limits).status, 400);
    assert_int_equal(gate_parse_early(z, strlen(z), &limits).status, 0);
    assert_int_equal(gate_parse_refuse_partial(z, strlen(z), &limits).status, 400);
    small.header_bytes = (uint32_t)strlen(z);
    assert_int_equal(gate_parse_refuse_partial(z, strlen(z), &small).status, 431);
    assert_int_equal(gate_parse_early("GET / HTTP/2.0\r\n", 16, &limits).status, 505);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_heads),
        cmocka_unit_test(nul_bytes),
        cmocka_unit_test(a_plain_head),
        cmocka_unit_test(query_forms),
        cmocka_unit_test(absolute_form),
        cmocka_unit_test(options),
        cmocka_unit_test(framing),
        cmocka_unit_test(expect_continue),
        cmocka_unit_test(keep_alive_and_upgrade),
        cmocka_unit_test(underscores),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(partial_heads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
