#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"

static struct gate_str s(const char *z)
{
    return gate_str_from_cstr(z);
}

static struct gate_addr parsed(const char *text)
{
    struct gate_addr a;

    assert_int_equal(gate_addr_parse(s(text), &a), GATE_OK);
    return a;
}

/* What is parsed is written again as `want`. */
static void assert_written(const char *text, const char *want, const char *want_ip)
{
    struct gate_addr a = parsed(text);
    char to[GATE_ADDR_TEXT];

    assert_int_equal(gate_addr_format(&a, to, sizeof(to)), strlen(want));
    assert_string_equal(to, want);
    assert_int_equal(gate_addr_format_ip(&a, to, sizeof(to)), strlen(want_ip));
    assert_string_equal(to, want_ip);
}

static void test_parse_and_format(void **state)
{
    (void)state;
    assert_written("127.0.0.1:80", "127.0.0.1:80", "127.0.0.1");
    assert_written("255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255");
    assert_written("[::1]:0", "[::1]:0", "::1");
    assert_written("[2001:DB8::0:1]:8443", "[2001:db8::1]:8443", "2001:db8::1");
    assert_written("[::ffff:1.2.3.4]:5", "1.2.3.4:5", "1.2.3.4");
    assert_written(":80", "[::]:80", "::");
    assert_written("unix:/run/x.sock", "unix:/run/x.sock", "unix:");
    assert_int_equal(parsed(":80").u.sa.sa_family, AF_INET6);
    assert_int_equal(parsed(":80").len, sizeof(struct sockaddr_in6));
    assert_int_equal(parsed("1.2.3.4:80").len, sizeof(struct sockaddr_in));
    assert_int_equal(parsed("unix:/x").len, offsetof(struct sockaddr_un, sun_path) + 3);
}

static void test_names_are_for_dns(void **state)
{
    static const char *const names[] = { "localhost:80", "a.example.com:443", "a.example.com.:443",
                                         "my_host-1:1", "1host.x2:1", "xn--bcher-kva.de:80" };
    struct gate_addr a;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(gate_addr_parse(s(names[i]), &a), GATE_E_NOTFOUND);
}

static void test_what_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", "80", "localhost", "localhost:", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
        "127.0.0.1:-1", "127.0.0.1:80x", "127.0.0.1:000080", "::1:80", "::1", "[::1]", "[::1]80",
        "[::1]:", "[::1", "[]:80", "[1.2.3.4]:80", "[::g]:80", "[fe80::1%lo]:80", "127.1:80",
        "1.2.3.4.5:80", "256.1.1.1:80", "01.2.3.4:80", "0x7f.1:80", "2130706433:80",
        "0x7f000001:80", "a..b:80", ".a:80", ".:80", "a b:80", "a/b:80", "http://a:80", "*:80",
        "unix:", "unix:relative", "unix:@abstract",
    };
    struct gate_addr a;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (gate_addr_parse(s(wrong[i]), &a) != GATE_E_SYNTAX)
            fail_msg("taken: %s", wrong[i]);
    }
    assert_int_equal(gate_addr_parse(gate_str_of("1.2.3.4\0x:80", 12), &a), GATE_E_SYNTAX);
    assert_int_equal(gate_addr_parse(gate_str_of("unix:/a\0b", 9), &a), GATE_E_SYNTAX);
    assert_int_equal(gate_addr_parse(GATE_STR_NONE, &a), GATE_E_SYNTAX);
}

static void test_lengths(void **state)
{
    char text[400], to[GATE_ADDR_TEXT];
    struct gate_addr a;

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "unix:/", 6);
    assert_int_equal(gate_addr_parse(gate_str_of(text, 5 + 107), &a), GATE_OK);
    assert_int_equal(gate_addr_format(&a, to, sizeof(to)), 5 + 107);
    assert_memory_equal(to, text, 5 + 107);
    assert_int_equal(gate_addr_parse(gate_str_of(text, 5 + 108), &a), GATE_E_SYNTAX);

    /* A label of 63 is a name, one of 64 is not; nor is a name of 254. */
    memset(text, 'x', sizeof(text));
    memcpy(text + 63, ":1", 2);
    assert_int_equal(gate_addr_parse(gate_str_of(text, 65), &a), GATE_E_NOTFOUND);
    memset(text, 'x', 64);
    memcpy(text + 64, ":1", 2);
    assert_int_equal(gate_addr_parse(gate_str_of(text, 66), &a), GATE_E_SYNTAX);
    for (int i = 0; i < 254; i++)
        text[i] = i % 2 == 0 ? 'x' : '.';
    memcpy(text + 253, ":1", 2);
    assert_int_equal(gate_addr_parse(gate_str_of(text, 255), &a), GATE_E_NOTFOUND);
    memcpy(text + 253, ".x:1", 4);
    assert_int_equal(gate_addr_parse(gate_str_of(text, 257), &a), GATE_E_SYNTAX);
}

