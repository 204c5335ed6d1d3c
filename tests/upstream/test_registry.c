/* covers: upstream/upstream.c upstream/peer_set.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <pthread.h>
#include <cmocka.h>

#include "upstream/registry.h"

#define WORKERS 2

static struct gate_registry *make(void)
{
    return gate_registry_new(WORKERS);
}

/* A configuration with the upstreams of this JSON list. */
static void apply(struct gate_registry *r, const char *upstreams)
{
    char text[2048], why[256];
    struct gate_config *c;
    int n = snprintf(text, sizeof(text), "{\"format\":1,\"upstreams\":[%s]}", upstreams);

    if (gate_config_parse(gate_str_of(text, (size_t)n), &c, why, sizeof(why)) != GATE_OK)
        fail_msg("%s", why);
    assert_int_equal(gate_registry_apply(r, c), GATE_OK);
    gate_config_free(&c);
}

static struct gate_peer_set *peers(struct gate_registry *r, const char *name)
{
    struct gate_upstream *u = gate_registry_find(r, gate_str_from_cstr(name));

    assert_non_null(u);
    return gate_upstream_peers(u);
}

#define ONE "{\"name\":\"shop\",\"servers\":[{\"address\":\"127.0.0.1:9001\"}]}"
#define TWO                                                                                        \
    "{\"name\":\"shop\",\"servers\":[{\"address\":\"127.0.0.1:9002\",\"weight\":3,\"zone\":\"b\"}" \
    ","                                                                                            \
    "{\"address\":\"127.0.0.1:9001\",\"backup\":true,\"down\":true,\"max_connections\":7}]}"

/* By each worker. */
static void count_something(struct gate_peer *p)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct gate_peer_share *share = gate_peer_share_of(p, i);

        gate_peer_begin(share);
        gate_peer_note_latency(share, 700000, 0);
    }
}

static void assert_something_counted(const struct gate_peer *p)
{
    assert_int_equal(gate_peer_requests(p), WORKERS);
    assert_int_equal(gate_peer_active(p), WORKERS);
    assert_int_equal(gate_peer_latency_us(p), 700);
}

static void test_apply_keeps_peers(void **state)
{
    struct gate_registry *r = make();
    struct gate_peer_set *one, *two, *same, *none;
    struct gate_upstream *shop;

    (void)state;
    assert_null(gate_registry_find(r, GATE_STR("shop")));
    apply(r, ONE);
    one = peers(r, "shop");
    assert_int_equal(one->n, 1);
    assert_string_equal(one->v[0].peer->text, "127.0.0.1:9001");
    count_something(one->v[0].peer);
    apply(r, TWO);
    two = peers(r, "shop");
    assert_int_equal(two->n, 2);
    assert_ptr_equal(two->v[1].peer, one->v[0].peer);
    assert_something_counted(two->v[1].peer);
    assert_int_equal(gate_peer_requests(two->v[0].peer), 0);
    assert_true(two->version > one->version);
    assert_int_equal(two->v[0].weight, 3);
    assert_true(gate_str_eq(two->v[0].zone, GATE_STR("b")));
    assert_true(two->v[1].backup && two->v[1].down);
    assert_int_equal(two->v[1].max_connections, 7);
    apply(r, TWO);
    same = peers(r, "shop");
    assert_ptr_equal(same, two);
    shop = gate_upstream_hold(gate_registry_find(r, GATE_STR("shop")));
    apply(r, "{\"name\":\"other\"}");
    assert_null(gate_registry_find(r, GATE_STR("shop")));
    none = gate_upstream_peers(shop);
    assert_int_equal(none->n, 0);
    gate_upstream_release(&shop);
    gate_peer_set_unref(&same);
    gate_peer_set_unref(&none);
    gate_peer_set_unref(&two);
    gate_registry_free(&r);
    assert_null(r);
    /* A reference outlives the registry. */
    assert_something_counted(one->v[0].peer);
    gate_peer_set_unref(&one);
    assert_null(one);
}

static void test_many_upstreams(void **state)
{
    struct gate_registry *r = make();
    char text[2000];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s{\"name\":\"u%d\"}",
                              i == 0 ? "" : ",", i);
    apply(r, text);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "u%d", i);
        assert_non_null(gate_registry_find(r, gate_str_from_cstr(text)));
    }
    assert_null(gate_registry_find(r, GATE_STR("u100")));
    gate_registry_free(&r);
}

static void count_upstream(void *arg, struct gate_str upstream, const struct gate_peer_set *set)
{
    (void)upstream, (void)set;
    ++*(int *)arg;
}

/* Names that change for months: no more is kept than what is declared, and what somebody holds. */
static void test_gone_upstreams_leave(void **state)
{
    struct gate_registry *r = make();
    struct gate_upstream *held = NULL, *first;
    char text[128];
    int n = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), ONE ",{\"name\":\"u%d\"}", i);
        apply(r, text);
        if (i == 500)
            held = gate_upstream_hold(gate_registry_find(r, GATE_STR("u500")));
    }
    gate_registry_each(r, count_upstream, &n);
    assert_int_equal(n, 2);
    assert_non_null(gate_registry_find(r, GATE_STR("shop")));
    assert_non_null(gate_registry_find(r, GATE_STR("u999")));
    assert_false(gate_upstream_gone(held));
    /* The name comes back; what is left of the old one is not taken for it. */
    apply(r, ONE ",{\"name\":\"u500\"}");
    assert_ptr_not_equal(gate_registry_find(r, GATE_STR("u500")), held);
    first = gate_upstream_ref(held);
    gate_upstream_release(&held);
    assert_true(gate_upstream_gone(first));
    gate_upstream_unref(&first);
    gate_registry_free(&r);
}

struct seen {
    int n;
    char text[256];
    bool answer;
};

