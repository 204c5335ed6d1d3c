/* covers: session/session_h1.c session/session_body.c session/session_stream.c
 * What an HTTP/1 client may expect of the gateway, end to end in one thread: versions, methods
 * without bodies, pipelining, keep-alive, interim responses, trailers, tunnels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/talk.h"

#define GET "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"

/* A gateway with one client. */
struct scene {
    struct test_gateway g;
    struct test_talk client;
    struct test_talk origin;
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

/* The client says `request`; a new origin connection gets its head. */
static const char *ask(struct scene *s, const char *request)
{
    test_say(&s->client, request);
    if (s->origin.buf == NULL)
        test_talk_origin(&s->origin, &s->g);
    return test_hear(&s->origin, "\r\n\r\n");
}

static const char *answer(struct scene *s, const char *response, const char *until)
{
    test_say(&s->origin, response);
    return test_hear(&s->client, until);
}

/* ------------------------------------------------------------------ versions and methods */

static void http10_closes_after_its_answer(void **state)
{
    struct scene *s = *state;
    const char *head = ask(s, "GET /a HTTP/1.0\r\n\r\n");

    assert_non_null(strstr(head, "GET /a HTTP/1.1\r\n"));
    assert_non_null(strstr(head, "\r\nHost: "));
    head = answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "\r\n\r\nhi");
    assert_non_null(strstr(head, "Content-Length: 2\r\n"));
    assert_non_null(strstr(head, "Connection: close\r\n"));
    assert_string_equal(test_hear_end(&s->client), "");
}

static void http10_may_keep_alive(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        ask(s, "GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
        assert_non_null(
            strstr(answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "\r\n\r\nhi"),
                   "Connection: keep-alive\r\n"));
    }
}

static void http10_gets_chunked_bodies_until_the_end(void **state)
{
    struct scene *s = *state;
    const char *head;

    ask(s, "GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    head = answer(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                  "hello");
    assert_null(strstr(head, "chunked"));
    assert_null(strstr(head, "Content-Length"));
    assert_non_null(strstr(head, "Connection: close\r\n"));
    assert_string_equal(test_hear_end(&s->client), "");
    assert_false(s->client.reset);
}

static void http10_gets_no_interim(void **state)
{
    struct scene *s = *state;

    ask(s, "GET /a HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_null(strstr(answer(s,
                              "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 "
                              "OK\r\nContent-Length: 2\r\n\r\nhi",
                              "hi"),
                       "103"));
}

static void head_has_no_body(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        assert_non_null(
            strstr(ask(s, "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n"), "HEAD /a HTTP/1.1\r\n"));
        assert_non_null(
            strstr(answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "\r\n\r\n"),
                   "Content-Length: 1000\r\n"));
        ask(s, "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_non_null(
            strstr(answer(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n\r\n"),
                   "200 OK"));
    }
    test_hear_nothing(&s->client);
}

static void not_modified_has_no_body(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 3; i++) {
        ask(s, GET);
        assert_non_null(strstr(
            answer(s, "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 1000\r\n\r\n",
                   "\r\n\r\n"),
            "Content-Length: 1000\r\n"));
        ask(s, GET);
        assert_null(
            strstr(answer(s, "HTTP/1.1 204 No Content\r\n\r\n", "\r\n\r\n"), "Content-Length"));
    }
    test_hear_nothing(&s->client);
}

static void a_response_until_the_end_is_chunked(void **state)
{
    struct scene *s = *state;

    ask(s, GET);
    test_say(&s->origin, "HTTP/1.0 200 OK\r\n\r\nhello");
    assert_non_null(
        strstr(test_hear(&s->client, "5\r\nhello\r\n"), "Transfer-Encoding: chunked\r\n"));
    test_talk_close(&s->origin);
    test_hear(&s->client, "0\r\n\r\n");
    ask(s, GET);
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi");
}

/* ------------------------------------------------------------------ keep-alive, pipelining */

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct scene *s = *state;
    char requests[100 * 64];
    char text[128];
    size_t n = 0;

    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(requests + n, sizeof(requests) - n,
                              "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    test_say(&s->client, requests);
    test_talk_origin(&s->origin, &s->g);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "GET /%d HTTP/1.1\r\n", i);
        assert_non_null(strstr(test_hear(&s->origin, "\r\n\r\n"), text));
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%04d", i);
        test_say(&s->origin, text);
        test_hear(&s->client, text + strlen(text) - 8);
    }
    test_hear_nothing(&s->client);
}

