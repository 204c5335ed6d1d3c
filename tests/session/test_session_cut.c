/* What breaks in the middle: clients that leave, upstreams that cut or lie, and what the other side
 * sees of it; tries at other connections and peers; bodies over their limit. */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/talk.h"

#define GET  "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
#define OK   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

struct scene {
    struct test_gateway g;
    struct test_talk client;
    struct test_talk origin;
    struct gate_ready weary;
};

static int open_scene(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    test_gateway_open(&s->g, TEST_ROUTE);
    test_talk_client(&s->client, &s->g);
    *state = s;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *s = *state;

    if (s->client.buf != NULL)
        test_talk_close(&s->client);
    if (s->origin.buf != NULL)
        test_talk_close(&s->origin);
    test_gateway_turns(&s->g, 5);
    test_gateway_close(&s->g);
    free(s);
    return 0;
}

static void reopen(struct scene *s, const char *routes, const char *const *edits)
{
    test_talk_close(&s->client);
    test_gateway_turns(&s->g, 3);
    test_gateway_close(&s->g);
    test_gateway_open_with(&s->g, routes, edits);
    test_talk_client(&s->client, &s->g);
}

static void ask(struct scene *s, const char *request)
{
    test_say(&s->client, request);
    if (s->origin.buf == NULL)
        test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
}

/* A client over TCP, for what a socket pair cannot show: resets. It dials the origin's listening
 * socket, whose end becomes the session. */
static void dial_tcp(struct scene *s)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    struct gate_addr peer;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(getsockname(s->g.origin, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(gate_addr_parse(GATE_STR("127.0.0.1:5000"), &peer), GATE_OK);
    gate_session_open(&s->g.worker, s->g.listener, test_gateway_accept(&s->g), &peer);
    test_talk_close(&s->client);
    test_talk_on(&s->client, &s->g, fd);
}

/* ------------------------------------------------------------------ the client's faults */

static void chunk_errors_cut_the_upstream_message(void **state)
{
    struct scene *s = *state;

    ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    test_hear(&s->origin, "3\r\nabc\r\n");
    test_say(&s->client, "zz\r\nGET /evil HTTP/1.1\r\n\r\n");
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 400 "));
    assert_string_equal(test_hear_end(&s->origin), "");
    test_hear_end(&s->client);
}

static void chunk_errors_after_the_answer_began_cut_it(void **state)
{
    struct scene *s = *state;

    ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    test_hear(&s->client, "hi\r\n");
    test_say(&s->client, "zz\r\n");
    assert_string_equal(test_hear_end(&s->client), "");
    test_hear_end(&s->origin);
}

static void bad_trailers_cut_the_upstream_message(void **state)
{
    struct scene *s = *state;

    ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    test_hear(&s->origin, "3\r\nabc\r\n");
    test_say(&s->client, "0\r\nX Y: 1\r\n\r\n");
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 400 "));
    assert_string_equal(test_hear_end(&s->origin), "");
}

static void a_body_over_the_limit_is_refused(void **state)
{
    struct scene *s = *state;
    const char *text;

    reopen(s, TEST_ROUTE_MORE(",\"max_body\":10"), NULL);
    test_say(&s->client, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello");
    text = test_hear(&s->client, "request id");
    assert_non_null(strstr(text, "HTTP/1.1 413 "));
    assert_non_null(strstr(text, "Connection: close\r\n"));
    test_talk_close(&s->client);
    test_talk_client(&s->client, &s->g);
    ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n");
    test_hear(&s->origin, "9\r\n123456789\r\n");
    test_say(&s->client, "2\r\nxx\r\n0\r\n\r\n");
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 413 "));
    assert_string_equal(test_hear_end(&s->origin), "");
    test_talk_close(&s->origin);
    s->origin.buf = NULL;
    test_talk_close(&s->client);
    test_talk_client(&s->client, &s->g);
    ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1234567890");
    test_say(&s->origin, OK);
    test_hear(&s->client, "hi");
}

static void a_client_that_leaves_cancels_upstream(void **state)
{
    struct scene *s = *state;

    ask(s, GET);
    test_talk_close(&s->client);
    assert_string_equal(test_hear_end(&s->origin), "");
    assert_true(gate_list_empty(&s->g.worker.live));
    test_talk_close(&s->origin);
    test_talk_client(&s->client, &s->g);
    ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nabc");
    test_talk_abort(&s->client);
    test_hear_end(&s->origin);
    test_talk_close(&s->origin);
    test_talk_client(&s->client, &s->g);
    ask(s, GET);
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nhi");
    test_hear(&s->client, "hi");
    test_talk_close(&s->client);
    test_hear_end(&s->origin);
}

static void a_client_that_leaves_while_dialing(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, GET);
    test_gateway_turns(&s->g, 1);
    test_talk_close(&s->client);
    test_gateway_turns(&s->g, 5);
    assert_true(gate_list_empty(&s->g.worker.live));
    assert_true(gate_list_empty(&s->g.worker.links->live));
}

/* The client ends its sending side: with half_close its answer still comes. */
static void half_closed_clients(void **state)
{
    static const char *const edits[] = {"\"half_close\":false", "\"half_close\":true", NULL};
    struct scene *s = *state;

    ask(s, GET);
    shutdown(s->client.fd, SHUT_WR);
    assert_string_equal(test_hear_end(&s->client), "");
    test_hear_end(&s->origin);
    test_talk_close(&s->origin);
    reopen(s, TEST_ROUTE, edits);
    test_say(&s->client, GET);
    test_talk_origin(&s->origin, &s->g);
    shutdown(s->client.fd, SHUT_WR);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, OK);
    assert_non_null(strstr(test_hear(&s->client, "hi"), "Connection: close\r\n"));
    test_hear_end(&s->client);
}

