#include "net/intake.h"

#define BLOCKS_MOST 8

/* A block with less room than this is not read into any more. */
#define WORTH_READING 4096

static int space(struct gate_intake *in, struct gate_block_pool *pool, struct gate_block **blocks,
                 struct iovec *iov)
{
    int n = 0;

    if (in->block != NULL && in->block->refs == 1)
        in->block->used = 0;
    if (in->block != NULL && in->block->cap - in->block->used < WORTH_READING)
        gate_block_unref(&in->block);
    for (; n <= in->blocks; n++) {
        blocks[n] = n == 0 && in->block != NULL ? in->block : gate_block_take(pool);
        if (blocks[n] == NULL)
            break;
        iov[n].iov_base = blocks[n]->data + blocks[n]->used;
        iov[n].iov_len = blocks[n]->cap - blocks[n]->used;
    }
    in->block = NULL;
    return n;
}

/* Hands out the n bytes that were read; the last block that got some is kept. */
static void spread(struct gate_intake *in, struct gate_block **blocks, const struct iovec *iov,
                   int count, size_t n, gate_intake_fn *fn, void *to)
{
    for (int i = 0; i < count; i++) {
        size_t part = iov[i].iov_len < n ? iov[i].iov_len : n;

        blocks[i]->used += (uint32_t)part;
        n -= part;
        if (part > 0)
            fn(to, blocks[i], iov[i].iov_base, part);
        if (n > 0 || in->block != NULL || part == 0)
            gate_block_unref(&blocks[i]);
        else
            in->block = blocks[i];
    }
}

enum gate_err gate_intake_read(struct gate_intake *in, struct gate_conn *c, gate_intake_fn *fn,
                               void *to, size_t *n, bool *full)
{
    struct gate_block *blocks[BLOCKS_MOST];
    struct iovec iov[BLOCKS_MOST];
    int count = space(in, &c->loop->blocks, blocks, iov);
    enum gate_err e = GATE_E_NOMEM;
    size_t offered = 0;

    *n = 0;
    for (int i = 0; i < count; i++)
        offered += iov[i].iov_len;
    if (count > 0)
        e = gate_conn_read(c, iov, count, n);
    spread(in, blocks, iov, count, e == GATE_OK ? *n : 0, fn, to);
    *full = e == GATE_OK && *n == offered;
    if (!*full)
        in->blocks = 0;
    else if (in->blocks < BLOCKS_MOST - 1)
        in->blocks = (uint8_t)(in->blocks * 2 + 1);
    return e;
}

void gate_intake_rest(struct gate_intake *in)
{
    gate_block_unref(&in->block);
}