static void pipelined_bodies_are_told_apart(void **state)
{
    struct scene *s = *state;

    test_say(
        &s->client,
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n"
        "\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\nabc");
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", "\r\n\r\n1");
    test_hear(&s->origin, "3\r\ndef\r\n0\r\n\r\n");
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2", "\r\n\r\n2");
    test_hear(&s->origin, "\r\n\r\n");
    assert_non_null(strstr(answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3", "\r\n\r\n3"),
                           "Connection: close\r\n"));
    test_hear_end(&s->client);
}

/* Answers that nobody reads do not gather without end. */
/* The first line of a head is judged before the rest is there, that of each request. */
static void lines_are_judged_early(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, "GET /a HTTP/1.1\r\n");
    test_gateway_turns(&s->g, 3);
    ask(s, "Host: a\r\n\r\nGET /a HTTP/2.0\r\n");
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi");
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 505 "));
}

static void one_empty_line_comes_before_a_request(void **state)
{
    struct scene *s = *state;

    ask(s, "\r\n" GET);
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi");
    test_say(&s->client, "\r\n");
    test_gateway_turns(&s->g, 3);
    test_say(&s->client, "\r\n" GET);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 400 "));
}

static void another_line_before_a_request_is_none(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, "G\n" GET);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 400 "));
}

static void unread_answers_stop_the_pipeline(void **state)
{
    static const char one[] = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
    struct scene *s = *state;
    char many[100 * sizeof(one)] = "";
    size_t limit = 4u << 20;
    size_t said = 0;
    int blocked = 0;

    for (int i = 0; i < 100; i++)
        memcpy(many + (size_t)i * (sizeof(one) - 1), one, sizeof(one));
    while (blocked < 50 && said < limit) {
        size_t at = said % (100 * (sizeof(one) - 1));
        ssize_t n = send(s->client.fd, many + at, strlen(many) - at, MSG_NOSIGNAL);

        said += n > 0 ? (size_t)n : 0;
        blocked = n > 0 ? 0 : blocked + 1;
        test_gateway_turns(&s->g, 4);
    }
    assert_true(said < limit);
    assert_true(s->g.worker.loop.blocks.live_bytes < 1u << 20);
    test_say(&s->client, "");
    for (int i = 0; i < 1000; i++)
        test_hear(&s->client, "HTTP/1.1 200 OK\r\n");
}

static void upstream_connections_are_reused(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 5; i++) {
        ask(s, "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi");
        test_hear_end(&s->client);
        test_talk_close(&s->client);
        test_talk_client(&s->client, &s->g);
    }
    test_hear_nothing(&s->origin);
}

