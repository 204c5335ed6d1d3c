/* Pumps between a source and a sink that the test plays: credits, windows, filters that wait,
 * limits, replay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exchange/pump.h"
#include "net/conn.h"

/* A source that only counts what it is granted, a sink that takes what it is sent, and a pump
 * between them. */
struct bench {
    struct gate_clock clock;
    struct gate_loop loop;
    struct gate_pump p;
    struct gate_stream src;
    struct gate_stream dst;
    struct gate_conn *dst_conn; /* under the sink; NULL: none */
    size_t granted;
    size_t room;
    char *sent;
    size_t n_sent;
    bool last;
    char trailer[16];
    enum gate_err refuse;
    enum gate_pump_end how;
    int ends;
};

#define SENT_MAX (4u << 20)

static void src_grant(struct gate_stream *s, size_t n)
{
    gate_container_of(s, struct bench, src)->granted += n;
}

static enum gate_err dst_send_body(struct gate_stream *s, struct gate_chain *c, bool last)
{
    struct bench *b = gate_container_of(s, struct bench, dst);

    assert_false(b->last);
    if (b->refuse != GATE_OK)
        return b->refuse;
    assert_true(b->n_sent + c->bytes < SENT_MAX);
    gate_chain_read(c, b->sent + b->n_sent);
    b->n_sent += c->bytes;
    b->room -= b->room < c->bytes ? b->room : c->bytes;
    b->last = last;
    gate_chain_clear(c);
    return GATE_OK;
}

static enum gate_err dst_send_trailers(struct gate_stream *s, const struct gate_fields *t)
{
    struct bench *b = gate_container_of(s, struct bench, dst);

    assert_false(b->last);
    strncat(b->trailer, t->v[0].name, t->v[0].name_len);
    b->last = true;
    return b->refuse;
}

static size_t dst_room(const struct gate_stream *s)
{
    return gate_container_of(s, struct bench, dst)->room;
}

static struct gate_conn *dst_raw_conn(struct gate_stream *s)
{
    return gate_container_of(s, struct bench, dst)->dst_conn;
}

static const struct gate_stream_ops src_ops = {.name = "source", .grant = src_grant};
static const struct gate_stream_ops dst_ops = {.name = "sink",
                                               .send_body = dst_send_body,
                                               .send_trailers = dst_send_trailers,
                                               .room = dst_room,
                                               .raw_conn = dst_raw_conn};

static void on_end(struct gate_pump *p, enum gate_pump_end how)
{
    struct bench *b = p->user;

    b->ends++;
    b->how = how;
}

static int open_bench(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    gate_clock_init(&b->clock);
    assert_int_equal(gate_loop_open(&b->loop, &b->clock, NULL), GATE_OK);
    b->src.ops = &src_ops;
    b->dst.ops = &dst_ops;
    b->room = SIZE_MAX;
    b->sent = malloc(SENT_MAX);
    gate_pump_init(&b->p, &b->loop, on_end, b);
    *state = b;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *b = *state;

    gate_pump_fini(&b->p);
    assert_int_equal(b->loop.blocks.live, 0);
    gate_loop_close(&b->loop);
    free(b->sent);
    free(b);
    return 0;
}

static void chain_of(struct bench *b, struct gate_chain *c, const char *text, size_t n)
{
    gate_chain_init(c, &b->loop.blocks);
    while (n > 0) {
        size_t take = n < strlen(text) ? n : strlen(text);

        gate_chain_copy(c, text, take);
        n -= take;
    }
}

static void got(struct bench *b, const char *text)
{
    struct gate_chain c;

    chain_of(b, &c, text, strlen(text));
    gate_pump_got(&b->p, &c);
    gate_chain_clear(&c);
}

static void got_n(struct bench *b, size_t n)
{
    struct gate_chain c;

    chain_of(b, &c, "0123456789abcdef", n);
    gate_pump_got(&b->p, &c);
    gate_chain_clear(&c);
}

