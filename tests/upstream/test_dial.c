/* covers: upstream/dial.c
 * Links over TLS: how they come to be or fail, whom they are lent to afterwards, what is known of a
 * request that was on one. Against an origin that the test holds. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/tls_origin.h"
#include "base/assert.h"
#include "net/conn_fault.h"
#include "tls/tls.h"
#include "held_attempt.h"

static struct test_pki pki;

/* One upstream "o" with one peer, whose name is in the origin's certificate. */
struct bench {
    struct gate_clock clock;
    struct gate_loop loop;
    struct gate_counters counters;
    struct gate_registry *registry;
    struct gate_config *config;
    struct gate_links *links;
    struct gate_upstream_local *local;
    struct gate_tls_client *tls; /* of attempts that are begun */
    struct test_tls_origin origin;
    int listening;
    int port;
    struct gate_attempt a[4];
    struct gate_wait wait;
    enum gate_err dialed;
    enum gate_err broke; /* a stream did */
    bool woken;
};

static int setup_group(void **state)
{
    (void)state;
    test_pki_open(&pki);
    test_pki_make(&pki, "ca", NULL, TEST_KEY_EC, 30, NULL);
    test_pki_make(&pki, "other", NULL, TEST_KEY_EC, 30, NULL);
    test_pki_make(&pki, "good", "a.test,IP:127.0.0.1", TEST_KEY_EC, 30, "ca");
    return 0;
}

static int teardown_group(void **state)
{
    (void)state;
    test_pki_close(&pki);
    return 0;
}

static int listen_here(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void configure(struct bench *b, const char *servers)
{
    char text[512], why[256];

    snprintf(text, sizeof(text), "{\"format\":1,\"upstreams\":[{\"name\":\"o\",\"servers\":[%s]}]}",
             servers);
    gate_config_free(&b->config);
    if (gate_config_parse(gate_str_from_cstr(text), &b->config, why, sizeof(why)) != GATE_OK)
        fail_msg("%s", why);
    assert_int_equal(gate_registry_apply(b->registry, b->config), GATE_OK);
    b->local = gate_links_local(b->links, gate_registry_find(b->registry, GATE_STR("o")),
                                &b->config->upstreams[0]);
}

static void configure_one(struct bench *b)
{
    char servers[64];

    snprintf(servers, sizeof(servers), "{\"address\":\"127.0.0.1:%d\"}", b->port);
    configure(b, servers);
}

static struct gate_tls_client *client(const char *ca, bool verify)
{
    struct gate_tls_client_config config = {.verify = verify, .ca = gate_str_from_cstr(ca)};
    struct gate_tls_files files = test_pki_files(&pki);
    struct gate_tls_system system = {NULL};
    struct gate_tls_client *c;
    char why[200];

    assert_int_equal(gate_tls_client_new(&config, &files, &system, &c, why, sizeof(why)), GATE_OK);
    return c;
}

static int open_bench(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    gate_clock_init(&b->clock);
    assert_int_equal(gate_loop_open(&b->loop, &b->clock, NULL), GATE_OK);
    b->registry = gate_registry_new(2);
    b->links = gate_links_new(&b->loop, &b->counters, 1);
    b->listening = listen_here(&b->port);
    configure_one(b);
    test_tls_origin_open(&b->origin, &pki, "good", TLS1_3_VERSION);
    b->tls = client("ca.pem", true);
    *state = b;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < GATE_COUNT_OF(b->a); i++)
        end_attempt(&b->a[i], GATE_CLOSE_DRAIN);
    gate_links_free(&b->links);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_OPENED),
                     gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED));
    gate_tls_client_unref(&b->tls);
    gate_registry_free(&b->registry);
    gate_config_free(&b->config);
    assert_int_equal(b->loop.blocks.live, 0);
    gate_loop_close(&b->loop);
    test_tls_origin_close(&b->origin);
    close(b->listening);
    free(b);
    return 0;
}

