/* The serializer: one pass over the visible fields, runs of lines that are relayed as they came
 * in one copy. */
#include "http/write.h"

#include "http/bytes_int.h"
#include "http/forwarded.h"

#define VERSION_TEXT "HTTP/1.1"

/* What an edit can never put on the wire, whoever made it: the gateway frames and manages
 * connections itself. A Trailer that was received goes on with the trailers it tells of. */
#define NEVER_EDITED (GATE_DROP_HOP | GATE_F_BIT(GATE_F_TRAILER))

/* End-to-end fields that a Connection field may not take away from the next hop. */
static bool protected_name(struct gate_str name)
{
    const uint64_t ids =
        GATE_F_BIT(GATE_F_HOST) | GATE_F_BIT(GATE_F_CONTENT_LENGTH) |
        GATE_F_BIT(GATE_F_TRANSFER_ENCODING) | GATE_F_BIT(GATE_F_AUTHORIZATION) |
        GATE_F_BIT(GATE_F_COOKIE) | GATE_F_BIT(GATE_F_SET_COOKIE) | GATE_F_BIT(GATE_F_FORWARDED) |
        GATE_F_BIT(GATE_F_X_REAL_IP) | GATE_F_BIT(GATE_F_VIA) | GATE_F_BIT(GATE_F_DATE) |
        GATE_F_BIT(GATE_F_X_REQUEST_ID) | GATE_F_BIT(GATE_F_AGE) | GATE_F_BIT(GATE_F_VARY) |
        GATE_F_BIT(GATE_F_EXPIRES) | GATE_F_BIT(GATE_F_PRAGMA);
    static const struct gate_str families[] = {
        GATE_STR("content-"),
        GATE_STR("x-forwarded-"),
        GATE_STR("cache-"),
    };
    enum gate_field_id id = gate_field_id_of(name.p, name.n);

    if (id != GATE_F_OTHER && (ids & GATE_F_BIT(id)))
        return true;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (name.n >= families[i].n &&
            gate_str_ieq(gate_str_of(name.p, families[i].n), families[i]))
            return true;
    return false;
}

/* Tokens that say something about the connection itself. */
static bool connection_option(struct gate_str item)
{
    switch (item.n) {
    case 10:
        return gate_bytes_same_word(item.p, "keep-alive", 10);
    case 5:
        return gate_bytes_same_word(item.p, "close", 5);
    case 7:
        return gate_bytes_same_word(item.p, "upgrade", 7);
    case 2:
        return gate_bytes_same_word(item.p, "te", 2);
    default:
        return false;
    }
}

/* Whether the Connection fields name `name`; with an empty name: whether they name anything beyond
 * options. */
static bool connection_names(const struct gate_fields *fs, struct gate_str name)
{
    if ((fs->known & GATE_F_BIT(GATE_F_CONNECTION)) == 0)
        return false;
    for (uint32_t i = 0; i < fs->n; i++) {
        struct gate_str list = gate_field_value(&fs->v[i]);
        struct gate_str item;

        if (fs->v[i].id != GATE_F_CONNECTION || (name.n == 0 && connection_option(list)))
            continue;
        while (gate_str_next_item(&list, &item))
            if (name.n == 0 ? !connection_option(item) : gate_str_ieq(item, name))
                return true;
    }
    return false;
}

bool gate_nominated(const struct gate_fields *fs, struct gate_str name)
{
    return name.n > 0 && connection_names(fs, name) && !protected_name(name);
}

static bool may_nominate(const struct gate_message *m)
{
    return m->drop_nominated && m->headers != NULL && m->headers->original != NULL &&
           connection_names(m->headers->original, GATE_STR_NONE);
}

/* `original`: f is one of the fields that were received. */
static bool dropped(const struct gate_message *m, const struct gate_field *f, bool original,
                    bool nominations)
{
    /* No set holds GATE_F_OTHER. */
    uint64_t bit = GATE_F_BIT(f->id);

    if (!original)
        return (bit & NEVER_EDITED) != 0;
    if (bit & m->drop)
        return true;
    if (m->drop_claims && f->id == GATE_F_OTHER && gate_forwarded_claim(gate_field_name(f)))
        return true;
    return nominations && gate_nominated(m->headers->original, gate_field_name(f));
}

const struct gate_field *gate_message_next(const struct gate_message *m,
                                           struct gate_message_cursor *c)
{
    const struct gate_field *f;

    while (m->headers != NULL && (f = gate_headers_next(m->headers, &c->h)) != NULL)
        if (!dropped(m, f, c->h.edits == 0, m->drop_nominated))
            return f;
    return c->extra < m->n_extra ? &m->extra[c->extra++] : NULL;
}

static size_t line_size(const struct gate_field *f)
{
    return (size_t)f->name_len + f->value_len + 4;
}

static void put_request_line(struct gate_out *o, const struct gate_message *m)
{
    gate_out_str(o, m->method);
    gate_out_char(o, ' ');
    gate_out_str(o, m->path);
    if (m->has_query) {
        gate_out_char(o, '?');
        gate_out_str(o, m->query);
    }
    GATE_OUT_LIT(o, " " VERSION_TEXT "\r\n");
}

static void put_status_line(struct gate_out *o, int status)
{
    char line[] = VERSION_TEXT " 000 ";

    if (status == 200) {
        GATE_OUT_LIT(o, VERSION_TEXT " 200 OK\r\n");
        return;
    }
    line[9] = (char)('0' + status / 100 % 10);
    line[10] = (char)('0' + status / 10 % 10);
    line[11] = (char)('0' + status % 10);
    gate_out_put(o, line, sizeof line - 1);
    gate_out_str(o, gate_status_reason(status));
    GATE_OUT_LIT(o, "\r\n");
}

