/* The header in front of a connection that says for whom it was made. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "http/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* Feeds n bytes, so many at a time; `took` counts those that belonged to the header. */
static enum gate_err feed(const char *p, size_t n, size_t step, size_t *took,
                          struct gate_proxy_source *out)
{
    struct gate_proxy_reader r = {0};
    enum gate_err err = GATE_E_AGAIN;

    *took = 0;
    while (err == GATE_E_AGAIN && *took < n) {
        size_t part, some = n - *took < step ? n - *took : step;

        err = gate_proxy_feed(&r, p + *took, some, &part, out);
        *took += part;
        assert_true(part <= some);
        if (err == GATE_E_AGAIN)
            assert_int_equal(part, some);
    }
    return err;
}

static void check_good(const char *p, size_t n, size_t header, const char *client)
{
    static const size_t steps[] = {1, 2, 7, 16, 4096};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct gate_proxy_source source;
        char text[GATE_ADDR_TEXT];
        size_t took;

        assert_int_equal(feed(p, n, steps[i], &took, &source), GATE_OK);
        assert_int_equal(took, header);
        assert_int_equal(source.known, client != NULL);
        if (client == NULL)
            continue;
        gate_addr_format(&source.client, text, sizeof(text));
        assert_string_equal(text, client);
    }
}

/* However it comes, it is refused before it is taken to its end. */
static void check_bad(const char *p, size_t n)
{
    static const size_t steps[] = {1, 16, 4096};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct gate_proxy_source source;
        size_t took;

        assert_int_equal(feed(p, n, steps[i], &took, &source), GATE_E_SYNTAX);
        assert_false(source.known);
    }
}

#define REQUEST "GET / HTTP/1.1\r\n"
#define GOOD(text, client) check_good(text REQUEST, sizeof(text REQUEST) - 1, sizeof(text) - 1, client)
#define BAD(text) check_bad(text, sizeof(text) - 1)

static void version_1(void **state)
{
    (void)state;
    GOOD("PROXY TCP4 192.0.2.1 198.51.100.9 56324 443\r\n", "192.0.2.1:56324");
    GOOD("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535");
    GOOD("PROXY TCP6 2001:db8::1 2001:db8::2 1 0\r\n", "[2001:db8::1]:1");
    GOOD("PROXY UNKNOWN\r\n", NULL);
    GOOD("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", NULL);
}

static void bad_version_1(void **state)
{
    char line[200];

    (void)state;
    BAD("GET / HTTP/1.1\r\n");
    BAD("PROXYTCP4 1.2.3.4 1.2.3.4 1 2\r\n");
    BAD("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n");
    BAD("PROXY \r\n      \r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n");
    BAD("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n");
    BAD("PROXY TCP4 ::1 1.2.3.4 1 2\r\n");
    BAD("PROXY TCP6 1.2.3.4 ::1 1 2\r\n");
    BAD("PROXY TCP6 [::1] ::1 1 2\r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n");
    BAD("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n");
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    check_bad(line, sizeof(line));
    memcpy(line + 106, "\r\n", 2);
    check_bad(line, sizeof(line));
    memcpy(line + 105, "\r\n", 2);
    check_good(line, sizeof(line), 107, NULL);
}

#define IP4 "\xc0\0\2\1" "\xc6\x33\x64\x09" "\x12\x34\0\x50"
#define IP6                                                                                        \
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                                       \
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\7\0\x50"

static void version_2(void **state)
{
    (void)state;
    GOOD(SIGNATURE "\x21\x11\0\x0c" IP4, "192.0.2.1:4660");
    GOOD(SIGNATURE "\x21\x21\0\x24" IP6, "[2001:db8::1]:7");
    GOOD(SIGNATURE "\x21\x11\0\x13" IP4 "\4\0\4tlvs", "192.0.2.1:4660");
    GOOD(SIGNATURE "\x20\x11\0\x0c" IP4, NULL);
    GOOD(SIGNATURE "\x20\0\0\0", NULL);
    GOOD(SIGNATURE "\x21\0\0\7\4\0\4tlvs", NULL);
}

static void a_long_version_2(void **state)
{
    static char all[16 + 65535 + 5];

    (void)state;
    memset(all, 'T', sizeof(all));
    memcpy(all, SIGNATURE "\x21\x11\xff\xff" IP4, 28);
    check_good(all, sizeof(all), 16 + 65535, "192.0.2.1:4660");
    memcpy(all, SIGNATURE "\x21\x31\0\xd8", 16);
    check_good(all, sizeof(all), 16 + 216, NULL);
}

static void bad_version_2(void **state)
{
    (void)state;
    BAD("\r\n\r\n\0\r\nQUIT\r" "\x21\x11\0\x0c" IP4);
    BAD(SIGNATURE "\x11\x11\0\x0c" IP4);
    BAD(SIGNATURE "\x22\x11\0\x0c" IP4);
    BAD(SIGNATURE "\x21\x12\0\x0c" IP4);
    BAD(SIGNATURE "\x21\x31\0\x0c" IP4);
    BAD(SIGNATURE "\x21\x11\0\x0b" IP4);
    BAD(SIGNATURE "\x21\x21\0\x0c" IP4);
}

static struct gate_addr address(const char *text)
{
    struct gate_addr a;

    assert_int_equal(gate_addr_parse(gate_str_from_cstr(text), &a), GATE_OK);
    return a;
}

