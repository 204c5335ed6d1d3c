#include "admin/hook_totals.h"

#include "base/mem.h"

/* As of routes: what comes beyond this is not counted. */
#define TOTALS_MAX 65536

void gate_hook_totals_init(struct gate_hook_totals *t)
{
    memset(t, 0, sizeof(*t));
    gate_sipkey_random(&t->key);
}

void gate_hook_totals_fini(struct gate_hook_totals *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        gate_free(t->v[i].policy);
    gate_free(t->v);
    gate_free(t->slots);
    t->v = NULL;
    t->slots = NULL;
    t->n = t->cap = t->n_slots = 0;
}

static uint32_t *slot_of(const struct gate_hook_totals *t, const char *policy, const char *hook)
{
    uint64_t at = gate_siphash(&t->key, policy, strlen(policy)) ^
                  gate_siphash(&t->key, hook, strlen(hook));

    for (;; at++) {
        uint32_t *slot = &t->slots[at & (t->n_slots - 1)];
        const struct gate_hook_total *v = *slot == 0 ? NULL : &t->v[*slot - 1];

        if (v == NULL || (strcmp(v->hook, hook) == 0 && strcmp(v->policy, policy) == 0))
            return slot;
    }
}

static void grow(struct gate_hook_totals *t)
{
    if (t->n < t->cap)
        return;
    t->cap = t->cap == 0 ? 16 : t->cap * 2;
    t->v = gate_realloc(t->v, t->cap * sizeof(*t->v));
    gate_free(t->slots);
    t->n_slots = t->cap * 4;
    t->slots = gate_calloc(t->n_slots, sizeof(*t->slots));
    for (uint32_t i = 0; i < t->n; i++)
        *slot_of(t, t->v[i].policy, t->v[i].hook) = i + 1;
}

void gate_hook_totals_add(struct gate_hook_totals *t, const struct gate_hook_total *from)
{
    struct gate_hook_total *v;
    uint32_t *slot;

    grow(t);
    slot = slot_of(t, from->policy, from->hook);
    if (*slot == 0) {
        if (t->n == TOTALS_MAX)
            return;
        t->v[t->n] = (struct gate_hook_total){ .policy = gate_strdup(from->policy),
                                               .hook = from->hook };
        *slot = ++t->n;
    }
    v = &t->v[*slot - 1];
    v->runs += from->runs;
    v->calls += from->calls;
    v->errors += from->errors;
    v->kills += from->kills;
    v->barred += from->barred;
    v->quarantined |= from->quarantined;
    v->cpu_ns += from->cpu_ns;
}

void gate_hook_totals_merge(struct gate_hook_totals *t, const struct gate_hook_totals *from)
{
    for (uint32_t i = 0; i < from->n; i++)
        gate_hook_totals_add(t, &from->v[i]);
}

const struct gate_hook_total *gate_hook_totals_find(const struct gate_hook_totals *t,
                                                    const char *policy, const char *hook)
{
    uint32_t slot = t->n_slots == 0 ? 0 : *slot_of(t, policy, hook);

    return slot == 0 ? NULL : &t->v[slot - 1];
}
