/* Open addressing, at most half full. */
#include "base/names.h"

#include "base/assert.h"
#include "base/mem.h"

#define LEAST 16u

void gate_names_init(struct gate_names *t, uint32_t most)
{
    size_t size = LEAST;

    while (size < 2 * (size_t)most)
        size *= 2;
    GATE_ASSERT(size - 1 <= UINT32_MAX);
    t->mask = (uint32_t)(size - 1);
    t->slots = gate_alloc(size * sizeof(*t->slots));
    for (size_t i = 0; i < size; i++)
        t->slots[i].number = GATE_NO_NUMBER;
    gate_sipkey_random(&t->key);
}

void gate_names_fini(struct gate_names *t)
{
    gate_free(t->slots);
    t->slots = NULL;
}

/* Where the name is, or its place when it is not there. */
static struct gate_names_slot *slot_of(const struct gate_names *t, struct gate_str name)
{
    uint32_t i = (uint32_t)gate_siphash(&t->key, name.p, name.n) & t->mask;

    while (t->slots[i].number != GATE_NO_NUMBER && !gate_str_eq(t->slots[i].name, name))
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

uint32_t gate_names_add(struct gate_names *t, struct gate_str name, uint32_t number)
{
    struct gate_names_slot *s = slot_of(t, name);

    if (s->number == GATE_NO_NUMBER)
        *s = (struct gate_names_slot){ name, number };
    return s->number;
}

uint32_t gate_names_find(const struct gate_names *t, struct gate_str name)
{
    return t->slots == NULL ? GATE_NO_NUMBER : slot_of(t, name)->number;
}
