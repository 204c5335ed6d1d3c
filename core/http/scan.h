/* Scan: the raw byte check of a head block in front of llhttp. */
#ifndef GATE_HTTP_SCAN_H
#define GATE_HTTP_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* Where the first lines of a block have their colon and their CR, so that nobody needs to look for
 * them again. Offsets are relative to the start of the block; the first line of a head has no
 * colon. */
#define GATE_SCAN_MARKS 24
struct gate_scan_marks {
    uint32_t lines; /* CRLFs of the whole block, once it is there */
    struct gate_scan_mark {
        uint32_t colon;
        uint32_t end;
    } v[GATE_SCAN_MARKS];
};

/* Restartable state of one head; zeroed for a new one. Offsets are relative to the start of the
 * head. */
struct gate_scan {
    uint32_t at;    /* bytes already checked */
    uint32_t lines; /* CRLFs seen */
    uint8_t state;
    struct gate_scan_marks *marks; /* filled on the way; NULL: not wanted */
};

enum gate_scan_result {
    GATE_SCAN_MORE, /* all bytes are fine so far, no end yet */
    GATE_SCAN_DONE, /* the empty line was seen; *head_len is set */
    GATE_SCAN_BAD   /* a byte that may not stand there; *why is set */
};

/* Checks bytes [s->at, n) of a head that begins at p: LF only after CR, CR only before LF, no NUL
 * or control but HTAB, no line that begins with SP or HTAB, every field line is token ":" ..., no
 * empty name, no space before the colon. The first line is checked for control bytes only. No
 * memory, SSE2 where there is. head_len: bytes with the empty line. */
enum gate_scan_result gate_scan_head(struct gate_scan *s, const char *p, size_t n, size_t *head_len,
                                     const char **why);

/* The same for a trailer block: no first line; an empty block is the CRLF alone. */
enum gate_scan_result gate_scan_trailers(struct gate_scan *s, const char *p, size_t n, size_t *len,
                                         const char **why);

#endif
