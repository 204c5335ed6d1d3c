/* Large bodies and unkind connections: memory that is bounded by windows, one byte at a time on
 * both sides, and an errno at every single call. */
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

#define MIB (1u << 20)

struct scene {
    struct test_gateway g;
    struct test_talk client;
    struct test_talk origin;
    struct gate_fault_plan down; /* of the client's side; */
    struct gate_fault_plan up;   /* of the upstream's */
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
    test_gateway_turns(&s->g, 20);
    test_gateway_close(&s->g);
    free(s);
    return 0;
}

/* ------------------------------------------------------------------ large bodies */

/* Moves n bytes of the pattern from one end to the other, whose reader takes `step` bytes a turn;
 * returns the most memory that blocks held meanwhile. */
static size_t move(struct scene *s, struct test_talk *from, struct test_talk *to, size_t n,
                   size_t step)
{
    size_t said = 0, most = 0;
    char piece[65536];

    to->most = step;
    for (int turns = 0; to->n - to->at < n; turns++) {
        size_t take = n - said < sizeof(piece) ? n - said : sizeof(piece);
        ssize_t put;

        assert_true(turns < 1000000);
        for (size_t i = 0; i < take; i++)
            piece[i] = test_pattern_at(said + i);
        put = take == 0 ? 0 : send(from->fd, piece, take, MSG_NOSIGNAL);
        said += put > 0 ? (size_t)put : 0;
        test_gateway_turns(&s->g, 1);
        if (s->g.worker.loop.blocks.live_bytes > most)
            most = s->g.worker.loop.blocks.live_bytes;
        test_talk_look(to);
    }
    test_hear_pattern(to, n);
    to->most = 0;
    return most;
}

