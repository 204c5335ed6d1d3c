#include "base/block.h"

#include <string.h>

#include "base/assert.h"
#include "base/chain_int.h"
#include "base/poison_int.h"

#define KEEP_DEFAULT (8u * 1024 * 1024)

void gate_block_pool_init(struct gate_block_pool *pool, size_t limit)
{
    *pool = (struct gate_block_pool){ .keep = KEEP_DEFAULT, .limit = limit };
    gate_slab_init(&pool->segs, "chain segments", sizeof(struct gate_chain_seg));
}

static void free_list(struct gate_block *b)
{
    while (b != NULL) {
        struct gate_block *next = b->next_free;

        GATE_UNPOISON(b->data, b->cap);
        gate_free(b);
        b = next;
    }
}

void gate_block_pool_fini(struct gate_block_pool *pool)
{
    GATE_ASSERT(pool->live == 0);
    gate_slab_fini(&pool->segs);
    free_list(pool->free_normal);
    free_list(pool->free_big);
    pool->free_normal = pool->free_big = NULL;
    pool->free_bytes = 0;
}

static inline struct gate_block *take(struct gate_block_pool *pool, struct gate_block **free,
                                      uint32_t cap)
{
    struct gate_block *b = *free;

    if (GATE_UNLIKELY(pool->limit != 0 && pool->live_bytes + cap > pool->limit))
        return NULL;
    if (GATE_LIKELY(b != NULL)) {
        *free = b->next_free;
        pool->free_bytes -= cap;
        GATE_UNPOISON(b->data, cap);
    } else {
        b = gate_try_alloc(sizeof(*b) + cap);
        if (b == NULL)
            return NULL;
        b->pool = pool;
        b->cap = cap;
    }
    b->next_free = NULL;
    b->refs = 1;
    b->used = 0;
    b->reserved = 0;
    pool->live++;
    pool->live_bytes += cap;
    return b;
}

struct gate_block *gate_block_take(struct gate_block_pool *pool)
{
    return take(pool, &pool->free_normal, GATE_BLOCK_SIZE);
}

struct gate_block *gate_block_take_big(struct gate_block_pool *pool)
{
    return take(pool, &pool->free_big, GATE_BLOCK_BIG);
}

void gate_block_release(struct gate_block *b)
{
    struct gate_block_pool *pool = b->pool;
    struct gate_block **free = b->cap == GATE_BLOCK_SIZE ? &pool->free_normal : &pool->free_big;

    GATE_DEBUG_ASSERT(b->refs == 0 && pool->live > 0);
    pool->live--;
    pool->live_bytes -= b->cap;
    if (GATE_UNLIKELY(pool->free_bytes + b->cap > pool->keep)) {
        gate_free(b);
        return;
    }
    b->next_free = *free;
    *free = b;
    pool->free_bytes += b->cap;
    GATE_POISON(b->data, b->cap);
}
