/* The two ends of the contract test: a pair of streams of any implementation, what each side has
 * seen, and operations under the watch that no event comes from inside them. Included once; it
 * holds the flow that the session calls. */
#ifndef GATE_TESTS_STREAM_WORLD_H
#define GATE_TESTS_STREAM_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/gateway.h"
#include "../support/stream_h2.h"
#include "../support/stream_mem.h"
#include "../support/talk.h"
#include "session/session_int.h"
#include "upstream/dial.h"

#define BODY_MAX (24u << 20)

enum kind { MEMORY, H1, H1_BYTES, H2, H2_BYTES, H2_LINK, H2_LINK_BYTES, KINDS };

static const char *const kind_names[KINDS] = {
    "memory", "h1", "h1, a byte at a time", "h2", "h2, a byte at a time", "h2, link and session",
    "h2, link and session, a byte at a time"};

/* What one side has seen. */
struct party {
    struct gate_stream *s; /* NULL: not attached */
    int status;
    int infos[16];
    int n_infos;
    char *body;
    size_t n;
    size_t most; /* largest sum of content allowed; SIZE_MAX: not watched */
    char trailers[256];
    bool ended;
    bool broken;
    int rooms;
};

struct world {
    enum kind kind;
    struct test_gateway g;
    struct gate_arena arena;
    struct test_stream_mem mem;
    struct test_stream_h2 h2;
    struct gate_link *link;
    bool connected;
    bool session_open;
    struct gate_fault_plan up, down;
    struct gate_exchange *x; /* the session's, while the server is attached */
    struct party client, server;
    int inside; /* an operation runs: no event may come */
};

static struct world *world; /* the session's flow has no other way to its test */

/* ------------------------------------------------------------------ events */

static struct party *party_of(const struct gate_stream *s)
{
    assert_int_equal(world->inside, 0);
    return s == world->server.s ? &world->server : &world->client;
}

static void saw_info(struct gate_stream *s, const struct gate_response_head *head)
{
    struct party *p = party_of(s);

    assert_int_equal(p->status, 0);
    p->infos[p->n_infos++ & 15] = head->status;
}

static void saw_head(struct gate_stream *s, const struct gate_response_head *head,
                     struct gate_block *block)
{
    struct party *p = party_of(s);

    (void)block;
    assert_int_equal(p->status, 0);
    p->status = head->status;
}

static void saw_body(struct gate_stream *s, struct gate_chain *chunk)
{
    struct party *p = party_of(s);

    assert_false(p->ended || p->broken);
    assert_true(chunk->bytes > 0 && p->n + chunk->bytes <= BODY_MAX);
    gate_chain_read(chunk, p->body + p->n);
    p->n += chunk->bytes;
    assert_true(p->n <= p->most);
}

static void saw_trailers(struct gate_stream *s, const struct gate_fields *trailers,
                         struct gate_block *block)
{
    struct party *p = party_of(s);

    (void)block;
    assert_false(p->ended || p->broken);
    for (uint32_t i = 0; i < trailers->n; i++) {
        strncat(p->trailers, trailers->v[i].name, trailers->v[i].name_len);
        strcat(p->trailers, "=");
        strncat(p->trailers, trailers->v[i].value, trailers->v[i].value_len);
        strcat(p->trailers, ";");
    }
}

static void saw_end(struct gate_stream *s)
{
    struct party *p = party_of(s);

    assert_false(p->ended || p->broken);
    p->ended = true;
}

static void saw_reset(struct gate_stream *s, enum gate_err err, const char *why)
{
    struct party *p = party_of(s);

    assert_false(p->broken);
    assert_true(err != GATE_OK && why != NULL);
    p->broken = true;
}

static void saw_room(struct gate_stream *s)
{
    party_of(s)->rooms++;
}