/* Long work in every turn, so that what is ready waits while the loop polls. */
static void on_weary(struct gate_ready *r)
{
    struct scene *s = gate_container_of(r, struct scene, weary);

    gate_loop_tire(&s->g.worker.loop);
    gate_loop_ready(&s->g.worker.loop, r);
}

/* A request that is held already comes before the end of its client's side, whenever that is seen.
 */
static void half_closed_clients_that_pipeline(void **state)
{
    static const char *const edits[] = {"\"half_close\":false", "\"half_close\":true", NULL};
    struct scene *s = *state;

    for (int turns = 0; turns < 8; turns++) {
        reopen(s, TEST_ROUTE, edits);
        ask(s, GET GET);
        gate_ready_init(&s->weary, on_weary);
        gate_loop_ready(&s->g.worker.loop, &s->weary);
        test_say(&s->origin, OK);
        test_gateway_turns(&s->g, turns);
        shutdown(s->client.fd, SHUT_WR);
        test_hear(&s->client, "hi");
        test_hear(&s->origin, "\r\n\r\n");
        gate_ready_cancel(&s->weary);
        test_say(&s->origin, OK);
        test_hear(&s->client, "hi");
        assert_string_equal(test_hear_end(&s->client), "");
        test_talk_close(&s->origin);
    }
}

/* An answer that waits for its client to read it is not lost to the end of the client's side. */
static void half_closed_clients_that_read_late(void **state)
{
    static const char *const edits[] = {"\"half_close\":false", "\"half_close\":true", NULL};
    static const char *const tails[] = {"", "GET /b HT"};
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        reopen(s, TEST_ROUTE, edits);
        ask(s, GET);
        test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
        test_say_pattern(&s->origin, 300000);
        test_gateway_turns(&s->g, 5);
        assert_true(gate_list_empty(&s->g.worker.live));
        test_say(&s->client, tails[i]);
        shutdown(s->client.fd, SHUT_WR);
        test_gateway_turns(&s->g, 5);
        test_hear(&s->client, "\r\n\r\n");
        test_hear_pattern(&s->client, 300000);
        assert_string_equal(test_hear_end(&s->client), "");
        test_talk_close(&s->origin);
    }
}

/* ------------------------------------------------------------------ the upstream's faults */

static void truncated_answers_stay_truncated(void **state)
{
    static const char *const heads[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"};
    struct scene *s = *state;

    for (int i = 0; i < 6; i++) {
        dial_tcp(s);
        ask(s, i < 3 ? GET : "GET /a HTTP/1.0\r\nHost: a\r\n\r\n");
        test_say(&s->origin, heads[i % 3]);
        test_hear(&s->client, "hi");
        if (i % 3 == 2)
            test_say(&s->origin, "zz\r\n");
        test_talk_close(&s->origin);
        assert_null(strstr(test_hear_end(&s->client), "0\r\n\r\n"));
        /* HTTP/1.0 without a length has only the reset to tell it. */
        assert_int_equal(s->client.reset, i >= 4);
    }
}

static void answers_that_are_not_valid(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
        "HTTP/1.1 099 X\r\n\r\n",
    };
    struct scene *s = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ask(s, GET);
        test_say(&s->origin, bad[i]);
        assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 502 "));
        test_hear_end(&s->origin);
        test_talk_close(&s->origin);
    }
}

/* A head larger than a block, where the connection is used to large answers: several blocks are
 * read at once. */