static void turns(struct bench *b, int n)
{
    while (n-- > 0)
        gate_loop_turn(&b->loop, false);
}

/* ------------------------------------------------------------------ an attempt */

static void on_dialed(struct gate_wait *w, enum gate_err e)
{
    struct bench *b = w->arg;

    b->woken = true;
    b->dialed = e;
}

static void on_head(struct gate_stream *s, const struct gate_response_head *head,
                    struct gate_block *block)
{
    (void)block;
    ((struct gate_attempt *)s->user)->head = *head;
}

static void on_body(struct gate_stream *s, struct gate_chain *chunk)
{
    (void)s;
    gate_chain_clear(chunk);
}

static void on_end(struct gate_stream *s)
{
    ((struct gate_attempt *)s->user)->ended = true;
}

static struct bench *broken; /* whose streams may break */

static void on_reset(struct gate_stream *s, enum gate_err e, const char *why)
{
    (void)s, (void)why;
    broken->broke = e;
}

static void on_room(struct gate_stream *s)
{
    (void)s;
}

static const struct gate_stream_events events = {.on_head = on_head,
                                                 .on_body = on_body,
                                                 .on_end = on_end,
                                                 .on_reset = on_reset,
                                                 .on_room = on_room};

/* The whole of it. */
static enum gate_err dial_and_wait(struct gate_attempt *a, struct gate_upstream_local *local,
                                   struct gate_wait *wait)
{
    enum gate_err e = gate_attempt_dial(a, local);

    if (e == GATE_E_AGAIN)
        gate_attempt_wait(a, wait);
    return e;
}

static enum gate_err begin_dial(struct bench *b, int k, const char *preface)
{
    begin_attempt(&b->a[k], b->links, b->local->set->v[0].peer);
    b->a[k].preface = gate_str_from_cstr(preface);
    b->a[k].want = (struct gate_link_want){
        .tls = b->tls, .connect_ms = 5000, .alone = b->a[k].preface.n > 0};
    gate_wait_init(&b->wait, &b->loop, on_dialed, b);
    b->woken = false;
    return dial_and_wait(&b->a[k], b->local, &b->wait);
}

