/* The HTTP/2 codec, server side, against frames written by hand: what becomes of heads, budgets,
 * windows and ends. That streams keep their contract is tested in test_stream_contract.c. */
/* covers: http/h2_head.c http/h2_message.c http/h2_recv.c http/h2_send.c http/h2_stream.c */
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
#include "support/h2_raw.h"

static const struct gate_head_limits limits = {
    .header_bytes = 32768,
    .header_count = 100,
    .target_bytes = 8192,
    .merge_slashes = true,
};

struct request {
    struct gate_stream *s;
    struct gate_refusal refusal;
    struct gate_request_head head;
    struct gate_str text;
    char body[70000];
    size_t n;
    char trailers[200];
    bool ended;
    const char *broken;
    int rooms;
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
    struct request *requests[1000];
    int n;
    int malformed;
    size_t grant; /* each request gets it when it begins */
    bool more;    /* something waits to be sent */
};

static struct rig *rig;

/* ------------------------------------------------------------------ the user */

static struct request *request_of(struct gate_stream *s)
{
    return s->user;
}

static void on_body(struct gate_stream *s, struct gate_chain *chunk)
{
    struct request *r = request_of(s);

    assert_true(r->n + chunk->bytes <= sizeof(r->body));
    gate_chain_read(chunk, r->body + r->n);
    r->n += chunk->bytes;
}

static void on_trailers(struct gate_stream *s, const struct gate_fields *fs, struct gate_block *b)
{
    struct request *r = request_of(s);

    assert_non_null(b);
    for (uint32_t i = 0; i < fs->n; i++)
        snprintf(r->trailers + strlen(r->trailers), 80, "%.*s=%.*s;", (int)fs->v[i].name_len,
                 fs->v[i].name, (int)fs->v[i].value_len, fs->v[i].value);
}

static void on_end(struct gate_stream *s)
{
    request_of(s)->ended = true;
}

static void on_reset(struct gate_stream *s, enum gate_err e, const char *why)
{
    assert_true(e == GATE_E_RESET || e == GATE_E_SYNTAX);
    request_of(s)->broken = why;
}

static void on_room(struct gate_stream *s)
{
    request_of(s)->rooms++;
}

static const struct gate_stream_events events = {
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_reset = on_reset,
    .on_room = on_room,
};

static void on_request(struct gate_h2 *c, struct gate_h2_stream *s)
{
    struct request *r = calloc(1, sizeof(*r));
    struct gate_h2_use use = {
        .arena = &rig->arena, .limits = &limits, .events = &events, .user = r};

    assert_ptr_equal(c, &rig->c);
    rig->requests[rig->n++] = r;
    r->refusal = gate_h2_request(s, &rig->arena, &r->head);
    r->text = gate_arena_copy(&rig->arena, gate_h2_text(s));
    if (r->refusal.status != 0) {
        s->stream.ops->reset(&s->stream, GATE_CLOSE_BAD_REQUEST);
        return;
    }
    r->s = &s->stream;
    gate_h2_attach(s, &r->head, &use);
    if (rig->grant > 0)
        s->stream.ops->grant(&s->stream, rig->grant);
}

static void on_malformed(struct gate_h2 *c, const char *why)
{
    assert_ptr_equal(c, &rig->c);
    assert_non_null(why);
    rig->malformed++;
}

static void on_output(struct gate_h2 *c)
{
    assert_ptr_equal(c, &rig->c);
    rig->more = true;
}

static const struct gate_h2_owner owner = {on_request, on_malformed, on_output};

/* ------------------------------------------------------------------ the rig */

static void hear(void)
{
    struct gate_slice s;

    do {
        rig->more = false;
        if (gate_h2_send(&rig->c, &rig->out, 100000) != GATE_OK)
            return;
        while (gate_chain_front(&rig->out, &s)) {
            test_h2_take(&rig->heard, s.p, s.n);
            gate_chain_drop(&rig->out, s.n);
        }
    } while (rig->more);
}

/* Sends what was written, `piece` bytes at a time, and takes what comes back. */
static enum gate_err talk_in(size_t piece)
{
    enum gate_err e = GATE_OK;

    for (size_t at = 0; at < rig->say.n && e == GATE_OK;) {
        size_t n = rig->say.n - at < piece ? rig->say.n - at : piece;
        struct gate_block *b = gate_block_take(&rig->blocks);

        memcpy(b->data, rig->say.p + at, n);
        b->used = (uint32_t)n;
        e = gate_h2_recv(&rig->c, b, b->data, n);
        gate_block_unref(&b);
        at += n;
    }
    rig->say.n = 0;
    hear();
    return e;
}

static enum gate_err talk(void)
{
    return talk_in(GATE_BLOCK_SIZE);
}

static int setup(void **state)
{
    struct gate_h2_open how = {.owner = &owner, .limits = &limits, .server = true};

    (void)state;
    rig = calloc(1, sizeof(*rig));
    gate_block_pool_init(&rig->blocks, 0);
    gate_arena_init(&rig->arena, NULL);
    gate_chain_init(&rig->out, &rig->blocks);
    test_h2_in_open(&rig->heard);
    rig->now_ns = 1000000000;
    rig->pool = how.pool = gate_h2_pool_new();
    how.blocks = &rig->blocks;
    how.counters = &rig->counters;
    how.now_ns = &rig->now_ns;
    gate_h2_open(&rig->c, &how);
    test_h2_preface(&rig->say);
    rig->grant = 100000;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_h2_close(&rig->c);
    gate_chain_clear(&rig->out);
    gate_h2_pool_free(&rig->pool);
    gate_arena_clear(&rig->arena);
    for (int i = 0; i < rig->n; i++)
        free(rig->requests[i]);
    test_h2_in_close(&rig->heard);
    test_h2_clear(&rig->say);
    gate_block_pool_fini(&rig->blocks);
    free(rig);
    return 0;
}

/* The only request so far. */
static struct request *only(void)
{
    assert_int_equal(rig->n, 1);
    return rig->requests[0];
}

static void answer(struct request *r, int status, const char *body)
{
    struct gate_message m = {
        .status = status, .framing = GATE_BODY_LENGTH, .content_length = strlen(body)};
    struct gate_chain chunk;

    gate_chain_init(&chunk, &rig->blocks);
    assert_int_equal(gate_chain_copy(&chunk, body, strlen(body)), 0);
    assert_int_equal(r->s->ops->send_head(r->s, &m, false), GATE_OK);
    assert_int_equal(r->s->ops->send_body(r->s, &chunk, true), GATE_OK);
    r->s->ops->give_back(r->s);
}

static uint64_t counted(enum gate_counter which)
{
    return gate_counters_get(&rig->counters, which);
}

/* ------------------------------------------------------------------ heads */

