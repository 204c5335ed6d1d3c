/* Admit: the head is valid; the exchange takes its own copy of what scripts may change, and the few
 * requests that the gateway answers by itself leave here. Then the global request hooks. */
#include "flow/flow_int.h"

/* Name of the field that switches a trace on, from trusted sources. */
static const struct gate_str trace_field = {"x-moongate-trace", 16};

static void copy_request(struct gate_exchange *x)
{
    struct gate_request *r = &x->req;
    const struct gate_request_head *h = &r->head;

    r->headers.original = &x->req.head.fields;
    r->headers.arena = &x->arena;
    r->method = h->method_text;
    r->method_id = h->method;
    r->scheme = x->client.proto;
    r->host = h->host;
    r->path = h->path;
    r->path_text = h->path_text;
    r->query = h->query;
    r->has_query = h->has_query;
}

static void begin_trace(struct gate_exchange *x)
{
    struct gate_str value;

    if (!gate_log_on(x->worker->log, GATE_LOG_DEBUG) &&
        !(x->client.trusted && gate_headers_get(&x->req.headers, trace_field, &value)))
        return;
    x->trace = gate_trace_new(&x->arena, x->times.begin);
    GATE_TRACE(x, "begin", "%.*s %.*s from %.*s", (int)x->req.method.n, x->req.method.p,
               (int)x->req.head.target.n, x->req.head.target.p, (int)x->client.ip.n,
               x->client.ip.p);
}

/* OPTIONS * and OPTIONS with Max-Forwards: 0 end here (RFC 9110 sections 7.6.2 and 9.3.7). */
static bool answered_here(struct gate_exchange *x)
{
    const struct gate_request_head *h = &x->req.head;

    if (h->method != GATE_M_OPTIONS || !(h->options_star || h->max_forwards == 0))
        return false;
    x->reply.set = true;
    x->reply.status = 200;
    x->reply.headers.arena = &x->arena;
    gate_headers_set(&x->reply.headers, GATE_STR("allow"), GATE_FLOW_ALLOW);
    return true;
}

enum gate_step_result gate_step_admit(struct gate_exchange *x)
{
    gate_pump_init(&x->up, &x->worker->loop, gate_flow_on_up_end, x);
    gate_pump_init(&x->dn, &x->worker->loop, gate_flow_on_dn_end, x);
    x->up.keep = GATE_REPLAY_LIMIT;
    gate_pump_from(&x->up, x->down);
    if (x->req.head.framing == GATE_BODY_NONE) {
        gate_pump_src_end(&x->up);
        x->flow->up_over = true;
    }
    copy_request(x);
    begin_trace(x);
    if (x->req.head.h2 && x->req.head.method == GATE_M_POST && !gate_flow_grpc_begin(x))
        return gate_flow_fail(x, GATE_FAULT_DEADLINE, 0, "grpc-timeout is over");
    return answered_here(x) ? gate_flow_jump(x, GATE_STEP_RESPONSE_HOOKS) : GATE_STEP_NEXT;
}

enum gate_step_result gate_step_request_hooks(struct gate_exchange *x)
{
    if (!(gate_flow_config(x)->global_hooks & (1u << GATE_HOOK_REQUEST)))
        return GATE_STEP_NEXT;
    if (gate_flow_hook(x, GATE_HOOK_REQUEST, GATE_SCOPE_GLOBAL) == GATE_STEP_WAIT)
        return GATE_STEP_WAIT;
    return gate_flow_verdict(x);
}
