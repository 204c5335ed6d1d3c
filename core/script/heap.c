#include "script/heap_int.h"

#include <stddef.h>

#define LARGEST_AT_LEAST (16u * 1024 * 1024)
#define PAUSE_ROOMY 200
#define PAUSE_TIGHT 115

static bool refuses(const struct gate_heap *h, uint64_t used, size_t old, size_t n)
{
    if (!h->enforced || n <= old)
        return false;
    return n > h->largest || used - old + n > h->cap;
}

static void *heap_alloc(void *ud, void *p, size_t old, size_t n)
{
    struct gate_heap *h = ud;
    uint64_t used = gate_heap_used(h);
    void *to;

    if (refuses(h, used, old, n)) {
        h->refused = true;
        return NULL;
    }
    to = h->inner(h->inner_ud, p, old, n);
    if (to != NULL || n == 0)
        atomic_store_explicit(&h->used, used - old + n, memory_order_relaxed);
    return to;
}

void gate_heap_open(struct gate_heap *h, lua_State *L, uint64_t cap)
{
    h->inner = lua_getallocf(L, &h->inner_ud);
    h->watch = NULL;
    h->enforced = false;
    h->refused = false;
    h->tight = false;
    h->after_full = 0;
    /* What the state took before counting began: lua_gc knows it to the byte. */
    atomic_init(&h->used, (uint64_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 +
                              (uint64_t)lua_gc(L, LUA_GCCOUNTB, 0));
    gate_heap_set_cap(h, cap);
    lua_setallocf(L, heap_alloc, h);
}

void gate_heap_set_cap(struct gate_heap *h, uint64_t cap)
{
    h->cap = cap;
    h->largest = cap / 4 > LARGEST_AT_LEAST ? cap / 4 : LARGEST_AT_LEAST;
}

void gate_heap_close(struct gate_heap *h, lua_State *L)
{
    lua_setallocf(L, h->inner, h->inner_ud);
    lua_close(L);
}

void gate_heap_settle(struct gate_heap *h, lua_State *L)
{
    bool tight;

    if (gate_heap_full(h)) {
        lua_gc(L, LUA_GCCOLLECT, 0);
        h->after_full = gate_heap_used(h);
    }
    tight = gate_heap_used(h) > h->cap / 2;
    if (tight == h->tight)
        return;
    h->tight = tight;
    lua_gc(L, LUA_GCSETPAUSE, tight ? PAUSE_TIGHT : PAUSE_ROOMY);
}
