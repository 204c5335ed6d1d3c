/* Target: the request target and Host to one canonical form (RFC 3986 section 6.2.2). */
#ifndef GATE_HTTP_TARGET_H
#define GATE_HTTP_TARGET_H

#include "base/arena.h"
#include "http/head.h"

/* Path part to canonical form. *canonical: unreserved escapes decoded, the others upper-case hex,
 * dot segments removed, slashes merged (option); *text: decoded but for %2F and %25. Views into
 * `raw` when nothing changes. status 0 or 400: `\`, %00, %5C, encoded controls, bad escapes,
 * climbing above the root, %2F when rejected. Idempotent. */
struct gate_refusal gate_target_path(struct gate_str raw, const struct gate_head_limits *limits,
                                     struct gate_arena *arena, struct gate_str *canonical,
                                     struct gate_str *text);

/* The reverse, for a path a script has set (lua/README.md): text → canonical encoded. A '%'
 * that does not start %2F or %25 becomes %25; must begin with '/'. Dot segments are removed; status
 * 0 or 400. */
struct gate_refusal gate_target_encode(struct gate_str text, struct gate_arena *arena,
                                       struct gate_str *canonical, struct gate_str *canonical_text);

/* Whether the bytes are allowed in a query (RFC 3986 plus the documented list of what common
 * clients leave bare). */
bool gate_target_query_ok(struct gate_str query);

/* Splits and checks "host[:port]"; *host is lower-cased (arena copy only when it was not) and has
 * no dot at its end: with and without it names are the same. False: not valid. */
bool gate_target_authority(struct gate_str text, struct gate_arena *arena, struct gate_str *host,
                           uint16_t *port);

/* Decodes one application/x-www-form-urlencoded name or value ('+' is a space); bad escapes stay as
 * they are. */
struct gate_str gate_target_form_decode(struct gate_str s, struct gate_arena *arena);

/* Walks name=value pairs of a query, undecoded. False at the end. */
bool gate_target_next_arg(struct gate_str *rest, struct gate_str *name, struct gate_str *value);

#endif
