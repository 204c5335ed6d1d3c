/* Tunnels that the HTTP/2 codec asks a server for (RFC 8441), against frames written by hand: when
 * it asks, what it says, and which head of HTTP/1.1 it makes of the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "http/h2.h"
#include "http/websocket.h"
#include "support/h2_raw.h"

static const struct gate_head_limits limits = {
    .header_bytes = 32768,
    .header_count = 100,
    .target_bytes = 8192,
    .merge_slashes = true,
};

struct rig {
    struct gate_block_pool blocks;
    struct gate_counters counters;
    struct gate_arena arena;
    struct gate_h2_pool *pool;
    struct gate_h2 c;
    uint64_t now_ns;
    struct gate_chain out;
    struct test_h2_out say;
    struct test_h2_in heard;
    size_t skip; /* of the preface, that is still to come */
    bool more;
    struct gate_stream *s;
    /* What the user was told. */
    struct gate_response_head head;
    int infos;
    char body[100];
    size_t n;
    bool ended;
    const char *broken;
    enum gate_err err;
};

static struct rig *rig;

static void on_info(struct gate_stream *s, const struct gate_response_head *head)
{
    assert_ptr_equal(s, rig->s);
    assert_int_equal(head->status, 103);
    rig->infos++;
}

static void on_head(struct gate_stream *s, const struct gate_response_head *head,
                    struct gate_block *block)
{
    assert_ptr_equal(s, rig->s);
    assert_non_null(block);
    rig->head = *head;
}

static void on_body(struct gate_stream *s, struct gate_chain *chunk)
{
    assert_ptr_equal(s, rig->s);
    assert_true(rig->n + chunk->bytes < sizeof(rig->body));
    gate_chain_read(chunk, rig->body + rig->n);
    rig->n += chunk->bytes;
}

static void on_end(struct gate_stream *s)
{
    assert_ptr_equal(s, rig->s);
    rig->ended = true;
}

static void on_reset(struct gate_stream *s, enum gate_err e, const char *why)
{
    assert_ptr_equal(s, rig->s);
    rig->err = e;
    rig->broken = why;
}

static void on_room(struct gate_stream *s)
{
    assert_ptr_equal(s, rig->s);
}

static const struct gate_stream_events events = {
    .on_info = on_info,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_reset = on_reset,
    .on_room = on_room,
};

static void on_output(struct gate_h2 *c)
{
    assert_ptr_equal(c, &rig->c);
    rig->more = true;
}

static const struct gate_h2_owner owner = {.on_output = on_output};

static int setup(void **state)
{
    struct gate_h2_open how = {.owner = &owner, .limits = &limits};

    (void)state;
    rig = calloc(1, sizeof(*rig));
    gate_block_pool_init(&rig->blocks, 0);
    gate_arena_init(&rig->arena, NULL);
    gate_chain_init(&rig->out, &rig->blocks);
    test_h2_in_open(&rig->heard);
    rig->now_ns = 1000000000;
    rig->skip = 24;
    rig->pool = how.pool = gate_h2_pool_new();
    how.blocks = &rig->blocks;
    how.counters = &rig->counters;
    how.now_ns = &rig->now_ns;
    gate_h2_open(&rig->c, &how);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_h2_close(&rig->c);
    gate_chain_clear(&rig->out);
    gate_h2_pool_free(&rig->pool);
    gate_arena_clear(&rig->arena);
    test_h2_in_close(&rig->heard);
    test_h2_clear(&rig->say);
    gate_block_pool_fini(&rig->blocks);
    free(rig);
    return 0;
}

/* ------------------------------------------------------------------ talking */

static void hear(void)
{
    struct gate_slice s;

    do {
        rig->more = false;
        assert_int_equal(gate_h2_send(&rig->c, &rig->out, 100000), GATE_OK);
        while (gate_chain_front(&rig->out, &s)) {
            size_t skip = s.n < rig->skip ? s.n : rig->skip;

            test_h2_take(&rig->heard, s.p + skip, s.n - skip);
            rig->skip -= skip;
            gate_chain_drop(&rig->out, s.n);
        }
    } while (rig->more);
}

/* The server's bytes arrive, `piece` at a time. */
static void talk_in(size_t piece)
{
    for (size_t at = 0; at < rig->say.n;) {
        size_t n = rig->say.n - at < piece ? rig->say.n - at : piece;
        struct gate_block *b = gate_block_take(&rig->blocks);

        memcpy(b->data, rig->say.p + at, n);
        b->used = (uint32_t)n;
        assert_int_equal(gate_h2_recv(&rig->c, b, b->data, n), GATE_OK);
        gate_block_unref(&b);
        at += n;
    }
    rig->say.n = 0;
    hear();
}