static void put_line(struct gate_out *o, const struct gate_field *f)
{
    char *at = o->p + o->n;

    if (line_size(f) > o->cap - o->n) {
        o->full = true;
        return;
    }
    gate_bytes_copy_short(at, f->name, f->name_len);
    at += f->name_len;
    *at++ = ':';
    *at++ = ' ';
    if (f->value_len > 0)
        gate_bytes_copy_short(at, f->value, f->value_len);
    at += f->value_len;
    *at++ = '\r';
    *at++ = '\n';
    o->n = (size_t)(at - o->p);
}

/* Whether a line of a received head stands there as it would be written. */
static inline bool as_written(const struct gate_field *f)
{
    return f->value == f->name + f->name_len + 2 && f->value[-1] == ' ' &&
           f->value[f->value_len] == '\r';
}

/* What is left out of what was received: known ids, and if `names`, some by name. */
struct relayed {
    uint64_t ids;
    bool names;
    bool nominations;
};

static struct relayed relayed_of(const struct gate_message *m)
{
    const struct gate_overlay *edits = &m->headers->overlay;
    struct relayed r = {.ids = m->drop | edits->hidden, .nominations = may_nominate(m)};

    r.names = r.nominations || edits->hidden_other > 0 || m->drop_claims;
    return r;
}

static inline bool left_out(const struct relayed *r, const struct gate_message *m,
                            const struct gate_field *f)
{
    if ((GATE_F_BIT(f->id) & r->ids) != 0)
        return true;
    if (!r->names)
        return false;
    if (f->id == GATE_F_OTHER && (gate_overlay_hides(&m->headers->overlay, f) ||
                                  (m->drop_claims && gate_forwarded_claim(gate_field_name(f)))))
        return true;
    return r->nominations && gate_nominated(m->headers->original, gate_field_name(f));
}

/* The lines of a head as they were received. Those that are next to each other go out in one
 * copy. */
static void put_wire(struct gate_out *o, const struct gate_message *m, const struct relayed *r)
{
    const struct gate_fields *fs = m->headers->original;
    const char *from = NULL;
    const char *to = NULL;

    for (uint32_t i = 0; i < fs->n; i++) {
        const struct gate_field *f = &fs->v[i];
        bool same;

        if (left_out(r, m, f))
            continue;
        same = as_written(f);
        if (from != NULL && (f->name != to || !same)) {
            gate_out_put(o, from, (size_t)(to - from));
            from = NULL;
        }
        if (!same) {
            put_line(o, f);
            continue;
        }
        from = from == NULL ? f->name : from;
        to = f->value + f->value_len + 2;
    }
    if (from != NULL)
        gate_out_put(o, from, (size_t)(to - from));
}

static void put_originals(struct gate_out *o, const struct gate_message *m)
{
    const struct gate_fields *fs = m->headers->original;
    const struct relayed r = relayed_of(m);

    if (fs->wire) {
        put_wire(o, m, &r);
        return;
    }
    for (uint32_t i = 0; i < fs->n; i++)
        if (!left_out(&r, m, &fs->v[i]))
            put_line(o, &fs->v[i]);
}

static void put_fields(struct gate_out *o, const struct gate_message *m)
{
    const struct gate_headers *h = m->headers;

    if (h != NULL && h->original != NULL)
        put_originals(o, m);
    for (uint32_t i = 0; h != NULL && i < h->overlay.n; i++) {
        const struct gate_edit *e = &h->overlay.v[i];

        if (e->present && !dropped(m, &e->f, false, false))
            gate_out_put(o, e->f.name, line_size(&e->f));
    }
    for (uint32_t i = 0; i < m->n_extra; i++)
        put_line(o, &m->extra[i]);
}

static void put_framing(struct gate_out *o, const struct gate_message *m)
{
    if (m->status != 0 && (m->status < 200 || m->status == 204))
        return;
    if (m->framing == GATE_BODY_CHUNKED) {
        GATE_OUT_LIT(o, "Transfer-Encoding: chunked\r\n");
    } else if (m->framing == GATE_BODY_LENGTH || m->explicit_zero) {
        GATE_OUT_LIT(o, "Content-Length: ");
        gate_out_u64(o, m->framing == GATE_BODY_LENGTH ? m->content_length : 0);
        GATE_OUT_LIT(o, "\r\n");
    }
}

void gate_write_head(struct gate_out *o, const struct gate_message *m, struct gate_str connection)
{
    if (m->status == 0)
        put_request_line(o, m);
    else
        put_status_line(o, m->status);
    put_fields(o, m);
    if (connection.n > 0) {
        GATE_OUT_LIT(o, "Connection: ");
        gate_out_str(o, connection);
        GATE_OUT_LIT(o, "\r\n");
    }
    put_framing(o, m);
    GATE_OUT_LIT(o, "\r\n");
}

size_t gate_write_chunk_line(char to[GATE_CHUNK_LINE], uint64_t n)
{
    struct gate_out o = gate_out_on(to, GATE_CHUNK_LINE);

    gate_out_hex(&o, n);
    GATE_OUT_LIT(&o, "\r\n");
    return o.n;
}

void gate_write_last_chunk(struct gate_out *o, const struct gate_fields *trailers)
{
    GATE_OUT_LIT(o, "0\r\n");
    for (uint32_t i = 0; trailers != NULL && i < trailers->n; i++)
        put_line(o, &trailers->v[i]);
    GATE_OUT_LIT(o, "\r\n");
}
