/* The life of an exchange: one const array of steps, one loop that drives them. A step returns
 * NEXT, WAIT, JUMP or OVER; the few legal jumps stand below the array and are asserted. */
#include "base/assert.h"
#include "flow/flow_int.h"

static const struct {
    const char *name;
    gate_step_fn *run;
} steps[GATE_STEP_COUNT] = {
    [GATE_STEP_ADMIT] = {"admit", gate_step_admit},
    [GATE_STEP_REQUEST_HOOKS] = {"request_hooks", gate_step_request_hooks},
    [GATE_STEP_ROUTE] = {"route", gate_step_route},
    [GATE_STEP_ROUTE_HOOKS] = {"route_hooks", gate_step_route_hooks},
    [GATE_STEP_ANSWER] = {"answer", gate_step_answer},
    [GATE_STEP_PICK_PEER] = {"pick_peer", gate_step_pick_peer},
    [GATE_STEP_DIAL] = {"dial", gate_step_dial},
    [GATE_STEP_SEND_REQUEST] = {"send_request", gate_step_send_request},
    [GATE_STEP_READ_HEAD] = {"read_head", gate_step_read_head},
    [GATE_STEP_RESPONSE_HOOKS] = {"response_hooks", gate_step_response_hooks},
    [GATE_STEP_SEND_HEAD] = {"send_head", gate_step_send_head},
    [GATE_STEP_RELAY] = {"relay", gate_step_relay},
    [GATE_STEP_LOG] = {"log", gate_step_log},
    [GATE_STEP_FINISH] = {"finish", gate_step_finish},
    [GATE_STEP_FAULT] = {"fault", gate_step_fault},
};

/* Where a jump may go, from where. Anything may fault; an exchange whose client is gone goes to its
 * log. */
static bool jump_is_legal(uint8_t from, uint8_t to)
{
    if (to == GATE_STEP_FAULT)
        return from <= GATE_STEP_SEND_HEAD;
    if (to == GATE_STEP_LOG)
        return true;
    if (to == GATE_STEP_RESPONSE_HOOKS) /* a reply or a fault page */
        return from <= GATE_STEP_READ_HEAD || from == GATE_STEP_FAULT;
    if (to == GATE_STEP_PICK_PEER) /* a try is left, or a response hook asked for one */
        return from >= GATE_STEP_PICK_PEER && from <= GATE_STEP_RESPONSE_HOOKS;
    return to == GATE_STEP_SEND_HEAD && from == GATE_STEP_RESPONSE_HOOKS;
}

const char *gate_flow_step_name(const struct gate_exchange *x)
{
    return x->step < GATE_STEP_COUNT ? steps[x->step].name : "?";
}

enum gate_step_result gate_flow_fail(struct gate_exchange *x, enum gate_fault_code code, int status,
                                     const char *why)
{
    gate_exchange_fault(x, code, status, why);
    return gate_flow_jump(x, GATE_STEP_FAULT);
}

void gate_flow_resume(struct gate_exchange *x)
{
    gate_loop_ready(&x->worker->loop, &x->resume);
}

void gate_flow_warn(struct gate_exchange *x, const char *text)
{
    const struct gate_log_field fields[] = {
        {"request", gate_str_of(x->id, x->id_len)},
        {"route", x->route_name},
    };

    gate_log_write(x->worker->log, GATE_LOG_WARN, text, fields, x->route_name.n > 0 ? 2 : 1);
}

/* What came from outside since the last step: a client that left, a first fault, the end of the
 * time for an answer. They move the exchange to where it is answered or ended. */
static void take_events(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;

    if (x->step >= GATE_STEP_LOG && x->step != GATE_STEP_FAULT)
        return;
    if (!x->client_gone && (x->fault == GATE_FAULT_NONE || f->fault_taken) && !f->overdue)
        return;
    f->plain_page |= f->overdue;
    f->overdue = false;
    if (x->hook != NULL)
        gate_hook_cancel(&x->hook);
    gate_flow_body_cancel(x, GATE_E_CANCELLED);
    f->hook = GATE_HOOK_NOT_RUN;
    f->fault_taken = true;
    gate_flow_end_attempt(x, GATE_CLOSE_LINK_ERROR);
    if (x->client_gone || x->head_sent) {
        gate_flow_leave_client(x);
        x->step = GATE_STEP_LOG;
    } else {
        x->step = GATE_STEP_FAULT;
    }
}

static void jump(struct gate_exchange *x)
{
    GATE_ASSERT(jump_is_legal(x->step, x->jump));
    x->step = x->jump;
    if (x->fault != GATE_FAULT_NONE && x->step == GATE_STEP_FAULT)
        x->flow->fault_taken = true;
}

static __attribute__((noinline)) void trace(struct gate_exchange *x, uint8_t at,
                                             enum gate_step_result r)
{
    GATE_TRACE(x, steps[at].name, r == GATE_STEP_JUMP ? "to %s" : "ok%.0s", steps[x->step].name);
}

