/* Small bodies are copied behind their head, so that one plain send carries both; larger ones go by
 * reference. */
#include "http/h1_writer.h"

#include "base/assert.h"
#include "base/pipe.h"

/* Up to here a copy is cheaper than a second iovec and a longer-held block. */
#define COPY_BELOW 4096

void gate_h1_writer_init(struct gate_h1_writer *w, struct gate_block_pool *pool)
{
    gate_chain_init(&w->out, pool);
    w->left = 0;
    w->framing = GATE_BODY_NONE;
    w->ended = true;
}

void gate_h1_writer_fini(struct gate_h1_writer *w)
{
    gate_chain_clear(&w->out);
}

/* A head that does not fit *b, which is given up for a big one. */
static enum gate_err put_big_head(struct gate_h1_writer *w, const struct gate_message *m,
                                  struct gate_str connection, struct gate_block **b,
                                  struct gate_out *o)
{
    gate_block_unref(b);
    *b = gate_block_take_big(w->out.pool);
    if (*b == NULL)
        return GATE_E_NOMEM;
    *o = gate_out_on((*b)->data, (*b)->cap);
    gate_write_head(o, m, connection);
    if (!o->full)
        return GATE_OK;
    gate_block_unref(b);
    return GATE_E_LIMIT;
}

static enum gate_err put_head(struct gate_h1_writer *w, const struct gate_message *m,
                              struct gate_str connection)
{
    struct gate_block *b = gate_block_take(w->out.pool);
    struct gate_out o;

    if (b == NULL)
        return GATE_E_NOMEM;
    o = gate_out_on(b->data, b->cap);
    gate_write_head(&o, m, connection);
    if (GATE_UNLIKELY(o.full)) {
        enum gate_err e = put_big_head(w, m, connection, &b, &o);

        if (e != GATE_OK)
            return e;
    }
    b->used = (uint32_t)o.n;
    gate_chain_add(&w->out, b, b->data, o.n);
    gate_block_unref(&b);
    return GATE_OK;
}

enum gate_err gate_h1_writer_head(struct gate_h1_writer *w, const struct gate_message *m,
                                  struct gate_str connection, bool no_body)
{
    enum gate_err e = put_head(w, m, connection);

    if (e != GATE_OK)
        return e;
    w->framing = no_body ? GATE_BODY_NONE : (uint8_t)m->framing;
    w->left = w->framing == GATE_BODY_LENGTH ? m->content_length : 0;
    w->ended = w->framing == GATE_BODY_NONE || (w->framing == GATE_BODY_LENGTH && w->left == 0);
    return GATE_OK;
}

enum gate_err gate_h1_writer_info(struct gate_h1_writer *w, const struct gate_message *m)
{
    return put_head(w, m, GATE_STR_NONE);
}

static enum gate_err put(struct gate_h1_writer *w, const char *p, size_t n)
{
    return gate_chain_copy(&w->out, p, n) == 0 ? GATE_OK : GATE_E_NOMEM;
}

static enum gate_err put_chunk(struct gate_h1_writer *w, struct gate_chain *chunk)
{
    enum gate_err e = GATE_OK;

    struct gate_slice s;

    if (chunk->bytes <= COPY_BELOW && w->out.count <= 1) {
        while (e == GATE_OK && gate_chain_front(chunk, &s) && gate_pipe_of(&s) == NULL) {
            e = put(w, s.p, s.n);
            gate_chain_drop(chunk, s.n);
        }
    }
    if (e == GATE_OK)
        gate_chain_move(&w->out, chunk);
    return e;
}

static enum gate_err chunked(struct gate_h1_writer *w, struct gate_chain *chunk)
{
    char line[GATE_CHUNK_LINE];
    enum gate_err e;

    e = put(w, line, gate_write_chunk_line(line, chunk->bytes));
    if (e == GATE_OK)
        e = put_chunk(w, chunk);
    if (e == GATE_OK)
        e = put(w, "\r\n", 2);
    return e;
}

/* Trailers are held to the limits of heads: they fit a big block. */
static enum gate_err put_trailers(struct gate_h1_writer *w, const struct gate_fields *trailers)
{
    struct gate_block *b = gate_block_take_big(w->out.pool);
    struct gate_out o;

    if (b == NULL)
        return GATE_E_NOMEM;
    o = gate_out_on(b->data, b->cap);
    gate_write_last_chunk(&o, trailers);
    b->used = (uint32_t)o.n;
    if (!o.full)
        gate_chain_add(&w->out, b, b->data, o.n);
    gate_block_unref(&b);
    return o.full ? GATE_E_LIMIT : GATE_OK;
}

enum gate_err gate_h1_writer_body(struct gate_h1_writer *w, struct gate_chain *chunk, bool last)
{
    enum gate_err e = GATE_OK;

    if (w->framing == GATE_BODY_NONE) {
        gate_chain_clear(chunk);
        return GATE_OK;
    }
    if (w->framing == GATE_BODY_LENGTH) {
        if (chunk->bytes > w->left)
            return GATE_E_INVALID;
        w->left -= chunk->bytes;
    }
    if (chunk->bytes > 0)
        e = w->framing == GATE_BODY_CHUNKED ? chunked(w, chunk) : put_chunk(w, chunk);
    if (e != GATE_OK || !last || w->ended)
        return e;
    if (w->framing == GATE_BODY_LENGTH && w->left > 0)
        return GATE_E_INVALID;
    return gate_h1_writer_trailers(w, NULL);
}

enum gate_err gate_h1_writer_trailers(struct gate_h1_writer *w, const struct gate_fields *trailers)
{
    if (w->framing == GATE_BODY_LENGTH && w->left > 0)
        return GATE_E_INVALID;
    if (w->framing == GATE_BODY_CHUNKED && !w->ended) {
        enum gate_err e = trailers == NULL ? put(w, "0\r\n\r\n", 5) : put_trailers(w, trailers);

        if (e != GATE_OK)
            return e;
    }
    w->ended = true;
    return GATE_OK;
}
