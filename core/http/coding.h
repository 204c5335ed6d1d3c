/* Codings: content codings (RFC 9110 section 8.4.1) taken off a body for scripts that asked for it
 * plain. Slices in, slices out, a bounded amount of work a call. One thread; a decoder belongs to
 * who made it. */
#ifndef GATE_HTTP_CODING_H
#define GATE_HTTP_CODING_H

#include <stdbool.h>

#include "base/block.h"
#include "base/err.h"
#include "base/str.h"

enum gate_coding {
    GATE_CODING_IDENTITY,
    GATE_CODING_GZIP, /* x-gzip, too */
    GATE_CODING_DEFLATE,
    GATE_CODING_BROTLI,
    GATE_CODING_UNKNOWN /* another one, or more than one */
};

/* Reads a Content-Encoding value; all lines of the field joined. */
enum gate_coding gate_coding_of(struct gate_str value);

/* Most plain bytes of one call: well under a millisecond. */
#define GATE_DECODER_SLICE (64u * 1024)

/* Plain bytes for each coded one at most, judged once there is so much of them: what expands more
 * is an attack. */
#define GATE_DECODER_RATIO       100
#define GATE_DECODER_JUDGED_FROM (1024u * 1024)

struct gate_decoder;

/* For gzip, deflate (with zlib's header, or raw as some servers send it) or brotli. NULL: no
 * memory. */
struct gate_decoder *gate_decoder_new(enum gate_coding coding);
void gate_decoder_free(struct gate_decoder **d);

/* Takes bytes from `in` and appends plain ones to `out`, at most a slice of them. GATE_OK: either
 * `in` is empty, or call again, also with an empty `in` while gate_decoder_pending.
 * GATE_E_SYNTAX: not a body of this coding, or bytes behind its end; GATE_E_LIMIT: it expands too
 * much; GATE_E_NOMEM. */
enum gate_err gate_decoder_feed(struct gate_decoder *d, struct gate_chain *in,
                                struct gate_chain *out);

/* Plain bytes wait inside for the next call. */
bool gate_decoder_pending(const struct gate_decoder *d);

/* The coded body ended where the coding says it does (an empty body counts). */
bool gate_decoder_done(const struct gate_decoder *d);

#endif
