/* The reading side of an h1 session: heads, one look-ahead of pipelining. */
#include "base/assert.h"
#include "http/parse.h"
#include "session/session_int.h"

/* Bytes wait in the reader that no event announces: the next request, or the beginning of a tunnel.
 */
static void on_next(struct gate_ready *r)
{
    struct gate_h1_server *h = gate_container_of(r, struct gate_h1_server, next);
    struct gate_session *s = h->session;

    if (gate_h1_reader_held(&h->in) == 0)
        return;
    if (s->state == GATE_SESSION_EXCHANGE && h->tunnel && h->x != NULL && !h->body_done)
        gate_session_body_take(s);
    else if (s->state == GATE_SESSION_IDLE && !gate_session_out_full(h))
        gate_session_h1_begin(s);
}

struct gate_h1_server *gate_session_h1_new(struct gate_session *s)
{
    struct gate_h1_server *h = gate_slab_take(&gate_session_shared_of(s->worker)->h1);

    memset(h, 0, sizeof(*h));
    h->session = s;
    h->stream.ops = &gate_session_stream_ops;
    gate_h1_reader_init(&h->in);
    gate_h1_writer_init(&h->out, &s->conn.loop->blocks);
    gate_ready_init(&h->flush, gate_session_h1_on_flush);
    gate_ready_init(&h->next, on_next);
    h->in.big = s->read_big;
    h->begin_ns = s->conn.loop->now_ns;
    s->h1 = h;
    return h;
}

/* Ends the h1 side; an exchange on it learns that its client is gone. */
void gate_session_h1_drop(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;
    struct gate_exchange *x;

    if (h == NULL)
        return;
    x = h->x;
    h->x = NULL;
    h->stream.events = NULL;
    s->h1 = NULL;
    if (x != NULL)
        gate_flow_client_gone(x, gate_close_reason_name(s->why));
    gate_ready_cancel(&h->flush);
    gate_ready_cancel(&h->next);
    gate_h1_reader_fini(&h->in);
    gate_h1_writer_fini(&h->out);
    gate_slab_give(&gate_session_shared_of(s->worker)->h1, h);
}

/* The text is the exchange's own: it may outlive the session. */
static struct gate_str client_ip(const struct gate_session *s, struct gate_arena *arena)
{
    return gate_arena_copy(arena, gate_str_of(s->ip, s->ip_len));
}

/* ------------------------------------------------------------------ refusing */

static struct gate_str first_line(struct gate_str bytes)
{
    size_t end = gate_str_find(bytes, '\r', 0);
    size_t lf = gate_str_find(bytes, '\n', 0);

    end = end < lf ? end : lf;
    return gate_str_of(bytes.p, end < 512 ? end : 512);
}

/* Answers a head that makes no exchange: page, access line, close. */
void gate_session_h1_refuse(struct gate_session *s, struct gate_refusal r, struct gate_str line,
                            enum gate_close_reason why)
{
    struct gate_h1_server *h = s->h1;
    struct gate_worker *w = s->worker;
    struct gate_exchange *x = gate_exchange_new(w);
    struct gate_str id = gate_str_of(x->id, x->id_len);
    struct gate_str page = gate_flow_page(&x->arena, r.status, id);
    bool head = line.n >= 5 && memcmp(line.p, "HEAD ", 5) == 0;
    struct gate_field fields[GATE_PAGE_FIELDS];
    struct gate_message m = {
        .status = r.status, .framing = GATE_BODY_LENGTH, .content_length = page.n, .extra = fields};
    struct gate_access_record rec = {
        .ip = client_ip(s, &x->arena),
        .target = line,
        .status = r.status,
        .bytes_out = head ? 0 : page.n,
        .id = id,
        .fault = GATE_STR("bad_request"),
        .why = gate_str_from_cstr(r.why),
        .close = why,
        .total_us = (w->loop.now_ns - h->begin_ns) / 1000,
    };
    struct gate_chain body;

