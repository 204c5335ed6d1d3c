/* Heap: the memory of one Lua state, counted and capped. Small blocks come from pages of its own,
 * others from malloc. One thread at a time; `used` is read by anybody. */
#ifndef GATE_SCRIPT_HEAP_INT_H
#define GATE_SCRIPT_HEAP_INT_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "script/pages_int.h"

struct gate_watch;

/* The cap holds only inside lua_resume: anywhere else an allocation that fails ends the process. It
 * is soft: small pieces are given out above it too, and a hook raises "not enough memory" at the
 * next instruction, where LuaJIT can take an error (the exit of a compiled trace cannot). Large
 * pieces are refused at once, which is an error of the call that wants one. */
struct gate_heap {
    lua_State *L;
    struct gate_pages pages;
    _Atomic uint64_t used; /* bytes of pages and of large blocks */
    uint64_t limit;        /* the cap while it holds, else no limit */
    size_t piece;          /* the largest piece while the cap holds, else no limit */
    uint64_t cap;
    uint64_t half;    /* above it the collector hurries */
    uint64_t full_at; /* above it a call is preceded by a collection */
    /* one piece may not be larger: work inside one C call is bounded by it */
    size_t largest;
    struct gate_watch *watch; /* of the thread that the state is bound to; NULL: none */
    bool refused;             /* the cap was met since it began to hold */
    uint64_t after_full;      /* used after the last full collection that settle made */
    /* calls to wait for the next one, when the last did not help; and how many went by */
    uint32_t patience;
    uint32_t waited;
    bool tight; /* the collector runs in short steps because memory is scarce */
};

/* Makes a Lua state, h->L. */
void gate_heap_open(struct gate_heap *h, uint64_t cap);
void gate_heap_set_cap(struct gate_heap *h, uint64_t cap);

/* Closes the state. */
void gate_heap_close(struct gate_heap *h);

static inline void gate_heap_enforce(struct gate_heap *h)
{
    h->limit = h->cap;
    h->piece = h->largest;
    h->refused = false;
}

static inline void gate_heap_release(struct gate_heap *h)
{
    h->limit = UINT64_MAX;
    h->piece = SIZE_MAX;
}

/* Before a call into Lua: sets the collector's pace by how full the heap is; above four fifths a
 * full collection, so that the call does not fail for what others left behind. While those do not
 * help they become rare. */
void gate_heap_settle(struct gate_heap *h);

static inline uint64_t gate_heap_used(const struct gate_heap *h)
{
    return atomic_load_explicit(&h->used, memory_order_relaxed);
}

static inline bool gate_heap_full(const struct gate_heap *h)
{
    return gate_heap_used(h) > h->full_at;
}

/* The cheap half of settle, for the hot path. */
static inline bool gate_heap_unsettled(const struct gate_heap *h)
{
    return (gate_heap_used(h) > h->half) != h->tight || gate_heap_full(h);
}

#endif