static void run(struct gate_exchange *x)
{
    GATE_ASSERT(!x->running);
    x->running = true;
    take_events(x);
    for (;;) {
        uint8_t at = x->step;
        enum gate_step_result r = steps[at].run(x);

        if (GATE_LIKELY(r == GATE_STEP_NEXT)) {
            x->step = (uint8_t)(at + 1);
        } else if (r == GATE_STEP_JUMP) {
            jump(x);
        } else {
            if (r == GATE_STEP_WAIT)
                x->running = false;
            return;
        }
        x->flow->hook = GATE_HOOK_NOT_RUN;
        if (GATE_UNLIKELY(x->trace != NULL))
            trace(x, at, r);
    }
}

static void on_resume(struct gate_ready *r)
{
    struct gate_exchange *x = gate_container_of(r, struct gate_exchange, resume);

    run(x);
}

void gate_flow_start(struct gate_exchange *x)
{
    gate_counters_add(&x->worker->counters, GATE_C_REQUESTS, 1);
    gate_ready_init(&x->resume, on_resume);
    x->flow = gate_arena_alloc(&x->arena, sizeof(*x->flow));
    memset(x->flow, 0, offsetof(struct gate_flow_state, dial_wait));
    x->times.head = x->worker->loop.now_ns;
    run(x);
}

void gate_flow_client_gone(struct gate_exchange *x, const char *why)
{
    x->session = NULL;
    x->down = NULL;
    x->client_gone = true;
    gate_pump_src_broken(&x->up);
    gate_pump_dst_broken(&x->dn);
    gate_exchange_fault(x, GATE_FAULT_CLIENT_GONE, 499, why);
    gate_flow_resume(x);
}

void gate_flow_body_fault(struct gate_exchange *x, enum gate_fault_code code, int status,
                          const char *why)
{
    gate_exchange_fault(x, code, status, why);
    gate_flow_resume(x);
}

static void on_hook_done(void *arg, const struct gate_hook_verdict *v)
{
    struct gate_exchange *x = arg;

    x->flow->verdict = *v;
    x->flow->hook = GATE_HOOK_RAN;
    gate_flow_resume(x);
}

static enum gate_vm_result call(struct gate_exchange *x, enum gate_flow_question q,
                                enum gate_hook hook, enum gate_hook_scope scope)
{
    struct gate_hook_verdict *v = &x->flow->verdict;

    memset(v, 0, sizeof(*v));
    if (q == GATE_ASK_WHEN)
        return gate_hook_when(x, on_hook_done, v);
    if (q == GATE_ASK_HANDLER)
        return gate_hook_handler(x, on_hook_done, v);
    if (q == GATE_ASK_BALANCER)
        return gate_hook_balancer(x, on_hook_done, v);
    return gate_hook_call(x, hook, scope, on_hook_done, v);
}

enum gate_step_result gate_flow_ask(struct gate_exchange *x, enum gate_flow_question q,
                                    enum gate_hook hook, enum gate_hook_scope scope)
{
    if (x->flow->hook == GATE_HOOK_RAN)
        return GATE_STEP_NEXT;
    if (x->flow->hook == GATE_HOOK_RUNS)
        return GATE_STEP_WAIT;
    if (call(x, q, hook, scope) == GATE_VM_YIELD) {
        x->flow->hook = GATE_HOOK_RUNS;
        return GATE_STEP_WAIT;
    }
    x->flow->hook = GATE_HOOK_RAN;
    return GATE_STEP_NEXT;
}

enum gate_fault_code gate_flow_hook_fault(const struct gate_hook_verdict *v)
{
    if (v->result == GATE_VM_BARRED)
        return GATE_FAULT_QUARANTINED;
    return v->result == GATE_VM_KILLED ? GATE_FAULT_SCRIPT_KILLED : GATE_FAULT_SCRIPT_ERROR;
}

enum gate_step_result gate_flow_verdict(struct gate_exchange *x)
{
    const struct gate_hook_verdict *v = &x->flow->verdict;

    if (v->kind == GATE_VERDICT_REPLY)
        return gate_flow_jump(x, GATE_STEP_RESPONSE_HOOKS);
    if (v->kind != GATE_VERDICT_FAULT)
        return GATE_STEP_NEXT;
    return gate_flow_fail(x, gate_flow_hook_fault(v), 0, "a hook failed");
}

enum gate_vm_result gate_flow_connect(struct gate_worker *w, const struct gate_connect_info *info,
                                      gate_hook_done *done, void *arg,
                                      struct gate_hook_run **run_out, struct gate_hook_verdict *v)
{
    return gate_hook_connect(w->seat->vm, info, done, arg, run_out, v);
}

enum gate_vm_result gate_flow_certificate(struct gate_worker *w, struct gate_hook_hello *hello,
                                          gate_hook_done *done, void *arg,
                                          struct gate_hook_run **run, struct gate_hook_verdict *v)
{
    return gate_hook_certificate(w->seat->vm, hello, done, arg, run, v);
}
