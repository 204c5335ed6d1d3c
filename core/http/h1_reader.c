/* One block is current. Body content leaves as slices that hold references on it; the reader then
 * goes on in the rest of the block, or takes the next when little room is left. */
#include "http/h1_reader.h"

#include "base/assert.h"

/* Less room than this at a block's end is not worth a read. */
#define WORTH_READING 2048

void gate_h1_reader_init(struct gate_h1_reader *r)
{
    memset(r, 0, offsetof(struct gate_h1_reader, marks));
    r->blocks = 1;
    r->scan.marks = &r->marks;
}

void gate_h1_reader_fini(struct gate_h1_reader *r)
{
    gate_block_unref(&r->b);
}

static void space_add(struct gate_h1_space *s, struct gate_block *b)
{
    s->blocks[s->count] = b;
    s->iov[s->count].iov_base = b->data + b->used;
    s->iov[s->count].iov_len = b->cap - b->used;
    s->bytes += b->cap - b->used;
    s->count++;
}

/* Moves the held bytes to the start of `to`, which becomes current. */
static void move_held(struct gate_h1_reader *r, struct gate_block *to)
{
    size_t held = gate_h1_reader_held(r);

    memcpy(to->data, r->b->data + r->at, held);
    to->used = (uint32_t)held;
    gate_block_unref(&r->b);
    r->b = to;
    r->at = 0;
}

enum gate_err gate_h1_reader_head_space(struct gate_h1_reader *r, struct gate_block_pool *pool,
                                        struct gate_h1_space *s)
{
    struct gate_block *next;

    s->count = 0;
    s->next = 1;
    s->bytes = 0;
    if (r->b == NULL) {
        r->b = r->big ? gate_block_take_big(pool) : gate_block_take(pool);
        r->at = 0;
        if (r->b == NULL)
            return GATE_E_NOMEM;
    } else if (r->b->cap - r->b->used < WORTH_READING) {
        bool big = r->at == 0 || gate_h1_reader_held(r) > GATE_BLOCK_SIZE / 2;

        if (r->at == 0 && r->b->cap >= GATE_BLOCK_BIG)
            return GATE_E_LIMIT;
        next = big ? gate_block_take_big(pool) : gate_block_take(pool);
        if (next == NULL)
            return GATE_E_NOMEM;
        move_held(r, next);
        if (r->b->cap == r->b->used)
            return gate_h1_reader_head_space(r, pool, s);
    }
    space_add(s, r->b);
    /* Where a part of a head or trailer block is held, the rest is asked for behind it alone. */
    while (s->count < r->blocks && gate_h1_reader_held(r) == 0) {
        next = gate_block_take(pool);
        if (next == NULL)
            break;
        space_add(s, next);
    }
    return GATE_OK;
}

enum gate_err gate_h1_reader_body_space(struct gate_h1_reader *r, struct gate_block_pool *pool,
                                        size_t credit, struct gate_h1_space *s)
{
    struct gate_block *next;

    GATE_DEBUG_ASSERT(gate_h1_reader_held(r) == 0 || r->body.trailers.at > 0);
    s->count = 0;
    s->next = 1;
    s->bytes = 0;
    if (r->b != NULL && gate_h1_reader_held(r) == 0 && r->b->refs == 1)
        r->at = r->b->used = 0;
    else if (r->b != NULL && gate_h1_reader_held(r) == 0 && r->b->cap - r->b->used < WORTH_READING)
        gate_block_unref(&r->b);
    else if (r->b != NULL && gate_h1_reader_held(r) > 0)
        return gate_h1_reader_head_space(r, pool, s);
    if (r->b == NULL) {
        r->b = gate_block_take(pool);
        r->at = 0;
        if (r->b == NULL)
            return GATE_E_NOMEM;
    }
    space_add(s, r->b);
    /* Never far beyond what is known to be content: the next message's bytes are to fit one block.
     */
    while (s->count < r->blocks && s->bytes < credit &&
           (r->body.framing == GATE_BODY_EOF || s->bytes < r->body.left)) {
        next = gate_block_take(pool);
        if (next == NULL)
            break;
        space_add(s, next);
    }
    /* Content is never longer than its bytes: what is read here stays within the credit. */
    if (s->bytes > credit) {
        s->iov[s->count - 1].iov_len -= s->bytes - credit;
        s->bytes = credit;
    }
    return GATE_OK;
}

/* Reads that come back full ask for twice as much next time; one that leaves most of it empty for
 * less. */
static void adapt(struct gate_h1_reader *r, const struct gate_h1_space *s, size_t n)
{
    if (n >= s->bytes && s->count >= r->blocks && r->blocks < GATE_H1_READ_BLOCKS)
        r->blocks = (uint8_t)(r->blocks * 2);
    else if (n * 4 <= s->bytes && r->blocks > 1 && s->count > 1)
        r->blocks = (uint8_t)(r->blocks / 2);
}

