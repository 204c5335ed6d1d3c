#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/poison.h"

/* Bytes of a slab page, unless its objects are so large that fewer than four would fit. */
#define PAGE_BYTES (16u * 1024)
#define PAGE_MIN_OBJECTS 4u
#define SLAB_ALIGN 16u

static _Noreturn void out_of_memory(size_t n)
{
    fprintf(stderr, "moongate: out of memory (%zu bytes wanted)\n", n);
    fflush(stderr);
    abort();
}

void *gate_alloc(size_t n)
{
    void *p = malloc(n == 0 ? 1 : n);

    if (GATE_UNLIKELY(p == NULL))
        out_of_memory(n);
    return p;
}

void *gate_calloc(size_t count, size_t n)
{
    void *p = calloc(count, n); /* glibc's answers 0 bytes with a pointer, too */

    if (GATE_UNLIKELY(p == NULL))
        out_of_memory(n);
    return p;
}

void *gate_calloc_lines(size_t n)
{
    size_t whole = (n + GATE_CACHE_LINE - 1) & ~(size_t)(GATE_CACHE_LINE - 1);
    void *p = aligned_alloc(GATE_CACHE_LINE, whole == 0 ? GATE_CACHE_LINE : whole);

    if (GATE_UNLIKELY(p == NULL))
        out_of_memory(n);
    return memset(p, 0, whole);
}

void *gate_realloc(void *p, size_t n)
{
    void *q = realloc(p, n == 0 ? 1 : n);

    if (GATE_UNLIKELY(q == NULL))
        out_of_memory(n);
    return q;
}

char *gate_strdup(const char *s)
{
    return gate_strndup(s, strlen(s));
}

char *gate_strndup(const char *s, size_t n)
{
    size_t len = n == 0 ? 0 : strnlen(s, n);
    char *copy = gate_alloc(len + 1);

    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *gate_memdup(const char *p, size_t n)
{
    char *copy = gate_alloc(n + 1);

    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

void *gate_try_alloc(size_t n)
{
    return malloc(n == 0 ? 1 : n);
}

void gate_free(void *p)
{
    free(p);
}

/* Head of a page; its objects follow. 16 bytes, so that they stay aligned. */
struct slab_page {
    struct slab_page *next;
    uint64_t unused;
};

/* What a free object holds in its first bytes. */
struct slab_free {
    struct slab_free *next;
    uint64_t mark;      /* FREE_MARK in debug builds: a second give is caught */
};

#define FREE_MARK 0x66726565736c6162ull

_Static_assert(sizeof(struct slab_page) == SLAB_ALIGN, "slab objects lose their alignment");
_Static_assert(sizeof(struct slab_free) <= SLAB_ALIGN, "a free object must fit the smallest");

void gate_slab_init(struct gate_slab *s, const char *name, size_t size)
{
    size_t fit;

    GATE_ASSERT(size > 0);
    size = (size + SLAB_ALIGN - 1) & ~(size_t)(SLAB_ALIGN - 1);
    fit = (PAGE_BYTES - sizeof(struct slab_page)) / size;
    *s = (struct gate_slab){
        .size = size,
        .per_page = fit < PAGE_MIN_OBJECTS ? PAGE_MIN_OBJECTS : fit,
        .name = name,
    };
}

void gate_slab_fini(struct gate_slab *s)
{
    struct slab_page *page = s->pages;

    if (s->in_use != 0)
        fprintf(stderr, "moongate: slab %s: %zu objects were not given back\n", s->name, s->in_use);
    GATE_ASSERT(s->in_use == 0);
    while (page != NULL) {
        struct slab_page *next = page->next;

        GATE_UNPOISON(page + 1, s->size * s->per_page);
        gate_free(page);
        page = next;
    }
    s->pages = NULL;
    s->free_list = NULL;
}

static void put_free(struct gate_slab *s, void *object)
{
    struct slab_free *f = object;

    f->next = s->free_list;
#ifdef GATE_DEBUG
    f->mark = FREE_MARK;
#endif
    s->free_list = f;
    GATE_POISON(object, s->size);
}

static __attribute__((noinline)) void add_page(struct gate_slab *s)
{
    struct slab_page *page = gate_alloc(sizeof(*page) + s->size * s->per_page);
    char *objects = (char *)(page + 1);

    page->next = s->pages;
    s->pages = page;
    /* From the end, so that objects are taken in rising order. */
    for (size_t i = s->per_page; i-- > 0;)
        put_free(s, objects + i * s->size);
}

void *gate_slab_take(struct gate_slab *s)
{
    struct slab_free *f;

    if (GATE_UNLIKELY(s->free_list == NULL))
        add_page(s);
    f = s->free_list;
    GATE_UNPOISON(f, s->size);
    s->free_list = f->next;
    s->in_use++;
#ifdef GATE_DEBUG
    f->mark = 0;
#endif
    return f;
}

void gate_slab_give(struct gate_slab *s, void *object)
{
    GATE_ASSERT(object != NULL && s->in_use > 0);
    GATE_DEBUG_ASSERT(!GATE_POISONED(object));
#ifdef GATE_DEBUG
    GATE_ASSERT(((struct slab_free *)object)->mark != FREE_MARK);
    /* Whoever still reads the object meets nonsense, not the old values. */
    memset(object, 0x5a, s->size);
#endif
    s->in_use--;
    put_free(s, object);
}
