/* Hook totals: calls, errors, kills and CPU time by policy and hook, summed over workers and over
 * VMs that are gone, so that no reload sets a counter back. One thread (control). */
#ifndef GATE_ADMIN_HOOK_TOTALS_H
#define GATE_ADMIN_HOOK_TOTALS_H

#include "base/siphash.h"
#include "base/str.h"

struct gate_hook_total {
    char *policy;               /* owned; of handler and when: the route */
    const char *hook;           /* static */
    uint64_t runs;              /* of chains that began with it */
    uint64_t calls;
    uint64_t errors;
    uint64_t kills;
    uint64_t barred;            /* calls that quarantine kept from it */
    bool quarantined;           /* in any worker's VM, now */
    uint64_t cpu_ns;
};

struct gate_hook_totals {
    struct gate_hook_total *v;  /* in the order in which they came */
    uint32_t n;
    uint32_t cap;
    uint32_t *slots;            /* open addressing: index + 1 into v */
    uint32_t n_slots;
    struct gate_sipkey key;
};

void gate_hook_totals_init(struct gate_hook_totals *t);
void gate_hook_totals_fini(struct gate_hook_totals *t);

/* Adds what `from` has counted to those of its policy and hook; the name is copied. */
void gate_hook_totals_add(struct gate_hook_totals *t, const struct gate_hook_total *from);

/* Adds all of another. */
void gate_hook_totals_merge(struct gate_hook_totals *t, const struct gate_hook_totals *from);

/* Of this policy and hook; NULL: there are none. */
const struct gate_hook_total *gate_hook_totals_find(const struct gate_hook_totals *t,
                                                    const char *policy, const char *hook);

#endif
