/* The contract of the stream interface, the same cases over every implementation: in memory, over
 * h2 (two codecs whose bytes go from one to the other), and over h1 and h2, where the client's side
 * is a link and the server's side a session at the two ends of one TCP connection, plain and
 * through connections that give one byte at a time. The session calls a
 * flow of this file's own, so that nothing but the two streams is between the two users. */
#include "stream_world.h"

#include <errno.h>

#define OK(call) assert_int_equal((call), GATE_OK)

/* ------------------------------------------------------------------ cases */

/* One whole exchange of the given framing; both sides give back. */
static void exchange(enum gate_framing framing, size_t n)
{
    struct party *c = &world->client, *s = &world->server;

    begin(GATE_M_POST);
    OK(send_head(c, 0, framing, n, n == 0 && framing == GATE_BODY_NONE));
    assert_true(wait_server());
    grant(s, n + 1);
    if (framing != GATE_BODY_NONE)
        OK(send_body(c, 0, n, true));
    assert_true(wait_for(&s->ended));
    check_pattern(s, n);
    grant(c, n + 1);
    OK(send_head(s, 200, framing, n, framing == GATE_BODY_NONE));
    OK(send_body(s, 0, framing == GATE_BODY_NONE ? 0 : n, true));
    assert_true(wait_for(&c->ended));
    assert_int_equal(c->status, 200);
    check_pattern(c, n);
    leave(s, true);
    leave(c, true);
    turn(30);
}

static void head_body_end(void)
{
    exchange(GATE_BODY_LENGTH, 5);
}

static void chunked_bodies(void)
{
    exchange(GATE_BODY_CHUNKED, 5000);
}

static void many_on_one_connection(void)
{
    for (int i = 0; i < 9; i++)
        exchange(i % 3 == 0   ? GATE_BODY_LENGTH
                 : i % 3 == 1 ? GATE_BODY_CHUNKED
                              : GATE_BODY_NONE,
                 i % 3 == 2 ? 0 : 300);
}

static void interim_heads_come_first(void)
{
    begin(GATE_M_POST);
    assert_int_equal(send_info(&world->client, 103), GATE_E_INVALID);
    OK(send_head(&world->client, 0, GATE_BODY_NONE, 0, true));
    assert_true(wait_server());
    OK(send_info(&world->server, 102));
    turn(60);
    OK(send_info(&world->server, 103));
    OK(send_head(&world->server, 204, GATE_BODY_NONE, 0, true));
    OK(send_body(&world->server, 0, 0, true));
    assert_true(wait_for(&world->client.ended));
    assert_int_equal(world->client.n_infos, 2);
    assert_int_equal(world->client.infos[0], 102);
    assert_int_equal(world->client.infos[1], 103);
    assert_int_equal(world->client.status, 204);
    leave(&world->server, true);
    leave(&world->client, true);
}

/* Names are in lower case over h2. */
static void assert_trailers(const struct party *p, const char *text)
{
    assert_int_equal(strcasecmp(p->trailers, text), 0);
}

static void trailers_come_before_the_end(void)
{
    struct party *c = &world->client, *s = &world->server;

    begin(GATE_M_POST);
    OK(send_head(c, 0, GATE_BODY_CHUNKED, 0, false));
    OK(send_body(c, 0, 10, false));
    OK(send_trailers(c, "X-Sum", "1"));
    assert_true(wait_server());
    grant(s, 100);
    assert_true(wait_for(&s->ended));
    assert_trailers(s, "X-Sum=1;");
    grant(c, 100);
    OK(send_head(s, 200, GATE_BODY_CHUNKED, 0, false));
    OK(send_trailers(s, "X-Sum", "2"));
    assert_true(wait_for(&c->ended));
    assert_trailers(c, "X-Sum=2;");
    leave(s, true);
    leave(c, true);
    turn(20);
    exchange(GATE_BODY_LENGTH, 5);
}

/* Where the framing has no place for trailers they are dropped, and the message ends. Over h2 there
 * always is one. */
static void trailers_without_a_place(void)
{
    begin(GATE_M_POST);
    OK(send_head(&world->client, 0, GATE_BODY_LENGTH, 3, false));
    OK(send_body(&world->client, 0, 3, false));
    OK(send_trailers(&world->client, "X-Sum", "1"));
    assert_true(wait_server());
    grant(&world->server, 100);
    assert_true(wait_for(&world->server.ended));
    assert_string_equal(world->server.trailers, world->kind >= H2 ? "x-sum=1;" : "");
}

