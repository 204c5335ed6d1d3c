/* The filter through which body hooks see a body: takes the content coding off where a policy wants
 * plain bytes, cuts pieces, and hands each to the chain of hooks. One piece is with the hooks at a
 * time; what they make of it goes on before the next one is cut. */
#include "base/assert.h"
#include "flow/flow_int.h"
#include "http/coding.h"

struct hook_filter {
    struct gate_filter f;
    struct gate_exchange *x;
    enum gate_hook hook;
    struct gate_hook_run *run; /* while it waits */
    struct gate_decoder *decoder;
    struct gate_chain coded; /* to be decoded */
    struct gate_chain in;    /* plain, not cut yet */
    struct gate_chain cut;   /* the piece that the hooks have */
    char *joined;            /* room for a piece that lies in several blocks; owned */
    struct gate_hook_piece piece;
};

static bool is_request(const struct hook_filter *h)
{
    return h->hook == GATE_HOOK_REQUEST_BODY;
}

static enum gate_filter_result fail(struct hook_filter *h, enum gate_fault_code code, int status,
                                    const char *why)
{
    gate_exchange_fault(h->x, code, status, why);
    return GATE_FILTER_FAIL;
}

static enum gate_filter_result coding_fault(struct hook_filter *h, enum gate_err e)
{
    if (e == GATE_E_NOMEM)
        return fail(h, GATE_FAULT_OVERLOAD, 0, "no memory to decode the body");
    if (e == GATE_E_LIMIT)
        return is_request(h) ? fail(h, GATE_FAULT_TOO_LARGE, 0, "the body expands too much")
                             : fail(h, GATE_FAULT_PROTOCOL, 0, "the body expands too much");
    if (is_request(h))
        return fail(h, GATE_FAULT_BAD_REQUEST, 400, "the body's content coding is broken");
    return fail(h, GATE_FAULT_PROTOCOL, 0, "the body's content coding is broken");
}

/* Plain bytes to cut from, if there are any. */
static enum gate_err decode(struct hook_filter *h)
{
    enum gate_err e = GATE_OK;

    if (h->decoder == NULL)
        return GATE_OK;
    while (e == GATE_OK && h->in.bytes == 0 &&
           (h->coded.bytes > 0 || gate_decoder_pending(h->decoder)))
        e = gate_decoder_feed(h->decoder, &h->coded, &h->in);
    if (e == GATE_OK && h->f.last && h->coded.bytes == 0 && !gate_decoder_pending(h->decoder) &&
        !gate_decoder_done(h->decoder))
        e = GATE_E_SYNTAX;
    return e;
}

/* Nothing of what came is left behind the piece that was cut. */
static bool all_cut(const struct hook_filter *h)
{
    return h->in.bytes == 0 && h->coded.bytes == 0 &&
           (h->decoder == NULL || !gate_decoder_pending(h->decoder));
}

static void cut_piece(struct hook_filter *h)
{
    struct gate_slice front = {0};
    struct gate_str *bytes = &h->piece.bytes;

    gate_chain_clear(&h->cut);
    gate_chain_move_n(&h->cut, &h->in, GATE_PIECE_MAX);
    h->piece.last = h->f.last && all_cut(h);
    gate_chain_front(&h->cut, &front);
    if (h->cut.count <= 1) {
        *bytes = gate_str_of(front.p, front.n);
        return;
    }
    if (h->joined == NULL)
        h->joined = gate_alloc(GATE_PIECE_MAX);
    gate_chain_read(&h->cut, h->joined);
    *bytes = gate_str_of(h->joined, h->cut.bytes);
}

/* What the hooks made of the piece, into `out`. */
static enum gate_filter_result settle(struct hook_filter *h, const struct gate_hook_verdict *v,
                                      struct gate_chain *out)
{
    bool more = !all_cut(h) || (h->f.last && !h->piece.last);

