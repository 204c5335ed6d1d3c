/* covers: upstream/link_h2.c http/h2_client.c
 * Streams on one connection to an upstream, against an origin that writes its frames by hand: who
 * gets a place on it, how streams end alone, and how they end together. */
#include "link_h2_bench.h"
#include "net/conn_fault.h"

static uint64_t links_opened(struct bench *b)
{
    return gate_counters_get(&b->counters, GATE_C_LINKS_OPENED);
}

static struct gate_peer *peer_of(struct bench *b)
{
    return b->local->set->v[0].peer;
}

/* ------------------------------------------------------------------ places */

static void streams_share_a_link(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    assert_false(calls[0].a.reused);
    for (int k = 1; k < 4; k++) {
        request(b, k);
        assert_true(calls[k].a.reused);
        assert_ptr_equal(calls[k].a.claim.link, calls[0].a.claim.link);
    }
    hear(b, &o);
    assert_int_equal(o.in.n_streams, 4);
    assert_int_equal(gate_peer_streams(peer_of(b)), 4);
    answer(&o, 7, TEST_H2_END);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    assert_true(calls[3].ended && calls[0].ended && !calls[1].ended);
    end(b, 0);
    end(b, 3);
    assert_int_equal(gate_peer_streams(peer_of(b)), 2);
    assert_int_equal(links_opened(b), 1);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_HTTP2), 1);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINK_STREAMS), 4);
    origin_close(&o);
}

static void requests_wait_for_a_link_that_connects(void **state)
{
    struct bench *b = *state;

    for (int k = 0; k < 101; k++)
        assert_int_equal(ask(b, k, h2_only()), GATE_E_AGAIN);
    assert_int_equal(links_opened(b), 2); /* one has a hundred places */
    assert_false(calls[0].a.joined);
    assert_true(calls[99].a.joined);
    assert_false(calls[100].a.joined);
    for (int k = 0; k < 101; k++) {
        until_woken(b, k);
        assert_int_equal(calls[k].dialed, GATE_OK);
        assert_false(calls[k].a.reused && k == 0);
    }
    assert_ptr_equal(calls[0].a.claim.link, calls[99].a.claim.link);
    assert_ptr_not_equal(calls[0].a.claim.link, calls[100].a.claim.link);
}

static void who_waits_may_leave(void **state)
{
    struct bench *b = *state;

    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    assert_int_equal(ask(b, 1, h2_only()), GATE_E_AGAIN);
    end(b, 0);
    until_woken(b, 1);
    assert_int_equal(calls[1].dialed, GATE_OK);
    assert_false(calls[0].woken);
    end(b, 1); /* in a place, without a stream */
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    end(b, 0); /* the last one who waits: nobody wants the link any more */
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 2);
}

static void all_who_wait_hear_of_a_failure(void **state)
{
    struct bench *b = *state;

    close(b->listening[0]);
    for (int k = 0; k < 3; k++)
        assert_int_equal(ask(b, k, h2_only()), GATE_E_AGAIN);
    for (int k = 0; k < 3; k++) {
        until_woken(b, k);
        assert_int_not_equal(calls[k].dialed, GATE_OK);
        assert_string_equal(calls[k].a.why, "connect: Connection refused");
        assert_int_equal(calls[k].a.joined, k > 0);
        assert_null(calls[k].a.claim.link);
    }
    assert_int_equal(links_opened(b), 1);
    b->listening[0] = listen_here(&b->port[0]);
}

static void a_peer_that_chooses_http1_serves_one(void **state)
{
    struct bench *b = *state;
    struct gate_link_want either = {.connect_ms = 5000, .http2 = GATE_HTTP2_AUTO};

    for (int k = 0; k < 3; k++)
        assert_int_equal(ask(b, k, either), GATE_E_AGAIN);
    assert_int_equal(links_opened(b), 1);
    for (int k = 0; k < 3; k++) {
        until_woken(b, k);
        assert_int_equal(calls[k].dialed, GATE_OK);
        assert_int_equal(calls[k].a.claim.link->protocol, GATE_LINK_H1);
    }
    assert_int_equal(links_opened(b), 3);
    assert_int_equal(ask(b, 3, either), GATE_E_AGAIN);
    assert_int_equal(ask(b, 4, either), GATE_E_AGAIN);
    assert_int_equal(links_opened(b), 5); /* it is known by now: nobody waits for another */
}

