/* Request bodies of an h1 session: read by credit, decoded, handed to the exchange. */
#include "http/parse.h"
#include "session/session_int.h"

static void trailers_done(struct gate_session *s, const char *p, size_t n)
{
    struct gate_exchange *x = s->h1->x;
    struct gate_fields *fs = gate_arena_zalloc(&x->arena, sizeof(*fs));
    struct gate_refusal r =
        gate_parse_trailers(p, n, &x->seat->generation->head_limits, &x->arena, fs);

    if (r.status != 0) {
        s->h1->body_bad = true;
        s->why = GATE_CLOSE_BAD_REQUEST;
        gate_flow_body_fault(x, GATE_FAULT_BAD_REQUEST, r.status, r.why);
    } else if (fs->n > 0) {
        gate_flow_down_events.on_trailers(&s->h1->stream, fs, s->h1->in.b);
    }
}

/* Decodes what is held. */
static void consume_body(struct gate_session *s, struct gate_chain *chunk)
{
    struct gate_h1_server *h = s->h1;
    const char *p = NULL;
    const char *why = NULL;
    size_t n = 0;

    switch (gate_h1_reader_body(&h->in, chunk, &p, &n, &why)) {
    case GATE_BODY_TRAILERS:
        trailers_done(s, p, n);
        h->body_done = true;
        break;
    case GATE_BODY_DONE:
        h->body_done = true;
        break;
    case GATE_BODY_BAD:
        h->body_bad = true;
        s->why = GATE_CLOSE_BAD_REQUEST;
        gate_flow_body_fault(h->x, GATE_FAULT_BAD_REQUEST, 400, why);
        break;
    default:
        break;
    }
}

/* Hands content to the exchange, and the end. A broken body's last bytes are not believed. */
static void deliver(struct gate_session *s, struct gate_chain *chunk)
{
    struct gate_h1_server *h = s->h1;

    h->window_bytes += chunk->bytes;
    if (h->tunnel)
        h->window_ms = gate_loop_now(s->conn.loop);
    h->credit -= h->credit < chunk->bytes ? h->credit : chunk->bytes;
    if (h->x != NULL && !h->body_bad) {
        h->x->bytes_in += chunk->bytes;
        if (chunk->bytes > 0)
            gate_flow_down_events.on_body(&h->stream, chunk);
        if (h->body_done)
            gate_flow_down_events.on_end(&h->stream);
    }
    gate_chain_clear(chunk);
}

void gate_session_body_take(struct gate_session *s)
{
    struct gate_chain chunk;

    gate_chain_init(&chunk, &s->conn.loop->blocks);
    if (gate_h1_reader_held(&s->h1->in) > 0 || s->h1->in.body.done)
        consume_body(s, &chunk);
    deliver(s, &chunk);
}

static bool may_splice(const struct gate_session *s)
{
    const struct gate_h1_server *h = s->h1;

    return h->stream.takes_pipes && !h->tunnel &&
           (s->conn.pipe != NULL || gate_h1_reader_bulk(&h->in));
}

/* Content from the socket into a pipe. False: there is no pipe for it. */
static bool splice_body(struct gate_session *s, enum gate_session_read *result)
{
    struct gate_h1_server *h = s->h1;
    size_t max = h->credit < h->in.body.left ? h->credit : (size_t)h->in.body.left;
    struct gate_chain chunk;
    enum gate_err e;
    size_t n;

    gate_chain_init(&chunk, &s->conn.loop->blocks);
    e = gate_conn_splice(&s->conn, max, &chunk, &n);
    if (e == GATE_E_LIMIT)
        return false;
    *result = GATE_READ_NOTHING;
    if (e == GATE_OK) {
        gate_counters_add(&s->worker->counters, GATE_C_BYTES_IN, n);
        h->body_done = gate_body_skip(&h->in.body, n);
        if (h->body_done)
            gate_conn_splice_end(&s->conn);
        deliver(s, &chunk);
        *result = GATE_READ_SHORT;
    } else if (e != GATE_E_AGAIN) {
        gate_session_h1_ended(s, e);
        *result = GATE_READ_GONE;
    }
    return true;
}

enum gate_session_read gate_session_body_read(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;
    enum gate_session_read spliced;
    struct gate_h1_space space;
    struct gate_chain chunk;
    enum gate_err e;
    size_t n = 0;
    bool full;

    if (may_splice(s) && splice_body(s, &spliced))
        return spliced;
    e = gate_h1_reader_body_space(&h->in, &s->conn.loop->blocks, h->credit, &space);
    if (e != GATE_OK) {
        h->body_bad = true;
        s->why = e == GATE_E_LIMIT ? GATE_CLOSE_BAD_REQUEST : GATE_CLOSE_FAULT;
        if (e == GATE_E_LIMIT)
            gate_flow_body_fault(h->x, GATE_FAULT_BAD_REQUEST, 431, "trailers are too large");
        else
            gate_flow_body_fault(h->x, GATE_FAULT_OVERLOAD, 503, "no memory for a block");
        return GATE_READ_NOTHING;
    }
    e = gate_conn_read(&s->conn, space.iov, space.count, &n);
    if (e != GATE_OK) {
        gate_h1_reader_unused(&h->in, &space);
        if (e == GATE_E_AGAIN)
            return GATE_READ_NOTHING;
        gate_session_h1_ended(s, e);
        return GATE_READ_GONE;
    }
    full = n == space.bytes;
    gate_counters_add(&s->worker->counters, GATE_C_BYTES_IN, n);
    gate_chain_init(&chunk, &s->conn.loop->blocks);
    for (int i = 0; gate_h1_reader_filled(&h->in, &space, i, &n); i++) {
        if (!h->body_done && !h->body_bad)
            consume_body(s, &chunk);
    }
    deliver(s, &chunk);
    return full ? GATE_READ_FULL : GATE_READ_SHORT;
}
