/* DNS against a server of the test's own, a thread on 127.0.0.1 that knows a few names under
 * .test. */
/* covers: net/dns_cache.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/dns_int.h"

/* The server */

#define TYPE_A 1
#define TYPE_CNAME 5
#define TYPE_AAAA 28
#define NXDOMAIN 3
#define SERVFAIL 2

/* `a` addresses of version 4 and `aaaa` of version 6; the second address' ttl is half of the
 * first's. */
static const struct zone {
    const char *label;
    int a;
    int aaaa;
    uint32_t ttl;
    int rcode;
    bool cname;
    bool mute;
} zones[] = {
    { .label = "two", .a = 2, .aaaa = 1, .ttl = 60 },
    { .label = "one", .a = 1, .ttl = 100 },
    { .label = "zero", .a = 1, .ttl = 0 },
    { .label = "many", .a = 70, .ttl = 300 },
    { .label = "alias", .a = 1, .ttl = 100, .cname = true },
    { .label = "empty" },
    { .label = "none", .rcode = NXDOMAIN },
    { .label = "broken", .rcode = SERVFAIL },
    { .label = "slow", .mute = true },
};

struct server {
    pthread_t thread;
    int fd;
    char name[32];
    _Atomic int questions;
};

struct packet {
    uint8_t p[4096];
    size_t n;
};

static void put(struct packet *to, uint32_t v, int bytes)
{
    while (bytes-- > 0)
        to->p[to->n++] = (uint8_t)(v >> (8 * bytes));
}

/* A record of the question's own name (a pointer to offset 12). */
static void put_head(struct packet *to, int type, uint32_t ttl, int size)
{
    put(to, 0xc00c, 2);
    put(to, (uint32_t)type, 2);
    put(to, 1, 2);
    put(to, ttl, 4);
    put(to, (uint32_t)size, 2);
}

static int put_records(struct packet *to, const struct zone *z, int type)
{
    int count = type == TYPE_A ? z->a : type == TYPE_AAAA ? z->aaaa : 0;

    if (z->cname && count > 0) {
        put_head(to, TYPE_CNAME, 5, 2);
        put(to, 0xc00c, 2);
    }
    for (int i = 0; i < count; i++) {
        put_head(to, type, i == 1 ? z->ttl / 2 : z->ttl, type == TYPE_A ? 4 : 16);
        for (int word = 0; type == TYPE_AAAA && word < 3; word++)
            put(to, word == 0 ? 0x20010db8 : 0, 4);
        put(to, type == TYPE_A ? 0x0a000001u + (uint32_t)i : 1u + (uint32_t)i, 4);
    }
    return count + (z->cname && count > 0);
}

static const struct zone *zone_of(const uint8_t *label)
{
    static const struct zone unknown = { .rcode = NXDOMAIN };

    for (size_t i = 0; i < GATE_COUNT_OF(zones); i++) {
        if (strlen(zones[i].label) == label[0] &&
            memcmp(zones[i].label, label + 1, label[0]) == 0)
            return &zones[i];
    }
    return &unknown;
}

/* Turns the question into its answer; false: none is given. */
static bool answer_it(struct packet *m)
{
    const struct zone *z = zone_of(m->p + 12);
    size_t end = 12 + strlen((char *)m->p + 12) + 1;
    int type = m->p[end] << 8 | m->p[end + 1];
    int records;

    if (z->mute)
        return false;
    m->n = end + 4;
    records = put_records(m, z, type);
    m->p[2] = 0x81;
    m->p[3] = (uint8_t)(0x80 | z->rcode);
    m->p[6] = (uint8_t)(records >> 8);
    m->p[7] = (uint8_t)records;
    memset(m->p + 8, 0, 4);     /* no authority, no additional */
    return true;
}

static void *serve(void *arg)
{
    struct server *s = arg;
    struct packet m;
    struct sockaddr_in from;
    socklen_t size;
    ssize_t got;

    for (;;) {
        size = sizeof(from);
        got = recvfrom(s->fd, m.p, sizeof(m.p) - 1, 0, (struct sockaddr *)&from, &size);
        if (got < 17)
            return NULL;        /* how the test ends it */
        m.p[got] = 0;
        m.n = (size_t)got;
        atomic_fetch_add(&s->questions, 1);
        if (answer_it(&m))
            sendto(s->fd, m.p, m.n, 0, (struct sockaddr *)&from, size);
    }
}