static const struct gate_stream_events events = {
    .on_info = saw_info,
    .on_head = saw_head,
    .on_body = saw_body,
    .on_trailers = saw_trailers,
    .on_end = saw_end,
    .on_reset = saw_reset,
    .on_room = saw_room,
};

/* ------------------------------------------------------------------ the session's flow */

const struct gate_stream_events gate_flow_down_events = {
    .on_body = saw_body,
    .on_trailers = saw_trailers,
    .on_end = saw_end,
    .on_reset = saw_reset,
    .on_room = saw_room,
};

void gate_flow_start(struct gate_exchange *x)
{
    gate_ready_init(&x->resume, NULL);
    world->x = x;
    world->server.s = x->down;
    if (x->req.head.framing == GATE_BODY_NONE)
        world->server.ended = true;
}

static void drop_exchange(void)
{
    world->x->down = NULL;
    world->x->session = NULL;
    gate_exchange_free(&world->x);
}

/* The session's way to say that the stream broke: it is gone afterwards. */
void gate_flow_client_gone(struct gate_exchange *x, const char *why)
{
    assert_ptr_equal(x, world->x);
    assert_non_null(why);
    world->server.broken = true;
    world->server.s = NULL;
    drop_exchange();
}

void gate_flow_body_fault(struct gate_exchange *x, enum gate_fault_code code, int status,
                          const char *why)
{
    (void)code;
    (void)status;
    saw_reset(x->down, GATE_E_SYNTAX, why);
}

enum gate_vm_result gate_flow_connect(struct gate_worker *w, const struct gate_connect_info *info,
                                      gate_hook_done *done, void *arg,
                                      struct gate_hook_run **run, struct gate_hook_verdict *v)
{
    (void)w, (void)info, (void)done, (void)arg, (void)run, (void)v;
    fail();
    return GATE_VM_DONE;
}

enum gate_vm_result gate_flow_certificate(struct gate_worker *w, struct gate_hook_hello *hello,
                                          gate_hook_done *done, void *arg,
                                          struct gate_hook_run **run, struct gate_hook_verdict *v)
{
    (void)w, (void)hello, (void)done, (void)arg, (void)run, (void)v;
    fail();
    return GATE_VM_DONE;
}

void gate_flow_refused(struct gate_worker *w, struct gate_access_record *r)
{
    (void)w, (void)r;
}

struct gate_str gate_flow_page(struct gate_arena *arena, int status, struct gate_str id)
{
    (void)arena, (void)status, (void)id;
    return GATE_STR("page");
}

uint32_t gate_flow_page_fields(struct gate_worker *w, int status, struct gate_str id,
                               struct gate_field v[GATE_PAGE_FIELDS])
{
    (void)w, (void)status, (void)id, (void)v;
    return 0;
}

uint32_t gate_flow_call_fields(struct gate_exchange *x, int status,
                               struct gate_field v[GATE_CALL_FIELDS])
{
    (void)x, (void)status, (void)v;
    fail();
    return 0;
}

/* ------------------------------------------------------------------ a pair */

static void on_request(struct test_stream_mem *m, struct gate_stream *server,
                       const struct gate_response_head *as)
{
    (void)m;
    server->events = &events;
    world->server.s = server;
    if (as->framing == GATE_BODY_NONE)
        world->server.ended = true;
}

static bool on_h2_request(struct test_stream_h2 *t, struct gate_stream *server,
                          const struct gate_request_head *head, struct gate_refusal refusal,
                          struct gate_h2_use *use)
{
    (void)t;
    assert_int_equal(refusal.status, 0);
    world->server.s = server;
    if (head->framing == GATE_BODY_NONE)
        world->server.ended = true;
    use->events = &events;
    return true;
}

static void turn(int n)
{
    test_gateway_turns(&world->g, n);
}

static void on_link(struct gate_link_claim *c, enum gate_err e, const char *why)
{
    (void)c, (void)why;
    assert_int_equal(e, GATE_OK);
    world->connected = true;
}

