#include "admin/route_totals.h"

#include "base/mem.h"

/* Generations come and go, and each may bring new names: what comes beyond this is not counted. */
#define NAMES_MAX 65536

void gate_route_totals_init(struct gate_route_totals *t)
{
    memset(t, 0, sizeof(*t));
    gate_sipkey_random(&t->key);
}

void gate_route_totals_fini(struct gate_route_totals *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        gate_free(t->v[i].name);
    gate_free(t->v);
    gate_free(t->slots);
}

static uint32_t *slot_of(const struct gate_route_totals *t, struct gate_str name)
{
    uint64_t at = gate_siphash(&t->key, name.p, name.n);

    for (;; at++) {
        uint32_t *slot = &t->slots[at & (t->n_slots - 1)];

        if (*slot == 0 || gate_str_eq(gate_str_from_cstr(t->v[*slot - 1].name), name))
            return slot;
    }
}

static void grow(struct gate_route_totals *t)
{
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 16 : t->cap * 2;
        t->v = gate_realloc(t->v, t->cap * sizeof(*t->v));
    }
    if (t->n * 2 < t->n_slots)
        return;
    gate_free(t->slots);
    t->n_slots = t->cap * 4;
    t->slots = gate_calloc(t->n_slots, sizeof(*t->slots));
    for (uint32_t i = 0; i < t->n; i++)
        *slot_of(t, gate_str_from_cstr(t->v[i].name)) = i + 1;
}

/* NULL: there are too many. */
static struct gate_route_total *total_of(struct gate_route_totals *t, struct gate_str name)
{
    uint32_t *slot;

    grow(t);
    slot = slot_of(t, name);
    if (*slot == 0) {
        if (t->n == NAMES_MAX)
            return NULL;
        t->v[t->n].name = gate_strndup(name.n == 0 ? "" : name.p, name.n);
        memset(t->v[t->n].by_class, 0, sizeof(t->v[t->n].by_class));
        *slot = ++t->n;
    }
    return &t->v[*slot - 1];
}

void gate_route_totals_add(struct gate_route_totals *t, const struct gate_config *config,
                           const struct gate_route_stats *stats)
{
    for (uint32_t i = 0; i <= config->n_routes; i++) {
        struct gate_str name = i < config->n_routes ? config->routes[i].name : GATE_STR("");
        struct gate_route_total *total = total_of(t, name);

        for (int c = 0; total != NULL && c < 6; c++)
            total->by_class[c] += atomic_load_explicit(&stats[i].by_class[c],
                                                       memory_order_relaxed);
    }
}

void gate_route_totals_merge(struct gate_route_totals *t, const struct gate_route_totals *from)
{
    for (uint32_t i = 0; i < from->n; i++)
        gate_route_totals_count(t, gate_str_from_cstr(from->v[i].name), from->v[i].by_class);
}

void gate_route_totals_count(struct gate_route_totals *t, struct gate_str name,
                             const uint64_t by_class[6])
{
    struct gate_route_total *total = total_of(t, name);

    for (int c = 0; total != NULL && c < 6; c++)
        total->by_class[c] += by_class[c];
}

const struct gate_route_total *gate_route_totals_find(const struct gate_route_totals *t,
                                                      struct gate_str name)
{
    uint32_t slot = t->n_slots == 0 ? 0 : *slot_of(t, name);

    return slot == 0 ? NULL : &t->v[slot - 1];
}