static void server_start(struct server *s)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(in);

    s->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&in, &n), 0);
    snprintf(s->name, sizeof(s->name), "127.0.0.1:%d", ntohs(in.sin_port));
    atomic_init(&s->questions, 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    struct sockaddr_in in;
    socklen_t n = sizeof(in);

    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&in, &n), 0);
    assert_int_equal(sendto(s->fd, "", 0, 0, (struct sockaddr *)&in, n), 0);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* The client */

struct reply {
    int calls;
    enum gate_err err;
    const char *why;
    struct gate_addr addrs[GATE_DNS_MAX_ADDRS];
    size_t count;
    uint32_t ttl_s;
    struct gate_dns_query *query;
    struct gate_dns_query **cancel;     /* the callback cancels this one */
    struct gate_dns **close;            /* the callback closes this */
};

struct fixture {
    struct gate_clock clock;
    struct gate_loop loop;
    struct server server;
    struct gate_dns *dns;
};

static struct fixture *f;

static void on_answer(void *arg, const struct gate_dns_answer *a)
{
    struct reply *r = arg;

    r->calls++;
    r->err = a->err;
    r->why = a->why;
    r->count = a->count;
    r->ttl_s = a->ttl_s;
    assert_in_range(a->count, 0, GATE_DNS_MAX_ADDRS);
    memcpy(r->addrs, a->addrs, a->count * sizeof(r->addrs[0]));
    assert_null(r->query);
    if (r->cancel != NULL)
        gate_dns_cancel(r->cancel);
    if (r->close != NULL)
        gate_dns_close(r->close);
}

static void open_dns(int timeout_ms)
{
    struct gate_dns_options options = {
        .servers = f->server.name,
        .timeout_ms = timeout_ms,
        .tries = 2,
    };

    assert_int_equal(gate_dns_open_with(&f->dns, &f->loop, &options), GATE_OK);
}

static int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    gate_clock_init(&f->clock);
    assert_int_equal(gate_loop_open(&f->loop, &f->clock, NULL), GATE_OK);
    server_start(&f->server);
    open_dns(10000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_dns_close(&f->dns);
    gate_dns_close(&f->dns);
    assert_int_equal(f->loop.wheel.count, 0);
    server_stop(&f->server);
    gate_loop_close(&f->loop);
    free(f);
    return 0;
}

static void begin(struct reply *r, const char *name)
{
    *r = (struct reply){ 0 };
    gate_dns_resolve(f->dns, gate_str_from_cstr(name), on_answer, r, &r->query);
    assert_int_equal(r->calls, 0);
    assert_non_null(r->query);
}

static void resolve(struct reply *r, const char *name)
{
    begin(r, name);
    while (r->calls == 0)
        gate_loop_turn(&f->loop, true);
    assert_int_equal(r->calls, 1);
}

static bool has(const struct reply *r, const char *ip)
{
    char text[GATE_ADDR_TEXT];

    for (size_t i = 0; i < r->count; i++) {
        text[gate_addr_format_ip(&r->addrs[i], text, sizeof(text))] = '\0';
        if (strcmp(text, ip) == 0)
            return true;
    }
    return false;
}

static int questions(void)
{
    return atomic_load(&f->server.questions);
}

static void both_versions(void **state)
{
    struct reply r;

    (void)state;
    resolve(&r, "two.test");
    assert_int_equal(r.err, GATE_OK);
    assert_int_equal(r.count, 3);
    assert_true(has(&r, "10.0.0.1") && has(&r, "10.0.0.2") && has(&r, "2001:db8::1"));
    assert_int_equal(gate_addr_port(&r.addrs[0]), 0);
    assert_int_equal(r.ttl_s, 30);
    assert_int_equal(questions(), 2);
}

