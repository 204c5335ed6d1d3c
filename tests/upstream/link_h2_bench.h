/* What tests of links over HTTP/2 share: calls, each with its attempt and what it has heard, and
 * origins that write their frames by hand. Included once. */
#ifndef GATE_TESTS_LINK_H2_BENCH_H
#define GATE_TESTS_LINK_H2_BENCH_H

#include <netinet/tcp.h>

#include "../support/h2_raw.h"
#include "link_bench.h"

#define CALLS 128

/* One request of ours. */
struct call {
    struct gate_attempt a;
    struct gate_wait wait;
    bool woken;
    enum gate_err dialed;
    int status;
    int infos;
    size_t body;
    bool ended;
    enum gate_err broken;
    const char *why;
    int rooms;
};

/* The other end of one connection. */
struct origin {
    int fd;
    size_t magic; /* bytes of the preface that have come */
    struct test_h2_in in;
    struct test_h2_out out;
};

static struct call calls[CALLS];
static struct gate_timeouts timeouts;

static inline void on_info(struct gate_stream *s, const struct gate_response_head *head)
{
    assert_true(head->status < 200);
    ((struct call *)s->user)->infos++;
}

static inline void on_head(struct gate_stream *s, const struct gate_response_head *head,
                    struct gate_block *block)
{
    assert_non_null(block);
    ((struct call *)s->user)->status = head->status;
}

static inline void on_body(struct gate_stream *s, struct gate_chain *chunk)
{
    ((struct call *)s->user)->body += chunk->bytes;
    gate_chain_clear(chunk);
}

static inline void on_trailers(struct gate_stream *s, const struct gate_fields *fs,
                        struct gate_block *block)
{
    (void)s;
    assert_true(fs->n > 0 && block != NULL);
}

static inline void on_end(struct gate_stream *s)
{
    struct call *c = s->user;

    c->ended = c->a.ended = true;
}

static inline void on_reset(struct gate_stream *s, enum gate_err e, const char *why)
{
    struct call *c = s->user;

    assert_true(e != GATE_OK && why != NULL && c->broken == GATE_OK);
    c->broken = e;
    c->why = why;
}

static inline void on_room(struct gate_stream *s)
{
    ((struct call *)s->user)->rooms++;
}

static const struct gate_stream_events events = {.on_info = on_info,
                                                 .on_head = on_head,
                                                 .on_body = on_body,
                                                 .on_trailers = on_trailers,
                                                 .on_end = on_end,
                                                 .on_reset = on_reset,
                                                 .on_room = on_room};

static inline void on_dialed(struct gate_wait *w, enum gate_err e)
{
    struct call *c = w->arg;

    c->woken = true;
    c->dialed = e;
}

/* Call k asks for a link; what is known at once. */
static inline enum gate_err ask(struct bench *b, int k, struct gate_link_want want)
{
    struct call *c = &calls[k];

    assert_null(c->a.peer);
    memset(c, 0, sizeof(*c));
    begin_attempt(&c->a, b->links, b->local->set->v[0].peer);
    c->a.want = want;
    gate_wait_init(&c->wait, &b->loop, on_dialed, c);
    c->dialed = dial_and_wait(&c->a, b->local, &c->wait);
    c->woken = c->dialed != GATE_E_AGAIN;
    return c->dialed;
}

static inline struct gate_link_want h2_only(void)
{
    return (struct gate_link_want){.connect_ms = 5000, .http2 = GATE_HTTP2_ALWAYS};
}

static inline void until_woken(struct bench *b, int k)
{
    for (int t = 0; t < 10000 && !calls[k].woken; t++)
        turns(b, 1);
    assert_true(calls[k].woken);
}

/* Begins the stream of call k. NULL: there is none. */
static inline struct gate_stream *begin(int k)
{
    static const struct gate_head_limits limits = {
        .header_bytes = 8192, .header_count = 50, .target_bytes = 1000};
    struct call *c = &calls[k];
    struct gate_link_use use = {.arena = &c->a.arena,
                                .limits = &limits,
                                .timeouts = &timeouts,
                                .method = GATE_M_POST,
                                .events = &events,
                                .user = c};

    return gate_attempt_begin(&c->a, &use);
}

/* Sends a head: a request without a body, or one whose body follows. */
static inline void send_request(int k, bool last)
{
    struct gate_field host = {
        .name = "Host", .value = "a", .name_len = 4, .id = GATE_F_HOST, .value_len = 1};
    struct gate_message m = {
        .method = GATE_STR("POST"),
        .path = GATE_STR("/"),
        .extra = &host,
        .n_extra = 1,
        .framing = last ? GATE_BODY_NONE : GATE_BODY_CHUNKED,
    };
    struct gate_stream *s = begin(k);

    assert_non_null(s);
    assert_int_equal(s->ops->send_head(s, &m, last), GATE_OK);
}