static void drop_rest(struct gate_h1_space *s)
{
    for (; s->next < s->count; s->next++)
        gate_block_unref(&s->blocks[s->next]);
}

/* Puts `take` bytes of the space's next block behind what is held. */
static void append(struct gate_h1_reader *r, struct gate_h1_space *s, size_t take)
{
    struct iovec *v = &s->iov[s->next];

    memcpy(r->b->data + r->b->used, v->iov_base, take);
    r->b->used += (uint32_t)take;
    v->iov_base = (char *)v->iov_base + take;
    v->iov_len -= take;
}

/* What is held moves in front of the n bytes of the space's next block, which becomes current. */
static void prepend(struct gate_h1_reader *r, struct gate_h1_space *s, size_t n)
{
    struct gate_block *b = s->blocks[s->next];
    const char *from = s->iov[s->next].iov_base;
    size_t held = gate_h1_reader_held(r);

    if (held > 0) {
        memmove(b->data + held, from, n);
        memcpy(b->data, r->b->data + r->at, held);
        r->at = 0;
        b->used = (uint32_t)(held + n);
    } else {
        r->at = (uint32_t)(from - b->data);
        b->used = r->at + (uint32_t)n;
    }
    gate_block_unref(&r->b);
    r->b = b;
    s->next++;
}

bool gate_h1_reader_fill(struct gate_h1_reader *r, struct gate_h1_space *s, int i, size_t *n)
{
    struct gate_block *big;
    size_t have, room;

    if (i == 0) {
        adapt(r, s, *n);
        have = *n < s->iov[0].iov_len ? *n : s->iov[0].iov_len;
        r->b->used += (uint32_t)have;
        *n -= have;
        return true;
    }
    if (*n == 0 || s->next >= s->count) {
        drop_rest(s);
        return false;
    }
    have = *n < s->iov[s->next].iov_len ? *n : s->iov[s->next].iov_len;
    if (gate_h1_reader_held(r) + have <= s->blocks[s->next]->cap) {
        prepend(r, s, have);
        *n -= have;
        return true;
    }
    if (r->at > 0 || r->b->cap < GATE_BLOCK_BIG) {
        big = gate_block_take_big(r->b->pool);
        if (big == NULL) {
            r->lost = true;
            drop_rest(s);
            return false;
        }
        move_held(r, big);
    }
    room = r->b->cap - r->b->used;
    have = have < room ? have : room;
    append(r, s, have);
    *n -= have;
    if (s->iov[s->next].iov_len == 0 || *n == 0)
        gate_block_unref(&s->blocks[s->next++]);
    if (have == 0) {
        drop_rest(s);
        return false;
    }
    return true;
}

void gate_h1_reader_unused(struct gate_h1_reader *r, struct gate_h1_space *s)
{
    drop_rest(s);
    gate_h1_reader_rest(r);
}

enum gate_scan_result gate_h1_reader_head(struct gate_h1_reader *r, const char **p, size_t *n,
                                          const char **why)
{
    const char *start = r->b->data + r->at;
    enum gate_scan_result res = gate_scan_head(&r->scan, start, gate_h1_reader_held(r), n, why);

    if (res == GATE_SCAN_DONE) {
        *p = start;
        r->at += (uint32_t)*n;
        r->scan = (struct gate_scan){.marks = &r->marks};
    }
    return res;
}

static enum gate_body_result trailers(struct gate_h1_reader *r, const char **p, size_t *n,
                                      const char **why)
{
    const char *start = r->b->data + r->at;
    enum gate_body_result res = gate_body_trailers(&r->body, start, gate_h1_reader_held(r), n, why);

    if (res != GATE_BODY_DONE)
        return res;
    *p = start;
    r->at += (uint32_t)*n;
    return *n > 2 ? GATE_BODY_TRAILERS : GATE_BODY_DONE;
}

enum gate_body_result gate_h1_reader_body(struct gate_h1_reader *r, struct gate_chain *chunk,
                                          const char **p, size_t *n, const char **why)
{
    for (;;) {
        struct gate_str content;
        size_t used = 0;
        enum gate_body_result res;

        if (r->b == NULL)
            return r->body.done ? GATE_BODY_DONE : GATE_BODY_MORE;
        res = gate_body_feed(&r->body, r->b->data + r->at, gate_h1_reader_held(r), &used, &content,
                             why);
        r->at += (uint32_t)used;
        if (res == GATE_BODY_DATA) {
            gate_chain_add(chunk, r->b, content.p, content.n);
            continue;
        }
        if (res == GATE_BODY_TRAILERS)
            return trailers(r, p, n, why);
        return res;
    }
}

void gate_h1_reader_rest(struct gate_h1_reader *r)
{
    if (r->b != NULL && gate_h1_reader_held(r) == 0)
        gate_block_unref(&r->b);
}