static void cached_by_ttl(void **state)
{
    struct reply r;

    (void)state;
    resolve(&r, "one.test");
    assert_int_equal(r.ttl_s, 100);
    assert_int_equal(questions(), 2);
    gate_clock_advance(&f->clock, 60 * GATE_SEC);
    gate_loop_turn(&f->loop, false);
    resolve(&r, "ONE.Test");        /* names have no case */
    assert_int_equal(r.err, GATE_OK);
    assert_in_range(r.ttl_s, 30, 40);
    assert_int_equal(questions(), 2);
    gate_clock_advance(&f->clock, 41 * GATE_SEC);
    gate_loop_turn(&f->loop, false);
    resolve(&r, "one.test");
    assert_int_equal(questions(), 4);
}

static void small_ttls(void **state)
{
    struct reply r;

    (void)state;
    resolve(&r, "zero.test");
    assert_int_equal(r.err, GATE_OK);
    assert_int_equal(r.ttl_s, 1);
    resolve(&r, "alias.test");
    assert_int_equal(r.err, GATE_OK);
    assert_true(has(&r, "10.0.0.1"));
    assert_int_equal(r.ttl_s, 5);       /* the alias counts, too */
}

static void failures(void **state)
{
    struct reply r;
    int before;

    (void)state;
    resolve(&r, "none.test");
    assert_int_equal(r.err, GATE_E_RESOLVE);
    assert_non_null(r.why);
    before = questions();
    resolve(&r, "none.test");
    assert_int_equal(r.err, GATE_E_RESOLVE);
    assert_int_equal(questions(), before);
    gate_clock_advance(&f->clock, 1001 * GATE_MS);
    gate_loop_turn(&f->loop, false);
    resolve(&r, "none.test");
    assert_true(questions() > before);

    resolve(&r, "empty.test");
    assert_int_equal(r.err, GATE_E_RESOLVE);
    resolve(&r, "broken.test");
    assert_int_equal(r.err, GATE_E_RESOLVE);
    assert_int_equal(r.count, 0);
}

static void no_answer_is_a_timeout(void **state)
{
    struct reply r;
    int before;

    (void)state;
    gate_dns_close(&f->dns);
    open_dns(40);
    resolve(&r, "slow.test.");
    assert_int_equal(r.err, GATE_E_TIMEOUT);
    before = questions();
    assert_true(before > 2);    /* it was asked again */
    resolve(&r, "slow.test.");
    assert_true(questions() > before);
}

static void many_addresses(void **state)
{
    struct reply r;

    (void)state;
    resolve(&r, "many.test");
    assert_int_equal(r.err, GATE_OK);
    assert_int_equal(r.count, 64);
    assert_int_equal(r.ttl_s, 150);
}

static void names_that_ask_nobody(void **state)
{
    char longest[300];
    struct reply r;

    (void)state;
    resolve(&r, "localhost");
    assert_int_equal(r.err, GATE_OK);
    assert_true(has(&r, "127.0.0.1") || has(&r, "::1"));
    resolve(&r, "10.1.2.3");
    assert_int_equal(r.err, GATE_OK);
    assert_true(has(&r, "10.1.2.3"));
    resolve(&r, "");
    assert_int_equal(r.err, GATE_E_RESOLVE);
    resolve(&r, "a b");
    assert_int_equal(r.err, GATE_E_RESOLVE);
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    resolve(&r, longest);
    assert_int_equal(r.err, GATE_E_RESOLVE);
    resolve(&r, longest + 100);     /* a label may have 63 bytes */
    assert_int_equal(r.err, GATE_E_RESOLVE);
    assert_int_equal(questions(), 0);
}