static void join(struct bench *b)
{
    gate_pump_from(&b->p, &b->src);
    gate_pump_to(&b->p, &b->dst);
}

/* ------------------------------------------------------------------ credits */

static void nothing_is_granted_without_a_sink(void **state)
{
    struct bench *b = *state;

    gate_pump_from(&b->p, &b->src);
    assert_int_equal(b->granted, 0);
    got(b, "with the head");
    assert_int_equal(b->granted, 0);
    gate_pump_to(&b->p, &b->dst);
    assert_int_equal(b->granted, GATE_PUMP_WINDOW);
    assert_int_equal(b->n_sent, 13);
}

static void a_window_is_renewed_at_its_half(void **state)
{
    struct bench *b = *state;

    join(b);
    got_n(b, 20000);
    assert_int_equal(b->granted, GATE_PUMP_WINDOW);
    got_n(b, 12767);
    assert_int_equal(b->granted, GATE_PUMP_WINDOW);
    got_n(b, 1);
    assert_int_equal(b->granted, GATE_PUMP_WINDOW + 32768);
}

static void windows_grow_while_they_are_filled(void **state)
{
    struct bench *b = *state;
    size_t before = 0;

    join(b);
    for (int i = 0; i < 40; i++) {
        size_t n = b->p.granted < 131072 ? b->p.granted : 131072;

        got_n(b, n);
        b->n_sent = 0;
        assert_true(b->p.window >= before && b->p.window <= GATE_PUMP_WINDOW_MAX);
        before = b->p.window;
        assert_int_equal(b->p.granted, b->granted - b->p.got);
    }
    assert_true(b->p.window >= 262144);
    assert_true(b->p.granted <= b->p.window);
}

static void small_chunks_keep_it_small(void **state)
{
    struct bench *b = *state;

    join(b);
    for (int i = 0; i < 1000; i++)
        got_n(b, 1000);
    assert_int_equal(b->p.window, GATE_PUMP_WINDOW);
}

static void a_full_sink_holds_back(void **state)
{
    struct bench *b = *state;

    b->room = 10;
    join(b);
    got_n(b, 40000);
    assert_int_equal(b->room, 0);
    got_n(b, 1000);
    assert_int_equal(b->n_sent, 40000);
    assert_int_equal(b->granted, GATE_PUMP_WINDOW);
    b->room = 100000;
    gate_pump_room(&b->p);
    assert_int_equal(b->n_sent, 41000);
    assert_int_equal(b->granted, 41000 + b->p.window);
    gate_pump_src_end(&b->p);
    assert_int_equal(b->how, GATE_PUMP_COMPLETE);
    assert_int_equal(b->ends, 1);
}

static void gathering_grants_what_is_asked(void **state)
{
    struct bench *b = *state;

    gate_pump_from(&b->p, &b->src);
    got(b, "12345");
    gate_pump_gather(&b->p, 100);
    assert_int_equal(b->granted, 95);
    gate_pump_gather(&b->p, 100);
    assert_int_equal(b->granted, 95);
    got_n(b, 95);
    assert_int_equal(b->p.in.bytes, 100);
    gate_pump_src_end(&b->p);
    gate_pump_gather(&b->p, 1000);
    assert_int_equal(b->granted, 95);
    gate_pump_to(&b->p, &b->dst);
    assert_int_equal(b->n_sent, 100);
    assert_int_equal(b->how, GATE_PUMP_COMPLETE);
}

/* ------------------------------------------------------------------ ends */

static void ends_are_told_once(void **state)
{
    struct bench *b = *state;

    join(b);
    got(b, "x");
    gate_pump_src_end(&b->p);
    gate_pump_src_end(&b->p);
    gate_pump_src_broken(&b->p);
    gate_pump_dst_broken(&b->p);
    got(b, "late");
    assert_true(b->last);
    assert_int_equal(b->ends, 1);
    assert_int_equal(b->how, GATE_PUMP_COMPLETE);
    assert_int_equal(b->n_sent, 1);
}