static void a_request_is_the_head_it_stands_for(void **state)
{
    static const char *const fields[] = {"accept", "*/*", "x-a", "1", NULL};
    struct request *r;

    (void)state;
    test_h2_request(&rig->say, 1, TEST_H2_END, "GET", "/a/../b?q=1", fields);
    assert_int_equal(talk(), GATE_OK);
    r = only();
    assert_int_equal(r->refusal.status, 0);
    assert_true(gate_str_eq(r->text, GATE_STR("GET /a/../b?q=1 HTTP/1.1\r\nhost: example.test\r\n"
                                              "accept: */*\r\nx-a: 1\r\n\r\n")));
    assert_true(r->head.h2);
    assert_true(gate_str_eq(r->head.path, GATE_STR("/b")));
    assert_true(gate_str_eq(r->head.query, GATE_STR("q=1")));
    assert_true(gate_str_eq(r->head.host, GATE_STR("example.test")));
    assert_int_equal(r->head.framing, GATE_BODY_NONE);
    answer(r, 200, "hi");
    hear();
    assert_string_equal(test_h2_stream(&rig->heard, 1)->head, ":status: 200\ncontent-length: 2\n");
    assert_string_equal(test_h2_stream(&rig->heard, 1)->body, "hi");
    assert_true(test_h2_stream(&rig->heard, 1)->ended);
}

static void splits_do_not_matter(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 1, 0, "POST", "/", NULL);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "hello", 5);
    assert_int_equal(talk_in(1), GATE_OK);
    assert_true(only()->ended);
    assert_string_equal(only()->body, "hello");
    assert_int_equal(only()->head.framing, GATE_BODY_CHUNKED);
}

static void crumbs_are_one_cookie_again(void **state)
{
    static const char *const fields[] = {"cookie", "a=1", "x-a", "1",   "cookie", "b=2",
                                         "x-b",    "2",   "cookie", "", NULL};

    (void)state;
    test_h2_request(&rig->say, 1, TEST_H2_END, "GET", "/", fields);
    talk();
    assert_true(gate_str_eq(only()->text,
                            GATE_STR("GET / HTTP/1.1\r\nhost: example.test\r\n"
                                     "cookie: a=1; b=2; \r\nx-a: 1\r\nx-b: 2\r\n\r\n")));
}

/* A 100 of the upstream is the one that the client waits for. */
static void a_continue_is_said_once(void **state)
{
    static const struct gate_message hundred = {.status = 100};
    static const char *const expect[] = {"expect", "100-continue", NULL};
    struct gate_stream *s;

    (void)state;
    rig->grant = 0;
    test_h2_request(&rig->say, 1, 0, "POST", "/", expect);
    talk();
    s = only()->s;
    assert_int_equal(s->ops->send_info(s, &hundred), GATE_OK);
    s->ops->grant(s, 100);
    s->ops->grant(s, 100);
    hear();
    assert_string_equal(test_h2_stream(&rig->heard, 1)->head, ":status: 100\n");
}

static void many_heads_share_blocks(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        test_h2_request(&rig->say, 1 + 2 * i, TEST_H2_END, "GET", "/", NULL);
    talk();
    assert_int_equal(rig->n, 100);
    assert_in_range(rig->blocks.live, 1, 4);
    for (int i = 0; i < 100; i++)
        answer(rig->requests[i], 204, "");
    hear();
    assert_int_equal(rig->blocks.live, 0);
}

/* Heads that the codec passes on with a refusal. */
static const struct {
    const char *name;
    int status;
    const char *pairs[14];
} refused[] = {
#define GET ":method", "GET", ":scheme", "http"
#define HOST ":authority", "example.test"
    {"other scheme", 400, {":method", "GET", ":scheme", "https", HOST, ":path", "/"}},
    {"unknown method", 501, {":method", "FOO", ":scheme", "http", HOST, ":path", "/"}},
    {"lower case", 501, {":method", "get", ":scheme", "http", HOST, ":path", "/"}},
    {"trace", 405, {":method", "TRACE", ":scheme", "http", HOST, ":path", "/"}},
    {"connect", 405, {":method", "CONNECT", ":authority", "127.0.0.1:22"}},
    {"fragment", 400, {GET, HOST, ":path", "/a#b"}},
    {"above the root", 400, {GET, HOST, ":path", "/../a"}},
    {"userinfo", 400, {GET, ":authority", "a@evil.test", ":path", "/"}},
    {"bad port", 400, {GET, ":authority", "a:99999", ":path", "/"}},
    {"host differs", 400, {GET, HOST, ":path", "/", "host", "evil.test"}},
    {"expectation", 417, {GET, HOST, ":path", "/", "expect", "cake"}},
};

static void what_h1_refuses_h2_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        test_h2_headers(&rig->say, 1 + 2 * (uint32_t)i, TEST_H2_END, refused[i].pairs);
        assert_int_equal(talk(), GATE_OK);
        if (rig->n != (int)i + 1 || rig->requests[i]->refusal.status != refused[i].status)
            print_error("%s\n", refused[i].name);
        assert_int_equal(rig->n, i + 1);
        assert_int_equal(rig->requests[i]->refusal.status, refused[i].status);
        assert_non_null(rig->requests[i]->refusal.why);
    }
    assert_false(rig->heard.goaway);
}

/* Heads that nghttp2 resets: nobody above hears of them but the log. */
static const struct {
    const char *name;
    const char *pairs[14];
} malformed[] = {
    {"junk scheme", {":method", "GET", ":scheme", "http://evil/?", HOST, ":path", "/"}},
    {"space in method", {":method", "GET /x", ":scheme", "http", HOST, ":path", "/"}},
    {"space in path", {GET, HOST, ":path", "/a b"}},
    {"a second line", {GET, HOST, ":path", "/ HTTP/1.1"}},
    {"no host at all", {GET, ":path", "/"}},
    {"two hosts", {GET, ":path", "/", "host", "a", "host", "a"}},
    {"line end in a value", {GET, HOST, ":path", "/", "x", "a\r\nb: c"}},
    {"line end in a name", {GET, HOST, ":path", "/", "x: y\r\nz", "1"}},
    {"capitals", {GET, HOST, ":path", "/", "X", "1"}},
    {"empty name", {GET, HOST, ":path", "/", "", "1"}},
    {"line end in the path", {GET, HOST, ":path", "/a HTTP/1.1\r\nHost: evil\r\n"}},
    {"empty path", {GET, HOST, ":path", ""}},
    {"no slash", {GET, HOST, ":path", "a"}},
    {"star", {GET, HOST, ":path", "*"}},
    {"two paths", {GET, HOST, ":path", "/", ":path", "/"}},
    {"late", {GET, HOST, "x", "1", ":path", "/"}},
    {"unknown pseudo", {GET, HOST, ":path", "/", ":foo", "1"}},
    {"of an answer", {GET, HOST, ":path", "/", ":status", "200"}},
    {"a protocol of no CONNECT", {GET, HOST, ":path", "/", ":protocol", "websocket"}},
    {"no protocol", {":method", "CONNECT", ":protocol", "", ":scheme", "http", HOST, ":path", "/"}},
    {"a protocol and no path", {":method", "CONNECT", ":protocol", "websocket", HOST}},
    {"a protocol and a star", {":method", "CONNECT", ":protocol", "websocket", ":scheme", "http",
                               HOST, ":path", "*"}},
    {"connection", {GET, HOST, ":path", "/", "connection", "close"}},
    {"upgrade", {GET, HOST, ":path", "/", "upgrade", "h2c"}},
    {"coding", {GET, HOST, ":path", "/", "transfer-encoding", "chunked"}},
    {"te", {GET, HOST, ":path", "/", "te", "gzip"}},
    {"space around", {GET, HOST, ":path", "/", "x", " 1"}},
    {"control byte", {GET, HOST, ":path", "/", "x", "\001"}},
    {"length", {GET, HOST, ":path", "/", "content-length", "x"}},
};