static void accept_it(struct bench *b)
{
    int fd = -1;

    for (int t = 0; t < 10000 && fd < 0; t++) {
        turns(b, 1);
        fd = accept4(b->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    assert_true(fd >= 0);
    test_tls_origin_take(&b->origin, fd);
}

/* Until the dial is over; the origin does its part. */
static enum gate_err shake(struct bench *b)
{
    for (int t = 0; t < 10000 && !b->woken; t++) {
        test_tls_origin_shake(&b->origin);
        turns(b, 1);
    }
    assert_true(b->woken);
    return b->dialed;
}

static enum gate_err dial(struct bench *b, int k)
{
    enum gate_err e = begin_dial(b, k, NULL);

    if (e != GATE_E_AGAIN)
        return e;
    accept_it(b);
    return shake(b);
}

static struct gate_stream *send_request(struct bench *b, int k, bool upgrade)
{
    static const struct gate_timeouts none;
    static const struct gate_head_limits limits = {
        .header_bytes = 8192, .header_count = 50, .target_bytes = 1000};
    struct gate_link_use use = {.arena = &b->a[k].arena,
                                .limits = &limits,
                                .timeouts = &none,
                                .method = GATE_M_GET,
                                .upgrade = upgrade,
                                .upgrade_token = GATE_STR("x"),
                                .events = &events,
                                .user = &b->a[k]};
    struct gate_message m = {.method = GATE_STR("GET"), .path = GATE_STR("/")};
    struct gate_stream *s = gate_attempt_begin(&b->a[k], &use);

    broken = b;
    b->broke = GATE_OK;
    assert_int_equal(s->ops->send_head(s, &m, true), GATE_OK);
    s->ops->grant(s, 1000);
    turns(b, 2);
    return s;
}

static void hear_request(struct bench *b)
{
    char heard[4096];
    size_t n = 0;

    for (int t = 0; t < 10000 && n == 0; t++) {
        turns(b, 1);
        test_tls_origin_read(&b->origin, heard, sizeof(heard), &n);
    }
    assert_true(n > 4 && memcmp(heard, "GET ", 4) == 0);
}

#define SWITCH "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
#define HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static void answer(struct bench *b, int k, const char *text)
{
    size_t n;

    turns(b, 2); /* the link reads before there is an answer, as it may */
    assert_true(test_tls_origin_write(&b->origin, text, strlen(text), &n));
    for (int t = 0; t < 10000 && !b->a[k].ended; t++)
        turns(b, 1);
    assert_true(b->a[k].ended);
    end_attempt(&b->a[k], GATE_CLOSE_ASKED);
    turns(b, 2);
}

static void exchange(struct bench *b, int k)
{
    send_request(b, k, false);
    hear_request(b);
    answer(b, k, HI);
}

static uint64_t count(struct bench *b, enum gate_counter which)
{
    return gate_counters_get(&b->counters, which);
}

static uint64_t closes(struct bench *b, enum gate_close_reason why)
{
    return atomic_load(&b->counters.closes[why]);
}

static void switch_to(struct bench *b, struct gate_tls_client *tls)
{
    gate_tls_client_unref(&b->tls);
    b->tls = tls;
}

/* ------------------------------------------------------------------ lent to whom */

static void a_link_is_used_again(void **state)
{
    struct bench *b = *state;

    assert_int_equal(dial(b, 0), GATE_OK);
    assert_false(b->a[0].reused);
    exchange(b, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dial(b, 0), GATE_OK);
        assert_true(b->a[0].reused);
        exchange(b, 0);
    }
    assert_int_equal(count(b, GATE_C_LINKS_OPENED), 1);
    assert_int_equal(count(b, GATE_C_LINK_TLS_HANDSHAKES), 1);
    assert_int_equal(count(b, GATE_C_LINK_TLS_FAILED), 0);
}

/* A reload makes new clients of old files: what they opened is theirs. */
static void the_same_identity_is_the_same(void **state)
{
    struct bench *b = *state;

    assert_int_equal(dial(b, 0), GATE_OK);
    exchange(b, 0);
    switch_to(b, client("ca.pem", true));
    assert_int_equal(dial(b, 0), GATE_OK);
    assert_true(b->a[0].reused);
    exchange(b, 0);
}

static void another_identity_gets_none(void **state)
{
    struct bench *b = *state;
    struct test_tls_origin first;

    switch_to(b, client("", false));
    assert_int_equal(dial(b, 0), GATE_OK);
    exchange(b, 0);
    first = b->origin;
    b->origin.ssl = NULL;
    switch_to(b, client("ca.pem", true)); /* an unverified link is not for who verifies */
    assert_int_equal(dial(b, 1), GATE_OK);
    assert_false(b->a[1].reused);
    exchange(b, 1);
    assert_int_equal(b->local->idle, 2);
    switch_to(b, client("", false));
    assert_int_equal(dial(b, 0), GATE_OK);
    assert_true(b->a[0].reused);
    switch_to(b, client("other.pem", true));
    assert_int_equal(begin_dial(b, 2, NULL), GATE_E_AGAIN);
    switch_to(b, NULL); /* nor is one under TLS for who speaks plain */
    assert_int_equal(begin_dial(b, 3, NULL), GATE_E_AGAIN);
    assert_int_equal(b->local->idle, 1);
    test_tls_origin_drop(&first);
}

/* What a server says unasked is inside TLS already, where no poll sees it. */
static void a_link_with_words_on_it_is_dropped(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    static const char body[1000]; /* as much as is granted */
    struct bench *b = *state;
    size_t n;

    assert_int_equal(dial(b, 0), GATE_OK);
    send_request(b, 0, false);
    hear_request(b);
    assert_true(test_tls_origin_write(&b->origin, head, sizeof(head) - 1, &n));
    for (int t = 0; t < 10000 && b->a[0].head.status == 0; t++)
        turns(b, 1);
    assert_true(test_tls_origin_write(&b->origin, body, sizeof(body), &n));
    assert_true(test_tls_origin_write(&b->origin, HI, sizeof(HI) - 1, &n));
    for (int t = 0; t < 10000 && !b->a[0].ended; t++)
        turns(b, 1);
    assert_true(b->a[0].ended);
    end_attempt(&b->a[0], GATE_CLOSE_ASKED);
    assert_int_equal(begin_dial(b, 1, NULL), GATE_E_AGAIN); /* before the loop turns again */
    assert_int_equal(closes(b, GATE_CLOSE_LINK_DIRTY), 1);
    assert_int_equal(b->local->idle, 0);
}

/* ------------------------------------------------------------------ how it comes to be */

static void sessions_are_resumed(void **state)
{
    struct bench *b = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(dial(b, 0), GATE_OK);
        exchange(b, 0);
        test_tls_origin_drop(&b->origin);
        turns(b, 5); /* the shelf hears of it */
        assert_int_equal(b->local->idle, 0);
    }
    assert_int_equal(count(b, GATE_C_LINK_TLS_HANDSHAKES), 3);
    assert_int_equal(count(b, GATE_C_LINK_TLS_RESUMED), 2);
}

