/* Tasks: coroutines that work for hooks. One thread; a task belongs to its VM, which keeps
 * a few for the next call. */
#ifndef GATE_SCRIPT_TASK_INT_H
#define GATE_SCRIPT_TASK_INT_H

#include "net/wait.h"
#include "script/vm_int.h"

enum gate_task_kind { GATE_TASK_HOOK, GATE_TASK_JOB };
/* Something that a task has to give back when it ends, however it ends; embedded in that. */
struct gate_task_hold {
    struct gate_list node; /* the task's, newest last */
    void (*release)(struct gate_task_hold *h);
};

struct gate_task {
    struct gate_vm *vm;
    struct gate_list node; /* vm->waiting while it waits */
    uint8_t kind; /* enum gate_task_kind: what it is embedded in */
    lua_State *co; /* NULL: none yet, or it died */
    int ref;
    bool waited;             /* it has waited at least once since begin */
    bool overtime;           /* ended by task_time, not by its budget */
    bool reported;           /* the log has its line already */
    bool suspect;            /* woken, and put off: it is expected to take long */
    bool doomed;             /* the heaviest of a full VM: ends where it waits */
    struct gate_task *owner; /* whose budget it uses; NULL: its own */
    int raised;              /* what a member of its gate.all raised; a reference, or LUA_NOREF */
    const uint64_t *budgets; /* watch_int.h */
    int32_t stop;            /* io.stop when it goes on */
    int32_t at;              /* io.at while it waits */
    int32_t verdict;         /* io.verdict while it waits */
    /* Bytes that it has asked for until it waited, with those whose owner it is: more than they can
     * hold. And what they hold, while that is compared (heavy.c). */
    uint64_t charge;
    uint64_t weight;
    uint64_t used_ns;        /* CPU time of entry `at` so far, as far as it is known */
    struct gate_wait wait;
    struct gate_timer limit; /* task_time */
    uint64_t until_ms;       /* where it ends; 0: it has not waited yet */
    enum gate_err woken;     /* what the last wait ended with */
    struct gate_list holds;  /* struct gate_task_hold */
    /* a resume from the loop returned r; not YIELD */
    void (*step)(struct gate_task *t, enum gate_vm_result r);
};

void gate_task_init(struct gate_task *t, struct gate_vm *vm, enum gate_task_kind kind);

/* Gets ready for a call of the function with reference fn: a coroutine, no CPU time used. What it
 * is called with is set in vm->io; it returns nothing. */
void gate_task_begin(struct gate_task *t, int fn, const uint64_t *budgets);

/* Whose budget the task uses. */
static inline struct gate_task *gate_task_owner(struct gate_task *t)
{
    return t->owner == NULL ? t : t->owner;
}

/* What a task is in messages. */
struct gate_task_origin {
    const char *policy;
    const char *hook;
    struct gate_quarantine_key key;
    const struct gate_exchange *x; /* NULL: of no request */
    struct gate_job_kind **spawned; /* the kind of what it spawns */
};
void gate_task_origin(const struct gate_task *t, struct gate_task_origin *to);

/* After a failure: counts it; writes one log line for it (what was raised, where, in the user's
 * code first, policy, hook, route, request). */
void gate_task_count_failure(struct gate_vm *vm, enum gate_vm_result r);
void gate_task_report(const struct gate_task *t, enum gate_vm_result r);

/* Takes what the dead task has raised, as a reference for `raised` of another one. */
int gate_task_take_error(struct gate_task *t, enum gate_vm_result r);

/* task_time runs from here on, unless it does already: also over calls of one chain between which
 * others have their turn. */
void gate_task_bound(struct gate_task *t);

/* Runs until the call ends or waits. Not DONE and not YIELD: the error value is on the coroutine's
 * stack, and the coroutine is dead. */
enum gate_vm_result gate_task_resume(struct gate_task *t);

/* Whether it is expected to take long (hook_rest.c), at its beginning or woken from a wait. accuse:
 * it did. acquit: it was expected to, and did not. */
void gate_task_accuse(struct gate_task *t, bool woken);
void gate_task_acquit(struct gate_task *t, bool woken);
bool gate_task_matches(struct gate_task *t, bool woken);

static inline bool gate_task_is_suspect(struct gate_task *t, bool woken)
{
    return GATE_UNLIKELY(t->vm->suspects.until_ms != 0) && gate_task_matches(t, woken);
}

/* Ends a task that waits: its wait is cancelled, the coroutine is dropped. */
void gate_task_cancel(struct gate_task *t);

/* Lets go of the coroutine, and of what it held. */
void gate_task_drop(struct gate_task *t);

/* lua_resume within the budgets (watch_int.h) and the memory cap. The only place that calls it. */
int gate_task_enter(struct gate_vm *vm, lua_State *co, int n, const uint64_t *budgets,
                    uint64_t used);

/* What a resume ended with, as the five results. */
enum gate_vm_result gate_task_result(const struct gate_vm *vm, lua_State *co, int status);

#endif
