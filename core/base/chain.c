#include <string.h>
#include <sys/uio.h>

#include "base/assert.h"
#include "base/block.h"
#include "base/chain_int.h"
#include "base/err.h"
#include "base/pipe.h"

void gate_chain_init(struct gate_chain *c, struct gate_block_pool *pool)
{
    *c = (struct gate_chain){ .pool = pool };
}

void gate_chain_release(struct gate_chain *c)
{
    struct gate_chain_seg *seg = c->head;

    while (seg != NULL) {
        struct gate_chain_seg *next = seg->next;

        for (uint32_t i = seg->first; i < seg->end; i++)
            gate_block_unref(&seg->slices[i].b);
        gate_slab_give(&c->pool->segs, seg);
        seg = next;
    }
    c->head = c->tail = NULL;
    c->bytes = 0;
    c->count = 0;
}

static inline struct gate_slice *last_slice(const struct gate_chain *c)
{
    return &c->tail->slices[c->tail->end - 1];
}

/* Joins the bytes to the last slice where they follow it in the same block. Literals are never
 * joined: two that happen to meet in memory are still two objects. */
static inline bool try_join(struct gate_chain *c, const struct gate_block *b, const char *p,
                            size_t n)
{
    struct gate_slice *last;

    if (c->tail == NULL || b == NULL)
        return false;
    last = last_slice(c);
    if (last->b != b || last->p + last->n != p)
        return false;
    last->n += n;
    c->bytes += n;
    return true;
}

/* Appends a slice; the caller's reference goes with it. */
static inline void append(struct gate_chain *c, struct gate_block *b, const char *p, size_t n)
{
    struct gate_chain_seg *seg = c->tail;

    if (seg == NULL || seg->end == GATE_CHAIN_SEG_SLICES) {
        seg = gate_slab_take(&c->pool->segs);
        seg->next = NULL;
        seg->first = seg->end = 0;
        if (c->tail == NULL)
            c->head = seg;
        else
            c->tail->next = seg;
        c->tail = seg;
    }
    seg->slices[seg->end++] = (struct gate_slice){ b, p, n };
    c->bytes += n;
    c->count++;
}

/* Appends a slice that holds a reference already, or joins it and gives the reference up. */
static inline void append_owned(struct gate_chain *c, struct gate_block *b, const char *p, size_t n)
{
    if (try_join(c, b, p, n))
        gate_block_unref(&b);
    else
        append(c, b, p, n);
}

/* Takes the first slice off, with its reference still held. */
static inline struct gate_slice shift(struct gate_chain *c)
{
    struct gate_chain_seg *seg = c->head;
    struct gate_slice s = seg->slices[seg->first++];

    c->bytes -= s.n;
    c->count--;
    if (seg->first == seg->end) {
        c->head = seg->next;
        if (c->head == NULL)
            c->tail = NULL;
        gate_slab_give(&c->pool->segs, seg);
    }
    return s;
}

void gate_chain_add(struct gate_chain *c, struct gate_block *b, const char *p, size_t n)
{
    GATE_DEBUG_ASSERT(b == NULL || b->cap == 0 ||
                      (p >= b->data && p + n <= b->data + b->cap));
    if (n == 0 || try_join(c, b, p, n))
        return;
    if (b != NULL)
        gate_block_ref(b);
    append(c, b, p, n);
}

/* Bytes that may be written behind the last slice: its block has no other user, and the slice ends
 * where the block's content does. */
static size_t tail_room(const struct gate_chain *c)
{
    const struct gate_slice *last;

    if (c->tail == NULL)
        return 0;
    last = last_slice(c);
    if (last->b == NULL || last->b->refs != 1 || last->p + last->n != last->b->data + last->b->used)
        return 0;
    return last->b->cap - last->b->used;
}

/* Takes blocks for n bytes, linked by next_free: all of them, or none. */
static struct gate_block *take_blocks(struct gate_block_pool *pool, size_t n)
{
    struct gate_block *first = NULL;

    for (size_t got = 0; got < n; got += GATE_BLOCK_SIZE) {
        struct gate_block *b = gate_block_take(pool);

        if (b != NULL) {
            b->next_free = first;
            first = b;
            continue;
        }
        while (first != NULL) {
            struct gate_block *next = first->next_free;

            gate_block_unref(&first);
            first = next;
        }
        return NULL;
    }
    return first;
}