static void talk(void)
{
    talk_in(GATE_BLOCK_SIZE);
}

/* The server's SETTINGS, with or without ENABLE_CONNECT_PROTOCOL. */
static void greet(bool takes)
{
    test_h2_frame(&rig->say, TEST_H2_SETTINGS, 0, 0, "\0\010\0\0\0\1", takes ? 6 : 0);
    talk();
}

static struct gate_field field(enum gate_field_id id, struct gate_str value)
{
    struct gate_str name = gate_field_id_name(id);

    return (struct gate_field){name.p, value.p, (uint16_t)name.n, (uint16_t)id,
                               (uint32_t)value.n};
}

/* Asks for `protocol`, with a key. */
static void ask(struct gate_str protocol)
{
    struct gate_field key = field(GATE_F_SEC_WEBSOCKET_KEY, GATE_STR("dGhlIHNhbXBsZSBub25jZQ=="));
    struct gate_fields fields = {.v = &key, .n = 1, .known = GATE_F_BIT(GATE_F_SEC_WEBSOCKET_KEY)};
    struct gate_headers headers = {.original = &fields};
    struct gate_field extra[] = {field(GATE_F_HOST, GATE_STR("example.test")),
                                 field(GATE_F_UPGRADE, protocol)};
    struct gate_message m = {
        .method = GATE_STR("GET"),
        .path = GATE_STR("/chat"),
        .query = GATE_STR("a=b"),
        .has_query = true,
        .headers = &headers,
        .extra = extra,
        .n_extra = 2,
    };
    struct gate_h2_use use = {
        .arena = &rig->arena, .limits = &limits, .method = GATE_M_GET, .events = &events};

    rig->s = gate_h2_begin(&rig->c, &use);
    assert_non_null(rig->s);
    assert_int_equal(rig->s->ops->send_head(rig->s, &m, true), GATE_OK);
    hear();
}

static void answer(const char *const *fields, int flags)
{
    test_h2_headers(&rig->say, 1, flags, fields);
    talk();
}

static const char *const yes[] = {":status", "200", "sec-websocket-protocol", "chat", NULL};

static void send_text(const char *text, bool last)
{
    struct gate_chain chunk;

    gate_chain_init(&chunk, &rig->blocks);
    assert_int_equal(gate_chain_copy(&chunk, text, strlen(text)), 0);
    assert_int_equal(rig->s->ops->send_body(rig->s, &chunk, last), GATE_OK);
    hear();
}

static void leave(void)
{
    rig->s->ops->give_back(rig->s);
    hear();
    assert_int_equal(rig->c.open, 0);
}

/* ------------------------------------------------------------------ asking */

static void it_asks_when_the_server_has_said_that_it_may(void **state)
{
    (void)state;
    ask(GATE_STR("websocket"));
    assert_int_equal(rig->heard.n_streams, 0);
    greet(true);
    assert_string_equal(test_h2_stream(&rig->heard, 1)->head,
                        ":method: CONNECT\n:protocol: websocket\n:scheme: http\n"
                        ":authority: example.test\n:path: /chat?a=b\n");
    assert_false(test_h2_stream(&rig->heard, 1)->ended);
}

static void it_asks_at_once_when_that_is_known(void **state)
{
    (void)state;
    hear();
    greet(true);
    ask(GATE_STR("x"));
    assert_non_null(strstr(test_h2_stream(&rig->heard, 1)->head, ":protocol: x\n"));
}

static void expect_refused(void)
{
    assert_string_equal(rig->broken, "the upstream takes no extended CONNECT");
    assert_int_equal(rig->err, GATE_E_SYNTAX);
    assert_int_equal(rig->heard.n_streams, 0);
    rig->s->ops->reset(rig->s, GATE_CLOSE_LINK_ERROR);
    hear();
    assert_int_equal(rig->c.open, 0);
}

static void it_does_not_ask_who_takes_no_such_request(void **state)
{
    (void)state;
    ask(GATE_STR("websocket"));
    greet(false);
    expect_refused();
    ask(GATE_STR("websocket")); /* on a connection where that is known */
    expect_refused();
}

static void who_leaves_before_has_asked_nothing(void **state)
{
    (void)state;
    ask(GATE_STR("websocket"));
    rig->s->ops->reset(rig->s, GATE_CLOSE_CLIENT_RESET);
    hear();
    greet(true);
    assert_int_equal(rig->heard.n_streams, 0);
    assert_int_equal(rig->c.open, 0);
}

/* ------------------------------------------------------------------ the answer */

