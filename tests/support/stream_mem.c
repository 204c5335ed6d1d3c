/* See stream_mem.h. Every operation only notes what is to happen; one function, from the ready
 * queue, tells both sides. */
#include "stream_mem.h"

#include <string.h>

#include "base/assert.h"

static struct test_stream_mem_side *side_of(const struct gate_stream *s)
{
    return gate_container_of(s, struct test_stream_mem_side, stream);
}

static void wake(struct test_stream_mem_side *side)
{
    gate_loop_ready(side->pair->loop, &side->pair->deliver);
}

/* ------------------------------------------------------------------ delivery */

static void tell_head(struct test_stream_mem_side *to, struct test_stream_mem_way *way)
{
    way->head = false;
    way->head_seen = true;
    if (to == &to->pair->server) {
        to->attached = true;
        way->end_seen =
            way->h.framing == GATE_BODY_NONE; /* the head says it all: no on_end follows */
        to->pair->on_request(to->pair, &to->stream, &way->h);
    } else {
        to->stream.events->on_head(&to->stream, &way->h, NULL);
    }
}

static void tell_infos(struct test_stream_mem_side *to, struct test_stream_mem_way *way)
{
    for (int i = 0; i < way->n_infos; i++) {
        struct gate_response_head head = {.status = way->infos[i]};

        to->stream.events->on_info(&to->stream, &head);
    }
    way->n_infos = 0;
}

static void tell_body(struct test_stream_mem_side *to, struct test_stream_mem_way *way)
{
    size_t n = way->body.bytes < to->credit ? way->body.bytes : to->credit;
    struct gate_chain chunk;

    if (n == 0)
        return;
    gate_chain_init(&chunk, way->body.pool);
    gate_chain_move_n(&chunk, &way->body, n);
    to->credit -= n;
    to->stream.events->on_body(&to->stream, &chunk);
    gate_chain_clear(&chunk);
    if (way->full && way->body.bytes < TEST_STREAM_MEM_ROOM / 2 && to->peer->attached) {
        way->full = false;
        to->peer->stream.events->on_room(&to->peer->stream);
    }
}

/* What `to` has to hear, in order. */
static void tell(struct test_stream_mem_side *to)
{
    struct test_stream_mem_way *way = &to->peer->out;

    if (to->broken_seen || (!to->attached && !(way->head && to == &to->pair->server)))
        return;
    if (to->attached && to->stream.events->on_info != NULL)
        tell_infos(to, way);
    if (way->head)
        tell_head(to, way);
    if (to->attached && way->head_seen)
        tell_body(to, way);
    if (!to->attached || way->end_seen)
        return;
    if (way->head_seen && way->ended && way->body.bytes == 0) {
        way->end_seen = true;
        if (way->has_trailers)
            to->stream.events->on_trailers(&to->stream, &way->trailers, NULL);
        to->stream.events->on_end(&to->stream);
    } else if (way->broken) {
        to->broken_seen = true;
        gate_chain_clear(&way->body);
        to->stream.events->on_reset(&to->stream, GATE_E_RESET, "the other side reset the stream");
    }
}

static void on_deliver(struct gate_ready *r)
{
    struct test_stream_mem *m = gate_container_of(r, struct test_stream_mem, deliver);

    tell(&m->server);
    tell(&m->client);
}

/* ------------------------------------------------------------------ operations */

static enum gate_err op_send_info(struct gate_stream *s, const struct gate_message *m)
{
    struct test_stream_mem_side *side = side_of(s);

    if (side == &side->pair->client)
        return GATE_E_INVALID;
    if (side->out.n_infos < 16)
        side->out.infos[side->out.n_infos++] = m->status;
    wake(side);
    return GATE_OK;
}

static enum gate_err op_send_head(struct gate_stream *s, const struct gate_message *m, bool last)
{
    struct test_stream_mem_side *side = side_of(s);
    struct test_stream_mem_way *way = &side->out;

    if (side->broken_seen)
        return GATE_E_CLOSED;
    way->h = (struct gate_response_head){
        .status = m->status, .framing = m->framing, .content_length = m->content_length};
    way->framing = (uint8_t)m->framing;
    way->left = m->framing == GATE_BODY_LENGTH ? m->content_length : 0;
    way->head = true;
    way->ended = last;
    wake(side);
    return GATE_OK;
}

static enum gate_err op_send_trailers(struct gate_stream *s, const struct gate_fields *trailers)
{
    struct test_stream_mem_side *side = side_of(s);
    struct test_stream_mem_way *way = &side->out;

