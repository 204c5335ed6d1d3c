/* HTTP/2 connections to servers: whatever a server answers, whole and in pieces, the codec neither
 * crashes nor passes on a head that HTTP/1 would not take, and each request ends exactly once. */
#include "fuzz/http_rig.h"
#include "http/h2.h"

#define REQUESTS 7
#define TUNNEL   6 /* the last one asks for one */

struct request {
    struct gate_arena arena;
    struct gate_stream *s; /* NULL: it is over */
    enum gate_method method;
    int status;
    int infos;
    bool bodiless;
};

static struct gate_block_pool blocks;
static struct gate_counters counters;
static struct gate_h2_pool *pool;
static uint64_t now_ns;
static struct request requests[REQUESTS];

static void check_fields(const struct gate_fields *fs)
{
    for (uint32_t i = 0; i < fs->n; i++)
        GATE_ASSERT(gate_field_name_ok(gate_field_name(&fs->v[i])) &&
                    gate_field_value_ok(gate_field_value(&fs->v[i])));
}

static void on_info(struct gate_stream *s, const struct gate_response_head *head)
{
    struct request *r = s->user;

    GATE_ASSERT(r->s == s && r->status == 0 && head->status >= 100 && head->status < 200);
    GATE_ASSERT(head->status != 101 && ++r->infos <= 8);
    check_fields(&head->fields);
}

static void on_head(struct gate_stream *s, const struct gate_response_head *head,
                    struct gate_block *b)
{
    struct request *r = s->user;

    GATE_ASSERT(r->s == s && r->status == 0 && head->status <= 599);
    GATE_ASSERT(head->status >= 200 || (head->status == 101 && head->upgrade &&
                                        r == &requests[TUNNEL]));
    GATE_ASSERT(b != NULL && head->framing != GATE_BODY_EOF);
    GATE_ASSERT(r != &requests[TUNNEL] || head->status / 100 != 2);
    r->status = head->status;
    r->bodiless = head->framing == GATE_BODY_NONE && head->status != 101;
    check_fields(&head->fields);
}

static void on_body(struct gate_stream *s, struct gate_chain *chunk)
{
    struct request *r = s->user;

    GATE_ASSERT(r->s == s && r->status != 0 && !r->bodiless && chunk->bytes > 0);
    s->ops->grant(s, chunk->bytes);
}

static void on_trailers(struct gate_stream *s, const struct gate_fields *fs, struct gate_block *b)
{
    GATE_ASSERT(((struct request *)s->user)->status >= 200 && b != NULL && fs->n > 0);
    check_fields(fs);
}

static void on_end(struct gate_stream *s)
{
    struct request *r = s->user;

    GATE_ASSERT(r->s == s && r->status != 0);
    r->s = NULL;
    s->ops->give_back(s);
}

static void on_reset(struct gate_stream *s, enum gate_err e, const char *why)
{
    struct request *r = s->user;

    GATE_ASSERT(r->s == s && e != GATE_OK && why != NULL);
    GATE_ASSERT(!gate_h2_stream_of(s)->refused || e == GATE_E_RESET);
    r->s = NULL;
    s->ops->reset(s, GATE_CLOSE_FAULT);
}

static void on_room(struct gate_stream *s)
{
    GATE_ASSERT(s->ops->room(s) > 0);
}

static const struct gate_stream_events events = {
    .on_info = on_info,
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_reset = on_reset,
    .on_room = on_room,
};

static void on_output(struct gate_h2 *c)
{
    GATE_ASSERT(!c->server);
}

static const struct gate_h2_owner owner = {.on_output = on_output};

/* GET, HEAD and POST in turn; the POSTs have sent a part of their body. The tunnel waits for the
 * server's SETTINGS. */
