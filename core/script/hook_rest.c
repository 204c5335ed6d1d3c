/* Runs that let others go first, and tasks that are expected to take long. Nobody knows what a
 * script will do, but what a chain did for a target it mostly does again: who asks for something
 * quick need not wait for those who ask for something slow. */
#include "script/job_int.h"
#include "script/run_int.h"

GATE_COLD enum gate_vm_result gate_run_put_off(struct gate_hook_run *run, uint32_t at,
                                               enum gate_run_place to)
{
    struct gate_vm *vm = run->task.vm;

    run->rest_at = at;
    run->place = (uint8_t)to;
    run->task.verdict = vm->io.verdict;
    if (to == GATE_RUN_FRESH)
        gate_loop_ready(&vm->worker->loop, &run->rest);
    else
        gate_loop_behind(&vm->worker->loop, &run->rest);
    return GATE_VM_YIELD;
}

/* What a task is known by: what it does and, where it belongs to one route alone, whose it is. */
struct tags {
    uint64_t own;
    uint64_t all; /* 0: none */
};

static void tag_run(const struct gate_hook_run *run, struct tags *tags)
{
    const struct gate_vm *vm = run->task.vm;
    const struct gate_hook_chain *c = run->chain;

    tags->own = tags->all = (uint64_t)(uintptr_t)c;
    if (run->x == NULL)
        return;
    tags->own ^= gate_siphash(&vm->suspects.key, run->x->req.head.target.p,
                              run->x->req.head.target.n);
    if (c->hook < GATE_HOOK_COUNT && vm->global[c->hook] == c)
        tags->all = 0;
}

/* Woken: behind a wait, of which a task has other work than before the first one. */
static struct tags tags_of(struct gate_task *t, bool woken)
{
    const struct gate_task *owner = gate_task_owner(t);
    uint64_t part = (woken ? 1 : 0) + (t != owner ? 2 : 0);
    struct tags tags = {0, 0};

    if (owner->kind == GATE_TASK_HOOK)
        tag_run(gate_container_of(owner, struct gate_hook_run, task), &tags);
    else
        tags.own = (uint64_t)(uintptr_t)gate_container_of(owner, struct gate_job, task)->kind;
    tags.own ^= part;
    if (tags.all != 0)
        tags.all ^= part;
    return tags;
}

static uint64_t now_ms(const struct gate_task *t)
{
    return gate_loop_now(&t->vm->worker->loop);
}

GATE_COLD void gate_task_accuse(struct gate_task *t, bool woken)
{
    struct tags tags = tags_of(t, woken);

    gate_suspects_accuse(&t->vm->suspects, tags.own, now_ms(t));
    if (tags.all != 0)
        gate_suspects_accuse(&t->vm->suspects, tags.all, now_ms(t));
}

GATE_COLD void gate_task_acquit(struct gate_task *t, bool woken)
{
    gate_suspects_acquit(&t->vm->suspects, tags_of(t, woken).own, now_ms(t));
}

GATE_COLD bool gate_task_matches(struct gate_task *t, bool woken)
{
    struct gate_suspects *s = &t->vm->suspects;
    struct tags tags = tags_of(t, woken);
    enum gate_suspicion what = gate_suspects_ask(s, tags.own, now_ms(t));

    if (what == GATE_SUSPICION_NONE && tags.all != 0)
        what = gate_suspects_ask(s, tags.all, now_ms(t));
    return what == GATE_SUSPICION_SLOW;
}
