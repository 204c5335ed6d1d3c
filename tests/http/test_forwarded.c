/* Whom we believe about the client, and what the next hop is told. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "http/forwarded.h"
#include "http/parse.h"
#include "http/scan.h"

static const struct gate_head_limits limits = {
    .header_bytes = 32768,
    .header_count = 100,
    .target_bytes = 8192,
};

struct fixture {
    struct gate_arena arena;
    struct gate_request_head head;
    struct gate_cidr cidr[2];
    struct gate_cidr_set trust;
    struct gate_addr peer;
    struct gate_str peer_ip;
    struct gate_client_view view;
    char text[4096];
};

/* A request with these fields from `peer`; 10.0.0.0/8 and fd00::/8 are trusted. */
static void request(struct fixture *f, const char *peer, const char *fields)
{
    static char z[8192];
    struct gate_scan s = {0};
    const char *why;
    size_t len;

    memset(f, 0, sizeof *f);
    gate_arena_init(&f->arena, NULL);
    snprintf(z, sizeof z, "GET / HTTP/1.1\r\nHost: example.test\r\n%s\r\n", fields);
    assert_int_equal(gate_scan_head(&s, z, strlen(z), &len, &why), GATE_SCAN_DONE);
    assert_int_equal(gate_parse_request(z, len, &limits, false, &f->arena, &f->head).status, 0);
    assert_int_equal(gate_cidr_parse(GATE_STR("10.0.0.0/8"), &f->cidr[0]), GATE_OK);
    assert_int_equal(gate_cidr_parse(GATE_STR("fd00::/8"), &f->cidr[1]), GATE_OK);
    f->trust = (struct gate_cidr_set){f->cidr, 2};
    f->peer_ip = gate_str_from_cstr(peer);
    assert_int_equal(gate_addr_parse_ip(f->peer_ip, &f->peer), GATE_OK);
    gate_forwarded_read(&f->head.fields, &f->trust, &f->peer, f->peer_ip, false, &f->arena,
                        &f->view);
}

/* What goes on, as lines. */
static const char *written(struct fixture *f, uint8_t minor, enum gate_forwarded_style style)
{
    struct gate_str via = minor == 0 ? GATE_STR("1.0 moongate") : GATE_STR("1.1 moongate");
    struct gate_field v[GATE_FORWARDED_MAX];
    uint32_t n = gate_forwarded_write(&f->head.fields, &f->view, f->peer_ip, false,
                                      f->head.authority, via, style, &f->arena, v);
    char *to = f->text;

    assert_in_range(n, 1, GATE_FORWARDED_MAX);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(v[i].id, gate_field_id_of(v[i].name, v[i].name_len));
        to += sprintf(to, "%.*s: %.*s\n", (int)v[i].name_len, v[i].name, (int)v[i].value_len,
                      v[i].value);
    }
    gate_arena_clear(&f->arena);
    return f->text;
}

