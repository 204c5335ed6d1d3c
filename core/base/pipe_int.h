/* What blocks know of pipes. Private to base. */
#ifndef GATE_BASE_PIPE_INT_H
#define GATE_BASE_PIPE_INT_H

#include "base/pipe.h"

/* The last reference is gone. */
void gate_pipe_release(struct gate_block *b);

/* Closes the pool's idle pipes. */
void gate_pipes_fini(struct gate_block_pool *pool);

#endif
