#include "base/arena.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/poison.h"

/* Most exchanges live in one or two pages. */
#define PAGE_BYTES 4096u
#define ALIGN 16u

/* Under AddressSanitizer a poisoned gap behind each object catches overruns. */
#ifdef GATE_WITH_ASAN
#define GAP 16u
#else
#define GAP 0u
#endif

#define SPAN_BYTES (256u * 1024)

/* Pages that one trim gives back at most: each is a system call. */
#define TRIM_MAX 512

struct gate_arena_page {
    struct gate_arena_page *next;
    char *mem;
    size_t room;        /* bytes at mem */
    bool pooled;        /* else mem follows this head */
} __attribute__((aligned(ALIGN)));

struct gate_chunk_span {
    struct gate_chunk_span *next;
    char *base;
};

struct gate_arena_note {
    struct gate_arena_note *next;
    void (*fn)(void *arg);
    void *arg;
};

void gate_chunk_pool_init(struct gate_chunk_pool *pool)
{
    *pool = (struct gate_chunk_pool){ 0 };
    gate_slab_init(&pool->headers, "arena pages", sizeof(struct gate_arena_page));
}

static void free_headers(struct gate_chunk_pool *pool, struct gate_arena_page *page)
{
    while (page != NULL) {
        struct gate_arena_page *next = page->next;

        gate_slab_give(&pool->headers, page);
        page = next;
    }
}

void gate_chunk_pool_fini(struct gate_chunk_pool *pool)
{
    GATE_ASSERT(pool->live == 0);
    free_headers(pool, pool->hot);
    free_headers(pool, pool->cold);
    gate_slab_fini(&pool->headers);
    while (pool->spans != NULL) {
        struct gate_chunk_span *span = pool->spans;

        pool->spans = span->next;
        GATE_UNPOISON(span->base, SPAN_BYTES);
        munmap(span->base, SPAN_BYTES);
        gate_free(span);
    }
    gate_chunk_pool_init(pool);
}

size_t gate_chunk_pool_hot(const struct gate_chunk_pool *pool)
{
    return (size_t)pool->n_hot * PAGE_BYTES;
}

/* Maps a span and cuts it into cold pages; like any small allocation it does not fail. */
static void grow(struct gate_chunk_pool *pool)
{
    struct gate_chunk_span *span = gate_alloc(sizeof(*span));

    span->base =
        mmap(NULL, SPAN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    GATE_ASSERT(span->base != MAP_FAILED);
    span->next = pool->spans;
    pool->spans = span;
    for (size_t at = 0; at < SPAN_BYTES; at += PAGE_BYTES) {
        struct gate_arena_page *page = gate_slab_take(&pool->headers);

        page->mem = span->base + at;
        page->room = PAGE_BYTES;
        page->pooled = true;
        page->next = pool->cold;
        pool->cold = page;
    }
    GATE_POISON(span->base, SPAN_BYTES);
}

static struct gate_arena_page *new_page(size_t room)
{
    struct gate_arena_page *page = gate_alloc(sizeof(*page) + room);

    page->mem = (char *)(page + 1);
    page->room = room;
    page->pooled = false;
    GATE_POISON(page->mem, room);
    return page;
}

static struct gate_arena_page *take_page(struct gate_chunk_pool *pool)
{
    struct gate_arena_page *page;

    if (pool == NULL)
        return new_page(PAGE_BYTES);
    pool->live++;
    page = pool->hot;
    if (page != NULL) {
        pool->hot = page->next;
        pool->n_hot--;
        if (pool->n_hot < pool->low)
            pool->low = pool->n_hot;
        return page;
    }
    if (pool->cold == NULL)
        grow(pool);
    page = pool->cold;
    pool->cold = page->next;
    return page;
}

static void give_page(struct gate_chunk_pool *pool, struct gate_arena_page *page)
{
    if (!page->pooled) {
        GATE_UNPOISON(page->mem, page->room);
        gate_free(page);
        return;
    }
    pool->live--;
    GATE_POISON(page->mem, page->room);
    page->next = pool->hot;
    pool->hot = page;
    pool->n_hot++;
}

/* The pages at the end of the hot list are those that were used the longest ago. */
void gate_chunk_pool_trim(struct gate_chunk_pool *pool)
{
    uint32_t n = pool->low < TRIM_MAX ? pool->low : TRIM_MAX;
    struct gate_arena_page **at = &pool->hot;

    for (uint32_t i = n; i < pool->n_hot; i++)
        at = &(*at)->next;
    while (*at != NULL) {
        struct gate_arena_page *page = *at;

        *at = page->next;
        madvise(page->mem, page->room, MADV_DONTNEED);
        page->next = pool->cold;
        pool->cold = page;
        pool->n_hot--;
    }
    pool->low = pool->n_hot;
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

/* Its pages go behind the current one, which stays in use. */
static void adopt_pages(struct gate_arena *a, struct gate_arena *from)
{
    struct gate_arena_page *last = from->pages;

    if (a->pages == NULL) {
        a->pages = from->pages;
        a->at = from->at;
        a->end = from->end;
        return;
    }
    while (last->next != NULL)
        last = last->next;
    last->next = a->pages->next;
    a->pages->next = from->pages;
}

/* Notes of `from` run before those that `a` has. */
static void adopt_notes(struct gate_arena *a, struct gate_arena *from)
{
    struct gate_arena_note *last = from->notes;

    while (last->next != NULL)
        last = last->next;
    last->next = a->notes;
    a->notes = from->notes;
}

void gate_arena_adopt(struct gate_arena *a, struct gate_arena *from)
{
    GATE_ASSERT(a->pool == from->pool);
    if (from->pages != NULL)
        adopt_pages(a, from);
    if (from->notes != NULL)
        adopt_notes(a, from);
    a->bytes += from->bytes;
    gate_arena_init(from, from->pool);
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
    return page->mem;
}

static __attribute__((noinline)) void *alloc_slow(struct gate_arena *a, size_t n)
{
    struct gate_arena_page *page;

    if (n > PAGE_BYTES)
        return alloc_large(a, n);
    page = take_page(a->pool);
    page->next = a->pages;
    a->pages = page;
    a->at = page->mem + n;
    a->end = page->mem + PAGE_BYTES;
    return page->mem;
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
