/* What streams and pumps tell an exchange. An event notes what happened and links the exchange into
 * the ready queue; the steps decide. */
#include "flow/flow_int.h"

/* ------------------------------------------------------------------ the client's stream */

static struct gate_exchange *exchange_of(const struct gate_stream *s)
{
    return s->user;
}

static void down_body(struct gate_stream *s, struct gate_chain *chunk)
{
    struct gate_exchange *x = exchange_of(s);

    gate_pump_got(&x->up, chunk);
    gate_flow_body_moved(x, false);
}

static void down_trailers(struct gate_stream *s, const struct gate_fields *trailers,
                          struct gate_block *block)
{
    struct gate_exchange *x = exchange_of(s);

    x->up.trailers = trailers;
    x->up.trailer_block = gate_block_ref(block);
}

static void down_end(struct gate_stream *s)
{
    struct gate_exchange *x = exchange_of(s);

    gate_pump_src_end(&x->up);
    gate_flow_body_moved(x, false);
}

static void down_reset(struct gate_stream *s, enum gate_err err, const char *why)
{
    (void)err;
    gate_flow_client_gone(exchange_of(s), why);
    s->ops->reset(s, GATE_CLOSE_CLIENT_RESET);
}

static void down_room(struct gate_stream *s)
{
    gate_pump_room(&exchange_of(s)->dn);
}

const struct gate_stream_events gate_flow_down_events = {
    .on_body = down_body,
    .on_trailers = down_trailers,
    .on_end = down_end,
    .on_reset = down_reset,
    .on_room = down_room,
};

/* ------------------------------------------------------------------ the attempt's stream */

/* Interim responses pass to clients that understand them (RFC 9110 section 15.2). */
static void up_info(struct gate_stream *s, const struct gate_response_head *head)
{
    struct gate_exchange *x = exchange_of(s);
    struct gate_fields fields = head->fields;
    struct gate_headers h = {.original = &fields};
    struct gate_message m = {
        .status = head->status,
        .headers = &h,
        .drop = GATE_DROP_RESPONSE,
        .drop_nominated = (fields.known & GATE_F_BIT(GATE_F_CONNECTION)) != 0,
    };

    /* 100 is between us and the upstream: the client got its own when its body was first wanted. */
    if (x->down != NULL && !x->head_sent && head->status != 100)
        x->down->ops->send_info(x->down, &m);
}

static void up_head(struct gate_stream *s, const struct gate_response_head *head,
                    struct gate_block *block)
{
    struct gate_exchange *x = exchange_of(s);

    x->attempt->head = *head;
    x->res.block = gate_block_ref(block);
    x->times.first_byte = x->worker->loop.now_ns;
    gate_flow_resume(x);
}

static void up_body(struct gate_stream *s, struct gate_chain *chunk)
{
    struct gate_exchange *x = exchange_of(s);

    gate_pump_got(&x->dn, chunk);
    gate_flow_body_moved(x, true);
}

static void up_trailers(struct gate_stream *s, const struct gate_fields *trailers,
                        struct gate_block *block)
{
    struct gate_exchange *x = exchange_of(s);

    x->dn.trailers = trailers;
    x->dn.trailer_block = gate_block_ref(block);
}

static void up_end(struct gate_stream *s)
{
    struct gate_exchange *x = exchange_of(s);

    x->attempt->ended = true;
    gate_pump_src_end(&x->dn);
    gate_flow_body_moved(x, true);
}

static enum gate_fault_code fault_after_head(enum gate_err e)
{
    if (e == GATE_E_TIMEOUT)
        return GATE_FAULT_READ_TIMEOUT;
    return e == GATE_E_SYNTAX ? GATE_FAULT_PROTOCOL : GATE_FAULT_RESET;
}

/* What a server said in its refusal goes with the link. */
static const char *keep_why(struct gate_exchange *x, const char *why)
{
    struct gate_out o = gate_out_on(gate_arena_alloc(&x->arena, 200), 199);

    gate_out_fmt(&o, "TLS: %s", why);
    o.p[o.n] = '\0';
    return o.p;
}

static void up_reset(struct gate_stream *s, enum gate_err err, const char *why)
{
    struct gate_exchange *x = exchange_of(s);

    x->flow->up_over = true;
    x->flow->reset_code = s->code;
    if (x->attempt->head.status == 0) {
        x->flow->failed = err;
        x->flow->failed_why = err == GATE_E_TLS ? keep_why(x, why) : why;
    } else {
        gate_exchange_fault(x, fault_after_head(err), 0, why);
        gate_flow_body_moved(x, true);
    }
    gate_flow_resume(x);
}

static void up_room(struct gate_stream *s)
{
    gate_pump_room(&exchange_of(s)->up);
}

const struct gate_stream_events gate_flow_up_events = {
    .on_info = up_info,
    .on_head = up_head,
    .on_body = up_body,
    .on_trailers = up_trailers,
    .on_end = up_end,
    .on_reset = up_reset,
    .on_room = up_room,
};

/* ------------------------------------------------------------------ pumps */

/* Which side of a tunnel has ended first. */
static void note_end(struct gate_exchange *x, enum gate_close_reason why)
{
    if (gate_flow_is_tunnel(x) && x->flow->first_end == GATE_CLOSE_NONE)
        x->flow->first_end = why;
}

void gate_flow_on_up_end(struct gate_pump *p, enum gate_pump_end how)
{
    struct gate_exchange *x = p->user;

    x->flow->up_over = true;
    if (how == GATE_PUMP_COMPLETE)
        note_end(x, GATE_CLOSE_CLIENT_EOF);
    else if (how == GATE_PUMP_LIMIT)
        gate_exchange_fault(x, GATE_FAULT_TOO_LARGE, 0, "the body grew over its limit");
    else if (how == GATE_PUMP_FILTER && !x->reply.set)
        gate_exchange_fault(x, GATE_FAULT_SCRIPT_ERROR, 0, "a body filter failed");
    gate_flow_resume(x);
}

void gate_flow_on_dn_end(struct gate_pump *p, enum gate_pump_end how)
{
    struct gate_exchange *x = p->user;

    x->flow->dn_over = true;
    if (how == GATE_PUMP_COMPLETE) {
        x->dn_complete = true;
        note_end(x, GATE_CLOSE_LINK_ENDED);
    } else if (how == GATE_PUMP_FILTER) {
        gate_exchange_fault(x, GATE_FAULT_SCRIPT_ERROR, 0, "a body filter failed");
    } else if (how == GATE_PUMP_SINK && !x->client_gone) {
        gate_exchange_fault(x, GATE_FAULT_PROTOCOL, 0, "the body does not fit its Content-Length");
    }
    gate_flow_resume(x);
}