static void who_the_client_is(void **state)
{
    static const struct {
        const char *peer;
        const char *fields;
        const char *ip;
    } table[] = {
        {"192.0.2.1", "", "192.0.2.1"},
        {"192.0.2.1", "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n", "192.0.2.1"},
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6\r\n", "6.6.6.6"},
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6, 7.7.7.7\r\n", "7.7.7.7"},
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6, 10.1.1.1 , 10.2.2.2\r\n", "6.6.6.6"},
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 10.2.2.2\r\n", "6.6.6.6"},
        {"10.0.0.1", "X-Forwarded-For: 10.3.3.3, 10.2.2.2\r\n", "10.3.3.3"},
        /* A malformed hop ends the walk. */
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6, evil, 10.2.2.2\r\n", "10.2.2.2"},
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6, unknown\r\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For:\r\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: unix:/x\r\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: :80\r\n", "10.0.0.1"},
        /* Ports and IPv6. */
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6:1234\r\n", "6.6.6.6"},
        {"fd00::1", "X-Forwarded-For: 2001:DB8::1\r\n", "2001:db8::1"},
        {"fd00::1", "X-Forwarded-For: [2001:db8::1]:99, [fd00::2]\r\n", "2001:db8::1"},
        /* Forwarded, only without X-Forwarded-For. */
        {"10.0.0.1", "Forwarded: for=6.6.6.6\r\n", "6.6.6.6"},
        {"10.0.0.1", "Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n", "7.7.7.7"},
        {"10.0.0.1",
         "Forwarded: for=5.5.5.5, For=\"6.6.6.6:81\" ;proto=http;by=x, for=10.1.1.1\r\n",
         "6.6.6.6"},
        {"10.0.0.1", "Forwarded: for=\"[2001:db8::1]:47\";host=\"a,b;for=9.9.9.9\"\r\n",
         "2001:db8::1"},
        {"10.0.0.1", "Forwarded: for=6.6.6.6, for=_hidden\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for=6.6.6.6, proto=http\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for=6.6.6.6, for=\"10.1.1.1\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for;\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: =x\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for=\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for=\"6.6.6.6\\\"\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for=\"a\\b\"\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for=6.6.6.6\t ;\tby=x\r\n", "6.6.6.6"},
        /* What a stranger sent cannot hide what a trusted hop put behind it. */
        {"10.0.0.1", "Forwarded: for=\"x, for=6.6.6.6\r\n", "6.6.6.6"},
        {"10.0.0.1", "Forwarded: for=\"x, for=\"[2001:db8::1]:47\";host=\"a\"\r\n", "2001:db8::1"},
        {"10.0.0.1", "Forwarded: for=5.5.5.5, a=b;c=\"x\\y, for=6.6.6.6\r\n", "6.6.6.6"},
        {"10.0.0.1", "Forwarded: =, for=6.6.6.6, for=10.1.1.1\r\n", "6.6.6.6"},
        {"10.0.0.1", "Forwarded: for=5.5.5.5, for=\"x, for=10.1.1.1\r\n", "10.1.1.1"},
        {"10.0.0.1", "Forwarded: for=5.5.5.5;x y, for=10.1.1.1\r\n", "10.1.1.1"},
        {"10.0.0.1", "Forwarded: for=6.6.6.6 x\r\n", "10.0.0.1"},
        {"10.0.0.1", "Forwarded: for=6.6.6.6\r\nForwarded: for=10.1.1.1\r\n", "6.6.6.6"},
        {"192.0.2.1", "Forwarded: for=6.6.6.6\r\n", "192.0.2.1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture f;

        request(&f, table[i].peer, table[i].fields);
        if (!gate_str_eq(f.view.ip, gate_str_from_cstr(table[i].ip)))
            print_error("%s: %.*s\n", table[i].fields, (int)f.view.ip.n, f.view.ip.p);
        assert_true(gate_str_eq(f.view.ip, gate_str_from_cstr(table[i].ip)));
        assert_int_equal(f.view.trusted, table[i].peer[0] != '1' || table[i].peer[1] == '0');
        gate_arena_clear(&f.arena);
    }
}

/* Only the last hops count: a long chain neither overflows nor is believed to its left end. */
static void endless_chains(void **state)
{
    static char fields[4096] = "X-Forwarded-For: 6.6.6.6";
    struct fixture f;

    (void)state;
    for (int i = 0; i < 100; i++)
        strcat(fields, ", 10.1.1.1");
    strcat(fields, "\r\n");
    request(&f, "10.0.0.1", fields);
    assert_true(gate_str_eq(f.view.ip, GATE_STR("10.1.1.1")));
    gate_arena_clear(&f.arena);
}

static void scheme_and_host(void **state)
{
    static const struct {
        const char *peer;
        const char *fields;
        const char *proto;
        const char *host;
    } table[] = {
        {"192.0.2.1", "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n", "http", ""},
        {"10.0.0.1", "X-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: Shop.test:8443\r\n", "https",
         "shop.test:8443"},
        {"10.0.0.1", "X-Forwarded-Proto: http, https\r\n", "https", ""},
        {"10.0.0.1", "X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a/b\r\n", "http", ""},
        {"10.0.0.1", "Forwarded: for=6.6.6.6;proto=https;host=\"a.test:1\"\r\n", "https",
         "a.test:1"},
        {"10.0.0.1", "Forwarded: for=6.6.6.6;proto=https, for=7.7.7.7;proto=http\r\n", "http", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture f;

        request(&f, table[i].peer, table[i].fields);
        assert_true(gate_str_eq(f.view.proto, gate_str_from_cstr(table[i].proto)));
        assert_true(gate_str_eq(f.view.host, gate_str_from_cstr(table[i].host)));
        gate_arena_clear(&f.arena);
    }
}

/* Behind TLS of our own, too, whoever is trusted says what the client spoke. */
static void scheme_behind_tls(void **state)
{
    static const char *const fields[] = {"", "X-Forwarded-Proto: http\r\n",
                                         "Forwarded: for=6.6.6.6;proto=HTTP\r\n"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fixture f;

        request(&f, "10.0.0.1", fields[i]);
        gate_forwarded_read(&f.head.fields, &f.trust, &f.peer, f.peer_ip, true, &f.arena, &f.view);
        assert_true(gate_str_eq(f.view.proto, i == 0 ? GATE_STR("https") : GATE_STR("http")));
        gate_arena_clear(&f.arena);
    }
}

static void for_the_next_hop(void **state)
{
    struct fixture f;

    (void)state;
    request(&f, "192.0.2.1",
            "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n"
            "X-Forwarded-Host: evil.test\r\nForwarded: for=9.9.9.9\r\n");
    assert_string_equal(written(&f, 1, GATE_FORWARDED_X),
                        "X-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: http\n"
                        "X-Forwarded-Host: example.test\nVia: 1.1 moongate\n");
    request(&f, "192.0.2.1", "Forwarded: for=9.9.9.9\r\nVia: 1.0 a\r\nVia: 1.1 b\r\n");
    assert_string_equal(written(&f, 0, GATE_FORWARDED_RFC7239),
                        "Forwarded: for=192.0.2.1;proto=http;host=\"example.test\"\n"
                        "Via: 1.0 a, 1.1 b, 1.0 moongate\n");
    request(&f, "192.0.2.1", "");
    assert_string_equal(written(&f, 1, GATE_FORWARDED_NONE), "Via: 1.1 moongate\n");
    request(&f, "10.0.0.1",
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 10.1.1.1\r\n"
            "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\n");
    assert_string_equal(written(&f, 1, GATE_FORWARDED_X),
                        "X-Forwarded-For: 6.6.6.6, 10.1.1.1, 10.0.0.1\nX-Forwarded-Proto: https\n"
                        "X-Forwarded-Host: shop.test\nVia: 1.1 moongate\n");
    request(&f, "10.0.0.1", "");
    assert_string_equal(written(&f, 1, GATE_FORWARDED_X),
                        "X-Forwarded-For: 10.0.0.1\nX-Forwarded-Proto: http\n"
                        "X-Forwarded-Host: example.test\nVia: 1.1 moongate\n");
    request(&f, "10.0.0.1", "Forwarded: for=6.6.6.6\r\nForwarded:\r\n");
    assert_string_equal(written(&f, 1, GATE_FORWARDED_RFC7239),
                        "Forwarded: for=6.6.6.6, for=10.0.0.1;proto=http;host=\"example.test\"\n"
                        "Via: 1.1 moongate\n");
    /* The client is carried over from one notation to the other. */
    request(&f, "fd00::1", "Forwarded: for=\"[2001:db8::1]\"\r\n");
    assert_string_equal(written(&f, 1, GATE_FORWARDED_BOTH),
                        "X-Forwarded-For: 2001:db8::1, fd00::1\nX-Forwarded-Proto: http\n"
                        "X-Forwarded-Host: example.test\n"
                        "Forwarded: for=\"[2001:db8::1]\", for=\"[fd00::1]\";proto=http;"
                        "host=\"example.test\"\nVia: 1.1 moongate\n");
    request(&f, "10.0.0.1", "X-Forwarded-For: 2001:db8::1\r\n");
    assert_string_equal(written(&f, 1, GATE_FORWARDED_RFC7239),
                        "Forwarded: for=\"[2001:db8::1]\", for=10.0.0.1;proto=http;"
                        "host=\"example.test\"\nVia: 1.1 moongate\n");
}

static void peers_without_address(void **state)
{
    struct fixture f;

    (void)state;
    request(&f, "192.0.2.1", "");
    f.peer_ip = f.view.ip = GATE_STR("unix:");
    f.head.authority = GATE_STR_NONE;
    assert_string_equal(written(&f, 1, GATE_FORWARDED_BOTH),
                        "X-Forwarded-For: unknown\nX-Forwarded-Proto: http\n"
                        "Forwarded: for=unknown;proto=http\nVia: 1.1 moongate\n");
}

static void what_is_dropped(void **state)
{
    const uint64_t overrides = GATE_F_BIT(GATE_F_X_ORIGINAL_URL) |
                               GATE_F_BIT(GATE_F_X_REWRITE_URL) |
                               GATE_F_BIT(GATE_F_X_HTTP_METHOD_OVERRIDE) |
                               GATE_F_BIT(GATE_F_X_REAL_IP) | GATE_F_BIT(GATE_F_X_FORWARDED_PORT);
    const uint64_t x = GATE_F_BIT(GATE_F_X_FORWARDED_FOR) | GATE_F_BIT(GATE_F_X_FORWARDED_PROTO) |
                       GATE_F_BIT(GATE_F_X_FORWARDED_HOST);
    const uint64_t rfc = GATE_F_BIT(GATE_F_FORWARDED);
    const uint64_t via = GATE_F_BIT(GATE_F_VIA);

    (void)state;
    for (int style = GATE_FORWARDED_X; style <= GATE_FORWARDED_NONE; style++)
        assert_true(gate_forwarded_drop(false, (enum gate_forwarded_style)style) ==
                    (overrides | x | rfc | via));
    assert_true(gate_forwarded_drop(true, GATE_FORWARDED_X) == (x | via));
    assert_true(gate_forwarded_drop(true, GATE_FORWARDED_RFC7239) == (rfc | via));
    assert_true(gate_forwarded_drop(true, GATE_FORWARDED_BOTH) == (x | rfc | via));
    assert_true(gate_forwarded_drop(true, GATE_FORWARDED_NONE) == via);
}

static void claims_without_an_id(void **state)
{
    static const char *const claims[] = {
        "X-Forwarded-Prefix", "x-forwarded-ssl",  "X-FORWARDED-SERVER", "X-Forwarded",
        "X-Original-Host",    "X-Real-Port",      "X-HTTP-Method",      "Client-IP",
        "True-Client-IP",     "CF-Connecting-IP", "Front-End-Https",    "X-Host",
        "X-Scheme",           "X-Client-IP",      "X-Remote-IP",        "X-URL-Scheme",
        "X-Remote-Addr",      "X-ProxyUser-IP",   "X-Originating-IP",   "Fastly-Client-IP",
        "X-Method-Override",  "X-Cluster-Client-IP", "X-HTTP-Host-Override",
        "X-Forward-For",      "Forwarded-For",    "FORWARDED-HOST",     "X-RealIP",
        "Proxy-Client-IP",    "WL-Proxy-Client-IP", "CF-Connecting-IPv6", "X-Azure-ClientIP",
        "X-Azure-SocketIP",   "X-Appengine-User-IP", "X-Envoy-External-Address",
        "X-Override-URL",     "X-HTTP-Path-Override", "Client-Cert",    "client-cert-chain",
        "X-Client-Cert",      "SSL-Client-Verify", "X-SSL-Client-Cert"};
    static const char *const plain[] = {
        "X-Forward", "X-Original", "X-Requested-With", "Content-Language", "Client", "X-A",
        "F",         "T",          "X-Realm",          "Forward",          "SSL-Client",
        "X-SSL",     "Sales",      "X-Session",        "Client-Cart",      "Proxy-Client"};

    (void)state;
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        assert_true(gate_forwarded_claim(gate_str_from_cstr(claims[i])));
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        assert_false(gate_forwarded_claim(gate_str_from_cstr(plain[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_the_client_is),     cmocka_unit_test(endless_chains),
        cmocka_unit_test(scheme_and_host),       cmocka_unit_test(for_the_next_hop),
        cmocka_unit_test(peers_without_address), cmocka_unit_test(what_is_dropped),
        cmocka_unit_test(claims_without_an_id),  cmocka_unit_test(scheme_behind_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
