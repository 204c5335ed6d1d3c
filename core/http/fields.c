/* Fields: look-ups in the original and the overlay of edits. An edit of a name finds its place
 * in the overlay again, so that a script that sets the same name in a loop does not make the
 * overlay grow. */
#include "http/fields.h"

#include "http/bytes_int.h"

#define NAME_MAX_BYTES  256
#define VALUE_MAX_BYTES (64u * 1024)

/* The loop of find_known once more: shared, it is a call, in the path of every request. */
const struct gate_field *gate_fields_find(const struct gate_fields *fs, enum gate_field_id id)
{
    if ((fs->known & GATE_F_BIT(id)) == 0)
        return NULL;
    for (uint32_t i = 0; i < fs->n; i++)
        if (fs->v[i].id == id)
            return &fs->v[i];
    return NULL;
}

bool gate_field_name_ok(struct gate_str name)
{
    if (name.n == 0 || name.n > NAME_MAX_BYTES)
        return false;
    return gate_bytes_is_plain(name.p, name.n) ||
           gate_bytes_token_end(name.p, 0, name.n) == name.n;
}

bool gate_field_value_ok(struct gate_str value)
{
    if (value.n > VALUE_MAX_BYTES)
        return false;
    return value.n == 0 || gate_bytes_is_text(value.p, value.n) ||
           gate_bytes_text_end(value.p, 0, value.n) == value.n;
}

static inline bool is_other(const struct gate_field *f, struct gate_str name)
{
    return f->id == GATE_F_OTHER && f->name_len == name.n &&
           gate_bytes_same_name(f->name, name.p, name.n);
}

static inline bool same_name(const struct gate_field *f, enum gate_field_id id,
                             struct gate_str name)
{
    return id == GATE_F_OTHER ? is_other(f, name) : f->id == id;
}

bool gate_overlay_hides(const struct gate_overlay *o, const struct gate_field *f)
{
    if (f->id != GATE_F_OTHER)
        return (o->hidden & GATE_F_BIT(f->id)) != 0;
    if (o->hidden_other == 0)
        return false;
    for (uint32_t i = 0; i < o->n; i++)
        if (o->v[i].hides && same_name(&o->v[i].f, GATE_F_OTHER, gate_field_name(f)))
            return true;
    return false;
}

static const struct gate_field *find_edit(const struct gate_overlay *o, enum gate_field_id id,
                                          struct gate_str name)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (o->v[i].present && same_name(&o->v[i].f, id, name))
            return &o->v[i].f;
    return NULL;
}

static const struct gate_field *find_known(const struct gate_fields *fs, enum gate_field_id id)
{
    for (uint32_t i = 0; i < fs->n; i++)
        if (fs->v[i].id == id)
            return &fs->v[i];
    return NULL;
}

static const struct gate_field *find_other(const struct gate_fields *fs, struct gate_str name)
{
    for (uint32_t i = 0; i < fs->n; i++)
        if (is_other(&fs->v[i], name))
            return &fs->v[i];
    return NULL;
}

static const struct gate_field *find_visible(const struct gate_headers *h, enum gate_field_id id,
                                             struct gate_str name)
{
    const struct gate_fields *fs = h->original;

    const struct gate_field *f = NULL;

    if (fs != NULL && id == GATE_F_OTHER)
        f = find_other(fs, name);
    else if (fs != NULL && (fs->known & GATE_F_BIT(id)) != 0)
        f = find_known(fs, id);
    if (h->overlay.n == 0 || (f != NULL && !gate_overlay_hides(&h->overlay, f)))
        return f;
    return find_edit(&h->overlay, id, name);
}

bool gate_headers_get(const struct gate_headers *h, struct gate_str name, struct gate_str *value)
{
    return gate_headers_get_as(h, gate_field_id_of(name.p, name.n), name, value);
}

bool gate_headers_get_as(const struct gate_headers *h, enum gate_field_id id, struct gate_str name,
                         struct gate_str *value)
{
    const struct gate_field *f = find_visible(h, id, name);

    if (f == NULL)
        return false;
    *value = gate_field_value(f);
    return true;
}

bool gate_headers_get_id(const struct gate_headers *h, enum gate_field_id id,
                         struct gate_str *value)
{
    const struct gate_field *f;

    if (h->overlay.n > 0)
        f = find_visible(h, id, GATE_STR_NONE);
    else if (h->original == NULL || (h->original->known & GATE_F_BIT(id)) == 0)
        f = NULL;
    else
        f = find_known(h->original, id);
    if (f == NULL)
        return false;
    *value = gate_field_value(f);
    return true;
}

/* A place for fill. */
static struct gate_edit *append_edit(struct gate_headers *h)
{
    struct gate_overlay *o = &h->overlay;

    if (o->n == o->cap) {
        uint32_t cap = o->cap == 0 ? 4 : o->cap * 2;
        struct gate_edit *v = gate_arena_alloc(h->arena, cap * sizeof *v);

        if (o->n > 0)
            memcpy(v, o->v, o->n * sizeof *v);
        o->v = v;
        o->cap = cap;
    }
    o->v[o->n].hides = false;
    return &o->v[o->n++];
}

