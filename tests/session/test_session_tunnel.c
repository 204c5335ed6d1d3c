/* Tunnels of HTTP/2 clients (RFC 8441) to an HTTP/1 origin: the handshake that the gateway makes
 * and judges, bytes both ways, each side's end, and breaks; of these also over HTTP/1. */
/* covers: flow/upgrade.c */
#include "h2_scene.h"
#include "http/websocket.h"

#define CONNECT(protocol)                                                                          \
    {":method", "CONNECT", ":protocol", protocol, ":scheme", "http", ":authority", "example.test", \
     ":path", "/chat?a=b", "sec-websocket-version", "13", NULL}

static void ask(struct scene *s, uint32_t id, const char *protocol)
{
    const char *const fields[] = CONNECT(protocol);

    test_h2_headers(&s->say, id, 0, fields);
    say(s);
}

/* The origin's head of the request, and what fits its key. */
static const char *hear_request(struct scene *s, struct test_talk *origin, char accept[29])
{
    static const char name[] = "sec-websocket-key: ";
    const char *up;
    const char *key;

    test_talk_origin(origin, &s->g);
    up = test_hear(origin, "\r\n\r\n");
    key = strstr(up, name);
    assert_non_null(key);
    gate_websocket_accept(gate_str_of(key + sizeof(name) - 1, GATE_WEBSOCKET_KEY), accept);
    accept[GATE_WEBSOCKET_ACCEPT] = '\0';
    return up;
}

static void agree(struct test_talk *origin, const char *accept, const char *more)
{
    test_say(origin, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                     "Upgrade: websocket\r\nSec-WebSocket-Protocol: chat\r\n"
                     "Sec-WebSocket-Accept: ");
    test_say(origin, accept);
    test_say(origin, "\r\n\r\n");
    test_say(origin, more);
}

/* A tunnel on stream `id`, its origin at `origin`. */
static struct test_h2_stream *tunnel(struct scene *s, uint32_t id, struct test_talk *origin)
{
    struct test_h2_stream *st = test_h2_stream(&s->heard, id);
    char accept[29];

    ask(s, id, "websocket");
    hear_request(s, origin, accept);
    agree(origin, accept, "");
    say(s);
    assert_ptr_equal(strstr(st->head, ":status: 200\nsec-websocket-protocol: chat\n"), st->head);
    return st;
}

static void data(struct scene *s, uint32_t id, const char *text, int flags)
{
    test_h2_frame(&s->say, TEST_H2_DATA, flags, id, text, strlen(text));
    say(s);
}

static uint64_t counted(struct scene *s, enum gate_counter which)
{
    return gate_counters_get(&s->g.worker.counters, which);
}

/* ------------------------------------------------------------------ the handshake */

static void the_origin_is_asked_as_over_http1(void **state)
{
    struct scene *s = *state;
    struct test_h2_stream *st = test_h2_stream(&s->heard, 1);
    char accept[29];
    const char *up;

    ask(s, 1, "websocket");
    up = hear_request(s, &s->origin, accept);
    assert_ptr_equal(strstr(up, "GET /chat?a=b HTTP/1.1\r\n"), up);
    assert_non_null(strstr(up, "\r\nConnection: upgrade\r\n"));
    assert_non_null(strstr(up, "\r\nUpgrade: websocket\r\n"));
    assert_non_null(strstr(up, "\r\nsec-websocket-version: 13\r\n"));
    assert_non_null(strstr(up, "\r\nVia: 2.0 moongate\r\n"));
    assert_null(strstr(up, "Content-Length"));
    assert_null(strstr(up, "Transfer-Encoding"));
    agree(&s->origin, accept, "hello"); /* with its answer */
    say(s);
    assert_ptr_equal(strstr(st->head, ":status: 200\n"), st->head);
    assert_null(strstr(st->head, "upgrade"));
    assert_null(strstr(st->head, "accept"));
    assert_null(strstr(st->head, "connection"));
    assert_null(strstr(st->head, "content-length"));
    assert_string_equal(st->body, "hello");
    assert_int_equal(counted(s, GATE_C_TUNNELS), 1);
}