static void trailers_end_the_message(void **state)
{
    struct bench *b = *state;
    struct gate_field f = {"X-Sum", "1", 5, GATE_F_OTHER, 1};
    struct gate_fields fs = {.v = &f, .n = 1, .cap = 1};

    join(b);
    got(b, "x");
    b->p.trailers = &fs;
    gate_pump_src_end(&b->p);
    assert_string_equal(b->trailer, "X-Sum");
    assert_int_equal(b->how, GATE_PUMP_COMPLETE);
}

static void either_side_may_break(void **state)
{
    struct bench *b = *state;

    join(b);
    gate_pump_src_broken(&b->p);
    assert_int_equal(b->how, GATE_PUMP_SOURCE);
    gate_pump_fini(&b->p);
    gate_pump_init(&b->p, &b->loop, on_end, b);
    join(b);
    gate_pump_dst_broken(&b->p);
    assert_int_equal(b->how, GATE_PUMP_SINK);
    gate_pump_fini(&b->p);
    gate_pump_init(&b->p, &b->loop, on_end, b);
    join(b);
    b->refuse = GATE_E_INVALID;
    got(b, "x");
    assert_int_equal(b->how, GATE_PUMP_SINK);
    assert_int_equal(b->ends, 3);
}

static void too_many_bytes(void **state)
{
    struct bench *b = *state;

    b->p.max = 10;
    join(b);
    got(b, "0123456789");
    assert_int_equal(b->ends, 0);
    got(b, "x");
    assert_int_equal(b->how, GATE_PUMP_LIMIT);
    assert_int_equal(b->n_sent, 10);
    assert_false(b->last);
}

/* ------------------------------------------------------------------ filters */

/* Upper case; waits where `wait` says so. */
struct upper {
    struct gate_filter f;
    bool wait;
    bool fail;
    bool swallow; /* empty results until the last */
    struct gate_chain held;
    int inside;
    int lasts;
    int drops;
};

static void shout(const struct gate_chain *in, struct gate_chain *out)
{
    char text[256];

    assert_true(in->bytes < sizeof(text));
    gate_chain_read(in, text);
    for (size_t i = 0; i < in->bytes; i++)
        text[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i]);
    gate_chain_copy(out, text, in->bytes);
}

static enum gate_filter_result upper_chunk(struct gate_filter *f, struct gate_chain *in, bool last,
                                           struct gate_chain *out)
{
    struct upper *u = gate_container_of(f, struct upper, f);

    assert_int_equal(u->inside, 0);
    u->lasts += last;
    if (u->fail)
        return GATE_FILTER_FAIL;
    if (u->swallow && !last)
        return GATE_FILTER_DONE;
    if (!u->wait) {
        shout(in, out);
        return GATE_FILTER_DONE;
    }
    u->inside = 1;
    gate_chain_init(&u->held, in->pool);
    gate_chain_move(&u->held, in);
    return GATE_FILTER_WAIT;
}

static void upper_drop(struct gate_filter *f)
{
    struct upper *u = gate_container_of(f, struct upper, f);

    u->drops++;
    gate_chain_clear(&u->held);
}

static struct upper upper_new(void)
{
    return (struct upper){.f = {.chunk = upper_chunk, .drop = upper_drop}};
}

static void upper_done(struct bench *b, struct upper *u, enum gate_filter_result r)
{
    struct gate_chain out;

    gate_chain_init(&out, &b->loop.blocks);
    shout(&u->held, &out);
    gate_chain_clear(&u->held);
    u->inside = 0;
    gate_pump_filtered(&b->p, &u->f, r, &out);
    gate_chain_clear(&out);
}

