/* covers: upstream/link_h2.c http/h2_client.c
 * Origins that break the protocol or flood: the streams fail as answers that are not valid, and
 * nothing else does. */
#include "link_h2_bench.h"

/* An answer to call 0 that is against the rules of messages: its stream fails, alone. */
static void is_malformed(struct bench *b, struct origin *o, const char *why)
{
    say(b, o);
    assert_int_equal(calls[0].broken, GATE_E_SYNTAX);
    if (why != NULL)
        assert_string_equal(calls[0].why, why);
    assert_false(gate_attempt_refused(&calls[0].a));
    assert_true(test_h2_stream(&o->in, 1)->reset);
    assert_false(o->in.goaway);
    request(b, 1);
    assert_ptr_equal(calls[1].a.claim.link, calls[0].a.claim.link);
    answer(o, 3, TEST_H2_END);
    say(b, o);
    assert_true(calls[1].ended);
    origin_close(o);
}

/* The whole connection is against the rules: all streams fail, the origin is told `code`. */
static void is_broken(struct bench *b, struct origin *o, uint32_t code)
{
    request(b, 1);
    say(b, o);
    turns(b, 5);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(calls[k].broken, GATE_E_SYNTAX);
        assert_non_null(calls[k].why);
        assert_false(gate_attempt_refused(&calls[k].a));
        assert_false(gate_attempt_untouched(&calls[k].a, calls[k].broken));
    }
    hear(b, o);
    assert_true(o->in.goaway);
    assert_int_equal(o->in.code, code);
    assert_int_equal(ask(b, 2, h2_only()), GATE_E_AGAIN);
    end(b, 0);
    end(b, 1);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    origin_close(o);
}

enum { PROTOCOL = 1, FLOW_CONTROL = 3, COMPRESSION = 9, CALM = 11 };

static void put_head(struct origin *o, const char *const *pairs)
{
    test_h2_headers(&o->out, 1, 0, pairs);
}

/* ------------------------------------------------------------------ messages */

static void heads_that_are_not_valid(void **state)
{
    static const char *const heads[][5] = {
        {":status", "200", "connection", "close", NULL},
        {":status", "200", "transfer-encoding", "chunked", NULL},
        {":status", "200", "X-Upper", "a", NULL},
        {":status", "200", "x", "a\r\nb: c", NULL},
        {":status", "99", NULL},
        {":status", "2000", NULL},
        {":status", "101", NULL},
        {":path", "/", NULL},
        {"x", "a", ":status", "200", NULL},
    };

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct bench *b;
        struct origin o;

        open_h2(state);
        b = *state;
        meet(b, &o);
        put_head(&o, heads[i]);
        is_malformed(b, &o, NULL);
        close_h2(state);
    }
}

/* The answer is bad and complete, the request is not, and the connection ends before that could be
 * said: the read fills the block, so that the end is seen in the same event. */
static void a_bad_answer_and_the_end(void **state)
{
    static const char zeros[GATE_BLOCK_SIZE];
    struct bench *b = *state;
    struct origin o;
    size_t n;

    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    until_woken(b, 0);
    send_request(0, false);
    origin_open(b, &o);
    say(b, &o);
    test_h2_headers(&o.out, 1, TEST_H2_END, (const char *const[]){":status", "826", NULL});
    n = o.out.n;
    o.out.n = 0;
    test_h2_frame(&o.out, 0x99, 0, 0, zeros, GATE_BLOCK_SIZE - 9 - n);
    test_h2_headers(&o.out, 1, TEST_H2_END, (const char *const[]){":status", "826", NULL});
    assert_int_equal(send(o.fd, o.out.p, o.out.n, MSG_NOSIGNAL), (ssize_t)o.out.n);
    shutdown(o.fd, SHUT_WR);
    for (int t = 0; t < 1000 && calls[0].broken == GATE_OK; t++)
        turns(b, 1);
    assert_int_equal(calls[0].broken, GATE_E_SYNTAX);
    origin_close(&o);
}

static void too_many_interim_answers(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    for (int i = 0; i < 9; i++)
        put_head(&o, (const char *const[]){":status", "103", NULL});
    say(b, &o);
    assert_int_equal(calls[0].infos, 8);
    is_malformed(b, &o, "too many interim responses");
}