static void no_more_than_the_peer_has_said(void **state)
{
    struct bench *b = *state;
    struct origin o;

    request(b, 0);
    origin_open(b, &o);
    announce(&o, 2);
    say(b, &o);
    request(b, 1);
    assert_int_equal(ask(b, 2, h2_only()), GATE_E_AGAIN);
    assert_int_equal(ask(b, 3, h2_only()), GATE_E_AGAIN);
    assert_int_equal(ask(b, 4, h2_only()), GATE_E_AGAIN);
    assert_int_equal(links_opened(b), 3); /* other connections are believed to be alike */
    answer(&o, 3, TEST_H2_END);
    say(b, &o);
    end(b, 1);
    assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
    assert_ptr_equal(calls[1].a.claim.link, calls[0].a.claim.link);
    origin_close(&o);
}

static void a_place_is_held_until_the_stream_begins(void **state)
{
    struct bench *b = *state;
    struct origin o;

    request(b, 0);
    origin_open(b, &o);
    announce(&o, 2);
    say(b, &o);
    assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
    assert_int_equal(ask(b, 2, h2_only()), GATE_E_AGAIN);
    end(b, 1);
    assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
    goaway(&o, 1);
    say(b, &o);
    assert_null(begin(1)); /* too late: another link may do */
    assert_true(gate_attempt_refused(&calls[1].a));
    assert_int_equal(gate_attempt_serial(&calls[1].a), 1);
    origin_close(&o);
}

/* A link is its peer's and its TLS's: other trust, another name or none is another link. */
static void a_link_is_shared_within_its_tls(void **state)
{
    static const struct gate_tls_client_config config = {.verify = false};
    struct gate_link_want want = {.http2 = GATE_HTTP2_ALWAYS};
    struct gate_tls_files files = {NULL};
    struct gate_tls_system system = {NULL};
    struct bench *b = *state;
    struct origin o;
    char why[200];

    meet(b, &o);
    assert_int_equal(gate_tls_client_new(&config, &files, &system, &want.tls, why, sizeof(why)),
                     GATE_OK);
    assert_null(gate_links_take(b->links, b->local, peer_of(b), &want));
    gate_tls_client_unref(&want.tls);
    assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
    origin_close(&o);
}

static void a_link_for_one_is_not_shared(void **state)
{
    struct bench *b = *state;
    struct gate_link_want alone = {.connect_ms = 5000, .http2 = GATE_HTTP2_ALWAYS, .alone = true};
    struct origin o;

    assert_int_equal(ask(b, 0, alone), GATE_E_AGAIN);
    assert_int_equal(gate_link_preface(calls[0].a.claim.link, GATE_STR("PROXY UNKNOWN\r\n")),
                     GATE_OK);
    assert_int_equal(ask(b, 1, h2_only()), GATE_E_AGAIN);
    assert_int_equal(links_opened(b), 2);
    until_woken(b, 0);
    send_request(0, true);
    origin_open(b, &o);
    turns(b, 2);
    assert_int_equal(recv(o.fd, o.in.streams[0].head, 15, 0), 15);
    assert_memory_equal(o.in.streams[0].head, "PROXY UNKNOWN\r\n", 15);
    o.in.streams[0].head[0] = '\0';
    say(b, &o);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    end(b, 0);
    hear(b, &o);
    assert_true(o.in.goaway);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    origin_close(&o);
}

/* ------------------------------------------------------------------ the shelf */

static void an_idle_link_is_kept_and_ends(void **state)
{
    struct bench *b = *state;
    struct origin o;

    configure(b, 0, 1, KEEP(64, 30000, 0, 0));
    meet(b, &o);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    end(b, 0);
    assert_int_equal(b->local->idle, 1);
    assert_int_equal(b->loop.blocks.live, 0); /* it holds none */
    pass(b, 29000);
    request(b, 0);
    assert_int_equal(b->local->idle, 0);
    assert_true(calls[0].a.reused);
    hear(b, &o);
    assert_int_equal(o.in.pings, 1); /* it was silent for long */
    answer(&o, 3, TEST_H2_END);
    say(b, &o);
    end(b, 0);
    pass(b, 29000);
    assert_int_equal(b->local->idle, 1);
    pass(b, 1001);
    assert_int_equal(b->local->idle, 0);
    hear(b, &o);
    assert_true(o.in.goaway);
    assert_int_equal(o.in.code, 0);
    origin_close(&o);
}

