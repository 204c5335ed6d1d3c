#include "shared/order_int.h"
#include "shared/words_int.h"

#define CHILDREN 4u

/* Places count from 1; the first is the root. */
static uint32_t *slot(const struct gate_shard *s, const struct gate_shard_plan *p, uint32_t place)
{
    return (uint32_t *)((char *)s + p->order) + (place - 1);
}

static uint64_t until_of(const struct gate_shard *s, uint32_t entry)
{
    return gate_wide_get(&gate_shard_entry(s, entry)->until_ns);
}

static void settle(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t place,
                   uint32_t entry)
{
    *slot(s, p, place) = entry;
    gate_word_put(&gate_shard_entry(s, entry)->place, place);
}

static void rise(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t place,
                 uint32_t entry)
{
    uint64_t until = until_of(s, entry);

    while (place > 1) {
        uint32_t parent = (place - 2) / CHILDREN + 1;
        uint32_t above = *slot(s, p, parent);

        if (until_of(s, above) <= until)
            break;
        settle(s, p, place, above);
        place = parent;
    }
    settle(s, p, place, entry);
}

/* The child that ends first; 0: there is none. */
static uint32_t first_child(const struct gate_shard *s, const struct gate_shard_plan *p,
                            uint32_t place)
{
    uint32_t child = (place - 1) * CHILDREN + 2;
    uint32_t last = child + CHILDREN - 1;
    uint32_t best = 0;

    if (last > s->n_order)
        last = s->n_order;
    for (; child <= last; child++) {
        if (best == 0 || until_of(s, *slot(s, p, child)) < until_of(s, *slot(s, p, best)))
            best = child;
    }
    return best;
}

static void sink(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t place,
                 uint32_t entry)
{
    uint64_t until = until_of(s, entry);
    uint32_t child;

    while ((child = first_child(s, p, place)) != 0) {
        uint32_t below = *slot(s, p, child);

        if (until_of(s, below) >= until)
            break;
        settle(s, p, place, below);
        place = child;
    }
    settle(s, p, place, entry);
}

void gate_order_add(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t entry)
{
    rise(s, p, ++s->n_order, entry);
}

void gate_order_remove(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t entry)
{
    uint32_t place = gate_word_get(&gate_shard_entry(s, entry)->place);
    uint32_t last = *slot(s, p, s->n_order--);

    gate_word_put(&gate_shard_entry(s, entry)->place, 0);
    if (last == entry)
        return;
    /* The last one takes the place that is free, and finds its own from there. */
    rise(s, p, place, last);
    sink(s, p, gate_word_get(&gate_shard_entry(s, last)->place), last);
}

uint32_t gate_order_first(const struct gate_shard *s, const struct gate_shard_plan *p)
{
    return s->n_order == 0 ? 0 : *slot(s, p, 1);
}
