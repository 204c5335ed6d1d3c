/* Job kinds: what the jobs of one origin have in common: who began them, their budget, and how they
 * fared so far. Made by the worker when the first job of a kind begins; control walks them; they
 * live as long as their VM. */
#ifndef GATE_SCRIPT_JOB_KIND_INT_H
#define GATE_SCRIPT_JOB_KIND_INT_H

#include "script/vm_int.h"

/* Ticks of gate.every, as quarantine knows them: beside chains. What something spawns has a number
 * of its own, less than 0. */
enum { GATE_KEY_EVERY = GATE_CHAIN_COUNT };

struct gate_job_kind {
    struct gate_job_kind *next;    /* all of a VM */
    char *policy;                  /* whose function began them; of timers: where; owned */
    const char *hook;              /* "spawn" or "every"; static */
    struct gate_job_kind *spawned; /* the kind of what these jobs spawn; NULL: nothing yet */
    struct gate_quarantine_key key;
    struct gate_hook_tally tally;
    uint64_t budgets[3]; /* as the watchdog reads them, which may look late */
};

/* The kind in a slot, made when none is there yet. */
struct gate_job_kind *gate_job_kind_of(struct gate_vm *vm, struct gate_job_kind **slot,
                                       const char *policy, const char *hook,
                                       struct gate_quarantine_key key);

void gate_job_kinds_each(const struct gate_vm *vm,
                         void (*fn)(void *arg, const struct gate_hook_count *c), void *arg);
void gate_job_kinds_free(struct gate_vm *vm);

#endif
