/* Pages: small blocks of one Lua state, in pages of equal blocks, so that a Lua object costs a few
 * instructions to make and to free. Pages that fall empty go back to the system. One thread at a
 * time. */
#ifndef GATE_SCRIPT_PAGES_INT_H
#define GATE_SCRIPT_PAGES_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/list.h"

#define GATE_PAGE_SIZE     16384u
#define GATE_PAGES_STEP    16u
#define GATE_PAGES_LARGEST 512u
#define GATE_PAGES_CLASSES (GATE_PAGES_LARGEST / GATE_PAGES_STEP + 1)

/* At the start of each page, which is aligned to its size. */
struct gate_page {
    struct gate_list node; /* of its class's list while it has room */
    void *free;            /* blocks that were given back; linked through their first word */
    char *fresh;           /* the first block that was never given out */
    uint32_t used;
    uint32_t cls; /* blocks have cls * GATE_PAGES_STEP bytes */
    bool full;
};

struct gate_pages {
    struct gate_list room[GATE_PAGES_CLASSES]; /* pages with room, by class */
    struct gate_list spare;                    /* a few empty pages */
    uint32_t n_spare;
    uint32_t pages; /* all that are held, spare ones too */
};

void gate_pages_init(struct gate_pages *ps);

/* Gives all pages back. Every block must have been given back. */
void gate_pages_fini(struct gate_pages *ps);

static inline uint32_t gate_pages_class(size_t n)
{
    return (uint32_t)((n + GATE_PAGES_STEP - 1) / GATE_PAGES_STEP);
}

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
        page->free = *(void **)p;
    } else {
        p = page->fresh;
        if (GATE_UNLIKELY((char *)p + cls * GATE_PAGES_STEP > (char *)page + GATE_PAGE_SIZE))
            return NULL;
        page->fresh = (char *)p + cls * GATE_PAGES_STEP;
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
    *(void **)p = page->free;
    page->free = p;
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