    m.n_extra = gate_flow_page_fields(w, r.status, id, fields);
    gate_chain_init(&body, &w->loop.blocks);
    if (gate_h1_writer_head(&h->out, &m, GATE_STR("close"), head) == GATE_OK && !head &&
        gate_chain_copy(&body, page.p, page.n) == 0)
        gate_h1_writer_body(&h->out, &body, true);
    gate_chain_clear(&body);
    gate_flow_refused(w, &rec);
    gate_exchange_free(&x);
    h->keep = false;
    h->body_bad = true;
    s->why = why;
    gate_session_h1_done(s);
}

/* ------------------------------------------------------------------ heads */

void gate_session_fill(struct gate_session *s, struct gate_exchange *x, struct gate_stream *down,
                       uint64_t begin_ns)
{
    x->session = s;
    x->down = down;
    x->https = s->listener->https;
    if (x->https)
        x->tls = gate_tls_info_ref(gate_tls_info(gate_tls_of(&s->conn)));
    x->times.begin = begin_ns;
    gate_session_addr(s, &x->peer_addr);
    x->client_fd = s->conn.fd;
    x->peer_ip = client_ip(s, &x->arena);
    x->client_port = gate_addr_port(&x->peer_addr);
    gate_forwarded_read(&x->req.head.fields, &s->listener->trust, &x->peer_addr, x->peer_ip,
                        x->https, &x->arena, &x->client);
}

/* The head is valid: the stream is this exchange's from here on. */
static void start_exchange(struct gate_session *s, struct gate_exchange *x)
{
    struct gate_h1_server *h = s->h1;
    const struct gate_request_head *head = &x->req.head;

    s->state = GATE_SESSION_EXCHANGE;
    s->requests++;
    h->x = x;
    h->stream.events = &gate_flow_down_events;
    h->stream.user = x;
    h->minor = head->minor;
    h->head_method = head->method == GATE_M_HEAD;
    h->wants_keep = head->keep_alive;
    h->keep = false;
    h->expect = head->expect_continue && head->minor > 0;
    h->head_sent = false;
    h->credit = 0;
    h->body_done = head->framing == GATE_BODY_NONE;
    h->tunnel = false;
    h->stream.takes_pipes = h->stream.rests = false;
    gate_h1_reader_begin_body(&h->in, head->framing, head->content_length);
    gate_session_fill(s, x, &h->stream, h->begin_ns);
    if (head->dropped_underscores > 0)
        gate_counters_add(&s->worker->counters, GATE_C_UNDERSCORES_DROPPED,
                          head->dropped_underscores);
}

static void take_head(struct gate_session *s, const char *p, size_t n)
{
    struct gate_worker *w = s->worker;
    struct gate_exchange *x = gate_exchange_new(w);
    struct gate_refusal r =
        gate_parse_request_marked(p, n, &s->h1->in.marks, &x->seat->generation->head_limits,
                                  s->listener->https, &x->arena, &x->req.head);

    if (r.status == 0 && s->listener->https)
        r = gate_session_tls_judge(s, x->req.head.host);
    if (r.status != 0) {
        gate_exchange_free(&x);
        if (!gate_session_h2_preface(s, gate_str_of(p, n)))
            gate_session_h1_refuse(s, r, first_line(gate_str_of(p, n)), GATE_CLOSE_BAD_REQUEST);
        return;
    }
    x->head_block = gate_block_ref(s->h1->in.b);
    start_exchange(s, x);
    gate_flow_start(x);
    if (s->h1->x == x && !s->h1->body_done)
        gate_session_body_take(s);
    if (s->h1->body_done)
        gate_h1_reader_rest(&s->h1->in);
    gate_session_clock(s);
}

/* At most one empty line before a request (RFC 9112 section 2.2). False: a CR is all there is so
 * far. */
static bool skip_crlf(struct gate_h1_server *h)
{
    const char *p = h->in.b->data + h->in.at;
    size_t held = gate_h1_reader_held(&h->in);

    if (h->crlf_skipped || held == 0 || p[0] != '\r')
        return true;
    if (held == 1)
        return false;
    if (p[1] == '\n') {
        h->in.at += 2;
        h->crlf_skipped = true;
    }
    return true;
}

static void await_head(struct gate_session *s)
{
    gate_conn_reading(&s->conn, true);
    gate_session_clock(s);
}