static void heads_over_several_blocks(void **state)
{
    struct scene *s = *state;
    char *text = calloc(1, 70000);
    size_t sizes[] = {15000, 20000, 31000, 32500, 36000, 60000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t n;

        ask(s, GET);
        test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n");
        test_say_pattern(&s->origin, 60000);
        test_hear(&s->client, "\r\n\r\n");
        test_hear_pattern(&s->client, 60000);
        ask(s, GET);
        n = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n");
        for (int k = 0; n < sizes[i] - 1010; k++)
            n += (size_t)sprintf(text + n, "X-%d: %0990d\r\n", k, k);
        n += (size_t)sprintf(text + n, "\r\n");
        assert_int_equal(send(s->origin.fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
        if (n > 32768) {
            assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 502 "));
            test_hear_end(&s->origin);
            test_talk_close(&s->origin);
        } else {
            test_say_pattern(&s->origin, 20000);
            assert_non_null(strstr(test_hear(&s->client, "\r\n\r\n"), "X-1: "));
            test_hear_pattern(&s->client, 20000);
        }
    }
    free(text);
}

/* An answer of the gateway's own whose head no block can hold is a fault, not the end of the
 * worker. */
static void a_head_that_cannot_be_written(void **state)
{
    struct scene *s = *state;
    char *routes = calloc(1, 70000);

    strcpy(routes, "[{\"name\":\"r\",\"host\":\"\",\"path\":\"/"
                   "\",\"methods\":[],\"headers\":[],\"query\":[],\"when\":false,"
                   "\"priority\":0,\"action\":\"reply\",\"reply\":{\"status\":200,\"body\":\"hi\","
                   "\"headers\":[[\"x\",\"");
    memset(routes + strlen(routes), 'v', 45000);
    strcat(routes, "\"]]},\"rewrite\":\"\",\"use\":[],\"timeouts\":{},\"max_body\":-1,\"upgrade\":["
                   "],\"at\":\"t:3\"}]");
    reopen(s, routes, NULL);
    for (int i = 0; i < 2; i++) {
        test_say(&s->client, GET);
        assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 502 "));
        test_hear(&s->client, "\n");
    }
    free(routes);
}

/* ------------------------------------------------------------------ another try */

static void a_dead_kept_connection_is_replaced_for_get(void **state)
{
    struct scene *s = *state;

    ask(s, GET);
    test_say(&s->origin, OK);
    test_hear(&s->client, "hi");
    ask(s, "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: "
           "1\r\n\r\n");
    test_talk_close(&s->origin);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n");
    test_say(&s->origin, OK);
    assert_non_null(strstr(test_hear(&s->client, "hi"), "200 OK"));
}

static void a_dead_kept_connection_is_not_replaced_for_post(void **state)
{
    struct scene *s = *state;

    ask(s, GET);
    test_say(&s->origin, OK);
    test_hear(&s->client, "hi");
    ask(s, POST);
    test_talk_close(&s->origin);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 502 "));
    assert_int_equal(accept(s->g.origin, NULL, NULL), -1);
}

/* Two peers, the first of which refuses. */
static void a_refused_connect_goes_to_another_peer(void **state)
{
    static const char *const edits[] = {
        "\"servers\":[",
        "\"servers\":[{\"address\":\"127.0.0.1:1\",\"weight\":1,\"max_connections\":0,"
        "\"backup\":false,\"zone\":\"\",\"down\":false},",
        NULL};
    struct scene *s = *state;

    reopen(s, TEST_ROUTE, edits);
    for (int i = 0; i < 6; i++) {
        ask(s, i % 2 ? POST : GET);
        test_say(&s->origin, OK);
        assert_non_null(strstr(test_hear(&s->client, "hi"), "200 OK"));
    }
    assert_true(gate_counters_get(&s->g.worker.counters, GATE_C_CONNECT_FAILURES) >= 2);
}

static void the_only_peer_refuses(void **state)
{
    struct scene *s = *state;

    close(s->g.origin);
    for (int i = 0; i < 5; i++) {
        test_say(&s->client, POST);
        assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 502 "));
        test_hear(&s->client, "\n");
    }
    s->g.origin = -1;
    test_hear_nothing(&s->client);
}

/* The server that was not even asked is none of those that others leave alone. */
static void a_lack_of_descriptors_is_not_the_servers(void **state)
{
    struct scene *s = *state;
    struct rlimit before, none;

    test_gateway_turns(&s->g, 3);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    for (int i = 0; i < 5; i++) {
        test_say(&s->client, POST);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        test_hear(&s->client, "HTTP/1.1 502 ");
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        test_hear(&s->client, "request id");
        test_hear(&s->client, "\n");
    }
    assert_int_equal(gate_counters_get(&s->g.worker.counters, GATE_C_CONNECT_FAILURES), 0);
    ask(s, POST);
    test_say(&s->origin, OK);
    assert_non_null(strstr(test_hear(&s->client, "hi"), "200 OK"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(chunk_errors_cut_the_upstream_message),
        CASE(chunk_errors_after_the_answer_began_cut_it),
        CASE(bad_trailers_cut_the_upstream_message),
        CASE(a_body_over_the_limit_is_refused),
        CASE(a_client_that_leaves_cancels_upstream),
        CASE(a_client_that_leaves_while_dialing),
        CASE(half_closed_clients),
        CASE(half_closed_clients_that_pipeline),
        CASE(half_closed_clients_that_read_late),
        CASE(truncated_answers_stay_truncated),
        CASE(answers_that_are_not_valid),
        CASE(heads_over_several_blocks),
        CASE(a_head_that_cannot_be_written),
        CASE(a_dead_kept_connection_is_replaced_for_get),
        CASE(a_dead_kept_connection_is_not_replaced_for_post),
        CASE(a_refused_connect_goes_to_another_peer),
        CASE(the_only_peer_refuses),
        CASE(a_lack_of_descriptors_is_not_the_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
