/* Pipes: bulk content on its way from socket to socket without passing through our memory. A pipe
 * is a block without data: its bytes travel through chains as slices like all others, but only a
 * conn can take them out. One thread; pipes are owned by the worker's block pool. */
#ifndef GATE_BASE_PIPE_H
#define GATE_BASE_PIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/block.h"

/* What a pipe is asked to hold. */
#define GATE_PIPE_SIZE (1024u * 1024)

/* Pipes of one process: an unprivileged user's pipes may hold 64 MiB together, and others of that
 * user want some, too (pipe(7), pipe-user-pages-soft). */
#define GATE_PIPES_MAX 48

struct gate_pipe {
    struct gate_block block; /* cap 0 */
    int in;                  /* bytes are put in here */
    int out;
    size_t held;    /* bytes inside */
    const char *at; /* where the next slice begins: slices count bytes, they point nowhere */
    void (*on_empty)(void *arg); /* called once, when the last byte has left; NULL: nobody waits */
    void *arg;
};

/* How many pipes may be open in this pool at once; before any is taken. None by default. */
void gate_pipe_allow(struct gate_block_pool *pool, uint32_t pipes);

/* An empty pipe, with one reference. NULL when none is to be had: use blocks instead. Given back
 * with gate_block_unref; one that is not empty then is closed. */
struct gate_pipe *gate_pipe_take(struct gate_block_pool *pool);

/* n bytes went in; they are appended to `to`. */
void gate_pipe_filled(struct gate_pipe *p, size_t n, struct gate_chain *to);

/* The first n bytes left. The chain that has them at its front drops them. */
void gate_pipe_drained(struct gate_pipe *p, size_t n);

/* The pipe of a slice; NULL for bytes in memory. */
static inline struct gate_pipe *gate_pipe_of(const struct gate_slice *s)
{
    if (s->b == NULL || s->b->cap != 0)
        return NULL;
    return gate_container_of(s->b, struct gate_pipe, block);
}

#endif
