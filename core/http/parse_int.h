/* Parse, inside: what request, response and trailer parsing share. Private to http/. */
#ifndef GATE_HTTP_PARSE_INT_H
#define GATE_HTTP_PARSE_INT_H

#include "base/arena.h"
#include "base/assert.h"
#include "http/bytes_int.h"
#include "http/head.h"
#include "http/scan.h"

#define GATE_NAME_MAX 256

static inline struct gate_refusal gate_refuse(int status, const char *why)
{
    return (struct gate_refusal){status, why};
}

#define GATE_ACCEPTED ((struct gate_refusal){0, NULL})

/* What the reading of the field lines found besides the fields. */
struct gate_walk {
    uint64_t repeated;    /* known ids that occur more than once */
    uint32_t underscores; /* names with '_' */
    bool too_many;        /* more than the limit */
    bool too_long;        /* a name over GATE_NAME_MAX */
    /* llhttp's view of the head, to compare with ours. */
    bool chunked;
    bool length;
    uint8_t minor;
    uint16_t status;
    uint64_t content_length;
};

/* A table that is being filled, in registers. */
struct gate_cutter {
    struct gate_field *next;
    uint64_t known;
    uint64_t repeated;
    uint32_t underscores;
    bool too_long;
};

static inline void gate_cutter_add(struct gate_cutter *c, struct gate_str name,
                                   struct gate_str value)
{
    enum gate_field_id id = gate_field_id_of(name.p, name.n);

    *c->next++ = (struct gate_field){
        .name = name.p,
        .value = value.p,
        .name_len = (uint16_t)name.n,
        .id = (uint16_t)id,
        .value_len = (uint32_t)value.n,
    };
    if (GATE_LIKELY(id != GATE_F_OTHER)) {
        uint64_t bit = GATE_F_BIT(id);

        c->repeated |= c->known & bit;
        c->known |= bit;
        return;
    }
    c->too_long |= name.n > GATE_NAME_MAX;
    c->underscores += gate_bytes_find(name.p, 0, name.n, '_') < name.n;
}

static inline void gate_cutter_end(const struct gate_cutter *c, struct gate_fields *fs,
                                   struct gate_walk *w)
{
    fs->n = (uint32_t)(c->next - fs->v);
    fs->known = c->known;
    w->repeated = c->repeated;
    w->underscores = c->underscores;
    w->too_long = c->too_long;
}

/* Makes room for `count` fields. False: more than the limit. */
bool gate_parse_room(struct gate_fields *fs, struct gate_walk *w, uint32_t count, uint32_t limit,
                     struct gate_arena *arena);

/* Marks of a head whose scan kept none. */
void gate_parse_mark(const char *p, size_t n, struct gate_scan_marks *marks);

/* Builds the table of the fields of the head [p, p+n), whose field lines begin at `at`: views
 * without surrounding OWS; and lets llhttp read the same head. NULL, or what is wrong. */
const char *gate_parse_lines(const char *p, size_t at, size_t n,
                             const struct gate_scan_marks *marks, bool request, uint32_t limit,
                             struct gate_arena *arena, struct gate_fields *fs, struct gate_walk *w);

/* Takes names with '_' out of the table. */
void gate_parse_drop_underscores(struct gate_fields *fs);

/* What Connection says, of all its lines. */
struct gate_connection {
    bool close;
    bool keep_alive;
    bool upgrade;
};
struct gate_connection gate_parse_connection(const struct gate_fields *fs);

/* First protocol of Upgrade; false when there is none or h2c is on the list (never tunnelled). */
bool gate_parse_upgrade(const struct gate_fields *fs, struct gate_str *first);

/* The framing that Content-Length and Transfer-Encoding ask for, each checked, and the same that
 * llhttp saw. 400 or 501; GATE_BODY_NONE when neither is there. */
struct gate_refusal gate_parse_framing(const struct gate_fields *fs, const struct gate_walk *w,
                                       uint8_t minor, enum gate_framing *framing,
                                       uint64_t *content_length);

/* Why a Transfer-Encoding other than "chunked" is refused: 501 when it is a well-formed list of
 * codings, 400 when it is malformed, or does not end in the only chunked that it names. */
struct gate_refusal gate_parse_codings(struct gate_str value);

/* Length of the part of a path that is canonical as it stands: no escapes, no empty segment, none
 * that begins with a dot. */
size_t gate_target_canonical_prefix(struct gate_str raw);

/* Whether llhttp's list has this method. */
bool gate_parse_method_listed(struct gate_str method);

#endif
