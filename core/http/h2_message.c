/* Heads that go out: the walk of http/write.h, as a list for nghttp2, which lowers the names and
 * copies all of it. */
#include "http/h2_int.h"

#define U64_TEXT 24

/* Text that the list needs beyond the message, put one behind the other. */
static struct gate_out scratch(struct gate_h2_pool *p, size_t n)
{
    if (p->text_cap < n) {
        p->text_cap = n;
        p->text = gate_realloc(p->text, n);
    }
    return gate_out_on(p->text, p->text_cap);
}

static void add(struct gate_h2_pool *p, size_t n, struct gate_str name, struct gate_str value)
{
    if (n == p->nv_cap) {
        p->nv_cap = p->nv_cap == 0 ? 64 : p->nv_cap * 2;
        p->nv = gate_realloc(p->nv, p->nv_cap * sizeof(*p->nv));
    }
    /* nghttp2 writes to neither, and does not take a NULL. */
    p->nv[n] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.p,
        .value = (uint8_t *)(uintptr_t)(value.n == 0 ? "" : value.p),
        .namelen = name.n,
        .valuelen = value.n,
        .flags = NGHTTP2_NV_FLAG_NONE,
    };
}

static struct gate_str path_of(const struct gate_message *m, struct gate_out *o)
{
    size_t from = o->n;

    if (!m->has_query)
        return m->path;
    gate_out_str(o, m->path);
    gate_out_char(o, '?');
    gate_out_str(o, m->query);
    return gate_str_of(o->p + from, o->n - from);
}

struct gate_str gate_h2_extra(const struct gate_message *m, enum gate_field_id id)
{
    for (uint32_t i = 0; i < m->n_extra; i++)
        if (m->extra[i].id == id)
            return gate_field_value(&m->extra[i]);
    return GATE_STR_NONE;
}

static size_t start(struct gate_h2 *c, const struct gate_message *m, struct gate_out *o)
{
    struct gate_h2_pool *p = c->pool;
    struct gate_str host, protocol;
    size_t n = 0;

    if (m->status != 0) {
        size_t from = o->n;

        gate_out_u64(o, m->status == 101 ? 200 : (uint64_t)m->status);
        add(p, n++, GATE_STR(":status"), gate_str_of(o->p + from, o->n - from));
        return n;
    }
    host = gate_h2_extra(m, GATE_F_HOST);
    protocol = gate_h2_extra(m, GATE_F_UPGRADE);
    add(p, n++, GATE_STR(":method"), protocol.n > 0 ? GATE_STR("CONNECT") : m->method);
    if (protocol.n > 0)
        add(p, n++, GATE_STR(":protocol"), protocol);
    add(p, n++, GATE_STR(":scheme"), c->https ? GATE_STR("https") : GATE_STR("http"));
    if (host.n > 0)
        add(p, n++, GATE_STR(":authority"), host);
    add(p, n++, GATE_STR(":path"), path_of(m, o));
    return n;
}

/* The one thing of TE that has a meaning between two that speak HTTP/2 (RFC 9113 section 8.2.2). */
static bool takes_trailers(const struct gate_message *m)
{
    const struct gate_fields *fs = m->headers == NULL ? NULL : m->headers->original;
    struct gate_str list, item;

    if (m->status != 0 || fs == NULL || !(fs->known & GATE_F_BIT(GATE_F_TE)))
        return false;
    for (uint32_t i = 0; i < fs->n; i++) {
        list = gate_field_value(&fs->v[i]);
        while (fs->v[i].id == GATE_F_TE && gate_str_next_item(&list, &item))
            if (gate_str_ieq(item, GATE_STR("trailers")))
                return true;
    }
    return false;
}

/* What a pseudo-field says instead, or what HTTP/2 has not: Upgrade, and for a switch of protocols
 * the key and the answer to it. */
static bool is_said(const struct gate_message *m, const struct gate_field *f)
{
    if (f->id == GATE_F_UPGRADE)
        return true;
    if (m->status == 0)
        return f->id == GATE_F_HOST || (f->id == GATE_F_SEC_WEBSOCKET_KEY &&
                                        gate_h2_extra(m, GATE_F_UPGRADE).n > 0);
    return m->status == 101 && f->id == GATE_F_OTHER &&
           gate_str_ieq(gate_field_name(f), GATE_WEBSOCKET_ACCEPT_NAME);
}

size_t gate_h2_nv(struct gate_h2 *c, const struct gate_message *m, bool no_length)
{
    struct gate_out o = scratch(c->pool, m->path.n + m->query.n + 1 + 2 * U64_TEXT);
    struct gate_message_cursor cursor = {0};
    const struct gate_field *f;
    size_t n = start(c, m, &o);

    while ((f = gate_message_next(m, &cursor)) != NULL)
        if (!is_said(m, f))
            add(c->pool, n++, gate_field_name(f), gate_field_value(f));
    if (takes_trailers(m))
        add(c->pool, n++, GATE_STR("te"), GATE_STR("trailers"));
    if (!no_length && (m->framing == GATE_BODY_LENGTH || m->explicit_zero)) {
        size_t from = o.n;

        gate_out_u64(&o, m->framing == GATE_BODY_LENGTH ? m->content_length : 0);
        add(c->pool, n++, GATE_STR("content-length"), gate_str_of(o.p + from, o.n - from));
    }
    return n;
}

/* Room for n fields with so much text. */
static struct gate_h2_list *list_new(size_t n, size_t text)
{
    struct gate_h2_list *list = gate_alloc(sizeof(*list) + n * sizeof(nghttp2_nv) + text);

    list->n = 0;
    return list;
}

/* Adds a field; its text lies at `at`. Returns where the next one's may lie. */
static uint8_t *list_add(struct gate_h2_list *list, uint8_t *at, const void *name, size_t name_len,
                         const void *value, size_t value_len)
{
    list->v[list->n++] = (nghttp2_nv){at, at + name_len, name_len, value_len, 0};
    memcpy(at, name, name_len);
    if (value_len > 0)
        memcpy(at + name_len, value, value_len);
    return at + name_len + value_len;
}

struct gate_h2_list *gate_h2_trailers_copy(const struct gate_fields *fs)
{
    struct gate_h2_list *list;
    size_t text = 0;
    uint8_t *at;

    for (uint32_t i = 0; i < fs->n; i++)
        text += (size_t)fs->v[i].name_len + fs->v[i].value_len;
    list = list_new(fs->n, text);
    at = (uint8_t *)&list->v[fs->n];
    for (uint32_t i = 0; i < fs->n; i++)
        at = list_add(list, at, fs->v[i].name, fs->v[i].name_len, fs->v[i].value,
                      fs->v[i].value_len);
    return list;
}

struct gate_h2_list *gate_h2_list_copy(const nghttp2_nv *v, size_t n)
{
    struct gate_h2_list *list;
    size_t text = 0;
    uint8_t *at;

    for (size_t i = 0; i < n; i++)
        text += v[i].namelen + v[i].valuelen;
    list = list_new(n, text);
    at = (uint8_t *)&list->v[n];
    for (size_t i = 0; i < n; i++)
        at = list_add(list, at, v[i].name, v[i].namelen, v[i].value, v[i].valuelen);
    return list;
}
