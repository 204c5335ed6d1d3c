/* A session behind TLS: the handshake's limits, requests over a network of any kind, and what is
 * told of failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/gateway.h"
#include "../support/pki.h"
#include "../support/tls_client.h"
#include "base/assert.h"
#include "session/session_int.h"

#define ROUTES                                                                                     \
    "[{\"name\":\"r\",\"host\":\"\",\"path\":\"/\",\"methods\":[],\"headers\":[],\"query\":[],"    \
    "\"when\":false,\"priority\":0,\"action\":\"upstream\",\"upstream\":\"o\",\"rewrite\":\"\","   \
    "\"use\":[],\"timeouts\":{},\"max_body\":-1,\"upgrade\":[],\"at\":\"t:3\"}]"

static struct test_pki pki;
static struct test_gateway g;
static struct test_tls_client client;
static struct test_bytes in;
static struct gate_fault_plan plan;

static int setup_group(void **state)
{
    (void)state;
    test_pki_open(&pki);
    test_pki_make(&pki, "a", "a.test", TEST_KEY_EC, 30, NULL);
    return 0;
}

static int teardown_group(void **state)
{
    (void)state;
    test_pki_close(&pki);
    return 0;
}

static void open_gateway(void)
{
    static const struct gate_certificate_config certificate = {
        .cert = {"a.pem", 5}, .key = {"a.key", 5}, .fallback = true};
    static const struct gate_tls_config config = {.certificates = &certificate,
                                                  .n_certificates = 1};
    struct gate_tls_files files = test_pki_files(&pki);
    struct gate_tls_server *server;
    char why[512];

    test_gateway_open(&g, ROUTES);
    atomic_store(&g.log.level, GATE_LOG_ERROR + 1);
    assert_int_equal(gate_tls_server_new(&config, &files, NULL, &server, why, sizeof(why)),
                     GATE_OK);
    gate_listener_unref(&g.listener);
    g.listener = gate_listener_new(&g.generation.config->listeners[0], server);
    gate_tls_server_unref(&server);
}

static struct gate_session *newest(void)
{
    return gate_container_of(g.worker.session_list.prev, struct gate_session, node);
}

static bool shaken(void *arg)
{
    (void)arg;
    return test_tls_connect(&client) || test_tls_failed(&client);
}

static void connect_client(const struct gate_fault_plan *p)
{
    test_tls_client_open(&client, test_gateway_client(&g), TLS1_3_VERSION, "a.test");
    plan = *p;
    gate_conn_fault_wrap(&newest()->conn, &plan);
    assert_true(test_gateway_until(&g, shaken, NULL));
    assert_false(test_tls_failed(&client));
}

static void say(const char *text)
{
    size_t put;

    assert_true(test_tls_write(&client, text, strlen(text), &put));
    assert_int_equal(put, strlen(text));
}

static bool heard(void *arg)
{
    struct test_bytes *b = arg;
    size_t got;

    while (test_tls_read(&client, b->buf + b->n, sizeof(b->buf) - 1 - b->n, &got))
        b->n += got;
    b->buf[b->n] = '\0';
    b->eof = test_tls_failed(&client);
    return b->eof || (b->text != NULL && strstr(b->buf, b->text) != NULL);
}

static void hear(const char *text)
{
    in.n = 0;
    in.text = text;
    assert_true(test_gateway_until(&g, heard, &in));
    assert_true(text == NULL || strstr(in.buf, text) != NULL);
}

static uint64_t closed_for(enum gate_close_reason why)
{
    return atomic_load(&g.worker.counters.closes[why]);
}

static uint64_t counted(enum gate_counter c)
{
    return gate_counters_get(&g.worker.counters, c);
}

/* Requests and answers over whatever network there is. */
static void proxies(void **state)
{
    static const struct gate_fault_plan plans[] = {
        {.max_bytes = 0}, {.max_bytes = 1}, {.max_bytes = 1, .again_after_each = true}};
    int origin;

    (void)state;
    for (size_t p = 0; p < GATE_COUNT_OF(plans); p++) {
        open_gateway();
        connect_client(&plans[p]);
        say("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello");
        origin = test_gateway_accept(&g);
        assert_true(test_gateway_read(&g, &in, origin, "hello"));
        assert_non_null(strstr(in.buf, "X-Forwarded-Proto: https\r\n"));
        for (int i = 0; i < 3; i++) {
            test_send(origin, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nworld");
            hear("world");
            say("GET /b HTTP/1.1\r\nHost: a.test\r\n\r\n");
            assert_true(test_gateway_read(&g, &in, origin, "\r\n\r\n"));
        }
        assert_int_equal(counted(GATE_C_TLS_HANDSHAKES), 1);
        test_tls_client_close(&client);
        close(origin);
        test_gateway_close(&g);
    }
}

/* After its last answer the connection ends in order. */
static void says_goodbye(void **state)
{
    (void)state;
    open_gateway();
    connect_client(&(struct gate_fault_plan){0});
    say("GET\r\n\r\n");
    hear(NULL);
    assert_non_null(strstr(in.buf, "HTTP/1.1 400 "));
    assert_int_equal(client.error, SSL_ERROR_ZERO_RETURN);
    test_tls_client_close(&client);
    test_gateway_close(&g);
}

static void a_handshake_has_its_time(void **state)
{
    int silent, slow;

    (void)state;
    open_gateway();
    silent = test_gateway_client(&g);
    slow = test_gateway_client(&g);
    assert_int_equal(write(slow, "\x16\x03\x01", 3), 3);
    test_gateway_turns(&g, 3);
    assert_int_equal(g.worker.sessions, 2);
    test_gateway_pass(&g, 4000);
    assert_int_equal(g.worker.sessions, 2);
    test_gateway_pass(&g, 2000);
    assert_int_equal(g.worker.sessions, 0);
    assert_int_equal(closed_for(GATE_CLOSE_TLS_TIMEOUT), 2);
    assert_int_equal(counted(GATE_C_TLS_FAILED), 2);
    close(silent);
    close(slow);
    test_gateway_close(&g);
}

/* Of too many the oldest goes: it has had the most time. Others are not touched. */
static void the_oldest_makes_room(void **state)
{
    int fd[4];

    (void)state;
    open_gateway();
    g.worker.handshake_limit = 2;
    connect_client(&(struct gate_fault_plan){0}); /* is done, and does not count */
    for (int i = 0; i < 4; i++) {
        fd[i] = test_gateway_client(&g);
        if (i > 0) /* the first says nothing, and does not count */
            assert_int_equal(write(fd[i], "\x16", 1), 1);
        test_gateway_turns(&g, 3);
    }
    assert_int_equal(closed_for(GATE_CLOSE_TLS_CROWDED), 1);
    assert_int_equal(read(fd[1], in.buf, 1), 0);
    assert_int_equal(g.worker.sessions, 4);
    assert_int_equal(gate_session_shared_of(&g.worker)->n_handshakes, 2);
    for (int i = 0; i < 4; i++)
        close(fd[i]);
    test_gateway_turns(&g, 3);
    assert_int_equal(g.worker.sessions, 1);
    assert_int_equal(gate_session_shared_of(&g.worker)->n_handshakes, 0);
    assert_int_equal(closed_for(GATE_CLOSE_TLS_GONE), 2);
    assert_int_equal(closed_for(GATE_CLOSE_CLIENT_EOF), 1);
    test_tls_client_close(&client);
    test_gateway_close(&g);
}

/* Inside TLS it is ALPN that chooses. */
static void a_preface_chooses_no_http2(void **state)
{
    (void)state;
    open_gateway();
    g.listener->http2 = true;
    connect_client(&(struct gate_fault_plan){0});
    say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    hear("HTTP/1.1 505 ");
    test_tls_client_close(&client);
    test_gateway_close(&g);
}

static void plain_http_is_answered_once(void **state)
{
    int fd;

    (void)state;
    open_gateway();
    fd = test_gateway_client(&g);
    test_send(fd, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(test_gateway_read(&g, &in, fd, "request id"));
    assert_memory_equal(in.buf, "HTTP/1.1 400 ", 13);
    assert_null(strstr(in.buf + 1, "HTTP/1.1"));
    test_gateway_pass(&g, 2000);
    assert_int_equal(g.worker.sessions, 0);
    assert_int_equal(closed_for(GATE_CLOSE_TLS_PLAIN_HTTP), 1);
    close(fd);
    test_gateway_close(&g);
}

/* The gateway ends in the middle of one. */
static void closing_takes_handshakes_along(void **state)
{
    int fd;

    (void)state;
    open_gateway();
    fd = test_gateway_client(&g);
    assert_int_equal(write(fd, "\x16\x03", 2), 2);
    test_gateway_turns(&g, 3);
    gate_session_close_all(&g.worker);
    assert_int_equal(g.worker.sessions, 0);
    assert_int_equal(closed_for(GATE_CLOSE_DRAIN), 1);
    close(fd);
    test_gateway_close(&g);
}

/* A drain that comes amid a handshake: its request is answered, and the close said. */
static void a_drain_waits_for_the_first_request(void **state)
{
    (void)state;
    open_gateway();
    test_tls_client_open(&client, test_gateway_client(&g), TLS1_3_VERSION, "a.test");
    assert_false(test_tls_connect(&client));
    test_gateway_turns(&g, 3);
    g.worker.draining = true;
    gate_session_drain(&g.worker, 500);
    assert_true(test_gateway_until(&g, shaken, NULL));
    test_gateway_turns(&g, 3);
    say("GET\r\n\r\n");
    hear(NULL);
    assert_non_null(strstr(in.buf, "Connection: close\r\n"));
    assert_int_equal(client.error, SSL_ERROR_ZERO_RETURN);
    test_tls_client_close(&client);
    connect_client(&(struct gate_fault_plan){0});
    test_gateway_turns(&g, 3);
    assert_int_equal(g.worker.sessions, 1);
    test_gateway_pass(&g, 1000);
    assert_int_equal(g.worker.sessions, 0);
    assert_int_equal(closed_for(GATE_CLOSE_DRAIN), 1);
    test_tls_client_close(&client);
    test_gateway_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxies),
        cmocka_unit_test(says_goodbye),
        cmocka_unit_test(a_handshake_has_its_time),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(a_preface_chooses_no_http2),
        cmocka_unit_test(plain_http_is_answered_once),
        cmocka_unit_test(closing_takes_handshakes_along),
        cmocka_unit_test(a_drain_waits_for_the_first_request),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
