/* Heads that come in: each is written down as the HTTP/1.1 head that it stands for, so that the
 * code that judges HTTP/1 (http/parse.h) judges its target, Host, framing and fields, and so that
 * runs of lines go on to an HTTP/1 upstream in one copy. What a text could not tell apart (a line
 * end inside a value, a space in a method) is refused before it is written. */
#include "base/assert.h"
#include "http/grpc.h"
#include "http/h2_int.h"
#include "http/parse.h"

enum pseudo { METHOD, SCHEME, AUTHORITY, PATH, PROTOCOL, STATUS = METHOD };

static struct gate_str text_of(nghttp2_rcbuf *b)
{
    nghttp2_vec v;

    if (b == NULL)
        return GATE_STR_NONE;
    v = nghttp2_rcbuf_get_buf(b);
    return gate_str_of((const char *)v.base, v.len);
}

void gate_h2_head_drop(struct gate_h2 *c)
{
    struct gate_h2_head *h = &c->head;

    for (size_t i = 0; i < GATE_COUNT_OF(h->pseudo); i++) {
        if (h->pseudo[i] != NULL)
            nghttp2_rcbuf_decref(h->pseudo[i]);
        h->pseudo[i] = NULL;
    }
    h->s = NULL;
}

void gate_h2_head_begin(struct gate_h2 *c, struct gate_h2_stream *s, bool trailers)
{
    struct gate_h2_head *h = &c->head;

    gate_h2_head_drop(c);
    h->s = s;
    h->start = h->b == NULL ? 0 : h->b->used;
    h->n = h->sum = h->cookie_end = 0;
    h->trailers = h->lines = trailers;
    h->too_large = h->grpc = false;
    h->why = NULL;
    h->begin_ms = gate_h2_now(c);
}

/* Moves the head to a block with room for n bytes more. False: no memory, or it is too large. */
static bool move(struct gate_h2 *c, size_t n)
{
    struct gate_h2_head *h = &c->head;
    bool big = h->n + n > GATE_BLOCK_SIZE / 2;
    struct gate_block *b = big ? gate_block_take_big(c->blocks) : gate_block_take(c->blocks);

    if (b == NULL)
        return false;
    if (h->n + n > b->cap) {
        gate_block_unref(&b);
        h->too_large = true;
        return true;
    }
    if (h->n > 0)
        memcpy(b->data, h->b->data + h->start, h->n);
    gate_block_unref(&h->b);
    h->b = b;
    h->start = 0;
    return true;
}

/* Where n more bytes may be written; NULL: they may not. */
static char *room(struct gate_h2 *c, size_t n, bool *nomem)
{
    struct gate_h2_head *h = &c->head;

    if (h->too_large)
        return NULL;
    if (h->b == NULL || h->start + h->n + n > h->b->cap)
        *nomem = *nomem || !move(c, n);
    return *nomem || h->too_large ? NULL : h->b->data + h->start + h->n;
}