static void an_answer_to_another_key_is_none(void **state)
{
    struct scene *s = *state;
    char accept[29];

    ask(s, 1, "websocket");
    hear_request(s, &s->origin, accept);
    accept[0] = accept[0] == 'A' ? 'B' : 'A';
    agree(&s->origin, accept, "");
    say(s);
    assert_non_null(strstr(answer_of(s, 1)->head, ":status: 502\n"));
    assert_int_equal(counted(s, GATE_C_TUNNELS), 0);
    test_hear_end(&s->origin);
}

/* Any 2xx would be a tunnel for this client. */
static void success_without_a_switch_is_none(void **state)
{
    struct scene *s = *state;
    char accept[29];

    ask(s, 1, "websocket");
    hear_request(s, &s->origin, accept);
    test_say(&s->origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    say(s);
    assert_non_null(strstr(answer_of(s, 1)->head, ":status: 502\n"));
}

static void other_answers_pass(void **state)
{
    struct scene *s = *state;
    char accept[29];

    ask(s, 1, "websocket");
    hear_request(s, &s->origin, accept);
    test_say(&s->origin, "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 12\r\n"
                         "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nno");
    assert_string_equal(answer_of(s, 1)->body, "no");
    assert_ptr_equal(strstr(answer_of(s, 1)->head, ":status: 426\nsec-websocket-version: 12\n"),
                     answer_of(s, 1)->head);
    assert_null(strstr(answer_of(s, 1)->head, "\nupgrade"));
    test_gateway_pass(&s->g, 2000);
    hear(s);
    assert_int_equal(test_h2_stream(&s->heard, 1)->code, 0); /* the client need not go on */
    assert_int_equal(s->g.worker.sessions, 1);
}

static void protocols_that_the_route_has_not_are_not_asked_for(void **state)
{
    struct scene *s = *state;

    ask(s, 1, "x");
    assert_non_null(strstr(answer_of(s, 1)->head, ":status: 501\n"));
    assert_true(gate_list_empty(&s->g.worker.live));
    assert_int_equal(counted(s, GATE_C_LINKS_OPENED), 0);
}

/* ------------------------------------------------------------------ bytes */

static void bytes_pass_both_ways_until_each_side_has_ended(void **state)
{
    struct scene *s = *state;
    struct test_h2_stream *st = tunnel(s, 1, &s->origin);

    data(s, 1, "one", 0);
    test_hear(&s->origin, "one");
    test_say(&s->origin, "two");
    say(s);
    assert_string_equal(st->body, "two");
    data(s, 1, "three", TEST_H2_END);
    test_hear(&s->origin, "three");
    assert_string_equal(test_hear_end(&s->origin), "");
    assert_false(st->ended);
    test_say(&s->origin, "four");
    test_talk_close(&s->origin);
    await(s, &st->ended);
    assert_string_equal(st->body, "twofour");
    test_gateway_turns(&s->g, 5);
    assert_false(st->reset);
    assert_true(gate_list_empty(&s->g.worker.live));
    assert_int_equal(counted(s, GATE_C_TUNNELS_DONE), 1);
    assert_int_equal(counted(s, GATE_C_TUNNEL_BYTES_IN), 8);
    assert_int_equal(counted(s, GATE_C_TUNNEL_BYTES_OUT), 7);
}

static void bytes_before_the_answer_wait_for_it(void **state)
{
    struct scene *s = *state;
    const char *const fields[] = CONNECT("websocket");
    char accept[29];

    test_h2_headers(&s->say, 1, 0, fields);
    data(s, 1, "early", TEST_H2_END);
    hear_request(s, &s->origin, accept);
    test_hear_nothing(&s->origin);
    agree(&s->origin, accept, "");
    test_hear(&s->origin, "early");
    test_hear_end(&s->origin);
    test_talk_close(&s->origin);
    answer_of(s, 1);
}

static void much_goes_by_credit(void **state)
{
    struct scene *s = *state;
    struct test_h2_stream *st = tunnel(s, 1, &s->origin);

    test_say_pattern(&s->origin, 300000);
    say(s);
    assert_int_equal(st->n, 65535);
    test_h2_number(&s->say, TEST_H2_WINDOW, 0, 1 << 20);
    test_h2_number(&s->say, TEST_H2_WINDOW, 1, 1 << 20);
    for (int i = 0; i < 50 && st->n < 300000; i++)
        say(s);
    assert_int_equal(st->n, 300000);
    for (size_t i = 0; i < st->n; i++)
        assert_int_equal(st->body[i], test_pattern_at(i));
}

static void a_tunnel_that_is_not_read_stalls_no_other(void **state)
{
    struct scene *s = *state;
    struct test_talk other;
    struct test_h2_stream *second;
    size_t held;

    tunnel(s, 1, &s->origin);
    second = tunnel(s, 3, &other);
    /* The client gives the first stream no more window, and the second origin takes no bytes. */
    test_h2_number(&s->say, TEST_H2_WINDOW, 0, 1 << 20);
    test_say_pattern(&s->origin, 400000);
    say(s);
    held = test_h2_stream(&s->heard, 1)->n;
    assert_int_equal(held, 65535);
    test_say(&other, "alive");
    say(s);
    assert_string_equal(second->body, "alive");
    data(s, 3, "too", 0);
    test_hear(&other, "too");
    data(s, 1, "and this way", 0);
    test_hear(&s->origin, "and this way");
    test_talk_close(&other);
}

/* ------------------------------------------------------------------ breaks */

static void a_reset_of_the_client_is_one_for_the_origin(void **state)
{
    struct scene *s = *state;

    tunnel(s, 1, &s->origin);
    test_h2_number(&s->say, TEST_H2_RST, 1, 8);
    say(s);
    test_hear_end(&s->origin);
    assert_true(s->origin.reset);
    assert_true(gate_list_empty(&s->g.worker.live));
    assert_int_equal(s->g.worker.sessions, 1);
}

static void a_reset_over_http1_is_one_too(void **state)
{
    struct scene *s = *state;

    test_say(&s->client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                         "Upgrade: websocket\r\n\r\n");
    test_talk_origin(&s->origin, &s->g);
    test_hear(&s->origin, "\r\n\r\n");
    agree(&s->origin, "x", "unread");
    test_gateway_turns(&s->g, 10);
    test_talk_close(&s->client); /* a reset, for there are bytes that it has not read */
    test_hear_end(&s->origin);
    assert_true(s->origin.reset);
}

static void a_reset_of_the_origin_is_one_for_the_client(void **state)
{
    struct scene *s = *state;
    struct test_h2_stream *st = tunnel(s, 1, &s->origin);

    test_talk_abort(&s->origin);
    await(s, &st->reset);
    assert_int_equal(st->code, 8);
    assert_false(st->ended);
    assert_int_equal(s->g.worker.sessions, 1);
}

/* All that it had to say has come; that nobody listens any more is told, too. */
static void a_reset_behind_the_end_of_the_origin_stops_the_client(void **state)
{
    struct scene *s = *state;
    struct test_h2_stream *st = tunnel(s, 1, &s->origin);

    shutdown(s->origin.fd, SHUT_WR);
    await(s, &st->ended);
    test_talk_abort(&s->origin);
    for (int i = 0; i < 1000 && !gate_list_empty(&s->g.worker.live); i++)
        data(s, 1, "x", 0); /* it shows when something is sent */
    assert_true(gate_list_empty(&s->g.worker.live));
    test_gateway_pass(&s->g, 2000);
    await(s, &st->reset);
    assert_int_equal(st->code, 0);
    assert_int_equal(s->g.worker.sessions, 1);
}

static void a_client_that_leaves_ends_its_tunnels(void **state)
{
    struct scene *s = *state;

    tunnel(s, 1, &s->origin);
    test_talk_close(&s->client);
    test_hear_end(&s->origin);
    assert_true(gate_list_empty(&s->g.worker.live));
    assert_int_equal(counted(s, GATE_C_TUNNELS_DONE), 1);
}

/* ------------------------------------------------------------------ time */

static void neither_rates_nor_totals_are_asked_of_a_tunnel(void **state)
{
    struct scene *s = *state;

    tunnel(s, 1, &s->origin);
    for (int i = 0; i < 3; i++) { /* the first_byte and read limits are 60 s */
        test_gateway_pass(&s->g, 40000);
        data(s, 1, "x", 0);
        test_hear(&s->origin, "x");
    }
    assert_false(test_h2_stream(&s->heard, 1)->reset);
}

static void silence_on_both_sides_ends_it(void **state)
{
    struct scene *s = *state;
    struct test_h2_stream *st = tunnel(s, 1, &s->origin);

    test_gateway_pass(&s->g, 59000);
    hear(s);
    assert_false(st->reset);
    test_gateway_pass(&s->g, 2000);
    await(s, &st->reset);
    assert_int_equal(st->code, 8);
    test_hear_end(&s->origin);
}

static void a_client_that_says_nothing_to_an_origin_that_has_ended(void **state)
{
    struct scene *s = *state;
    struct test_h2_stream *st = tunnel(s, 1, &s->origin);

    shutdown(s->origin.fd, SHUT_WR);
    await(s, &st->ended);
    test_gateway_pass(&s->g, 40000);
    data(s, 1, "still", 0);
    test_hear(&s->origin, "still");
    test_gateway_pass(&s->g, 40000);
    hear(s);
    assert_false(st->reset);
    test_gateway_pass(&s->g, 22000);
    await(s, &st->reset);
    test_hear_end(&s->origin);
    assert_int_equal(s->g.worker.sessions, 1);
}

static void a_drain_leaves_them_alone(void **state)
{
    struct scene *s = *state;
    struct test_h2_stream *st = tunnel(s, 1, &s->origin);

    s->g.worker.draining = true;
    gate_session_drain(&s->g.worker, 1000);
    test_gateway_pass(&s->g, 3000);
    hear(s);
    assert_int_equal(s->heard.goaways, 2);
    data(s, 1, "more", TEST_H2_END);
    test_hear(&s->origin, "more");
    test_talk_close(&s->origin);
    await(s, &st->ended);
    for (int i = 0; i < 1000 && s->g.worker.sessions > 0; i++) {
        test_gateway_turns(&s->g, 1);
        hear(s);
        if (s->client.eof)
            shutdown(s->client.fd, SHUT_WR);
    }
    assert_int_equal(s->g.worker.sessions, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_origin_is_asked_as_over_http1),
        CASE(an_answer_to_another_key_is_none),
        CASE(success_without_a_switch_is_none),
        CASE(other_answers_pass),
        CASE(protocols_that_the_route_has_not_are_not_asked_for),
        CASE(bytes_pass_both_ways_until_each_side_has_ended),
        CASE(bytes_before_the_answer_wait_for_it),
        CASE(much_goes_by_credit),
        CASE(a_tunnel_that_is_not_read_stalls_no_other),
        CASE(a_reset_of_the_client_is_one_for_the_origin),
        CASE(a_reset_over_http1_is_one_too),
        CASE(a_reset_of_the_origin_is_one_for_the_client),
        CASE(a_reset_behind_the_end_of_the_origin_stops_the_client),
        CASE(a_client_that_leaves_ends_its_tunnels),
        CASE(neither_rates_nor_totals_are_asked_of_a_tunnel),
        CASE(silence_on_both_sides_ends_it),
        CASE(a_client_that_says_nothing_to_an_origin_that_has_ended),
        CASE(a_drain_leaves_them_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
