/* Field lines: from a scanned block to the table of fields, and what the fields say about
 * framing and connection. covers: trailers too. */
#include "http/parse.h"

#include "http/bytes_int.h"
#include "http/parse_int.h"

static inline bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

static bool has_underscore(const char *p, size_t n)
{
    return gate_bytes_find(p, 0, n, '_') < n;
}

void gate_parse_walk(const char *p, size_t at, size_t n, uint32_t limit, struct gate_arena *arena,
                     struct gate_fields *fs, struct gate_walk *w)
{
    uint32_t lines = gate_bytes_count(p + at, n - at, '\r') - 1;

    *w = (struct gate_walk){ 0 };
    *fs = (struct gate_fields){ 0 };
    if (lines > limit) {
        w->too_many = true;
        return;
    }
    if (lines == 0)
        return;
    fs->v = gate_arena_alloc(arena, lines * sizeof *fs->v);
    fs->cap = lines;
    while (fs->n < lines) {
        struct gate_field *f = &fs->v[fs->n++];
        size_t colon = gate_bytes_find(p, at, n, ':');
        size_t end = gate_bytes_find(p, colon, n, '\r');
        size_t from = colon + 1;
        size_t next = end + 2;

        while (from < end && is_ows(p[from]))
            from++;
        while (end > from && is_ows(p[end - 1]))
            end--;
        if (colon - at > GATE_NAME_MAX)
            w->too_long = true;
        f->name = p + at;
        f->name_len = (uint16_t)(colon - at);
        f->value = p + from;
        f->value_len = (uint32_t)(end - from);
        f->id = (uint16_t)gate_field_id_of(f->name, colon - at);
        if (f->id != GATE_F_OTHER) {
            w->repeated |= fs->known & GATE_F_BIT(f->id);
            fs->known |= GATE_F_BIT(f->id);
        } else if (has_underscore(f->name, colon - at)) {
            w->underscores++;
        }
        at = next;
    }
}

void gate_parse_drop_underscores(struct gate_fields *fs)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < fs->n; i++)
        if (!has_underscore(fs->v[i].name, fs->v[i].name_len))
            fs->v[kept++] = fs->v[i];
    fs->n = kept;
}

static void connection_token(struct gate_str item, struct gate_connection *c)
{
    if (item.n == 5 && gate_str_ieq(item, GATE_STR("close")))
        c->close = true;
    else if (item.n == 10 && gate_str_ieq(item, GATE_STR("keep-alive")))
        c->keep_alive = true;
    else if (item.n == 7 && gate_str_ieq(item, GATE_STR("upgrade")))
        c->upgrade = true;
}

struct gate_connection gate_parse_connection(const struct gate_fields *fs)
{
    struct gate_connection c = { 0 };

    if ((fs->known & GATE_F_BIT(GATE_F_CONNECTION)) == 0)
        return c;
    for (uint32_t i = 0; i < fs->n; i++) {
        struct gate_str list = gate_field_value(&fs->v[i]);
        struct gate_str item;

        if (fs->v[i].id != GATE_F_CONNECTION)
            continue;
        while (gate_str_next_item(&list, &item))
            connection_token(item, &c);
    }
    return c;
}

bool gate_parse_upgrade(const struct gate_fields *fs, struct gate_str *first)
{
    bool h2c = false;

    *first = GATE_STR_NONE;
    if ((fs->known & GATE_F_BIT(GATE_F_UPGRADE)) == 0)
        return false;
    for (uint32_t i = 0; i < fs->n; i++) {
        struct gate_str list = gate_field_value(&fs->v[i]);
        struct gate_str item;

        if (fs->v[i].id != GATE_F_UPGRADE)
            continue;
        while (gate_str_next_item(&list, &item)) {
            if (first->n == 0)
                *first = item;
            h2c = h2c || gate_str_ieq(item, GATE_STR("h2c"));
        }
    }
    return first->n > 0 && !h2c;
}

