/* h1 writer: outgoing bytes of one HTTP/1 connection side: heads in one pass, bodies by reference,
 * canonical framing. Knows no socket; its owner sends `out`. One thread; embedded in a session or
 * link. */
#ifndef GATE_HTTP_H1_WRITER_H
#define GATE_HTTP_H1_WRITER_H

#include "base/block.h"
#include "base/err.h"
#include "http/write.h"

struct gate_h1_writer {
    struct gate_chain out; /* to be sent */
    uint64_t left;         /* of a Content-Length */
    uint8_t framing;       /* enum gate_framing of the message under way */
    bool ended;            /* the message is written to its end */
};

void gate_h1_writer_init(struct gate_h1_writer *w, struct gate_block_pool *pool);
void gate_h1_writer_fini(struct gate_h1_writer *w);

/* The head. `no_body`: whatever the framing fields say, no body follows (HEAD, 204, 304, 1xx).
 * GATE_E_NOMEM, GATE_E_LIMIT (larger than a big block). */
enum gate_err gate_h1_writer_head(struct gate_h1_writer *w, const struct gate_message *m,
                                  struct gate_str connection, bool no_body);

/* An interim head: framing and state of the message stay. */
enum gate_err gate_h1_writer_info(struct gate_h1_writer *w, const struct gate_message *m);

/* Takes the chunk. GATE_E_INVALID: more or (with last) fewer bytes than Content-Length said: the
 * message must be cut. */
enum gate_err gate_h1_writer_body(struct gate_h1_writer *w, struct gate_chain *chunk, bool last);

/* The end with trailers; they are dropped where the framing has no place for them. GATE_E_LIMIT:
 * they are larger than a big block, and the message must be cut. */
enum gate_err gate_h1_writer_trailers(struct gate_h1_writer *w, const struct gate_fields *trailers);

#endif
