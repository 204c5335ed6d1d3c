#include "exchange/upstream_names.h"

#include "base/mem.h"
#include "base/siphash.h"

/* Numbers by name while they are made: open addressing, index + 1. */
struct table {
    struct gate_upstream_names *names;
    struct gate_sipkey key;
    uint32_t *slots;
    uint32_t mask;
};

static uint32_t *slot_of(const struct table *t, struct gate_str name)
{
    uint32_t i = (uint32_t)gate_siphash(&t->key, name.p, name.n) & t->mask;

    while (t->slots[i] != 0 && !gate_str_eq(t->names->v[t->slots[i] - 1], name))
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

static uint32_t number_of(struct table *t, struct gate_str name)
{
    uint32_t *slot = slot_of(t, name);
    struct gate_upstream_names *names = t->names;

    if (*slot == 0) {
        names->v[names->n] = gate_str_of(gate_strndup(name.p, name.n), name.n);
        *slot = ++names->n;
    }
    return *slot - 1;
}

struct gate_upstream_names *gate_upstream_names_new(const struct gate_upstream_names *old,
                                                    const struct gate_config *from,
                                                    const struct gate_config *to)
{
    struct gate_upstream_names *names = gate_calloc(1, sizeof(*names));
    uint32_t before = old != NULL ? old->n : from->n_upstreams;
    uint32_t most = before + to->n_upstreams;
    struct table t = { .names = names, .mask = 15 };

    while (t.mask < 2 * most)
        t.mask = t.mask * 2 + 1;
    gate_sipkey_random(&t.key);
    t.slots = gate_calloc(t.mask + 1, sizeof(*t.slots));
    names->v = gate_calloc(most + 1, sizeof(*names->v));
    names->number_of = gate_calloc(to->n_upstreams + 1, sizeof(*names->number_of));
    for (uint32_t i = 0; i < before; i++)
        number_of(&t, old != NULL ? old->v[i] : from->upstreams[i].name);
    for (uint32_t i = 0; i < to->n_upstreams; i++)
        names->number_of[i] = number_of(&t, to->upstreams[i].name);
    names->ordinal_of = gate_calloc(names->n + 1, sizeof(*names->ordinal_of));
    for (uint32_t i = 0; i < names->n; i++)
        names->ordinal_of[i] = GATE_NO_ORDINAL;
    for (uint32_t i = 0; i < to->n_upstreams; i++)
        names->ordinal_of[names->number_of[i]] = i;
    gate_free(t.slots);
    return names;
}

void gate_upstream_names_free(struct gate_upstream_names **names)
{
    struct gate_upstream_names *x = *names;

    *names = NULL;
    if (x == NULL)
        return;
    for (uint32_t i = 0; i < x->n; i++)
        gate_free((char *)x->v[i].p);
    gate_free(x->v);
    gate_free(x->ordinal_of);
    gate_free(x->number_of);
    gate_free(x);
}
