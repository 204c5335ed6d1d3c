/* read_body and set_body for scripts: a body is gathered in its pump before the pump has a sink;
 * nothing is lost when it turns out too large. */
#include "base/assert.h"
#include "flow/flow_int.h"

static struct gate_pump *pump_of(struct gate_exchange *x, bool response)
{
    return response ? &x->dn : &x->up;
}

/* Whether what is gathered answers a reader of at most `max` bytes. */
static enum gate_err state_of(struct gate_exchange *x, bool response, size_t max)
{
    const struct gate_pump *p = pump_of(x, response);

    if (p->in.bytes > max)
        return GATE_E_LIMIT;
    if (p->src_ended)
        return GATE_OK;
    if (x->fault != GATE_FAULT_NONE || (response && x->attempt == NULL))
        return GATE_E_CLOSED;
    return GATE_E_AGAIN;
}

static uint64_t announced(const struct gate_exchange *x, bool response)
{
    if (response)
        return x->res.head != NULL && x->res.head->framing == GATE_BODY_LENGTH
                   ? x->res.head->content_length
                   : 0;
    return x->req.head.framing == GATE_BODY_LENGTH ? x->req.head.content_length : 0;
}

static void on_cancel(struct gate_wait *w)
{
    struct gate_exchange *x = w->user;

    for (int i = 0; i < 2; i++) {
        if (x->flow->reader[i] == w)
            x->flow->reader[i] = NULL;
    }
}

static enum gate_err read_body(struct gate_exchange *x, bool response, size_t max,
                               struct gate_wait *w)
{
    struct gate_flow_state *f = x->flow;
    struct gate_pump *p = pump_of(x, response);
    enum gate_err e;

    if (response && gate_flow_is_tunnel(x)) /* what follows a 101 is no body */
        f->body_made[1] = true;
    if (f->body_made[response])
        return f->body[response].n > max ? GATE_E_LIMIT : GATE_OK;
    if (response && x->res.body_set) {
        f->body[1] = x->res.body;
        f->body_made[1] = true;
        return x->res.body.n > max ? GATE_E_LIMIT : GATE_OK;
    }
    if (response && x->attempt != NULL && p->src == NULL)
        p->src = x->attempt->stream;
    /* Also when the sink has gone, what has passed is not here any more. */
    if (p->dst != NULL || p->got > p->in.bytes || (response && x->attempt == NULL))
        return GATE_E_CLOSED;
    if (announced(x, response) > max)
        return GATE_E_LIMIT;
    e = state_of(x, response, max);
    if (e != GATE_E_AGAIN)
        return e;
    f->reader[response] = w;
    f->reader_max[response] = max;
    w->user = x;
    gate_wait_arm(w, 0, on_cancel);
    gate_pump_gather(p, max + 1);
    return GATE_E_AGAIN;
}

void gate_flow_body_moved(struct gate_exchange *x, bool response)
{
    struct gate_flow_state *f = x->flow;
    struct gate_wait *w = f->reader[response];
    enum gate_err e;

    if (w == NULL)
        return;
    e = state_of(x, response, f->reader_max[response]);
    if (e == GATE_E_AGAIN) {
        gate_pump_gather(pump_of(x, response), f->reader_max[response] + 1);
        return;
    }
    f->reader[response] = NULL;
    gate_wait_wake(w, e);
}

void gate_flow_body_cancel(struct gate_exchange *x, enum gate_err e)
{
    for (int i = 0; i < 2; i++) {
        struct gate_wait *w = x->flow->reader[i];

        x->flow->reader[i] = NULL;
        if (w != NULL)
            gate_wait_wake(w, e);
    }
}

static struct gate_str body(struct gate_exchange *x, bool response)
{
    struct gate_flow_state *f = x->flow;
    struct gate_pump *p = pump_of(x, response);
    char *copy;

    if (f->body_made[response])
        return f->body[response];
    copy = gate_arena_alloc(&x->arena, p->in.bytes + 1);
    gate_chain_read(&p->in, copy);
    f->body[response] = gate_str_of(copy, p->in.bytes);
    f->body_made[response] = true;
    return f->body[response];
}

bool gate_flow_place_body(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;

    f->body_waits = false;
    f->up_over = false;
    return gate_pump_replace(&x->up, f->body[0]);
}

/* Whether another body may still go up: now, or with a try that a response hook may ask for. */
static bool may_replace(const struct gate_exchange *x)
{
    return !x->head_sent && (x->up.dst == NULL || x->attempt->head.status != 0);
}

/* What is on its way is left alone: the new bytes are for the next try. */
static void set_request_body(struct gate_exchange *x)
{
    x->flow->body_replaced = true;
    x->flow->body_waits = true;
    if (x->up.dst == NULL && x->up.holder == NULL && !gate_flow_place_body(x))
        gate_exchange_fault(x, GATE_FAULT_OVERLOAD, 0, "no memory for the body");
}

static void drop_digests(struct gate_headers *h)
{
    static const char *const names[] = {"Content-MD5", "Digest", "Content-Digest", "Repr-Digest"};
    struct gate_str ignored;

    for (size_t i = 0; i < GATE_COUNT_OF(names); i++) {
        struct gate_str name = gate_str_from_cstr(names[i]);

        if (gate_headers_get(h, name, &ignored))
            gate_headers_remove(h, name);
    }
}

static void weaken_etag(struct gate_exchange *x, struct gate_headers *h)
{
    struct gate_str tag;
    char *weak;

    if (!gate_headers_get_id(h, GATE_F_ETAG, &tag) || gate_str_starts(tag, GATE_STR("W/")))
        return;
    weak = gate_arena_alloc(&x->arena, tag.n + 2);
    memcpy(weak, "W/", 2);
    memcpy(weak + 2, tag.p, tag.n);
    gate_headers_set(h, GATE_STR("ETag"), gate_str_of(weak, tag.n + 2));
}

void gate_flow_bytes_change(struct gate_exchange *x, struct gate_headers *h)
{
    drop_digests(h);
    weaken_etag(x, h);
}

static bool set_body(struct gate_exchange *x, bool response, struct gate_str s)
{
    struct gate_str copy;

    if (!response && !may_replace(x))
        return false;
    copy = gate_arena_copy(&x->arena, s);
    gate_flow_bytes_change(x, response ? &x->res.headers : &x->req.headers);
    x->flow->body[response] = copy;
    x->flow->body_made[response] = true;
    if (!response) {
        set_request_body(x);
        return true;
    }
    x->res.body_set = true;
    x->res.body = copy;
    return true;
}

const struct gate_hook_services gate_flow_services = {
    .read_body = read_body,
    .body = body,
    .set_body = set_body,
    .peers = gate_flow_peers,
    .use_peer = gate_flow_use_peer,
};
