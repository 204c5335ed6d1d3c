/* HTTP/2 connections: whatever a client sends, whole and in pieces, the codec neither crashes nor
 * passes on a head that HTTP/1 would not take, and holds no more than it may. */
#include "fuzz/http_rig.h"
#include "http/h2.h"

struct request {
    struct gate_arena arena;
    struct gate_request_head head;
    struct gate_stream *s;
    struct request *next;
};

static struct gate_block_pool blocks;
static struct gate_counters counters;
static struct gate_h2_pool *pool;
static uint64_t now_ns;
static struct request *requests;
static uint32_t begun, refused, ended;
static uint64_t content;

static void on_body(struct gate_stream *s, struct gate_chain *chunk)
{
    content += chunk->bytes;
    s->ops->grant(s, chunk->bytes);
}

static void on_trailers(struct gate_stream *s, const struct gate_fields *fs, struct gate_block *b)
{
    (void)s;
    GATE_ASSERT(b != NULL);
    for (uint32_t i = 0; i < fs->n; i++)
        GATE_ASSERT(gate_field_name_ok(gate_field_name(&fs->v[i])) &&
                    gate_field_value_ok(gate_field_value(&fs->v[i])));
}

/* A tunnel whose client has ended ends too. */
static void end_tunnel(struct gate_stream *s)
{
    struct request *r = s->user;
    struct gate_chain chunk;

    gate_chain_init(&chunk, &blocks);
    s->ops->send_body(s, &chunk, true);
    s->ops->give_back(s);
    r->s = NULL;
}

static void begin_tunnel(struct request *r)
{
    struct gate_message m = {.status = 101};
    struct gate_chain chunk;

    gate_chain_init(&chunk, &blocks);
    GATE_ASSERT(gate_chain_copy(&chunk, "hi", 2) == 0);
    if (r->s->ops->send_head(r->s, &m, true) == GATE_OK)
        r->s->ops->send_body(r->s, &chunk, false);
    gate_chain_clear(&chunk);
}

/* Every other request is answered. */
static void on_end(struct gate_stream *s)
{
    struct gate_message m = {.status = 200, .framing = GATE_BODY_LENGTH, .content_length = 2};
    struct gate_chain chunk;
    struct request *r = s->user;

    if (gate_h2_stream_of(s)->tunnel) {
        end_tunnel(s);
        return;
    }
    if (ended++ % 2 != 0)
        return;
    gate_chain_init(&chunk, &blocks);
    GATE_ASSERT(gate_chain_copy(&chunk, "hi", 2) == 0);
    if (s->ops->send_head(s, &m, false) == GATE_OK)
        s->ops->send_body(s, &chunk, true);
    gate_chain_clear(&chunk);
    s->ops->give_back(s);
    r->s = NULL;
}

static void on_reset(struct gate_stream *s, enum gate_err e, const char *why)
{
    struct request *r = s->user;

    GATE_ASSERT(e != GATE_OK && why != NULL);
    s->ops->reset(s, GATE_CLOSE_CLIENT_RESET);
    r->s = NULL;
}

static void on_room(struct gate_stream *s)
{
    GATE_ASSERT(s->ops->room(s) > 0);
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
        .arena = &r->arena, .limits = &rig_limits, .events = &events, .user = r};
    struct gate_refusal no;

    gate_arena_init(&r->arena, NULL);
    r->next = requests;
    requests = r;
    no = gate_h2_request(s, &r->arena, &r->head);
    begun++;
    if (no.status != 0) {
        GATE_ASSERT(no.status >= 400 && no.status <= 505 && no.why != NULL);
        refused++;
        s->stream.ops->reset(&s->stream, GATE_CLOSE_BAD_REQUEST);
        return;
    }
    GATE_ASSERT(r->head.h2 && r->head.host.n > 0 && r->head.path.n > 0);
    GATE_ASSERT(r->head.method != GATE_M_CONNECT && r->head.method != GATE_M_TRACE);
    rig_fields(gate_h2_text(s).p, gate_h2_text(s).n, &r->head.fields, r->head.dropped_underscores);
    GATE_ASSERT(c->open <= GATE_H2_STREAMS + 1);
    GATE_ASSERT(!r->head.connect || (r->head.method == GATE_M_GET && r->head.upgrade &&
                                     r->head.framing == GATE_BODY_NONE));
    r->s = &s->stream;
    gate_h2_attach(s, &r->head, &use);
    if (r->head.connect && begun % 4 != 0) {
        begin_tunnel(r);
        s->stream.ops->grant(&s->stream, 65536);
        return;
    }
    s->stream.ops->grant(&s->stream, begun % 3 == 0 ? 10 : 65536);
    if (r->head.framing == GATE_BODY_NONE)
        on_end(&s->stream);
}

static void on_malformed(struct gate_h2 *c, const char *why)
{
    GATE_ASSERT(c != NULL && why != NULL);
}

static void on_output(struct gate_h2 *c)
{
    GATE_ASSERT(c->server);
}

static const struct gate_h2_owner owner = {on_request, on_malformed, on_output};

struct result {
    uint32_t begun, refused;
    uint64_t content;
    bool failed;
};

static struct result run(const uint8_t *data, size_t size, size_t step)
{
    struct gate_h2_open how = {.owner = &owner,
                               .pool = pool,
                               .blocks = &blocks,
                               .counters = &counters,
                               .limits = &rig_limits,
                               .now_ns = &now_ns,
                               .server = true};
    struct gate_chain out;
    struct gate_h2 c;
    enum gate_err e = GATE_OK;

    begun = refused = ended = 0;
    content = 0;
    gate_chain_init(&out, &blocks);
    gate_h2_open(&c, &how);
    for (size_t at = 0; at < size && e == GATE_OK;) {
        size_t n = size - at < step ? size - at : step;
        struct gate_block *b = gate_block_take(&blocks);

        n = n < b->cap ? n : b->cap;
        memcpy(b->data, data + at, n);
        b->used = (uint32_t)n;
        e = gate_h2_recv(&c, b, b->data, n);
        gate_block_unref(&b);
        at += n;
        if (gate_h2_send(&c, &out, 65536) != GATE_OK)
            break;
        gate_chain_clear(&out);
        GATE_ASSERT(c.held <= GATE_H2_WINDOW + GATE_H2_STREAMS * 65535);
    }
    while (requests != NULL) {
        struct request *r = requests;

        requests = r->next;
        if (r->s != NULL)
            r->s->ops->reset(r->s, GATE_CLOSE_FAULT);
        gate_arena_clear(&r->arena);
        free(r);
    }
    gate_h2_close(&c);
    gate_chain_clear(&out);
    GATE_ASSERT(blocks.live == 0);
    return (struct result){begun, refused, content, e != GATE_OK || c.why != NULL};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    const size_t n = sizeof(preface) - 1;
    uint8_t *bytes = malloc(n + size);

    if (pool == NULL) {
        gate_block_pool_init(&blocks, 0);
        pool = gate_h2_pool_new();
    }
    /* The preface is the same in all: the fuzzer need not find it. */
    memcpy(bytes, preface, n);
    if (size > 0)
        memcpy(bytes + n, data, size);
    now_ns = 1000000000;
    run(bytes, n + size, 16384);
    run(bytes, n + size, 7);
    free(bytes);
    return 0;
}