static void a_place_that_is_held_is_no_rest(void **state)
{
    struct bench *b = *state;
    struct origin o;

    configure(b, 0, 1, KEEP(64, 30000, 0, 0));
    meet(b, &o);
    assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    end(b, 0);
    assert_int_equal(b->local->idle, 0);
    pass(b, 31000);
    send_request(1, true);
    hear(b, &o);
    assert_true(test_h2_stream(&o.in, 3)->ended);
    answer(&o, 3, TEST_H2_END);
    say(b, &o);
    assert_true(calls[1].ended);
    end(b, 1);
    assert_int_equal(b->local->idle, 1);
    origin_close(&o);
}

static void links_retire_by_requests_age_and_cap(void **state)
{
    static const char *const options[] = {KEEP(64, 60000, 1, 0), KEEP(64, 60000, 0, 1000),
                                          KEEP(0, 60000, 0, 0)};
    struct bench *b = *state;

    for (int i = 0; i < 3; i++) {
        struct origin o;

        configure(b, 0, 1, options[i]);
        meet(b, &o);
        pass(b, 1000);
        answer(&o, 1, TEST_H2_END);
        say(b, &o);
        end(b, 0);
        hear(b, &o);
        assert_true(o.in.goaway);
        assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), i + 1);
        origin_close(&o);
    }
}

static void what_is_beyond_the_cap_ends_soon(void **state)
{
    struct bench *b = *state;
    struct origin o[2];

    configure(b, 0, 1, KEEP(1, 60000, 0, 0));
    for (int k = 0; k < 2; k++) {
        request(b, k);
        origin_open(b, &o[k]);
        announce(&o[k], 1);
        say(b, &o[k]);
    }
    for (int k = 0; k < 2; k++) {
        answer(&o[k], 1, TEST_H2_END);
        say(b, &o[k]);
        end(b, k);
    }
    assert_int_equal(b->local->idle, 2);
    pass(b, GATE_LINK_SURPLUS_MS);
    hear(b, &o[0]);
    hear(b, &o[1]);
    assert_false(o[0].in.goaway);
    assert_true(o[1].in.goaway);
    assert_int_equal(b->local->idle, 1);
    origin_close(&o[0]);
    origin_close(&o[1]);
}

static void peers_that_go_let_streams_end(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    configure(b, 1, 1, PLENTY);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    assert_true(calls[0].ended);
    end(b, 0);
    hear(b, &o);
    assert_true(o.in.goaway);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    origin_close(&o);
}

static void an_idle_link_ends_with_its_peer(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    end(b, 0);
    shutdown(o.fd, SHUT_WR);
    turns(b, 3);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    origin_close(&o);
}

static void an_idle_link_to_a_peer_that_goes_ends(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    end(b, 0);
    assert_int_equal(b->local->idle, 1);
    configure(b, 1, 1, PLENTY);
    assert_int_equal(b->local->idle, 0);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    hear(b, &o);
    assert_true(o.in.goaway);
    origin_close(&o);
}

/* ------------------------------------------------------------------ not processed, or lost */

static void a_goaway_lets_streams_end(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    request(b, 1);
    goaway(&o, 1);
    say(b, &o);
    assert_int_equal(calls[1].broken, GATE_E_RESET);
    assert_true(gate_attempt_refused(&calls[1].a));
    assert_true(gate_attempt_untouched(&calls[1].a, calls[1].broken));
    assert_false(gate_attempt_answered(&calls[1].a));
    assert_int_equal(calls[0].broken, GATE_OK);
    assert_int_equal(ask(b, 2, h2_only()), GATE_E_AGAIN);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    assert_true(calls[0].ended);
    end(b, 0);
    end(b, 1);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    origin_close(&o);
}

/* A request that waits to be sent when the peer's last word comes. */
static void a_goaway_overtakes_a_request(void **state)
{
    struct bench *b = *state;
    struct gate_link *l;
    struct origin o;

    meet(b, &o);
    l = calls[0].a.claim.link;
    goaway(&o, 1);
    assert_int_equal(send(o.fd, o.out.p, o.out.n, 0), o.out.n);
    o.out.n = 0;
    assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
    send_request(1, true);
    hear(b, &o);
    assert_int_equal(o.in.n_streams, 1);
    assert_int_equal(calls[1].broken, GATE_E_RESET);
    assert_string_equal(calls[1].why, "the upstream takes no more streams");
    assert_true(gate_attempt_refused(&calls[1].a));
    assert_int_equal(l->h2->h2.open, 1);
    assert_int_equal(gate_peer_streams(peer_of(b)), 1);
    end(b, 1);
    assert_int_equal(l->h2->h2.open, 1);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    assert_true(calls[0].ended);
    end(b, 0);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    origin_close(&o);
}

