/* Sessions over HTTP/2: frames by hand on one side, an HTTP/1 origin by hand on the other. What the
 * codec alone decides is tested in http/test_h2.c. */
/* covers: session/session_h2_request.c session/session_h2_clock.c */
#include <errno.h>
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

#include "h2_scene.h"

/* ------------------------------------------------------------------ talking */

static void get(struct scene *s, uint32_t id, const char *path)
{
    test_h2_request(&s->say, id, TEST_H2_END, "GET", path, NULL);
}

static void expect_closed(struct scene *s, enum gate_close_reason why)
{
    const _Atomic uint64_t *n = &s->g.worker.counters.closes[why];

    for (int i = 0; i < 5000 && s->g.worker.sessions > 0; i++) {
        test_gateway_turns(&s->g, 1);
        hear(s);
        if (s->client.eof)
            shutdown(s->client.fd, SHUT_WR);
    }
    hear(s);
    assert_int_equal(s->g.worker.sessions, 0);
    assert_int_equal(atomic_load(n), 1);
}

/* ------------------------------------------------------------------ exchanges */

static void a_request_goes_up_as_http1(void **state)
{
    struct scene *s = *state;
    const char *up;

    get(s, 1, "/a?b=c");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    up = test_hear(&s->origin, "\r\n\r\n");
    assert_ptr_equal(strstr(up, "GET /a?b=c HTTP/1.1\r\n"), up);
    assert_non_null(strstr(up, "\r\nHost: example.test\r\n"));
    assert_non_null(strstr(up, "\r\nVia: 2.0 moongate\r\n"));
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: keep-alive\r\n"
                         "Content-Length: 2\r\n\r\nhi");
    assert_non_null(strstr(answer_of(s, 1)->head, ":status: 200\nx-a: 1\n"));
    assert_null(strstr(answer_of(s, 1)->head, "connection"));
    assert_string_equal(answer_of(s, 1)->body, "hi");
}

static void byte_by_byte(void **state)
{
    struct scene *s = *state;
    struct test_h2_out all = {0};

    get(s, 1, "/");
    test_h2_put(&all, s->say.p, s->say.n);
    for (size_t i = 0; i < all.n; i++) {
        s->say.n = 0;
        test_h2_put(&s->say, all.p + i, 1);
        say(s);
    }
    test_h2_clear(&all);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_non_null(strstr(answer_of(s, 1)->head, ":status: 204\n"));
}

