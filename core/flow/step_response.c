/* The answer: waits for the response head, runs the response hooks, writes the head for the client.
 */
#include "base/assert.h"
#include "flow/flow_int.h"

/* ------------------------------------------------------------------ read head */

static bool retry_status(struct gate_exchange *x, int status)
{
    const struct gate_upstream_config *u = x->flow->upstream;

    for (uint32_t i = 0; i < u->n_retry_statuses; i++) {
        if (u->retry_statuses[i] == status)
            return gate_method_idempotent(x->req.method_id) && gate_flow_may_retry(x);
    }
    return false;
}

/* What came instead of a head: the reply of a request_body hook, or a failure. */
static GATE_COLD enum gate_step_result no_head(struct gate_exchange *x)
{
    enum gate_err e = x->flow->failed;

    if (x->reply.set)
        return gate_flow_jump(x, GATE_STEP_RESPONSE_HOOKS);
    x->flow->failed = GATE_OK;
    return gate_flow_attempt_failed(x, e, x->flow->failed_why);
}

/* A head with which it may end here, or begin anew. NEXT: it does not. */
static GATE_COLD enum gate_step_result judge_head(struct gate_exchange *x)
{
    const char *why = x->req.head.connect ? gate_flow_switch_fault(x) : NULL;

    if (retry_status(x, x->attempt->head.status) && gate_flow_try_again(x))
        return gate_flow_jump(x, GATE_STEP_PICK_PEER);
    return why == NULL ? GATE_STEP_NEXT : gate_flow_fail(x, GATE_FAULT_PROTOCOL, 0, why);
}

enum gate_step_result gate_step_read_head(struct gate_exchange *x)
{
    struct gate_attempt *a = x->attempt;

    if (GATE_UNLIKELY(x->reply.set || x->flow->failed != GATE_OK))
        return no_head(x);
    if (a->head.status == 0)
        return GATE_STEP_WAIT;
    if (GATE_UNLIKELY(x->flow->upstream->n_retry_statuses > 0 || x->req.head.connect)) {
        enum gate_step_result r = judge_head(x);

        if (r != GATE_STEP_NEXT)
            return r;
    }
    x->res.status = a->head.status;
    x->res.from = GATE_FROM_UPSTREAM;
    x->res.head = &a->head;
    x->res.headers.original = &a->head.fields;
    x->res.headers.arena = &x->arena;
    GATE_TRACE(x, "read_head", "%d", x->res.status);
    return GATE_STEP_NEXT;
}

/* ------------------------------------------------------------------ response hooks */

/* The reply becomes the response; what came from upstream before it is let go. */
static void reply_to_response(struct gate_exchange *x)
{
    gate_flow_end_attempt(x, GATE_CLOSE_LINK_ERROR);
    gate_pump_fini(&x->dn);
    gate_pump_init(&x->dn, &x->worker->loop, gate_flow_on_dn_end, x);
    gate_block_unref(&x->res.block);
    memset(&x->res, 0, sizeof(x->res));
    x->res.status = x->reply.status;
    x->res.from = x->flow->fault_taken ? GATE_FROM_FAULT : GATE_FROM_REPLY;
    x->res.headers = x->reply.headers;
    x->res.headers.arena = &x->arena;
    x->res.body_set = true;
    x->res.body = x->reply.body;
    x->reply.set = false;
    x->seen = 0;
}

/* A retry that is not possible leaves the answer that there is, for the hooks further out too. */
static GATE_COLD enum gate_step_result retry_or_go_on(struct gate_exchange *x)
{
    struct gate_hook_verdict v = x->flow->verdict;
    enum gate_step_result r = gate_flow_retry(x, v.upstream);

    if (r == GATE_STEP_NEXT && v.more) {
        x->flow->hook = GATE_HOOK_NOT_RUN;
        return gate_step_response_hooks(x);
    }
    gate_flow_switch_answered(x);
    return r;
}

enum gate_step_result gate_step_response_hooks(struct gate_exchange *x)
{
    const struct gate_hook_verdict *v = &x->flow->verdict;

    if (x->reply.set)
        reply_to_response(x);
    if (!gate_flow_has_hook(x, GATE_HOOK_RESPONSE) || x->flow->plain_page)
        return GATE_STEP_NEXT;
    if (gate_flow_hook(x, GATE_HOOK_RESPONSE, GATE_SCOPE_ALL) == GATE_STEP_WAIT)
        return GATE_STEP_WAIT;
    if (v->kind == GATE_VERDICT_FAULT) {
        /* The rest of the chain is skipped, and the built-in page goes out as it is. */
        x->flow->plain_page = true;
        if (x->flow->fault_taken) {
            gate_flow_fault_reply(x);
            reply_to_response(x);
            return GATE_STEP_NEXT;
        }
        return gate_flow_verdict(x);
    }
    if (v->kind == GATE_VERDICT_RETRY)
        return retry_or_go_on(x);
    if (v->kind != GATE_VERDICT_REPLY) {
        gate_flow_switch_answered(x);
        return GATE_STEP_NEXT;
    }
    reply_to_response(x);
    if (!v->more)
        return GATE_STEP_NEXT;
    x->flow->hook = GATE_HOOK_NOT_RUN;
    return gate_step_response_hooks(x);
}

