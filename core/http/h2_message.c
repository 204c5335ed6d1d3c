/* Heads that go out: the walk of http/write.h, as a list for nghttp2, which lowers the names and
 * copies all of it. */
#include "http/h2_int.h"
#include "http/websocket.h"

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

static struct gate_str host_of(const struct gate_message *m)
{
    for (uint32_t i = 0; i < m->n_extra; i++)
        if (m->extra[i].id == GATE_F_HOST)
            return gate_field_value(&m->extra[i]);
    return GATE_STR_NONE;
}

static size_t start(struct gate_h2 *c, const struct gate_message *m, struct gate_out *o)
{
    struct gate_h2_pool *p = c->pool;
    struct gate_str host;
    size_t n = 0;

    if (m->status != 0) {
        size_t from = o->n;

        gate_out_u64(o, m->status == 101 ? 200 : (uint64_t)m->status);
        add(p, n++, GATE_STR(":status"), gate_str_of(o->p + from, o->n - from));
        return n;
    }
    host = host_of(m);
    add(p, n++, GATE_STR(":method"), m->method);
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

/* What a pseudo-field says instead, or what HTTP/2 has not: Upgrade, and what a 101 answers to a
 * key. */
static bool is_said(const struct gate_message *m, const struct gate_field *f)
{
    if (m->status == 0)
        return f->id == GATE_F_HOST;
    if (f->id == GATE_F_UPGRADE)
        return true;
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

struct gate_h2_trailers *gate_h2_trailers_copy(const struct gate_fields *fs)
{
    size_t bytes = sizeof(struct gate_h2_trailers) + fs->n * sizeof(nghttp2_nv);
    struct gate_h2_trailers *t;
    uint8_t *at;

    for (uint32_t i = 0; i < fs->n; i++)
        bytes += (size_t)fs->v[i].name_len + fs->v[i].value_len;
    t = gate_alloc(bytes);
    t->n = fs->n;
    at = (uint8_t *)&t->v[fs->n];
    for (uint32_t i = 0; i < fs->n; i++) {
        const struct gate_field *f = &fs->v[i];

        t->v[i] = (nghttp2_nv){at, at + f->name_len, f->name_len, f->value_len, 0};
        memcpy(at, f->name, f->name_len);
        if (f->value_len > 0)
            memcpy(at + f->name_len, f->value, f->value_len);
        at += (size_t)f->name_len + f->value_len;
    }
    return t;
}