/* Answers at once, as a resolver with a cache would. */
static void on_name(void *arg, struct gate_upstream *u, struct gate_str server,
                    struct gate_str host, uint16_t port)
{
    struct seen *seen = arg;
    struct gate_addr addrs[2];

    seen->n++;
    snprintf(seen->text, sizeof(seen->text), "%.*s|%.*s|%u", (int)server.n, server.p, (int)host.n,
             host.p, port);
    assert_int_equal(gate_addr_parse_ip(GATE_STR("10.0.0.1"), &addrs[0]), GATE_OK);
    assert_int_equal(gate_addr_parse_ip(GATE_STR("::5"), &addrs[1]), GATE_OK);
    if (seen->answer)
        gate_upstream_resolved(u, server, addrs, 2);
}

#define NAMED                                                                                      \
    "{\"name\":\"named\",\"servers\":[{\"address\":\"origin.test:81\",\"weight\":2},"              \
    "{\"address\":\"127.0.0.1:9001\"}]}"

static void test_names(void **state)
{
    struct gate_registry *r = make();
    struct seen seen = {.answer = false};
    struct gate_peer_set *set;

    (void)state;
    apply(r, ONE "," NAMED);
    gate_registry_names(r, on_name, &seen);
    assert_int_equal(seen.n, 1);
    assert_string_equal(seen.text, "origin.test:81|origin.test|81");
    set = peers(r, "named");
    assert_int_equal(set->n, 1);
    gate_peer_set_unref(&set);
    seen.answer = true;
    gate_registry_names(r, on_name, &seen);
    set = peers(r, "named");
    assert_int_equal(set->n, 3);
    assert_string_equal(set->v[0].peer->text, "10.0.0.1:81");
    assert_string_equal(set->v[0].peer->name, "origin.test:81");
    assert_string_equal(set->v[1].peer->text, "[::5]:81");
    assert_int_equal(set->v[1].weight, 2);
    gate_peer_set_unref(&set);
    apply(r, NAMED);
    set = peers(r, "named");
    assert_int_equal(set->n, 3);
    gate_upstream_resolved(gate_registry_find(r, GATE_STR("named")), GATE_STR("origin.test:81"),
                           NULL, 0);
    assert_int_equal(gate_upstream_version(gate_registry_find(r, GATE_STR("named"))), set->version);
    gate_peer_set_unref(&set);
    gate_registry_free(&r);
}

static void on_upstream(void *arg, struct gate_str upstream, const struct gate_peer_set *set)
{
    struct seen *seen = arg;
    size_t n = strlen(seen->text);

    snprintf(seen->text + n, sizeof(seen->text) - n, "%.*s=%u ", (int)upstream.n, upstream.p,
             set->n);
}

static void test_each(void **state)
{
    struct gate_registry *r = make();
    struct seen seen = {0};

    (void)state;
    apply(r, ONE "," NAMED);
    gate_registry_each(r, on_upstream, &seen);
    assert_string_equal(seen.text, "shop=1 named=1 ");
    gate_registry_free(&r);
}

/* Workers read sets while control replaces them. What this looks for is seen by the thread
 * sanitizer. */
struct race {
    struct gate_registry *r;
    _Atomic uint32_t next; /* worker */
    _Atomic bool stop;
    _Atomic uint64_t rounds;
};

/* A request of this worker. */
static void use(struct gate_peer *p, uint32_t worker, uint64_t now)
{
    struct gate_peer_share *share = gate_peer_hold(p, worker);

    gate_peer_begin(share);
    gate_peer_connect_failed(p, now);
    gate_peer_connect_ok(p);
    gate_peer_note_latency(share, 5000 * now, now);
    assert_in_range(gate_peer_active(p), 1, WORKERS);
    assert_true(gate_peer_requests(p) > 0);
    assert_true(gate_peer_latency_us(p) > 0);
    gate_peer_end(share);
    gate_peer_release(&p, share);
}

static void *reader(void *arg)
{
    struct race *race = arg;
    struct gate_upstream *u = gate_registry_find(race->r, GATE_STR("shop"));
    struct gate_peer_set *set = gate_upstream_peers(u);
    uint64_t last = set->version;
    uint32_t worker = atomic_fetch_add(&race->next, 1);

    while (!atomic_load(&race->stop)) {
        if (gate_upstream_version(u) != set->version) {
            gate_peer_set_unref(&set);
            set = gate_upstream_peers(u);
        }
        assert_true(set->version >= last);
        last = set->version;
        for (uint32_t i = 0; i < set->n; i++)
            use(set->v[i].peer, worker, last);
        atomic_fetch_add(&race->rounds, 1);
    }
    gate_peer_set_unref(&set);
    return NULL;
}

static void test_threads(void **state)
{
    struct race race = {.r = make()};
    struct gate_addr addr;
    pthread_t threads[WORKERS];

    (void)state;
    apply(race.r, ONE "," NAMED);
    gate_addr_parse_ip(GATE_STR("10.0.0.1"), &addr);
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&threads[i], NULL, reader, &race);
    for (int i = 0; i < 300 || atomic_load(&race.rounds) < 1000; i++) {
        apply(race.r, i % 2 == 0 ? TWO "," NAMED : ONE "," NAMED);
        gate_addr_set_port(&addr, (uint16_t)i);
        ((uint8_t *)&addr.u.in4.sin_addr)[3] = (uint8_t)i;
        gate_upstream_resolved(gate_registry_find(race.r, GATE_STR("named")),
                               GATE_STR("origin.test:81"), &addr, 1);
    }
    atomic_store(&race.stop, true);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    gate_registry_free(&race.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apply_keeps_peers),
        cmocka_unit_test(test_many_upstreams),
        cmocka_unit_test(test_gone_upstreams_leave),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
