#include "exchange/upstream_names.h"

#include "base/mem.h"

/* The number of a name; a new one gets the next. */
static uint32_t number_of(struct gate_upstream_names *names, struct gate_names *numbers,
                          struct gate_str name)
{
    uint32_t number = gate_names_find(numbers, name);

    if (number != GATE_NO_NUMBER)
        return number;
    name.p = gate_memdup(name.p, name.n);
    names->v[names->n] = name;
    return gate_names_add(numbers, name, names->n++);
}

struct gate_upstream_names *gate_upstream_names_new(const struct gate_upstream_names *old,
                                                    const struct gate_config *from,
                                                    const struct gate_config *to)
{
    struct gate_upstream_names *names = gate_calloc(1, sizeof(*names));
    uint32_t before = old != NULL ? old->n : from->n_upstreams;
    uint32_t most = before + to->n_upstreams;
    struct gate_names numbers;

    gate_names_init(&numbers, most);
    names->v = gate_calloc(most + 1, sizeof(*names->v));
    names->number_of = gate_calloc(to->n_upstreams + 1, sizeof(*names->number_of));
    for (uint32_t i = 0; i < before; i++)
        number_of(names, &numbers, old != NULL ? old->v[i] : from->upstreams[i].name);
    for (uint32_t i = 0; i < to->n_upstreams; i++)
        names->number_of[i] = number_of(names, &numbers, to->upstreams[i].name);
    names->ordinal_of = gate_calloc(names->n + 1, sizeof(*names->ordinal_of));
    for (uint32_t i = 0; i < names->n; i++)
        names->ordinal_of[i] = GATE_NO_ORDINAL;
    for (uint32_t i = 0; i < to->n_upstreams; i++)
        names->ordinal_of[names->number_of[i]] = i;
    gate_names_fini(&numbers);
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
