/* Fields: the field lines of a message as views into the block that was read, and the overlay of
 * edits above the untouched original. One thread; memory is the exchange's arena. */
#ifndef GATE_HTTP_FIELDS_H
#define GATE_HTTP_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "http/field_id.h"

struct gate_field {
    const char *name;  /* as received */
    const char *value; /* without surrounding OWS */
    uint16_t name_len;
    uint16_t id; /* enum gate_field_id */
    uint32_t value_len;
};

/* The original: written once by the parser, never changed. */
struct gate_fields {
    struct gate_field *v;
    uint32_t n;
    uint32_t cap;
    uint64_t known; /* set of GATE_F_BIT of the ids that occur */
    bool wire;      /* views into an HTTP/1 head, where each line stands whole with its CRLF */
    uint32_t bytes; /* no more than this do all lines take, written out; 0: not known */
};

/* One edit. A name that was set or removed hides all original fields of that name. Name and value
 * stand as they are sent: a line with its CRLF. */
struct gate_edit {
    struct gate_field f;
    bool hides;   /* set and remove hide; add does not */
    bool present; /* false: removal only */
};

/* Edits in the order they were made; arena memory. Zero-initialised is empty. */
struct gate_overlay {
    struct gate_edit *v;
    uint32_t n;
    uint32_t cap;
    uint64_t hidden;       /* known ids that are hidden */
    uint32_t hidden_other; /* names without id that are hidden: their count */
};

/* A message's fields as everybody sees them: original plus overlay. */
struct gate_headers {
    struct gate_fields *original; /* may be NULL: none */
    struct gate_overlay overlay;
    struct gate_arena *arena; /* of the edits */
};

static inline struct gate_str gate_field_name(const struct gate_field *f)
{
    return (struct gate_str){f->name, f->name_len};
}

static inline struct gate_str gate_field_value(const struct gate_field *f)
{
    return (struct gate_str){f->value, f->value_len};
}

/* Whether an edit hides the originals of this field's name. */
bool gate_overlay_hides(const struct gate_overlay *o, const struct gate_field *f);

/* First original field with a known id; NULL when there is none. */
const struct gate_field *gate_fields_find(const struct gate_fields *fs, enum gate_field_id id);

/* The one place where field names and values are checked: a name is a token of
 * at most 256 bytes, a value has no control byte but HTAB (obs-text is allowed), at most 64 KiB. */
bool gate_field_name_ok(struct gate_str name);
bool gate_field_value_ok(struct gate_str value);

/* First visible value; false when there is none. Name in any case. */
bool gate_headers_get(const struct gate_headers *h, struct gate_str name, struct gate_str *value);
/* The same, when the id of the name is known; and of a field that has one. */
bool gate_headers_get_as(const struct gate_headers *h, enum gate_field_id id, struct gate_str name,
                         struct gate_str *value);
bool gate_headers_get_id(const struct gate_headers *h, enum gate_field_id id,
                         struct gate_str *value);

/* Replaces all fields of that name by one. Copies name and value into the arena. GATE_E_SYNTAX:
 * name or value is not allowed. Framing and hop-by-hop rules are the caller's (see
 * gate_field_settable). */
enum gate_err gate_headers_set(struct gate_headers *h, struct gate_str name, struct gate_str value);
/* The same, when the name is known to be valid and this is its id. */
enum gate_err gate_headers_set_as(struct gate_headers *h, enum gate_field_id id,
                                  struct gate_str name, struct gate_str value);
enum gate_err gate_headers_add(struct gate_headers *h, struct gate_str name, struct gate_str value);
enum gate_err gate_headers_remove(struct gate_headers *h, struct gate_str name);

/* Whether a script may set a name of this id: not framing, not hop-by-hop, not Host. When false,
 * *instead says what to use ("res:set_body fixes Content-Length"). */
bool gate_field_settable(enum gate_field_id id, bool request, const char **instead);

/* Walks the visible fields: originals that are not hidden in wire order, then edits in order. Begin
 * with a zeroed cursor; NULL at the end. Edits made during the walk may or may not be seen. */
struct gate_headers_cursor {
    uint32_t i;
    uint32_t edits;
};
const struct gate_field *gate_headers_next(const struct gate_headers *h,
                                           struct gate_headers_cursor *c);

#endif
