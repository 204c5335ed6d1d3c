/* Arenas: memory that dies with its exchange or attempt. One thread; pages come from a pool. */
#ifndef GATE_BASE_ARENA_H
#define GATE_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct gate_arena_page;
struct gate_chunk_pool;

struct gate_chunk_span;

/* Free pages of arenas, owned by a worker's reactor; keeps a warm worker away from malloc. Their
 * memory is mapped in spans; hot pages were used a moment ago, cold ones have no memory behind them
 * (gate_chunk_pool_trim). */
struct gate_chunk_pool {
    struct gate_arena_page *hot;
    struct gate_arena_page *cold;
    struct gate_chunk_span *spans;
    struct gate_slab headers;
    uint32_t n_hot;
    uint32_t low; /* fewest hot pages since the last trim: what nobody needed */
    size_t live;
};

void gate_chunk_pool_init(struct gate_chunk_pool *pool);
void gate_chunk_pool_fini(struct gate_chunk_pool *pool);

/* Bytes of free pages that have memory behind them. */
size_t gate_chunk_pool_hot(const struct gate_chunk_pool *pool);

/* Takes the memory from free pages that were not needed since the last call, a bounded number of
 * them. */
void gate_chunk_pool_trim(struct gate_chunk_pool *pool);

/* Embedded in its owner. The first page is taken at the first allocation. */
struct gate_arena {
    struct gate_chunk_pool *pool; /* NULL: plain malloc (configuration, tests) */
    struct gate_arena_page *pages;
    char *at;
    char *end;
    struct gate_arena_note *notes;
    size_t bytes; /* handed out */
};

void gate_arena_init(struct gate_arena *a, struct gate_chunk_pool *pool);

/* Runs the notes in reverse order, then gives all pages back. The arena can be used again. */
void gate_arena_clear(struct gate_arena *a);

/* What lies in `from` lives as long as `a` from now on; both have the same pool. `from` is empty
 * afterwards. */
void gate_arena_adopt(struct gate_arena *a, struct gate_arena *from);

/* 16-byte aligned; aborts when the system has no memory. Larger than a page: a page of its own. */
void *gate_arena_alloc(struct gate_arena *a, size_t n);
void *gate_arena_zalloc(struct gate_arena *a, size_t n);
struct gate_str gate_arena_copy(struct gate_arena *a, struct gate_str s);

/* A NUL-terminated copy. */
char *gate_arena_cstr(struct gate_arena *a, struct gate_str s);

/* `fn(arg)` runs when the arena is cleared: releases what the arena's objects hold elsewhere. */
void gate_arena_on_clear(struct gate_arena *a, void (*fn)(void *arg), void *arg);

#endif
