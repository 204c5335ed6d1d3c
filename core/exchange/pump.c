/* Credits: a pump grants its source a window, and again when half of it has arrived and the sink
 * has room. The window grows while chunks fill it, so that bulk moves in large reads and small
 * messages stay small. */
#include "exchange/pump.h"

#include "base/assert.h"
#include "net/conn.h"

void gate_pump_init(struct gate_pump *p, struct gate_loop *loop,
                    void (*on_end)(struct gate_pump *, enum gate_pump_end), void *user)
{
    memset(p, 0, sizeof(*p));
    p->loop = loop;
    gate_chain_init(&p->in, &loop->blocks);
    gate_chain_init(&p->out, &loop->blocks);
    gate_chain_init(&p->replay, &loop->blocks);
    p->kept_all = true;
    p->max = UINT64_MAX;
    p->window = GATE_PUMP_WINDOW;
    p->on_end = on_end;
    p->user = user;
}

void gate_pump_fini(struct gate_pump *p)
{
    struct gate_filter *holder = p->holder;

    p->done = true;
    p->src = NULL;
    p->dst = NULL;
    p->holder = NULL;
    if (holder != NULL)
        holder->drop(holder);
    gate_chain_clear(&p->in);
    gate_chain_clear(&p->out);
    gate_chain_clear(&p->replay);
    gate_block_unref(&p->trailer_block);
}

static void end(struct gate_pump *p, enum gate_pump_end how)
{
    if (p->done)
        return;
    p->done = true;
    p->on_end(p, how);
}

/* Hands `out` to the sink, with the end of the message where `last` says so. */
static void send(struct gate_pump *p, struct gate_chain *out, bool last)
{
    bool with_trailers = last && p->trailers != NULL;
    enum gate_err e = GATE_OK;

    p->sent += out->bytes;
    if (out->bytes > 0 || (last && !with_trailers))
        e = p->dst->ops->send_body(p->dst, out, last && !with_trailers);
    if (e == GATE_OK && with_trailers)
        e = p->dst->ops->send_trailers(p->dst, p->trailers);
    if (e != GATE_OK) {
        end(p, GATE_PUMP_SINK);
        return;
    }
    if (last) {
        p->dst_ended = true;
        end(p, GATE_PUMP_COMPLETE);
    }
}

/* Passes a chunk through the filters from `f` on. The chunk is in `p->in` or in `carry`. */
static void filter(struct gate_pump *p, struct gate_filter *f, struct gate_chain *chunk, bool last)
{
    struct gate_chain next;

    while (f != NULL && !p->done) {
        enum gate_filter_result r;

        gate_chain_init(&next, p->in.pool);
        p->holder = f;
        r = f->chunk(f, chunk, last, &next);
        if (r == GATE_FILTER_WAIT)
            return;
        p->holder = NULL;
        gate_chain_clear(chunk);
        if (r == GATE_FILTER_FAIL) {
            gate_chain_clear(&next);
            end(p, GATE_PUMP_FILTER);
            return;
        }
        gate_chain_move(chunk, &next);
        f = f->next;
    }
    if (!p->done)
        send(p, chunk, last);
}

/* Allows the source more, when what it was allowed is half used and the sink takes bytes. */
static void replenish(struct gate_pump *p)
{
    size_t n;

    if (p->done || p->src == NULL || p->src_ended || p->holder != NULL || p->in.bytes > 0)
        return;
    if (p->dst == NULL || p->granted > p->window / 2 || p->dst->ops->room(p->dst) == 0)
        return;
    n = p->window - p->granted;
    p->granted = p->window;
    p->src->ops->grant(p->src, n);
}

static bool may_move(const struct gate_pump *p)
{
    return !p->done && p->dst != NULL && p->holder == NULL && (p->in.bytes > 0 || p->src_ended);
}

static void move(struct gate_pump *p)
{
    struct gate_chain chunk;

    while (may_move(p)) {
        bool last = p->src_ended;

        if (p->in.bytes > 0 && p->dst->ops->room(p->dst) == 0)
            break;
        if (p->filters == NULL) {
            send(p, &p->in, last);
            continue;
        }
        gate_chain_init(&chunk, p->in.pool);
        gate_chain_move(&chunk, &p->in);
        filter(p, p->filters, &chunk, last);
        gate_chain_clear(&chunk);
    }
}

