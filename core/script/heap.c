#include "script/heap_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "script/stack_int.h"
#include "script/watch_int.h"

#define LARGEST_AT_LEAST (16u * 1024 * 1024)
/* What may be taken above the cap before the hook has its turn. Stacks of coroutines grow in pieces
 * of up to half a MiB. */
#define SLACK       (2u * 1024 * 1024)
#define SLACK_PIECE (1u * 1024 * 1024)

/* Calls between two full collections of a heap that is full of what is in use. */
#define PATIENCE_MAX 1023

/* When the collector begins its next round, in percent of what was in use after the last: late
 * while there is plenty, soon when memory is scarce. */
#define PAUSE_ROOMY 200
#define PAUSE_TIGHT 115

/* Runs after each instruction of a script that is over the cap. Deep in the slack it stays armed,
 * so that no pcall can go on there. */
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

/* Whether n more bytes may be taken; `piece` is the whole block they belong to. */
static bool may_take(struct gate_heap *h, size_t n, size_t piece)
{
    uint64_t used = gate_heap_used(h) + n;

    return (used <= h->limit && piece <= h->piece) || is_given(h, used, piece);
}

static void add_used(struct gate_heap *h, uint64_t n)
{
    atomic_store_explicit(&h->used, gate_heap_used(h) + n, memory_order_relaxed);
}

/* What is rare is kept out of line: the rest needs no stack. */
static __attribute__((noinline)) void *take_small_slow(struct gate_heap *h, uint32_t cls)
{
    uint32_t before = h->pages.pages;
    void *p = gate_pages_take(&h->pages, cls);

    if (p != NULL)
        return p;
    if (!may_take(h, GATE_PAGE_SIZE, GATE_PAGE_SIZE) || !gate_pages_grow(&h->pages, cls))
        return NULL;
    add_used(h, (h->pages.pages - before) * (uint64_t)GATE_PAGE_SIZE);
    return gate_pages_take(&h->pages, cls);
}

static inline void *take_small(struct gate_heap *h, size_t n)
{
    void *p = gate_pages_take_first(&h->pages, gate_pages_class(n));

    return GATE_LIKELY(p != NULL) ? p : take_small_slow(h, gate_pages_class(n));
}

static __attribute__((noinline)) void settle_page(struct gate_heap *h, struct gate_page *page)
{
    uint32_t before = h->pages.pages;

    gate_pages_settle(&h->pages, page);
    if (h->pages.pages != before)
        add_used(h, -(uint64_t)GATE_PAGE_SIZE);
}

static inline void give_small(struct gate_heap *h, void *p)
{
    struct gate_page *page = gate_page_of(p);

    if (GATE_UNLIKELY(gate_page_give(page, p)))
        settle_page(h, page);
}

static __attribute__((noinline)) void *take_large(struct gate_heap *h, size_t n)
{
    void *p = may_take(h, n, n) ? malloc(n) : NULL;

    if (p != NULL)
        add_used(h, n);
    return p;
}

static __attribute__((noinline)) void give_large(struct gate_heap *h, void *p, size_t n)
{
    free(p);
    add_used(h, -(uint64_t)n);
}

static inline void give(struct gate_heap *h, void *p, size_t n)
{
    if (GATE_LIKELY(n <= GATE_PAGES_LARGEST))
        give_small(h, p);
    else
        give_large(h, p, n);
}

static void *resize_large(struct gate_heap *h, void *p, size_t old, size_t n)
{
    if (n > old && !may_take(h, n - old, n))
        return NULL;
    p = realloc(p, n);
    if (p != NULL)
        add_used(h, (uint64_t)n - old);
    return p;
}

static __attribute__((noinline)) void *resize(struct gate_heap *h, void *p, size_t old, size_t n)
{
    void *to;

    if (old > GATE_PAGES_LARGEST && n > GATE_PAGES_LARGEST)
        return resize_large(h, p, old, n);
    if (old <= GATE_PAGES_LARGEST && n <= GATE_PAGES_LARGEST &&
        gate_pages_class(old) == gate_pages_class(n))
        return p;
    to = n <= GATE_PAGES_LARGEST ? take_small(h, n) : take_large(h, n);
    if (to == NULL)
        return NULL;
    memcpy(to, p, old < n ? old : n);
    give(h, p, old);
    return to;
}

static void *heap_alloc(void *ud, void *p, size_t old, size_t n)
{
    struct gate_heap *h = ud;

    if (n == 0) {
        if (p != NULL)
            give(h, p, old);
        return NULL;
    }
    if (p != NULL)
        return resize(h, p, old, n);
    return GATE_LIKELY(n <= GATE_PAGES_LARGEST) ? take_small(h, n) : take_large(h, n);
}

/* Outside lua_resume nothing catches an error: only the system's own memory can have come to its
 * end. */
static int on_panic(lua_State *L)
{
    (void)L;
    gate_assert_fail("Lua outside of a call has memory", __FILE__, __LINE__);
}

void gate_heap_open(struct gate_heap *h, uint64_t cap)
{
    gate_pages_init(&h->pages);
    h->watch = NULL;
    h->refused = false;
    h->tight = false;
    h->after_full = 0;
    h->patience = 0;
    h->waited = 0;
    atomic_init(&h->used, 0);
    gate_heap_set_cap(h, cap);
    gate_heap_release(h);
    h->L = lua_newstate(heap_alloc, h);
    GATE_ASSERT(h->L != NULL);
    lua_atpanic(h->L, on_panic);
}

void gate_heap_set_cap(struct gate_heap *h, uint64_t cap)
{
    h->cap = cap;
    h->half = cap / 2;
    h->full_at = cap / 5 * 4;
    h->largest = cap / 4 > LARGEST_AT_LEAST ? (size_t)(cap / 4) : LARGEST_AT_LEAST;
}

void gate_heap_close(struct gate_heap *h)
{
    lua_close(h->L);
    GATE_ASSERT(gate_heap_used(h) == h->pages.pages * (uint64_t)GATE_PAGE_SIZE);
    gate_pages_fini(&h->pages);
    atomic_store_explicit(&h->used, 0, memory_order_relaxed);
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
    tight = gate_heap_used(h) > h->half;
    if (tight == h->tight)
        return;
    h->tight = tight;
    lua_gc(h->L, LUA_GCSETPAUSE, tight ? PAUSE_TIGHT : PAUSE_ROOMY);
}