static void a_head_that_is_too_large(void **state)
{
    struct bench *b = *state;
    struct origin o;
    char value[3000];

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    meet(b, &o);
    put_head(&o, (const char *const[]){":status", "200", "a", value, "b", value, "c", value, NULL});
    is_malformed(b, &o, "head is too large");
}

static void lengths_that_do_not_fit(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    put_head(&o, (const char *const[]){":status", "200", "content-length", "5", NULL});
    test_h2_frame(&o.out, TEST_H2_DATA, TEST_H2_END, 1, "four", 4);
    is_malformed(b, &o, NULL);
}

static void answers_that_end_badly_have_a_budget(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    for (int i = 0; i < 200 && !o.in.goaway; i++) {
        if (i > 0)
            request(b, 0);
        test_h2_headers(&o.out, (uint32_t)(2 * i + 1), 0,
                        (const char *const[]){":status", "200", "connection", "x", NULL});
        say(b, &o);
        assert_int_equal(calls[0].broken, GATE_E_SYNTAX);
        end(b, 0);
        memset(&o.in.streams[0], 0, sizeof(o.in.streams[0])); /* of the origin, used again */
        o.in.n_streams = 0;
        hear(b, &o);
    }
    assert_true(o.in.goaway);
    assert_int_equal(o.in.code, CALM);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_H2_FLOODS), 1);
    origin_close(&o);
}

/* What it cancels it has not made us do anything for. */
static void cancelled_streams_cost_nothing(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    for (uint32_t i = 0; i < 150; i++) {
        if (i > 0)
            request(b, 0);
        test_h2_number(&o.out, TEST_H2_RST, 2 * i + 1, 7);
        say(b, &o);
        assert_int_equal(calls[0].broken, GATE_E_RESET);
        assert_true(gate_attempt_refused(&calls[0].a));
        end(b, 0);
        memset(&o.in.streams[0], 0, sizeof(o.in.streams[0])); /* of the origin, used again */
        o.in.n_streams = 0;
    }
    assert_false(o.in.goaway);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_OPENED), 1);
    origin_close(&o);
}

/* ------------------------------------------------------------------ connections */

static void no_http2_at_all(void **state)
{
    struct bench *b = *state;
    struct origin o;

    request(b, 0);
    origin_open(b, &o);
    o.out.n = 0;
    test_h2_put(&o.out, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    say(b, &o);
    turns(b, 5);
    assert_int_equal(calls[0].broken, GATE_E_SYNTAX);
    assert_string_equal(calls[0].why, "the upstream does not speak HTTP/2");
    origin_close(&o);
}

static void put_push(struct origin *o, uint32_t promised)
{
    const uint8_t id[4] = {0, 0, (uint8_t)(promised >> 8), (uint8_t)promised};
    struct test_h2_out block = {0};

    test_h2_put(&block, id, sizeof(id));
    test_h2_field(&block, ":method", "GET");
    test_h2_field(&block, ":scheme", "http");
    test_h2_field(&block, ":authority", "a");
    test_h2_field(&block, ":path", "/pushed");
    test_h2_frame(&o->out, TEST_H2_PUSH, TEST_H2_WHOLE, 1, block.p, block.n);
    test_h2_clear(&block);
}

static void a_push(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    test_h2_frame(&o.out, TEST_H2_SETTINGS, TEST_H2_ACK, 0, NULL, 0);
    put_push(&o, 2);
    is_broken(b, &o, PROTOCOL);
}

/* As long as the origin may not know that pushes are not wanted, each is refused. */
static void pushes_at_once(void **state)
{
    struct bench *b = *state;
    struct origin o;

    request(b, 0);
    origin_open(b, &o);
    put_push(&o, 2);
    say(b, &o);
    assert_true(test_h2_stream(&o.in, 2)->reset);
    assert_int_equal(calls[0].broken, GATE_OK);
    for (uint32_t i = 2; i <= 101; i++)
        put_push(&o, 2 * i);
    is_broken(b, &o, CALM);
}

static void empty_frames(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    answer(&o, 1, 0);
    for (int i = 0; i < 101; i++)
        test_h2_frame(&o.out, TEST_H2_DATA, 0, 1, NULL, 0);
    is_broken(b, &o, CALM);
}

static void heads_without_end(void **state)
{
    struct bench *b = *state;
    struct test_h2_out block = {0};
    struct origin o;

    meet(b, &o);
    test_h2_field(&block, ":status", "200");
    test_h2_frame(&o.out, TEST_H2_HEADERS, 0, 1, block.p, block.n);
    test_h2_clear(&block);
    for (int i = 0; i < 20; i++)
        test_h2_frame(&o.out, TEST_H2_CONTINUATION, 0, 1, NULL, 0);
    say(b, &o);
    turns(b, 5);
    assert_int_equal(calls[0].broken, GATE_E_SYNTAX);
    end(b, 0);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    origin_close(&o);
}

static void settings_without_end(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    for (int i = 0; i < 2000; i++)
        test_h2_frame(&o.out, TEST_H2_SETTINGS, 0, 0, NULL, 0);
    assert_int_equal(send(o.fd, o.out.p, o.out.n, MSG_NOSIGNAL), (ssize_t)o.out.n);
    turns(b, 10);
    assert_int_equal(calls[0].broken, GATE_E_SYNTAX);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_H2_FLOODS), 1);
    origin_close(&o);
}

