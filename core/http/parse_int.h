/* Parse, inside: what request, response and trailer parsing share. Private to http/. */
#ifndef GATE_HTTP_PARSE_INT_H
#define GATE_HTTP_PARSE_INT_H

#include "base/arena.h"
#include "http/head.h"

#define GATE_NAME_MAX 256

static inline struct gate_refusal gate_refuse(int status, const char *why)
{
    return (struct gate_refusal){ status, why };
}

#define GATE_ACCEPTED ((struct gate_refusal){ 0, NULL })

/* What the walk over the field lines found besides the fields. */
struct gate_walk {
    uint64_t repeated;      /* known ids that occur more than once */
    uint32_t underscores;   /* names with '_' */
    bool too_many;          /* more than the limit; nothing was stored */
    bool too_long;          /* a name over GATE_NAME_MAX */
};

/* Walks the lines [p+at, p+n) of a scanned block, the empty line included, and builds the field
 * table in one allocation. Values are views without surrounding OWS. */
void gate_parse_walk(const char *p, size_t at, size_t n, uint32_t limit, struct gate_arena *arena,
                     struct gate_fields *fs, struct gate_walk *w);

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

/* The framing that Content-Length and Transfer-Encoding ask for, each checked. 400 or 501;
 * GATE_BODY_NONE when neither is there. */
struct gate_refusal gate_parse_framing(const struct gate_fields *fs, const struct gate_walk *w,
                                       uint8_t minor, enum gate_framing *framing,
                                       uint64_t *content_length);

/* The second opinion: llhttp, strict, over the whole head, must see the same names at the same
 * places, the same end and the same framing. NULL: it agrees; else what is wrong. */
const char *gate_parse_second_request(const char *p, size_t n, const struct gate_fields *fs,
                                      const struct gate_request_head *head);
const char *gate_parse_second_response(const char *p, size_t n, const struct gate_fields *fs,
                                       const struct gate_response_head *head);

/* Whether llhttp's list has this method. */
bool gate_parse_method_listed(struct gate_str method);

#endif