static void what_is_malformed_is_reset(void **state)
{
    const size_t n = sizeof(malformed) / sizeof(malformed[0]);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = 1 + 2 * (uint32_t)i;
        struct test_h2_stream *s;

        test_h2_headers(&rig->say, id, TEST_H2_END, malformed[i].pairs);
        assert_int_equal(talk(), GATE_OK);
        s = test_h2_stream(&rig->heard, id);
        if (!s->reset || rig->n > 0)
            print_error("%s\n", malformed[i].name);
        assert_true(s->reset);
        assert_int_equal(s->code, 1);
        assert_int_equal(rig->n, 0);
    }
    assert_int_equal(rig->malformed, n);
    assert_int_equal(counted(GATE_C_H2_ERRORS), n);
    assert_int_equal(counted(GATE_C_H2_RESETS_SENT), n);
    test_h2_request(&rig->say, 301, TEST_H2_END, "GET", "/", NULL);
    talk();
    assert_int_equal(only()->refusal.status, 0);
}

static void heads_are_summed_before_they_are_copied(void **state)
{
    struct test_h2_out block = {0};
    char value[4000];
    const uint8_t again = 0x80 | 62; /* the newest entry of the table */
    size_t at;

    (void)state;
    memset(value, 'a', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    test_h2_field(&block, ":method", "GET");
    test_h2_field(&block, ":scheme", "http");
    test_h2_field(&block, ":authority", "a");
    test_h2_field(&block, ":path", "/");
    at = block.n;
    test_h2_field(&block, "x", value);
    block.p[at] = 0x40; /* indexed from now on */
    for (int i = 0; i < 12000; i++)
        test_h2_put(&block, &again, 1);
    test_h2_frame(&rig->say, TEST_H2_HEADERS, TEST_H2_WHOLE | TEST_H2_END, 1, block.p, block.n);
    test_h2_clear(&block);
    assert_int_equal(talk(), GATE_OK);
    assert_int_equal(only()->refusal.status, 431);
    assert_in_range(rig->blocks.live_bytes, 0, 2 * GATE_BLOCK_BIG);
}

static void fields_are_counted(void **state)
{
    struct test_h2_out block = {0};

    (void)state;
    test_h2_field(&block, ":method", "GET");
    test_h2_field(&block, ":scheme", "http");
    test_h2_field(&block, ":authority", "a");
    test_h2_field(&block, ":path", "/");
    for (int i = 0; i < 101; i++)
        test_h2_field(&block, "x", "1");
    test_h2_frame(&rig->say, TEST_H2_HEADERS, TEST_H2_WHOLE | TEST_H2_END, 1, block.p, block.n);
    test_h2_clear(&block);
    talk();
    assert_int_equal(only()->refusal.status, 431);
}

/* ------------------------------------------------------------------ bodies */

static void a_body_that_is_not_its_length_is_reset(void **state)
{
    static const char *const length[] = {"content-length", "3", NULL};

    (void)state;
    test_h2_request(&rig->say, 1, 0, "POST", "/", length);
    talk();
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "hello", 5);
    talk();
    assert_non_null(only()->broken);
    assert_false(only()->ended);
    assert_int_equal(test_h2_stream(&rig->heard, 1)->code, 1);
    only()->s->ops->reset(only()->s, GATE_CLOSE_CLIENT_RESET);
}

/* Else it would look whole to a server, to which its length has been said. */
static void the_last_byte_of_a_length_waits_for_the_end(void **state)
{
    static const char *const length[] = {"content-length", "3", NULL};

    (void)state;
    test_h2_request(&rig->say, 1, 0, "POST", "/", length);
    test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, "abc", 3);
    talk();
    assert_int_equal(only()->n, 2);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "", 0);
    talk();
    assert_int_equal(only()->n, 3);
    assert_true(only()->ended);
    test_h2_request(&rig->say, 3, 0, "POST", "/", length);
    test_h2_frame(&rig->say, TEST_H2_DATA, 0, 3, "abc", 3);
    talk();
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 3, "d", 1);
    talk();
    assert_int_equal(rig->requests[1]->n, 2);
    assert_non_null(rig->requests[1]->broken);
    rig->requests[1]->s->ops->reset(rig->requests[1]->s, GATE_CLOSE_CLIENT_RESET);
}

static void trailers_are_judged(void **state)
{
    static const char *const good[] = {"x-sum", "1", "x-forwarded-for", "9", NULL};
    static const char *const bad[] = {":path", "/x", NULL};

    (void)state;
    test_h2_request(&rig->say, 1, 0, "POST", "/", NULL);
    test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, "hi", 2);
    test_h2_headers(&rig->say, 1, TEST_H2_END, good);
    talk();
    assert_string_equal(only()->trailers, "x-sum=1;"); /* whence it came never is a trailer */
    assert_true(only()->ended);
    test_h2_request(&rig->say, 3, 0, "POST", "/", NULL);
    test_h2_headers(&rig->say, 3, TEST_H2_END, bad);
    talk();
    assert_true(test_h2_stream(&rig->heard, 3)->reset);
    assert_false(rig->n == 2 && rig->requests[1]->ended);
}

static void trailers_come_when_all_has_left(void **state)
{
    const struct gate_message m = {.status = 200, .framing = GATE_BODY_EOF};
    struct gate_chain chunk;
    struct gate_stream *s;

    (void)state;
    test_h2_request(&rig->say, 1, TEST_H2_END, "GET", "/", NULL);
    talk();
    s = only()->s;
    gate_chain_init(&chunk, &rig->blocks);
    assert_int_equal(gate_chain_copy(&chunk, "hi", 2), 0);
    assert_int_equal(s->ops->send_head(s, &m, false), GATE_OK);
    assert_int_equal(s->ops->send_body(s, &chunk, false), GATE_OK);
    hear();
    assert_string_equal(test_h2_stream(&rig->heard, 1)->body, "hi");
    assert_false(test_h2_stream(&rig->heard, 1)->ended);
    assert_int_equal(s->ops->send_trailers(s, NULL), GATE_OK);
    s->ops->give_back(s);
    hear();
    assert_true(test_h2_stream(&rig->heard, 1)->ended);
    assert_false(test_h2_stream(&rig->heard, 1)->reset);
}

