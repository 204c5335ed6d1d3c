#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <cmocka.h>

#include "base/clock.h"
#include "upstream/peer.h"

static struct gate_peer *make(uint32_t workers)
{
    struct gate_addr addr;

    assert_int_equal(gate_addr_parse(GATE_STR("127.0.0.1:9001"), &addr), GATE_OK);
    return gate_peer_new(&addr, "origin.test:9001", workers);
}

/* ------------------------------------------------------------------ references */

static void test_new(void **state)
{
    struct gate_peer *p = make(3);

    (void)state;
    assert_string_equal(p->text, "127.0.0.1:9001");
    assert_string_equal(p->name, "origin.test:9001");
    assert_int_equal(p->workers, 3);
    gate_peer_unref(&p);
    assert_null(p);
    gate_peer_unref(&p);
}

static void test_workers_share_no_line(void **state)
{
    struct gate_peer *p = make(3);

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal((uintptr_t)&p->shares[i] % GATE_CACHE_LINE, 0);
    assert_true((char *)&p->shares[0] >= (char *)p + sizeof(*p));
    gate_peer_unref(&p);
}

static void test_a_worker_is_one_reference(void **state)
{
    struct gate_peer *p = make(2), *a = p, *b = p, *c = p;
    struct gate_peer_share *first, *second;

    (void)state;
    first = gate_peer_hold(a, 0);
    assert_int_equal(atomic_load(&p->refs), 2);
    assert_ptr_equal(gate_peer_hold(b, 0), first);
    assert_int_equal(atomic_load(&p->refs), 2);
    second = gate_peer_hold(c, 1);
    assert_ptr_not_equal(second, first);
    assert_int_equal(atomic_load(&p->refs), 3);
    gate_peer_release(&b, first);
    assert_null(b);
    assert_int_equal(atomic_load(&p->refs), 3);
    gate_peer_release(&a, first);
    assert_int_equal(atomic_load(&p->refs), 2);
    gate_peer_release(&a, first); /* nothing is nothing */
    assert_int_equal(atomic_load(&p->refs), 2);
    gate_peer_hold(p, 0);
    assert_int_equal(atomic_load(&p->refs), 3);
    a = p;
    gate_peer_release(&a, first);
    gate_peer_unref(&p);
    /* It is there for the last worker, and gone after it: the address sanitizer looks. */
    assert_string_equal(c->text, "127.0.0.1:9001");
    gate_peer_release(&c, second);
    assert_null(c);
}

/* Workers that come and go, with the end of the set between: whoever is last frees. */
struct stay {
    struct gate_peer *p;
    struct gate_peer_share *share;
    uint32_t worker;
};

static void *stay(void *arg)
{
    struct stay *s = arg;

    for (int i = 0; i < 1000; i++) {
        struct gate_peer *p = s->p;

        gate_peer_hold(p, s->worker);
        gate_peer_begin(s->share);
        gate_peer_end(s->share);
        gate_peer_release(&p, s->share);
    }
    gate_peer_release(&s->p, s->share);
    return NULL;
}

static void test_whoever_is_last_frees(void **state)
{
    struct gate_peer *p = make(4);
    struct stay s[4];
    pthread_t threads[4];

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        s[i] = (struct stay){p, gate_peer_hold(p, i), i};
        assert_int_equal(pthread_create(&threads[i], NULL, stay, &s[i]), 0);
    }
    gate_peer_unref(&p);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* ------------------------------------------------------------------ numbers */

static void test_sums(void **state)
{
    struct gate_peer *p = make(3);

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct gate_peer_share *share = gate_peer_share_of(p, i);

        for (uint32_t k = 0; k <= i; k++)
            gate_peer_begin(share);
        gate_peer_count_connections(share, 10);
        gate_peer_count_streams(share, 100);
    }
    assert_int_equal(gate_peer_requests(p), 6);
    assert_int_equal(gate_peer_active(p), 6);
    gate_peer_end(gate_peer_share_of(p, 2));
    gate_peer_end(gate_peer_share_of(p, 0));
    gate_peer_count_connections(gate_peer_share_of(p, 1), -10);
    gate_peer_count_streams(gate_peer_share_of(p, 1), -99);
    assert_int_equal(gate_peer_requests(p), 6);
    assert_int_equal(gate_peer_active(p), 4);
    assert_int_equal(gate_peer_connections(p), 20);
    assert_int_equal(gate_peer_streams(p), 201);
    gate_peer_unref(&p);
}

#define NOW (100000 * GATE_SEC)