static void test_split(void **state)
{
    struct gate_str host;
    uint16_t port;

    (void)state;
    assert_int_equal(gate_addr_split(s("example.com:8080"), &host, &port), GATE_OK);
    assert_true(gate_str_eq(host, GATE_STR("example.com")));
    assert_int_equal(port, 8080);
    assert_int_equal(gate_addr_split(s("[::1]:1"), &host, &port), GATE_OK);
    assert_true(gate_str_eq(host, GATE_STR("::1")));
    assert_int_equal(gate_addr_split(s(":9"), &host, &port), GATE_OK);
    assert_int_equal(host.n, 0);
    assert_int_equal(gate_addr_split(s("a"), &host, &port), GATE_E_SYNTAX);
    assert_int_equal(gate_addr_split(s("::1"), &host, &port), GATE_E_SYNTAX);
}

static void test_ip_alone(void **state)
{
    struct gate_addr a;

    (void)state;
    assert_int_equal(gate_addr_parse_ip(s("1.2.3.4"), &a), GATE_OK);
    assert_int_equal(a.u.sa.sa_family, AF_INET);
    assert_int_equal(gate_addr_port(&a), 0);
    assert_int_equal(gate_addr_parse_ip(s("::1"), &a), GATE_OK);
    assert_int_equal(gate_addr_parse_ip(s("[::1]"), &a), GATE_OK);
    assert_int_equal(a.u.sa.sa_family, AF_INET6);
    assert_int_equal(gate_addr_parse_ip(s("[1.2.3.4]"), &a), GATE_E_SYNTAX);
    assert_int_equal(gate_addr_parse_ip(s("1.2.3.4:80"), &a), GATE_E_SYNTAX);
    assert_int_equal(gate_addr_parse_ip(s("[]"), &a), GATE_E_SYNTAX);
    assert_int_equal(gate_addr_parse_ip(s("x"), &a), GATE_E_SYNTAX);
    assert_int_equal(gate_addr_parse_ip(gate_str_of("::1\0", 4), &a), GATE_E_SYNTAX);
}

static void test_port_and_equality(void **state)
{
    struct gate_addr a = parsed("1.2.3.4:80"), b = parsed("[::ffff:1.2.3.4]:80");
    struct gate_addr c = parsed("[::1]:80"), d = parsed("unix:/a"), e = parsed("unix:/ab");

    (void)state;
    assert_true(gate_addr_eq(&a, &b));
    gate_addr_set_port(&b, 81);
    assert_int_equal(gate_addr_port(&b), 81);
    assert_false(gate_addr_eq(&a, &b));
    gate_addr_set_port(&a, 81);
    assert_true(gate_addr_eq(&a, &b));
    gate_addr_set_port(&c, 81);
    assert_false(gate_addr_eq(&a, &c));
    assert_true(gate_addr_eq(&c, &c));
    assert_false(gate_addr_eq(&d, &e));
    assert_true(gate_addr_eq(&d, &d));
    assert_false(gate_addr_eq(&d, &c));
    gate_addr_set_port(&d, 5);
    assert_int_equal(gate_addr_port(&d), 0);
    c = parsed("[fe80::1]:1");
    b = c;
    b.u.in6.sin6_scope_id = 3;
    assert_false(gate_addr_eq(&b, &c));
}