static void the_window_opens_as_bytes_are_taken(void **state)
{
    char block[16384] = {0};

    (void)state;
    rig->grant = 0;
    test_h2_request(&rig->say, 1, 0, "POST", "/", NULL);
    for (int i = 0; i < 3; i++)
        test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, block, sizeof(block));
    test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, block, 16383);
    assert_int_equal(talk(), GATE_OK);
    assert_int_equal(only()->n, 0);
    assert_int_equal(rig->heard.n_streams, 0); /* no WINDOW_UPDATE of the stream */
    only()->s->ops->grant(only()->s, 65535);
    hear();
    assert_int_equal(only()->n, 65535);
    assert_int_equal(rig->heard.n_streams, 1);
    /* More than the window is an error. */
    for (int i = 0; i < 5; i++)
        test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, block, sizeof(block));
    talk();
    assert_int_equal(test_h2_stream(&rig->heard, 1)->code, 3);
}

/* A stream whose reader takes nothing holds its own window, not that of others. */
static void a_stalled_upload_does_not_hold_the_others(void **state)
{
    char block[16384] = {0};
    uint32_t before;

    (void)state;
    rig->grant = 0;
    for (uint32_t i = 0; i < 3; i++) {
        test_h2_request(&rig->say, 1 + 2 * i, 0, "POST", "/", NULL);
        for (int k = 0; k < 3; k++)
            test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1 + 2 * i, block, sizeof(block));
    }
    talk();
    before = rig->heard.window;
    for (int i = 0; i < 40; i++) {
        test_h2_request(&rig->say, 7 + 2 * (uint32_t)i, 0, "POST", "/", NULL);
        test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 7 + 2 * (uint32_t)i, block, 16384);
        talk();
        rig->requests[rig->n - 1]->s->ops->grant(rig->requests[rig->n - 1]->s, 16384);
        hear();
    }
    assert_true(rig->heard.window - before >= 512 * 1024);
}

/* ------------------------------------------------------------------ answers */

static void a_stalled_download_does_not_hold_the_others(void **state)
{
    struct gate_message m = {.status = 200, .framing = GATE_BODY_CHUNKED};
    struct gate_chain chunk;
    char block[16384] = {0};

    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        test_h2_request(&rig->say, 1 + 2 * i, TEST_H2_END, "GET", "/", NULL);
    test_h2_number(&rig->say, TEST_H2_WINDOW, 0, 10000000);
    test_h2_number(&rig->say, TEST_H2_WINDOW, 7, 10000000);
    talk();
    gate_chain_init(&chunk, &rig->blocks);
    for (int i = 0; i < 4; i++) {
        struct gate_stream *s = rig->requests[i]->s;

        assert_int_equal(s->ops->send_head(s, &m, false), GATE_OK);
        for (int k = 0; k < 40 && s->ops->room(s) > 0; k++) {
            gate_chain_copy(&chunk, block, sizeof(block));
            assert_int_equal(s->ops->send_body(s, &chunk, false), GATE_OK);
            hear();
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(test_h2_stream(&rig->heard, 1 + 2 * i)->n, 65535);
        assert_int_equal(rig->requests[i]->s->ops->room(rig->requests[i]->s), 0);
    }
    assert_int_equal(test_h2_stream(&rig->heard, 7)->n, 40 * sizeof(block));
    assert_true(rig->requests[3]->rooms > 0);
}

static void urgent_answers_leave_first(void **state)
{
    static const char *const low[] = {"priority", "u=7", NULL};
    static const char *const high[] = {"priority", "u=0", NULL};
    struct gate_slice s;
    struct test_h2_in first;

    (void)state;
    test_h2_request(&rig->say, 1, TEST_H2_END, "GET", "/", low);
    test_h2_request(&rig->say, 3, TEST_H2_END, "GET", "/", high);
    talk();
    answer(rig->requests[0], 200, "low");
    answer(rig->requests[1], 200, "high");
    assert_int_equal(gate_h2_send(&rig->c, &rig->out, 100000), GATE_OK);
    test_h2_in_open(&first);
    /* The heads come as they were given, 3's body before 1's. */
    while (gate_chain_front(&rig->out, &s)) {
        for (size_t i = 0; i < s.n; i++) {
            test_h2_take(&first, s.p + i, 1);
            if (first.n_streams == 2 && test_h2_stream(&first, 1)->n > 0)
                assert_true(test_h2_stream(&first, 3)->n > 0);
        }
        gate_chain_drop(&rig->out, s.n);
    }
    assert_string_equal(test_h2_stream(&first, 1)->body, "low");
    test_h2_in_close(&first);
}

static void early_answers_stop_the_upload(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 1, 0, "POST", "/", NULL);
    test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, "part", 4);
    talk();
    answer(only(), 413, "too large");
    hear();
    assert_string_equal(test_h2_stream(&rig->heard, 1)->body, "too large");
    assert_true(test_h2_stream(&rig->heard, 1)->ended);
    assert_false(test_h2_stream(&rig->heard, 1)->reset);
    test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, "more", 4);
    talk();
    assert_true(gate_h2_is_early(gate_h2_stream_of(only()->s)));
    gate_h2_stop(gate_h2_stream_of(only()->s));
    hear();
    assert_true(test_h2_stream(&rig->heard, 1)->reset);
    assert_int_equal(test_h2_stream(&rig->heard, 1)->code, 0);
    assert_int_equal(counted(GATE_C_H2_RESETS_SENT), 0);
}

/* An answer without body that comes while the request is on its way. */
static void answer_early(int status, bool head_is_all)
{
    const struct gate_message m = {.status = status, .head_is_all = head_is_all};
    struct request *r;

    test_h2_request(&rig->say, 1, 0, "POST", "/", NULL);
    talk();
    r = only();
    assert_int_equal(r->s->ops->send_head(r->s, &m, true), GATE_OK);
    r->s->ops->give_back(r->s);
    hear();
    assert_int_equal(test_h2_stream(&rig->heard, 1)->ended, head_is_all);
}

static void an_early_end_waits_for_that_of_the_request(void **state)
{
    (void)state;
    answer_early(204, false);
    test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, "part", 4);
    talk();
    assert_false(test_h2_stream(&rig->heard, 1)->ended);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "rest", 4);
    talk();
    assert_true(test_h2_stream(&rig->heard, 1)->ended);
    assert_false(test_h2_stream(&rig->heard, 1)->reset);
    assert_int_equal(rig->c.open, 0);
}

