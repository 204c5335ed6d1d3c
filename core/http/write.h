/* Write: the one serializer. A message (original fields, overlay, fields of the gateway's own,
 * canonical framing) to HTTP/1.1 bytes, in one pass. h2 will walk the same message with
 * gate_message_next. */
#ifndef GATE_HTTP_WRITE_H
#define GATE_HTTP_WRITE_H

#include "base/str.h"
#include "http/fields.h"
#include "http/head.h"

/* What is to be sent. Everything is borrowed until the write returns. */
struct gate_message {
    /* Requests: method and target; status 0. Responses: status. */
    struct gate_str method;
    struct gate_str path; /* encoded; begins with '/' or is "*" */
    struct gate_str query;
    bool has_query;
    int status;
    const struct gate_headers *headers; /* may be NULL */
    uint64_t drop;                      /* known ids of the original that are not relayed */
    bool drop_claims;                   /* what gate_forwarded_claim names is not relayed */
    bool drop_nominated;                /* Connection of the original may nominate more to drop */
    const struct gate_field *extra;     /* the gateway's own fields, written after the others */
    uint32_t n_extra;
    /* Canonical framing, written last: exactly one of none, Content-Length, chunked. */
    enum gate_framing framing; /* GATE_BODY_EOF: nothing is written and the connection ends it */
    uint64_t content_length;
    bool explicit_zero; /* framing NONE, but write Content-Length: 0 */
    bool head_is_all; /* HTTP/2: an answer without body ends with its head, at once (gRPC) */
};

/* The known ids that are never relayed: hop-by-hop and framing (RFC 9110 section 7.6.1), Proxy,
 * HTTP2-Settings. The request set also holds Host and Expect (written by the gateway). */
#define GATE_DROP_HOP                                                                              \
    (GATE_F_BIT(GATE_F_CONNECTION) | GATE_F_BIT(GATE_F_KEEP_ALIVE) |                               \
     GATE_F_BIT(GATE_F_PROXY_CONNECTION) | GATE_F_BIT(GATE_F_TE) | GATE_F_BIT(GATE_F_UPGRADE) |    \
     GATE_F_BIT(GATE_F_TRANSFER_ENCODING) | GATE_F_BIT(GATE_F_CONTENT_LENGTH) |                    \
     GATE_F_BIT(GATE_F_HTTP2_SETTINGS) | GATE_F_BIT(GATE_F_PROXY))
#define GATE_DROP_REQUEST                                                                          \
    (GATE_DROP_HOP | GATE_F_BIT(GATE_F_HOST) | GATE_F_BIT(GATE_F_EXPECT) |                         \
     GATE_F_BIT(GATE_F_PROXY_AUTHORIZATION))
#define GATE_DROP_RESPONSE (GATE_DROP_HOP | GATE_F_BIT(GATE_F_PROXY_AUTHENTICATE))

/* Next field of the message to go out: visible fields less the dropped, the nominated (but for the
 * protect list), then extra. Framing is not among them. NULL at the end. */
struct gate_message_cursor {
    struct gate_headers_cursor h;
    uint32_t extra;
};
const struct gate_field *gate_message_next(const struct gate_message *m,
                                           struct gate_message_cursor *c);

/* Whether the Connection field(s) of `fs` nominate this name and the protect list does not forbid
 * to drop it. */
bool gate_nominated(const struct gate_fields *fs, struct gate_str name);

/* The whole head with its empty line; `connection` is "close", "keep-alive", "upgrade" or empty for
 * none. o->full is set when it did not fit. Status 1xx and 204 never carry framing. */
void gate_write_head(struct gate_out *o, const struct gate_message *m, struct gate_str connection);

/* Size line of a chunk ("1f4\r\n") and the end of a chunked message with trailers (may be NULL). */
#define GATE_CHUNK_LINE 20
size_t gate_write_chunk_line(char to[GATE_CHUNK_LINE], uint64_t n);
void gate_write_last_chunk(struct gate_out *o, const struct gate_fields *trailers);

#endif