static void test_addresses_of_the_system(void **state)
{
    struct gate_addr a;
    char to[GATE_ADDR_TEXT];
    int pair[2];

    (void)state;
    /* The end of a socket pair has no name. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    a.len = sizeof(a.u);
    assert_int_equal(getsockname(pair[0], &a.u.sa, &a.len), 0);
    assert_int_equal(gate_addr_format(&a, to, sizeof(to)), 5);
    assert_string_equal(to, "unix:");
    close(pair[0]);
    close(pair[1]);

    memset(&a, 0, sizeof(a));
    a.u.un.sun_family = AF_UNIX;
    memcpy(a.u.un.sun_path, "\0name", 5);
    a.len = offsetof(struct sockaddr_un, sun_path) + 5;
    gate_addr_format(&a, to, sizeof(to));
    assert_string_equal(to, "unix:@name");

    a.u.sa.sa_family = AF_UNSPEC;
    assert_int_equal(gate_addr_format(&a, to, sizeof(to)), 0);
    assert_int_equal(gate_addr_format_ip(&a, to, sizeof(to)), 0);
}

static void test_a_small_buffer_is_cut(void **state)
{
    struct gate_addr a = parsed("127.0.0.1:80");
    char to[6] = "zzzzz";

    (void)state;
    assert_int_equal(gate_addr_format(&a, to, 5), 4);
    assert_string_equal(to, "127.");
    assert_int_equal(gate_addr_format(&a, to, 0), 0);
    assert_string_equal(to, "127.");
    assert_int_equal(gate_addr_format_ip(&a, to, 1), 0);
    assert_string_equal(to, "");
}

static bool in(const char *nets, const char *ip)
{
    struct gate_cidr v[8];
    struct gate_cidr_set set = { v, 0 };
    struct gate_str list = s(nets), item;
    struct gate_addr a;

    while (gate_str_next_item(&list, &item))
        assert_int_equal(gate_cidr_parse(item, &v[set.n++]), GATE_OK);
    assert_int_equal(gate_addr_parse_ip(s(ip), &a), GATE_OK);
    return gate_cidr_set_has(&set, &a);
}

static void test_networks(void **state)
{
    struct gate_cidr net;
    struct gate_cidr_set set = { &net, 1 };
    struct gate_addr a = parsed("unix:/x");

    (void)state;
    assert_true(in("10.0.0.0/8", "10.255.0.1"));
    assert_true(in("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_false(in("10.0.0.0/8", "11.0.0.1"));
    assert_true(in("10.1.2.3/8", "10.9.9.9"));
    assert_true(in("192.168.1.128/25", "192.168.1.200"));
    assert_false(in("192.168.1.128/25", "192.168.1.127"));
    assert_true(in("1.2.3.4", "1.2.3.4"));
    assert_false(in("1.2.3.4", "1.2.3.5"));
    assert_true(in("0.0.0.0/0", "200.1.1.1"));
    assert_false(in("0.0.0.0/0", "::1"));
    assert_true(in("::/0", "200.1.1.1"));
    assert_true(in("::/0", "fe80::1"));
    assert_true(in("fd00::/7", "fc00::1"));
    assert_true(in("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(in("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(in("10.0.0.0/8, ::1, [fe80::]/10", "fe81::1"));
    assert_true(in("10.0.0.0/8, ::1, fe80::/10", "::1"));
    assert_false(in("10.0.0.0/8, ::1, fe80::/10", "::2"));
    assert_false(in("", "::2"));
    assert_int_equal(gate_cidr_parse(s("::/0"), &net), GATE_OK);
    assert_false(gate_cidr_set_has(&set, &a));
    assert_int_equal(gate_cidr_parse(s("unix:"), &net), GATE_OK);
    assert_true(gate_cidr_set_has(&set, &a));
    assert_int_equal(gate_addr_parse_ip(s("::"), &a), GATE_OK);
    assert_false(gate_cidr_set_has(&set, &a));
}

static void test_networks_refused(void **state)
{
    static const char *const wrong[] = { "", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10/8",
                                         "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/0008", "x/8",
                                         "10.0.0.0:80/8", "unix:/x" };
    struct gate_cidr net;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (gate_cidr_parse(s(wrong[i]), &net) != GATE_E_SYNTAX)
            fail_msg("taken: %s", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_format),
        cmocka_unit_test(test_names_are_for_dns),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_ip_alone),
        cmocka_unit_test(test_port_and_equality),
        cmocka_unit_test(test_addresses_of_the_system),
        cmocka_unit_test(test_a_small_buffer_is_cut),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_networks_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