/* What is written is read again, and names the client. */
static void written(void **state)
{
    static const char *const clients[] = {"192.0.2.1:9", "[2001:db8::1]:65535", "unix:/run/x"};
    struct gate_addr servers[] = {address("10.0.0.1:80"), address("[2001:db8::9]:443")};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct gate_addr client = address(clients[i]);
        const char *want = client.u.sa.sa_family == AF_UNIX ? NULL : clients[i];
        char bytes[GATE_PROXY_MAX];

        for (size_t k = 0; k < 3; k++) {
            const struct gate_addr *server = k < 2 ? &servers[k] : NULL;

            size_t n = gate_proxy_write(GATE_PROXY_V1, &client, server, NULL, bytes);

            check_good(bytes, n, n, want);
            n = gate_proxy_write(GATE_PROXY_V2, &client, server, NULL, bytes);
            check_good(bytes, n, n, want);
        }
    }
}

static void check_written(enum gate_proxy_version v, const char *client, const char *server,
                          const char *want, size_t n)
{
    struct gate_addr from = address(client), at = address(server);
    char bytes[GATE_PROXY_MAX];

    assert_int_equal(gate_proxy_write(v, &from, &at, NULL, bytes), n);
    assert_memory_equal(bytes, want, n);
}

#define WRITTEN(v, client, server, text) check_written(v, client, server, text, sizeof(text) - 1)

static void exactly(void **state)
{
    (void)state;
    WRITTEN(GATE_PROXY_V1, "192.0.2.1:9", "10.0.0.1:80", "PROXY TCP4 192.0.2.1 10.0.0.1 9 80\r\n");
    WRITTEN(GATE_PROXY_V1, "[::ffff:192.0.2.1]:9", "[::ffff:10.0.0.1]:80",
            "PROXY TCP4 192.0.2.1 10.0.0.1 9 80\r\n");
    WRITTEN(GATE_PROXY_V1, "[2001:db8::1]:9", "10.0.0.1:80",
            "PROXY TCP6 2001:db8::1 :: 9 0\r\n");
    WRITTEN(GATE_PROXY_V1, "unix:/x", "unix:/y", "PROXY UNKNOWN\r\n");
    WRITTEN(GATE_PROXY_V2, "192.0.2.1:4660", "198.51.100.9:80", SIGNATURE "\x21\x11\0\x0c" IP4);
    WRITTEN(GATE_PROXY_V2, "[2001:db8::1]:7", "[2001:db8::2]:80",
            SIGNATURE "\x21\x21\0\x24" IP6);
    WRITTEN(GATE_PROXY_V2, "unix:/x", "unix:/y", SIGNATURE "\x21\0\0\0");
}

#define SSL_IP4 SIGNATURE "\x21\x11\0"

static void check_tls(const struct gate_proxy_tls *tls, const char *client, const char *want,
                      size_t n)
{
    struct gate_addr from = address(client), at = address("198.51.100.9:80");
    char bytes[GATE_PROXY_MAX];

    assert_int_equal(gate_proxy_write(GATE_PROXY_V2, &from, &at, tls, bytes), n);
    assert_memory_equal(bytes, want, n);
    check_good(bytes, n, n, from.u.sa.sa_family == AF_UNIX ? NULL : client);
    n = gate_proxy_write(GATE_PROXY_V1, &from, &at, tls, bytes); /* has no room for it */
    assert_int_equal(n, gate_proxy_write(GATE_PROXY_V1, &from, &at, NULL, bytes));
}

#define TLS(tls, client, text) check_tls(tls, client, text, sizeof(text) - 1)

static void what_tls_was(void **state)
{
    struct gate_proxy_tls tls = {.version = GATE_STR("TLSv1.3")};
    const char *peer = "192.0.2.1:4660";

    (void)state;
    TLS(&tls, peer, SSL_IP4 "\x1e" IP4 "\x20\0\x0f\1\0\0\0\1\x21\0\7TLSv1.3");
    TLS(&tls, "unix:/x", SIGNATURE "\x21\0\0\x12\x20\0\x0f\1\0\0\0\1\x21\0\7TLSv1.3");
    tls.alpn = GATE_STR("h2");
    tls.authority = GATE_STR("a.test");
    tls.cipher = GATE_STR("X-Y");
    tls.cn = GATE_STR("me");
    tls.shown = tls.verified = true;
    TLS(&tls, peer, SSL_IP4 "\x37" IP4 "\1\0\2h2\2\0\6a.test\x20\0\x1a\7\0\0\0\0"
                            "\x21\0\7TLSv1.3\x22\0\2me\x23\0\3X-Y");
    tls = (struct gate_proxy_tls){.shown = true, .resumed = true};
    TLS(&tls, peer, SSL_IP4 "\x14" IP4 "\x20\0\5\5\0\0\0\1");
    tls.verified = true;
    TLS(&tls, peer, SSL_IP4 "\x14" IP4 "\x20\0\5\5\0\0\0\0");
}

/* However long the texts are, there is room. */
static void long_texts(void **state)
{
    static char text[300];
    struct gate_addr from = address("[2001:db8::1]:7"), at = address("[2001:db8::2]:80");
    char bytes[GATE_PROXY_MAX];

    (void)state;
    for (size_t n = GATE_PROXY_TEXT_MAX; n <= GATE_PROXY_TEXT_MAX + 1; n++) {
        struct gate_str t = gate_str_of(text, n);
        struct gate_proxy_tls tls = {t, t, t, t, t, true, false, true};
        size_t put = gate_proxy_write(GATE_PROXY_V2, &from, &at, &tls, bytes);

        assert_int_equal(put, 16 + 36 + 8 + (n == GATE_PROXY_TEXT_MAX ? 5 * (3 + n) : 0));
        check_good(bytes, put, put, "[2001:db8::1]:7");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1),
        cmocka_unit_test(bad_version_1),
        cmocka_unit_test(version_2),
        cmocka_unit_test(a_long_version_2),
        cmocka_unit_test(bad_version_2),
        cmocka_unit_test(written),
        cmocka_unit_test(exactly),
        cmocka_unit_test(what_tls_was),
        cmocka_unit_test(long_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
