/* What the log says of a hook that failed: one line, the user's code first. */
#include "script/run_int.h"
#include "script/stack_int.h"

#define MESSAGE_MAX 1024
#define TRACE_MAX   2048

/* Where a stopped script was: noted by the hook that stopped it, or it waited. */
static const char *stopped_at(const struct gate_hook_run *run)
{
    const struct gate_vm *vm = run->task.vm;

    return vm->watch == NULL ? "" : vm->watch->stopped_at;
}

static void write_stopped(const struct gate_hook_run *run, struct gate_out *o)
{
    const struct gate_vm *vm = run->task.vm;
    uint32_t at = (uint32_t)vm->io.at;
    const char *where = stopped_at(run);
    size_t n = strcspn(where, " ");

    if (run->task.overtime || n == 0)
        gate_stack_place(run->task.co, o);
    else
        gate_out_put(o, where, n);
    GATE_OUT_LIT(o, ": ");
    if (run->task.overtime)
        gate_out_fmt(o, "stopped: it took longer than task_time, %u ms",
                     vm->config->limits.task_time_ms);
    else
        gate_out_fmt(o, "stopped: it used more CPU time than its budget, %u ms",
                     (uint32_t)(run->chain->budgets[at == 0 ? 1 : at] / 1000000u));
}

static void write_trace(const struct gate_hook_run *run, enum gate_vm_result r, struct gate_out *o)
{
    if (r != GATE_VM_ERROR && !run->task.overtime && stopped_at(run)[0] != '\0')
        gate_out_str(o, gate_str_from_cstr(stopped_at(run)));
    else
        gate_stack_trace(run->task.co, o);
}

static void write_error(const struct gate_hook_run *run, enum gate_vm_result r, struct gate_out *o)
{
    char text[MESSAGE_MAX], place[256];
    struct gate_out message = gate_out_on(text, sizeof(text));
    struct gate_out where = gate_out_on(place, sizeof(place));
    lua_State *co = run->task.co;

    if (r == GATE_VM_NOMEM)
        GATE_OUT_LIT(&message, "not enough memory");
    else
        gate_stack_error(co, lua_gettop(co), &message);
    if (r == GATE_VM_NOMEM && stopped_at(run)[0] != '\0') {
        gate_out_fmt(o, "%.*s: ", (int)strcspn(stopped_at(run), " "), stopped_at(run));
        gate_out_str(o, gate_out_view(&message));
        return;
    }
    /* Messages mostly begin with their place; one of an error(table) or of lack of memory does not.
     */
    if (gate_stack_place(co, &where) && memmem(text, message.n, ":", 1) == NULL)
        gate_out_fmt(o, "%.*s: ", (int)where.n, where.p);
    gate_out_str(o, gate_out_view(&message));
}

void gate_run_report(struct gate_hook_run *run, enum gate_vm_result r)
{
    static const char *const why[] = {"", "", "script error", "script stopped",
                                      "script out of memory"};
    struct gate_vm *vm = run->task.vm;
    char message[MESSAGE_MAX + 300], trace[TRACE_MAX];
    struct gate_out m = gate_out_on(message, sizeof(message) - 1);
    struct gate_out t = gate_out_on(trace, sizeof(trace));
    struct gate_log_field fields[6] = {{0}};
    size_t n = 0;

    gate_out_fmt(&m, "%s: ", why[r]);
    if (r == GATE_VM_KILLED)
        write_stopped(run, &m);
    else
        write_error(run, r, &m);
    message[m.n] = '\0';
    write_trace(run, r, &t);
    fields[n++] = (struct gate_log_field){"policy", gate_str_from_cstr(gate_run_policy(run))};
    fields[n++] =
        (struct gate_log_field){"hook", gate_str_from_cstr(gate_chain_hook_name(run->chain->hook))};
    if (run->x != NULL) {
        if (run->x->route_name.n > 0)
            fields[n++] = (struct gate_log_field){"route", run->x->route_name};
        fields[n++] = (struct gate_log_field){"request", gate_str_of(run->x->id, run->x->id_len)};
    }
    if (t.n > 0)
        fields[n++] = (struct gate_log_field){"trace", gate_out_view(&t)};
    gate_log_write(vm->log, GATE_LOG_ERROR, message, fields, n);
}