/* Of a head that is not whole: the request line is judged once, as soon as it is there, so that one
 * that is wrong already is not waited on. */
static struct gate_refusal judge_part(struct gate_h1_server *h, struct gate_str held,
                                      const struct gate_head_limits *limits)
{
    if (held.n > limits->header_bytes)
        return gate_parse_refuse_partial(held.p, held.n, limits);
    if (h->line_judged || (h->in.scan.lines == 0 && held.n <= limits->target_bytes))
        return (struct gate_refusal){0, NULL};
    h->line_judged = h->in.scan.lines > 0;
    return gate_parse_early(held.p, held.n, limits);
}

/* Looks for a head in what is held. */
void gate_session_h1_begin(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;
    const struct gate_head_limits *limits = &s->worker->seat->generation->head_limits;
    const char *p = NULL;
    const char *why = NULL;
    struct gate_refusal r;
    struct gate_str held;
    size_t n = 0;

    s->state = GATE_SESSION_HEAD;
    if (h->in.scan.at == 0 && !skip_crlf(h)) {
        await_head(s);
        return;
    }
    held = gate_str_of(h->in.b->data + h->in.at, gate_h1_reader_held(&h->in));
    switch (gate_h1_reader_head(&h->in, &p, &n, &why)) {
    case GATE_SCAN_DONE:
        h->crlf_skipped = false;
        h->line_judged = false;
        take_head(s, p, n);
        return;
    case GATE_SCAN_BAD:
        r = gate_parse_refuse_partial(held.p, held.n, limits);
        if (r.status == 0 || r.status == 400)
            r = (struct gate_refusal){400, why};
        break;
    default:
        r = judge_part(h, held, limits);
        break;
    }
    if (r.status != 0 && !gate_session_h2_awaits(s, held))
        gate_session_h1_refuse(s, r, first_line(held), GATE_CLOSE_BAD_REQUEST);
    else
        await_head(s);
}

/* The client has only ended its side: answers that it has not taken yet still leave. */
static GATE_COLD void close_behind_answers(struct gate_session *s, enum gate_close_reason why)
{
    s->h1->eof = true;
    s->why = (uint8_t)why;
    s->state = GATE_SESSION_CLOSING;
    gate_conn_reading(&s->conn, false);
    gate_session_clock(s);
}

void gate_session_h1_ended(struct gate_session *s, enum gate_err e)
{
    struct gate_h1_server *h = s->h1;
    bool half = s->listener->half_close && e == GATE_E_EOF;

    if (h == NULL || s->state == GATE_SESSION_IDLE || s->state == GATE_SESSION_HEAD) {
        bool partial = h != NULL && gate_h1_reader_held(&h->in) > 0;
        enum gate_close_reason why = e != GATE_E_EOF ? GATE_CLOSE_CLIENT_RESET
                                     : partial       ? GATE_CLOSE_CLIENT_ABORT
                                                     : GATE_CLOSE_CLIENT_EOF;

        if (half && h != NULL && h->out.out.bytes > 0)
            close_behind_answers(s, why);
        else
            gate_session_close(s, why);
        return;
    }
    h->eof = true;
    gate_conn_reading(&s->conn, false);
    if (h->tunnel && e == GATE_E_EOF) {
        h->body_done = true;
        gate_flow_down_events.on_end(&h->stream);
        return;
    }
    if (half && h->body_done)
        return;
    if (half && h->x != NULL) {
        h->body_bad = true;
        s->why = GATE_CLOSE_BAD_REQUEST;
        gate_flow_body_fault(h->x, GATE_FAULT_BAD_REQUEST, 400, "the body ended early");
        return;
    }
    s->why = e == GATE_E_EOF ? GATE_CLOSE_CLIENT_ABORT : GATE_CLOSE_CLIENT_RESET;
    gate_session_close(s, s->why);
}

