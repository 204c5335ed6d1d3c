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
    if (p->src != NULL)
        p->src->rests = false;
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

/* A body that did not come whole, or that a filter has lost a piece of, is not sent again. */
static void end(struct gate_pump *p, enum gate_pump_end how)
{
    if (how != GATE_PUMP_COMPLETE && how != GATE_PUMP_SINK)
        p->kept_all = false;
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
        p->out_last = last && p->filters != NULL; /* for another try */
        end(p, GATE_PUMP_SINK);
        return;
    }
    if (last) {
        p->dst_ended = true;
        end(p, GATE_PUMP_COMPLETE);
    }
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

/* What passed all filters: to the sink, or to where it waits for one. */
static void filtered(struct gate_pump *p, struct gate_chain *chunk, bool last)
{
    keep(p, chunk);
    if (p->dst != NULL && !p->done && p->out.bytes == 0) {
        send(p, chunk, last);
        return;
    }
    gate_chain_move(&p->out, chunk);
    p->out_last |= last;
}

/* The source's clocks stand still while a filter is what everybody waits for. */
static void hold(struct gate_pump *p, struct gate_filter *f)
{
    p->holder = f;
    if (p->src == NULL || p->src->rests == (f != NULL))
        return;
    p->src->rests = f != NULL;
    p->src->ops->grant(p->src, 0);
}

/* Passes a chunk through the filters from `f` on. */
static void filter(struct gate_pump *p, struct gate_filter *f, struct gate_chain *chunk, bool last)
{
    struct gate_chain next;

    for (; f != NULL; f = f->next) {
        enum gate_filter_result r;

        gate_chain_init(&next, p->in.pool);
        f->last |= last;
        p->holder = f;
        r = f->chunk(f, chunk, f->last, &next);
        gate_chain_clear(chunk);
        if (r == GATE_FILTER_WAIT) {
            hold(p, f);
            return;
        }
        p->holder = NULL;
        if (r == GATE_FILTER_FAIL) {
            gate_chain_clear(&next);
            end(p, GATE_PUMP_FILTER);
            return;
        }
        f->more = r == GATE_FILTER_MORE;
        last = f->last && !f->more;
        gate_chain_move(chunk, &next);
    }
    filtered(p, chunk, last);
}

/* The filter nearest to the sink that has more of what it was given. */
static struct gate_filter *with_more(const struct gate_pump *p)
{
    struct gate_filter *found = NULL;

    for (struct gate_filter *f = p->filters; f != NULL; f = f->next)
        if (f->more)
            found = f;
    return found;
}

/* What may be on its way to a sink that others share: as much as it has room for. */
static size_t part_of(const struct gate_pump *p)
{
    size_t room = p->dst->ops->room(p->dst);

    return room < p->window ? room : p->window;
}

/* Allows the source more, when what it was allowed is half used and the sink takes bytes. */
static void replenish(struct gate_pump *p)
{
    size_t n;

    if (p->done || p->src == NULL || p->src_ended || p->holder != NULL || p->in.bytes > 0 ||
        with_more(p) != NULL)
        return;
    if (p->dst == NULL || p->granted > p->window / 2 || p->dst->ops->room(p->dst) == 0)
        return;
    n = p->window;
    if (GATE_UNLIKELY(p->dst->shares)) {
        n = part_of(p);
        if (n <= p->granted)
            return;
    }
    n -= p->granted;
    p->granted += n;
    p->src->ops->grant(p->src, n);
}

static bool may_move(const struct gate_pump *p)
{
    return !p->done && p->dst != NULL && p->holder == NULL &&
           (p->in.bytes > 0 || (p->src_ended && !p->last_given) || p->out.bytes > 0 ||
            p->out_last || with_more(p) != NULL);
}

