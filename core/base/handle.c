#include "base/handle.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define NO_SLOT UINT32_MAX
#define FIRST_CAP 16u

/* A new serial for each use of a slot. Zero is skipped, so that a zeroed handle finds nothing. */
static uint32_t next_serial(uint32_t serial)
{
    serial++;
    return serial == 0 ? 1 : serial;
}

static void grow(struct gate_handle_table *t)
{
    uint32_t cap = t->cap == 0 ? FIRST_CAP : t->cap * 2;

    GATE_ASSERT(cap > t->cap && cap < NO_SLOT);
    t->slots = gate_realloc(t->slots, (size_t)cap * sizeof(t->slots[0]));
    /* From the top down, so that low ids are handed out first. */
    for (uint32_t i = cap; i-- > t->cap;) {
        t->slots[i] = (struct gate_handle_slot){ NULL, 1, t->first_free };
        t->first_free = i;
    }
    t->cap = cap;
}

void gate_handle_table_init(struct gate_handle_table *t)
{
    memset(t, 0, sizeof(*t));
    t->first_free = NO_SLOT;
}

void gate_handle_table_fini(struct gate_handle_table *t)
{
    gate_free(t->slots);
    gate_handle_table_init(t);
}

struct gate_handle gate_handle_make(struct gate_handle_table *t, void *object)
{
    if (GATE_UNLIKELY(t->first_free == NO_SLOT))
        grow(t);

    uint32_t id = t->first_free;
    struct gate_handle_slot *slot = &t->slots[id];

    t->first_free = slot->next_free;
    slot->object = object;
    t->live++;
    return (struct gate_handle){ id, slot->serial };
}

void gate_handle_end(struct gate_handle_table *t, struct gate_handle h)
{
    /* A slot waiting on the free list already carries its next serial: a second end is no end. */
    if (h.id >= t->cap || t->slots[h.id].serial != h.serial)
        return;

    struct gate_handle_slot *slot = &t->slots[h.id];

    slot->object = NULL;
    slot->serial = next_serial(slot->serial);
    slot->next_free = t->first_free;
    t->first_free = h.id;
    t->live--;
}