static void an_early_end_does_not_wait_for_ever(void **state)
{
    (void)state;
    answer_early(200, false);
    gate_h2_stream_unhold(gate_h2_stream_of(only()->s));
    hear();
    assert_true(test_h2_stream(&rig->heard, 1)->ended);
    assert_true(gate_h2_is_early(gate_h2_stream_of(only()->s)));
}

/* So does that of a body, where the client has said that little is left to send. */
static void answer_with_body_early(const char *length, bool waits)
{
    const char *fields[] = {"content-length", length, NULL};

    test_h2_request(&rig->say, 1, 0, "POST", "/", fields);
    talk();
    answer(only(), 200, "done");
    hear();
    assert_string_equal(test_h2_stream(&rig->heard, 1)->body, "done");
    assert_int_equal(test_h2_stream(&rig->heard, 1)->ended, !waits);
}

static void an_early_body_ends_with_the_request(void **state)
{
    (void)state;
    answer_with_body_early("3", true);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "abc", 3);
    talk();
    assert_true(test_h2_stream(&rig->heard, 1)->ended);
    assert_string_equal(test_h2_stream(&rig->heard, 1)->body, "done");
    assert_int_equal(rig->c.open, 0);
}

static void an_early_body_does_not_wait_for_a_long_upload(void **state)
{
    (void)state;
    answer_with_body_early("100000", false);
}

static void an_early_head_may_be_all(void **state)
{
    (void)state;
    answer_early(200, true);
}

/* ------------------------------------------------------------------ budgets */

static void what_is_cancelled_in_the_same_read_never_begins(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 50; i++) {
        test_h2_request(&rig->say, 1 + 2 * i, TEST_H2_END, "GET", "/", NULL);
        test_h2_number(&rig->say, TEST_H2_RST, 1 + 2 * i, 8);
    }
    talk();
    assert_int_equal(rig->n, 0);
    assert_int_equal(counted(GATE_C_H2_RESETS_RECEIVED), 50);
    assert_false(rig->heard.goaway);
}

static void expect_calm(void)
{
    assert_true(rig->heard.goaway);
    assert_int_equal(rig->heard.code, 11);
    assert_true(rig->c.flooded);
    assert_int_equal(counted(GATE_C_H2_FLOODS), 1);
    assert_true(gate_h2_done(&rig->c));
}

static void rapid_resets_end_the_connection(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 200 && !rig->heard.goaway; i++) {
        test_h2_request(&rig->say, 1 + 2 * i, TEST_H2_END, "GET", "/", NULL);
        talk();
        test_h2_number(&rig->say, TEST_H2_RST, 1 + 2 * i, 8);
        talk();
        if (rig->n > 0 && rig->requests[rig->n - 1]->broken != NULL)
            rig->requests[rig->n - 1]->s->ops->reset(rig->requests[rig->n - 1]->s,
                                                     GATE_CLOSE_CLIENT_RESET);
    }
    assert_in_range(rig->n, GATE_H2_RESETS, GATE_H2_RESETS + 2);
    expect_calm();
}

/* Whose streams end well, or after a while, may cancel others. */
static void resets_of_a_client_that_works_do_not_end_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t id = 1 + 4 * i;

        test_h2_request(&rig->say, id, TEST_H2_END, "GET", "/", NULL);
        test_h2_request(&rig->say, id + 2, TEST_H2_END, "GET", "/", NULL);
        talk();
        answer(rig->requests[rig->n - 2], 200, "");
        test_h2_number(&rig->say, TEST_H2_RST, id + 2, 8);
        talk();
    }
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t id = 2001 + 2 * i;

        test_h2_request(&rig->say, id, TEST_H2_END, "GET", "/", NULL);
        talk();
        if (i % 50 == 49)
            rig->now_ns += 1000000000;
        for (uint32_t k = 0; i % 50 == 49 && k < 50; k++)
            test_h2_number(&rig->say, TEST_H2_RST, id - 2 * k, 8);
        talk();
    }
    assert_false(rig->heard.goaway);
    assert_int_equal(counted(GATE_C_H2_RESETS_RECEIVED), 600);
}

/* Resets that the client makes us send count like its own (CVE-2025-8671). */
static void resets_that_we_are_made_to_send_end_it_too(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 200 && !rig->heard.goaway; i++) {
        test_h2_request(&rig->say, 1 + 2 * i, TEST_H2_END, "GET", "/", NULL);
        test_h2_number(&rig->say, TEST_H2_WINDOW, 1 + 2 * i, 0x7fffffff);
        talk();
    }
    assert_in_range(rig->heard.resets, GATE_H2_RESETS, GATE_H2_RESETS + 1);
    assert_int_equal(rig->n, 0);
    expect_calm();
}

static void resets_of_our_own_do_not_count(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 250; i++) {
        test_h2_request(&rig->say, 1 + 2 * i, TEST_H2_END, "GET", "/", NULL);
        talk();
        rig->requests[i]->s->ops->reset(rig->requests[i]->s, GATE_CLOSE_UPSTREAM_TRUNCATED);
        hear();
        assert_int_equal(test_h2_stream(&rig->heard, 1 + 2 * i)->code, 2);
    }
    assert_false(rig->heard.goaway);
}

static void empty_frames_end_it(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 1, 0, "POST", "/", NULL);
    for (int i = 0; i < 101; i++)
        test_h2_frame(&rig->say, TEST_H2_DATA, 0, 1, NULL, 0);
    talk();
    expect_calm();
}

static void frames_without_content_end_it(void **state)
{
    char junk[8000] = {0};

    (void)state;
    for (int i = 0; i < 150 && !rig->heard.goaway; i++) {
        test_h2_frame(&rig->say, 0x42, 0, 0, junk, sizeof(junk));
        talk();
    }
    expect_calm();
}

/* What was sent counts as well: who takes much may say much. */
static void frames_beside_a_download_do_not(void **state)
{
    char junk[8000] = {0}, body[60001];

    (void)state;
    memset(body, 'x', sizeof(body) - 1);
    body[60000] = '\0';
    test_h2_request(&rig->say, 1, TEST_H2_END, "GET", "/", NULL);
    talk();
    answer(only(), 200, body);
    hear();
    for (int i = 0; i < 150; i++) {
        test_h2_frame(&rig->say, 0x42, 0, 0, junk, sizeof(junk));
        talk();
    }
    assert_false(rig->heard.goaway);
}

static enum gate_err continued(uint32_t id, int n)
{
    struct test_h2_out block = {0};

    test_h2_field(&block, ":method", "GET");
    test_h2_field(&block, ":scheme", "http");
    test_h2_field(&block, ":authority", "a");
    test_h2_field(&block, ":path", "/");
    test_h2_frame(&rig->say, TEST_H2_HEADERS, TEST_H2_END, id, block.p, block.n);
    test_h2_clear(&block);
    for (int i = 1; i <= n; i++)
        test_h2_frame(&rig->say, TEST_H2_CONTINUATION, i == n ? TEST_H2_WHOLE : 0, id,
                      "\0\001x\001y", 5);
    return talk();
}

