#include "script/job_kind_int.h"

#include "base/mem.h"

struct gate_job_kind *gate_job_kind_of(struct gate_vm *vm, struct gate_job_kind **slot,
                                       const char *policy, const char *hook,
                                       struct gate_quarantine_key key)
{
    struct gate_job_kind *k = *slot;

    if (k != NULL)
        return k;
    k = gate_calloc(1, sizeof(*k));
    k->policy = gate_strdup(policy);
    k->hook = hook;
    k->key = key;
    k->budgets[0] = 1 | GATE_BUDGETS_SAMPLED;
    k->budgets[1] = vm->config->limits.hook_cpu_us * 1000ull;
    k->next = atomic_load_explicit(&vm->job_kinds, memory_order_relaxed);
    atomic_store_explicit(&vm->job_kinds, k, memory_order_release);
    return *slot = k;
}

void gate_job_kinds_each(const struct gate_vm *vm,
                         void (*fn)(void *arg, const struct gate_hook_count *c), void *arg)
{
    for (const struct gate_job_kind *k = atomic_load_explicit(&vm->job_kinds, memory_order_acquire);
         k != NULL; k = k->next) {
        struct gate_hook_count count = {
            .policy = k->policy,
            .hook = k->hook,
            .calls = atomic_load_explicit(&k->tally.begun, memory_order_relaxed),
            .errors = atomic_load_explicit(&k->tally.errors, memory_order_relaxed),
            .kills = atomic_load_explicit(&k->tally.kills, memory_order_relaxed),
            .barred = atomic_load_explicit(&k->tally.barred, memory_order_relaxed),
            .quarantined = gate_quarantine_any(vm->quarantine) &&
                           gate_quarantine_holds(vm->quarantine, k->key),
            .cpu_ns = __atomic_load_n(&k->budgets[2], __ATOMIC_RELAXED),
        };

        fn(arg, &count);
    }
}

void gate_job_kinds_free(struct gate_vm *vm)
{
    struct gate_job_kind *k = atomic_load_explicit(&vm->job_kinds, memory_order_relaxed);
    struct gate_job_kind *next;

    for (; k != NULL; k = next) {
        next = k->next;
        gate_free(k->policy);
        gate_free(k);
    }
}
