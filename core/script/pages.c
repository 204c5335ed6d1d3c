#include "script/pages_int.h"

#include <stdlib.h>

/* The header's room, a multiple of the blocks' alignment. */
#define HEAD      64u
#define SPARE_MAX 16

_Static_assert(sizeof(struct gate_page) <= HEAD, "a page's header must fit");

void gate_pages_init(struct gate_pages *ps)
{
    for (uint32_t i = 0; i < GATE_PAGES_CLASSES; i++)
        gate_list_init(&ps->room[i]);
    gate_list_init(&ps->spare);
    ps->n_spare = 0;
    ps->pages = 0;
}

static void free_list(struct gate_pages *ps, struct gate_list *list)
{
    struct gate_list *n;

    while ((n = gate_list_pop(list)) != NULL) {
        struct gate_page *page = gate_container_of(n, struct gate_page, node);

        GATE_ASSERT(page->used == 0);
        free(page);
        ps->pages--;
    }
}

void gate_pages_fini(struct gate_pages *ps)
{
    for (uint32_t i = 0; i < GATE_PAGES_CLASSES; i++)
        free_list(ps, &ps->room[i]);
    free_list(ps, &ps->spare);
    GATE_ASSERT(ps->pages == 0);
}

void *gate_pages_take(struct gate_pages *ps, uint32_t cls)
{
    struct gate_list *room = &ps->room[cls];

    while (!gate_list_empty(room)) {
        struct gate_page *page = gate_container_of(room->next, struct gate_page, node);
        void *p = gate_pages_take_first(ps, cls);

        if (p != NULL)
            return p;
        page->full = true;
        gate_list_remove(&page->node);
    }
    return NULL;
}

static struct gate_page *new_page(struct gate_pages *ps)
{
    struct gate_list *n = gate_list_pop(&ps->spare);
    struct gate_page *page;

    if (n != NULL) {
        ps->n_spare--;
        return gate_container_of(n, struct gate_page, node);
    }
    page = aligned_alloc(GATE_PAGE_SIZE, GATE_PAGE_SIZE);
    if (page != NULL)
        ps->pages++;
    return page;
}

bool gate_pages_grow(struct gate_pages *ps, uint32_t cls)
{
    struct gate_page *page = new_page(ps);

    if (page == NULL)
        return false;
    page->free = NULL;
    page->fresh = (char *)page + HEAD;
    page->used = 0;
    page->cls = cls;
    page->full = false;
    gate_list_init(&page->node);
    gate_list_push_front(&ps->room[cls], &page->node);
    return true;
}

void gate_pages_settle(struct gate_pages *ps, struct gate_page *page)
{
    struct gate_list *room = &ps->room[page->cls];

    if (page->full) {
        page->full = false;
        gate_list_push(room, &page->node);
    }
    /* The only page of its class stays: the next block would need one again. */
    if (page->used != 0 || (room->next == &page->node && room->prev == &page->node))
        return;
    gate_list_remove(&page->node);
    if (ps->n_spare < SPARE_MAX) {
        gate_list_push(&ps->spare, &page->node);
        ps->n_spare++;
        return;
    }
    free(page);
    ps->pages--;
}