/* Of the peer's shelf: they stay with the peer, and go with it. */
static void sessions_stay_with_their_peer(void **state)
{
    struct bench *b = *state;
    char servers[128];

    assert_int_equal(dial(b, 0), GATE_OK);
    exchange(b, 0);
    test_tls_origin_drop(&b->origin);
    turns(b, 5);
    snprintf(servers, sizeof(servers),
             "{\"address\":\"127.0.0.1:%d\"},{\"address\":\"127.0.0.1:1\"}", b->port);
    configure(b, servers);
    assert_int_equal(dial(b, 0), GATE_OK);
    exchange(b, 0);
    assert_int_equal(count(b, GATE_C_LINK_TLS_RESUMED), 1);
    configure(b, "{\"address\":\"127.0.0.1:1\"}");
    configure_one(b);
    assert_int_equal(dial(b, 0), GATE_OK);
    assert_int_equal(count(b, GATE_C_LINK_TLS_HANDSHAKES), 3);
    assert_int_equal(count(b, GATE_C_LINK_TLS_RESUMED), 1);
}

static void a_preface_goes_before_tls(void **state)
{
    struct bench *b = *state;
    char seen[8] = "";
    ssize_t got = -1;

    assert_int_equal(begin_dial(b, 0, "PROXY x\n"), GATE_E_AGAIN);
    accept_it(b);
    for (int t = 0; t < 10000 && got < 0; t++) {
        turns(b, 1);
        got = recv(b->origin.fd, seen, sizeof(seen), 0);
    }
    assert_int_equal(got, sizeof(seen));
    assert_memory_equal(seen, "PROXY x\n", 8);
    assert_int_equal(shake(b), GATE_OK);
    exchange(b, 0);
}

static void failures_say_what(void **state)
{
    struct bench *b = *state;

    switch_to(b, client("other.pem", true));
    assert_int_equal(dial(b, 0), GATE_E_TLS);
    assert_non_null(strstr(b->a[0].why, "TLS: certificate verify failed: unable to get local"));
    assert_int_equal(closes(b, GATE_CLOSE_LINK_TLS_VERIFY), 1);
    end_attempt(&b->a[0], GATE_CLOSE_LINK_ERROR);
    assert_int_equal(begin_dial(b, 0, NULL), GATE_E_AGAIN);
    accept_it(b);
    turns(b, 3);
    shutdown(b->origin.fd, SHUT_RDWR);
    for (int t = 0; t < 10000 && !b->woken; t++)
        turns(b, 1);
    assert_int_equal(b->dialed, GATE_E_TLS);
    assert_string_equal(b->a[0].why, "TLS: the server closed in the handshake");
    assert_int_equal(closes(b, GATE_CLOSE_LINK_TLS_GONE), 1);
    assert_int_equal(count(b, GATE_C_LINK_TLS_FAILED), 2);
    assert_int_equal(count(b, GATE_C_LINK_TLS_HANDSHAKES), 0);
    assert_null(b->a[0].claim.link);
}

