/* A server conn under TLS and a client, on a pair of sockets and one loop. Included once. */
#ifndef GATE_TESTS_TLS_WORLD_H
#define GATE_TESTS_TLS_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/conn_fault.h"
#include "tls/tickets.h"
#include "tls/tls.h"
#include "../support/pki.h"
#include "../support/tls_client.h"

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
static struct gate_tls_server *server;
static struct gate_tls_tickets *tickets; /* of servers made from now on; NULL: OpenSSL's own */

static struct gate_conn conn;
static struct gate_fault_plan plan;
static struct test_tls_client client;
static enum gate_err handshake;     /* the server's last result */
static enum gate_close_reason failure;
static int readable, writable;
static bool takes_one;  /* on_readable reads a byte, into `taken` */
static char taken[16];

static inline void shake(struct gate_conn *c)
{
    handshake = gate_tls_handshake(gate_tls_of(c));
    if (handshake == GATE_E_LIMIT) {
        failure = gate_tls_failure(gate_tls_of(c));
        gate_conn_close(c);
    }
}

static void on_readable(struct gate_conn *c)
{
    size_t n;

    if (handshake == GATE_E_AGAIN)
        shake(c);
    else if (!takes_one || gate_conn_read(c, &(struct iovec){taken + readable, 1}, 1, &n) == GATE_OK)
        readable++;
}

static void on_writable(struct gate_conn *c)
{
    if (handshake == GATE_E_AGAIN)
        shake(c);
    else
        writable++;
}

/* Everybody who is needed has a certificate: "ec" and "rsa" are for a.test, "b" for *.b.test. */
static int setup_group(void **state)
{
    (void)state;
    test_pki_open(&pki);
    test_pki_make(&pki, "ec", "a.test", TEST_KEY_EC, 30, NULL);
    test_pki_make(&pki, "rsa", "a.test", TEST_KEY_RSA, 30, NULL);
    test_pki_make(&pki, "b", "b.test,*.b.test", TEST_KEY_EC, 30, NULL);
    gate_clock_init(&test_clock);
    return gate_loop_open(&loop, &test_clock, NULL) == GATE_OK ? 0 : -1;
}

static int teardown_group(void **state)
{
    (void)state;
    gate_loop_close(&loop);
    test_pki_close(&pki);
    return 0;
}

static const struct gate_certificate_config ec_only[] = {
    {.cert = {"ec.pem", 6}, .key = {"ec.key", 6}, .fallback = true},
};

static void serve(const struct gate_tls_config *config)
{
    struct gate_tls_files files = test_pki_files(&pki);
    char why[512] = "";

    if (gate_tls_server_new(config, &files, tickets, &server, why, sizeof(why)) != GATE_OK)
        fail_msg("%s", why);
}

static inline void serve_ec(void)
{
    static const struct gate_tls_config config = {.certificates = ec_only, .n_certificates = 1};

    serve(&config);
}

static void stop(void)
{
    gate_tls_server_unref(&server);
}

static void open_pair(const struct gate_fault_plan *p, int version, const char *sni)
{
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    gate_conn_open(&conn, &loop, fd[0], on_readable, on_writable);
    plan = *p;
    gate_conn_fault_wrap(&conn, &plan);
    assert_int_equal(gate_tls_accept(&conn, server), GATE_OK);
    gate_conn_reading(&conn, true);
    test_tls_client_open(&client, fd[1], version, sni);
    handshake = GATE_E_AGAIN;
    failure = GATE_CLOSE_NONE;
    readable = writable = 0;
}

static void close_pair(void)
{
    gate_conn_close(&conn);
    test_tls_client_close(&client);
}

/* Both sides go on until both are done; false: one of them has failed. */
static inline bool shake_hands(void)
{
    bool connected = false;

    for (int i = 0; i < 100000 && !(connected && handshake == GATE_OK); i++) {
        connected = connected || test_tls_connect(&client);
        gate_loop_turn(&loop, false);
        if (test_tls_failed(&client))
            return false;
        if (handshake == GATE_E_LIMIT) {
            test_tls_connect(&client);
            return false;
        }
    }
    assert_true(connected && handshake == GATE_OK);
    return true;
}

static inline void connect_pair(const struct gate_fault_plan *p, int version, const char *sni)
{
    open_pair(p, version, sni);
    if (!shake_hands())
        fail_msg("%s, %s", gate_close_reason_name(failure),
                 ERR_reason_error_string(client.reason));
}

#endif