static void filters_change_what_is_sent(void **state)
{
    struct bench *b = *state;
    struct upper one = upper_new(), two = upper_new();

    one.f.next = &two.f;
    b->p.filters = &one.f;
    join(b);
    got(b, "hello");
    gate_pump_src_end(&b->p);
    assert_memory_equal(b->sent, "HELLO", 5);
    assert_int_equal(one.lasts, 1);
    assert_int_equal(two.lasts, 1);
    assert_int_equal(b->how, GATE_PUMP_COMPLETE);
}

static void one_chunk_at_a_time_is_in_a_filter(void **state)
{
    struct bench *b = *state;
    struct upper one = upper_new(), two = upper_new();
    size_t granted;

    one.wait = two.wait = true;
    one.f.next = &two.f;
    b->p.filters = &one.f;
    join(b);
    got(b, "ab");
    granted = b->granted;
    got(b, "cd"); /* waits its turn; upper_chunk asserts it */
    got_n(b, 40000);
    assert_int_equal(b->granted, granted); /* no more while a chunk is held */
    assert_int_equal(b->n_sent, 0);
    upper_done(b, &one, GATE_FILTER_DONE);
    assert_int_equal(two.inside, 1);
    assert_int_equal(b->n_sent, 0);
    gate_chain_drop(&b->p.in, b->p.in.bytes - 2); /* what shout can take */
    upper_done(b, &two, GATE_FILTER_DONE);
    assert_memory_equal(b->sent, "AB", 2);
    assert_int_equal(one.inside, 1);
    gate_pump_src_end(&b->p);
    assert_int_equal(one.lasts, 0);
    upper_done(b, &one, GATE_FILTER_DONE);
    upper_done(b, &two, GATE_FILTER_DONE);
    assert_int_equal(b->n_sent, 4);
    upper_done(b, &one, GATE_FILTER_DONE);
    upper_done(b, &two, GATE_FILTER_DONE);
    assert_int_equal(one.lasts, 1);
    assert_int_equal(two.lasts, 1);
    assert_true(b->last);
    assert_int_equal(b->ends, 1);
}

static void filters_may_swallow(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();

    u.swallow = true;
    b->p.filters = &u.f;
    join(b);
    got_n(b, 40000);
    got_n(b, 20000);
    assert_int_equal(b->n_sent, 0);
    assert_true(b->granted > GATE_PUMP_WINDOW);
    gate_pump_src_end(&b->p);
    assert_int_equal(b->how, GATE_PUMP_COMPLETE);
}

static void filters_may_fail(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();

    u.fail = true;
    b->p.filters = &u.f;
    join(b);
    got(b, "x");
    assert_int_equal(b->how, GATE_PUMP_FILTER);
    gate_pump_fini(&b->p);
    gate_pump_init(&b->p, &b->loop, on_end, b);
    u.fail = false;
    u.wait = true;
    b->p.filters = &u.f;
    join(b);
    got(b, "x");
    upper_done(b, &u, GATE_FILTER_FAIL);
    assert_int_equal(b->how, GATE_PUMP_FILTER);
    assert_int_equal(b->ends, 2);
    assert_int_equal(b->n_sent, 0);
}

static void a_held_chunk_is_dropped_with_the_pump(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();
    struct gate_chain none;

    u.wait = true;
    b->p.filters = &u.f;
    join(b);
    got(b, "x");
    gate_pump_fini(&b->p);
    assert_int_equal(u.drops, 1);
    gate_chain_init(&none, &b->loop.blocks);
    gate_pump_filtered(&b->p, &u.f, GATE_FILTER_DONE, &none); /* too late: nothing happens */
    assert_int_equal(b->ends, 0);
}

/* ------------------------------------------------------------------ replay */

static void a_kept_body_is_sent_again(void **state)
{
    struct bench *b = *state;

    b->p.keep = 100;
    join(b);
    got(b, "hello ");
    got(b, "world");
    assert_true(gate_pump_rewind(&b->p));
    b->n_sent = 0;
    gate_pump_to(&b->p, &b->dst);
    assert_memory_equal(b->sent, "hello world", 11);
    gate_pump_src_end(&b->p);
    assert_int_equal(b->ends, 1);
    assert_true(gate_pump_rewind(&b->p));
    b->n_sent = 0;
    b->last = false;
    gate_pump_to(&b->p, &b->dst);
    assert_int_equal(b->n_sent, 11);
    assert_true(b->last);
    assert_int_equal(b->ends, 2);
}