static void http1_is_still_spoken(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    test_hear(&s->client, "HTTP/1.1 200 OK");
    test_hear(&s->client, "\r\n\r\n");
    /* The preface is one only at the beginning. */
    test_say(&s->client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    test_hear(&s->client, "HTTP/1.1 505 ");
}

static void only_where_it_is_switched_on(void **state)
{
    struct scene *s = *state;

    test_talk_close(&s->client);
    test_gateway_turns(&s->g, 3);
    test_gateway_close(&s->g);
    test_gateway_open(&s->g, TEST_ROUTE);
    test_talk_client(&s->client, &s->g);
    test_say(&s->client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    test_hear(&s->client, "HTTP/1.1 505 ");
}

static void a_body_goes_up_and_down_with_trailers(void **state)
{
    static const char *const trailers[] = {"x-sum", "1", NULL};
    struct scene *s = *state;

    test_h2_request(&s->say, 1, 0, "POST", "/", NULL);
    test_h2_frame(&s->say, TEST_H2_DATA, 0, 1, "hello", 5);
    test_h2_headers(&s->say, 1, TEST_H2_END, trailers);
    say(s);
    test_talk_origin(&s->origin, &s->g);
    assert_non_null(strstr(test_hear(&s->origin, "\r\n\r\n"), "Transfer-Encoding: chunked"));
    test_hear(&s->origin, "5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n0\r\nX-Sum: 2\r\n\r\n");
    assert_string_equal(answer_of(s, 1)->body, "abc");
    assert_ptr_equal(strstr(answer_of(s, 1)->head, ":status: 103\nlink: a\n:status: 200\n"),
                     answer_of(s, 1)->head);
    assert_non_null(strstr(answer_of(s, 1)->head, "\nx-sum: 2\n"));
}

static void a_continue_is_sent_when_the_body_is_wanted(void **state)
{
    static const char *const expect[] = {"expect", "100-continue", NULL};
    struct scene *s = *state;

    test_h2_request(&s->say, 1, 0, "POST", "/", expect);
    say(s);
    assert_string_equal(test_h2_stream(&s->heard, 1)->head, ":status: 100\n");
    test_h2_frame(&s->say, TEST_H2_DATA, TEST_H2_END, 1, "x", 1);
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "1\r\nx\r\n0\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    answer_of(s, 1);
}

static void head_has_a_length_and_no_body(void **state)
{
    struct scene *s = *state;

    test_h2_request(&s->say, 1, TEST_H2_END, "HEAD", "/", NULL);
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    assert_non_null(strstr(answer_of(s, 1)->head, "content-length: 10\n"));
    assert_int_equal(answer_of(s, 1)->n, 0);
}

static void streams_do_not_wait_for_each_other(void **state)
{
    struct scene *s = *state;
    struct test_talk second;

    get(s, 1, "/slow");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    get(s, 3, "/fast");
    say(s);
    test_talk_origin(&second, &s->g);
    test_hear(&second, "GET /fast ");
    test_say(&second, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfast");
    assert_string_equal(answer_of(s, 3)->body, "fast");
    assert_false(test_h2_stream(&s->heard, 1)->ended);
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
    assert_string_equal(answer_of(s, 1)->body, "slow");
    test_talk_close(&second);
}

static void refusals_are_answered_and_the_connection_lives(void **state)
{
    static const char *const fields[] = {":method", "GET",          ":scheme", "http",
                                         ":authority", "a@b",       ":path",   "/",
                                         NULL};
    struct scene *s = *state;

    test_h2_headers(&s->say, 1, TEST_H2_END, fields);
    say(s);
    assert_non_null(strstr(answer_of(s, 1)->head, ":status: 400\n"));
    get(s, 3, "/");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_say(&s->origin, "HTTP/1.1 204 No Content\r\n\r\n");
    answer_of(s, 3);
}

/* ------------------------------------------------------------------ breaks */

static void a_cancelled_stream_reaches_the_upstream(void **state)
{
    struct scene *s = *state;

    get(s, 1, "/");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_h2_number(&s->say, TEST_H2_RST, 1, 8);
    say(s);
    test_hear_end(&s->origin);
    assert_true(gate_list_empty(&s->g.worker.live));
    assert_int_equal(s->g.worker.sessions, 1);
}

static void truncated_answers_are_seen_to_be(void **state)
{
    struct scene *s = *state;

    get(s, 1, "/");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    test_talk_close(&s->origin);
    await(s, &test_h2_stream(&s->heard, 1)->reset);
    assert_int_equal(test_h2_stream(&s->heard, 1)->code, 2);
    assert_string_equal(test_h2_stream(&s->heard, 1)->body, "half");
    assert_false(test_h2_stream(&s->heard, 1)->ended);
}

/* A body that breaks the protocol leaves an incomplete message upstream. */
static void a_broken_body_is_cut_upstream(void **state)
{
    static const char *const length[] = {"content-length", "10", NULL};
    struct scene *s = *state;

    test_h2_request(&s->say, 1, 0, "POST", "/", length);
    test_h2_frame(&s->say, TEST_H2_DATA, 0, 1, "half", 4);
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "half");
    test_h2_frame(&s->say, TEST_H2_DATA, TEST_H2_END, 1, "x", 1);
    say(s);
    assert_true(strlen(test_hear_end(&s->origin)) <= 1);
    assert_true(test_h2_stream(&s->heard, 1)->reset);
}

/* The connection ends while dials are under way and the rest waits. */
static void a_client_that_leaves_with_many_streams(void **state)
{
    struct scene *s = *state;

    for (uint32_t i = 0; i < 100; i++)
        test_h2_request(&s->say, 1 + 2 * i, 0, "POST", "/", NULL);
    assert_int_equal(send(s->client.fd, s->say.p, s->say.n, 0), s->say.n);
    s->say.n = 0;
    test_gateway_turns(&s->g, 1);
    test_talk_close(&s->client);
    test_gateway_turns(&s->g, 20);
    assert_true(gate_list_empty(&s->g.worker.live));
    assert_int_equal(s->g.worker.sessions, 0);
}

static void floods_close_the_connection(void **state)
{
    struct scene *s = *state;

    for (uint32_t i = 0; i < 150; i++) {
        get(s, 1 + 2 * i, "/");
        test_h2_number(&s->say, TEST_H2_RST, 1 + 2 * i, 8);
    }
    say(s);
    assert_true(s->heard.goaway);
    assert_int_equal(s->heard.code, 11);
    expect_closed(s, GATE_CLOSE_HTTP2_FLOOD);
}

static void errors_close_the_connection(void **state)
{
    struct scene *s = *state;

    get(s, 2, "/"); /* an even stream */
    say(s);
    assert_int_equal(s->heard.code, 1);
    expect_closed(s, GATE_CLOSE_HTTP2_ERROR);
}

/* At once, though the client stays for our last words. */
static void an_error_ends_what_is_under_way(void **state)
{
    struct scene *s = *state;

    test_h2_request(&s->say, 1, 0, "POST", "/", NULL);
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    get(s, 2, "/");
    say(s);
    assert_true(s->heard.goaway);
    assert_true(gate_list_empty(&s->g.worker.live));
    assert_int_equal(s->g.worker.sessions, 1);
    test_hear_end(&s->origin);
    expect_closed(s, GATE_CLOSE_HTTP2_ERROR);
}

/* ------------------------------------------------------------------ time */

static void the_greeting_comes_in_time(void **state)
{
    struct scene *s = *state;

    s->say.n = 24; /* the preface alone */
    say(s);
    test_gateway_pass(&s->g, 9000);
    assert_int_equal(s->g.worker.sessions, 1);
    test_gateway_pass(&s->g, 2000);
    hear(s);
    assert_int_equal(s->heard.code, 4);
    expect_closed(s, GATE_CLOSE_HEADER_TIMEOUT);
}

static void a_head_comes_in_time(void **state)
{
    struct scene *s = *state;

    say(s);
    test_gateway_pass(&s->g, 20000);
    test_h2_frame(&s->say, TEST_H2_HEADERS, TEST_H2_END, 1, "\0\007:method\003GET", 13);
    say(s);
    test_gateway_pass(&s->g, 9000);
    assert_int_equal(s->g.worker.sessions, 1);
    test_gateway_pass(&s->g, 2000);
    expect_closed(s, GATE_CLOSE_HEADER_TIMEOUT);
}

static void idle_connections_end_in_order(void **state)
{
    struct scene *s = *state;

    say(s);
    test_gateway_pass(&s->g, 30000);
    test_h2_frame(&s->say, TEST_H2_PING, 0, 0, "12345678", 8); /* is no use */
    say(s);
    test_gateway_pass(&s->g, 29000);
    assert_int_equal(s->g.worker.sessions, 1);
    test_gateway_pass(&s->g, 2000);
    hear(s);
    assert_true(s->heard.goaway);
    assert_int_equal(s->heard.code, 0);
    expect_closed(s, GATE_CLOSE_IDLE_TIMEOUT);
}

static void slow_bodies_are_answered(void **state)
{
    struct scene *s = *state;

    test_h2_request(&s->say, 1, 0, "POST", "/", NULL);
    test_h2_frame(&s->say, TEST_H2_DATA, 0, 1, "hello", 5);
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_gateway_pass(&s->g, 12000);
    hear(s);
    assert_non_null(strstr(answer_of(s, 1)->head, ":status: 408\n"));
    assert_int_equal(s->g.worker.sessions, 1);
}

static void an_answer_that_is_not_taken_is_reset(void **state)
{
    struct scene *s = *state;

    get(s, 1, "/");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    test_say_pattern(&s->origin, 100000);
    say(s);
    assert_int_equal(test_h2_stream(&s->heard, 1)->n, 65535);
    test_gateway_pass(&s->g, 29000);
    hear(s);
    assert_false(test_h2_stream(&s->heard, 1)->reset);
    test_gateway_pass(&s->g, 3000);
    hear(s);
    assert_true(test_h2_stream(&s->heard, 1)->reset);
    assert_int_equal(s->g.worker.sessions, 1);
}

static void early_answers_stop_the_upload(void **state)
{
    struct scene *s = *state;

    test_h2_request(&s->say, 1, 0, "POST", "/", NULL);
    test_h2_frame(&s->say, TEST_H2_DATA, 0, 1, "part", 4);
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "part");
    test_say(&s->origin, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    assert_string_equal(answer_of(s, 1)->body, "no");
    assert_false(test_h2_stream(&s->heard, 1)->reset);
    test_gateway_pass(&s->g, 2000);
    hear(s);
    assert_true(test_h2_stream(&s->heard, 1)->reset);
    assert_int_equal(test_h2_stream(&s->heard, 1)->code, 0);
}

/* The end of an answer without body waits for that of the request, but not for ever. */
static void an_early_end_comes_in_time(void **state)
{
    struct scene *s = *state;

    test_h2_request(&s->say, 1, 0, "POST", "/", NULL);
    test_h2_frame(&s->say, TEST_H2_DATA, 0, 1, "part", 4);
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "part");
    test_say(&s->origin, "HTTP/1.1 204 No Content\r\n\r\n");
    for (int i = 0; i < 5000 && s->heard.n_streams == 0; i++)
        say(s);
    assert_non_null(strstr(test_h2_stream(&s->heard, 1)->head, ":status: 204\n"));
    assert_false(test_h2_stream(&s->heard, 1)->ended);
    test_gateway_pass(&s->g, 2000);
    hear(s);
    assert_true(test_h2_stream(&s->heard, 1)->ended);
}

/* ------------------------------------------------------------------ drain */

static void draining_says_so_twice(void **state)
{
    struct scene *s = *state;

    get(s, 1, "/");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    s->g.worker.draining = true;
    gate_session_drain(&s->g.worker, 1000);
    say(s);
    assert_int_equal(s->heard.goaways, 1);
    assert_int_equal(s->heard.last_id, 0x7fffffff);
    test_h2_frame(&s->say, TEST_H2_PING, TEST_H2_ACK, 0, s->heard.ping, 8);
    say(s);
    assert_int_equal(s->heard.goaways, 2);
    assert_int_equal(s->heard.last_id, 1);
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_string_equal(answer_of(s, 1)->body, "hi");
    expect_closed(s, GATE_CLOSE_DRAIN);
}

static void draining_does_not_wait_for_a_pong(void **state)
{
    struct scene *s = *state;

    say(s);
    s->g.worker.draining = true;
    gate_session_drain(&s->g.worker, 1000);
    say(s);
    assert_int_equal(s->heard.goaways, 1);
    test_gateway_pass(&s->g, 2000);
    hear(s);
    assert_int_equal(s->heard.goaways, 2);
    expect_closed(s, GATE_CLOSE_DRAIN);
}

/* Descriptors have run out: who only idles goes, who is busy hears nothing of it. */
static void room_is_made_by_those_who_idle(void **state)
{
    struct scene *s = *state;

    get(s, 1, "/");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    gate_session_make_room(&s->g.worker);
    test_gateway_pass(&s->g, 3000);
    say(s);
    assert_int_equal(s->heard.goaways, 0);
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_string_equal(answer_of(s, 1)->body, "hi");
    gate_session_make_room(&s->g.worker);
    say(s);
    assert_int_equal(s->heard.goaways, 1);
    assert_int_equal(s->heard.last_id, 1);
    expect_closed(s, GATE_CLOSE_IDLE_TIMEOUT);
}

/* Numbers of streams are not endless. */
static void a_connection_has_a_lifetime(void **state)
{
    struct scene *s = *state;
    struct gate_list *n = s->g.worker.session_list.next;

    say(s);
    gate_container_of(n, struct gate_session, node)->h2->h2.begun = GATE_H2_LIFETIME - 1;
    get(s, 1, "/");
    say(s);
    assert_int_equal(s->heard.goaways, 1);
    assert_int_equal(s->heard.code, 0);
    test_h2_frame(&s->say, TEST_H2_PING, TEST_H2_ACK, 0, s->heard.ping, 8);
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_say(&s->origin, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_non_null(strstr(answer_of(s, 1)->head, ":status: 204\n"));
    expect_closed(s, GATE_CLOSE_ASKED);
}

static void cut_ends_the_streams_of_a_generation(void **state)
{
    struct scene *s = *state;

    get(s, 1, "/");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    gate_session_cut(&s->g.worker, &s->g.seat);
    test_hear_end(&s->origin);
    await(s, &test_h2_stream(&s->heard, 1)->reset);
    assert_int_equal(s->g.worker.sessions, 1);
}

/* ------------------------------------------------------------------ unkind connections */

static void wrap(struct scene *s, struct gate_fault_plan plan)
{
    struct gate_list *n = s->g.worker.session_list.next;

    s->plan = plan;
    gate_conn_fault_wrap(&gate_container_of(n, struct gate_session, node)->conn, &s->plan);
}

/* Reads and writes of a byte, and a block after each. */
static void through_single_bytes(void **state)
{
    wrap(*state, (struct gate_fault_plan){.max_bytes = 1, .again_after_each = true});
    a_request_goes_up_as_http1(state);
}

/* Two requests while call k on the connection fails; nothing is left over, whichever it is. Returns
 * whether k was reached. */
static bool fail_at(uint32_t k, int error)
{
    struct scene *s;
    void *state;
    bool reached;

    open_scene(&state);
    s = state;
    wrap(s, (struct gate_fault_plan){
                .max_bytes = 50, .again_after_each = true, .fail_at = k, .fail_errno = error});
    get(s, 1, "/");
    test_h2_request(&s->say, 3, 0, "POST", "/", NULL);
    test_h2_frame(&s->say, TEST_H2_DATA, TEST_H2_END, 3, "hello", 5);
    say(s);
    for (int i = 0; i < 2 && s->g.worker.sessions > 0; i++) {
        test_talk_origin(&s->origin, &s->g);
        test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        say(s);
        test_talk_close(&s->origin);
    }
    test_talk_close(&s->client);
    test_gateway_turns(&s->g, 20);
    assert_int_equal(s->g.worker.sessions, 0);
    assert_true(gate_list_empty(&s->g.worker.live));
    reached = s->plan.calls >= k;
    close_scene(&state);
    return reached;
}

static void every_call_may_fail(void **state)
{
    static const int errors[] = {ECONNRESET, EPIPE, EIO};

    (void)state;
    for (int i = 0; i < 3; i++) {
        uint32_t k = 1;

        while (k < 200 && fail_at(k, errors[i]))
            k++;
        assert_in_range(k, 10, 199);
    }
}

/* ------------------------------------------------------------------ memory */

static void idle_connections_hold_no_block(void **state)
{
    struct scene *s = *state;

    get(s, 1, "/");
    say(s);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    answer_of(s, 1);
    test_gateway_turns(&s->g, 5);
    assert_int_equal(s->g.worker.loop.blocks.live, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_request_goes_up_as_http1),
        CASE(byte_by_byte),
        CASE(http1_is_still_spoken),
        CASE(only_where_it_is_switched_on),
        CASE(a_body_goes_up_and_down_with_trailers),
        CASE(a_continue_is_sent_when_the_body_is_wanted),
        CASE(head_has_a_length_and_no_body),
        CASE(streams_do_not_wait_for_each_other),
        CASE(refusals_are_answered_and_the_connection_lives),
        CASE(a_cancelled_stream_reaches_the_upstream),
        CASE(truncated_answers_are_seen_to_be),
        CASE(a_broken_body_is_cut_upstream),
        CASE(a_client_that_leaves_with_many_streams),
        CASE(floods_close_the_connection),
        CASE(errors_close_the_connection),
        CASE(an_error_ends_what_is_under_way),
        CASE(the_greeting_comes_in_time),
        CASE(a_head_comes_in_time),
        CASE(idle_connections_end_in_order),
        CASE(slow_bodies_are_answered),
        CASE(an_answer_that_is_not_taken_is_reset),
        CASE(early_answers_stop_the_upload),
        CASE(an_early_end_comes_in_time),
        CASE(draining_says_so_twice),
        CASE(draining_does_not_wait_for_a_pong),
        CASE(room_is_made_by_those_who_idle),
        CASE(a_connection_has_a_lifetime),
        CASE(cut_ends_the_streams_of_a_generation),
        CASE(through_single_bytes),
        cmocka_unit_test(every_call_may_fail),
        CASE(idle_connections_hold_no_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