/* ------------------------------------------------------------------ send head */

/* Content-Length as the upstream said it where no body follows (HEAD, 304). */
static void framing_without_body(const struct gate_response_head *head, struct gate_message *m)
{
    const struct gate_field *f = gate_fields_find(&head->fields, GATE_F_CONTENT_LENGTH);
    uint64_t n = 0;

    if (f != NULL && gate_str_to_u64(gate_field_value(f), &n)) {
        m->framing = GATE_BODY_LENGTH;
        m->content_length = n;
    } else {
        m->framing = GATE_BODY_NONE;
    }
}

static void decide_framing(const struct gate_exchange *x, struct gate_message *m)
{
    bool no_content = m->status < 200 || m->status == 204 || m->status == 304;

    if (x->dn.filters != NULL) {
        m->framing = GATE_BODY_CHUNKED;
        return;
    }
    if (x->flow->length_unknown) {
        m->framing = GATE_BODY_NONE;
        return;
    }
    if (x->res.body_set) {
        m->framing = no_content ? GATE_BODY_NONE : GATE_BODY_LENGTH;
        m->content_length = x->res.body.n;
        return;
    }
    m->framing = x->res.head->framing;
    m->content_length = x->res.head->content_length;
    /* What the client asked for counts, not what a script made of its method. */
    if (m->status == 304 ||
        (m->framing == GATE_BODY_NONE && x->req.head.method == GATE_M_HEAD))
        framing_without_body(x->res.head, m);
    else if (m->framing == GATE_BODY_NONE && !no_content && !x->grpc)
        m->explicit_zero = true;
}

/* A head that cannot be written: a fault, whose page the hooks may still touch; where that does not
 * fit either, the built-in page; without memory the client sees the connection end. */
static enum gate_step_result head_failed(struct gate_exchange *x, enum gate_err e)
{
    if (e == GATE_E_LIMIT && !x->flow->plain_page) {
        x->flow->plain_page = x->flow->fault_taken;
        return gate_flow_fail(x, GATE_FAULT_PROTOCOL, 0, "the response head is too large");
    }
    gate_exchange_fault(x, GATE_FAULT_OVERLOAD, 0, "the response head cannot be sent");
    gate_flow_end_attempt(x, GATE_CLOSE_LINK_ERROR);
    gate_flow_leave_client(x);
    return gate_flow_jump(x, GATE_STEP_LOG);
}

enum gate_step_result gate_step_send_head(struct gate_exchange *x)
{
    struct gate_field extra[2];
    struct gate_str value;
    struct gate_message m = {
        .status = x->res.status,
        .headers = &x->res.headers,
        .drop = GATE_DROP_RESPONSE,
        .extra = extra,
        .head_is_all = x->grpc,
    };
    bool status_only = GATE_UNLIKELY(x->grpc) && gate_flow_grpc_answer(x, &m);
    enum gate_err e;

    if (GATE_UNLIKELY(x->req.head.connect) && x->res.status / 100 == 2)
        return gate_flow_success_refused(x);
    if (!status_only && !gate_flow_filter_response(x))
        return gate_flow_jump(x, GATE_STEP_FAULT);
    m.drop_nominated =
        x->res.head != NULL && (x->res.head->fields.known & GATE_F_BIT(GATE_F_CONNECTION)) != 0;
    if (!gate_headers_get_id(&x->res.headers, GATE_F_DATE, &value))
        gate_flow_field(&extra[m.n_extra++], GATE_F_DATE, gate_worker_date(x->worker));
    if (GATE_UNLIKELY(m.status == 101 || m.status == 426) &&
        (value = gate_flow_upgrade_said(x)).n > 0)
        gate_flow_field(&extra[m.n_extra++], GATE_F_UPGRADE, value);
    if (!status_only)
        decide_framing(x, &m);
    e = x->down->ops->send_head(x->down, &m, m.framing == GATE_BODY_NONE);
    if (e != GATE_OK)
        return head_failed(x, e);
    x->head_sent = x->answered = true;
    x->times.head_sent = x->worker->loop.now_ns;
    return GATE_STEP_NEXT;
}
