/* Blocks are carved from spans of mapped memory, so that their pages can be given back one block at
 * a time and reads land on page boundaries. The headers live in a slab of their own. */
#include "base/block.h"

#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/chain_int.h"
#include "base/pipe_int.h"
#include "base/poison.h"

#define SPAN_BYTES (1024u * 1024)

/* Blocks that one trim gives back at most: each is a system call. */
#define TRIM_MAX 512

struct gate_block_span {
    struct gate_block_span *next;
    char *base;
};

void gate_block_pool_init(struct gate_block_pool *pool, size_t limit)
{
    *pool = (struct gate_block_pool){.limit = limit};
    pool->normal.cap = GATE_BLOCK_SIZE;
    pool->big.cap = GATE_BLOCK_BIG;
    gate_slab_init(&pool->headers, "block headers", sizeof(struct gate_block));
    gate_slab_init(&pool->segs, "chain segments", sizeof(struct gate_chain_seg));
}

static void free_headers(struct gate_block_pool *pool, struct gate_block *b)
{
    while (b != NULL) {
        struct gate_block *next = b->next_free;

        gate_slab_give(&pool->headers, b);
        b = next;
    }
}

void gate_block_pool_fini(struct gate_block_pool *pool)
{
    GATE_ASSERT(pool->live == 0);
    gate_pipes_fini(pool);
    gate_slab_fini(&pool->segs);
    free_headers(pool, pool->normal.hot);
    free_headers(pool, pool->normal.cold);
    free_headers(pool, pool->big.hot);
    free_headers(pool, pool->big.cold);
    gate_slab_fini(&pool->headers);
    while (pool->spans != NULL) {
        struct gate_block_span *span = pool->spans;

        pool->spans = span->next;
        GATE_UNPOISON(span->base, SPAN_BYTES);
        munmap(span->base, SPAN_BYTES);
        gate_free(span);
    }
}

/* Maps a span and carves it into cold blocks. */
static bool grow(struct gate_block_pool *pool, struct gate_block_class *c)
{
    char *base = mmap(NULL, SPAN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct gate_block_span *span;

    if (base == MAP_FAILED)
        return false;
    span = gate_alloc(sizeof(*span));
    span->base = base;
    span->next = pool->spans;
    pool->spans = span;
    for (size_t at = 0; at + c->cap <= SPAN_BYTES; at += c->cap) {
        struct gate_block *b = gate_slab_take(&pool->headers);

        *b = (struct gate_block){
            .data = base + at, .pool = pool, .cap = c->cap, .next_free = c->cold};
        c->cold = b;
    }
    GATE_POISON(base, SPAN_BYTES);
    return true;
}

static struct gate_block *take_cold(struct gate_block_pool *pool, struct gate_block_class *c)
{
    struct gate_block *b;

    if (c->cold == NULL && !grow(pool, c))
        return NULL;
    b = c->cold;
    c->cold = b->next_free;
    return b;
}

static inline struct gate_block *take(struct gate_block_pool *pool, struct gate_block_class *c)
{
    struct gate_block *b = c->hot;

    if (GATE_UNLIKELY(pool->limit != 0 && pool->live_bytes + c->cap > pool->limit))
        return NULL;
    if (GATE_LIKELY(b != NULL)) {
        c->hot = b->next_free;
        c->n_hot--;
        if (c->n_hot < c->low)
            c->low = c->n_hot;
    } else {
        b = take_cold(pool, c);
        if (b == NULL)
            return NULL;
    }
    GATE_UNPOISON(b->data, b->cap);
    b->refs = 1;
    b->used = 0;
    pool->live++;
    pool->live_bytes += b->cap;
    return b;
}

struct gate_block *gate_block_take(struct gate_block_pool *pool)
{
    return take(pool, &pool->normal);
}

struct gate_block *gate_block_take_big(struct gate_block_pool *pool)
{
    return take(pool, &pool->big);
}

void gate_block_release(struct gate_block *b)
{
    struct gate_block_pool *pool = b->pool;
    struct gate_block_class *c = b->cap == GATE_BLOCK_SIZE ? &pool->normal : &pool->big;

    if (GATE_UNLIKELY(b->cap == 0)) {
        gate_pipe_release(b);
        return;
    }
    GATE_DEBUG_ASSERT(b->refs == 0 && pool->live > 0);
    pool->live--;
    pool->live_bytes -= b->cap;
    b->next_free = c->hot;
    c->hot = b;
    c->n_hot++;
    GATE_POISON(b->data, b->cap);
}

/* The blocks at the end of the hot list are those that were used the longest ago. */
static void trim(struct gate_block_class *c)
{
    uint32_t n = c->low < TRIM_MAX ? c->low : TRIM_MAX;
    struct gate_block **at = &c->hot;

    for (uint32_t i = n; i < c->n_hot; i++)
        at = &(*at)->next_free;
    while (*at != NULL) {
        struct gate_block *b = *at;

        *at = b->next_free;
        GATE_UNPOISON(b->data, b->cap);
        madvise(b->data, b->cap, MADV_DONTNEED);
        GATE_POISON(b->data, b->cap);
        b->next_free = c->cold;
        c->cold = b;
        c->n_hot--;
    }
    c->low = c->n_hot;
}

void gate_block_pool_trim(struct gate_block_pool *pool)
{
    trim(&pool->normal);
    trim(&pool->big);
}