/* Writes the edit as the line that will be sent. */
static void fill(struct gate_headers *h, struct gate_edit *e, enum gate_field_id id,
                 struct gate_str name, struct gate_str value, bool present)
{
    char *p = gate_arena_alloc(h->arena, name.n + value.n + 4);

    e->f = (struct gate_field){.name = p,
                               .value = p + name.n + 2,
                               .name_len = (uint16_t)name.n,
                               .id = (uint16_t)id,
                               .value_len = (uint32_t)value.n};
    e->present = present;
    memcpy(p, name.p, name.n);
    p += name.n;
    *p++ = ':';
    *p++ = ' ';
    if (value.n > 0)
        memcpy(p, value.p, value.n);
    p += value.n;
    *p++ = '\r';
    *p = '\n';
}

/* Empties all edits of this name; the first of them, or NULL. */
static struct gate_edit *empty_edits(struct gate_overlay *o, enum gate_field_id id,
                                     struct gate_str name)
{
    struct gate_edit *first = NULL;

    for (uint32_t i = 0; i < o->n; i++) {
        if (!same_name(&o->v[i].f, id, name))
            continue;
        o->v[i].present = false;
        if (first == NULL)
            first = &o->v[i];
    }
    return first;
}

static void hide_originals(struct gate_overlay *o, struct gate_edit *e)
{
    if (e->hides)
        return;
    e->hides = true;
    if (e->f.id == GATE_F_OTHER)
        o->hidden_other++;
    else
        o->hidden |= GATE_F_BIT(e->f.id);
}

enum gate_err gate_headers_set(struct gate_headers *h, struct gate_str name, struct gate_str value)
{
    if (!gate_field_name_ok(name))
        return GATE_E_SYNTAX;
    return gate_headers_set_as(h, gate_field_id_of(name.p, name.n), name, value);
}

enum gate_err gate_headers_set_as(struct gate_headers *h, enum gate_field_id id,
                                  struct gate_str name, struct gate_str value)
{
    struct gate_edit *e;

    if (!gate_field_value_ok(value))
        return GATE_E_SYNTAX;
    e = empty_edits(&h->overlay, id, name);
    if (e == NULL)
        e = append_edit(h);
    fill(h, e, id, name, gate_str_trim(value), true);
    hide_originals(&h->overlay, e);
    return GATE_OK;
}

enum gate_err gate_headers_add(struct gate_headers *h, struct gate_str name, struct gate_str value)
{
    struct gate_overlay *o = &h->overlay;
    struct gate_edit *place = NULL;
    enum gate_field_id id;

    if (!gate_field_name_ok(name) || !gate_field_value_ok(value))
        return GATE_E_SYNTAX;
    id = gate_field_id_of(name.p, name.n);
    /* The first empty place behind all present ones of that name keeps their order. */
    for (uint32_t i = 0; i < o->n; i++) {
        if (!same_name(&o->v[i].f, id, name))
            continue;
        if (o->v[i].present)
            place = NULL;
        else if (place == NULL)
            place = &o->v[i];
    }
    if (place == NULL)
        place = append_edit(h);
    fill(h, place, id, name, gate_str_trim(value), true);
    return GATE_OK;
}

enum gate_err gate_headers_remove(struct gate_headers *h, struct gate_str name)
{
    enum gate_field_id id;
    struct gate_edit *e;

    if (!gate_field_name_ok(name))
        return GATE_E_SYNTAX;
    id = gate_field_id_of(name.p, name.n);
    e = empty_edits(&h->overlay, id, name);
    if (e == NULL) {
        e = append_edit(h);
        fill(h, e, id, name, GATE_STR_NONE, false);
    }
    hide_originals(&h->overlay, e);
    return GATE_OK;
}

bool gate_field_settable(enum gate_field_id id, bool request, const char **instead)
{
    switch (id) {
    case GATE_F_CONTENT_LENGTH:
    case GATE_F_TRANSFER_ENCODING:
        *instead =
            request ? "req:set_body fixes Content-Length" : "res:set_body fixes Content-Length";
        return false;
    case GATE_F_HOST:
        *instead = "req.host sets it";
        return !request;
    case GATE_F_CONNECTION:
    case GATE_F_KEEP_ALIVE:
    case GATE_F_PROXY_CONNECTION:
    case GATE_F_TE:
    case GATE_F_TRAILER:
    case GATE_F_UPGRADE:
    case GATE_F_HTTP2_SETTINGS:
        *instead = "the gateway manages the connection on each side by itself";
        return false;
    case GATE_F_EXPECT:
        *instead = "the gateway answers Expect by itself";
        return !request;
    case GATE_F_PROXY:
        *instead = "no server should believe it (CVE-2016-5385)";
        return !request;
    default:
        return true;
    }
}

const struct gate_field *gate_headers_next(const struct gate_headers *h,
                                           struct gate_headers_cursor *c)
{
    const struct gate_fields *fs = h->original;
    const struct gate_overlay *o = &h->overlay;

    while (fs != NULL && c->i < fs->n) {
        const struct gate_field *f = &fs->v[c->i++];

        if (o->n == 0 || !gate_overlay_hides(o, f))
            return f;
    }
    while (c->edits < o->n) {
        const struct gate_edit *e = &o->v[c->edits++];

        if (e->present)
            return &e->f;
    }
    return NULL;
}
