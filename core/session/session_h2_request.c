/* Requests of an HTTP/2 session: from a head to an exchange, or to an answer that makes none. */
#include "base/assert.h"
#include "session/session_int.h"

static struct gate_h2_server *server_of(struct gate_h2 *c)
{
    return gate_container_of(c, struct gate_h2_server, h2);
}

static void on_output(struct gate_h2 *c)
{
    struct gate_h2_server *h = server_of(c);

    gate_loop_flush(h->session->conn.loop, &h->flush);
}

/* The line of a head that made no exchange. `said`: to a gRPC call. */
static void write_line(struct gate_session *s, struct gate_exchange *x, struct gate_str line,
                       struct gate_refusal r, struct gate_str said, uint64_t bytes_out)
{
    struct gate_access_record rec = {
        .ip = gate_str_of(s->ip, s->ip_len),
        .target = line,
        .status = r.status,
        .grpc_status = said,
        .bytes_out = bytes_out,
        .id = gate_str_of(x->id, x->id_len),
        .fault = GATE_STR("bad_request"),
        .why = gate_str_from_cstr(r.why),
    };

    gate_flow_refused(s->worker, &rec);
}

static struct gate_str first_line(struct gate_str text)
{
    size_t end = gate_str_find(text, '\r', 0);

    return gate_str_of(text.p, end < 512 ? end : 512);
}

/* Returns the bytes of the page. */
static uint64_t send_page(struct gate_h2_stream *st, struct gate_exchange *x, int status)
{
    struct gate_worker *w = x->worker;
    struct gate_str id = gate_str_of(x->id, x->id_len);
    struct gate_str page = gate_flow_page(&x->arena, status, id);
    struct gate_field fields[GATE_PAGE_FIELDS];
    struct gate_message m = {
        .status = status, .framing = GATE_BODY_LENGTH, .content_length = page.n, .extra = fields};
    struct gate_chain body;

    m.n_extra = gate_flow_page_fields(w, status, id, fields);
    gate_chain_init(&body, &w->loop.blocks);
    if (st->stream.ops->send_head(&st->stream, &m, false) == GATE_OK &&
        gate_chain_copy(&body, page.p, page.n) == 0)
        st->stream.ops->send_body(&st->stream, &body, true);
    gate_chain_clear(&body);
    return st->head_method ? 0 : page.n;
}

/* To a gRPC call. Returns the status as it was said. */
static struct gate_str send_status(struct gate_h2_stream *st, struct gate_exchange *x, int status)
{
    struct gate_field fields[GATE_CALL_FIELDS];
    struct gate_message m = {
        .status = 200, .framing = GATE_BODY_NONE, .head_is_all = true, .extra = fields};

    m.n_extra = gate_flow_call_fields(x, status, fields);
    st->stream.ops->send_head(&st->stream, &m, true);
    return gate_field_value(&fields[0]);
}

/* Answers a head that is not acceptable. The connection is as good as before. */
static void refuse(struct gate_session *s, struct gate_h2_stream *st, struct gate_exchange *x,
                   struct gate_refusal r)
{
    struct gate_str line = first_line(gate_h2_text(st));
    struct gate_str said = GATE_STR_NONE;
    uint64_t bytes_out = 0;

    st->head_method = gate_str_starts(line, GATE_STR("HEAD "));
    if (st->grpc)
        said = send_status(st, x, r.status);
    else
        bytes_out = send_page(st, x, r.status);
    write_line(s, x, line, r, said, bytes_out);
    st->stream.ops->give_back(&st->stream);
}

static void start(struct gate_session *s, struct gate_h2_stream *st, struct gate_exchange *x)
{
    const struct gate_request_head *head = &x->req.head;
    struct gate_h2_use use = {
        .arena = &x->arena,
        .limits = &x->seat->generation->head_limits,
        .events = &gate_flow_down_events,
        .user = x,
        .bytes_in = &x->bytes_in,
        .bytes_out = &x->bytes_out,
    };

    s->requests++;
    x->head_block = gate_block_ref(st->block);
    gate_session_fill(s, x, &st->stream, s->conn.loop->now_ns);
    if (head->dropped_underscores > 0)
        gate_counters_add(&s->worker->counters, GATE_C_UNDERSCORES_DROPPED,
                          head->dropped_underscores);
    gate_h2_attach(st, head, &use);
    gate_flow_start(x);
}

static void on_request(struct gate_h2 *c, struct gate_h2_stream *st)
{
    struct gate_session *s = server_of(c)->session;
    struct gate_exchange *x = gate_exchange_new(s->worker);
    struct gate_refusal r;

    c->limits = &x->seat->generation->head_limits;
    r = gate_h2_request(st, &x->arena, &x->req.head);
    if (r.status == 0 && s->listener->https)
        r = gate_session_tls_judge(s, x->req.head.host);
    if (r.status == 0) {
        start(s, st, x);
    } else {
        refuse(s, st, x, r);
        gate_exchange_free(&x);
    }
    if (c->begun >= GATE_H2_LIFETIME)
        gate_session_h2_drain(s);
}

static void on_malformed(struct gate_h2 *c, const char *why)
{
    struct gate_session *s = server_of(c)->session;
    struct gate_exchange *x = gate_exchange_new(s->worker);

    write_line(s, x, GATE_STR_NONE, (struct gate_refusal){400, why}, GATE_STR_NONE, 0);
    gate_exchange_free(&x);
}

const struct gate_h2_owner gate_session_h2_owner = {
    .on_request = on_request,
    .on_malformed = on_malformed,
    .on_output = on_output,
};