static void upstream_close_is_respected(void **state)
{
    struct scene *s = *state;

    ask(s, GET);
    assert_null(strstr(
        answer(s, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", "hi"),
        "Connection:"));
    assert_string_equal(test_hear_end(&s->origin), "");
    test_talk_close(&s->origin);
    ask(s, GET);
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi");
}

static void extra_bytes_close_the_upstream_connection(void **state)
{
    struct scene *s = *state;

    ask(s, GET);
    answer(s,
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: "
           "4\r\n\r\nevil",
           "hi");
    assert_string_equal(test_hear_end(&s->origin), "");
    test_talk_close(&s->origin);
    ask(s, GET);
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
    test_hear_end(&s->origin);
    test_hear_nothing(&s->client);
}

/* A response that fills a read to its last byte, and more behind it in the same read. */
static void extra_bytes_behind_a_full_block(void **state)
{
    struct scene *s = *state;
    char *bytes = calloc(1, 70000);
    const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n";
    size_t n;

    for (int pass = 0; pass < 2; pass++) {
        ask(s, GET);
        n = strlen(head);
        memcpy(bytes, head, n);
        memset(bytes + n, 'x', 60000);
        if (pass == 1) {
            /* The next read offers several blocks: the message ends with the first of them. */
            n = (size_t)snprintf(bytes, 200,
                                 "HTTP/1.1 200 OK\r\nContent-Length: 16326\r\nX-Pad: ppp\r\n\r\n");
            memset(bytes + n, 'x', 16384 - n);
            snprintf(bytes, n + 1, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX-Pad: ppp\r\n\r",
                     16384 - n);
            bytes[n - 1] = '\n';
            n = 16384;
            strcpy(bytes + n, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            n += strlen(bytes + n);
        } else {
            n += 60000;
        }
        assert_int_equal(send(s->origin.fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
        test_hear(&s->client, "\r\n\r\n");
        test_hear(&s->client, "xxxxxxxx");
        test_gateway_turns(&s->g, 20);
    }
    free(bytes);
    test_hear_end(&s->origin);
}

static void an_empty_upload_ends(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        assert_non_null(strstr(ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
                               "Content-Length: 0\r\n"));
        assert_null(strstr(answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"),
                           "Connection: close"));
        ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        test_hear(&s->origin, "0\r\n\r\n");
        assert_null(strstr(answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "\r\n\r\n"),
                           "Connection: close"));
    }
}

/* ------------------------------------------------------------------ expect, interim, trailers */

static void continue_is_said_when_the_body_is_wanted(void **state)
{
    struct scene *s = *state;

    assert_null(strstr(
        ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"),
        "Expect"));
    assert_string_equal(test_hear(&s->client, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    test_say(&s->client, "abc");
    test_hear(&s->origin, "abc");
    assert_null(strstr(answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"),
                       "Connection: close"));
}

static void no_continue_for_a_body_that_is_there(void **state)
{
    struct scene *s = *state;

    ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
    test_hear(&s->origin, "abc");
    assert_null(strstr(answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"), "100"));
}

static void no_continue_before_an_early_answer(void **state)
{
    struct scene *s = *state;
    const char *text;

    test_gateway_close(&s->g);
    test_talk_close(&s->client);
    test_gateway_open(&s->g, TEST_ROUTE_MORE(",\"max_body\":10"));
    test_talk_client(&s->client, &s->g);
    test_say(&s->client,
             "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
    text = test_hear(&s->client, "request id");
    assert_non_null(strstr(text, "HTTP/1.1 413 "));
    assert_null(strstr(text, "HTTP/1.1 100"));
    assert_non_null(strstr(text, "Connection: close\r\n"));
    test_hear_end(&s->client);
}

static void interim_responses_pass(void **state)
{
    struct scene *s = *state;

    ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert_string_equal(
        answer(s,
               "HTTP/1.1 100 Continue\r\n\r\n"
               "HTTP/1.1 103 Early Hints\r\nConnection: X-Hop\r\nX-Hop: 1\r\nLink: </x>\r\n\r\n",
               "\r\n\r\n"),
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    assert_non_null(strstr(answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"),
                           "HTTP/1.1 200 OK"));
}

static void too_many_interim_responses(void **state)
{
    struct scene *s = *state;
    const char *text;

    ask(s, GET);
    for (int i = 0; i < 8; i++)
        answer(s, "HTTP/1.1 103 Early Hints\r\n\r\n", "\r\n\r\n");
    text = answer(s, "HTTP/1.1 103 Early Hints\r\n\r\n", "request id");
    assert_non_null(strstr(text, "HTTP/1.1 502 "));
    test_hear_end(&s->origin);
}

static void trailers_pass_both_ways(void **state)
{
    struct scene *s = *state;

    ask(s, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
           "chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n");
    assert_string_equal(test_hear(&s->origin, "0\r\nX-Sum: 1\r\n\r\n"),
                        "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
    test_say(&s->origin,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-S");
    test_gateway_turns(&s->g, 5);
    test_say(&s->origin, "um: 2\r\n\r\n");
    test_hear(&s->client, "2\r\nhi\r\n0\r\nX-Sum: 2\r\n\r\n");
    ask(s, GET);
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi");
}

/* ------------------------------------------------------------------ tunnels */

#define UPGRADE "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
#define SWITCH                                                                                     \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"

/* Even where all of the body is there: what was refused ends the connection. */
static void what_is_too_large_closes(void **state)
{
    struct scene *s = *state;

    test_talk_close(&s->client);
    test_gateway_turns(&s->g, 3);
    test_gateway_close(&s->g);
    test_gateway_open(&s->g, TEST_ROUTE_MORE(",\"max_body\":3"));
    test_talk_client(&s->client, &s->g);
    test_say(&s->client, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" GET);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "Connection: close\r\n"));
    assert_null(strstr(test_hear_end(&s->client), "HTTP/1.1"));
}

#define UPLOAD                                                                                     \
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"

static void say_trailers(struct test_talk *t, int n)
{
    for (int i = 0; i < n; i++)
        test_say(t, "X-T: 1\r\n");
    test_say(t, "\r\n");
}

static void too_many_trailers(void **state)
{
    struct scene *s = *state;

    ask(s, UPLOAD);
    say_trailers(&s->client, 101);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 431 "));
    assert_null(strstr(test_hear_end(&s->origin), "0\r\n"));
}

static void trailers_that_are_too_large(void **state)
{
    struct scene *s = *state;
    char line[1000];

    memset(line, 'x', sizeof(line));
    memcpy(line, "X-T: ", 5);
    memcpy(line + sizeof(line) - 3, "\r\n", 3);
    ask(s, UPLOAD);
    for (int i = 0; i < 42; i++)
        test_say(&s->client, line);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 431 "));
    assert_null(strstr(test_hear_end(&s->origin), "0\r\n"));
}

static void too_many_trailers_of_an_answer(void **state)
{
    struct scene *s = *state;

    ask(s, GET);
    answer(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", "hi\r\n");
    say_trailers(&s->origin, 101);
    assert_null(strstr(test_hear_end(&s->client), "0\r\n"));
}

static void tunnels_carry_bytes_both_ways(void **state)
{
    struct scene *s = *state;
    const char *head = ask(s, UPGRADE "early");

    assert_non_null(strstr(head, "Connection: upgrade\r\n"));
    assert_non_null(strstr(head, "Upgrade: websocket\r\n"));
    head = answer(s, SWITCH "first", "\r\n\r\n");
    assert_non_null(strstr(head, "HTTP/1.1 101 "));
    assert_non_null(strstr(head, "Upgrade: websocket\r\n"));
    test_hear(&s->client, "first");
    test_hear(&s->origin, "early");
    for (int i = 0; i < 5; i++) {
        test_say(&s->client, "ping");
        test_hear(&s->origin, "ping");
        test_say(&s->origin, "pong");
        test_hear(&s->client, "pong");
    }
    shutdown(s->client.fd, SHUT_WR);
    test_hear_end(&s->origin);
    test_say(&s->origin, "last");
    test_hear(&s->client, "last");
    test_talk_close(&s->origin);
    test_hear_end(&s->client);
}

/* Bytes of the tunnel that come after the head but before the answer. */
static void tunnels_keep_what_came_early(void **state)
{
    struct scene *s = *state;

    ask(s, UPGRADE);
    test_say(&s->client, "early");
    test_gateway_turns(&s->g, 5);
    answer(s, SWITCH, "\r\n\r\n");
    test_hear(&s->origin, "early");
    test_talk_abort(&s->origin);
    test_hear_end(&s->client);
}

static void a_refused_upgrade_is_an_answer(void **state)
{
    struct scene *s = *state;

    ask(s, UPGRADE);
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi");
    ask(s, GET);
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi");
}

/* A switch is said by both fields, in HTTP/1.1. */
static void half_a_switch_is_refused(void **state)
{
    static const char *const halves[] = {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.0 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    };
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        ask(s, UPGRADE);
        assert_non_null(strstr(answer(s, halves[i], "request id"), "HTTP/1.1 502 "));
        test_hear_end(&s->origin);
        test_talk_close(&s->origin);
    }
}

static void unasked_switch_is_refused(void **state)
{
    struct scene *s = *state;

    ask(s, GET);
    assert_non_null(strstr(answer(s, SWITCH, "request id"), "HTTP/1.1 502 "));
    test_hear_end(&s->origin);
    test_talk_close(&s->origin);
    assert_null(
        strstr(ask(s, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
               "pgrade"));
    assert_non_null(strstr(answer(s, SWITCH, "request id"), "HTTP/1.1 502 "));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(http10_closes_after_its_answer),
        CASE(http10_may_keep_alive),
        CASE(http10_gets_chunked_bodies_until_the_end),
        CASE(http10_gets_no_interim),
        CASE(head_has_no_body),
        CASE(not_modified_has_no_body),
        CASE(a_response_until_the_end_is_chunked),
        CASE(pipelined_requests_are_answered_in_order),
        CASE(pipelined_bodies_are_told_apart),
        CASE(lines_are_judged_early),
        CASE(one_empty_line_comes_before_a_request),
        CASE(another_line_before_a_request_is_none),
        CASE(unread_answers_stop_the_pipeline),
        CASE(upstream_connections_are_reused),
        CASE(upstream_close_is_respected),
        CASE(extra_bytes_close_the_upstream_connection),
        CASE(extra_bytes_behind_a_full_block),
        CASE(an_empty_upload_ends),
        CASE(continue_is_said_when_the_body_is_wanted),
        CASE(no_continue_for_a_body_that_is_there),
        CASE(no_continue_before_an_early_answer),
        CASE(interim_responses_pass),
        CASE(too_many_interim_responses),
        CASE(trailers_pass_both_ways),
        CASE(what_is_too_large_closes),
        CASE(too_many_trailers),
        CASE(trailers_that_are_too_large),
        CASE(too_many_trailers_of_an_answer),
        CASE(tunnels_carry_bytes_both_ways),
        CASE(tunnels_keep_what_came_early),
        CASE(a_refused_upgrade_is_an_answer),
        CASE(half_a_switch_is_refused),
        CASE(unasked_switch_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
