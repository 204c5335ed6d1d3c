/* Bulk bodies that pass through pipes: the bytes, the clocks while a side stands still, and what
 * becomes of a pipe when one of its ends is gone.
 * covers: net/conn.c, base/pipe.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "../support/talk.h"
#include "session/session_int.h"

#define BULK      (6u << 20)
#define BULK_TEXT "6291456"

struct scene {
    struct test_gateway g;
    struct test_talk client;
    struct test_talk origin;
    struct gate_fault_plan down;
    struct gate_fault_plan up;
};

static int open_scene(void **state)
{
    static const char *const edits[] = {"\"read_ms\":60000", "\"read_ms\":2000", NULL};
    struct scene *s = calloc(1, sizeof(*s));

    test_gateway_open_with(&s->g, TEST_ROUTE, edits);
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
    assert_int_equal(s->g.worker.loop.blocks.live, 0);
    test_gateway_close(&s->g);
    free(s);
    return 0;
}

static struct gate_link *link_of(struct scene *s)
{
    return gate_container_of(s->g.worker.links->live.next, struct gate_link, node);
}

static struct gate_session *session_of(struct scene *s)
{
    return gate_container_of(s->g.worker.session_list.next, struct gate_session, node);
}

static void begin_down(struct scene *s)
{
    test_say(&s->client, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    if (s->origin.buf == NULL)
        test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: " BULK_TEXT "\r\n\r\n");
    test_hear(&s->client, "\r\n\r\n");
}

static void begin_up(struct scene *s)
{
    test_say(&s->client, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: " BULK_TEXT "\r\n\r\n");
    if (s->origin.buf == NULL)
        test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
}

/* Sends the pattern from one end to the other. Returns whether the source's conn used a pipe. */
static bool move(struct scene *s, struct test_talk *from, struct test_talk *to, bool down)
{
    static char piece[1 << 18];
    size_t said = 0;
    bool piped = false;

    for (int turns = 0; to->n - to->at < BULK; turns++) {
        size_t take = BULK - said < sizeof(piece) ? BULK - said : sizeof(piece);
        ssize_t put;

        assert_true(turns < 1000000);
        for (size_t i = 0; i < take; i++)
            piece[i] = test_pattern_at(said + i);
        put = take == 0 ? 0 : send(from->fd, piece, take, MSG_NOSIGNAL);
        said += put > 0 ? (size_t)put : 0;
        test_gateway_turns(&s->g, 1);
        if (said < BULK && !gate_list_empty(&s->g.worker.links->live))
            piped = piped || (down ? link_of(s)->conn.pipe : session_of(s)->conn.pipe) != NULL;
        test_talk_look(to);
    }
    test_hear_pattern(to, BULK);
    return piped;
}

static void bulk_down_and_the_link_is_kept(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 3; i++) {
        begin_down(s);
        assert_true(move(s, &s->origin, &s->client, true));
    }
    assert_non_null(s->g.worker.loop.blocks.pipes);
    assert_int_equal(s->g.worker.loop.blocks.pipes_left, TEST_PIPES - 1);
}

static void bulk_up_and_the_connection_is_kept(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 3; i++) {
        begin_up(s);
        assert_true(move(s, &s->client, &s->origin, false));
        test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        test_hear(&s->client, "hi");
    }
}

static void without_a_pipe_it_goes_through_memory(void **state)
{
    struct scene *s = *state;

    gate_pipe_allow(&s->g.worker.loop.blocks, 0);
    begin_down(s);
    assert_false(move(s, &s->origin, &s->client, true));
    begin_up(s);
    assert_false(move(s, &s->client, &s->origin, false));
}

/* Short pieces and would-blocks on both sides. */
static void in_pieces(void **state)
{
    struct scene *s = *state;

    s->down = s->up = (struct gate_fault_plan){.max_bytes = 3001, .again_after_each = true};
    gate_conn_fault_wrap(&session_of(s)->conn, &s->down);
    begin_down(s);
    gate_conn_fault_wrap(&link_of(s)->conn, &s->up);
    assert_true(move(s, &s->origin, &s->client, true));
    begin_up(s);
    assert_true(move(s, &s->client, &s->origin, false));
}

/* Sends until neither the sockets nor the gateway take any more. */
static void stuff(struct scene *s, struct test_talk *from)
{
    static char piece[65536];
    int still = 0;

    while (still < 50) {
        ssize_t put = send(from->fd, piece, sizeof(piece), MSG_NOSIGNAL);

        still = put > 0 ? 0 : still + 1;
        test_gateway_turns(&s->g, 1);
    }
}

