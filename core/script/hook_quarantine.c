/* What quarantine means for the runs of hooks. */
#include "script/run_int.h"

void gate_quarantine_log(struct gate_vm *vm, const char *policy, const char *hook, bool begins)
{
    struct gate_log_field fields[] = {
        {"policy", gate_str_from_cstr(policy)},
        {"hook", gate_str_from_cstr(hook)},
    };

    gate_log_write(vm->log, begins ? GATE_LOG_WARN : GATE_LOG_INFO,
                   begins ? "the hook is in quarantine for a minute: it was stopped again and again"
                          : "the hook is out of quarantine",
                   fields, 2);
}

static void note(const struct gate_hook_run *run, uint32_t at, bool begins)
{
    struct gate_vm *vm = run->task.vm;

    gate_quarantine_log(vm, gate_chain_policy(vm, run->chain, at),
                        gate_chain_hook_name(run->chain->hook), begins);
}

/* A run probes one entry at most: others wait for another one. */
static bool is_barred(struct gate_hook_run *run, uint32_t at)
{
    struct gate_vm *vm = run->task.vm;
    struct gate_quarantine_key key = gate_chain_key(run->chain, at);

    if (run->probe != 0)
        return run->probe != at && gate_quarantine_holds(vm->quarantine, key);
    switch (gate_quarantine_ask(vm->quarantine, key, gate_loop_now(&vm->worker->loop))) {
    case GATE_QUARANTINE_PROBE:
        run->probe = at;
        return false;
    case GATE_QUARANTINE_BARRED:
        return true;
    default:
        return false;
    }
}

uint32_t gate_run_bar(struct gate_hook_run *run, uint32_t start)
{
    uint32_t n = run->chain->n;

    if (GATE_LIKELY(!gate_quarantine_any(run->task.vm->quarantine)))
        return n + 1;
    while (start <= n && !is_barred(run, start))
        start++;
    return start;
}

void gate_run_killed(struct gate_hook_run *run, uint32_t at)
{
    struct gate_vm *vm = run->task.vm;
    bool probe = run->probe != 0 && run->probe == at;

    if (at < 1 || at > run->chain->n)
        return;
    if (probe)
        run->probe = 0;
    if (gate_quarantine_killed(vm->quarantine, gate_chain_key(run->chain, at), probe,
                               gate_loop_now(&vm->worker->loop)))
        note(run, at, true);
}

void gate_run_probed(struct gate_hook_run *run, bool passed)
{
    uint32_t at = run->probe;

    run->probe = 0;
    gate_quarantine_probed(run->task.vm->quarantine, gate_chain_key(run->chain, at), passed);
    if (passed)
        note(run, at, false);
}
