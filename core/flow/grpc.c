/* gRPC calls: their deadline, and what the gateway itself answers to them. A client of gRPC looks
 * for the status of its call in trailers, or in a head that is all of the answer; a status of HTTP
 * tells it little, and a page nothing. */
#include "flow/flow_int.h"

/* A deadline behind this is none: it will be another process that it ends in. */
#define FAR_MS (7ull * 24 * 3600 * 1000)

/* What fault and response hooks have for the page of a deadline. */
#define PAGE_MS 100

static const struct gate_str status_field = GATE_STR("grpc-status");
static const struct gate_str message_field = GATE_STR("grpc-message");

struct deadline {
    struct gate_timer timer;
    struct gate_exchange *exchange;
};

/* Hooks that make an answer when the deadline comes are ended, or they would keep the client
 * waiting; those that are asked because of it have a moment. */
static void on_deadline(struct gate_timer *t)
{
    struct gate_exchange *x = gate_container_of(t, struct deadline, timer)->exchange;

    if (x->step == GATE_STEP_RESPONSE_HOOKS || x->step == GATE_STEP_FAULT)
        x->flow->overdue = true;
    else
        gate_loop_timer(&x->worker->loop, t, PAGE_MS);
    gate_exchange_fault(x, GATE_FAULT_DEADLINE, 0, "grpc-timeout is over");
    gate_flow_resume(x);
}

/* A malformed deadline is for the server to judge. */
static bool begin_deadline(struct gate_exchange *x)
{
    struct gate_str value;
    struct deadline *d;
    uint64_t ms;

    if (!gate_headers_get(&x->req.headers, GATE_STR("grpc-timeout"), &value) ||
        !gate_grpc_timeout(value, &ms) || ms > FAR_MS)
        return true;
    d = gate_arena_alloc(&x->arena, sizeof(*d));
    d->exchange = x;
    gate_timer_init(&d->timer, on_deadline);
    gate_loop_timer(&x->worker->loop, &d->timer, ms > 0 ? ms : PAGE_MS);
    x->deadline = &d->timer;
    return ms > 0;
}

bool gate_flow_grpc_begin(struct gate_exchange *x)
{
    const struct gate_field *type = gate_fields_find(&x->req.head.fields, GATE_F_CONTENT_TYPE);

    x->grpc = type != NULL && gate_grpc_is(gate_field_value(type));
    return !x->grpc || begin_deadline(x);
}

bool gate_flow_grpc_lasts(const struct gate_exchange *x)
{
    return x->grpc && x->upstream != GATE_NO_ORDINAL &&
           gate_flow_config(x)->upstreams[x->upstream].http2 != GATE_HTTP2_NEVER;
}

bool gate_flow_call_off(struct gate_exchange *x, const char *why)
{
    if (!x->grpc || x->fault != GATE_FAULT_NONE)
        return false;
    gate_exchange_fault(x, GATE_FAULT_OVERLOAD, 0, why);
    gate_flow_resume(x);
    return true;
}

/* The fault itself says more than its status; a server that reset the stream has said why. */
static enum gate_grpc_code code_of_fault(const struct gate_exchange *x)
{
    uint32_t reset = x->flow->reset_code;

    if (x->fault == GATE_FAULT_RESET && reset != 0)
        return gate_grpc_of_reset(reset);
    return gate_fault_grpc(x->fault, x->fault_status);
}

/* Scripts may have given a page another status; then that counts. */
static enum gate_grpc_code code_of(const struct gate_exchange *x)
{
    int status = x->fault_status != 0 ? x->fault_status : gate_fault_status(x->fault);

    if (x->res.from == GATE_FROM_FAULT && x->res.status == status)
        return code_of_fault(x);
    return gate_grpc_of_status(x->res.status);
}

static struct gate_str code_text(struct gate_exchange *x, enum gate_grpc_code code)
{
    struct gate_out o = gate_out_on(gate_arena_alloc(&x->arena, 2), 2);

    gate_out_u64(&o, code);
    return gate_out_view(&o);
}

bool gate_flow_grpc_answer(struct gate_exchange *x, struct gate_message *m)
{
    struct gate_headers *h = &x->res.headers;
    struct gate_str text;

    if (x->res.from == GATE_FROM_UPSTREAM || gate_headers_get(h, status_field, &text))
        return false;
    text = gate_grpc_message(x->res.body, &x->arena);
    if (text.n == 0)
        text = gate_status_reason(x->res.status);
    x->res.body = GATE_STR_NONE;
    gate_headers_set(h, GATE_STR("content-type"), GATE_STR("application/grpc"));
    gate_headers_set(h, status_field, code_text(x, code_of(x)));
    gate_headers_set(h, message_field, text);
    m->status = 200;
    m->framing = GATE_BODY_NONE;
    return true;
}

bool gate_flow_grpc_is_head(const struct gate_exchange *x)
{
    const struct gate_response_head *head = x->res.head;
    struct gate_str value;

    if (!gate_headers_get(&x->res.headers, status_field, &value))
        return false;
    if (x->res.body_set)
        return x->res.body.n == 0;
    return head->framing == GATE_BODY_NONE ||
           (head->framing == GATE_BODY_LENGTH && head->content_length == 0);
}

static struct gate_field field_of(struct gate_str name, struct gate_str value)
{
    return (struct gate_field){.name = name.p,
                               .value = value.p,
                               .name_len = (uint16_t)name.n,
                               .value_len = (uint32_t)value.n};
}

uint32_t gate_flow_call_fields(struct gate_exchange *x, int status,
                               struct gate_field v[GATE_CALL_FIELDS])
{
    enum gate_grpc_code code = gate_fault_grpc(GATE_FAULT_BAD_REQUEST, status);

    v[0] = field_of(status_field, code_text(x, code));
    v[1] = field_of(message_field, gate_status_reason(status));
    v[2] = field_of(GATE_STR("content-type"), GATE_STR("application/grpc"));
    v[3] = field_of(GATE_STR("date"), gate_worker_date(x->worker));
    v[4] = field_of(GATE_STR("x-request-id"), gate_str_of(x->id, x->id_len));
    return GATE_CALL_FIELDS;
}

bool gate_flow_grpc_end(struct gate_exchange *x, struct gate_stream *down)
{
    struct gate_fields *fs;

    if (!x->grpc || x->fault == GATE_FAULT_NONE)
        return false;
    fs = gate_arena_zalloc(&x->arena, sizeof(*fs));
    fs->v = gate_arena_zalloc(&x->arena, 2 * sizeof(*fs->v));
    fs->n = fs->cap = 2;
    fs->v[0] = field_of(status_field, code_text(x, code_of_fault(x)));
    fs->v[1] = field_of(message_field, gate_str_from_cstr(gate_fault_text(x->fault)));
    if (down->ops->send_trailers(down, fs) != GATE_OK)
        return false;
    x->dn.trailers = fs; /* what log hooks see */
    return true;
}

struct gate_str gate_flow_grpc_status(const struct gate_exchange *x)
{
    const struct gate_fields *fs = x->dn.trailers;
    struct gate_str value = GATE_STR_NONE;

    for (uint32_t i = 0; fs != NULL && i < fs->n; i++)
        if (gate_str_ieq(gate_field_name(&fs->v[i]), status_field))
            return gate_field_value(&fs->v[i]);
    gate_headers_get(&x->res.headers, status_field, &value);
    return value;
}
