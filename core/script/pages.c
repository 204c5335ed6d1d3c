#include "script/pages_int.h"

/* The header's room, a multiple of the blocks' alignment. */
#define HEAD 64u

/* Sizes of blocks that are not small: what is left of a page by 28, 24, 20 … 2. */
static const uint16_t middle[] = {576,  672,  816,  1008, 1152, 1360, 1632,
                                  2032, 2320, 2720, 3264, 4080, 5440, 8160};

_Static_assert(sizeof(struct gate_page) <= HEAD, "a page's header must fit");
_Static_assert(GATE_COUNT_OF(middle) == GATE_PAGES_CLASSES - GATE_PAGES_STEPS, "a class for each");

uint32_t gate_pages_class(size_t n)
{
    uint32_t i = 0;

    if (n <= GATE_PAGES_SMALL)
        return gate_pages_small_class(n);
    while (middle[i] < n)
        i++;
    return GATE_PAGES_STEPS + i;
}

static uint32_t size_of(uint32_t cls)
{
    return cls < GATE_PAGES_STEPS ? cls * GATE_PAGES_STEP : middle[cls - GATE_PAGES_STEPS];
}

void gate_pages_init(struct gate_pages *ps)
{
    for (uint32_t i = 0; i < GATE_PAGES_CLASSES; i++)
        gate_list_init(&ps->room[i]);
    gate_regions_init(&ps->from, GATE_PAGE_SIZE);
    ps->pages = 0;
}

static void give_page(struct gate_pages *ps, struct gate_page *page)
{
    GATE_ASSERT(page->used == 0);
    gate_list_remove(&page->node);
    gate_regions_give(&ps->from, page, GATE_PAGE_SIZE);
    ps->pages--;
}

void gate_pages_fini(struct gate_pages *ps)
{
    for (uint32_t i = 0; i < GATE_PAGES_CLASSES; i++)
        while (!gate_list_empty(&ps->room[i]))
            give_page(ps, gate_container_of(ps->room[i].next, struct gate_page, node));
    GATE_ASSERT(ps->pages == 0);
    gate_regions_fini(&ps->from);
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

bool gate_pages_grow(struct gate_pages *ps, uint32_t cls)
{
    struct gate_page *page = gate_regions_take(&ps->from, GATE_PAGE_SIZE);

    if (page == NULL)
        return false;
    ps->pages++;
    page->free = NULL;
    page->fresh = (char *)page + HEAD;
    page->used = 0;
    page->cls = cls;
    page->size = size_of(cls);
    page->full = false;
    GATE_POISON(page->fresh, GATE_PAGE_SIZE - HEAD);
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
    give_page(ps, page);
}
