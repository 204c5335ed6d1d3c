/* Heap: the memory of one Lua state, counted and capped, from the kernel and back to it. One thread
 * at a time; `used` is read by anybody. */
#ifndef GATE_SCRIPT_HEAP_INT_H
#define GATE_SCRIPT_HEAP_INT_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "script/pages_int.h"
#include "script/regions_int.h"

/* One piece may have a quarter of the cap, but this at least. */
#define GATE_HEAP_PIECE (16u * 1024 * 1024)

struct gate_watch;

/* The cap holds only inside lua_resume: anywhere else an allocation that fails ends the process. It
 * is soft: small pieces are given out above it too, and a hook raises "not enough memory" at the
 * next instruction, where LuaJIT can take an error (the exit of a compiled trace cannot). Large
 * pieces are refused at once, which is an error of the call that wants one. */
struct gate_heap {
    lua_State *L;
    struct gate_pages pages;
    struct gate_regions runs; /* of what is too large for pages */
    _Atomic uint64_t used;    /* bytes of pages and of runs */
    uint64_t limit;           /* the cap while it holds, else no limit */
    size_t piece;             /* the largest piece while the cap holds, else no limit */
    uint64_t cap;             /* as declared, or more while garbage is cleared */
    /* one piece may not be larger: work inside one C call is bounded by it */
    size_t largest;
    struct gate_watch *watch; /* of the thread that the state is bound to; NULL: none */
    bool refused;             /* the cap was met since it began to hold */
    uint64_t taken;           /* bytes that were ever asked for; only grows, may wrap */
    uint64_t taken_before;    /* when the cap began to hold */
    /* The cap is met inside a call: whether that may go on, because another one will end or garbage
     * will go (gate_heap_lend). L is where it runs; NULL: inside an allocation, where Lua must not
     * be touched; then, whether it may be asked again at the next instruction. NULL: never. */
    bool (*on_full)(struct gate_heap *h, lua_State *L);
    /* What heap_garbage.c keeps. */
    uint64_t declared;             /* the cap */
    uint64_t calm_from, calm_span; /* settle has nothing to do while `used` is there */
    uint64_t after;                /* used when the last collection ended */
    uint64_t kept;                 /* and of that, what had been there when its last round began */
    uint64_t unpinned;             /* kept when compiled code was last let go; see collected */
    uint64_t stale_at;             /* above it, an idle state would keep much garbage */
    uint64_t after_round;          /* and that of one of its rounds, while it is run in slices */
    uint64_t round_from;           /* `taken` when its last round began */
    uint32_t rounds;
    uint32_t crowded; /* collections in a row that kept over nine tenths of the cap */
    /* calls to wait until the next try, when the last did not help; and how many went by */
    uint32_t patience;
    uint32_t waited;
    bool stale;    /* `used` has come above stale_at */
    bool aged;     /* and was there at the last visit */
    bool clearing; /* the collector runs in slices */
    bool unpinning; /* compiled code was let go: the collection that follows tells what that gave */
    bool clear;    /* it has just run: all idle memory may go */
    /* gate_heap_visit has to be called: soon when `clearing`, else in a second. May be called
     * inside an allocation. NULL: nobody will. */
    void (*on_stale)(struct gate_heap *h);
};

/* Makes a Lua state, h->L. False: the system has no memory for one, and nothing is open. */
bool gate_heap_open(struct gate_heap *h, uint64_t cap);
void gate_heap_set_cap(struct gate_heap *h, uint64_t cap);

/* Closes the state. */
void gate_heap_close(struct gate_heap *h);

static inline void gate_heap_enforce(struct gate_heap *h)
{
    h->limit = h->cap;
    h->piece = h->largest;
    h->refused = false;
    h->taken_before = h->taken;
}

static inline void gate_heap_release(struct gate_heap *h)
{
    h->limit = UINT64_MAX;
    h->piece = SIZE_MAX;
}

/* After a release inside a call: holds again. */
static inline void gate_heap_resume(struct gate_heap *h)
{
    h->limit = h->cap;
    h->piece = h->largest;
}

/* Bytes that were asked for in this call. */
static inline uint64_t gate_heap_taken(const struct gate_heap *h)
{
    return h->taken - h->taken_before;
}

static inline uint64_t gate_heap_used(const struct gate_heap *h)
{
    return atomic_load_explicit(&h->used, memory_order_relaxed);
}

/* Garbage. A call that is stopped may leave as much as the cap allows, and the collector of Lua
 * runs only while somebody allocates. So it is run in slices between events, each short, and the
 * cap is a quarter higher meanwhile, so that no call is refused memory for what others left. */

/* The cheap half of settle, for the hot path. */
static inline bool gate_heap_unsettled(const struct gate_heap *h)
{
    return gate_heap_used(h) - h->calm_from > h->calm_span;
}

/* Before a call into Lua: sets the collector's pace by how full the heap is. Above four fifths of
 * the cap garbage is to be cleared; while that does not help it becomes rare. */
void gate_heap_settle(struct gate_heap *h);

/* Inside an allocation: `used` has come above stale_at. */
void gate_heap_grown(struct gate_heap *h);

/* After a call that was stopped: if it left much, that is to be cleared now. */
void gate_heap_disturbed(struct gate_heap *h);

/* Inside a call that has met the cap: has garbage cleared, so that there is a quarter more. False:
 * that is used up too. */
bool gate_heap_lend(struct gate_heap *h);

/* Whether `used` bytes may be lent at all. */
bool gate_heap_may_lend(const struct gate_heap *h, uint64_t used);

/* The last collection left it full: what takes the room is in use. */
bool gate_heap_packed(const struct gate_heap *h);

/* The most that a heap may keep in use for long. */
static inline uint64_t gate_heap_crowded_at(const struct gate_heap *h)
{
    return h->declared / 10 * 9;
}

/* Has all garbage collected, in slices; what has been marked of it before does not count. */
void gate_heap_reclaim(struct gate_heap *h);

/* A slice of the collector, or some memory back to the kernel; a millisecond at most, unless one
 * object is huge. */
enum gate_heap_visit {
    GATE_HEAP_DONE,  /* nothing is left to do, until on_stale */
    GATE_HEAP_LATER, /* again in a second */
    GATE_HEAP_SOON   /* again at once, when others have had their turn */
};
enum gate_heap_visit gate_heap_visit(struct gate_heap *h);

/* All at once, where nobody waits. */
void gate_heap_collect(struct gate_heap *h);

#endif