static void success_is_a_switch_of_protocols(void **state)
{
    static const char *const hints[] = {":status", "103", "link", "a", NULL};
    struct gate_str key = GATE_STR("dGhlIHNhbXBsZSBub25jZQ==");

    (void)state;
    ask(GATE_STR("websocket"));
    greet(true);
    answer(hints, 0);
    assert_int_equal(rig->infos, 1);
    answer(yes, 0);
    assert_int_equal(rig->head.status, 101);
    assert_true(rig->head.upgrade);
    assert_true(gate_str_eq(rig->head.upgrade_token, GATE_STR("websocket")));
    assert_true(gate_websocket_accepted(key, &rig->head.fields));
    assert_int_equal(rig->head.fields.n, 4); /* Connection, Upgrade, Accept, Protocol */
}

static void an_answer_to_no_key_is_dropped(void **state)
{
    static const char *const fields[] = {":status", "204", "sec-websocket-accept", "x", NULL};
    struct gate_str key = GATE_STR("dGhlIHNhbXBsZSBub25jZQ==");

    (void)state;
    ask(GATE_STR("websocket"));
    greet(true);
    answer(fields, 0);
    assert_int_equal(rig->head.status, 101);
    assert_true(gate_websocket_accepted(key, &rig->head.fields));
}

static void other_answers_are_what_they_are(void **state)
{
    static const char *const no[] = {":status", "403", "content-length", "2", NULL};

    (void)state;
    ask(GATE_STR("websocket"));
    greet(true);
    rig->s->ops->grant(rig->s, 100);
    test_h2_headers(&rig->say, 1, 0, no);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "no", 2);
    talk_in(3);
    assert_int_equal(rig->head.status, 403);
    assert_false(rig->head.upgrade);
    assert_memory_equal(rig->body, "no", 2);
    assert_true(rig->ended);
    leave(); /* our own side has not ended: it is cut */
    assert_int_equal(test_h2_stream(&rig->heard, 1)->code, 8);
}

static void there_is_no_101_in_http2(void **state)
{
    static const char *const fields[] = {":status", "101", NULL};

    (void)state;
    ask(GATE_STR("websocket"));
    greet(true);
    answer(fields, 0);
    assert_int_equal(rig->head.status, 0);
    assert_int_equal(rig->err, GATE_E_SYNTAX);
}

/* ------------------------------------------------------------------ the tunnel */

static void bytes_pass_until_both_have_ended(void **state)
{
    struct test_h2_stream *s = test_h2_stream(&rig->heard, 1);

    (void)state;
    ask(GATE_STR("websocket"));
    greet(true);
    test_h2_headers(&rig->say, 1, 0, yes);
    test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, "early", 5);
    talk();
    assert_int_equal(rig->head.status, 101);
    assert_int_equal(rig->n, 0);
    rig->s->ops->grant(rig->s, 100);
    hear();
    assert_memory_equal(rig->body, "early", 5);
    send_text("up", false);
    assert_string_equal(s->body, "up");
    send_text("", true);
    assert_true(s->ended);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "late", 4);
    talk();
    assert_memory_equal(rig->body, "earlylate", 9);
    assert_true(rig->ended);
    leave();
    assert_int_equal(rig->heard.resets, 0);
}

static void a_reset_is_one(void **state)
{
    (void)state;
    ask(GATE_STR("websocket"));
    greet(true);
    answer(yes, 0);
    test_h2_number(&rig->say, TEST_H2_RST, 1, 8);
    talk();
    assert_int_equal(rig->err, GATE_E_RESET);
    assert_false(rig->ended);
    rig->s->ops->reset(rig->s, GATE_CLOSE_LINK_ERROR);
    hear();
    assert_int_equal(rig->c.open, 0);
}

static void a_reset_behind_the_end_is_one(void **state)
{
    (void)state;
    ask(GATE_STR("websocket"));
    greet(true);
    answer(yes, 0);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "bye", 3);
    test_h2_number(&rig->say, TEST_H2_RST, 1, 8);
    talk();
    assert_false(rig->ended); /* what it has said comes first */
    rig->s->ops->grant(rig->s, 100);
    hear();
    assert_memory_equal(rig->body, "bye", 3);
    assert_true(rig->ended);
    assert_int_equal(rig->err, GATE_E_RESET);
    rig->s->ops->reset(rig->s, GATE_CLOSE_LINK_ERROR);
    hear();
    assert_int_equal(rig->c.open, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_asks_when_the_server_has_said_that_it_may),
        TEST(it_asks_at_once_when_that_is_known),
        TEST(it_does_not_ask_who_takes_no_such_request),
        TEST(who_leaves_before_has_asked_nothing),
        TEST(success_is_a_switch_of_protocols),
        TEST(an_answer_to_no_key_is_dropped),
        TEST(other_answers_are_what_they_are),
        TEST(there_is_no_101_in_http2),
        TEST(bytes_pass_until_both_have_ended),
        TEST(a_reset_is_one),
        TEST(a_reset_behind_the_end_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
