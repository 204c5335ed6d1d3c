/* What quarantine means for jobs: those of a kind that is in quarantine are neither begun nor gone
 * on with. */
#include "script/job_int.h"

struct gate_quarantine_key gate_job_key_spawned(struct gate_quarantine_key by)
{
    if (by.hook < 0)
        return by;
    return (struct gate_quarantine_key){by.hook < GATE_HOOK_COUNT ? -1 : -1 - by.hook, by.ordinal};
}

void gate_job_count_barred(struct gate_vm *vm, struct gate_job_kind *kind)
{
    gate_tally_add(&kind->tally.barred);
    if (vm->seat != NULL)
        gate_canary_kill(vm->seat->tally);
}

enum gate_quarantine_answer gate_job_ask(struct gate_vm *vm, struct gate_job_kind *kind)
{
    enum gate_quarantine_answer answer = GATE_QUARANTINE_GO;

    if (GATE_UNLIKELY(gate_quarantine_any(vm->quarantine)))
        answer = gate_quarantine_ask(vm->quarantine, kind->key, gate_loop_now(&vm->worker->loop));
    if (answer == GATE_QUARANTINE_BARRED)
        gate_job_count_barred(vm, kind);
    return answer;
}

bool gate_job_is_barred(const struct gate_job *job)
{
    struct gate_quarantine *q = job->task.vm->quarantine;

    return job->kind != NULL && !job->probe && gate_quarantine_any(q) &&
           gate_quarantine_holds(q, job->kind->key);
}

void gate_job_killed(struct gate_job *job)
{
    struct gate_vm *vm = job->task.vm;
    bool probe = job->probe;

    job->probe = false;
    if (gate_quarantine_killed(vm->quarantine, job->kind->key, probe,
                               gate_loop_now(&vm->worker->loop)))
        gate_quarantine_log(vm, job->kind->policy, job->kind->hook, true);
}

void gate_job_probed(struct gate_job *job, bool passed)
{
    struct gate_vm *vm = job->task.vm;

    job->probe = false;
    gate_quarantine_probed(vm->quarantine, job->kind->key, passed);
    if (passed)
        gate_quarantine_log(vm, job->kind->policy, job->kind->hook, false);
}