static void continuations_are_few(void **state)
{
    (void)state;
    assert_int_equal(continued(1, 8), GATE_OK);
    assert_int_equal(rig->n, 1);
    assert_int_equal(continued(3, 9), GATE_E_SYNTAX);
    assert_int_equal(rig->n, 1);
}

/* Refusals before there is a request are in the language of its client. */
static void calls_of_grpc_are_known(void **state)
{
    static const char *const call[] = {"content-type", "application/grpc", NULL};

    (void)state;
    test_h2_request(&rig->say, 1, TEST_H2_END, "POST", "/", call);
    test_h2_request(&rig->say, 3, TEST_H2_END, "GET", "/", call);
    test_h2_request(&rig->say, 5, TEST_H2_END, "POST", "/", NULL);
    talk();
    assert_int_equal(rig->n, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gate_h2_stream_of(rig->requests[i]->s)->grpc, i == 0);
}

/* Without :authority there is nothing that Host could differ from. */
static void a_host_may_stand_alone(void **state)
{
    (void)state;
    test_h2_headers(&rig->say, 1, TEST_H2_END,
                    (const char *const[]){":method", "GET", ":scheme", "http", ":path", "/", "host",
                                          "b.test", NULL});
    talk();
    assert_int_equal(only()->refusal.status, 0);
    assert_true(gate_str_eq(only()->head.host, GATE_STR("b.test")));
}

static void too_many_streams_are_refused(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 150; i++)
        test_h2_request(&rig->say, 1 + 2 * i, 0, "POST", "/", NULL);
    talk();
    assert_int_equal(rig->n, GATE_H2_STREAMS);
    assert_int_equal(rig->heard.resets, 50);
    assert_int_equal(test_h2_stream(&rig->heard, 299)->code, 7);
    assert_int_equal(counted(GATE_C_H2_STREAMS_REFUSED), 50);
}

/* What follows them is taken for what it is, and others go on: the limit that was acknowledged ends
 * no connection. */
static void a_refused_stream_costs_nobody_else_anything(void **state)
{
    (void)state;
    talk();
    assert_int_equal(rig->heard.setting[3], GATE_H2_STREAMS);
    test_h2_frame(&rig->say, TEST_H2_SETTINGS, TEST_H2_ACK, 0, NULL, 0);
    for (uint32_t i = 0; i < 101; i++)
        test_h2_request(&rig->say, 1 + 2 * i, 0, "POST", "/", NULL);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 201, "hello", 5);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "hello", 5);
    assert_int_equal(talk(), GATE_OK);
    assert_int_equal(rig->n, GATE_H2_STREAMS);
    assert_int_equal(test_h2_stream(&rig->heard, 201)->code, 7);
    assert_false(rig->heard.goaway);
    answer(rig->requests[0], 200, "hi");
    hear();
    assert_true(test_h2_stream(&rig->heard, 1)->ended);
    test_h2_request(&rig->say, 203, TEST_H2_END, "GET", "/", NULL);
    assert_int_equal(talk(), GATE_OK);
    assert_int_equal(rig->n, GATE_H2_STREAMS + 1);
    assert_false(rig->heard.goaway);
}

static void settings_that_make_a_window_too_large_end_the_connection(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 1, 0, "POST", "/", NULL);
    test_h2_number(&rig->say, TEST_H2_WINDOW, 1, 0x7fffffff - 65535);
    test_h2_frame(&rig->say, TEST_H2_SETTINGS, 0, 0, "\0\4\0\1\0\0", 6);
    talk();
    assert_true(rig->heard.goaway);
    assert_int_equal(rig->heard.code, 3);
    assert_string_equal(rig->c.why, "a window of a stream is wrong");
    assert_true(gate_h2_done(&rig->c));
}

/* ------------------------------------------------------------------ tunnels (RFC 8441) */

#define CONNECT(protocol)                                                                          \
    ":protocol", protocol, ":method", "CONNECT", ":scheme", "http", ":authority", "example.test",  \
        ":path", "/a?b"

static void connect_with(uint32_t id, int flags, const char *const *fields)
{
    test_h2_headers(&rig->say, id, flags, fields);
}

static void an_extended_connect_is_the_upgrade_that_it_stands_for(void **state)
{
    static const char *const fields[] = {CONNECT("websocket"), "sec-websocket-version", "13",
                                         "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==",
                                         "origin", "http://a", NULL};
    static const struct gate_str before = GATE_STR(
        "GET /a?b HTTP/1.1\r\nhost: example.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        "sec-websocket-key: ");
    static const struct gate_str behind =
        GATE_STR("\r\nsec-websocket-version: 13\r\norigin: http://a\r\n\r\n");
    struct request *r;

    (void)state;
    connect_with(1, 0, fields);
    assert_int_equal(talk_in(7), GATE_OK);
    r = only();
    assert_int_equal(r->refusal.status, 0);
    assert_true(r->head.h2 && r->head.connect && r->head.upgrade);
    assert_true(r->head.method == GATE_M_GET && r->head.framing == GATE_BODY_NONE);
    assert_true(gate_str_eq(r->head.upgrade_token, GATE_STR("websocket")));
    assert_true(gate_str_starts(r->text, before));
    assert_int_equal(r->text.n, before.n + 24 + behind.n); /* a key, and not the client's */
    assert_true(gate_str_eq(gate_str_of(r->text.p + before.n + 24, behind.n), behind));
    assert_null(memmem(r->text.p, r->text.n, "dGhlIHNhbXBsZSBub25jZQ==", 24));
}

/* The one request of stream `id` is refused so. */
static void fields_refused(uint32_t id, int flags, const char *const *fields, int status)
{
    int n = rig->n;

    connect_with(id, flags, fields);
    assert_int_equal(talk(), GATE_OK);
    assert_int_equal(rig->n, n + 1);
    assert_int_equal(rig->requests[n]->refusal.status, status);
}

static void a_protocol_is_a_token(void **state)
{
    static const char *const slash[] = {CONNECT("x/1"), NULL};
    static const char *const other[] = {CONNECT("x"), "sec-websocket-key", "a", NULL};

    (void)state;
    fields_refused(1, 0, slash, 400);
    connect_with(3, 0, other);
    talk();
    assert_int_equal(rig->requests[1]->refusal.status, 0);
    assert_null(memmem(rig->requests[1]->text.p, rig->requests[1]->text.n, "-key", 4));
}

static void what_connects_wrongly_is_refused(void **state)
{
    static const char *const plain[] = {":method", "CONNECT", ":authority", "a:22", NULL};
    static const char *const with_length[] = {CONNECT("websocket"), "content-length", "0", NULL};
    static const char *const h2c[] = {CONNECT("h2c"), NULL};
    static const char *const https[] = {":protocol", "websocket", ":method", "CONNECT", ":scheme",
                                        "https", ":authority", "a", ":path", "/", NULL};
    static const char *const target[] = {":protocol", "websocket", ":method", "CONNECT", ":scheme",
                                         "http", ":authority", "a", ":path", "/%00", NULL};
    static const char *const host[] = {CONNECT("websocket"), "host", "other.test", NULL};
    static const char *const good[] = {CONNECT("websocket"), NULL};

    (void)state;
    fields_refused(1, 0, plain, 405);
    fields_refused(3, 0, with_length, 400);
    fields_refused(5, 0, h2c, 501);
    fields_refused(7, 0, https, 400);
    fields_refused(9, 0, target, 400);
    fields_refused(11, 0, host, 400);
    fields_refused(13, TEST_H2_END, good, 400);
    assert_int_equal(rig->malformed, 0);
}

static void send_text(struct request *r, const char *text, bool last)
{
    struct gate_chain chunk;

    gate_chain_init(&chunk, &rig->blocks);
    assert_int_equal(gate_chain_copy(&chunk, text, strlen(text)), 0);
    assert_int_equal(r->s->ops->send_body(r->s, &chunk, last), GATE_OK);
}

/* A tunnel that was asked for and not answered yet, by a client that talks and ends at once. */
static struct request *early_tunnel(void)
{
    static const char *const fields[] = {CONNECT("websocket"), NULL};

    rig->grant = 0;
    connect_with(1, 0, fields);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 1, "early", 5);
    talk();
    assert_int_equal(only()->refusal.status, 0);
    return only();
}

