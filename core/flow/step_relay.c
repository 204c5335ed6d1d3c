/* Relay: the body goes down while the rest of the request goes up, until both pumps have ended; a
 * tunnel is the same with raw bytes. Then the exchange lets go of the client, so that the session
 * works on while the log hooks run. */
#include "base/assert.h"
#include "exchange/tunnel_seat.h"
#include "flow/flow_int.h"

/* A tunnel may outlive many generations: it lets its own go, unless log hooks wait for its end. */
static void leave_generation(struct gate_exchange *x)
{
    if (gate_flow_has_hook(x, GATE_HOOK_LOG))
        return;
    if (x->scripted)
        gate_hook_forget(x);
    gate_tunnel_seat_take(x);
    x->flow->upstream = &gate_flow_config(x)->upstreams[0];
}

/* Both directions of a tunnel are pumps over raw bytes; what the upload was before is over. */
static void begin_tunnel(struct gate_exchange *x)
{
    gate_counters_add(&x->worker->counters, GATE_C_TUNNELS, 1);
    gate_loop_untimer(&x->worker->loop, &x->timer); /* timeouts.total is of what came before */
    leave_generation(x);
    gate_pump_fini(&x->up);
    gate_pump_init(&x->up, &x->worker->loop, gate_flow_on_up_end, x);
    x->flow->up_over = false;
    gate_pump_from(&x->up, x->down);
    gate_pump_to(&x->up, x->attempt->stream);
    gate_pump_from(&x->dn, x->attempt->stream);
    gate_pump_to(&x->dn, x->down);
}

/* A body of ours passes the body hooks like any other. */
static void begin_filtered(struct gate_exchange *x)
{
    struct gate_filter *filters = x->dn.filters;
    struct gate_chain body;

    gate_flow_end_attempt(x, GATE_CLOSE_EARLY_ANSWER);
    gate_pump_fini(&x->dn);
    gate_pump_init(&x->dn, &x->worker->loop, gate_flow_on_dn_end, x);
    gate_pump_filter(&x->dn, filters);
    gate_chain_init(&body, &x->worker->loop.blocks);
    if (x->res.body.n > 0 && gate_chain_copy(&body, x->res.body.p, x->res.body.n) != 0)
        gate_exchange_fault(x, GATE_FAULT_OVERLOAD, 0, "no memory for the body");
    gate_chain_move(&x->dn.in, &body);
    gate_pump_src_end(&x->dn);
    gate_pump_to(&x->dn, x->down);
}

static void begin(struct gate_exchange *x)
{
    struct gate_chain body;

    if (gate_flow_is_tunnel(x)) {
        begin_tunnel(x);
        return;
    }
    if (x->res.body_set && x->dn.filters != NULL) {
        begin_filtered(x);
        return;
    }
    if (!x->res.body_set) {
        gate_pump_from(&x->dn, x->attempt->stream);
        gate_pump_to(&x->dn, x->down);
        return;
    }
    gate_chain_init(&body, &x->worker->loop.blocks);
    if (x->res.body.n > 0 && gate_chain_copy(&body, x->res.body.p, x->res.body.n) != 0)
        gate_exchange_fault(x, GATE_FAULT_OVERLOAD, 0, "no memory for the body");
    else
        x->dn_complete = x->down->ops->send_body(x->down, &body, true) == GATE_OK;
    gate_chain_clear(&body);
    x->flow->dn_over = true;
}

enum gate_step_result gate_step_relay(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;

    if (!f->relaying) {
        f->relaying = true;
        begin(x);
    }
    if (x->fault != GATE_FAULT_NONE && !f->fault_taken)
        f->dn_over = f->up_over = f->fault_taken = true;
    /* A complete answer ends the exchange: what the client still uploads is of no interest to
     * anybody. In a tunnel each side ends for itself. */
    if (!f->dn_over || (gate_flow_is_tunnel(x) && !f->up_over))
        return GATE_STEP_WAIT;
    gate_flow_end_attempt(x, GATE_CLOSE_EARLY_ANSWER);
    gate_flow_leave_client(x);
    return GATE_STEP_NEXT;
}

/* The answer is not complete. */
static GATE_COLD void break_off(struct gate_exchange *x, struct gate_stream *down)
{
    if (x->head_sent && gate_flow_grpc_end(x, down))
        down->ops->give_back(down);
    else
        down->ops->reset(down, x->fault == GATE_FAULT_NONE ? GATE_CLOSE_FAULT
                                                           : GATE_CLOSE_UPSTREAM_TRUNCATED);
}

void gate_flow_leave_client(struct gate_exchange *x)
{
    struct gate_stream *down = x->down;

    x->up.src = NULL;
    x->dn.dst = NULL;
    x->down = NULL;
    x->session = NULL;
    x->times.end = x->worker->loop.now_ns;
    if (GATE_UNLIKELY(x->deadline != NULL))
        gate_loop_untimer(&x->worker->loop, x->deadline);
    if (down == NULL)
        return;
    if (GATE_LIKELY(x->head_sent && x->dn_complete))
        down->ops->give_back(down);
    else
        break_off(x, down);
}

enum gate_step_result gate_step_log(struct gate_exchange *x)
{
    if (!x->flow->accounted) {
        x->flow->accounted = true;
        gate_flow_account(x);
    }
    if (!gate_flow_has_hook(x, GATE_HOOK_LOG))
        return GATE_STEP_NEXT;
    return gate_flow_hook(x, GATE_HOOK_LOG, GATE_SCOPE_ALL);
}

enum gate_step_result gate_step_finish(struct gate_exchange *x)
{
    x->finished = true;
    if (x->trace != NULL)
        gate_trace_write(x->trace, x->worker->log, gate_str_of(x->id, x->id_len));
    if (x->scripted)
        gate_hook_forget(x);
    gate_exchange_free(&x);
    return GATE_STEP_OVER;
}