    if (side->broken_seen)
        return GATE_E_CLOSED;
    if (way->framing == GATE_BODY_LENGTH && way->left > 0)
        return GATE_E_INVALID;
    for (uint32_t i = 0;
         trailers != NULL && way->framing == GATE_BODY_CHUNKED && i < trailers->n && i < 16; i++) {
        struct gate_field f = trailers->v[i];

        f.name = gate_arena_copy(side->pair->arena, gate_field_name(&f)).p;
        f.value = gate_arena_copy(side->pair->arena, gate_field_value(&f)).p;
        way->trailer_list[way->trailers.n++] = f;
        way->has_trailers = true;
    }
    way->trailers.v = way->trailer_list;
    way->ended = true;
    wake(side);
    return GATE_OK;
}

static enum gate_err op_send_body(struct gate_stream *s, struct gate_chain *chunk, bool last)
{
    struct test_stream_mem_side *side = side_of(s);
    struct test_stream_mem_way *way = &side->out;

    if (side->broken_seen) {
        gate_chain_clear(chunk);
        return GATE_E_CLOSED;
    }
    if (way->framing == GATE_BODY_LENGTH && chunk->bytes > way->left)
        return GATE_E_INVALID;
    if (way->framing == GATE_BODY_LENGTH)
        way->left -= chunk->bytes;
    if (way->framing == GATE_BODY_NONE)
        gate_chain_clear(chunk);
    gate_chain_move(&way->body, chunk);
    way->full = way->full || way->body.bytes >= TEST_STREAM_MEM_ROOM;
    wake(side);
    return last ? op_send_trailers(s, NULL) : GATE_OK;
}

static size_t op_room(const struct gate_stream *s)
{
    size_t bytes = side_of(s)->out.body.bytes;

    return bytes >= TEST_STREAM_MEM_ROOM ? 0 : TEST_STREAM_MEM_ROOM - bytes;
}

static void op_grant(struct gate_stream *s, size_t n)
{
    side_of(s)->credit += n;
    wake(side_of(s));
}

static void op_reset(struct gate_stream *s, enum gate_close_reason why)
{
    struct test_stream_mem_side *side = side_of(s);

    (void)why;
    side->attached = false;
    side->out.broken = true;
    wake(side);
}

static void op_give_back(struct gate_stream *s)
{
    struct test_stream_mem_side *side = side_of(s);

    side->attached = false;
    if (!side->out.ended || !side->peer->out.end_seen)
        side->out.broken = !side->out.ended;
    wake(side);
}

static struct gate_conn *op_raw_conn(struct gate_stream *s)
{
    (void)s;
    return NULL;
}

static const struct gate_stream_ops memory_ops = {
    .name = "memory",
    .send_info = op_send_info,
    .send_head = op_send_head,
    .send_body = op_send_body,
    .send_trailers = op_send_trailers,
    .room = op_room,
    .grant = op_grant,
    .reset = op_reset,
    .give_back = op_give_back,
    .raw_conn = op_raw_conn,
};

/* ------------------------------------------------------------------ life */

static void side_reset(struct test_stream_mem_side *side, struct test_stream_mem *m,
                       struct test_stream_mem_side *peer)
{
    gate_chain_clear(&side->out.body);
    memset(side, 0, sizeof(*side));
    side->pair = m;
    side->peer = peer;
    side->stream.ops = &memory_ops;
    gate_chain_init(&side->out.body, &m->loop->blocks);
}

void test_stream_mem_open(struct test_stream_mem *m, struct gate_loop *loop,
                          struct gate_arena *arena)
{
    memset(m, 0, sizeof(*m));
    m->loop = loop;
    m->arena = arena;
    gate_ready_init(&m->deliver, on_deliver);
    gate_chain_init(&m->client.out.body, &loop->blocks);
    gate_chain_init(&m->server.out.body, &loop->blocks);
    side_reset(&m->client, m, &m->server);
    side_reset(&m->server, m, &m->client);
}

void test_stream_mem_close(struct test_stream_mem *m)
{
    gate_ready_cancel(&m->deliver);
    gate_chain_clear(&m->client.out.body);
    gate_chain_clear(&m->server.out.body);
}

struct gate_stream *test_stream_mem_begin(struct test_stream_mem *m,
                                          const struct gate_stream_events *events, void *user)
{
    GATE_ASSERT(!m->client.attached && !m->server.attached);
    side_reset(&m->client, m, &m->server);
    side_reset(&m->server, m, &m->client);
    m->client.attached = true;
    m->client.stream.events = events;
    m->client.stream.user = user;
    return &m->client.stream;
}
