/* The life of a request, end to end in one thread: client on a socket pair, origin by hand.
 * covers: flow/step_admit.c flow/step_route.c flow/step_upstream.c flow/step_response.c
 * flow/step_relay.c covers: flow/events.c flow/fault.c flow/account.c flow/body.c flow/flow.c
 * session/session_h1.c covers: session/session_stream.c session/listener.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/gateway.h"
#include "session/ip_counts.h"

#define ROUTE(more)                                                                                \
    "[{\"name\":\"r\",\"host\":\"\",\"path\":\"/"                                                  \
    "\",\"methods\":[],\"headers\":[],\"query\":[],\"when\":false,\"priority\":0," more            \
    ",\"rewrite\":\"\",\"use\":[],\"timeouts\":{},\"max_body\":-1,\"upgrade\":[\"websocket\"],"    \
    "\"at\":\"t:3\"}]"
#define PROXY ROUTE("\"action\":\"upstream\",\"upstream\":\"o\"")

static struct test_bytes in;

static void proxies_a_get(void **state)
{
    struct test_gateway g;
    int client, origin;

    (void)state;
    test_gateway_open(&g, PROXY);
    client = test_gateway_client(&g);
    test_send(client, "GET /a?b=1 HTTP/1.1\r\nHost: example.test\r\n\r\n");
    origin = test_gateway_accept(&g);
    assert_true(test_gateway_read(&g, &in, origin, "\r\n\r\n"));
    assert_non_null(strstr(in.buf, "GET /a?b=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(in.buf, "Host: example.test\r\n"));
    assert_non_null(strstr(in.buf, "X-Forwarded-For: 127.0.0.1\r\n"));
    for (int i = 0; i < 3; i++) {
        test_send(origin, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        assert_true(test_gateway_read(&g, &in, client, "hello"));
        assert_non_null(strstr(in.buf, "HTTP/1.1 200 OK\r\n"));
        test_send(client, "GET /b HTTP/1.1\r\nHost: example.test\r\n\r\n");
        assert_true(test_gateway_read(&g, &in, origin, "\r\n\r\n"));
    }
    close(client);
    close(origin);
    test_gateway_close(&g);
}

static void replies_from_the_route(void **state)
{
    struct test_gateway g;
    int client;

    (void)state;
    test_gateway_open(&g, ROUTE("\"action\":\"reply\",\"reply\":{\"status\":200,\"body\":\"hi\\n\","
                                "\"headers\":[[\"x-a\",\"1\"]]}"));
    client = test_gateway_client(&g);
    test_send(
        client,
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_false(test_gateway_read(&g, &in, client, "never"));
    assert_true(in.eof);
    assert_non_null(strstr(in.buf, "x-a: 1\r\n"));
    assert_non_null(strstr(strstr(in.buf, "hi\n"), "Connection: close\r\n"));
    close(client);
    test_gateway_close(&g);
}

/* A body that nobody asked for is passed over where all of it is there. */
static void a_reply_keeps_the_connection(void **state)
{
    struct test_gateway g;
    int client;

    (void)state;
    test_gateway_open(&g, ROUTE("\"action\":\"reply\",\"reply\":{\"status\":200,\"body\":\"hi\\n\","
                                "\"headers\":[]}"));
    client = test_gateway_client(&g);
    for (int i = 0; i < 3; i++) {
        test_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        assert_true(test_gateway_read(&g, &in, client, "hi\n"));
        assert_null(strstr(in.buf, "Connection: close"));
    }
    test_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    assert_true(test_gateway_read(&g, &in, client, "hi\n"));
    assert_non_null(strstr(in.buf, "Connection: close\r\n"));
    close(client);
    test_gateway_close(&g);
}

static void expect_open(struct test_gateway *g, uint32_t n)
{
    test_gateway_turns(g, 3);
    assert_int_equal(g->worker.sessions, n);
}

