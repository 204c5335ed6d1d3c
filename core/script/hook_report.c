/* What the log says of a script that failed: one line, the user's code first. */
#include "script/run_int.h"
#include "script/stack_int.h"
#include "script/task_int.h"

#define MESSAGE_MAX 1024
#define TRACE_MAX   2048

/* Where a stopped script was: noted by the hook that stopped it; empty: it waited. */
static const char *stopped_at(const struct gate_task *t)
{
    const struct gate_vm *vm = t->vm;

    return vm->watch == NULL || t->overtime || t->doomed ? "" : vm->watch->stopped_at;
}

/* Where the hook is that made a tail call into the library or C, which left no frame of its own. */
static bool write_hook_place(const struct gate_task *t, struct gate_out *o)
{
    if (t->kind != GATE_TASK_HOOK)
        return false;
    return gate_stack_callee_place(
        t->vm->L, gate_container_of(t, const struct gate_hook_run, task)->chain->ref,
        (uint32_t)t->vm->io.at, o);
}

static bool write_place(const struct gate_task *t, struct gate_out *o)
{
    return gate_stack_place(t->co, o) || write_hook_place(t, o);
}

static void write_stop_place(const struct gate_task *t, struct gate_out *o)
{
    const char *where = stopped_at(t);
    size_t n = strcspn(where, " ");

    if (n == 0)
        write_place(t, o);
    else
        gate_out_put(o, where, n);
}

static void write_stop_reason(const struct gate_task *t, struct gate_out *o)
{
    const struct gate_vm *vm = t->vm;
    const struct gate_task *owner = t->owner == NULL ? t : t->owner;
    uint32_t at = (uint32_t)vm->io.at;

    if (t->overtime && t->kind == GATE_TASK_HOOK &&
        gate_container_of(t, const struct gate_hook_run, task)->hello != NULL)
        GATE_OUT_LIT(o, "stopped: the handshake cannot wait any longer");
    else if (t->overtime)
        gate_out_fmt(o, "stopped: it took longer than task_time, %u ms",
                     vm->config->limits.task_time_ms);
    else
        gate_out_fmt(o, "stopped: it used more CPU time than its budget, %u ms",
                     (uint32_t)(owner->budgets[at == 0 ? 1 : at] / 1000000u));
}

static void write_trace(const struct gate_task *t, enum gate_vm_result r, struct gate_out *o)
{
    if (r != GATE_VM_ERROR && stopped_at(t)[0] != '\0')
        gate_out_str(o, gate_str_from_cstr(stopped_at(t)));
    else
        gate_stack_trace(t->co, o);
    if (o->n == 0)
        write_hook_place(t, o);
}

static void write_error(const struct gate_task *t, enum gate_vm_result r, struct gate_out *o)
{
    char text[MESSAGE_MAX], place[256];
    struct gate_out message = gate_out_on(text, sizeof(text));
    struct gate_out where = gate_out_on(place, sizeof(place));
    lua_State *co = t->co;

    if (r == GATE_VM_NOMEM)
        GATE_OUT_LIT(&message, "not enough memory");
    else
        gate_stack_error(co, lua_gettop(co), &message);
    if (r == GATE_VM_NOMEM && stopped_at(t)[0] != '\0') {
        gate_out_fmt(o, "%.*s: ", (int)strcspn(stopped_at(t), " "), stopped_at(t));
        gate_out_str(o, gate_out_view(&message));
        return;
    }
    /* Messages mostly begin with their place; one of an error(table) or of lack of memory does not.
     */
    if (memmem(text, message.n, ":", 1) == NULL && write_place(t, &where))
        gate_out_fmt(o, "%.*s: ", (int)where.n, where.p);
    gate_out_str(o, gate_out_view(&message));
}

/* Writes the message of a stop, and tells whoever wants to know. */
static void report_stop(const struct gate_task *t, const struct gate_task_origin *o,
                        struct gate_out *to)
{
    struct gate_worker *w = t->vm->worker;
    struct gate_script_kill kill = { .policy = gate_str_from_cstr(o->policy),
                                     .hook = gate_str_from_cstr(o->hook) };
    size_t from = to->n;

    write_stop_place(t, to);
    kill.place = gate_str_of(to->p + from, to->n - from);
    GATE_OUT_LIT(to, ": ");
    from = to->n;
    write_stop_reason(t, to);
    kill.message = gate_str_of(to->p + from, to->n - from);
    if (o->x != NULL) {
        kill.route = o->x->route_name;
        kill.request = gate_str_of(o->x->id, o->x->id_len);
    }
    if (w->on_killed != NULL)
        w->on_killed(w, &kill);
}

void gate_task_report(const struct gate_task *task, enum gate_vm_result r)
{
    static const char *const why[] = {"", "", "script error", "script stopped",
                                      "script out of memory"};
    char message[MESSAGE_MAX + 300], trace[TRACE_MAX];
    struct gate_out m = gate_out_on(message, sizeof(message) - 1);
    struct gate_out t = gate_out_on(trace, sizeof(trace));
    struct gate_log_field fields[6] = {{0}};
    struct gate_task_origin o;
    size_t n = 0;

    gate_task_origin(task, &o);
    gate_out_fmt(&m, "%s: ", why[r]);
    if (r == GATE_VM_KILLED)
        report_stop(task, &o, &m);
    else
        write_error(task, r, &m);
    message[m.n] = '\0';
    write_trace(task, r, &t);
    fields[n++] = (struct gate_log_field){"policy", gate_str_from_cstr(o.policy)};
    fields[n++] = (struct gate_log_field){"hook", gate_str_from_cstr(o.hook)};
    if (o.x != NULL) {
        if (o.x->route_name.n > 0)
            fields[n++] = (struct gate_log_field){"route", o.x->route_name};
        fields[n++] = (struct gate_log_field){"request", gate_str_of(o.x->id, o.x->id_len)};
    }
    if (t.n > 0)
        fields[n++] = (struct gate_log_field){"trace", gate_out_view(&t)};
    gate_log_write(task->vm->log, GATE_LOG_ERROR, message, fields, n);
}
