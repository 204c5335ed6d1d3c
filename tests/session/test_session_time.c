/* Clocks of a session and of its upstream, moved by the test and never waited for: heads, bodies,
 * idle connections, readers that stall, upstreams that are silent. */
#include <errno.h>
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
#include "session/session_int.h"

#define GET "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"

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

static uint64_t closed_for(struct scene *s, enum gate_close_reason why)
{
    return atomic_load(&s->g.worker.counters.closes[why]);
}

/* ------------------------------------------------------------------ the client */

static void a_head_that_drips_is_refused(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, "GET /a HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 9; i++) {
        test_gateway_pass(&s->g, 1000);
        test_say(&s->client, "X-Drip: 1\r\n");
        test_hear_nothing(&s->client);
    }
    test_gateway_pass(&s->g, 1100);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 408 "));
    test_hear_end(&s->client);
    shutdown(s->client.fd, SHUT_WR);
    test_gateway_turns(&s->g, 3);
    assert_int_equal(closed_for(s, GATE_CLOSE_HEADER_TIMEOUT), 1);
}

static void an_idle_connection_ends(void **state)
{
    struct scene *s = *state;

    test_gateway_pass(&s->g, 58000);
    test_hear_nothing(&s->client);
    test_gateway_pass(&s->g, 2100);
    assert_string_equal(test_hear_end(&s->client), "");
    assert_int_equal(closed_for(s, GATE_CLOSE_IDLE_TIMEOUT), 1);
}

static void idle_time_begins_with_the_answer(void **state)
{
    struct scene *s = *state;

    test_gateway_pass(&s->g, 50000);
    test_say(&s->client, GET);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_gateway_pass(&s->g, 30000);
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    test_hear(&s->client, "hi");
    test_gateway_pass(&s->g, 59000);
    test_hear_nothing(&s->client);
    test_gateway_pass(&s->g, 2000);
    test_hear_end(&s->client);
}

static void begin_upload(struct scene *s, const char *length)
{
    char text[128];

    snprintf(text, sizeof(text), "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n",
             length);
    test_say(&s->client, text);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
}

static void a_body_that_stops_is_refused(void **state)
{
    struct scene *s = *state;

    begin_upload(s, "100");
    test_say(&s->client, "x");
    test_hear(&s->origin, "x");
    test_gateway_pass(&s->g, 9000);
    test_hear_nothing(&s->client);
    test_gateway_pass(&s->g, 2000);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 408 "));
    test_hear_end(&s->client);
    assert_string_equal(test_hear_end(&s->origin), ""); /* incomplete: never the 100 bytes */
    test_gateway_pass(&s->g, 2000);
    assert_int_equal(closed_for(s, GATE_CLOSE_BODY_TIMEOUT), 1);
}

static void a_slow_body_survives(void **state)
{
    struct scene *s = *state;
    char kb[1025];

    memset(kb, 'x', 1024);
    kb[1024] = '\0';
    begin_upload(s, "71680");
    for (int i = 0; i < 70; i++) {
        test_gateway_pass(&s->g, 1000);
        test_say(&s->client, kb);
        test_hear(&s->origin, kb);
    }
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_non_null(strstr(test_hear(&s->client, "hi"), "200 OK"));
}

/* The client cannot send more while its bytes wait for the upstream: that time is not its own. */
static void a_stalled_upstream_is_not_the_clients_fault(void **state)
{
    struct scene *s = *state;
    int small = 4096;

    begin_upload(s, "4000000");
    setsockopt(s->origin.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    for (int i = 0; i < 2000; i++) {
        char piece[4096];

        memset(piece, 'x', sizeof(piece));
        send(s->client.fd, piece, sizeof(piece), MSG_NOSIGNAL);
        test_gateway_turns(&s->g, 1);
    }
    test_gateway_pass(&s->g, 40000);
    test_hear_nothing(&s->client);
    test_gateway_pass(&s->g, 30000);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 504 "));
}

static void a_reader_that_takes_nothing_is_cut(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, GET);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n");
    for (int i = 0; i < 3000; i++) {
        char piece[4096];

        memset(piece, 'x', sizeof(piece));
        send(s->origin.fd, piece, sizeof(piece), MSG_NOSIGNAL);
        test_gateway_turns(&s->g, 1);
    }
    test_gateway_pass(&s->g, 28000);
    assert_int_equal(closed_for(s, GATE_CLOSE_WRITE_STALL), 0);
    test_gateway_pass(&s->g, 4000);
    assert_int_equal(closed_for(s, GATE_CLOSE_WRITE_STALL), 1);
    test_hear_end(&s->origin);
}

