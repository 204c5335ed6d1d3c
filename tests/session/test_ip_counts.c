/* Counts of connections by address: limits, IPv6 networks, many addresses that come and go, two
 * threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "session/ip_counts.h"

static struct gate_addr ip(const char *text)
{
    struct gate_addr a;

    assert_int_equal(gate_addr_parse_ip(gate_str_from_cstr(text), &a), GATE_OK);
    return a;
}

static void limits_one_address(void **state)
{
    struct gate_ip_counts *c = gate_ip_counts_new();
    struct gate_addr a = ip("10.0.0.1"), b = ip("10.0.0.2"), mapped = ip("::ffff:10.0.0.1");

    (void)state;
    assert_true(gate_ip_counts_take(c, &a, 2));
    assert_true(gate_ip_counts_take(c, &mapped, 2));
    assert_false(gate_ip_counts_take(c, &a, 2));
    assert_true(gate_ip_counts_take(c, &b, 2));
    gate_ip_counts_give(c, &a);
    assert_true(gate_ip_counts_take(c, &a, 2));
    gate_ip_counts_free(&c);
    assert_null(c);
}

static void counts_ipv6_by_network(void **state)
{
    struct gate_ip_counts *c = gate_ip_counts_new();
    struct gate_addr a = ip("2001:db8::1"), same = ip("2001:db8::ffff"),
                     other = ip("2001:db8:0:1::1");

    (void)state;
    assert_true(gate_ip_counts_take(c, &a, 1));
    assert_false(gate_ip_counts_take(c, &same, 1));
    assert_true(gate_ip_counts_take(c, &other, 1));
    gate_ip_counts_free(&c);
}

static void churn(struct gate_ip_counts *c, unsigned from)
{
    char text[32];
    struct gate_addr a;

    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3000; i++) {
            snprintf(text, sizeof(text), "10.%u.%u.%u", from, i / 256, i % 256);
            a = ip(text);
            assert_true(gate_ip_counts_take(c, &a, 1));
        }
        for (unsigned i = 0; i < 3000; i++) {
            snprintf(text, sizeof(text), "10.%u.%u.%u", from, i / 256, i % 256);
            a = ip(text);
            assert_false(gate_ip_counts_take(c, &a, 1));
            gate_ip_counts_give(c, &a);
        }
    }
}

static struct gate_ip_counts *both;

static void *other_thread(void *arg)
{
    (void)arg;
    churn(both, 2);
    return NULL;
}

static void survives_churn_of_two_threads(void **state)
{
    pthread_t t;

    (void)state;
    both = gate_ip_counts_new();
    assert_int_equal(pthread_create(&t, NULL, other_thread, NULL), 0);
    churn(both, 1);
    pthread_join(t, NULL);
    gate_ip_counts_free(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_one_address),
        cmocka_unit_test(counts_ipv6_by_network),
        cmocka_unit_test(survives_churn_of_two_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
