/* covers: upstream/link_h2.c http/h2_client.c
 * What holds a stream back, and for how long: credits, windows, clocks, and the doubt whether the
 * peer is there. */
#include "link_h2_bench.h"

static void put_data(struct origin *o, uint32_t id, size_t n)
{
    static const char zeros[16384];

    for (; n > 0; n -= n < sizeof(zeros) ? n : sizeof(zeros))
        test_h2_frame(&o->out, TEST_H2_DATA, 0, id, zeros, n < sizeof(zeros) ? n : sizeof(zeros));
}

static void send_bytes(struct bench *b, int k, size_t n)
{
    struct gate_stream *s = calls[k].a.stream;
    static const char zeros[8192];
    struct gate_chain c;

    gate_chain_init(&c, &b->loop.blocks);
    for (size_t at = 0; at < n; at += sizeof(zeros))
        assert_int_equal(
            gate_chain_copy(&c, zeros, n - at < sizeof(zeros) ? n - at : sizeof(zeros)), 0);
    assert_int_equal(s->ops->send_body(s, &c, false), GATE_OK);
    turns(b, 2);
}

/* ------------------------------------------------------------------ credits */

/* Thirty streams whose bodies nobody takes hold their own windows, and not that of all. */
static void slow_streams_do_not_stall_another(void **state)
{
    struct bench *b = *state;
    struct origin o;
    size_t sent = 0;

    meet(b, &o);
    for (int k = 1; k <= 30; k++)
        request(b, k);
    for (int k = 0; k <= 30; k++) {
        answer(&o, (uint32_t)(2 * k + 1), 0);
        if (k < 30)
            put_data(&o, (uint32_t)(2 * k + 1), 65535);
        say(b, &o);
        sent += k < 30 ? 65535 : 0;
        assert_int_equal(calls[k].status, 200);
        assert_int_equal(calls[k].body, 0);
    }
    assert_true(sent > 65535 + GATE_H2_WINDOW);
    assert_true(o.in.window > sent);
    grant(30, 1000000);
    put_data(&o, 61, 65535);
    say(b, &o);
    assert_int_equal(calls[30].body, 65535);
    assert_int_equal(test_h2_stream(&o.in, 1)->window, 0);
    assert_true(test_h2_stream(&o.in, 61)->window > 0);
    grant(0, 40000);
    hear(b, &o);
    assert_int_equal(calls[0].body, 40000);
    assert_int_equal(test_h2_stream(&o.in, 1)->window, 40000);
    origin_close(&o);
}

static void up_and_down_at_once(void **state)
{
    struct bench *b = *state;
    struct origin o;

    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    until_woken(b, 0);
    send_request(0, false);
    origin_open(b, &o);
    say(b, &o);
    grant(0, 1000000);
    for (int i = 1; i <= 5; i++) {
        send_bytes(b, 0, 1000);
        if (i == 1)
            answer(&o, 1, 0);
        put_data(&o, 1, 500);
        say(b, &o);
        assert_int_equal(test_h2_stream(&o.in, 1)->n, i * 1000);
        assert_int_equal(calls[0].body, i * 500);
    }
    origin_close(&o);
}

static void a_sender_waits_for_its_own_window(void **state)
{
    struct bench *b = *state;
    struct origin o;

    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    until_woken(b, 0);
    send_request(0, false);
    origin_open(b, &o);
    test_h2_number(&o.out, TEST_H2_WINDOW, 0, 1u << 20);
    say(b, &o);
    send_bytes(b, 0, 400000);
    hear(b, &o);
    assert_int_equal(test_h2_stream(&o.in, 1)->n, 65535);
    assert_int_equal(calls[0].a.stream->ops->room(calls[0].a.stream), 0);
    assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
    send_request(1, false);
    send_bytes(b, 1, 1000);
    hear(b, &o);
    assert_int_equal(test_h2_stream(&o.in, 3)->n, 1000);
    test_h2_number(&o.out, TEST_H2_WINDOW, 1, 400000);
    say(b, &o);
    assert_int_equal(test_h2_stream(&o.in, 1)->n, 400000);
    assert_true(calls[0].rooms > 0);
    origin_close(&o);
}

