#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/counters.h"

static void test_every_counter_is_a_metric(void **state)
{
    (void)state;
    for (int c = 0; c < GATE_C_COUNT; c++) {
        const char *name = gate_counter_name(c);

        assert_int_equal(strncmp(name, "moongate_", 9), 0);
        assert_true(strlen(name) > 15);
        assert_string_equal(name + strlen(name) - 6, "_total");
        assert_string_not_equal(gate_counter_help(c), "Unknown.");
        for (int other = 0; other < c; other++)
            assert_string_not_equal(name, gate_counter_name(other));
    }
    assert_string_equal(gate_counter_name(GATE_C_CLIENT_ACCEPTED),
                        "moongate_client_connections_accepted_total");
    assert_string_equal(gate_counter_name(GATE_C_COUNT), "unknown");
    assert_string_equal(gate_counter_help(GATE_C_COUNT), "Unknown.");
}

static void test_adding(void **state)
{
    static struct gate_counters c;

    (void)state;
    gate_counters_add(&c, GATE_C_BYTES_IN, 1000);
    gate_counters_add(&c, GATE_C_BYTES_IN, 24);
    gate_counters_close(&c, GATE_CLOSE_DRAIN);
    assert_int_equal(gate_counters_get(&c, GATE_C_BYTES_IN), 1024);
    assert_int_equal(gate_counters_get(&c, GATE_C_BYTES_OUT), 0);
    gate_counters_bad(&c, 400);
    gate_counters_bad(&c, 499);
    gate_counters_bad(&c, 501);
    assert_int_equal(atomic_load(&c.closes[GATE_CLOSE_DRAIN]), 1);
    assert_int_equal(gate_counters_get(&c, GATE_C_REQUESTS_BAD), 3);
    assert_int_equal(atomic_load(&c.bad_by_class[4]), 2);
    assert_int_equal(atomic_load(&c.bad_by_class[5]), 1);
    assert_int_equal((uintptr_t)&c % 64, 0);
}

#define ROUNDS 100000

static void *count_up(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        gate_counters_add(arg, GATE_C_REQUESTS, 1);
    return NULL;
}

/* The owner writes while another thread reads: what is read never falls, and the end is exact. */
static void test_a_reader_beside_the_owner(void **state)
{
    static struct gate_counters c;
    uint64_t last = 0;
    pthread_t owner;

    (void)state;
    assert_int_equal(pthread_create(&owner, NULL, count_up, &c), 0);
    while (last < ROUNDS) {
        uint64_t now = gate_counters_get(&c, GATE_C_REQUESTS);

        assert_true(now >= last);
        last = now;
    }
    pthread_join(owner, NULL);
    assert_int_equal(gate_counters_get(&c, GATE_C_REQUESTS), ROUNDS);
}

static void *begin_and_end(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        gate_counters_add(arg, GATE_C_TUNNELS, 1);
        gate_counters_add(arg, GATE_C_TUNNELS_DONE, 1);
    }
    return NULL;
}

static void test_open_ones_are_never_fewer_than_none(void **state)
{
    static struct gate_counters c;
    pthread_t owner;

    (void)state;
    assert_int_equal(pthread_create(&owner, NULL, begin_and_end, &c), 0);
    while (gate_counters_get(&c, GATE_C_TUNNELS_DONE) < ROUNDS)
        assert_true(gate_counters_open(&c, GATE_C_TUNNELS, GATE_C_TUNNELS_DONE) <= ROUNDS);
    pthread_join(owner, NULL);
    assert_int_equal(gate_counters_open(&c, GATE_C_TUNNELS, GATE_C_TUNNELS_DONE), 0);
    gate_counters_add(&c, GATE_C_TUNNELS, 2);
    assert_int_equal(gate_counters_open(&c, GATE_C_TUNNELS, GATE_C_TUNNELS_DONE), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_counter_is_a_metric),
        cmocka_unit_test(test_adding),
        cmocka_unit_test(test_a_reader_beside_the_owner),
        cmocka_unit_test(test_open_ones_are_never_fewer_than_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
