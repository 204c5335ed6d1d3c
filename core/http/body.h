/* Body decoder: takes the framing off a body and hands out slices of content, by length, chunked or
 * until the end (RFC 9112 sections 6 and 7). Keeps no bytes; restartable at every byte. */
#ifndef GATE_HTTP_BODY_H
#define GATE_HTTP_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "http/head.h"
#include "http/scan.h"

struct gate_body {
    uint8_t framing; /* enum gate_framing */
    uint8_t state;
    uint8_t digits;     /* of the chunk size, zeros included; at most 16 */
    bool done;          /* the message is complete, trailers included */
    uint32_t ext_bytes; /* chunk-extension bytes of this line (<= 256) */
    uint32_t ext_total; /* of the message (<= 16 KiB) */
    uint64_t left;      /* of the length or of the chunk */
    uint64_t total;     /* content bytes handed out */
    struct gate_scan trailers;
};

void gate_body_init(struct gate_body *b, enum gate_framing framing, uint64_t content_length);

enum gate_body_result {
    GATE_BODY_MORE,     /* all n bytes were used; more is needed */
    GATE_BODY_DATA,     /* *content is a run of content; call again with the rest */
    GATE_BODY_TRAILERS, /* *used stops at the first byte of the trailer block, which the caller
                         * gathers whole and gives to gate_body_trailers; also for an empty block */
    GATE_BODY_DONE,     /* the message ended; bytes after *used belong to the next one */
    GATE_BODY_BAD       /* *why says what is wrong; nothing after this byte may be believed */
};

/* Decodes from [p, p+n). *used: bytes consumed, content included. *content is a view into p. */
enum gate_body_result gate_body_feed(struct gate_body *b, const char *p, size_t n, size_t *used,
                                     struct gate_str *content, const char **why);

/* n bytes of content went by outside of memory (content by length only, n at most `left`). True
 * when that was the end of the message. */
bool gate_body_skip(struct gate_body *b, size_t n);

/* Checks the trailer block that begins at p. MORE, DONE (*used: its length with the empty line;
 * done is set) or BAD. */
enum gate_body_result gate_body_trailers(struct gate_body *b, const char *p, size_t n, size_t *used,
                                         const char **why);

/* The connection ended in order: true when that ends the message (GATE_BODY_EOF, or it was done
 * already). */
bool gate_body_eof(struct gate_body *b);

#endif