static void agree(struct request *r)
{
    static const struct gate_str accept = GATE_STR("Sec-WebSocket-Accept");
    struct gate_field v[] = {
        {accept.p, "x", (uint16_t)accept.n, GATE_F_OTHER, 1},
        {"Upgrade", "websocket", 7, GATE_F_UPGRADE, 9},
        {"Sec-WebSocket-Protocol", "chat", 22, GATE_F_OTHER, 4},
    };
    struct gate_message m = {.status = 101, .extra = v, .n_extra = GATE_COUNT_OF(v)};

    assert_int_equal(r->s->ops->send_head(r->s, &m, true), GATE_OK);
}

static void a_tunnel_is_bytes_until_both_have_ended(void **state)
{
    struct request *r = early_tunnel();
    struct test_h2_stream *s = test_h2_stream(&rig->heard, 1);

    (void)state;
    agree(r);
    hear();
    assert_string_equal(s->head, ":status: 200\nsec-websocket-protocol: chat\n");
    assert_false(s->ended || r->ended);
    assert_int_equal(r->n, 0);
    r->s->ops->grant(r->s, 100);
    hear();
    assert_memory_equal(r->body, "early", 5);
    assert_true(r->ended);
    send_text(r, "one", false);
    hear();
    assert_string_equal(s->body, "one");
    send_text(r, "two", true);
    hear();
    assert_string_equal(s->body, "onetwo");
    assert_true(s->ended);
    r->s->ops->give_back(r->s);
    hear();
    assert_int_equal(rig->c.open, 0);
    assert_int_equal(rig->heard.resets, 0);
}

/* The end of a request that becomes no tunnel is of no interest. */
static void what_ends_before_it_is_a_tunnel_waits(void **state)
{
    struct request *r = early_tunnel();

    (void)state;
    r->s->ops->grant(r->s, 100);
    hear();
    assert_int_equal(r->n, 5);
    assert_false(r->ended);
    answer(r, 403, "no");
    hear();
    assert_non_null(strstr(test_h2_stream(&rig->heard, 1)->head, ":status: 403\n"));
    assert_true(test_h2_stream(&rig->heard, 1)->ended);
    assert_int_equal(rig->c.open, 0);
}

static void a_tunnel_has_no_trailers(void **state)
{
    static const char *const fields[] = {CONNECT("websocket"), NULL};
    static const char *const trailers[] = {"x", "1", NULL};
    struct request *r;

    (void)state;
    connect_with(1, 0, fields);
    talk();
    r = only();
    agree(r);
    test_h2_headers(&rig->say, 1, TEST_H2_END, trailers);
    talk();
    assert_string_equal(r->broken, "trailers in a tunnel");
    assert_string_equal(r->trailers, "");
    assert_false(r->ended);
    assert_int_equal(test_h2_stream(&rig->heard, 1)->code, 1);
}

static void a_tunnel_that_breaks_is_cancelled(void **state)
{
    struct request *r = early_tunnel();

    (void)state;
    agree(r);
    hear();
    r->s->ops->reset(r->s, GATE_CLOSE_LINK_ERROR);
    hear();
    assert_true(test_h2_stream(&rig->heard, 1)->reset);
    assert_int_equal(test_h2_stream(&rig->heard, 1)->code, 8);
}

/* ------------------------------------------------------------------ the connection */

static void it_says_what_it_takes(void **state)
{
    (void)state;
    talk();
    assert_int_equal(rig->heard.settings, 1);
    assert_int_equal(rig->heard.settings_acks, 1);
    assert_int_equal(rig->heard.window, GATE_H2_WINDOW - 65535);
    assert_int_equal(rig->heard.setting[8], 1); /* ENABLE_CONNECT_PROTOCOL */
    assert_true(rig->c.greeted);
}

/* What may follow on a stream that is not open depends on who has closed it. */
static void frames_of_closed_streams(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 5, 0, "POST", "/", NULL);
    talk();
    only()->s->ops->reset(only()->s, GATE_CLOSE_UPSTREAM_TRUNCATED);
    hear();
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 5, "late", 4); /* was on its way */
    assert_int_equal(talk(), GATE_OK);
    assert_false(rig->heard.goaway);
    test_h2_request(&rig->say, 9, TEST_H2_END, "GET", "/", NULL);
    talk();
    answer(rig->requests[1], 200, "hi");
    hear();
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 9, "more", 4);
    talk();
    assert_true(rig->heard.goaway);
    assert_int_equal(rig->heard.code, 5);
}

static void frames_behind_a_reset(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 1, TEST_H2_END, "GET", "/", NULL);
    test_h2_number(&rig->say, TEST_H2_RST, 1, 8);
    test_h2_request(&rig->say, 1, TEST_H2_END, "GET", "/", NULL);
    assert_int_equal(talk_in(5), GATE_OK);
    assert_true(rig->heard.goaway);
    assert_int_equal(rig->heard.code, 5);
}