/* Reads all that comes, and goes on until nothing does. */
static size_t drink(struct scene *s, struct test_talk *to)
{
    static char piece[65536];
    size_t got = 0;
    int still = 0;

    while (still < 50) {
        ssize_t n = recv(to->fd, piece, sizeof(piece), MSG_DONTWAIT);

        got += n > 0 ? (size_t)n : 0;
        still = n > 0 ? 0 : still + 1;
        test_gateway_turns(&s->g, 1);
    }
    return got;
}

/* The upstream's clock stands still while the client is what everybody waits for, and goes on
 * afterwards. */
static void a_reader_that_pauses_is_no_read_timeout(void **state)
{
    struct scene *s = *state;

    begin_down(s);
    stuff(s, &s->origin);
    assert_true(link_of(s)->conn.full);
    test_gateway_pass(&s->g, 10000);
    assert_false(gate_list_empty(&s->g.worker.links->live));
    assert_true(drink(s, &s->client) > 0);
    assert_false(link_of(s)->conn.full);
    test_gateway_pass(&s->g, 1500);
    assert_false(gate_list_empty(&s->g.worker.links->live));
    test_gateway_pass(&s->g, 1500);
    assert_true(gate_list_empty(&s->g.worker.links->live));
    test_hear_end(&s->client);
}

/* Nor is the client too slow while the upstream takes nothing; it is afterwards. */
static void an_upstream_that_pauses_is_no_slow_client(void **state)
{
    struct scene *s = *state;

    begin_up(s);
    stuff(s, &s->client);
    assert_true(session_of(s)->conn.full);
    test_gateway_pass(&s->g, 25000);
    test_hear_nothing(&s->client);
    assert_true(drink(s, &s->origin) > 0);
    test_gateway_pass(&s->g, 9000);
    test_hear_nothing(&s->client);
    test_gateway_pass(&s->g, 12000);
    assert_non_null(strstr(test_hear(&s->client, "request id"), "HTTP/1.1 408 "));
}

static void a_client_that_leaves_takes_its_pipe_along(void **state)
{
    struct scene *s = *state;

    begin_down(s);
    stuff(s, &s->origin);
    test_talk_abort(&s->client);
    test_gateway_turns(&s->g, 20);
    assert_true(gate_list_empty(&s->g.worker.links->live));
    assert_int_equal(s->g.worker.loop.blocks.live, 0);
    assert_null(s->g.worker.loop.blocks.pipes);
    assert_int_equal(s->g.worker.loop.blocks.pipes_left, TEST_PIPES);
    test_talk_close(&s->origin);
    test_talk_client(&s->client, &s->g);
    begin_down(s);
    assert_true(move(s, &s->origin, &s->client, true));
}

static void an_origin_that_leaves_cuts_the_answer(void **state)
{
    struct scene *s = *state;
    size_t got;

    begin_down(s);
    stuff(s, &s->origin);
    test_talk_close(&s->origin);
    got = drink(s, &s->client);
    assert_true(got > 0 && got < BULK);
    test_hear_end(&s->client);
    assert_int_equal(s->g.worker.loop.blocks.live, 0);
}

static void a_socket_without_splice_is_read_into_memory(void **state)
{
    struct scene *s = *state;

    begin_down(s);
    s->up = (struct gate_fault_plan){.fail_at = 1, .fail_errno = EINVAL};
    gate_conn_fault_wrap(&link_of(s)->conn, &s->up);
    move(s, &s->origin, &s->client, true);
}

/* An errno at one of the calls while the body is on its way: nothing leaks, whichever it is. */
static void a_call_may_fail(void **state)
{
    for (uint32_t k = 1; k < 60; k++) {
        struct scene *s = *state;

        begin_down(s);
        s->down = s->up = (struct gate_fault_plan){.max_bytes = 300001};
        (k % 2 == 0 ? &s->down : &s->up)->fail_at = k / 2 + 1;
        s->down.fail_errno = s->up.fail_errno = k % 3 == 0 ? EIO : ECONNRESET;
        gate_conn_fault_wrap(&session_of(s)->conn, &s->down);
        gate_conn_fault_wrap(&link_of(s)->conn, &s->up);
        stuff(s, &s->origin);
        drink(s, &s->client);
        close_scene(state);
        open_scene(state);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bulk_down_and_the_link_is_kept),
        CASE(bulk_up_and_the_connection_is_kept),
        CASE(without_a_pipe_it_goes_through_memory),
        CASE(in_pieces),
        CASE(a_reader_that_pauses_is_no_read_timeout),
        CASE(an_upstream_that_pauses_is_no_slow_client),
        CASE(a_client_that_leaves_takes_its_pipe_along),
        CASE(an_origin_that_leaves_cuts_the_answer),
        CASE(a_socket_without_splice_is_read_into_memory),
        CASE(a_call_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
