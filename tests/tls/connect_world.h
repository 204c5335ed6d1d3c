/* A client conn under TLS and an origin, on a pair of sockets and one loop. Included once. */
#ifndef GATE_TESTS_CONNECT_WORLD_H
#define GATE_TESTS_CONNECT_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/conn_fault.h"
#include "tls/tls.h"
#include "../support/tls_origin.h"

/* How unkind the network is. */
static const struct gate_fault_plan plans[] = {
    {.max_bytes = 0},
    {.max_bytes = 1},
    {.max_bytes = 1, .again_after_each = true},
    {.max_bytes = 1000, .again_after_each = true},
};

static struct test_pki pki;
static struct gate_clock test_clock;
static struct gate_loop loop;
static struct gate_tls_client *client;
static struct gate_tls_sessions *sessions; /* of conns that are opened; NULL: none */
static struct test_tls_origin origin;
static struct gate_chain first;            /* what goes out before TLS */

static struct gate_conn conn;
static struct gate_fault_plan plan;
static enum gate_err handshake;            /* our last result */
static enum gate_close_reason failure;
static char why[200];
static int readable, writable;

static void shake(struct gate_conn *c)
{
    handshake = gate_tls_handshake(gate_tls_of(c));
    if (handshake == GATE_E_LIMIT) {
        failure = gate_tls_failure(gate_tls_of(c));
        snprintf(why, sizeof(why), "%s", gate_tls_why(gate_tls_of(c)));
        gate_conn_close(c);
    }
}

static void on_readable(struct gate_conn *c)
{
    if (handshake == GATE_E_AGAIN)
        shake(c);
    else
        readable++;
}

static void on_writable(struct gate_conn *c)
{
    if (handshake == GATE_E_AGAIN)
        shake(c);
    else
        writable++;
}

/* "good" has all that is needed: a.test, *.b.test, 127.0.0.1 and ::1, by the authority "ca". */
static int setup_group(void **state)
{
    (void)state;
    test_pki_open(&pki);
    test_pki_make(&pki, "ca", NULL, TEST_KEY_EC, 30, NULL);
    test_pki_make(&pki, "other", NULL, TEST_KEY_EC, 30, NULL);
    test_pki_make(&pki, "good", "a.test,*.b.test,IP:127.0.0.1,IP:::1", TEST_KEY_EC, 30, "ca");
    test_pki_make(&pki, "old", "a.test", TEST_KEY_EC, -1, "ca");
    test_pki_make(&pki, "self", "a.test", TEST_KEY_RSA, 30, NULL);
    test_pki_make(&pki, "me", "", TEST_KEY_EC, 30, "ca");
    test_pki_make(&pki, "stranger", "", TEST_KEY_EC, 30, "other");
    gate_clock_init(&test_clock);
    if (gate_loop_open(&loop, &test_clock, NULL) != GATE_OK)
        return -1;
    gate_chain_init(&first, &loop.blocks);
    return 0;
}

static int teardown_group(void **state)
{
    (void)state;
    gate_loop_close(&loop);
    test_pki_close(&pki);
    return 0;
}

static const struct gate_str http_1_1 = {"http/1.1", 8};

/* What most tests ask for. */
static struct gate_tls_client_config usual(void)
{
    return (struct gate_tls_client_config){
        .verify = true, .ca = GATE_STR("ca.pem"), .alpn = &http_1_1, .n_alpn = 1};
}

static struct gate_tls_client *make(const struct gate_tls_client_config *config)
{
    struct gate_tls_files files = test_pki_files(&pki);
    struct gate_tls_system system = {NULL};
    struct gate_tls_client *c = NULL;

    if (gate_tls_client_new(config, &files, &system, &c, why, sizeof(why)) != GATE_OK)
        fail_msg("%s", why);
    gate_tls_system_fini(&system);
    return c;
}

static void use(const struct gate_tls_client_config *config)
{
    client = make(config);
}

static void use_usual(void)
{
    struct gate_tls_client_config config = usual();

    use(&config);
}

static void forget(void)
{
    gate_tls_sessions_unref(&sessions);
    gate_tls_client_unref(&client);
}

static enum gate_err open_pair(const struct gate_fault_plan *p, const char *host)
{
    enum gate_err err;
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    gate_conn_open(&conn, &loop, fd[0], on_readable, on_writable);
    plan = *p;
    gate_conn_fault_wrap(&conn, &plan);
    handshake = GATE_E_AGAIN;
    failure = GATE_CLOSE_NONE;
    why[0] = '\0';
    readable = writable = 0;
    test_tls_origin_take(&origin, fd[1]);
    err = gate_tls_connect(&conn, client, gate_str_from_cstr(host), sessions, &first);
    if (err == GATE_OK) {
        gate_conn_reading(&conn, true);
        shake(&conn);
    }
    return err;
}

static void close_pair(void)
{
    gate_conn_close(&conn);
    test_tls_origin_drop(&origin);
}

/* One byte each way, as the loop lets it: our last word of a handshake waits for a request, and
 * what a server gives to resume by comes with its answer. */
static void exchange_bytes(void)
{
    bool put = false, took = false, back = false, got = false;
    char byte[2];
    size_t n;

    for (int i = 0; i < 100000 && !got; i++) {
        put = put || gate_conn_write(&conn, &(struct iovec){"x", 1}, 1, &n) == GATE_OK;
        took = took || test_tls_origin_read(&origin, byte, 1, &n);
        back = back || (took && test_tls_origin_write(&origin, "y", 1, &n));
        gate_loop_turn(&loop, false);
        got = back && gate_conn_read(&conn, &(struct iovec){byte + 1, 1}, 1, &n) == GATE_OK;
    }
    assert_true(got && byte[0] == 'x' && byte[1] == 'y');
}

/* Our half of a handshake; false: it has failed, and the server has heard of it. */
static bool shake_hands(void)
{
    for (int i = 0; i < 100000 && handshake == GATE_E_AGAIN; i++) {
        test_tls_origin_shake(&origin);
        gate_loop_turn(&loop, false);
    }
    if (handshake == GATE_E_LIMIT)
        test_tls_origin_shake(&origin);
    return handshake == GATE_OK;
}

static void connect_pair(const struct gate_fault_plan *p, const char *host)
{
    assert_int_equal(open_pair(p, host), GATE_OK);
    if (!shake_hands())
        fail_msg("%s", why);
    exchange_bytes();
}

#endif