static bool put(struct gate_h2 *c, const struct gate_str *parts, int n)
{
    bool nomem = false;
    size_t total = 0;
    char *at;

    for (int i = 0; i < n; i++)
        total += parts[i].n;
    at = room(c, total, &nomem);
    for (int i = 0; at != NULL && i < n; i++) {
        if (parts[i].n > 0)
            memcpy(at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    if (at != NULL)
        c->head.n += (uint32_t)total;
    return !nomem;
}

static bool put_field(struct gate_h2 *c, struct gate_str name, struct gate_str value)
{
    const struct gate_str parts[] = {name, GATE_STR(": "), value, GATE_STR("\r\n")};

    return put(c, parts, 4);
}

/* Crumbs of a cookie are one cookie again (RFC 9113 section 8.2.3), in the place of the first. */
static bool put_crumb(struct gate_h2 *c, struct gate_str value)
{
    struct gate_h2_head *h = &c->head;
    bool nomem = false;
    size_t tail;
    char *at;

    if (h->cookie_end == 0) {
        bool ok = put_field(c, GATE_STR("cookie"), value);

        h->cookie_end = h->too_large ? 0 : h->n - 2;
        return ok;
    }
    tail = h->n - h->cookie_end;
    if (tail > 2) /* crumbs among other fields move those: each counts as a field */
        h->sum += 4 * 32;
    if (room(c, value.n + 2, &nomem) == NULL)
        return !nomem;
    at = h->b->data + h->start + h->cookie_end;
    memmove(at + value.n + 2, at, tail);
    memcpy(at, "; ", 2);
    if (value.n > 0)
        memcpy(at + 2, value.p, value.n);
    h->cookie_end += (uint32_t)value.n + 2;
    h->n += (uint32_t)value.n + 2;
    return true;
}

/* ------------------------------------------------------------------ the start line */

static const char *request_fault(const struct gate_h2 *c, struct gate_str method,
                                 struct gate_str scheme, struct gate_str path)
{
    struct gate_str ours = c->https ? GATE_STR("https") : GATE_STR("http");
    bool connect = gate_method_of(method) == GATE_M_CONNECT;
    bool extended = c->head.pseudo[PROTOCOL] != NULL;

    if (!gate_field_name_ok(method))
        return "method is not a token";
    if (connect && !extended)
        return NULL;
    if (extended && (!connect || !gate_field_name_ok(text_of(c->head.pseudo[PROTOCOL]))))
        return ":protocol of no CONNECT, or not a token";
    if (!gate_str_ieq(scheme, ours))
        return ":scheme is not this listener's";
    if (path.n == 0 || (path.p[0] != '/' && !gate_str_eq(path, GATE_STR("*"))))
        return ":path is not a path";
    return NULL;
}

/* An extended CONNECT stands for a switch of protocols: the fields that ask for it in HTTP/1.1, and
 * for WebSocket a key, which HTTP/2 has not. */
static bool put_upgrade(struct gate_h2 *c)
{
    struct gate_str protocol = text_of(c->head.pseudo[PROTOCOL]);
    char key[GATE_WEBSOCKET_KEY];

    c->head.s->connect = true;
    if (!put_field(c, GATE_STR("connection"), GATE_STR("upgrade")) ||
        !put_field(c, GATE_STR("upgrade"), protocol))
        return false;
    if (!gate_str_ieq(protocol, GATE_STR("websocket")))
        return true;
    gate_websocket_key(key);
    return put_field(c, GATE_STR("sec-websocket-key"), gate_str_of(key, sizeof(key)));
}

static bool request_line(struct gate_h2 *c)
{
    struct gate_h2_head *h = &c->head;
    bool extended = h->pseudo[PROTOCOL] != NULL;
    struct gate_str method = extended ? GATE_STR("GET") : text_of(h->pseudo[METHOD]);
    struct gate_str authority = text_of(h->pseudo[AUTHORITY]);
    struct gate_str path = text_of(h->pseudo[PATH]);
    const struct gate_str parts[] = {method, GATE_STR(" "),
                                     path.n > 0 ? path : GATE_STR("-"),
                                     GATE_STR(" HTTP/1.1\r\n")};

    if (h->why == NULL)
        h->why = request_fault(c, text_of(h->pseudo[METHOD]), text_of(h->pseudo[SCHEME]), path);
    if (!put(c, parts, 4) || (authority.n > 0 && !put_field(c, GATE_STR("host"), authority)))
        return false;
    return !extended || put_upgrade(c);
}

/* Success of our extended CONNECT stands for a switch of protocols. */
static bool put_switch(struct gate_h2 *c, const struct gate_h2_asked *asked)
{
    struct gate_str accept = gate_str_of(asked->accept, sizeof(asked->accept));

    return put_field(c, GATE_STR("connection"), GATE_STR("upgrade")) &&
           put_field(c, GATE_STR("upgrade"), asked->protocol) &&
           (!asked->answers || put_field(c, GATE_WEBSOCKET_ACCEPT_NAME, accept));
}

static bool status_line(struct gate_h2 *c)
{
    struct gate_str status = text_of(c->head.pseudo[STATUS]);
    const struct gate_h2_asked *asked = c->head.s->asked;
    bool agreed = asked != NULL && status.n > 0 && status.p[0] == '2';
    const struct gate_str parts[] = {GATE_STR("HTTP/1.1 "), agreed ? GATE_STR("101") : status,
                                     GATE_STR(" \r\n")};

    if (gate_str_eq(status, GATE_STR("101")))
        c->head.why = "101 in HTTP/2";
    return put(c, parts, 3) && (!agreed || put_switch(c, asked));
}

static bool start_line(struct gate_h2 *c)
{
    if (c->head.lines)
        return true;
    c->head.lines = true;
    return c->server ? request_line(c) : status_line(c);
}

/* ------------------------------------------------------------------ fields */

static void keep_pseudo(struct gate_h2_head *h, struct gate_str name, nghttp2_rcbuf *value)
{
    int which = -1;

    if (gate_str_eq(name, GATE_STR(":method")) || gate_str_eq(name, GATE_STR(":status")))
        which = METHOD;
    else if (gate_str_eq(name, GATE_STR(":scheme")))
        which = SCHEME;
    else if (gate_str_eq(name, GATE_STR(":authority")))
        which = AUTHORITY;
    else if (gate_str_eq(name, GATE_STR(":path")))
        which = PATH;
    else if (gate_str_eq(name, GATE_STR(":protocol")))
        which = PROTOCOL;
    if (which < 0 || h->pseudo[which] != NULL) {
        h->why = "unknown or repeated pseudo-field";
        return;
    }
    nghttp2_rcbuf_incref(value);
    h->pseudo[which] = value;
}

bool gate_h2_head_field(struct gate_h2 *c, nghttp2_rcbuf *name_buf, nghttp2_rcbuf *value_buf)
{
    struct gate_h2_head *h = &c->head;
    struct gate_str name = text_of(name_buf);
    struct gate_str value = text_of(value_buf);

    /* Of refused heads, too: they are answered in the language of their client. */
    if (gate_str_eq(name, GATE_STR("content-type")))
        h->grpc = gate_grpc_is(value);
    /* Summed before anything is copied: a small frame may stand for megabytes. */
    h->sum += (uint32_t)(name.n + value.n + 32);
    if (h->sum > c->limits->header_bytes)
        h->too_large = true;
    if (h->too_large || h->why != NULL)
        return true;
    if (!gate_field_value_ok(value)) {
        h->why = "bad byte in a field value";
        return true;
    }
    if (name.n > 0 && name.p[0] == ':') {
        keep_pseudo(h, name, value_buf);
        return true;
    }
    if (!start_line(c))
        return false;
    if (!gate_field_name_ok(name)) {
        h->why = "field name is not a token";
        return true;
    }
    if (h->s->asked != NULL && gate_str_ieq(name, GATE_WEBSOCKET_ACCEPT_NAME))
        return true; /* nobody has asked for it: what is there is ours */
    if (h->trailers || !c->server)
        return put_field(c, name, value);
    if (gate_str_eq(name, GATE_STR("cookie")))
        return put_crumb(c, value);
    if (gate_str_eq(name, GATE_STR("host")) && h->pseudo[AUTHORITY] != NULL) {
        if (!gate_str_ieq(value, text_of(h->pseudo[AUTHORITY])))
            h->why = "Host and :authority differ";
        return true;
    }
    if (h->s->connect && gate_str_eq(name, GATE_STR("sec-websocket-key")))
        return true; /* the one that is there is ours */
    return put_field(c, name, value);
}

static struct gate_refusal refusal_of(const struct gate_h2_head *h)
{
    if (h->too_large)
        return (struct gate_refusal){431, "head is too large"};
    if (h->why != NULL)
        return (struct gate_refusal){400, h->why};
    return (struct gate_refusal){0, NULL};
}

bool gate_h2_head_end(struct gate_h2 *c)
{
    static const struct gate_str end = GATE_STR("\r\n");
    struct gate_h2_head *h = &c->head;
    struct gate_h2_stream *s = h->s;
    struct gate_block **b = h->trailers ? &s->trailer_block : &s->block;

    if (!start_line(c) || !put(c, &end, 1))
        return false;
    c->flood.content += h->sum;
    if (s->refusal.status == 0)
        s->refusal = refusal_of(h);
    gate_block_unref(b);
    if (h->b != NULL && !h->too_large) {
        *b = gate_block_ref(h->b);
        h->b->used = h->start + h->n;
    }
    if (!h->trailers)
        s->grpc = h->grpc && gate_method_of(text_of(h->pseudo[METHOD])) == GATE_M_POST;
    *(h->trailers ? &s->trailer_text : &s->text) = h->start;
    *(h->trailers ? &s->trailer_n : &s->text_n) = h->n;
    gate_h2_head_drop(c);
    return true;
}

/* ------------------------------------------------------------------ judging */

struct gate_str gate_h2_text(const struct gate_h2_stream *s)
{
    if (s->block == NULL)
        return GATE_STR_NONE;
    return gate_str_of(s->block->data + s->text, s->text_n);
}

/* The raw scan that heads of HTTP/1 go through, as a second look at what was written here. */
static const char *scan(struct gate_str text, struct gate_scan_marks *marks)
{
    struct gate_scan state = {.marks = marks};
    const char *why = "the head is ambiguous";
    size_t len = 0;

    if (gate_scan_head(&state, text.p, text.n, &len, &why) == GATE_SCAN_DONE && len == text.n)
        return NULL;
    return why;
}

/* What asks for a tunnel has neither a body nor an end: the DATA frames are the tunnel's. */
static struct gate_refusal judge_connect(const struct gate_h2_stream *s,
                                         struct gate_request_head *out)
{
    if (s->bodiless || out->framing != GATE_BODY_NONE)
        return (struct gate_refusal){400, "an extended CONNECT with a body or an end"};
    if (!out->upgrade)
        return (struct gate_refusal){501, "the protocol is never tunnelled"};
    out->connect = true;
    return (struct gate_refusal){0, NULL};
}

static void note_length(struct gate_h2_stream *s, enum gate_framing framing, uint64_t length)
{
    s->in_sized = framing == GATE_BODY_LENGTH;
    s->in_left = length;
}

struct gate_refusal gate_h2_request(struct gate_h2_stream *s, struct gate_arena *arena,
                                    struct gate_request_head *out)
{
    struct gate_str text = gate_h2_text(s);
    struct gate_scan_marks marks;
    struct gate_refusal no = s->refusal;
    const char *why;

    if (no.status != 0)
        return no;
    why = scan(text, &marks);
    if (why != NULL)
        return (struct gate_refusal){400, why};
    no = gate_parse_request_marked(text.p, text.n, &marks, s->h2->limits, s->h2->https, arena, out);
    if (no.status != 0)
        return no;
    if (out->framing == GATE_BODY_CHUNKED)
        return (struct gate_refusal){400, "Transfer-Encoding in HTTP/2"};
    out->h2 = true;
    if (s->connect)
        return judge_connect(s, out);
    note_length(s, out->framing, out->content_length);
    if (out->framing == GATE_BODY_NONE && !s->bodiless) {
        out->framing = GATE_BODY_CHUNKED;
        out->expect_continue = (out->fields.known & GATE_F_BIT(GATE_F_EXPECT)) != 0;
    }
    return no;
}

bool gate_h2_response(struct gate_h2_stream *s, struct gate_response_head *out, const char **why)
{
    struct gate_str text = gate_h2_text(s);
    struct gate_scan_marks marks;
    struct gate_refusal no = s->refusal;

    if (no.status != 0) {
        *why = no.why;
        return false;
    }
    *why = scan(text, &marks);
    if (*why != NULL)
        return false;
    no = gate_parse_response_marked(text.p, text.n, &marks, s->limits, s->method, s->arena, out);
    *why = no.why;
    if (*why != NULL)
        return false;
    s->tunnel = out->status == 101;
    if (out->framing == GATE_BODY_EOF)
        out->framing = s->bodiless ? GATE_BODY_NONE : GATE_BODY_CHUNKED;
    note_length(s, out->framing, out->content_length);
    out->keep_alive = true;
    return true;
}
