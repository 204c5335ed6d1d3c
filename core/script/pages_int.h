/* Pages: blocks of one Lua state up to half a page, in pages of equal blocks, so that a Lua object
 * costs a few instructions to make and to free. Pages that fall empty go back to the space that
 * they are from. One thread at a time. */
#ifndef GATE_SCRIPT_PAGES_INT_H
#define GATE_SCRIPT_PAGES_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/poison.h"
#include "script/regions_int.h"

#define GATE_PAGE_SIZE 16384u

/* Small blocks have a class for each step; those beyond, one for each number that fits a page. */
#define GATE_PAGES_STEP    16u
#define GATE_PAGES_SMALL   512u
#define GATE_PAGES_LARGEST 8160u
#define GATE_PAGES_STEPS   (GATE_PAGES_SMALL / GATE_PAGES_STEP + 1)
#define GATE_PAGES_CLASSES (GATE_PAGES_STEPS + 14)

/* At the start of each page, which is aligned to its size. */
struct gate_page {
    struct gate_list node; /* of its class's list while it has room */
    void *free;            /* blocks that were given back; linked through their first word */
    char *fresh;           /* the first block that was never given out */
    uint32_t used;
    uint32_t cls;
    uint32_t size; /* of a block */
    bool full;
};

struct gate_pages {
    struct gate_list room[GATE_PAGES_CLASSES]; /* pages with room, by class */
    struct gate_regions from;
    uint32_t pages; /* in use */
};

void gate_pages_init(struct gate_pages *ps);

/* Gives all pages back. Every block must have been given back. */
void gate_pages_fini(struct gate_pages *ps);

/* The class of a small block, and of any. */
static inline uint32_t gate_pages_small_class(size_t n)
{
    return (uint32_t)((n + GATE_PAGES_STEP - 1) / GATE_PAGES_STEP);
}

uint32_t gate_pages_class(size_t n);

/* The common half of take: a block of the class's first page; NULL: that has none, or there is no
 * page. */
static inline void *gate_pages_take_first(struct gate_pages *ps, uint32_t cls)
{
    struct gate_list *n = ps->room[cls].next;
    struct gate_page *page = gate_container_of(n, struct gate_page, node);
    void *p;

    if (GATE_UNLIKELY(n == &ps->room[cls]))
        return NULL;
    p = page->free;
    if (p != NULL) {
        GATE_UNPOISON(p, page->size);
        page->free = *(void **)p;
    } else {
        p = page->fresh;
        if (GATE_UNLIKELY((char *)p + page->size > (char *)page + GATE_PAGE_SIZE))
            return NULL;
        page->fresh = (char *)p + page->size;
        GATE_UNPOISON(p, page->size);
    }
    page->used++;
    return p;
}

/* A block of a class; NULL: no page has room, gate_pages_grow first. */
void *gate_pages_take(struct gate_pages *ps, uint32_t cls);

/* One more page for a class; false: the system has no memory. */
bool gate_pages_grow(struct gate_pages *ps, uint32_t cls);

static inline struct gate_page *gate_page_of(void *p)
{
    return (struct gate_page *)((uintptr_t)p & ~(uintptr_t)(GATE_PAGE_SIZE - 1));
}

/* The common half of give; true: gate_pages_settle has to follow, because the page was full, or is
 * empty now. */
static inline bool gate_page_give(struct gate_page *page, void *p)
{
#ifdef GATE_DEBUG
    /* Whoever still reads the block meets nonsense, not the old values. */
    memset(p, 0x5a, page->size);
#endif
    *(void **)p = page->free;
    page->free = p;
    GATE_POISON(p, page->size);
    page->used--;
    return page->full || page->used == 0;
}

void gate_pages_settle(struct gate_pages *ps, struct gate_page *page);

static inline void gate_pages_give(struct gate_pages *ps, void *p)
{
    struct gate_page *page = gate_page_of(p);

    if (gate_page_give(page, p))
        gate_pages_settle(ps, page);
}

#endif