/* One read for a head (or the look-ahead of the next one). */
static enum gate_session_read read_head(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;
    struct gate_h1_space space;
    enum gate_err e = gate_h1_reader_head_space(&h->in, &s->conn.loop->blocks, &space);
    size_t n = 0;
    bool full;

    if (e == GATE_E_LIMIT) {
        struct gate_str held = gate_str_of(h->in.b->data + h->in.at, gate_h1_reader_held(&h->in));

        gate_session_h1_refuse(
            s, gate_parse_refuse_partial(held.p, held.n, &s->worker->seat->generation->head_limits),
            first_line(held), GATE_CLOSE_BAD_REQUEST);
        return GATE_READ_GONE;
    }
    if (e != GATE_OK) {
        gate_session_close(s, GATE_CLOSE_FAULT);
        return GATE_READ_GONE;
    }
    e = gate_conn_read(&s->conn, space.iov, 1, &n);
    if (e != GATE_OK) {
        gate_h1_reader_unused(&h->in, &space);
        if (e == GATE_E_AGAIN)
            return GATE_READ_NOTHING;
        gate_session_h1_ended(s, e);
        return GATE_READ_GONE;
    }
    full = n == space.iov[0].iov_len;
    gate_counters_add(&s->worker->counters, GATE_C_BYTES_IN, n);
    for (int i = 0; gate_h1_reader_filled(&h->in, &space, i, &n); i++)
        ;
    /* Whoever sends requests that fill a block gets a larger one for the next. */
    s->read_big = full || (s->read_big && gate_h1_reader_held(&h->in) > GATE_BLOCK_SIZE / 2);
    return full ? GATE_READ_FULL : GATE_READ_SHORT;
}

/* ------------------------------------------------------------------ readable */

static void exchange_readable(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;

    if (h->body_bad || h->eof) {
        gate_conn_reading(&s->conn, false);
        return;
    }
    if (!h->body_done) {
        enum gate_session_read r = GATE_READ_FULL;

        if (h->paused)
            gate_session_h1_window(h);
        if (h->tunnel && gate_h1_reader_held(&h->in) > 0)
            gate_session_body_take(s);
        while (r == GATE_READ_FULL && h->credit > 0 && !h->body_done && !h->body_bad)
            r = gate_session_body_read(s);
        if (r == GATE_READ_GONE)
            return;
        h->paused = s->conn.full;
        if (h->credit == 0 && !h->body_done)
            gate_conn_reading(&s->conn, false);
        gate_session_clock(s);
        return;
    }
    /* One look-ahead: what the client sends before its answer waits in the reader; whether the
     * client is still there cannot be seen then, which is what pipelining costs. */
    if (gate_h1_reader_held(&h->in) == 0 && read_head(s) < GATE_READ_SHORT)
        return;
    gate_conn_reading(&s->conn, false);
}

void gate_session_h1_readable(struct gate_session *s)
{
    switch (s->state) {
    case GATE_SESSION_IDLE:
        if (s->h1 == NULL) {
            gate_session_h1_new(s);
        } else if (gate_session_out_full(s->h1)) {
            gate_conn_reading(&s->conn, false); /* answers wait that nobody reads */
            break;
        } else if (gate_h1_reader_held(&s->h1->in) > 0) {
            break; /* on_next is due, and comes before the end of the client's side */
        }
        s->h1->begin_ns = s->conn.loop->now_ns;
        /* fall through */
    case GATE_SESSION_HEAD:
        switch (read_head(s)) {
        case GATE_READ_SHORT:
            gate_session_h1_begin(s);
            break;
        case GATE_READ_FULL:
            /* More is there: a body is read on at once, so that it goes up in one send with its
             * head. */
            gate_session_h1_begin(s);
            if (s->state == GATE_SESSION_EXCHANGE && s->h1->x != NULL && !s->h1->body_done &&
                s->h1->credit > 0)
                exchange_readable(s);
            break;
        case GATE_READ_NOTHING:
            gate_session_h1_settle(s);
            break;
        default:
            break;
        }
        break;
    case GATE_SESSION_EXCHANGE:
        exchange_readable(s);
        break;
    case GATE_SESSION_LINGER:
        gate_session_linger(s, &s->h1->linger_left);
        break;
    default:
        gate_conn_reading(&s->conn, false);
        break;
    }
}
