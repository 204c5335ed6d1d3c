/* The only place where a fault becomes a status and a page; the `fault` hook may answer instead. */
#include "flow/flow_int.h"

static void field(struct gate_field *f, struct gate_str name, enum gate_field_id id,
                  struct gate_str value)
{
    *f = (struct gate_field){name.p, value.p, (uint16_t)name.n, (uint16_t)id, (uint32_t)value.n};
}

struct gate_str gate_flow_page(struct gate_arena *arena, int status, struct gate_str id)
{
    struct gate_str reason = gate_status_reason(status);
    struct gate_out o = gate_out_on(gate_arena_alloc(arena, 160), 160);

    gate_out_u64(&o, (uint64_t)status);
    gate_out_char(&o, ' ');
    gate_out_str(&o, reason);
    GATE_OUT_LIT(&o, "\nrequest id: ");
    gate_out_str(&o, id);
    gate_out_char(&o, '\n');
    return gate_out_view(&o);
}

uint32_t gate_flow_page_fields(struct gate_worker *w, int status, struct gate_str id,
                               struct gate_field v[GATE_PAGE_FIELDS])
{
    uint32_t n = 0;

    field(&v[n++], GATE_STR("Content-Type"), GATE_F_CONTENT_TYPE,
          GATE_STR("text/plain; charset=utf-8"));
    field(&v[n++], GATE_STR("Date"), GATE_F_DATE, gate_worker_date(w));
    field(&v[n++], GATE_STR("X-Request-Id"), GATE_F_X_REQUEST_ID, id);
    if (status == 405)
        field(&v[n++], GATE_STR("Allow"), GATE_F_ALLOW, GATE_FLOW_ALLOW);
    return n;
}

void gate_flow_fault_reply(struct gate_exchange *x)
{
    struct gate_str id = gate_str_of(x->id, x->id_len);
    struct gate_reply *r = &x->reply;
    int status = x->fault_status != 0 ? x->fault_status : gate_fault_status(x->fault);

    memset(r, 0, sizeof(*r));
    r->set = true;
    r->status = status;
    r->headers.arena = &x->arena;
    r->body = x->grpc ? gate_str_from_cstr(gate_fault_text(x->fault))
                      : gate_flow_page(&x->arena, status, id);
    gate_headers_set(&r->headers, GATE_STR("Content-Type"), GATE_STR("text/plain; charset=utf-8"));
    gate_headers_set(&r->headers, GATE_STR("X-Request-Id"), id);
    if (x->flow->allow.n > 0)
        gate_headers_set(&r->headers, GATE_STR("Allow"), x->flow->allow);
    if (status == 503)
        gate_headers_set(&r->headers, GATE_STR("Retry-After"), GATE_STR("1"));
}

/* A 405 names the methods that there are, whoever writes its page. */
static void keep_allow(struct gate_exchange *x)
{
    struct gate_headers *h = &x->reply.headers;
    struct gate_str value;

    if (x->reply.status == 405 && x->flow->allow.n > 0 &&
        !gate_headers_get(h, GATE_STR("Allow"), &value))
        gate_headers_set(h, GATE_STR("Allow"), x->flow->allow);
}

/* The fault hooks see the fault; the first reply wins. */
enum gate_step_result gate_step_fault(struct gate_exchange *x)
{
    const struct gate_hook_verdict *v = &x->flow->verdict;

    GATE_TRACE(x, "fault", "%s: %s", gate_fault_name(x->fault),
               x->fault_why == NULL ? "" : x->fault_why);
    gate_flow_end_attempt(x, GATE_CLOSE_LINK_ERROR);
    if (gate_flow_has_hook(x, GATE_HOOK_FAULT) && !x->flow->plain_page) {
        if (gate_flow_hook(x, GATE_HOOK_FAULT, GATE_SCOPE_ALL) == GATE_STEP_WAIT)
            return GATE_STEP_WAIT;
        if (v->kind == GATE_VERDICT_REPLY) {
            keep_allow(x);
            return gate_flow_jump(x, GATE_STEP_RESPONSE_HOOKS);
        }
        x->flow->plain_page = v->kind == GATE_VERDICT_FAULT;
    }
    gate_flow_fault_reply(x);
    return gate_flow_jump(x, GATE_STEP_RESPONSE_HOOKS);
}
