#include "script/heap_int.h"

#include <string.h>

#include "base/assert.h"
#include "script/stack_int.h"
#include "script/watch_int.h"

/* What may be taken above the cap before the hook has its turn. Stacks of coroutines grow in pieces
 * of up to half a MiB. */
#define SLACK       (2u * 1024 * 1024)
#define SLACK_PIECE (1u * 1024 * 1024)

/* What does not fit a page comes in runs of this. */
#define RUN_UNIT 4096u

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
    if (gate_heap_used(h) <= h->cap || (h->on_full != NULL && h->on_full(h, L)))
        return;
    if (h->watch != NULL)
        gate_watch_note_stack(h->watch, L);
    lua_pushliteral(L, "not enough memory");
    lua_error(L);
}

/* A large piece is given above the cap only when somebody else may have to make room for it. */
static bool is_lent(struct gate_heap *h, uint64_t used)
{
    return h->on_full != NULL && gate_heap_may_lend(h, used) && h->on_full(h, NULL);
}

/* A piece that does not fit: given all the same when it is small, and the hook is armed. */
static bool is_given(struct gate_heap *h, uint64_t used, size_t n)
{
    h->refused = true;
    if (n > h->piece)
        return false;
    if ((n > SLACK_PIECE || used > h->cap + SLACK) && !is_lent(h, used))
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
    uint64_t used = gate_heap_used(h) + n;

    atomic_store_explicit(&h->used, used, memory_order_relaxed);
    if (GATE_UNLIKELY(used > h->stale_at) && !h->stale)
        gate_heap_grown(h);
}

static void sub_used(struct gate_heap *h, uint64_t n)
{
    atomic_store_explicit(&h->used, gate_heap_used(h) - n, memory_order_relaxed);
}

/* What is rare is kept out of line: the rest needs no stack. */
static __attribute__((noinline)) void *take_small_slow(struct gate_heap *h, uint32_t cls)
{
    void *p = gate_pages_take(&h->pages, cls);

    if (p != NULL)
        return p;
    if (!may_take(h, GATE_PAGE_SIZE, GATE_PAGE_SIZE) || !gate_pages_grow(&h->pages, cls))
        return NULL;
    add_used(h, GATE_PAGE_SIZE);
    return gate_pages_take(&h->pages, cls);
}

static inline void *take_small(struct gate_heap *h, size_t n)
{
    void *p = gate_pages_take_first(&h->pages, gate_pages_small_class(n));

    return GATE_LIKELY(p != NULL) ? p : take_small_slow(h, gate_pages_small_class(n));
}

static __attribute__((noinline)) void settle_page(struct gate_heap *h, struct gate_page *page)
{
    uint32_t before = h->pages.pages;

    gate_pages_settle(&h->pages, page);
    if (h->pages.pages != before)
        sub_used(h, GATE_PAGE_SIZE);
}

static inline void give_block(struct gate_heap *h, void *p)
{
    struct gate_page *page = gate_page_of(p);

    if (GATE_UNLIKELY(gate_page_give(page, p)))
        settle_page(h, page);
}

static void *take_run(struct gate_heap *h, size_t n)
{
    size_t room = gate_regions_room(&h->runs, n);
    void *p = may_take(h, room, n) ? gate_regions_take(&h->runs, n) : NULL;

    if (p != NULL)
        add_used(h, room);
    return p;
}

static __attribute__((noinline)) void give_run(struct gate_heap *h, void *p, size_t n)
{
    gate_regions_give(&h->runs, p, n);
    sub_used(h, gate_regions_room(&h->runs, n));
}

/* More than a small block. */
static __attribute__((noinline)) void *take_more(struct gate_heap *h, size_t n)
{
    return n <= GATE_PAGES_LARGEST ? take_small_slow(h, gate_pages_class(n)) : take_run(h, n);
}

static inline void *take(struct gate_heap *h, size_t n)
{
    h->taken += n;
    return GATE_LIKELY(n <= GATE_PAGES_SMALL) ? take_small(h, n) : take_more(h, n);
}

static inline void give(struct gate_heap *h, void *p, size_t n)
{
    if (GATE_LIKELY(n <= GATE_PAGES_LARGEST))
        give_block(h, p);
    else
        give_run(h, p, n);
}

static void *resize_run(struct gate_heap *h, void *p, size_t old, size_t n)
{
    size_t had = gate_regions_room(&h->runs, old), room = gate_regions_room(&h->runs, n);

    if (room > had && !may_take(h, room - had, n))
        return NULL;
    p = gate_regions_resize(&h->runs, p, old, n);
    if (p == NULL)
        return NULL;
    if (room > had) {
        h->taken += room - had;
        add_used(h, room - had);
    } else {
        sub_used(h, had - room);
    }
    return p;
}

static __attribute__((noinline)) void *resize(struct gate_heap *h, void *p, size_t old, size_t n)
{
    void *to;

    if (old > GATE_PAGES_LARGEST && n > GATE_PAGES_LARGEST)
        return resize_run(h, p, old, n);
    if (old <= GATE_PAGES_LARGEST && n <= GATE_PAGES_LARGEST &&
        gate_page_of(p)->cls == gate_pages_class(n))
        return p;
    to = take(h, n);
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
    return p != NULL ? resize(h, p, old, n) : take(h, n);
}

/* Outside lua_resume nothing catches an error: only the system's own memory can have come to its
 * end. */
static int on_panic(lua_State *L)
{
    (void)L;
    gate_assert_fail("Lua outside of a call has memory", __FILE__, __LINE__);
}

bool gate_heap_open(struct gate_heap *h, uint64_t cap)
{
    memset(h, 0, sizeof(*h));
    gate_pages_init(&h->pages);
    gate_regions_init(&h->runs, RUN_UNIT);
    atomic_init(&h->used, 0);
    h->stale_at = UINT64_MAX; /* until the first collection */
    h->unpinned = UINT64_MAX; /* until gate_heap_collect */
    gate_heap_release(h);
    h->L = lua_newstate(heap_alloc, h);
    if (h->L == NULL) {
        gate_pages_fini(&h->pages);
        gate_regions_fini(&h->runs);
        return false;
    }
    lua_atpanic(h->L, on_panic);
    gate_heap_set_cap(h, cap);
    return true;
}

void gate_heap_close(struct gate_heap *h)
{
    h->on_stale = NULL;
    h->on_full = NULL;
    lua_close(h->L);
    GATE_ASSERT(gate_heap_used(h) == h->pages.pages * (uint64_t)GATE_PAGE_SIZE);
    gate_pages_fini(&h->pages);
    gate_regions_fini(&h->runs);
    atomic_store_explicit(&h->used, 0, memory_order_relaxed);
}
