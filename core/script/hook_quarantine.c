/* What quarantine means for the runs of hooks. */
#include "script/run_int.h"

static void note(const struct gate_hook_run *run, uint32_t at, enum gate_log_level level,
                 const char *text)
{
    const struct gate_hook_chain *c = run->chain;
    struct gate_vm *vm = run->task.vm;
    struct gate_log_field fields[] = {
        {"policy", gate_str_from_cstr(gate_chain_policy(vm, c, at))},
        {"hook", gate_str_from_cstr(gate_chain_hook_name(c->hook))},
    };

    gate_log_write(vm->log, level, text, fields, 2);
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
        note(run, at, GATE_LOG_WARN,
             "the hook is in quarantine for a minute: it was stopped again and again");
}

void gate_run_probed(struct gate_hook_run *run, bool passed)
{
    uint32_t at = run->probe;

    run->probe = 0;
    gate_quarantine_probed(run->task.vm->quarantine, gate_chain_key(run->chain, at), passed);
    if (passed)
        note(run, at, GATE_LOG_INFO, "the hook is out of quarantine");
}