/* The same when the whole answer is already in the gateway and the connection counts as idle. */
static void a_reader_that_leaves_the_rest_is_cut(void **state)
{
    struct scene *s = *state;
    int small = 2048;

    setsockopt(s->client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    test_say(&s->client, GET);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n");
    test_say_pattern(&s->origin, 400000);
    test_gateway_turns(&s->g, 20);
    assert_true(gate_list_empty(&s->g.worker.live));
    test_gateway_pass(&s->g, 28000);
    assert_int_equal(closed_for(s, GATE_CLOSE_WRITE_STALL), 0);
    test_gateway_pass(&s->g, 4000);
    assert_int_equal(closed_for(s, GATE_CLOSE_WRITE_STALL), 1);
}

/* After an early answer the rest of the upload is read for a second at most. */
static void lingering_ends(void **state)
{
    struct scene *s = *state;

    begin_upload(s, "1000000");
    test_say(&s->origin, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    assert_non_null(strstr(test_hear(&s->client, "no"), "Connection: close\r\n"));
    test_hear_end(&s->client);
    test_say(&s->client, "more of it");
    test_gateway_turns(&s->g, 5);
    assert_int_equal(s->g.worker.sessions, 1);
    test_gateway_pass(&s->g, 1100);
    assert_int_equal(s->g.worker.sessions, 0);
    assert_int_equal(closed_for(s, GATE_CLOSE_EARLY_ANSWER), 1);
}

/* What comes beyond that stays unread, and the connection open for its second: a reset would be ahead
 * of the answer. */
static void lingering_is_bounded_in_bytes(void **state)
{
    struct scene *s = *state;
    static char piece[16384];
    ssize_t n = 0;

    begin_upload(s, "100000000");
    test_say(&s->origin, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    test_gateway_turns(&s->g, 5);
    for (int i = 0; i < 4000 && n >= 0; i++) {
        n = send(s->client.fd, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT);
        test_gateway_turns(&s->g, 1);
    }
    assert_int_equal(n, -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(s->g.worker.sessions, 1);
    assert_non_null(strstr(test_hear(&s->client, "no"), "HTTP/1.1 403 "));
    test_gateway_pass(&s->g, 1100);
    assert_int_equal(s->g.worker.sessions, 0);
}

/* A drain: idle connections get their grace time, those at work end with their answer. */
static void draining_ends_connections(void **state)
{
    struct scene *s = *state;
    struct test_talk busy;

    test_talk_client(&busy, &s->g);
    test_say(&busy, GET);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    s->g.worker.draining = true;
    gate_session_drain(&s->g.worker, 2000);
    test_gateway_pass(&s->g, 500);
    test_hear_nothing(&s->client);
    test_gateway_pass(&s->g, 1600);
    assert_string_equal(test_hear_end(&s->client), "");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_non_null(strstr(test_hear(&busy, "hi"), "Connection: close\r\n"));
    test_hear_end(&busy);
    test_talk_close(&busy);
}

/* A tunnel whose upstream has ended does not wait for a silent client for ever; nor one whose
 * client has ended for a silent upstream. */
static void half_a_tunnel_ends_in_time(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 2; i++) {
        test_say(
            &s->client,
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
        test_talk_origin(&s->origin, &s->g);
        test_hear(&s->origin, "\r\n\r\n");
        test_say(&s->origin, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: "
                             "websocket\r\n\r\n");
        test_hear(&s->client, "\r\n\r\n");
        shutdown(i == 0 ? s->origin.fd : s->client.fd, SHUT_WR);
        test_hear_end(i == 0 ? &s->client : &s->origin);
        test_gateway_pass(&s->g, 50000);
        if (s->g.worker.sessions != 1)
            fail_msg("the tunnel ended early in round %d", i);
        test_gateway_pass(&s->g, 12000);
        assert_int_equal(s->g.worker.sessions, 0);
        test_talk_close(&s->origin);
        test_talk_close(&s->client);
        test_talk_client(&s->client, &s->g);
    }
}

/* A write that blocked once must not leave a clock behind that ends the tunnel later. */
static void a_tunnel_that_blocked_goes_on(void **state)
{
    struct scene *s = *state;

    test_say(&s->client,
             "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(
        &s->origin,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    test_hear(&s->client, "\r\n\r\n");
    test_say_pattern(&s->origin, 1000000);
    test_hear_pattern(&s->client, 1000000);
    for (int i = 0; i < 4; i++) {
        test_gateway_pass(&s->g, 25000);
        test_say(&s->origin, "ping");
        test_hear(&s->client, "ping");
    }
    test_say(&s->client, "pong");
    test_hear(&s->origin, "pong");
}

/* ------------------------------------------------------------------ the upstream */

static void no_head_in_time(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, GET);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_gateway_pass(&s->g, 59000);
    test_hear_nothing(&s->client);
    test_gateway_pass(&s->g, 2000);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 504 "));
    test_hear_end(&s->origin);
    test_say(&s->client, GET); /* the connection is kept */
    test_talk_close(&s->origin);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
}

static void a_body_that_stops_upstream_is_cut(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, GET);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi");
    test_hear(&s->client, "hi");
    test_gateway_pass(&s->g, 59000);
    test_say(&s->origin, "x");
    test_hear(&s->client, "x");
    test_gateway_pass(&s->g, 59000);
    test_hear_nothing(&s->client);
    test_gateway_pass(&s->g, 2000);
    assert_string_equal(test_hear_end(&s->client), "");
    test_hear_end(&s->origin);
}

static void a_parked_connection_ends_in_time(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    test_hear(&s->client, "hi");
    test_gateway_pass(&s->g, 59000);
    test_hear_nothing(&s->origin);
    test_gateway_pass(&s->g, 2000);
    test_hear_end(&s->origin);
    assert_int_equal(closed_for(s, GATE_CLOSE_LINK_IDLE), 1);
}

static void the_total_time_ends_an_exchange(void **state)
{
    static const char *const edits[] = {"\"total_ms\":0", "\"total_ms\":20000", NULL};
    struct scene *s = *state;

    test_talk_close(&s->client);
    test_gateway_turns(&s->g, 3);
    test_gateway_close(&s->g);
    test_gateway_open_with(&s->g, TEST_ROUTE, edits);
    test_talk_client(&s->client, &s->g);
    test_say(&s->client, GET);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    for (int i = 0; i < 19; i++) {
        test_gateway_pass(&s->g, 1000);
        test_say(&s->origin, "x");
        test_hear(&s->client, "x");
    }
    test_gateway_pass(&s->g, 1100);
    test_hear_end(&s->client);
}

struct drain_word {
    struct gate_ready ready;
    struct test_gateway *g;
};

/* Behind the exchange, and before what it has written leaves. */
static void on_drain_word(struct gate_ready *r)
{
    struct drain_word *d = gate_container_of(r, struct drain_word, ready);

    if (!gate_list_empty(&d->g->worker.live)) {
        gate_loop_ready(&d->g->worker.loop, r);
        return;
    }
    d->g->worker.draining = true;
    gate_session_drain(&d->g->worker, 2000);
}

/* A drain that comes in the turn in which a connection falls idle. */
static void draining_ends_who_has_just_been_answered(void **state)
{
    struct scene *s = *state;
    struct drain_word word = {.g = &s->g};

    test_say(&s->client, GET);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    gate_ready_init(&word.ready, on_drain_word);
    gate_loop_ready(&s->g.worker.loop, &word.ready);
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    while (!s->g.worker.draining)
        gate_loop_turn(&s->g.worker.loop, false);
    assert_null(strstr(test_hear(&s->client, "ok"), "Connection: close"));
    test_gateway_pass(&s->g, 500);
    test_hear_nothing(&s->client);
    test_gateway_pass(&s->g, 1600);
    test_hear_end(&s->client);
    assert_int_equal(closed_for(s, GATE_CLOSE_DRAIN), 1);
}

#define UNREAD 40000

static bool is_unread(void *arg)
{
    struct gate_session *session = arg;

    return session->state == GATE_SESSION_IDLE && session->h1 != NULL &&
           session->h1->out.out.bytes > 0;
}

/* An answer that is given, of which the client has not read much. */
static void leave_unread(struct scene *s)
{
    struct gate_list *n = s->g.worker.session_list.next;
    struct gate_session *session = gate_container_of(n, struct gate_session, node);
    int size = 4096;

    assert_int_equal(setsockopt(session->conn.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    test_say(&s->client, GET);
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n");
    test_say_pattern(&s->origin, UNREAD);
    assert_true(test_gateway_until(&s->g, is_unread, session));
}

/* Who reads slowly gets the end of its answer, though nobody is at work on that any more. */
static void draining_waits_for_readers(void **state)
{
    struct scene *s = *state;

    leave_unread(s);
    s->g.worker.draining = true;
    gate_session_drain(&s->g.worker, 500);
    test_gateway_pass(&s->g, 2000);
    test_hear(&s->client, "\r\n\r\n");
    test_hear_pattern(&s->client, UNREAD);
    test_hear_end(&s->client);
    assert_int_equal(closed_for(s, GATE_CLOSE_DRAIN), 1);
}

static void draining_does_not_wait_for_who_does_not_read(void **state)
{
    struct scene *s = *state;

    leave_unread(s);
    s->g.worker.draining = true;
    gate_session_drain(&s->g.worker, 500);
    test_gateway_pass(&s->g, 60000);
    assert_int_equal(s->g.worker.sessions, 0);
}

/* Descriptors have run out. */
static void room_is_made_by_those_who_idle(void **state)
{
    struct scene *s = *state;
    struct test_talk fresh;

    leave_unread(s);
    test_talk_client(&fresh, &s->g);
    for (int i = 0; i < 9; i++) {
        gate_session_make_room(&s->g.worker);
        test_gateway_pass(&s->g, 100);
    }
    test_hear_nothing(&fresh);
    test_gateway_pass(&s->g, 200);
    test_hear_end(&fresh);
    test_talk_close(&fresh);
    test_hear(&s->client, "\r\n\r\n");
    test_hear_pattern(&s->client, UNREAD);
    gate_session_make_room(&s->g.worker);
    test_gateway_pass(&s->g, 100);
    test_hear_end(&s->client);
    assert_int_equal(closed_for(s, GATE_CLOSE_IDLE_TIMEOUT), 2);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_head_that_drips_is_refused),
        CASE(an_idle_connection_ends),
        CASE(idle_time_begins_with_the_answer),
        CASE(a_body_that_stops_is_refused),
        CASE(a_slow_body_survives),
        CASE(a_stalled_upstream_is_not_the_clients_fault),
        CASE(a_reader_that_takes_nothing_is_cut),
        CASE(a_reader_that_leaves_the_rest_is_cut),
        CASE(lingering_ends),
        CASE(lingering_is_bounded_in_bytes),
        CASE(draining_ends_connections),
        CASE(draining_ends_who_has_just_been_answered),
        CASE(draining_waits_for_readers),
        CASE(draining_does_not_wait_for_who_does_not_read),
        CASE(room_is_made_by_those_who_idle),
        CASE(half_a_tunnel_ends_in_time),
        CASE(a_tunnel_that_blocked_goes_on),
        CASE(no_head_in_time),
        CASE(a_body_that_stops_upstream_is_cut),
        CASE(a_parked_connection_ends_in_time),
        CASE(the_total_time_ends_an_exchange),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
