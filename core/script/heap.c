#include "script/heap_int.h"

#include "base/assert.h"
#include "script/stack_int.h"
#include "script/watch_int.h"

#define LARGEST_AT_LEAST (16u * 1024 * 1024)
/* What may be taken above the cap before the hook has its turn. Stacks of coroutines grow in pieces of up to half a MiB. */
#define SLACK (2u * 1024 * 1024)
#define SLACK_PIECE (1u * 1024 * 1024)

/* Calls between two full collections of a heap that is full of what is in use. */
#define PATIENCE_MAX 1023

/* When the collector begins its next round, in percent of what was in use after the last: late while there is plenty, soon
 * when memory is scarce. */
#define PAUSE_ROOMY 200
#define PAUSE_TIGHT 115

/* Runs after each instruction of a script that is over the cap. Deep in the slack it stays armed, so that no pcall
 * can go on there. */
GATE_LUA_THROWS static void on_over(lua_State *L, lua_Debug *ar)
{
    struct gate_heap *h;
    void *ud;

    (void)ar;
    lua_getallocf(L, &ud);
    h = ud;
    if (gate_heap_used(h) < h->cap + SLACK / 2)
        lua_sethook(L, NULL, 0, 0);
    if (gate_heap_used(h) <= h->cap)
        return;
    if (h->watch != NULL)
        gate_watch_note_stack(h->watch, L);
    lua_pushliteral(L, "not enough memory");
    lua_error(L);
}

/* A piece that does not fit: given all the same when it is small, and the hook is armed. */
static bool is_given(struct gate_heap *h, uint64_t used, size_t n)
{
    h->refused = true;
    if (n > h->piece)
        return false;
    if (n > SLACK_PIECE || used > h->cap + SLACK)
        return false;
    if (lua_gethook(h->L) == NULL)
        lua_sethook(h->L, on_over, LUA_MASKCOUNT, 1);
    return true;
}

static void *heap_alloc(void *ud, void *p, size_t old, size_t n)
{
    struct gate_heap *h = ud;
    uint64_t used = gate_heap_used(h) - old + n;
    void *to;

    if (GATE_UNLIKELY((used > h->limit || n > h->piece) && n > old) && !is_given(h, used, n))
        return NULL;
    to = h->inner(h->inner_ud, p, old, n);
    if (to != NULL || n == 0)
        atomic_store_explicit(&h->used, used, memory_order_relaxed);
    return to;
}

void gate_heap_open(struct gate_heap *h, lua_State *L, uint64_t cap)
{
    h->L = L;
    h->inner = lua_getallocf(L, &h->inner_ud);
    h->watch = NULL;
    h->refused = false;
    h->tight = false;
    h->after_full = 0;
    h->patience = 0;
    h->waited = 0;
    /* What the state took before counting began: lua_gc knows it to the byte. */
    atomic_init(&h->used, (uint64_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 +
                              (uint64_t)lua_gc(L, LUA_GCCOUNTB, 0));
    gate_heap_set_cap(h, cap);
    gate_heap_release(h);
    lua_setallocf(L, heap_alloc, h);
}

void gate_heap_set_cap(struct gate_heap *h, uint64_t cap)
{
    h->cap = cap;
    h->largest = cap / 4 > LARGEST_AT_LEAST ? (size_t)(cap / 4) : LARGEST_AT_LEAST;
}

void gate_heap_close(struct gate_heap *h)
{
    lua_setallocf(h->L, h->inner, h->inner_ud);
    lua_close(h->L);
}

static void collect(struct gate_heap *h)
{
    if (gate_heap_used(h) < h->after_full + h->cap / 32 && h->waited < h->patience) {
        h->waited++;
        return;
    }
    lua_gc(h->L, LUA_GCCOLLECT, 0);
    h->after_full = gate_heap_used(h);
    h->waited = 0;
    if (!gate_heap_full(h))
        h->patience = 0;
    else if (h->patience < PATIENCE_MAX)
        h->patience = h->patience * 2 + 1;
}

void gate_heap_settle(struct gate_heap *h)
{
    bool tight;

    if (gate_heap_full(h))
        collect(h);
    tight = gate_heap_used(h) > h->cap / 2;
    if (tight == h->tight)
        return;
    h->tight = tight;
    lua_gc(h->L, LUA_GCSETPAUSE, tight ? PAUSE_TIGHT : PAUSE_ROOMY);
}