static inline void run(struct gate_pump *p)
{
    if (may_move(p))
        move(p);
    if (!p->done)
        replenish(p);
}

/* Bytes that nobody here looks at or keeps need not come into memory. */
static void offer_pipes(struct gate_pump *p)
{
    struct gate_conn *to;

    if (p->src == NULL || p->dst == NULL || p->filters != NULL || (p->keep > 0 && p->kept_all))
        return;
    to = p->dst->ops->raw_conn(p->dst);
    p->src->takes_pipes = to != NULL && to->ops->from_pipe != NULL;
}

void gate_pump_from(struct gate_pump *p, struct gate_stream *src)
{
    p->src = src;
    offer_pipes(p);
    replenish(p);
}

void gate_pump_to(struct gate_pump *p, struct gate_stream *dst)
{
    p->dst = dst;
    offer_pipes(p);
    run(p);
}

static void keep(struct gate_pump *p, const struct gate_chain *chunk)
{
    if (p->keep == 0 || !p->kept_all) {
        p->kept_all = false;
        return;
    }
    if (p->replay.bytes + chunk->bytes > p->keep) {
        p->kept_all = false;
        gate_chain_clear(&p->replay);
        offer_pipes(p);
        return;
    }
    gate_chain_share(&p->replay, chunk);
}

void gate_pump_got(struct gate_pump *p, struct gate_chain *chunk)
{
    if (p->done || p->src_ended)
        return;
    p->moved_ms = gate_loop_now(p->loop);
    p->got += chunk->bytes;
    if (chunk->bytes >= p->window / 2 && p->window < GATE_PUMP_WINDOW_MAX)
        p->window *= 2;
    p->granted -= p->granted < chunk->bytes ? p->granted : chunk->bytes;
    if (p->got > p->max) {
        end(p, GATE_PUMP_LIMIT);
        return;
    }
    keep(p, chunk);
    gate_chain_move(&p->in, chunk);
    run(p);
}

void gate_pump_src_end(struct gate_pump *p)
{
    if (p->src_ended)
        return;
    p->src_ended = true;
    run(p);
}

void gate_pump_src_broken(struct gate_pump *p)
{
    p->src = NULL;
    if (!p->src_ended)
        end(p, GATE_PUMP_SOURCE);
}

void gate_pump_dst_broken(struct gate_pump *p)
{
    p->dst = NULL;
    if (!p->dst_ended)
        end(p, GATE_PUMP_SINK);
}

void gate_pump_room(struct gate_pump *p)
{
    p->moved_ms = gate_loop_now(p->loop);
    run(p);
}

void gate_pump_filtered(struct gate_pump *p, struct gate_filter *f, enum gate_filter_result r,
                        struct gate_chain *out, bool last)
{
    struct gate_chain chunk;

    if (p->done || p->holder != f)
        return;
    p->holder = NULL;
    if (r == GATE_FILTER_FAIL) {
        gate_chain_clear(out);
        end(p, GATE_PUMP_FILTER);
        return;
    }
    gate_chain_init(&chunk, p->in.pool);
    gate_chain_move(&chunk, out);
    filter(p, f->next, &chunk, last);
    gate_chain_clear(&chunk);
    run(p);
}

void gate_pump_gather(struct gate_pump *p, size_t max)
{
    size_t have = p->in.bytes + p->granted;

    if (p->done || p->src == NULL || p->src_ended || have >= max)
        return;
    p->granted += max - have;
    p->src->ops->grant(p->src, max - have);
}

bool gate_pump_rewind(struct gate_pump *p)
{
    if (!p->kept_all || p->holder != NULL)
        return false;
    gate_chain_clear(&p->in);
    gate_chain_share(&p->in, &p->replay);
    p->dst = NULL;
    p->dst_ended = false;
    p->done = false;
    p->sent = 0;
    return true;
}