/* A socket that takes nothing for a while: what waits goes out when it takes some again. */
static void a_send_that_blocked_goes_on(void **state)
{
    struct bench *b = *state;
    struct origin o;
    size_t n = 0;

    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    until_woken(b, 0);
    send_request(0, false);
    origin_open(b, &o);
    test_h2_number(&o.out, TEST_H2_WINDOW, 0, 1u << 30);
    test_h2_number(&o.out, TEST_H2_WINDOW, 1, 1u << 30);
    say(b, &o);
    for (; !calls[0].a.claim.link->h2->blocked && n < 128u << 20; n += 256u * 1024)
        send_bytes(b, 0, 256u * 1024);
    assert_true(calls[0].a.claim.link->h2->blocked);
    for (int t = 0; t < 10000 && test_h2_stream(&o.in, 1)->n < n; t++)
        hear(b, &o);
    assert_int_equal(test_h2_stream(&o.in, 1)->n, n);
    origin_close(&o);
}

/* ------------------------------------------------------------------ clocks */

static void the_first_byte_has_a_time(void **state)
{
    struct bench *b = *state;
    struct origin o;

    timeouts.first_byte_ms = 20000;
    meet(b, &o);
    pass(b, 12000);
    request(b, 1);
    pass(b, 7000);
    assert_int_equal(calls[0].broken, GATE_OK);
    pass(b, 1000);
    assert_int_equal(calls[0].broken, GATE_E_TIMEOUT);
    assert_string_equal(calls[0].why, "no response head in time");
    assert_int_equal(calls[1].broken, GATE_OK);
    hear(b, &o);
    assert_int_equal(test_h2_stream(&o.in, 1)->code, 8); /* CANCEL */
    assert_false(test_h2_stream(&o.in, 3)->reset);
    answer(&o, 3, TEST_H2_END);
    say(b, &o);
    assert_true(calls[1].ended);
    origin_close(&o);
}

static void an_interim_answer_is_a_sign_of_life(void **state)
{
    struct bench *b = *state;
    struct origin o;

    timeouts.first_byte_ms = 20000;
    meet(b, &o);
    pass(b, 18000);
    test_h2_headers(&o.out, 1, 0, (const char *const[]){":status", "103", NULL});
    say(b, &o);
    pass(b, 18000);
    assert_int_equal(calls[0].broken, GATE_OK);
    assert_int_equal(calls[0].infos, 1);
    pass(b, 2000);
    assert_int_equal(calls[0].broken, GATE_E_TIMEOUT);
    origin_close(&o);
}

/* The clock runs while bytes are wanted, and stands still while our side is busy. */
static void reading_has_a_time(void **state)
{
    struct bench *b = *state;
    struct origin o;

    timeouts.read_ms = 20000;
    meet(b, &o);
    answer(&o, 1, 0);
    say(b, &o);
    pass(b, 100000);
    assert_int_equal(calls[0].broken, GATE_OK);
    grant(0, 100);
    pass(b, 18000);
    put_data(&o, 1, 10);
    say(b, &o);
    pass(b, 18000);
    calls[0].a.stream->rests = true;
    grant(0, 0);
    pass(b, 100000);
    assert_int_equal(calls[0].broken, GATE_OK);
    calls[0].a.stream->rests = false;
    grant(0, 0);
    pass(b, 19000);
    assert_int_equal(calls[0].broken, GATE_OK);
    pass(b, 1000);
    assert_int_equal(calls[0].broken, GATE_E_TIMEOUT);
    assert_string_equal(calls[0].why, "no response bytes in time");
    origin_close(&o);
}