static void a_body_over_the_limit_is_not_kept(void **state)
{
    struct bench *b = *state;

    b->p.keep = 10;
    join(b);
    got(b, "0123456789");
    assert_true(b->p.kept_all);
    got(b, "x");
    assert_false(b->p.kept_all);
    assert_int_equal(b->p.replay.bytes, 0);
    assert_false(gate_pump_rewind(&b->p));
}

/* A body passes its filters once: another try gets what they made of it. */
static void what_was_filtered_is_sent_again(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();

    b->p.keep = 100;
    gate_pump_filter(&b->p, &u.f);
    join(b);
    got(b, "hello ");
    assert_true(gate_pump_rewind(&b->p));
    got(b, "wor");
    b->n_sent = 0;
    gate_pump_to(&b->p, &b->dst);
    assert_memory_equal(b->sent, "HELLO WOR", 9);
    got(b, "ld");
    gate_pump_src_end(&b->p);
    assert_int_equal(b->ends, 1);
    assert_true(gate_pump_rewind(&b->p));
    b->n_sent = 0;
    b->last = false;
    gate_pump_to(&b->p, &b->dst);
    assert_memory_equal(b->sent, "HELLO WORLD", 11);
    assert_true(b->last);
    assert_int_equal(u.lasts, 1);
}

/* The try fails while a filter holds a chunk; the next one gets it. */
static void a_held_chunk_goes_to_the_next_try(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();

    b->p.keep = 100;
    gate_pump_filter(&b->p, &u.f);
    join(b);
    got(b, "one ");
    u.wait = true;
    got(b, "two");
    gate_pump_src_end(&b->p);
    gate_pump_dst_broken(&b->p);
    assert_int_equal(b->how, GATE_PUMP_SINK);
    assert_true(gate_pump_rewind(&b->p));
    upper_done(b, &u, GATE_FILTER_DONE);
    u.wait = false;
    b->n_sent = 0;
    gate_pump_to(&b->p, &b->dst);
    assert_memory_equal(b->sent, "ONE TWO", 7);
    assert_true(b->last);
}

/* A sink may be gone for a while before somebody decides on another try; the source knows nothing
 * of that. */
static void what_comes_behind_a_broken_sink_goes_to_the_next_try(void **state)
{
    struct bench *b = *state;

    b->p.keep = 100;
    join(b);
    got(b, "one ");
    gate_pump_dst_broken(&b->p);
    got(b, "two ");
    assert_true(gate_pump_rewind(&b->p));
    got(b, "three");
    gate_pump_src_end(&b->p);
    b->n_sent = 0;
    gate_pump_to(&b->p, &b->dst);
    assert_int_equal(b->n_sent, 13);
    assert_memory_equal(b->sent, "one two three", 13);
    assert_true(b->last);
}

static void a_broken_sink_holds_up_filters_only(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();

    b->p.keep = 100;
    gate_pump_filter(&b->p, &u.f);
    join(b);
    got(b, "one ");
    gate_pump_dst_broken(&b->p);
    got(b, "two");
    gate_pump_src_end(&b->p);
    assert_true(gate_pump_rewind(&b->p));
    b->n_sent = 0;
    gate_pump_to(&b->p, &b->dst);
    assert_int_equal(b->n_sent, 7);
    assert_memory_equal(b->sent, "ONE TWO", 7);
    assert_true(b->last);
}

