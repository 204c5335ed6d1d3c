/* h1 reader: incoming bytes of one HTTP/1 connection side: heads, bodies, trailers, in blocks.
 * Knows no socket; its owner reads into the space it offers. One thread; embedded in a session or
 * link; holds a block only while there is something in it. */
#ifndef GATE_HTTP_H1_READER_H
#define GATE_HTTP_H1_READER_H

#include <sys/uio.h>

#include "base/block.h"
#include "base/err.h"
#include "http/body.h"
#include "http/scan.h"

/* Most blocks of one read: 1 MiB. */
#define GATE_H1_READ_BLOCKS 64

/* From so many bytes up a copy through memory costs more than setting up a pipe. */
#define GATE_H1_BULK (2u * 1024 * 1024)

struct gate_h1_reader {
    struct gate_block *b; /* bytes [at, b->used) are not consumed */
    uint32_t at;
    bool lost;      /* bytes were read for which there was no memory: close the connection */
    bool big;       /* a head's first block is a big one: requests with bodies come */
    uint8_t blocks; /* how many blocks the next read offers: grows when reads come back full */
    struct gate_scan scan; /* of the head */
    struct gate_body body;
    struct gate_scan_marks marks; /* of the last head that was scanned; not initialised */
};

void gate_h1_reader_init(struct gate_h1_reader *r);
void gate_h1_reader_fini(struct gate_h1_reader *r);

/* Bytes that were read and not consumed. */
static inline size_t gate_h1_reader_held(const struct gate_h1_reader *r)
{
    return r->b == NULL ? 0 : r->b->used - r->at;
}

/* The space of one read; on the stack of its user. */
struct gate_h1_space {
    struct iovec iov[GATE_H1_READ_BLOCKS];
    struct gate_block *blocks[GATE_H1_READ_BLOCKS]; /* blocks[0] is r->b */
    int count;
    int next; /* the first block that r->b has not taken over */
    size_t bytes;
};

/* Offers space for a head: contiguous with what is held; moves to a big block when needed.
 * GATE_E_LIMIT: the head does not fit; GATE_E_NOMEM. */
enum gate_err gate_h1_reader_head_space(struct gate_h1_reader *r, struct gate_block_pool *pool,
                                        struct gate_h1_space *s);

/* Offers space for a body of at most `credit` bytes, all held bytes being consumed. */
enum gate_err gate_h1_reader_body_space(struct gate_h1_reader *r, struct gate_block_pool *pool,
                                        size_t credit, struct gate_h1_space *s);

/* After a read of n bytes into block i of the space: call for i = 0, 1, … until it answers false;
 * each true means that r->b now holds that block's bytes, to be consumed before the next call.
 * Unused blocks are given back at the end. */
bool gate_h1_reader_fill(struct gate_h1_reader *r, struct gate_h1_space *s, int i, size_t *n);
static inline bool gate_h1_reader_filled(struct gate_h1_reader *r, struct gate_h1_space *s, int i,
                                         size_t *n)
{
    /* Most reads fill a part of the only block. */
    if (i > 0 && *n == 0 && s->next == s->count)
        return false;
    return gate_h1_reader_fill(r, s, i, n);
}

/* Nothing more of the read is wanted, or it gave nothing: the blocks that were taken for it go
 * back. */
void gate_h1_reader_unused(struct gate_h1_reader *r, struct gate_h1_space *s);

/* Scans for a head in what is held. DONE: [*p, *p + *n) is the head, consumed; BAD: *why. */
enum gate_scan_result gate_h1_reader_head(struct gate_h1_reader *r, const char **p, size_t *n,
                                          const char **why);

/* The body that follows the head just parsed. */
static inline void gate_h1_reader_begin_body(struct gate_h1_reader *r, enum gate_framing f,
                                             uint64_t length)
{
    gate_body_init(&r->body, f, length);
}

/* Decodes what is held into `chunk` by reference. GATE_BODY_MORE, GATE_BODY_TRAILERS (a non-empty
 * trailer block is whole: [*p, *p + *n) and the message is complete), GATE_BODY_DONE or
 * GATE_BODY_BAD. */
enum gate_body_result gate_h1_reader_body(struct gate_h1_reader *r, struct gate_chain *chunk,
                                          const char **p, size_t *n, const char **why);

/* Whether the body has so much left, and nothing of it is held, that it is worth a pipe. */
static inline bool gate_h1_reader_bulk(const struct gate_h1_reader *r)
{
    return r->body.framing == GATE_BODY_LENGTH && r->body.left >= GATE_H1_BULK &&
           gate_h1_reader_held(r) == 0;
}

/* Between messages: gives the block back when nothing is held. */
void gate_h1_reader_rest(struct gate_h1_reader *r);

#endif