    if (v->kind == GATE_VERDICT_FAULT)
        return fail(h, gate_flow_hook_fault(v), 0, "a body hook failed");
    if (v->kind == GATE_VERDICT_REPLY) {
        if (h->x->head_sent)
            gate_flow_warn(h->x, "a reply of a request_body hook came too late: an answer has "
                                 "begun; the upload ends, and the answer goes on");
        return GATE_FILTER_FAIL; /* x->reply is set: the steps go on with it */
    }
    gate_chain_move(out, h->piece.changed ? &h->piece.out : &h->cut);
    gate_chain_clear(&h->cut);
    return more ? GATE_FILTER_MORE : GATE_FILTER_DONE;
}

static void on_done(void *arg, const struct gate_hook_verdict *v)
{
    struct hook_filter *h = arg;
    struct gate_pump *p = is_request(h) ? &h->x->up : &h->x->dn;
    struct gate_chain out;
    enum gate_filter_result r;

    gate_chain_init(&out, p->in.pool);
    r = settle(h, v, &out);
    gate_pump_filtered(p, &h->f, r, &out);
    gate_chain_clear(&out);
}

static enum gate_filter_result on_chunk(struct gate_filter *f, struct gate_chain *in, bool last,
                                        struct gate_chain *out)
{
    struct hook_filter *h = gate_container_of(f, struct hook_filter, f);
    struct gate_hook_verdict v;
    enum gate_err e;

    gate_chain_move(h->decoder != NULL ? &h->coded : &h->in, in);
    e = decode(h);
    if (e != GATE_OK)
        return coding_fault(h, e);
    if (h->in.bytes == 0 && !last)
        return GATE_FILTER_DONE;
    cut_piece(h);
    if (gate_hook_piece(h->x, h->hook, &h->piece, on_done, h, &h->run, &v) == GATE_VM_YIELD)
        return GATE_FILTER_WAIT;
    return settle(h, &v, out);
}

static void on_drop(struct gate_filter *f)
{
    gate_hook_cancel(&gate_container_of(f, struct hook_filter, f)->run);
}

static void on_clear(void *arg)
{
    struct hook_filter *h = arg;

    gate_hook_cancel(&h->run);
    gate_decoder_free(&h->decoder);
    gate_chain_clear(&h->coded);
    gate_chain_clear(&h->in);
    gate_chain_clear(&h->cut);
    gate_chain_clear(&h->piece.out);
    gate_free(h->joined);
    h->joined = NULL;
}

static struct hook_filter *filter_new(struct gate_exchange *x, enum gate_hook hook)
{
    struct gate_block_pool *pool = &x->worker->loop.blocks;
    struct hook_filter *h = gate_arena_zalloc(&x->arena, sizeof(*h));

    h->f.chunk = on_chunk;
    h->f.drop = on_drop;
    h->x = x;
    h->hook = hook;
    gate_chain_init(&h->coded, pool);
    gate_chain_init(&h->in, pool);
    gate_chain_init(&h->cut, pool);
    gate_chain_init(&h->piece.out, pool);
    gate_arena_on_clear(&x->arena, on_clear, h);
    return h;
}

/* All lines of a field, as one list. */
static struct gate_str field_list(struct gate_exchange *x, const struct gate_headers *headers,
                                  enum gate_field_id id)
{
    struct gate_headers_cursor c = {0};
    const struct gate_field *f;
    struct gate_str list = GATE_STR_NONE;

    while ((f = gate_headers_next(headers, &c)) != NULL) {
        struct gate_str value = gate_field_value(f);
        char *joined;

        if (f->id != id)
            continue;
        if (list.n == 0) {
            list = value;
            continue;
        }
        joined = gate_arena_alloc(&x->arena, list.n + 1 + value.n);
        memcpy(joined, list.p, list.n);
        joined[list.n] = ',';
        memcpy(joined + list.n + 1, value.p, value.n);
        list = gate_str_of(joined, list.n + 1 + value.n);
    }
    return list;
}

/* A decoder where a policy wants plain bytes and the body is coded. False: x->fault says why that
 * cannot be. */