/* The time of a connect is also that of the handshake. */
static void a_handshake_has_an_end(void **state)
{
    struct bench *b = *state;

    assert_int_equal(begin_dial(b, 0, NULL), GATE_E_AGAIN);
    accept_it(b);
    turns(b, 3);
    gate_clock_advance(&b->clock, 2000 * GATE_MS);
    turns(b, 3);
    assert_false(b->woken);
    gate_clock_advance(&b->clock, 3100 * GATE_MS);
    turns(b, 3);
    assert_true(b->woken);
    assert_int_equal(b->dialed, GATE_E_TIMEOUT);
    assert_string_equal(b->a[0].why, "TLS: no answer in time");
    assert_int_equal(closes(b, GATE_CLOSE_LINK_TLS_TIMEOUT), 1);
}

static void refused_connects_are_no_tls(void **state)
{
    struct bench *b = *state;

    configure(b, "{\"address\":\"127.0.0.1:1\"}");
    assert_int_equal(begin_dial(b, 0, NULL), GATE_E_AGAIN);
    for (int t = 0; t < 10000 && !b->woken; t++)
        turns(b, 1);
    assert_int_equal(b->dialed, GATE_E_REFUSED);
    assert_string_equal(b->a[0].why, "connect: Connection refused");
    assert_int_equal(count(b, GATE_C_LINK_TLS_FAILED), 0);
}

static void may_be_given_up_at_any_time(void **state)
{
    struct bench *b = *state;

    for (int steps = 0; steps < 12; steps++) {
        assert_int_equal(begin_dial(b, 0, NULL), GATE_E_AGAIN);
        accept_it(b);
        for (int i = 0; i < steps; i++) {
            if (i % 2 == 1)
                test_tls_origin_shake(&b->origin);
            turns(b, 1);
        }
        end_attempt(&b->a[0], GATE_CLOSE_CLIENT_ABORT);
        turns(b, 2);
        assert_int_equal(b->loop.blocks.live, 0);
    }
}

/* ------------------------------------------------------------------ however unkind the network */

static const struct gate_fault_plan plans[] = {
    {.max_bytes = 1},
    {.max_bytes = 1, .again_after_each = true},
    {.max_bytes = 1000, .again_after_each = true},
};

/* The plan takes hold below TLS, from the first byte on. */
static void dial_unkindly(struct bench *b, struct gate_fault_plan *plan)
{
    assert_int_equal(begin_dial(b, 0, "before"), GATE_E_AGAIN);
    gate_conn_fault_wrap(&b->a[0].claim.link->conn, plan);
    accept_it(b);
    for (ssize_t n = 0, got; n < 6; n += got > 0 ? got : 0) {
        char seen[6];

        turns(b, 1);
        got = recv(b->origin.fd, seen, sizeof(seen) - (size_t)n, 0);
    }
    assert_int_equal(shake(b), GATE_OK);
}

static void the_same_comes_however_slowly(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < GATE_COUNT_OF(plans); i++) {
        struct gate_fault_plan plan = plans[i];

        dial_unkindly(b, &plan);
        exchange(b, 0);
        assert_int_equal(b->local->idle, 1);
        test_tls_origin_drop(&b->origin);
        for (int t = 0; t < 10000 && b->local->idle > 0; t++)
            turns(b, 1);
        assert_int_equal(b->local->idle, 0);
    }
}