static bool is_connected(void *arg)
{
    return ((struct world *)arg)->connected;
}

static bool is_h2_link(void)
{
    return world->kind == H2_LINK || world->kind == H2_LINK_BYTES;
}

static void connect_link(void)
{
    struct gate_worker *w = &world->g.worker;
    struct gate_upstream_local *local =
        gate_links_local(w->links, world->g.seat.upstreams[0],
                         &world->g.generation.config->upstreams[0]);
    struct gate_peer *peer = local->set->v[0].peer;
    struct gate_link_want want = {.http2 = is_h2_link() ? GATE_HTTP2_ALWAYS : GATE_HTTP2_NEVER};
    struct gate_link_claim claim = {.on_link = on_link};
    struct gate_dial how = {.local = local, .peer = peer, .want = &want};
    struct gate_addr from;
    const char *why;

    world->link = gate_links_take(w->links, local, peer, &want);
    if (world->link != NULL)
        return;
    assert_false(world->session_open);
    assert_int_equal(gate_dial(w->links, &how, &world->link, &why), GATE_E_AGAIN);
    gate_list_push(&world->link->waiting, &claim.node);
    assert_true(test_gateway_until(&world->g, is_connected, world));
    assert_int_equal(gate_addr_parse(GATE_STR("127.0.0.1:5000"), &from), GATE_OK);
    gate_session_open(w, world->g.listener, test_gateway_accept(&world->g), &from);
    world->session_open = true;
    if (world->kind == H1_BYTES || world->kind == H2_LINK_BYTES) {
        gate_conn_fault_wrap(&world->link->conn, &world->up);
        gate_conn_fault_wrap(
            &gate_container_of(w->session_list.next, struct gate_session, node)->conn,
            &world->down);
    }
}

static void forget(struct party *p)
{
    char *body = p->body;

    memset(p, 0, sizeof(*p));
    p->body = body;
    p->most = SIZE_MAX;
}

/* Attaches the client to a fresh stream. */
static void begin(enum gate_method method)
{
    static const struct gate_timeouts none;
    struct gate_link_use use = {.arena = &world->arena,
                                .limits = &world->g.generation.head_limits,
                                .timeouts = &none,
                                .method = method,
                                .events = &events};

    forget(&world->client);
    forget(&world->server);
    if (world->kind == MEMORY) {
        world->client.s = test_stream_mem_begin(&world->mem, &events, world);
        return;
    }
    if (world->kind == H2 || world->kind == H2_BYTES) {
        world->client.s = test_stream_h2_begin(&world->h2, method, &events, world);
        return;
    }
    connect_link();
    world->client.s = gate_link_begin(world->link, &use);
}

static void open_world(struct world *w, enum kind kind, const struct gate_fault_plan *plan)
{
    static const char *const http2[] = {"\"http2\":false", "\"http2\":true", NULL};

    memset(w, 0, sizeof(*w));
    world = w;
    w->kind = kind;
    w->up = w->down = *plan;
    test_gateway_open_with(&w->g, TEST_ROUTE, is_h2_link() ? http2 : NULL);
    gate_arena_init(&w->arena, &w->g.worker.loop.chunks);
    test_stream_mem_open(&w->mem, &w->g.worker.loop, &w->arena);
    w->mem.on_request = on_request;
    test_stream_h2_open(&w->h2, &w->g.worker.loop, &w->arena, &w->g.generation.head_limits,
                        kind == H2_BYTES ? plan->max_bytes : SIZE_MAX);
    w->h2.on_request = on_h2_request;
    w->client.body = malloc(BODY_MAX);
    w->server.body = malloc(BODY_MAX);
}

/* Ends a side: given back when both directions are complete there, else reset. */
static void leave(struct party *p, bool complete)
{
    struct gate_stream *s = p->s;

    if (s == NULL)
        return;
    p->s = NULL;
    world->inside++;
    if (complete)
        s->ops->give_back(s);
    else
        s->ops->reset(s, GATE_CLOSE_FAULT);
    world->inside--;
    if (p == &world->server && world->x != NULL)
        drop_exchange();
}