static void sending_has_a_time(void **state)
{
    struct bench *b = *state;
    struct origin o;

    timeouts.send_ms = 20000;
    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    until_woken(b, 0);
    send_request(0, false);
    origin_open(b, &o);
    say(b, &o);
    pass(b, 100000); /* nothing waits to be sent: the client is slow */
    send_bytes(b, 0, 100000);
    pass(b, 18000);
    test_h2_number(&o.out, TEST_H2_WINDOW, 0, 1000);
    test_h2_number(&o.out, TEST_H2_WINDOW, 1, 1000);
    say(b, &o);
    pass(b, 19000);
    assert_int_equal(calls[0].broken, GATE_OK);
    pass(b, 1000);
    assert_int_equal(calls[0].broken, GATE_E_TIMEOUT);
    assert_string_equal(calls[0].why, "the upstream takes no bytes");
    origin_close(&o);
}

/* A call that has sent a whole body, of which the server has taken a part, and has its answer. */
static void answered_early(struct bench *b, struct origin *o)
{
    timeouts.send_ms = 20000;
    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    until_woken(b, 0);
    send_request(0, false);
    origin_open(b, o);
    say(b, o);
    send_bytes(b, 0, 100000);
    assert_int_equal(calls[0].a.stream->ops->send_trailers(calls[0].a.stream, NULL), GATE_OK);
    answer(o, 1, TEST_H2_END);
    say(b, o);
}

/* A server that has said all, and takes no more of what it was sent: nobody else waits for that. */
static void what_is_left_to_send_has_a_time(void **state)
{
    struct bench *b = *state;
    struct gate_peer *peer = b->local->set->v[0].peer;
    struct origin o;

    answered_early(b, &o);
    grant(0, 100);
    turns(b, 2);
    assert_true(calls[0].ended);
    end(b, 0);
    pass(b, 18000);
    test_h2_number(&o.out, TEST_H2_WINDOW, 0, 1000);
    test_h2_number(&o.out, TEST_H2_WINDOW, 1, 1000);
    say(b, &o); /* it does take some */
    pass(b, 19000);
    hear(b, &o);
    assert_false(test_h2_stream(&o.in, 1)->reset);
    assert_int_equal(gate_peer_streams(peer), 1);
    pass(b, 1000);
    hear(b, &o);
    assert_true(test_h2_stream(&o.in, 1)->reset);
    assert_int_equal(gate_peer_streams(peer), 0);
    origin_close(&o);
}

/* While somebody takes the answer it is no business of the rest, but in a tunnel it is. */
static void only_in_tunnels_before_the_end(void **state)
{
    struct bench *b = *state;
    struct origin o;

    answered_early(b, &o);
    pass(b, 100000);
    assert_int_equal(calls[0].broken, GATE_OK);
    gate_h2_stream_of(calls[0].a.stream)->tunnel = true;
    grant(0, 0);
    pass(b, 20000);
    assert_int_equal(calls[0].broken, GATE_E_TIMEOUT);
    assert_string_equal(calls[0].why, "the upstream takes no bytes");
    origin_close(&o);
}

/* A socket that takes nothing holds up all who have something to send. */
static void a_deaf_peer_is_given_up(void **state)
{
    static const uint8_t window[6] = {0, 4, 0x7f, 0xff, 0xff, 0xff};
    struct bench *b = *state;
    struct origin o;

    timeouts.send_ms = 1000;
    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    until_woken(b, 0);
    send_request(0, false);
    origin_open(b, &o);
    o.out.n = 0;
    test_h2_frame(&o.out, TEST_H2_SETTINGS, 0, 0, window, sizeof(window));
    test_h2_number(&o.out, TEST_H2_WINDOW, 0, 1u << 30);
    say(b, &o);
    for (int i = 0; i < 1000 && !calls[0].a.claim.link->h2->blocked; i++)
        send_bytes(b, 0, 100000);
    assert_true(calls[0].a.claim.link->h2->blocked);
    assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
    send_request(1, true);
    pass(b, 1000);
    assert_int_equal(calls[0].broken, GATE_E_TIMEOUT);
    assert_int_equal(calls[1].broken, GATE_E_TIMEOUT);
    assert_string_equal(calls[1].why, "the upstream takes no bytes");
    end(b, 0);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 0);
    end(b, 1); /* their resets cannot be sent */
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    origin_close(&o);
}

