/* Runs: one call of a chain of hooks, from flow's question to its verdict. One thread; belongs to
 * its VM. */
#ifndef GATE_SCRIPT_RUN_INT_H
#define GATE_SCRIPT_RUN_INT_H

#include "script/task_int.h"

#define GATE_RUN_MAGIC 0x6b6f6f68u

/* Where a run waits whose next entry is called from the loop. */
enum gate_run_place {
    GATE_RUN_FRESH,   /* among what is ready: it came behind long work of others */
    GATE_RUN_LONG,    /* behind that: its own hooks have taken long */
    GATE_RUN_SUSPECT, /* so have those of requests like it */
};

struct gate_hook_run {
    uint32_t magic;
    struct gate_list node;      /* vm->runs while it waits */
    struct gate_hook_run *next; /* vm->idle */
    struct gate_task task;
    struct gate_hook_chain *chain;
    /* NULL: connect. Whoever frees it has cancelled this run before */
    struct gate_exchange *x;
    struct gate_connect_info info;
    struct gate_hook_piece *piece; /* body hooks */
    struct gate_hook_hello *hello; /* certificate hooks */
    char *again;                   /* what the hooks before a failed one made of it; owned */
    struct gate_permit *permits;   /* of a connect hook */
    gate_hook_done *done;
    void *arg;
    struct gate_hook_run **slot; /* where its owner keeps it while it waits */
    struct gate_ready rest;      /* goes on with entry `rest_at` from the loop */
    uint32_t rest_at;
    uint8_t place; /* enum gate_run_place, of `rest` */
    uint32_t probe; /* entry that it tries out of quarantine; 0: none */
    uint64_t began_ns;
};

void gate_run_origin(const struct gate_task *t, struct gate_task_origin *to);

/* Time inside hooks of an exchange until now, that of the one included which runs. */
uint64_t gate_hook_script_ns(const struct gate_vm *vm, const struct gate_exchange *x);

/* A hook, or what it waited for, took long: the next one of its exchange lets others go first. */
void gate_run_tire(struct gate_task *t);

/* The entry is called from the loop, by `rest`; YIELD. */
enum gate_vm_result gate_run_put_off(struct gate_hook_run *run, uint32_t at,
                                     enum gate_run_place to);

/* "gateway.lua:9": the policy whose hook runs or has just failed; for when and handler the route.
 */
const char *gate_run_policy(const struct gate_hook_run *run);
const char *gate_chain_hook_name(int hook);

/* Quarantine. bar: the first entry from `start` on that is not to be called, else one past the
 * last. killed: an entry was stopped. probed: what became of run->probe. */
uint32_t gate_run_bar(struct gate_hook_run *run, uint32_t start);
void gate_run_killed(struct gate_hook_run *run, uint32_t at);
void gate_run_probed(struct gate_hook_run *run, bool passed);

/* Whose function an entry is, from 1: the policy; for when and handler the route, for balancer the
 * upstream. */
const char *gate_chain_policy(const struct gate_vm *vm, const struct gate_hook_chain *c,
                              uint32_t at);

/* An entry, from 1, as quarantine knows it. */
struct gate_quarantine_key gate_chain_key(const struct gate_hook_chain *c, uint32_t at);

#endif