/* A request of call k, whole, on whatever link it gets. */
static inline void request(struct bench *b, int k)
{
    if (ask(b, k, h2_only()) == GATE_E_AGAIN)
        until_woken(b, k);
    assert_int_equal(calls[k].dialed, GATE_OK);
    send_request(k, true);
    turns(b, 2);
}

static inline void grant(int k, size_t n)
{
    calls[k].a.stream->ops->grant(calls[k].a.stream, n);
}

static inline void end(struct bench *b, int k)
{
    end_attempt(&calls[k].a, GATE_CLOSE_CLIENT_ABORT);
    turns(b, 2);
}

/* ------------------------------------------------------------------ the origin's side */

static inline void origin_open(struct bench *b, struct origin *o)
{
    memset(o, 0, sizeof(*o));
    o->fd = accepted(b, 0);
    setsockopt(o->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* frames leave at once */
    test_h2_in_open(&o->in);
    test_h2_frame(&o->out, TEST_H2_SETTINGS, 0, 0, NULL, 0);
}

static inline void origin_close(struct origin *o)
{
    if (o->fd >= 0)
        close(o->fd);
    test_h2_in_close(&o->in);
    test_h2_clear(&o->out);
}

/* Takes what has come. */
static inline void hear(struct bench *b, struct origin *o)
{
    char bytes[65536];
    ssize_t n;

    turns(b, 2);
    while ((n = recv(o->fd, bytes, sizeof(bytes), 0)) > 0) {
        size_t skip = 24 - o->magic < (size_t)n ? 24 - o->magic : (size_t)n;

        o->magic += skip;
        test_h2_take(&o->in, bytes + skip, (size_t)n - skip);
        turns(b, 1);
    }
}

/* Sends what was written, and lets the link see it. */
static inline void say(struct bench *b, struct origin *o)
{
    size_t at = 0;

    while (at < o->out.n) {
        ssize_t n = send(o->fd, o->out.p + at, o->out.n - at, MSG_NOSIGNAL);

        if (n > 0)
            at += (size_t)n;
        else
            assert_int_equal(errno, EAGAIN);
        turns(b, 1);
    }
    o->out.n = 0;
    hear(b, o);
}

/* SETTINGS_MAX_CONCURRENT_STREAMS. */
static inline void announce(struct origin *o, uint32_t streams)
{
    const uint8_t v[6] = {0,
                          3,
                          (uint8_t)(streams >> 24),
                          (uint8_t)(streams >> 16),
                          (uint8_t)(streams >> 8),
                          (uint8_t)streams};

    o->out.n = 0;
    test_h2_frame(&o->out, TEST_H2_SETTINGS, 0, 0, v, sizeof(v));
}

static inline void answer(struct origin *o, uint32_t id, int flags)
{
    test_h2_headers(&o->out, id, flags, (const char *const[]){":status", "200", NULL});
}

static inline void goaway(struct origin *o, uint32_t last_id)
{
    const uint8_t v[8] = {(uint8_t)(last_id >> 24), (uint8_t)(last_id >> 16),
                          (uint8_t)(last_id >> 8), (uint8_t)last_id};

    test_h2_frame(&o->out, TEST_H2_GOAWAY, 0, 0, v, sizeof(v));
}

/* A connection that is up, with call 0 on it, and SETTINGS exchanged. */
static inline void meet(struct bench *b, struct origin *o)
{
    request(b, 0);
    origin_open(b, o);
    say(b, o);
    assert_int_equal(o->magic, 24);
    assert_int_equal(o->in.settings_acks, 1);
    assert_true(test_h2_stream(&o->in, 1)->ended);
}

static inline int open_h2(void **state)
{
    memset(calls, 0, sizeof(calls));
    memset(&timeouts, 0, sizeof(timeouts));
    return open_bench(state);
}

static inline int close_h2(void **state)
{
    struct bench *b = *state;

    for (int k = 0; k < CALLS; k++)
        end_attempt(&calls[k].a, GATE_CLOSE_DRAIN);
    turns(b, 3);
    for (uint32_t i = 0; i < b->local->set->n; i++)
        assert_int_equal(gate_peer_active(b->local->set->v[i].peer), 0);
    return close_bench(state);
}

#define H2_CASE(f) cmocka_unit_test_setup_teardown(f, open_h2, close_h2)

#endif