int gate_chain_copy(struct gate_chain *c, const void *p, size_t n)
{
    const char *at = p;
    size_t room, now;
    struct gate_block *blocks = NULL;

    if (n == 0)
        return GATE_OK;
    room = tail_room(c);
    now = n < room ? n : room;
    if (n > now) {
        blocks = take_blocks(c->pool, n - now);
        if (blocks == NULL)
            return GATE_E_NOMEM;
    }
    if (now > 0) {
        struct gate_slice *last = last_slice(c);

        memcpy(last->b->data + last->b->used, at, now);
        last->b->used += (uint32_t)now;
        last->n += now;
        c->bytes += now;
    }
    while (blocks != NULL) {
        struct gate_block *b = blocks;

        blocks = b->next_free;
        b->next_free = NULL;
        at += now;
        n -= now;
        now = n < b->cap ? n : b->cap;
        memcpy(b->data, at, now);
        b->used = (uint32_t)now;
        append(c, b, b->data, now);
    }
    return GATE_OK;
}

void gate_chain_move(struct gate_chain *to, struct gate_chain *from)
{
    GATE_DEBUG_ASSERT(to != from && to->pool == from->pool);
    if (from->head == NULL)
        return;
    if (to->head == NULL) {
        *to = *from;
    } else if (from->count <= GATE_CHAIN_SEG_SLICES / 2) {
        /* A few slices are moved one by one, else chains of many small moves would become lists of
         * almost empty segments. */
        while (from->count > 0) {
            struct gate_slice s = shift(from);

            append_owned(to, s.b, s.p, s.n);
        }
    } else {
        to->tail->next = from->head;
        to->tail = from->tail;
        to->bytes += from->bytes;
        to->count += from->count;
    }
    gate_chain_init(from, from->pool);
}

size_t gate_chain_move_n(struct gate_chain *to, struct gate_chain *from, size_t n)
{
    size_t left;

    if (n >= from->bytes) {
        n = from->bytes;
        gate_chain_move(to, from);
        return n;
    }
    GATE_DEBUG_ASSERT(to != from && to->pool == from->pool);
    for (left = n; left > 0;) {
        struct gate_slice *front = &from->head->slices[from->head->first];

        if (front->n > left) {
            gate_chain_add(to, front->b, front->p, left);
            front->p += left;
            front->n -= left;
            from->bytes -= left;
            break;
        }
        struct gate_slice s = shift(from);

        left -= s.n;
        append_owned(to, s.b, s.p, s.n);
    }
    return n;
}

void gate_chain_drop(struct gate_chain *c, size_t n)
{
    GATE_ASSERT(n <= c->bytes);
    if (n == c->bytes) {
        gate_chain_clear(c);
        return;
    }
    while (n > 0) {
        struct gate_slice *front = &c->head->slices[c->head->first];

        if (front->n > n) {
            front->p += n;
            front->n -= n;
            c->bytes -= n;
            return;
        }
        struct gate_slice s = shift(c);

        n -= s.n;
        gate_block_unref(&s.b);
    }
}

void gate_chain_share(struct gate_chain *to, const struct gate_chain *from)
{
    const struct gate_chain_seg *seg;

    GATE_DEBUG_ASSERT(to != from);
    for (seg = from->head; seg != NULL; seg = seg->next) {
        for (uint32_t i = seg->first; i < seg->end; i++)
            gate_chain_add(to, seg->slices[i].b, seg->slices[i].p, seg->slices[i].n);
    }
}

bool gate_chain_front(const struct gate_chain *c, struct gate_slice *out)
{
    if (c->head == NULL)
        return false;
    *out = c->head->slices[c->head->first];
    return true;
}

int gate_chain_iov(const struct gate_chain *c, struct iovec *iov, int max)
{
    const struct gate_chain_seg *seg;
    int n = 0;

    for (seg = c->head; seg != NULL; seg = seg->next) {
        for (uint32_t i = seg->first; i < seg->end; i++) {
            if (n == max || gate_pipe_of(&seg->slices[i]) != NULL)
                return n;
            /* iovec has no const; a writer does not write to it. */
            iov[n].iov_base = (void *)(uintptr_t)seg->slices[i].p;
            iov[n++].iov_len = seg->slices[i].n;
        }
    }
    return n;
}

void gate_chain_read(const struct gate_chain *c, char *to)
{
    const struct gate_chain_seg *seg;

    for (seg = c->head; seg != NULL; seg = seg->next) {
        for (uint32_t i = seg->first; i < seg->end; i++) {
            GATE_ASSERT(gate_pipe_of(&seg->slices[i]) == NULL);
            memcpy(to, seg->slices[i].p, seg->slices[i].n);
            to += seg->slices[i].n;
        }
    }
}