/* Limits of connections: of one address, and of the worker; 0 is none. */
static void connections_are_limited(void **state)
{
    struct gate_ip_counts *counts = gate_ip_counts_new();
    struct test_gateway g;
    struct gate_limits *limits;
    int fd[4];

    (void)state;
    test_gateway_open(&g, PROXY);
    atomic_store(&g.log.level, GATE_LOG_ERROR + 1);
    limits = (struct gate_limits *)&g.generation.config->limits;
    g.worker.ip_counts = counts;
    limits->connections_per_ip = 0;
    fd[0] = test_gateway_client(&g);
    expect_open(&g, 1);
    close(fd[0]);
    expect_open(&g, 0);
    limits->connections_per_ip = 2;
    for (int i = 0; i < 3; i++)
        fd[i] = test_gateway_client(&g);
    expect_open(&g, 2);
    close(fd[0]);
    expect_open(&g, 1);
    fd[0] = test_gateway_client(&g);
    expect_open(&g, 2);
    limits->connections_per_ip = 0;
    g.worker.session_limit = 2;
    fd[3] = test_gateway_client(&g);
    expect_open(&g, 2);
    assert_int_equal(gate_counters_get(&g.worker.counters, GATE_C_CLIENT_REFUSED), 2);
    assert_int_equal(gate_counters_get(&g.worker.counters, GATE_C_CLIENT_ACCEPTED), 6);
    for (int i = 0; i < 4; i++)
        close(fd[i]);
    expect_open(&g, 0);
    g.worker.ip_counts = NULL;
    test_gateway_close(&g);
    gate_ip_counts_free(&counts);
}

static void refuses_bad_heads(void **state)
{
    struct test_gateway g;
    int client;

    (void)state;
    test_gateway_open(&g, PROXY);
    client = test_gateway_client(&g);
    test_send(client, "GET / HTTP/1.1\nHost: a\n\n");
    assert_true(test_gateway_read(&g, &in, client, "request id"));
    assert_non_null(strstr(in.buf, "HTTP/1.1 400 Bad Request\r\n"));
    assert_non_null(strstr(in.buf, "Connection: close\r\n"));
    close(client);
    test_gateway_close(&g);
}

static void refuses_http_09_at_once(void **state)
{
    struct test_gateway g;
    int client;

    (void)state;
    test_gateway_open(&g, PROXY);
    client = test_gateway_client(&g);
    test_send(client, "GET /a\r\n");
    assert_true(test_gateway_read(&g, &in, client, "request id"));
    assert_non_null(strstr(in.buf, "HTTP/1.1 400 Bad Request\r\n"));
    close(client);
    test_gateway_close(&g);
}

static void posts_a_chunked_body(void **state)
{
    struct test_gateway g;
    int client, origin;

    (void)state;
    test_gateway_open(&g, PROXY);
    client = test_gateway_client(&g);
    test_send(client,
              "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    origin = test_gateway_accept(&g);
    assert_true(test_gateway_read(&g, &in, origin, "5\r\nhello\r\n"));
    test_send(client, "3\r\nabc\r\n0\r\n\r\n");
    assert_true(test_gateway_read(&g, &in, origin, "3\r\nabc\r\n0\r\n\r\n"));
    test_send(origin, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_true(test_gateway_read(&g, &in, client, "\r\n\r\n"));
    assert_non_null(strstr(in.buf, "204"));
    close(client);
    close(origin);
    test_gateway_close(&g);
}

static void answers_faults(void **state)
{
    struct test_gateway g;
    int client, origin;

    (void)state;
    test_gateway_open(&g, PROXY);
    client = test_gateway_client(&g);
    test_send(client, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    origin = test_gateway_accept(&g);
    assert_true(test_gateway_read(&g, &in, origin, "\r\n\r\nx"));
    close(origin);
    assert_true(test_gateway_read(&g, &in, client, "request id"));
    assert_non_null(strstr(in.buf, "HTTP/1.1 502 "));
    close(g.origin);
    test_send(client, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(test_gateway_read(&g, &in, client, "request id"));
    assert_non_null(strstr(in.buf, "HTTP/1.1 502 "));
    g.origin = -1;
    close(client);
    test_gateway_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxies_a_get),     cmocka_unit_test(replies_from_the_route),
        cmocka_unit_test(a_reply_keeps_the_connection),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(refuses_bad_heads), cmocka_unit_test(refuses_http_09_at_once),
        cmocka_unit_test(posts_a_chunked_body),
        cmocka_unit_test(answers_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