static void nothing_beyond_the_grants(void)
{
    struct party *c = &world->client, *s = &world->server;

    begin(GATE_M_POST);
    OK(send_head(c, 0, GATE_BODY_CHUNKED, 0, false));
    assert_true(wait_server());
    s->most = 0;
    OK(send_body(c, 0, 20000, false));
    turn(200);
    s->most = 1000;
    grant(s, 1000);
    assert_true(wait_body(s, 1000));
    turn(100);
    s->most = 1001;
    grant(s, 1);
    assert_true(wait_body(s, 1001));
    s->most = 30000;
    grant(s, 28999);
    OK(send_body(c, 20000, 5000, true));
    assert_true(wait_for(&s->ended));
    check_pattern(s, 25000);
    OK(send_head(s, 200, GATE_BODY_LENGTH, 20000, false));
    assert_true(wait_status());
    c->most = 0;
    OK(send_body(s, 0, 20000, true));
    turn(200);
    c->most = 500;
    grant(c, 500);
    assert_true(wait_body(c, 500));
    turn(100);
    c->most = 20000;
    grant(c, 19500);
    assert_true(wait_for(&c->ended));
    check_pattern(c, 20000);
    leave(s, true);
    leave(c, true);
}

static void room_falls_and_comes_back(void)
{
    struct party *from = &world->client, *to = &world->server;

    begin(GATE_M_POST);
    OK(send_head(from, 0, GATE_BODY_CHUNKED, 0, false));
    assert_true(wait_server());
    for (int way = 0; way < 2; way++) {
        size_t said = 0;
        int rooms;

        while (from->s->ops->room(from->s) > 0 && said < BODY_MAX - 65536) {
            OK(send_body(from, said, 65536, false));
            said += 65536;
            turn(2);
        }
        assert_int_equal(from->s->ops->room(from->s), 0);
        turn(10);
        rooms = from->rooms;
        grant(to, BODY_MAX);
        assert_true(wait_body(to, said));
        assert_true(from->rooms > rooms);
        assert_true(from->s->ops->room(from->s) > 0);
        OK(send_body(from, said, 0, true));
        assert_true(wait_for(&to->ended));
        check_pattern(to, said);
        from = &world->server;
        to = &world->client;
        if (way == 0)
            OK(send_head(from, 200, GATE_BODY_CHUNKED, 0, false));
        if (way == 0)
            assert_true(wait_status());
    }
    leave(&world->server, true);
    leave(&world->client, true);
}

static void a_reset_request_is_incomplete(void)
{
    static const enum gate_framing framings[] = {GATE_BODY_LENGTH, GATE_BODY_CHUNKED};

    for (int i = 0; i < 2; i++) {
        begin(GATE_M_POST);
        OK(send_head(&world->client, 0, framings[i], 100, false));
        OK(send_body(&world->client, 0, 50, false));
        assert_true(wait_server());
        grant(&world->server, 1000);
        assert_true(wait_body(&world->server, 50));
        leave(&world->client, false);
        assert_true(wait_for(&world->server.broken));
        assert_false(world->server.ended);
        leave(&world->server, false);
        turn(20);
        world->connected = world->session_open = false;
    }
}

static void a_reset_answer_is_incomplete(void)
{
    static const enum gate_framing framings[] = {GATE_BODY_LENGTH, GATE_BODY_CHUNKED};

    for (int i = 0; i < 2; i++) {
        begin(GATE_M_POST);
        OK(send_head(&world->client, 0, GATE_BODY_NONE, 0, true));
        assert_true(wait_server());
        OK(send_head(&world->server, 200, framings[i], 100, false));
        OK(send_body(&world->server, 0, 50, false));
        grant(&world->client, 1000);
        assert_true(wait_body(&world->client, 50));
        leave(&world->server, false);
        assert_true(wait_for(&world->client.broken));
        assert_false(world->client.ended);
        assert_int_equal(send_body(&world->client, 0, 1, false), GATE_E_CLOSED);
        leave(&world->client, false);
        turn(20);
        world->connected = world->session_open = false;
    }
}

static void a_reset_before_the_answer(void)
{
    begin(GATE_M_POST);
    OK(send_head(&world->client, 0, GATE_BODY_NONE, 0, true));
    assert_true(wait_server());
    leave(&world->server, false);
    assert_true(wait_for(&world->client.broken));
    assert_int_equal(world->client.status, 0);
}

/* The answer is complete while the request is not: the client hears all of it. */
static void an_early_answer_arrives(void)
{
    begin(GATE_M_POST);
    OK(send_head(&world->client, 0, GATE_BODY_CHUNKED, 0, false));
    OK(send_body(&world->client, 0, 10, false));
    assert_true(wait_server());
    grant(&world->server, 100);
    OK(send_head(&world->server, 403, GATE_BODY_LENGTH, 5, false));
    OK(send_body(&world->server, 0, 5, true));
    grant(&world->client, 100);
    leave(&world->server, true);
    assert_true(wait_for(&world->client.ended));
    check_pattern(&world->client, 5);
    turn(5);
}