static void streams_that_were_passed_over(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 5, TEST_H2_END, "GET", "/", NULL);
    test_h2_request(&rig->say, 9, TEST_H2_END, "GET", "/", NULL);
    talk();
    assert_int_equal(rig->n, 2);
    test_h2_request(&rig->say, 7, TEST_H2_END, "GET", "/", NULL);
    talk();
    assert_true(rig->heard.goaway);
    assert_int_equal(rig->heard.code, 1);
    assert_int_equal(rig->n, 2);
}

/* Further back than is remembered, streams count as begun. */
static void streams_of_long_ago(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 1, TEST_H2_END, "GET", "/", NULL);
    test_h2_request(&rig->say, 1001, TEST_H2_END, "GET", "/", NULL);
    test_h2_request(&rig->say, 3, TEST_H2_END, "GET", "/", NULL);
    talk();
    assert_true(rig->heard.goaway);
    assert_int_equal(rig->heard.code, 5);
    assert_int_equal(rig->n, 2);
}

static void data_of_streams_that_were_passed_over(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 9, TEST_H2_END, "GET", "/", NULL);
    test_h2_frame(&rig->say, TEST_H2_DATA, TEST_H2_END, 7, "?", 1);
    talk();
    assert_true(rig->heard.goaway);
    assert_int_equal(rig->heard.code, 5);
}

/* Those of RFC 9218 are of streams that a client may begin. */
static void priority_updates(void **state)
{
    (void)state;
    test_h2_frame(&rig->say, 0x10, 0, 0, "\0\0\0\7u=1", 7);
    talk();
    assert_false(rig->heard.goaway);
    test_h2_frame(&rig->say, 0x10, 0, 0, "\0\0\0\0u=1", 7);
    talk();
    assert_true(rig->heard.goaway);
    assert_int_equal(rig->heard.code, 1);
}

/* PRIORITY may come on a stream of any state, but not make it depend on itself. */
static void priorities_of_closed_streams(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 3, TEST_H2_END, "GET", "/", NULL);
    talk();
    answer(only(), 200, "hi");
    hear();
    test_h2_frame(&rig->say, TEST_H2_PRIORITY, 0, 1, "\0\0\0\0\0", 5);
    test_h2_frame(&rig->say, TEST_H2_PRIORITY, 0, 3, "\0\0\0\1\0", 5);
    assert_int_equal(talk(), GATE_OK);
    assert_false(rig->heard.goaway);
    test_h2_frame(&rig->say, TEST_H2_PRIORITY, 0, 3, "\0\0\0\3\0", 5);
    talk();
    assert_true(rig->heard.goaway);
    assert_int_equal(rig->heard.code, 1);
}

static void another_preface_is_no_http2(void **state)
{
    (void)state;
    rig->say.p[18] = 'X';
    assert_int_equal(talk(), GATE_E_SYNTAX);
}

static void it_leaves_in_two_steps(void **state)
{
    (void)state;
    test_h2_request(&rig->say, 1, TEST_H2_END, "GET", "/", NULL);
    talk();
    gate_h2_notice(&rig->c);
    hear();
    assert_int_equal(rig->heard.last_id, 0x7fffffff);
    assert_int_equal(rig->heard.pings, 1);
    test_h2_request(&rig->say, 3, TEST_H2_END, "GET", "/", NULL); /* was on its way */
    test_h2_frame(&rig->say, TEST_H2_PING, TEST_H2_ACK, 0, rig->heard.ping, 8);
    talk();
    assert_true(rig->c.pong);
    gate_h2_leave(&rig->c);
    hear();
    assert_int_equal(rig->heard.goaways, 2);
    assert_int_equal(rig->heard.last_id, 3);
    gate_h2_leave(&rig->c); /* once is enough */
    hear();
    assert_int_equal(rig->heard.goaways, 2);
    test_h2_request(&rig->say, 5, TEST_H2_END, "GET", "/", NULL);
    talk();
    assert_int_equal(rig->n, 2);
    assert_false(gate_h2_done(&rig->c));
    answer(rig->requests[0], 200, "1");
    answer(rig->requests[1], 200, "2");
    hear();
    assert_string_equal(test_h2_stream(&rig->heard, 3)->body, "2");
    assert_true(gate_h2_done(&rig->c));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_the_head_it_stands_for),
        TEST(splits_do_not_matter),
        TEST(crumbs_are_one_cookie_again),
        TEST(a_continue_is_said_once),
        TEST(many_heads_share_blocks),
        TEST(what_h1_refuses_h2_refuses),
        TEST(what_is_malformed_is_reset),
        TEST(heads_are_summed_before_they_are_copied),
        TEST(fields_are_counted),
        TEST(a_body_that_is_not_its_length_is_reset),
        TEST(the_last_byte_of_a_length_waits_for_the_end),
        TEST(trailers_are_judged),
        TEST(trailers_come_when_all_has_left),
        TEST(the_window_opens_as_bytes_are_taken),
        TEST(a_stalled_upload_does_not_hold_the_others),
        TEST(a_stalled_download_does_not_hold_the_others),
        TEST(urgent_answers_leave_first),
        TEST(early_answers_stop_the_upload),
        TEST(an_early_end_waits_for_that_of_the_request),
        TEST(an_early_end_does_not_wait_for_ever),
        TEST(an_early_body_ends_with_the_request),
        TEST(an_early_body_does_not_wait_for_a_long_upload),
        TEST(an_early_head_may_be_all),
        TEST(what_is_cancelled_in_the_same_read_never_begins),
        TEST(rapid_resets_end_the_connection),
        TEST(resets_of_a_client_that_works_do_not_end_it),
        TEST(resets_that_we_are_made_to_send_end_it_too),
        TEST(resets_of_our_own_do_not_count),
        TEST(empty_frames_end_it),
        TEST(frames_without_content_end_it),
        TEST(frames_beside_a_download_do_not),
        TEST(continuations_are_few),
        TEST(calls_of_grpc_are_known),
        TEST(a_host_may_stand_alone),
        TEST(too_many_streams_are_refused),
        TEST(a_refused_stream_costs_nobody_else_anything),
        TEST(settings_that_make_a_window_too_large_end_the_connection),
        TEST(an_extended_connect_is_the_upgrade_that_it_stands_for),
        TEST(a_protocol_is_a_token),
        TEST(what_connects_wrongly_is_refused),
        TEST(a_tunnel_is_bytes_until_both_have_ended),
        TEST(what_ends_before_it_is_a_tunnel_waits),
        TEST(a_tunnel_has_no_trailers),
        TEST(a_tunnel_that_breaks_is_cancelled),
        TEST(it_says_what_it_takes),
        TEST(frames_of_closed_streams),
        TEST(frames_behind_a_reset),
        TEST(streams_that_were_passed_over),
        TEST(streams_of_long_ago),
        TEST(data_of_streams_that_were_passed_over),
        TEST(priority_updates),
        TEST(priorities_of_closed_streams),
        TEST(another_preface_is_no_http2),
        TEST(it_leaves_in_two_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