static void ask(struct gate_h2 *c, int i)
{
    static const enum gate_method methods[] = {GATE_M_GET, GATE_M_HEAD, GATE_M_POST};
    static const struct gate_str names[] = {{"GET", 3}, {"HEAD", 4}, {"POST", 4}};
    struct request *r = &requests[i];
    struct gate_h2_use use = {.arena = &r->arena,
                              .limits = &rig_limits,
                              .method = methods[i % 3],
                              .patience = {1000, 1000, 1000},
                              .events = &events,
                              .user = r};
    struct gate_field extra[] = {{"Host", "a", 4, GATE_F_HOST, 1},
                                 {"Upgrade", "websocket", 7, GATE_F_UPGRADE, 9}};
    struct gate_message m = {.method = names[i % 3], .path = GATE_STR("/"), .extra = extra,
                             .n_extra = i == TUNNEL ? 2 : 1,
                             .framing = i % 3 == 2 ? GATE_BODY_CHUNKED : GATE_BODY_NONE};
    struct gate_chain chunk;

    memset(r, 0, sizeof(*r));
    gate_arena_init(&r->arena, NULL);
    r->s = gate_h2_begin(c, &use);
    GATE_ASSERT(r->s != NULL);
    GATE_ASSERT(r->s->ops->send_head(r->s, &m, i % 3 != 2) == GATE_OK);
    r->s->ops->grant(r->s, i < 3 ? 65536 : 10);
    if (i % 3 != 2)
        return;
    gate_chain_init(&chunk, &blocks);
    GATE_ASSERT(gate_chain_copy(&chunk, "some", 4) == 0);
    GATE_ASSERT(r->s->ops->send_body(r->s, &chunk, false) == GATE_OK);
}

static enum gate_err take(struct gate_h2 *c, const uint8_t *data, size_t n)
{
    struct gate_block *b = gate_block_take(&blocks);
    enum gate_err e;

    memcpy(b->data, data, n);
    b->used = (uint32_t)n;
    e = gate_h2_recv(c, b, b->data, n);
    gate_block_unref(&b);
    return e;
}

static void finish(struct gate_h2 *c)
{
    gate_h2_lose(c, GATE_E_EOF, "the end");
    for (int i = 0; i < REQUESTS; i++) {
        struct request *r = &requests[i];

        if (r->s != NULL) /* a whole answer, not all of which was wanted yet */
            r->s->ops->grant(r->s, SIZE_MAX / 2);
        gate_h2_tell(c);
        GATE_ASSERT(r->s == NULL);
    }
    gate_h2_tell(c);
    GATE_ASSERT(gate_list_empty(&c->streams) && c->open == 0);
    gate_h2_close(c);
    for (int i = 0; i < REQUESTS; i++)
        gate_arena_clear(&requests[i].arena);
    GATE_ASSERT(blocks.live == 0);
}

static void run(const uint8_t *data, size_t size, size_t step)
{
    struct gate_h2_open how = {.owner = &owner,
                               .pool = pool,
                               .blocks = &blocks,
                               .counters = &counters,
                               .limits = &rig_limits,
                               .now_ns = &now_ns};
    struct gate_chain out;
    struct gate_h2 c;
    enum gate_err e = GATE_OK;

    gate_chain_init(&out, &blocks);
    gate_h2_open(&c, &how);
    for (int i = 0; i < REQUESTS; i++)
        ask(&c, i);
    for (size_t at = 0; at < size && e == GATE_OK; at += step) {
        if (gate_h2_send(&c, &out, 65536) != GATE_OK)
            break;
        gate_chain_clear(&out);
        e = take(&c, data + at, size - at < step ? size - at : step);
        GATE_ASSERT(c.held <= REQUESTS * 65535u);
    }
    gate_chain_clear(&out);
    finish(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* ENABLE_CONNECT_PROTOCOL, and the ACK of ours. */
    static const char settings[] = "\0\0\6\4\0\0\0\0\0\0\010\0\0\0\1\0\0\0\4\1\0\0\0\0";
    const size_t n = sizeof(settings) - 1;
    uint8_t *bytes = malloc(n + size);

    if (pool == NULL) {
        gate_block_pool_init(&blocks, 0);
        pool = gate_h2_pool_new();
    }
    /* How it begins is the same in all: the fuzzer need not find it. */
    memcpy(bytes, settings, n);
    if (size > 0)
        memcpy(bytes + n, data, size);
    now_ns = 1000000000;
    run(bytes, n + size, 16384);
    run(bytes, n + size, 7);
    free(bytes);
    return 0;
}
