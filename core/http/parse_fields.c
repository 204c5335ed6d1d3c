/* Field lines: from a scanned block to the table of fields, and what the fields say about
 * framing and connection. */
#include "http/parse.h"

#include "http/bytes_int.h"
#include "http/forwarded.h"
#include "http/parse_int.h"

static bool has_underscore(const char *p, size_t n)
{
    return gate_bytes_find(p, 0, n, '_') < n;
}

void gate_parse_drop_underscores(struct gate_fields *fs)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < fs->n; i++)
        if (!has_underscore(fs->v[i].name, fs->v[i].name_len))
            fs->v[kept++] = fs->v[i];
    fs->n = kept;
}

/* False: another token, or a list. */
static bool connection_token(struct gate_str item, struct gate_connection *c)
{
    if (item.n == 10 && gate_bytes_same_word(item.p, "keep-alive", 10))
        return c->keep_alive = true;
    if (item.n == 5 && gate_bytes_same_word(item.p, "close", 5))
        return c->close = true;
    if (item.n == 7 && gate_bytes_same_word(item.p, "upgrade", 7))
        return c->upgrade = true;
    return false;
}

struct gate_connection gate_parse_connection(const struct gate_fields *fs)
{
    struct gate_connection c = {0};

    if ((fs->known & GATE_F_BIT(GATE_F_CONNECTION)) == 0)
        return c;
    for (uint32_t i = 0; i < fs->n; i++) {
        struct gate_str list = gate_field_value(&fs->v[i]);
        struct gate_str item;

        if (fs->v[i].id != GATE_F_CONNECTION || connection_token(list, &c))
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
    if (v.n == 7 && gate_bytes_same_word(v.p, "chunked", 7))
        return GATE_ACCEPTED;
    return gate_parse_codings(v);
}

struct gate_refusal gate_parse_framing(const struct gate_fields *fs, const struct gate_walk *w,
                                       uint8_t minor, enum gate_framing *framing,
                                       uint64_t *content_length)
{
    const uint64_t length = GATE_F_BIT(GATE_F_CONTENT_LENGTH);
    const uint64_t coding = GATE_F_BIT(GATE_F_TRANSFER_ENCODING);
    const uint64_t both = fs->known & (length | coding);
    struct gate_refusal no = GATE_ACCEPTED;

    *framing = GATE_BODY_NONE;
    *content_length = 0;
    if (both == (length | coding))
        return gate_refuse(400, "both Content-Length and Transfer-Encoding");
    if (w->repeated & length)
        return gate_refuse(400, "more than one Content-Length");
    if (w->repeated & coding)
        return gate_refuse(400, "more than one Transfer-Encoding");
    if (both & length) {
        *framing = GATE_BODY_LENGTH;
        if (!gate_str_to_u64(gate_field_value(gate_fields_find(fs, GATE_F_CONTENT_LENGTH)),
                             content_length))
            no = gate_refuse(400, "bad Content-Length");
    } else if (both & coding) {
        *framing = GATE_BODY_CHUNKED;
        no = transfer_encoding(gate_field_value(gate_fields_find(fs, GATE_F_TRANSFER_ENCODING)),
                               minor);
    }
    if (no.status == 0 && (w->length != (*framing == GATE_BODY_LENGTH) ||
                           w->chunked != (*framing == GATE_BODY_CHUNKED) ||
                           (w->length && w->content_length != *content_length)))
        return gate_refuse(400, "the framing is ambiguous");
    return no;
}

/* What may travel as a trailer: end-to-end and about the content only (RFC 9110 section 6.5.1).
 * Known names are all special to somebody; of the others what a stranger may not claim in a head
 * stays out, and the families that mimic framing, cookies and credentials. */
static bool trailer_ok(const struct gate_field *f)
{
    static const struct gate_str families[] = {
        GATE_STR("content-"),        GATE_STR("proxy-"),  GATE_STR("sec-"),
        GATE_STR("access-control-"), GATE_STR("cookie"),  GATE_STR("set-cookie"),
        GATE_STR("authentication-"), GATE_STR("x-auth-"), GATE_STR("x-authorization"),
        GATE_STR("x-api-key"),
    };

    if (f->id != GATE_F_OTHER)
        return f->id == GATE_F_ETAG;
    if (gate_forwarded_claim(gate_field_name(f)))
        return false;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        struct gate_str head = {f->name, families[i].n};

        if (f->name_len >= families[i].n && gate_str_ieq(head, families[i]))
            return false;
    }
    return true;
}

/* The lines of a scanned trailer block. */
static void trailer_lines(const char *p, size_t n, uint32_t limit, struct gate_arena *arena,
                          struct gate_fields *fs, struct gate_walk *w)
{
    struct gate_cutter c = {0};
    size_t at = 0;

    /* A CR for each line, and the empty one. */
    if (n <= 2 || !gate_parse_room(fs, w, gate_bytes_count(p, n, '\r') - 1, limit, arena))
        return;
    c.next = fs->v;
    while (at < n && p[at] != '\r') {
        size_t colon = gate_bytes_find(p, at, n, ':');
        size_t end = gate_bytes_find(p, colon, n, '\r');

        gate_cutter_add(&c, gate_str_of(p + at, colon - at),
                        gate_str_trim(gate_str_of(p + colon + 1, end - colon - 1)));
        at = end + 2;
    }
    gate_cutter_end(&c, fs, w);
}

struct gate_refusal gate_parse_trailers(const char *p, size_t n,
                                        const struct gate_head_limits *limits,
                                        struct gate_arena *arena, struct gate_fields *out)
{
    struct gate_walk w = {0};
    uint32_t kept = 0;

    *out = (struct gate_fields){0};
    if (n > limits->header_bytes)
        return gate_refuse(431, "trailers are too large");
    trailer_lines(p, n, limits->header_count, arena, out, &w);
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