static void a_mebibyte_down_to_a_slow_reader(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    test_talk_origin(&s->origin, &s->g);
    for (int i = 0; i < 3; i++) {
        test_hear(&s->origin, "\r\n\r\n");
        test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n");
        test_hear(&s->client, "\r\n\r\n");
        assert_true(move(s, &s->origin, &s->client, 4 * MIB, i == 0 ? 4096 : 0) < 4 * MIB);
        test_say(&s->client, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    }
}

static void a_mebibyte_up_to_a_slow_reader(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 3; i++) {
        test_say(&s->client, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n");
        if (i == 0)
            test_talk_origin(&s->origin, &s->g);
        test_hear(&s->origin, "\r\n\r\n");
        assert_true(move(s, &s->client, &s->origin, 4 * MIB, i == 0 ? 4096 : 0) < 4 * MIB);
        test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        test_hear(&s->client, "hi");
    }
}

/* Requests that are pipelined behind a body which is read many blocks at a time. */
static void requests_behind_a_large_body(void **state)
{
    static const char one[] = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    struct scene *s = *state;
    char *many = calloc(1, 4000 * sizeof(one));
    size_t n = 0;
    int count = 3000;

    for (int chunked = 0; chunked < 2; chunked++) {
        int size = 1 << 20;

        setsockopt(s->client.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        test_say(&s->client,
                 chunked
                     ? "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n"
                     : "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n");
        if (s->origin.buf == NULL)
            test_talk_origin(&s->origin, &s->g);
        test_hear(&s->origin, "\r\n\r\n");
        test_say_pattern(&s->client, MIB - 1000);
        n = (size_t)sprintf(many, "%01000d%s", 0, chunked ? "\r\n0\r\n\r\n" : "");
        for (int i = 0; i < count; i++)
            n += (size_t)sprintf(many + n, "%s", one);
        assert_int_equal(send(s->client.fd, many, n, MSG_NOSIGNAL), (ssize_t)n);
        test_hear(&s->origin, "0000000000");
        test_gateway_turns(&s->g, 50);
        test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        test_hear(&s->client, "hi");
        for (int i = 0; i < count; i++) {
            test_hear(&s->origin, "GET /next HTTP/1.1\r\n");
            test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
            test_hear(&s->client, "hi");
        }
    }
    free(many);
}

/* More answers of the gateway's own than one drain of the ready queue makes, while further requests
 * arrive. */
static void own_answers_and_proxied_ones_in_turn(void **state)
{
    struct scene *s = *state;
    char text[4096] = "";

    test_say(&s->client, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    test_talk_origin(&s->origin, &s->g);
    for (int round = 0; round < 50; round++) {
        test_hear(&s->origin, "\r\n\r\n");
        test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        test_hear(&s->client, "hi");
        text[0] = '\0';
        for (int i = 0; i < 12 + round; i++)
            strcat(text, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
        strcat(text, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        test_say(&s->client, text);
        test_gateway_turns(&s->g, 1);
        test_say(&s->client,
                 "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        for (int i = 0; i < 12 + round; i++)
            test_hear(&s->client, "HTTP/1.1 200 OK\r\n");
        test_hear(&s->origin, "\r\n\r\n");
        test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        test_hear(&s->client, "hi");
        test_hear(&s->client, "HTTP/1.1 200 OK\r\n");
    }
}

/* ------------------------------------------------------------------ unkind connections */

static struct gate_session *session_of(struct scene *s)
{
    return gate_container_of(s->g.worker.session_list.next, struct gate_session, node);
}

/* The upstream's connection, as soon as it is made. */
static bool wrap_link(void *arg)
{
    struct scene *s = arg;
    struct gate_list *live = &s->g.worker.links->live;

    if (gate_list_empty(live))
        return false;
    gate_conn_fault_wrap(&gate_container_of(live->next, struct gate_link, node)->conn, &s->up);
    return true;
}

static const char *const requests[] = {
    "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-Sum: "
    "1\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nabc",
};

static const char *const answers[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: "
    "2\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello",
};

static const char *const heard_up[] = {"\r\n\r\n", "\r\n\r\nabc", "\r\n0\r\nX-Sum: 1\r\n\r\n",
                                       "\r\n\r\nabc"};
static const char *const heard_down[] = {"hello", "hello", "X-Sum: 2\r\n\r\n", "hello"};

static void one_byte_at_a_time(void **state)
{
    struct scene *s = *state;

    s->down = s->up = (struct gate_fault_plan){.max_bytes = 1, .again_after_each = true};
    gate_conn_fault_wrap(&session_of(s)->conn, &s->down);
    for (int i = 0; i < 12; i++) {
        int which = i == 11 ? 3 : i % 3;

        test_say(&s->client, requests[which]);
        if (i == 0) {
            assert_true(test_gateway_until(&s->g, wrap_link, s));
            test_talk_origin(&s->origin, &s->g);
        }
        if (which == 3)
            test_hear(&s->origin, "\r\n\r\n");
        else
            test_hear(&s->origin, heard_up[which]);
        test_say(&s->origin, answers[which]);
        test_hear(&s->client, heard_down[which]);
        if (which == 3)
            test_hear(&s->origin, "abc");
    }
}

/* Speaks an exchange without asking that it succeeds: the origin answers every connection once it
 * has heard anything. */
static void muddle_through(struct scene *s, int which)
{
    bool answered = false;

    for (int turns = 0; turns < 400; turns++) {
        int fd = accept4(s->g.origin, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            if (s->origin.buf != NULL)
                test_talk_close(&s->origin);
            test_talk_on(&s->origin, &s->g, fd);
            answered = false;
        }
        if (s->origin.buf != NULL)
            test_talk_look(&s->origin);
        if (s->origin.buf != NULL && s->origin.n > 0 && !answered) {
            send(s->origin.fd, answers[which], strlen(answers[which]), MSG_NOSIGNAL);
            answered = true;
        }
        test_talk_look(&s->client);
        test_gateway_turns(&s->g, 1);
    }
}

/* The operation k of one side fails, for every k until none is reached: the exchange ends in some
 * way, nothing leaks, and the gateway serves the next client. */
static void every_call_may_fail(bool up, int error)
{
    for (int which = 0; which < 4; which++) {
        for (uint32_t k = 1; k < 200; k++) {
            struct scene *s = calloc(1, sizeof(*s));
            struct gate_fault_plan *plan = up ? &s->up : &s->down;
            bool reached;

            test_gateway_open(&s->g, TEST_ROUTE);
            test_talk_client(&s->client, &s->g);
            *plan = (struct gate_fault_plan){
                .max_bytes = 7, .again_after_each = true, .fail_at = k, .fail_errno = error};
            if (up) {
                test_say(&s->client, requests[which]);
                assert_true(test_gateway_until(&s->g, wrap_link, s));
            } else {
                gate_conn_fault_wrap(&session_of(s)->conn, &s->down);
                test_say(&s->client, requests[which]);
            }
            muddle_through(s, which);
            reached = plan->calls >= k;
            test_talk_close(&s->client);
            if (s->origin.buf != NULL)
                test_talk_close(&s->origin);
            test_gateway_turns(&s->g, 40);
            assert_true(gate_list_empty(&s->g.worker.live));
            assert_int_equal(s->g.worker.sessions, 0);
            assert_int_equal(s->g.worker.loop.blocks.live, 0);
            test_gateway_close(&s->g);
            free(s);
            if (!reached)
                break;
        }
    }
}

static void every_call_to_the_client_may_fail(void **state)
{
    (void)state;
    every_call_may_fail(false, ECONNRESET);
    every_call_may_fail(false, EIO);
}

static void every_call_to_the_upstream_may_fail(void **state)
{
    (void)state;
    every_call_may_fail(true, ECONNRESET);
    every_call_may_fail(true, EIO);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_mebibyte_down_to_a_slow_reader),
        CASE(a_mebibyte_up_to_a_slow_reader),
        CASE(requests_behind_a_large_body),
        CASE(own_answers_and_proxied_ones_in_turn),
        CASE(one_byte_at_a_time),
        cmocka_unit_test(every_call_to_the_client_may_fail),
        cmocka_unit_test(every_call_to_the_upstream_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