static void an_end_that_was_refused_comes_again(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();

    b->p.keep = 100;
    gate_pump_filter(&b->p, &u.f);
    join(b);
    got(b, "one");
    b->refuse = GATE_E_RESET;
    gate_pump_src_end(&b->p);
    assert_int_equal(b->how, GATE_PUMP_SINK);
    b->refuse = GATE_OK;
    assert_true(gate_pump_rewind(&b->p));
    b->n_sent = 0;
    gate_pump_to(&b->p, &b->dst);
    assert_memory_equal(b->sent, "ONE", 3);
    assert_true(b->last);
}

static void a_body_that_is_not_whole_is_not_sent_again(void **state)
{
    struct bench *b = *state;

    b->p.keep = 100;
    b->p.max = 10;
    join(b);
    got(b, "01234567");
    got(b, "89x");
    assert_int_equal(b->how, GATE_PUMP_LIMIT);
    assert_false(gate_pump_rewind(&b->p));
}

static void nor_is_one_that_grows_too_large_behind_a_broken_sink(void **state)
{
    struct bench *b = *state;

    b->p.keep = 100;
    b->p.max = 10;
    join(b);
    got(b, "01234567");
    gate_pump_dst_broken(&b->p);
    got(b, "89x");
    assert_int_equal(b->how, GATE_PUMP_SINK);
    assert_int_equal(b->ends, 1);
    assert_false(gate_pump_rewind(&b->p));
}

static void replace(struct bench *b, const char *text)
{
    assert_true(gate_pump_replace(&b->p, gate_str_from_cstr(text)));
    b->n_sent = 0;
    b->last = false;
    gate_pump_to(&b->p, &b->dst);
}

/* Whatever had gone, and whatever the source still says. */
static void another_body_takes_the_place(void **state)
{
    struct bench *b = *state;

    join(b);
    got(b, "hello ");
    replace(b, "new");
    got(b, "world");
    gate_pump_src_end(&b->p);
    assert_int_equal(b->n_sent, 3);
    assert_memory_equal(b->sent, "new", 3);
    assert_int_equal(b->ends, 1);
    assert_int_equal(b->how, GATE_PUMP_COMPLETE);
    assert_true(gate_pump_rewind(&b->p));
    replace(b, "");
    assert_int_equal(b->n_sent, 0);
    assert_true(b->last);
}

/* Filters see another body only when they have seen nothing of the one before it. */
static void another_body_passes_filters_once(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();

    b->p.keep = 100;
    gate_pump_filter(&b->p, &u.f);
    replace(b, "one");
    assert_memory_equal(b->sent, "ONE", 3);
    assert_true(gate_pump_rewind(&b->p));
    replace(b, "two");
    assert_memory_equal(b->sent, "two", 3);
    assert_true(b->last);
    assert_int_equal(u.lasts, 1);
}

static void another_body_frees_a_filter(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();

    gate_pump_filter(&b->p, &u.f);
    join(b);
    u.wait = true;
    got(b, "held");
    assert_true(b->src.rests);
    replace(b, "new");
    assert_int_equal(u.drops, 1);
    assert_false(b->src.rests);
    assert_int_equal(b->n_sent, 3);
    assert_true(b->last);
}

/* One byte of what it was given at a time. */
struct slicer {
    struct gate_filter f;
    struct gate_chain rest;
    int calls;
};

static enum gate_filter_result slicer_chunk(struct gate_filter *f, struct gate_chain *in, bool last,
                                            struct gate_chain *out)
{
    struct slicer *s = gate_container_of(f, struct slicer, f);

    (void)last;
    s->calls++;
    gate_chain_move(&s->rest, in);
    gate_chain_move_n(out, &s->rest, 1);
    return s->rest.bytes > 0 ? GATE_FILTER_MORE : GATE_FILTER_DONE;
}