static void note(struct gate_peer *p, uint32_t worker, int n, uint64_t us, uint64_t now_ns)
{
    while (n-- > 0)
        gate_peer_note_latency(gate_peer_share_of(p, worker), us * 1000, now_ns);
}

static void test_latency_of_one_worker(void **state)
{
    struct gate_peer *p = make(4);

    (void)state;
    assert_int_equal(gate_peer_latency_us(p), 0);
    note(p, 2, 1, 800, NOW);
    assert_int_equal(gate_peer_latency_us(p), 800); /* those that had none pull nothing */
    note(p, 2, 1, 400, NOW);
    assert_int_equal(gate_peer_latency_us(p), 600);
    note(p, 2, 100, 800, NOW);
    assert_in_range(gate_peer_latency_us(p), 799, 800);
    note(p, 2, 1, 1600, NOW);
    assert_in_range(gate_peer_latency_us(p), 899, 900); /* an eighth */
    note(p, 2, 50, 0, NOW);
    assert_in_range(gate_peer_latency_us(p), 0, 2);
    gate_peer_unref(&p);
}

static void test_latency_of_all_workers(void **state)
{
    struct gate_peer *p = make(4);

    (void)state;
    note(p, 0, 1, 1000, NOW);
    note(p, 1, 3, 2000, NOW);
    assert_int_equal(gate_peer_latency_us(p), 1750);
    /* However busy a worker is, it stands for its last answers. */
    note(p, 2, 10000, 500, NOW);
    note(p, 3, 8, 1500, NOW);
    assert_int_equal(gate_peer_latency_us(p), (1000 + 3 * 2000 + 8 * 500 + 8 * 1500) / 20);
    gate_peer_unref(&p);
}

static void test_latency_of_long_ago(void **state)
{
    struct gate_peer *p = make(2);

    (void)state;
    note(p, 0, 8, 1000, NOW);
    assert_int_equal(gate_peer_latency_us(p), 1000);
    /* 8.6 s later the eight answers count as four. */
    note(p, 1, 4, 3000, NOW + (1ull << 33));
    assert_int_equal(gate_peer_latency_us(p), 2000);
    note(p, 1, 1, 3000, NOW + 300 * GATE_SEC);
    assert_int_equal(gate_peer_latency_us(p), 3000);
    /* The worker's own of that time do not hold up a new one either. */
    note(p, 0, 1, 5000, NOW + 300 * GATE_SEC);
    assert_in_range(gate_peer_latency_us(p), 3950, 4050);
    gate_peer_unref(&p);
}

/* ------------------------------------------------------------------ marks */

static void test_marks(void **state)
{
    static const uint64_t lasts[] = {0, 0, 10000, 20000, 40000, 60000, 60000, 60000};
    struct gate_peer p = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
        uint64_t now = 1000000 * (i + 1);

        assert_int_equal(gate_peer_connect_failed(&p, now), lasts[i]);
        assert_int_equal(gate_peer_is_down(&p, now), lasts[i] > 0);
        if (lasts[i] > 0)
            assert_true(gate_peer_is_down(&p, now + lasts[i] - 1));
        assert_false(gate_peer_is_down(&p, now + lasts[i]));
    }
    assert_true(gate_peer_connect_ok(&p));
    assert_false(gate_peer_connect_ok(&p));
    assert_false(gate_peer_is_down(&p, 8000000));
    assert_int_equal(gate_peer_connect_failed(&p, 8000000), 0);
    assert_false(gate_peer_connect_ok(&p)); /* it was never marked since */
    assert_false(gate_peer_is_down(&p, 8000000));
    assert_int_equal(atomic_load(&p.failures), 9);
}

/* A server that restarts under load: a hundred connects fail at once. */
static void test_failures_together_are_one_mark(void **state)
{
    struct gate_peer p = {0};
    uint64_t marks = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        marks += gate_peer_connect_failed(&p, 1000000);
    assert_int_equal(marks, 10000);
    assert_true(gate_peer_is_down(&p, 1009999));
    assert_false(gate_peer_is_down(&p, 1010000));
    assert_int_equal(atomic_load(&p.failures), 100);
    assert_int_equal(gate_peer_connect_failed(&p, 1010000), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_workers_share_no_line),
        cmocka_unit_test(test_a_worker_is_one_reference),
        cmocka_unit_test(test_whoever_is_last_frees),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_latency_of_one_worker),
        cmocka_unit_test(test_latency_of_all_workers),
        cmocka_unit_test(test_latency_of_long_ago),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_failures_together_are_one_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
