/* Blocks: ref-counted I/O buffers from a per-worker pool. One thread, counts are not atomic. */
#ifndef GATE_BASE_BLOCK_H
#define GATE_BASE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"

/* Two classes: a normal block, and one for a head that does not fit. */
#define GATE_BLOCK_SIZE (16u * 1024)
#define GATE_BLOCK_BIG  (40u * 1024)

struct gate_block_pool;

struct gate_block {
    char *data; /* cap bytes, page-aligned */
    struct gate_block_pool *pool;
    struct gate_block *next_free;
    uint32_t refs;
    uint32_t cap;  /* 0: a pipe's (base/pipe.h), which has no memory */
    uint32_t used; /* written so far, by the one who fills it */
};

/* Free blocks of one size. Hot ones were used a moment ago and are taken first; cold ones have no
 * memory behind them. */
struct gate_block_class {
    struct gate_block *hot;
    struct gate_block *cold;
    uint32_t cap;
    uint32_t n_hot;
    uint32_t low; /* fewest hot blocks since the last trim: what nobody needed */
};

struct gate_block_span;

/* Owned by a worker's reactor. The memory is mapped in spans and stays mapped; what turns out to be
 * more than is needed is given back to the system by gate_block_pool_trim. */
struct gate_block_pool {
    struct gate_block_class normal;
    struct gate_block_class big;
    struct gate_block_span *spans;
    struct gate_slab headers;
    struct gate_slab segs; /* chain segments */
    struct gate_block *pipes; /* idle ones */
    uint32_t pipes_left;      /* that may still be opened */
    size_t live;           /* blocks handed out */
    size_t live_bytes;
    size_t limit; /* bytes; a take past it answers NULL; 0: none */
};

void gate_block_pool_init(struct gate_block_pool *pool, size_t limit);

/* Asserts that no block is handed out. */
void gate_block_pool_fini(struct gate_block_pool *pool);

/* Bytes of free blocks that have memory behind them. */
static inline size_t gate_block_pool_hot(const struct gate_block_pool *pool)
{
    return (size_t)pool->normal.n_hot * GATE_BLOCK_SIZE + (size_t)pool->big.n_hot * GATE_BLOCK_BIG;
}

/* Now and then while there is something to give back: takes the memory from free blocks that were
 * not needed since the last call, a bounded number of them. */
void gate_block_pool_trim(struct gate_block_pool *pool);

/* A block with refs 1 and used 0; cap is GATE_BLOCK_SIZE or GATE_BLOCK_BIG. NULL: no memory (fault
 * 503). */
struct gate_block *gate_block_take(struct gate_block_pool *pool);
struct gate_block *gate_block_take_big(struct gate_block_pool *pool);

static inline struct gate_block *gate_block_ref(struct gate_block *b)
{
    b->refs++;
    return b;
}

void gate_block_release(struct gate_block *b);

/* Gives up one reference and clears the pointer; NULL is fine. */
static inline void gate_block_unref(struct gate_block **b)
{
    struct gate_block *x = *b;

    *b = NULL;
    if (x != NULL && --x->refs == 0)
        gate_block_release(x);
}

/* A slice: `n` bytes at `p` inside block `b`. A slice in a chain holds one reference on its block;
 * b is NULL for bytes that outlive everything (literals). Bytes in a pipe have no address: p only
 * says which ones they are. */
struct gate_slice {
    struct gate_block *b;
    const char *p;
    size_t n;
};

/* A chain of slices, first in first out: bodies on their way, output queues, the replay list.
 * Grows by small segments from the pool's own free list: no malloc once warm. */
struct gate_chain_seg;
struct gate_chain {
    struct gate_block_pool *pool;
    struct gate_chain_seg *head;
    struct gate_chain_seg *tail;
    size_t bytes;
    uint32_t count; /* slices */
};

void gate_chain_init(struct gate_chain *c, struct gate_block_pool *pool);

/* Drops everything. The chain can be used again. */
void gate_chain_release(struct gate_chain *c);
static inline void gate_chain_clear(struct gate_chain *c)
{
    if (c->head != NULL)
        gate_chain_release(c);
}

/* Appends a slice and takes a reference of its own on `b`; nothing when n is 0. Adjoining slices of
 * one block are joined. */
void gate_chain_add(struct gate_chain *c, struct gate_block *b, const char *p, size_t n);

/* Appends a copy of the bytes, into the tail block where it has exclusive room, else into new
 * blocks. GATE_E_NOMEM (as non-zero) when no block is to be had; then nothing was added. */
int gate_chain_copy(struct gate_chain *c, const void *p, size_t n);

/* Moves all of `from` behind `to`. Chains that meet are of one pool. */
void gate_chain_move(struct gate_chain *to, struct gate_chain *from);

/* Moves the first n bytes (all, when fewer) of `from` behind `to`, splitting a slice. Returns bytes
 * moved. */
size_t gate_chain_move_n(struct gate_chain *to, struct gate_chain *from, size_t n);

/* Drops the first n bytes (n <= bytes). */
void gate_chain_drop(struct gate_chain *c, size_t n);

/* Appends what `from` holds to `to`, by reference. */
void gate_chain_share(struct gate_chain *to, const struct gate_chain *from);

/* First slice, borrowed; false when empty. */
bool gate_chain_front(const struct gate_chain *c, struct gate_slice *out);

/* Fills at most `max` iovecs from the front, up to the first slice in a pipe; returns how many. */
struct iovec;
int gate_chain_iov(const struct gate_chain *c, struct iovec *iov, int max);

/* Copies all bytes to `to` (room for c->bytes). None may be in a pipe. */
void gate_chain_read(const struct gate_chain *c, char *to);

#endif