/* ------------------------------------------------------------------ doubt */

static void pong(struct origin *o)
{
    test_h2_frame(&o->out, TEST_H2_PING, TEST_H2_ACK, 0, o->in.ping, 8);
}

static void after_a_timeout_the_peer_must_show_itself(void **state)
{
    struct bench *b = *state;
    struct origin o;

    timeouts.first_byte_ms = 1000;
    meet(b, &o);
    pass(b, 500);
    request(b, 1);
    pass(b, 500);
    assert_int_equal(calls[0].broken, GATE_E_TIMEOUT);
    hear(b, &o);
    assert_int_equal(o.in.pings, 1);
    assert_int_equal(ask(b, 2, h2_only()), GATE_E_AGAIN); /* not here */
    end(b, 2);
    pong(&o);
    say(b, &o);
    assert_int_equal(ask(b, 2, h2_only()), GATE_OK);
    assert_ptr_equal(calls[2].a.claim.link, calls[1].a.claim.link);
    origin_close(&o);
}

/* A question of the peer's is none of ours. */
static void a_ping_raises_no_doubt(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    test_h2_frame(&o.out, TEST_H2_PING, 0, 0, "12345678", 8);
    say(b, &o);
    pass(b, 2000);
    assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
    assert_ptr_equal(calls[1].a.claim.link, calls[0].a.claim.link);
    origin_close(&o);
}

static void in_doubt_and_without_streams_it_is_closed(void **state)
{
    struct bench *b = *state;
    struct origin o;

    timeouts.first_byte_ms = 1000;
    meet(b, &o);
    pass(b, 1000);
    assert_int_equal(calls[0].broken, GATE_E_TIMEOUT);
    end(b, 0);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    origin_close(&o);
}

/* After a long silence the next request asks along; others follow it for a second. */
static void after_silence_the_answer_must_come(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    pass(b, 10001);
    request(b, 1);
    hear(b, &o);
    assert_int_equal(o.in.pings, 1);
    request(b, 2);
    assert_ptr_equal(calls[2].a.claim.link, calls[0].a.claim.link);
    hear(b, &o);
    assert_int_equal(o.in.pings, 1);
    pass(b, 1000);
    assert_int_equal(ask(b, 3, h2_only()), GATE_E_AGAIN);
    assert_int_equal(calls[0].broken, GATE_OK); /* it may only be slow */
    pong(&o);
    say(b, &o);
    assert_int_equal(ask(b, 4, h2_only()), GATE_OK);
    assert_ptr_equal(calls[4].a.claim.link, calls[0].a.claim.link);
    origin_close(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        H2_CASE(slow_streams_do_not_stall_another),
        H2_CASE(up_and_down_at_once),
        H2_CASE(a_sender_waits_for_its_own_window),
        H2_CASE(a_send_that_blocked_goes_on),
        H2_CASE(the_first_byte_has_a_time),
        H2_CASE(an_interim_answer_is_a_sign_of_life),
        H2_CASE(reading_has_a_time),
        H2_CASE(sending_has_a_time),
        H2_CASE(what_is_left_to_send_has_a_time),
        H2_CASE(only_in_tunnels_before_the_end),
        H2_CASE(a_deaf_peer_is_given_up),
        H2_CASE(after_a_timeout_the_peer_must_show_itself),
        H2_CASE(a_ping_raises_no_doubt),
        H2_CASE(in_doubt_and_without_streams_it_is_closed),
        H2_CASE(after_silence_the_answer_must_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
