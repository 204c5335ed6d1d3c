/* gate.retry: a response hook does not want the answer that came, be it the upstream's, a reply or
 * a fault page, and has the request sent once more. */
#include "flow/flow_int.h"

/* The request body as it was, for another try: from the replay list, or as read_body read it. */
static bool rewind_body(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;
    struct gate_str body = f->body[0];

    if (f->body_waits)
        return gate_flow_place_body(x);
    if (gate_pump_rewind(&x->up))
        return true;
    if (!f->body_made[0] || x->up.filters != NULL)
        return false;
    gate_chain_clear(&x->up.in);
    if (gate_chain_copy(&x->up.in, body.p, body.n) != 0)
        return false;
    gate_chain_share(&x->up.replay, &x->up.in);
    x->up.kept_all = true;
    return gate_pump_rewind(&x->up);
}

/* Why there is no other try; NULL: there may be one. */
static const char *obstacle(struct gate_exchange *x, uint32_t upstream)
{
    const struct gate_flow_state *f = x->flow;
    uint32_t tries = f->upstream == NULL ? GATE_TRIES_MAX : f->upstream->tries;

    if (upstream == GATE_NO_ORDINAL && f->upstream == NULL)
        return "the request had no upstream; name one";
    if (x->tries >= tries || x->tries >= GATE_TRIES_MAX)
        return "all tries of retry.tries are used up";
    if (f->local != NULL && !gate_local_take_retry(f->local, gate_loop_now(&x->worker->loop)))
        return "the retry budget of the upstream is used up";
    return NULL;
}

static void refuse(struct gate_exchange *x, const char *why)
{
    struct gate_out o = gate_out_on(gate_arena_alloc(&x->arena, 160), 159);

    gate_out_fmt(&o, "gate.retry: %s; what there is is answered", why);
    o.p[o.n] = '\0';
    gate_flow_warn(x, o.p);
}

/* Nothing of the answer stays, edits included. */
static void forget_answer(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;

    gate_flow_end_attempt(x, GATE_CLOSE_LINK_ERROR);
    gate_block_unref(&x->res.block);
    memset(&x->res, 0, sizeof(x->res));
    memset(&x->reply, 0, sizeof(x->reply));
    x->seen = 0;
    gate_pump_fini(&x->dn);
    gate_pump_init(&x->dn, &x->worker->loop, gate_flow_on_dn_end, x);
    x->fault = GATE_FAULT_NONE;
    x->fault_status = 0;
    x->fault_why = NULL;
    f->fault_taken = false;
    f->body_made[1] = false;
    f->failed = GATE_OK;
    f->dial = GATE_OK;
    f->up_over = x->req.head.framing == GATE_BODY_NONE && !f->body_replaced;
}

/* At another server where there is one, else at the same. */
static bool has_other_peer(const struct gate_exchange *x)
{
    const struct gate_flow_state *f = x->flow;

    return x->peer != NULL && f->n_tried < GATE_TRIES_MAX &&
           gate_balance_has_other(f->local->set, gate_loop_now(&x->worker->loop),
                                  (const struct gate_peer *const *)f->tried, f->n_tried, x->peer);
}

enum gate_step_result gate_flow_retry(struct gate_exchange *x, uint32_t upstream)
{
    struct gate_flow_state *f = x->flow;
    const char *why = obstacle(x, upstream);

    if (why == NULL && !rewind_body(x))
        why = "the request body is gone; read_body keeps it";
    if (why != NULL) {
        refuse(x, why);
        return GATE_STEP_NEXT;
    }
    forget_answer(x);
    gate_counters_add(&x->worker->counters, GATE_C_RETRIES, 1);
    if (upstream != GATE_NO_ORDINAL && upstream != x->upstream) {
        x->upstream = upstream;
        x->upstream_by_hook = true;
        f->upstream = NULL;
        f->n_tried = 0;
    } else if (has_other_peer(x)) {
        f->tried[f->n_tried++] = x->peer;
    }
    return gate_flow_jump(x, GATE_STEP_PICK_PEER);
}
