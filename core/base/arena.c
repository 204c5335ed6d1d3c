#include "base/arena.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/poison_int.h"

/* Pages are 4 KiB with their head: most exchanges live in one or two. */
#define PAGE_BYTES 4096u
#define ALIGN 16u

/* Under AddressSanitizer a poisoned gap behind each object catches overruns. */
#ifdef GATE_WITH_ASAN
#define GAP 16u
#else
#define GAP 0u
#endif

/* Free pages beyond these (8 MiB) go back to the system. */
#define KEEP_PAGES 2048u

struct gate_arena_page {
    struct gate_arena_page *next;
    size_t room;        /* bytes behind this head; other than PAGE_ROOM: a page of its own */
};

#define PAGE_ROOM (PAGE_BYTES - sizeof(struct gate_arena_page))

_Static_assert(sizeof(struct gate_arena_page) % ALIGN == 0, "arena memory loses its alignment");

struct gate_arena_note {
    struct gate_arena_note *next;
    void (*fn)(void *arg);
    void *arg;
};

void gate_chunk_pool_init(struct gate_chunk_pool *pool)
{
    *pool = (struct gate_chunk_pool){ 0 };
}

static void free_page(struct gate_arena_page *page)
{
    GATE_UNPOISON(page + 1, page->room);
    gate_free(page);
}

void gate_chunk_pool_fini(struct gate_chunk_pool *pool)
{
    struct gate_arena_page *page = pool->free_pages;

    GATE_ASSERT(pool->live == 0);
    while (page != NULL) {
        struct gate_arena_page *next = page->next;

        free_page(page);
        page = next;
    }
    gate_chunk_pool_init(pool);
}

static struct gate_arena_page *new_page(size_t room)
{
    struct gate_arena_page *page = gate_alloc(sizeof(*page) + room);

    page->room = room;
    GATE_POISON(page + 1, room);
    return page;
}

static struct gate_arena_page *take_page(struct gate_chunk_pool *pool)
{
    struct gate_arena_page *page;

    if (pool == NULL)
        return new_page(PAGE_ROOM);
    pool->live++;
    page = pool->free_pages;
    if (page == NULL)
        return new_page(PAGE_ROOM);
    pool->free_pages = page->next;
    pool->free_count--;
    return page;
}

static void give_page(struct gate_chunk_pool *pool, struct gate_arena_page *page)
{
    if (pool == NULL || page->room != PAGE_ROOM) {
        free_page(page);
        return;
    }
    pool->live--;
    if (pool->free_count >= KEEP_PAGES) {
        free_page(page);
        return;
    }
    GATE_POISON(page + 1, page->room);
    page->next = pool->free_pages;
    pool->free_pages = page;
    pool->free_count++;
}

void gate_arena_init(struct gate_arena *a, struct gate_chunk_pool *pool)
{
    *a = (struct gate_arena){ .pool = pool };
}

void gate_arena_clear(struct gate_arena *a)
{
    /* A note may still allocate or add notes; those run too. */
    while (a->notes != NULL) {
        struct gate_arena_note *note = a->notes;

        a->notes = note->next;
        note->fn(note->arg);
    }
    while (a->pages != NULL) {
        struct gate_arena_page *page = a->pages;

        a->pages = page->next;
        give_page(a->pool, page);
    }
    a->at = a->end = NULL;
    a->bytes = 0;
}

/* A page of its own goes behind the current one, which stays in use. */
static void *alloc_large(struct gate_arena *a, size_t n)
{
    struct gate_arena_page *page = new_page(n);

    if (a->pages == NULL) {
        page->next = NULL;
        a->pages = page;
    } else {
        page->next = a->pages->next;
        a->pages->next = page;
    }
    return page + 1;
}

static __attribute__((noinline)) void *alloc_slow(struct gate_arena *a, size_t n)
{
    struct gate_arena_page *page;

    if (n > PAGE_ROOM)
        return alloc_large(a, n);
    page = take_page(a->pool);
    page->next = a->pages;
    a->pages = page;
    a->at = (char *)(page + 1) + n;
    a->end = (char *)(page + 1) + PAGE_ROOM;
    return page + 1;
}

void *gate_arena_alloc(struct gate_arena *a, size_t n)
{
    size_t room = (n + GAP + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    void *p;

    GATE_ASSERT(room >= n);
    if (GATE_UNLIKELY(room == 0))
        room = ALIGN;
    if (GATE_LIKELY(room <= (size_t)(a->end - a->at))) {
        p = a->at;
        a->at += room;
    } else {
        p = alloc_slow(a, room);
    }
    a->bytes += n;
    GATE_UNPOISON(p, n);
    return p;
}

void *gate_arena_zalloc(struct gate_arena *a, size_t n)
{
    return memset(gate_arena_alloc(a, n), 0, n);
}

struct gate_str gate_arena_copy(struct gate_arena *a, struct gate_str s)
{
    char *p;

    if (s.n == 0)
        return gate_str_of("", 0);
    p = gate_arena_alloc(a, s.n);
    memcpy(p, s.p, s.n);
    return gate_str_of(p, s.n);
}

char *gate_arena_cstr(struct gate_arena *a, struct gate_str s)
{
    char *p = gate_arena_alloc(a, s.n + 1);

    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

void gate_arena_on_clear(struct gate_arena *a, void (*fn)(void *arg), void *arg)
{
    struct gate_arena_note *note = gate_arena_alloc(a, sizeof(*note));

    *note = (struct gate_arena_note){ a->notes, fn, arg };
    a->notes = note;
}