static bool add_decoder(struct hook_filter *h, struct gate_headers *headers)
{
    struct gate_str list = field_list(h->x, headers, GATE_F_CONTENT_ENCODING);
    enum gate_coding coding = gate_coding_of(list);

    if (list.n == 0 || !gate_hook_decodes(h->x, h->hook))
        return true;
    if (coding == GATE_CODING_UNKNOWN) {
        gate_exchange_fault(h->x, is_request(h) ? GATE_FAULT_BAD_REQUEST : GATE_FAULT_PROTOCOL,
                            is_request(h) ? 415 : 0,
                            "the body has a content coding that cannot be taken off");
        return false;
    }
    gate_headers_remove(headers, GATE_STR("Content-Encoding"));
    if (coding == GATE_CODING_IDENTITY)
        return true;
    h->decoder = gate_decoder_new(coding);
    if (h->decoder == NULL)
        gate_exchange_fault(h->x, GATE_FAULT_OVERLOAD, 0, "no memory to decode the body");
    return h->decoder != NULL;
}

bool gate_flow_filter_request(struct gate_exchange *x)
{
    struct gate_headers *headers = &x->req.headers;
    struct hook_filter *h;

    if (x->up.filters != NULL)
        return true; /* another try */
    if (!gate_flow_has_hook(x, GATE_HOOK_REQUEST_BODY) ||
        (x->req.head.framing == GATE_BODY_NONE && !x->flow->body_replaced))
        return true;
    h = filter_new(x, GATE_HOOK_REQUEST_BODY);
    headers->arena = &x->arena;
    if (!add_decoder(h, headers))
        return false;
    gate_flow_bytes_change(x, headers);
    gate_pump_filter(&x->up, &h->f);
    return true;
}

/* The codings among those that the client takes which we can take off. */
static struct gate_str accepted(struct gate_exchange *x, struct gate_str list)
{
    struct gate_out o = gate_out_on(gate_arena_alloc(&x->arena, list.n + 16), list.n + 16);
    struct gate_str item;

    while (gate_str_next_item(&list, &item)) {
        struct gate_str name = gate_str_trim(gate_str_of(item.p, gate_str_find(item, ';', 0)));

        if (gate_coding_of(name) == GATE_CODING_UNKNOWN || gate_str_eq(name, GATE_STR("*")))
            continue;
        if (o.n > 0)
            GATE_OUT_LIT(&o, ", ");
        gate_out_str(&o, item);
    }
    return o.n > 0 ? gate_out_view(&o) : GATE_STR("identity");
}

void gate_flow_accept_codings(struct gate_exchange *x)
{
    struct gate_headers *headers = &x->req.headers;

    if (!gate_flow_has_hook(x, GATE_HOOK_BODY) || !gate_hook_decodes(x, GATE_HOOK_BODY))
        return;
    headers->arena = &x->arena;
    gate_headers_set(headers, GATE_STR("Accept-Encoding"),
                     accepted(x, field_list(x, headers, GATE_F_ACCEPT_ENCODING)));
}

/* HEAD calls no body hook, but says of the representation what is true of it behind them. */
static void head_of_filtered(struct gate_exchange *x)
{
    gate_flow_bytes_change(x, &x->res.headers);
    x->flow->length_unknown = true;
}

bool gate_flow_filter_response(struct gate_exchange *x)
{
    int status = x->res.status;
    struct hook_filter *h;

    if (!gate_flow_has_hook(x, GATE_HOOK_BODY) || x->flow->plain_page || status < 200 ||
        status == 204 || status == 206 || status == 304 ||
        (GATE_UNLIKELY(x->grpc) && gate_flow_grpc_is_head(x)))
        return true;
    x->res.headers.arena = &x->arena;
    if (x->req.head.method == GATE_M_HEAD) {
        head_of_filtered(x);
        return true;
    }
    h = filter_new(x, GATE_HOOK_BODY);
    if (!add_decoder(h, &x->res.headers))
        return false;
    gate_flow_bytes_change(x, &x->res.headers);
    gate_pump_filter(&x->dn, &h->f);
    return true;
}