static void pings_without_end(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    for (int i = 0; i < 100 && calls[0].broken == GATE_OK; i++) {
        for (int k = 0; k < 800; k++)
            test_h2_frame(&o.out, TEST_H2_PING, 0, 0, "12345678", 8);
        if (send(o.fd, o.out.p, o.out.n, MSG_NOSIGNAL) < 0)
            break;
        o.out.n = 0;
        hear(b, &o);
    }
    assert_int_equal(calls[0].broken, GATE_E_SYNTAX);
    assert_string_equal(calls[0].why, "frames without content");
    origin_close(&o);
}

static void window_games(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    test_h2_number(&o.out, TEST_H2_WINDOW, 0, 0);
    is_broken(b, &o, PROTOCOL);
}

static void a_window_beyond_its_end(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    test_h2_number(&o.out, TEST_H2_WINDOW, 0, 0x7fffffff);
    is_broken(b, &o, FLOW_CONTROL);
}

static void bytes_beyond_our_window(void **state)
{
    static const char zeros[16384];
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    answer(&o, 1, 0);
    for (int i = 0; i < 5; i++)
        test_h2_frame(&o.out, TEST_H2_DATA, 0, 1, zeros, sizeof(zeros));
    request(b, 1);
    say(b, &o);
    assert_int_not_equal(calls[0].broken, GATE_OK);
    assert_int_equal(calls[0].body, 0);
    origin_close(&o);
}

static void a_stream_that_never_was(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    test_h2_frame(&o.out, TEST_H2_DATA, 0, 7, "x", 1);
    is_broken(b, &o, PROTOCOL);
}

static void a_head_that_cannot_be_decoded(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    test_h2_frame(&o.out, TEST_H2_HEADERS, TEST_H2_WHOLE, 1, "\xff\xff\xff\xff\xff", 5);
    is_broken(b, &o, COMPRESSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_that_are_not_valid),
        H2_CASE(a_bad_answer_and_the_end),
        H2_CASE(too_many_interim_answers),
        H2_CASE(a_head_that_is_too_large),
        H2_CASE(lengths_that_do_not_fit),
        H2_CASE(answers_that_end_badly_have_a_budget),
        H2_CASE(cancelled_streams_cost_nothing),
        H2_CASE(no_http2_at_all),
        H2_CASE(a_push),
        H2_CASE(pushes_at_once),
        H2_CASE(empty_frames),
        H2_CASE(heads_without_end),
        H2_CASE(settings_without_end),
        H2_CASE(pings_without_end),
        H2_CASE(window_games),
        H2_CASE(a_window_beyond_its_end),
        H2_CASE(bytes_beyond_our_window),
        H2_CASE(a_stream_that_never_was),
        H2_CASE(a_head_that_cannot_be_decoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