/* Our side of a tunnel ends with a word of TLS, which has to leave before the end does. */
static void tunnels_end_our_side(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < GATE_COUNT_OF(plans); i++) {
        struct gate_fault_plan plan = plans[i];
        struct gate_chain none;
        struct gate_stream *s;
        char byte;
        size_t n;

        dial_unkindly(b, &plan);
        s = send_request(b, 0, true);
        hear_request(b);
        assert_true(test_tls_origin_write(&b->origin, SWITCH, sizeof(SWITCH) - 1, &n));
        for (int t = 0; t < 10000 && b->a[0].head.status == 0; t++)
            turns(b, 1);
        assert_int_equal(b->a[0].head.status, 101);
        gate_chain_init(&none, &b->loop.blocks);
        assert_int_equal(s->ops->send_body(s, &none, true), GATE_OK);
        for (int t = 0; t < 10000 && SSL_get_shutdown(b->origin.ssl) == 0; t++) {
            turns(b, 1);
            test_tls_origin_read(&b->origin, &byte, 1, &n);
        }
        assert_int_equal(SSL_get_shutdown(b->origin.ssl), SSL_RECEIVED_SHUTDOWN);
        turns(b, 100);
        assert_int_equal(recv(b->origin.fd, &byte, 1, 0), 0);
        end_attempt(&b->a[0], GATE_CLOSE_TUNNEL_END);
    }
}

/* ------------------------------------------------------------------ what became of a request */

static void until_broken(struct bench *b)
{
    for (int t = 0; t < 10000 && b->broke == GATE_OK; t++) {
        if (b->origin.ssl != NULL)
            test_tls_origin_shake(&b->origin);
        turns(b, 1);
    }
}

/* TLS 1.3: the request is on its way when the server looks at our certificate. */
static void a_refusal_leaves_it_untouched(void **state)
{
    struct bench *b = *state;

    test_tls_origin_demand(&b->origin, &pki, "ca");
    assert_int_equal(dial(b, 0), GATE_OK);
    send_request(b, 0, false);
    until_broken(b);
    assert_int_equal(b->broke, GATE_E_TLS);
    assert_true(b->a[0].claim.link->sent > 0);
    assert_true(gate_attempt_untouched(&b->a[0], b->broke));
    assert_false(gate_attempt_answered(&b->a[0]));
}

/* What the server's kernel has acknowledged may have been read, though TLS adds bytes of its own to
 * what waits. */
static void what_was_taken_is_not_untouched(void **state)
{
    struct bench *b = *state;

    assert_int_equal(dial(b, 0), GATE_OK);
    exchange(b, 0);
    assert_int_equal(dial(b, 0), GATE_OK);
    assert_true(b->a[0].reused);
    send_request(b, 0, false);
    assert_true(gate_link_written(b->a[0].claim.link) > b->a[0].claim.link->sent);
    hear_request(b);
    test_tls_origin_drop(&b->origin);
    until_broken(b);
    assert_int_equal(b->broke, GATE_E_EOF);
    assert_false(gate_attempt_untouched(&b->a[0], b->broke));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, open_bench, close_bench)
    const struct CMUnitTest tests[] = {
        TEST(a_link_is_used_again),
        TEST(the_same_identity_is_the_same),
        TEST(another_identity_gets_none),
        TEST(a_link_with_words_on_it_is_dropped),
        TEST(sessions_are_resumed),
        TEST(sessions_stay_with_their_peer),
        TEST(a_preface_goes_before_tls),
        TEST(failures_say_what),
        TEST(a_handshake_has_an_end),
        TEST(refused_connects_are_no_tls),
        TEST(may_be_given_up_at_any_time),
        TEST(the_same_comes_however_slowly),
        TEST(tunnels_end_our_side),
        TEST(a_refusal_leaves_it_untouched),
        TEST(what_was_taken_is_not_untouched),
    };
#undef TEST

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