static void close_world(void)
{
    leave(&world->client, false);
    leave(&world->server, false);
    turn(20);
    assert_null(world->x);
    test_stream_mem_close(&world->mem);
    test_stream_h2_close(&world->h2);
    gate_arena_clear(&world->arena);
    test_gateway_close(&world->g);
    free(world->client.body);
    free(world->server.body);
}

/* ------------------------------------------------------------------ operations, with the watch
 * that no event comes from inside */

static enum gate_err send_head(struct party *p, int status, enum gate_framing framing,
                               uint64_t length, bool last)
{
    struct gate_field host = {
        .name = "Host", .value = "a", .name_len = 4, .id = GATE_F_HOST, .value_len = 1};
    struct gate_message m = {.status = status,
                             .framing = framing,
                             .content_length = length,
                             .explicit_zero = framing == GATE_BODY_NONE};
    enum gate_err e;

    if (status == 0) {
        m.method = GATE_STR("POST");
        m.path = GATE_STR("/");
        m.extra = &host;
        m.n_extra = 1;
    }
    world->inside++;
    e = p->s->ops->send_head(p->s, &m, last);
    world->inside--;
    return e;
}

static enum gate_err send_info(struct party *p, int status)
{
    struct gate_message m = {.status = status};
    enum gate_err e;

    world->inside++;
    e = p->s->ops->send_info(p->s, &m);
    world->inside--;
    return e;
}

/* n bytes of the pattern from `at`. */
static enum gate_err send_body(struct party *p, size_t at, size_t n, bool last)
{
    struct gate_chain c;
    enum gate_err e;

    gate_chain_init(&c, &world->g.worker.loop.blocks);
    while (n > 0) {
        char piece[16384];
        size_t take = n < sizeof(piece) ? n : sizeof(piece);

        for (size_t i = 0; i < take; i++)
            piece[i] = test_pattern_at(at + i);
        assert_int_equal(gate_chain_copy(&c, piece, take), 0);
        at += take;
        n -= take;
    }
    world->inside++;
    e = p->s->ops->send_body(p->s, &c, last);
    world->inside--;
    if (e == GATE_OK)
        assert_int_equal(c.bytes, 0);
    gate_chain_clear(&c);
    return e;
}

static enum gate_err send_trailers(struct party *p, const char *name, const char *value)
{
    struct gate_field f = {name, value, (uint16_t)strlen(name), GATE_F_OTHER,
                           (uint32_t)strlen(value)};
    struct gate_fields fs = {.v = &f, .n = 1, .cap = 1};
    enum gate_err e;

    world->inside++;
    e = p->s->ops->send_trailers(p->s, &fs);
    world->inside--;
    return e;
}

static void grant(struct party *p, size_t n)
{
    world->inside++;
    p->s->ops->grant(p->s, n);
    world->inside--;
}

/* Turns until *flag or, with n, until p has n bytes. */
static bool wait_for(const bool *flag)
{
    for (int i = 0; i < 300000 && !*flag; i++)
        turn(1);
    return *flag;
}

static bool wait_body(const struct party *p, size_t n)
{
    for (int i = 0; i < 3000000 && p->n < n && !p->broken; i++)
        turn(1);
    return p->n >= n;
}

static bool wait_server(void)
{
    for (int i = 0; i < 300000 && world->server.s == NULL && !world->client.broken; i++)
        turn(1);
    return world->server.s != NULL;
}

static bool wait_status(void)
{
    for (int i = 0; i < 300000 && world->client.status == 0 && !world->client.broken; i++)
        turn(1);
    return world->client.status != 0;
}

static void check_pattern(const struct party *p, size_t n)
{
    assert_int_equal(p->n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p->body[i], test_pattern_at(i));
}

#endif