static void a_request_is_called_off_before_it_leaves(void **state)
{
    struct bench *b = *state;
    struct gate_link *l;
    struct origin o;

    meet(b, &o);
    l = calls[0].a.claim.link;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(b, 1, h2_only()), GATE_OK);
        send_request(1, true);
        end(b, 1);
        hear(b, &o);
        assert_int_equal(o.in.n_streams, 1);
        assert_int_equal(l->h2->h2.open, 1);
        assert_int_equal(gate_peer_streams(peer_of(b)), 1);
    }
    request(b, 1);
    assert_ptr_equal(calls[1].a.claim.link, l);
    answer(&o, 9, TEST_H2_END);
    say(b, &o);
    assert_true(calls[1].ended);
    origin_close(&o);
}

static void a_refused_stream_may_be_sent_again(void **state)
{
    struct bench *b = *state;
    struct origin o;
    uint64_t serial;

    meet(b, &o);
    request(b, 1);
    test_h2_number(&o.out, TEST_H2_RST, 1, 7); /* REFUSED_STREAM */
    test_h2_number(&o.out, TEST_H2_RST, 3, 2); /* INTERNAL_ERROR */
    say(b, &o);
    assert_true(gate_attempt_refused(&calls[0].a));
    assert_true(gate_attempt_untouched(&calls[0].a, GATE_E_RESET));
    assert_false(gate_attempt_refused(&calls[1].a));
    assert_false(gate_attempt_untouched(&calls[1].a, GATE_E_RESET));
    assert_string_equal(calls[1].why, "the upstream cancelled the stream");
    request(b, 2); /* the link is as good as before */
    assert_ptr_equal(calls[2].a.claim.link, calls[0].a.claim.link);
    serial = gate_attempt_serial(&calls[0].a);
    assert_int_equal(serial, calls[2].a.claim.link->serial);
    end(b, 0);
    assert_int_equal(
        ask(b, 0, (struct gate_link_want){.http2 = GATE_HTTP2_ALWAYS, .after = serial}),
        GATE_E_AGAIN); /* a newer one was wanted */
    origin_close(&o);
}

/* The peer knows nothing of what was not written, and would never say a word. */
static void a_write_that_the_system_refuses_ends_all_streams(void **state)
{
    struct gate_fault_plan plan = {.fail_at = 1, .fail_errno = ENOBUFS};
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    gate_conn_fault_wrap(&calls[0].a.claim.link->conn, &plan);
    request(b, 1);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(calls[k].broken, GATE_E_RESET);
        assert_string_equal(calls[k].why, "No buffer space available");
        end(b, k);
    }
    origin_close(&o);
}

static void a_lost_connection_ends_all_its_streams(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    request(b, 1);
    hear(b, &o);
    answer(&o, 1, 0);
    say(b, &o);
    assert_int_equal(calls[0].status, 200);
    close(o.fd);
    o.fd = -1;
    turns(b, 3);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(calls[k].broken, GATE_E_EOF);
        assert_false(gate_attempt_untouched(&calls[k].a, GATE_E_EOF));
    }
    assert_true(gate_attempt_answered(&calls[0].a));
    assert_false(gate_attempt_answered(&calls[1].a));
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 0);
    end(b, 0);
    end(b, 1);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 1);
    origin_close(&o);
}

/* The end of the connection had come before the request was sent: its bytes are not taken. */
static void a_peer_that_ended_before_has_taken_nothing(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    end(b, 0);
    assert_int_equal(ask(b, 0, h2_only()), GATE_OK);
    send_request(0, true);
    close(o.fd);
    o.fd = -1;
    for (int t = 0; t < 1000 && calls[0].broken == GATE_OK; t++)
        turns(b, 1);
    assert_true(gate_attempt_untouched(&calls[0].a, calls[0].broken));
    assert_false(gate_attempt_refused(&calls[0].a));
    origin_close(&o);
}

static void a_complete_answer_survives_the_connection(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    answer(&o, 1, 0);
    test_h2_frame(&o.out, TEST_H2_DATA, TEST_H2_END, 1, "hello", 5);
    say(b, &o);
    close(o.fd);
    o.fd = -1;
    turns(b, 3);
    assert_int_equal(calls[0].broken, GATE_OK);
    assert_int_equal(gate_peer_streams(peer_of(b)), 0);
    grant(0, 100);
    turns(b, 2);
    assert_int_equal(calls[0].body, 5);
    assert_true(calls[0].ended);
    origin_close(&o);
}