/* One chunk through the filters: the rest of what one of them has, or what came. */
static void filter_next(struct gate_pump *p)
{
    struct gate_filter *f = with_more(p);
    bool last = false;
    struct gate_chain chunk;

    gate_chain_init(&chunk, p->in.pool);
    if (f == NULL) {
        f = p->filters;
        last = p->last_given = p->src_ended;
        gate_chain_move(&chunk, &p->in);
    }
    filter(p, f, &chunk, last);
    gate_chain_clear(&chunk);
}

static void move(struct gate_pump *p)
{
    while (may_move(p)) {
        bool bytes = p->in.bytes > 0 || p->out.bytes > 0 || p->filters != NULL;

        if (bytes && p->dst->ops->room(p->dst) == 0)
            break;
        if (p->out.bytes > 0 || p->out_last) {
            bool last = p->out_last;

            p->out_last = false;
            send(p, &p->out, last);
        } else if (p->filters != NULL) {
            filter_next(p);
        } else {
            p->last_given = p->src_ended;
            send(p, &p->in, p->src_ended);
        }
    }
}

static inline void run(struct gate_pump *p)
{
    if (may_move(p))
        move(p);
    if (!p->done)
        replenish(p);
}

void gate_pump_filter(struct gate_pump *p, struct gate_filter *first)
{
    GATE_ASSERT(p->dst == NULL && p->filters == NULL);
    p->filters = first;
    p->last_given = false;
    gate_chain_clear(&p->replay);
    p->kept_all = true; /* nothing has left yet */
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

/* Behind the end of a sink, what still comes is kept for another try, while there can be one. */
void gate_pump_got(struct gate_pump *p, struct gate_chain *chunk)
{
    if (p->src_ended || (p->done && !p->kept_all))
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
    if (p->filters == NULL)
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
                        struct gate_chain *out)
{
    struct gate_chain chunk;

    if (p->holder != f)
        return;
    hold(p, NULL);
    if (r == GATE_FILTER_FAIL) {
        gate_chain_clear(out);
        end(p, GATE_PUMP_FILTER);
        return;
    }
    f->more = r == GATE_FILTER_MORE;
    gate_chain_init(&chunk, p->in.pool);
    gate_chain_move(&chunk, out);
    filter(p, f->next, &chunk, f->last && !f->more);
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

/* Without filters what came is sent anew; behind filters what they made of it, and they go on from
 * where they are. */
bool gate_pump_rewind(struct gate_pump *p)
{
    struct gate_chain *again = p->filters == NULL ? &p->in : &p->out;

    if (!p->kept_all)
        return false;
    gate_chain_clear(again);
    gate_chain_share(again, &p->replay);
    if (p->filters == NULL)
        p->last_given = false;
    else
        p->out_last = p->dst_ended || p->out_last;
    p->dst = NULL;
    p->dst_ended = false;
    p->done = false;
    p->sent = 0;
    return true;
}

/* Nobody has anything of what came. */
static void drop_held(struct gate_pump *p)
{
    struct gate_filter *holder = p->holder;

    hold(p, NULL);
    if (holder != NULL)
        holder->drop(holder);
    for (struct gate_filter *f = p->filters; f != NULL; f = f->next)
        f->more = false;
    gate_chain_clear(&p->in);
    gate_chain_clear(&p->out);
    gate_chain_clear(&p->replay);
}

bool gate_pump_replace(struct gate_pump *p, struct gate_str bytes)
{
    bool behind = p->filters != NULL && (p->last_given || p->got > p->in.bytes);
    struct gate_chain *to = behind ? &p->out : &p->in;

    drop_held(p);
    if (bytes.n > 0 && gate_chain_copy(to, bytes.p, bytes.n) != 0)
        return false;
    /* What is still to pass filters is kept as it leaves them. */
    if (behind || p->filters == NULL)
        gate_chain_share(&p->replay, to);
    p->trailers = NULL;
    p->kept_all = true;
    p->src_ended = true;
    p->last_given = p->out_last = behind;
    p->dst = NULL;
    p->dst_ended = p->done = false;
    p->sent = 0;
    return true;
}