static struct gate_refusal transfer_encoding(struct gate_str v, uint8_t minor)
{
    if (minor == 0)
        return gate_refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (gate_str_ieq(v, GATE_STR("chunked")))
        return GATE_ACCEPTED;
    if (v.n > 0 && gate_bytes_token_end(v.p, 0, v.n) == v.n)
        return gate_refuse(501, "unknown Transfer-Encoding");
    return gate_refuse(400, "Transfer-Encoding is not just chunked");
}

struct gate_refusal gate_parse_framing(const struct gate_fields *fs, const struct gate_walk *w,
                                       uint8_t minor, enum gate_framing *framing,
                                       uint64_t *content_length)
{
    const uint64_t length = GATE_F_BIT(GATE_F_CONTENT_LENGTH);
    const uint64_t coding = GATE_F_BIT(GATE_F_TRANSFER_ENCODING);

    *framing = GATE_BODY_NONE;
    *content_length = 0;
    if ((fs->known & (length | coding)) == 0)
        return GATE_ACCEPTED;
    if ((fs->known & length) && (fs->known & coding))
        return gate_refuse(400, "both Content-Length and Transfer-Encoding");
    if (w->repeated & length)
        return gate_refuse(400, "more than one Content-Length");
    if (w->repeated & coding)
        return gate_refuse(400, "more than one Transfer-Encoding");
    if (fs->known & length) {
        struct gate_str v = gate_field_value(gate_fields_find(fs, GATE_F_CONTENT_LENGTH));

        if (!gate_str_to_u64(v, content_length))
            return gate_refuse(400, "bad Content-Length");
        *framing = GATE_BODY_LENGTH;
        return GATE_ACCEPTED;
    }
    *framing = GATE_BODY_CHUNKED;
    return transfer_encoding(
        gate_field_value(gate_fields_find(fs, GATE_F_TRANSFER_ENCODING)), minor);
}

/* What may travel as a trailer: end-to-end and about the content only (RFC 9110 section 6.5.1).
 * Known names are all special to somebody; of the others the families that mimic framing and
 * forwarding stay out. */
static bool trailer_ok(const struct gate_field *f)
{
    static const struct gate_str families[] = {
        GATE_STR("content-"), GATE_STR("x-forwarded-"), GATE_STR("proxy-"), GATE_STR("x-original-"),
        GATE_STR("sec-"), GATE_STR("access-control-"),
    };

    if (f->id != GATE_F_OTHER)
        return f->id == GATE_F_ETAG;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        struct gate_str head = { f->name, families[i].n };

        if (f->name_len >= families[i].n && gate_str_ieq(head, families[i]))
            return false;
    }
    return true;
}

struct gate_refusal gate_parse_trailers(const char *p, size_t n,
                                        const struct gate_head_limits *limits,
                                        struct gate_arena *arena, struct gate_fields *out)
{
    struct gate_walk w;
    uint32_t kept = 0;

    *out = (struct gate_fields){ 0 };
    if (n > limits->header_bytes)
        return gate_refuse(431, "trailers are too large");
    gate_parse_walk(p, 0, n, limits->header_count, arena, out, &w);
    if (w.too_many)
        return gate_refuse(431, "too many trailers");
    if (w.too_long)
        return gate_refuse(431, "trailer name is too long");
    if (w.underscores > 0 && limits->underscores == GATE_UNDERSCORE_REJECT)
        return gate_refuse(400, "underscore in a trailer name");
    if (w.underscores > 0 && limits->underscores == GATE_UNDERSCORE_DROP)
        gate_parse_drop_underscores(out);
    out->known = 0;
    for (uint32_t i = 0; i < out->n; i++) {
        if (!trailer_ok(&out->v[i]))
            continue;
        out->known |= out->v[i].id == GATE_F_OTHER ? 0 : GATE_F_BIT(out->v[i].id);
        out->v[kept++] = out->v[i];
    }
    out->n = kept;
    return GATE_ACCEPTED;
}