static void lengths_are_kept(void)
{
    begin(GATE_M_POST);
    OK(send_head(&world->client, 0, GATE_BODY_LENGTH, 10, false));
    assert_int_equal(send_body(&world->client, 0, 11, false), GATE_E_INVALID);
    OK(send_body(&world->client, 0, 5, false));
    assert_int_equal(send_body(&world->client, 5, 3, true), GATE_E_INVALID);
}

static const struct {
    const char *name;
    void (*run)(void);
    bool bulk; /* through pieces of a kilobyte where others go byte by byte */
} cases[] = {
    {"head, body, end", head_body_end, false},
    {"chunked bodies", chunked_bodies, false},
    {"many on one connection", many_on_one_connection, false},
    {"interim heads come first", interim_heads_come_first, false},
    {"trailers come before the end", trailers_come_before_the_end, false},
    {"trailers without a place", trailers_without_a_place, false},
    {"nothing beyond the grants", nothing_beyond_the_grants, true},
    {"room falls and comes back", room_falls_and_comes_back, true},
    {"a reset request is incomplete", a_reset_request_is_incomplete, false},
    {"a reset answer is incomplete", a_reset_answer_is_incomplete, false},
    {"a reset before the answer", a_reset_before_the_answer, false},
    {"an early answer arrives", an_early_answer_arrives, false},
    {"lengths are kept", lengths_are_kept, false},
};

static void run_kind(enum kind kind)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gate_fault_plan plan = {.max_bytes = cases[i].bulk ? 1000 : 1,
                                       .again_after_each = true};
        struct world w;

        print_message("           %s: %s\n", kind_names[kind], cases[i].name);
        open_world(&w, kind, &plan);
        cases[i].run();
        close_world();
    }
}

static void in_memory(void **state)
{
    (void)state;
    run_kind(MEMORY);
}

static void over_h1(void **state)
{
    (void)state;
    run_kind(H1);
}

static void over_h1_by_bytes(void **state)
{
    (void)state;
    run_kind(H1_BYTES);
}

static void over_h2(void **state)
{
    (void)state;
    run_kind(H2);
}

static void over_h2_by_bytes(void **state)
{
    (void)state;
    run_kind(H2_BYTES);
}

static void over_an_h2_link(void **state)
{
    (void)state;
    run_kind(H2_LINK);
}

static void over_an_h2_link_by_bytes(void **state)
{
    (void)state;
    run_kind(H2_LINK_BYTES);
}

/* An exchange where operation k of one side fails: each side hears the end or a reset, whichever
 * applies, and nothing is held afterwards. Returns whether k was reached. */
static bool fail_at(enum kind kind, bool up, uint32_t k, int error)
{
    struct gate_fault_plan plan = {.max_bytes = 9, .again_after_each = true};
    struct world w;
    struct party *c = &w.client, *s = &w.server;
    bool reached;

    open_world(&w, kind, &plan);
    *(up ? &w.up.fail_at : &w.down.fail_at) = k;
    *(up ? &w.up.fail_errno : &w.down.fail_errno) = error;
    begin(GATE_M_POST);
    send_head(c, 0, GATE_BODY_CHUNKED, 0, false);
    send_body(c, 0, 30, true);
    grant(c, 100);
    for (int i = 0; i < 300 && s->s == NULL && !c->broken; i++)
        turn(1);
    if (s->s != NULL)
        grant(s, 100);
    for (int i = 0; i < 300 && !s->ended && !s->broken; i++)
        turn(1);
    if (s->s != NULL && s->ended) {
        send_head(s, 200, GATE_BODY_LENGTH, 30, false);
        send_body(s, 0, 30, true);
        leave(s, true);
    }
    for (int i = 0; i < 300 && !c->ended && !c->broken; i++)
        turn(1);
    reached = (up ? w.up.calls : w.down.calls) >= k;
    if (s->broken || !s->ended)
        leave(s, false);
    /* Bytes that could not be sent leave the server waiting: its clocks end that. The client always
     * knows. */
    assert_true(c->ended || c->broken || s->s == NULL);
    if (c->ended)
        check_pattern(c, 30);
    close_world();
    return reached;
}

static void every_call_may_fail(void **state)
{
    static const int errors[] = {ECONNRESET, EPIPE, EIO, ETIMEDOUT};

    (void)state;
    for (int i = 0; i < 16; i++) {
        enum kind kind = i < 8 ? H1_BYTES : H2_LINK_BYTES;
        uint32_t k = 1;

        while (k < 500 && fail_at(kind, i % 2 == 0, k, errors[i / 2 % 4]))
            k++;
        assert_in_range(k, 20, 499);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),
        cmocka_unit_test(over_h1),
        cmocka_unit_test(over_h1_by_bytes),
        cmocka_unit_test(over_h2),
        cmocka_unit_test(over_h2_by_bytes),
        cmocka_unit_test(over_an_h2_link),
        cmocka_unit_test(over_an_h2_link_by_bytes),
        cmocka_unit_test(every_call_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
