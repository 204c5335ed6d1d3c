#include "base/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/pipe_int.h"

/* Slices need places that follow each other, for what was joined or cut in memory is so here. The
 * first one is anything but NULL. */
#define FIRST_PLACE ((char *)GATE_PIPE_SIZE)

void gate_pipe_allow(struct gate_block_pool *pool, uint32_t pipes)
{
    pool->pipes_left = pipes;
}

static struct gate_pipe *pipe_open(struct gate_block_pool *pool)
{
    struct gate_pipe *p;
    int fd[2];

    if (pool->pipes_left == 0 || pipe2(fd, O_NONBLOCK | O_CLOEXEC) != 0)
        return NULL;
    pool->pipes_left--;
    /* A system that has no more of this size is not asked for another one: pipes_left stays. */
    if (fcntl(fd[1], F_SETPIPE_SZ, (int)GATE_PIPE_SIZE) < (int)GATE_PIPE_SIZE) {
        close(fd[0]);
        close(fd[1]);
        return NULL;
    }
    p = gate_calloc(1, sizeof(*p));
    p->out = fd[0];
    p->in = fd[1];
    p->block.pool = pool;
    return p;
}

static void pipe_close(struct gate_pipe *p)
{
    close(p->in);
    close(p->out);
    p->block.pool->pipes_left++;
    gate_free(p);
}

struct gate_pipe *gate_pipe_take(struct gate_block_pool *pool)
{
    struct gate_pipe *p;

    if (pool->pipes == NULL) {
        p = pipe_open(pool);
        if (p == NULL)
            return NULL;
    } else {
        p = gate_container_of(pool->pipes, struct gate_pipe, block);
        pool->pipes = p->block.next_free;
    }
    p->block.refs = 1;
    p->block.next_free = NULL;
    p->block.data = FIRST_PLACE;
    p->at = FIRST_PLACE;
    pool->live++;
    return p;
}

void gate_pipe_filled(struct gate_pipe *p, size_t n, struct gate_chain *to)
{
    p->held += n;
    gate_chain_add(to, &p->block, p->at, n);
    p->at += n;
}

void gate_pipe_drained(struct gate_pipe *p, size_t n)
{
    void (*on_empty)(void *) = p->on_empty;

    GATE_ASSERT(n <= p->held);
    p->held -= n;
    if (p->held > 0 || on_empty == NULL)
        return;
    p->on_empty = NULL;
    on_empty(p->arg);
}

void gate_pipe_release(struct gate_block *b)
{
    struct gate_block_pool *pool = b->pool;
    struct gate_pipe *p = gate_container_of(b, struct gate_pipe, block);

    GATE_DEBUG_ASSERT(b->refs == 0 && pool->live > 0);
    pool->live--;
    p->on_empty = NULL;
    if (p->held > 0) {
        pipe_close(p);
        return;
    }
    b->next_free = pool->pipes;
    pool->pipes = b;
}

void gate_pipes_fini(struct gate_block_pool *pool)
{
    while (pool->pipes != NULL) {
        struct gate_pipe *p = gate_container_of(pool->pipes, struct gate_pipe, block);

        pool->pipes = p->block.next_free;
        pipe_close(p);
    }
}