static void a_filter_gives_part_by_part(void **state)
{
    struct bench *b = *state;
    struct slicer s = {.f = {.chunk = slicer_chunk}};
    struct upper u = upper_new();

    gate_chain_init(&s.rest, &b->loop.blocks);
    s.f.next = &u.f;
    gate_pump_filter(&b->p, &s.f);
    join(b);
    got(b, "abc");
    assert_int_equal(s.calls, 3);
    assert_memory_equal(b->sent, "ABC", 3);
    b->room = 2;
    got(b, "defg");
    gate_pump_src_end(&b->p);
    assert_memory_equal(b->sent, "ABCDE", 5);
    assert_int_equal(s.calls, 5); /* no room: nothing is made */
    assert_int_equal(u.lasts, 0);
    b->room = SIZE_MAX;
    gate_pump_room(&b->p);
    assert_memory_equal(b->sent, "ABCDEFG", 7);
    assert_int_equal(u.lasts, 1);
    assert_true(b->last);
}

/* The clocks of the source stand still while a filter waits. */
static void the_source_rests_while_a_chunk_is_held(void **state)
{
    struct bench *b = *state;
    struct upper u = upper_new();

    gate_pump_filter(&b->p, &u.f);
    join(b);
    got(b, "x");
    assert_false(b->src.rests);
    u.wait = true;
    got(b, "y");
    assert_true(b->src.rests);
    upper_done(b, &u, GATE_FILTER_DONE);
    assert_false(b->src.rests);
    got(b, "z");
    assert_true(b->src.rests);
    gate_pump_fini(&b->p);
    assert_false(b->src.rests);
}

/* Pipes are for bytes that nobody looks at or keeps, on their way to a plain connection. */
static void pipes_are_offered_where_they_may_be(void **state)
{
    struct gate_conn plain = {.ops = &gate_conn_plain};
    struct gate_filter f = {0};
    struct bench *b = *state;

    gate_pump_from(&b->p, &b->src);
    gate_pump_to(&b->p, &b->dst);
    assert_false(b->src.takes_pipes); /* no connection below */
    b->dst_conn = &plain;
    gate_pump_to(&b->p, &b->dst);
    assert_true(b->src.takes_pipes);

    b->src.takes_pipes = false;
    b->p.filters = &f;
    gate_pump_to(&b->p, &b->dst);
    assert_false(b->src.takes_pipes);

    b->p.filters = NULL;
    b->p.keep = 10;
    gate_pump_to(&b->p, &b->dst);
    assert_false(b->src.takes_pipes); /* the bytes are kept for another try */
    got_n(b, 8);
    assert_false(b->src.takes_pipes);
    got_n(b, 8);
    assert_true(b->src.takes_pipes); /* no longer */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_granted_without_a_sink),
        CASE(a_window_is_renewed_at_its_half),
        CASE(windows_grow_while_they_are_filled),
        CASE(small_chunks_keep_it_small),
        CASE(a_full_sink_holds_back),
        CASE(gathering_grants_what_is_asked),
        CASE(ends_are_told_once),
        CASE(trailers_end_the_message),
        CASE(either_side_may_break),
        CASE(too_many_bytes),
        CASE(filters_change_what_is_sent),
        CASE(one_chunk_at_a_time_is_in_a_filter),
        CASE(filters_may_swallow),
        CASE(filters_may_fail),
        CASE(a_held_chunk_is_dropped_with_the_pump),
        CASE(a_kept_body_is_sent_again),
        CASE(a_body_over_the_limit_is_not_kept),
        CASE(what_was_filtered_is_sent_again),
        CASE(a_held_chunk_goes_to_the_next_try),
        CASE(what_comes_behind_a_broken_sink_goes_to_the_next_try),
        CASE(a_broken_sink_holds_up_filters_only),
        CASE(an_end_that_was_refused_comes_again),
        CASE(a_body_that_is_not_whole_is_not_sent_again),
        CASE(nor_is_one_that_grows_too_large_behind_a_broken_sink),
        CASE(another_body_takes_the_place),
        CASE(another_body_passes_filters_once),
        CASE(another_body_frees_a_filter),
        CASE(a_filter_gives_part_by_part),
        CASE(the_source_rests_while_a_chunk_is_held),
        CASE(pipes_are_offered_where_they_may_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