/* An answer that ends before the request does; the origin wants no more of it. */
static void an_early_answer_is_whole(void **state)
{
    struct bench *b = *state;
    struct origin o;

    assert_int_equal(ask(b, 0, h2_only()), GATE_E_AGAIN);
    until_woken(b, 0);
    send_request(0, false);
    origin_open(b, &o);
    say(b, &o);
    answer(&o, 1, TEST_H2_END);
    test_h2_number(&o.out, TEST_H2_RST, 1, 0);
    say(b, &o);
    assert_true(calls[0].ended);
    assert_int_equal(calls[0].broken, GATE_OK);
    end(b, 0);
    hear(b, &o);
    assert_false(o.in.goaway);
    assert_int_equal(b->local->idle, 1);
    origin_close(&o);
}

static void what_nobody_wants_is_cancelled(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    end(b, 0);
    hear(b, &o);
    assert_true(test_h2_stream(&o.in, 1)->reset);
    assert_int_equal(test_h2_stream(&o.in, 1)->code, 8); /* CANCEL */
    assert_int_equal(b->local->idle, 1);
    origin_close(&o);
}

/* Clients that begin and cancel all the time must not have the peer end the connection of others. */
static void a_link_of_cancelled_streams_retires(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    for (int i = 0; i < GATE_H2_CANCELLED; i++) {
        request(b, 1);
        assert_ptr_equal(calls[1].a.claim.link, calls[0].a.claim.link);
        end(b, 1);
    }
    assert_int_equal(ask(b, 1, h2_only()), GATE_E_AGAIN);
    hear(b, &o);
    assert_int_equal(o.in.resets, GATE_H2_CANCELLED);
    answer(&o, 1, TEST_H2_END);
    say(b, &o);
    assert_true(calls[0].ended);
    end(b, 0);
    hear(b, &o);
    assert_true(o.in.goaway);
    origin_close(&o);
}

/* One in two is what happens. */
static void a_link_of_some_cancelled_streams_does_not(void **state)
{
    struct bench *b = *state;
    struct origin o;

    meet(b, &o);
    for (uint32_t i = 0; i < GATE_H2_CANCELLED + 10; i++) {
        request(b, 1);
        end(b, 1);
        request(b, 1);
        assert_ptr_equal(calls[1].a.claim.link, calls[0].a.claim.link);
        answer(&o, 4 * i + 5, TEST_H2_END);
        say(b, &o);
        assert_true(calls[1].ended);
        end(b, 1);
    }
    origin_close(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        H2_CASE(streams_share_a_link),
        H2_CASE(requests_wait_for_a_link_that_connects),
        H2_CASE(who_waits_may_leave),
        H2_CASE(all_who_wait_hear_of_a_failure),
        H2_CASE(a_peer_that_chooses_http1_serves_one),
        H2_CASE(no_more_than_the_peer_has_said),
        H2_CASE(a_place_is_held_until_the_stream_begins),
        H2_CASE(a_link_is_shared_within_its_tls),
        H2_CASE(a_link_for_one_is_not_shared),
        H2_CASE(an_idle_link_is_kept_and_ends),
        H2_CASE(a_place_that_is_held_is_no_rest),
        H2_CASE(links_retire_by_requests_age_and_cap),
        H2_CASE(what_is_beyond_the_cap_ends_soon),
        H2_CASE(peers_that_go_let_streams_end),
        H2_CASE(an_idle_link_ends_with_its_peer),
        H2_CASE(an_idle_link_to_a_peer_that_goes_ends),
        H2_CASE(a_goaway_lets_streams_end),
        H2_CASE(a_goaway_overtakes_a_request),
        H2_CASE(a_request_is_called_off_before_it_leaves),
        H2_CASE(a_refused_stream_may_be_sent_again),
        H2_CASE(a_write_that_the_system_refuses_ends_all_streams),
        H2_CASE(a_lost_connection_ends_all_its_streams),
        H2_CASE(a_peer_that_ended_before_has_taken_nothing),
        H2_CASE(a_complete_answer_survives_the_connection),
        H2_CASE(an_early_answer_is_whole),
        H2_CASE(what_nobody_wants_is_cancelled),
        H2_CASE(a_link_of_cancelled_streams_retires),
        H2_CASE(a_link_of_some_cancelled_streams_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