static void questions_for_one_name_are_shared(void **state)
{
    struct reply r[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        begin(&r[i], "two.test");
    gate_dns_cancel(&r[2].query);
    while (r[4].calls == 0)
        gate_loop_turn(&f->loop, true);
    for (int i = 0; i < 5; i++)
        assert_int_equal(r[i].calls, i != 2);
    assert_int_equal(r[0].count, 3);
    assert_int_equal(questions(), 2);
}

static void cancel(void **state)
{
    struct reply r;
    struct reply other;

    (void)state;
    gate_dns_cancel(&(struct gate_dns_query *){ NULL });

    begin(&r, "two.test");
    gate_dns_cancel(&r.query);
    assert_null(r.query);
    gate_dns_cancel(&r.query);
    resolve(&other, "one.test");
    assert_int_equal(r.calls, 0);

    begin(&r, "one.test");      /* from the cache, waiting for the drain */
    gate_dns_cancel(&r.query);
    gate_loop_turn(&f->loop, false);
    assert_int_equal(r.calls, 0);
}

static void cancel_inside_a_callback(void **state)
{
    struct reply r[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        begin(&r[i], "two.test");
    r[0].cancel = &r[1].query;
    while (r[2].calls == 0)
        gate_loop_turn(&f->loop, true);
    assert_int_equal(r[0].calls, 1);
    assert_int_equal(r[1].calls, 0);
}

static void close_answers_what_is_open(void **state)
{
    struct reply r[3];

    (void)state;
    begin(&r[0], "slow.test");
    begin(&r[1], "slow.test");
    begin(&r[2], "two.test");
    r[0].cancel = &r[1].query;
    gate_dns_resolve(f->dns, GATE_STR("slow.test"), on_answer, &(struct reply){ 0 }, NULL);
    gate_dns_close(&f->dns);
    assert_null(f->dns);
    assert_int_equal(r[0].calls, 1);
    assert_int_equal(r[0].err, GATE_E_CANCELLED);
    assert_int_equal(r[1].calls, 0);
    assert_int_equal(r[2].calls, 1);
    assert_int_equal(r[2].err, GATE_E_CANCELLED);
}

static void close_inside_a_callback(void **state)
{
    struct reply r[2];

    (void)state;
    begin(&r[0], "one.test");
    begin(&r[1], "slow.test");
    r[0].close = &f->dns;
    while (f->dns != NULL)
        gate_loop_turn(&f->loop, true);
    assert_int_equal(r[1].err, GATE_E_CANCELLED);
}

/* More names than the cache holds: it stays a cache. */
static void cache_is_bounded(void **state)
{
    struct gate_dns_cache *c = malloc(sizeof(*c));
    struct gate_dns_result *found;
    char name[32];
    int kept = 0;

    (void)state;
    gate_dns_cache_init(c);
    for (int i = 0; i < 2000; i++) {
        struct gate_dns_result *r = gate_dns_result_new(GATE_OK, NULL, 1);

        snprintf(name, sizeof(name), "name%d", i);
        r->until_ms = 1000 + (uint64_t)i;
        gate_dns_cache_put(c, name, r);
        gate_dns_cache_put(c, name, r);
        assert_ptr_equal(gate_dns_cache_peek(c, name, 999), r);
        gate_dns_result_unref(&r);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "name%d", i);
        found = gate_dns_cache_peek(c, name, 999);
        kept += found != NULL;
    }
    assert_in_range(kept, GATE_DNS_SETS * GATE_DNS_WAYS * 9 / 10, GATE_DNS_SETS * GATE_DNS_WAYS);
    assert_null(gate_dns_cache_peek(c, "name1999", 2999));
    assert_null(gate_dns_cache_peek(c, "name1999", 999));
    gate_dns_cache_fini(c);
    free(c);
}

static void servers_that_do_not_parse(void **state)
{
    struct gate_dns *dns = NULL;

    (void)state;
    assert_int_equal(gate_dns_open(&dns, &f->loop, "no address"), GATE_E_INVALID);
    assert_int_equal(gate_dns_open(&dns, &f->loop, NULL), GATE_OK);
    gate_dns_close(&dns);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_versions),
        TEST(cached_by_ttl),
        TEST(small_ttls),
        TEST(failures),
        TEST(no_answer_is_a_timeout),
        TEST(many_addresses),
        TEST(names_that_ask_nobody),
        TEST(questions_for_one_name_are_shared),
        TEST(cancel),
        TEST(cancel_inside_a_callback),
        TEST(close_answers_what_is_open),
        TEST(close_inside_a_callback),
        TEST(cache_is_bounded),
        TEST(servers_that_do_not_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
