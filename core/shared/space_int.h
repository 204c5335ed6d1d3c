/* Space: the memory of one shard, in granules of 16 bytes, handed out in blocks of any size. Places
 * are offsets from the shard's begin; 0 is none. Free blocks lie in lists by size, neighbours
 * are joined at once; everything takes constant time. Used under the shard's lock. */
#ifndef GATE_SHARED_SPACE_INT_H
#define GATE_SHARED_SPACE_INT_H

#include <stdint.h>

#define GATE_GRANULE       16u
#define GATE_SPACE_CLASSES 192u

/* Stands before each block, free or taken. */
struct gate_space_block {
    uint32_t size;   /* granules, times 2; odd: taken */
    uint32_t before; /* granules of the block before this one; 0: it is the first */
};

struct gate_space {
    uint32_t first; /* place of the first block */
    uint32_t end;
    uint32_t taken; /* granules in use */
    uint32_t unused;
    uint64_t filled[GATE_SPACE_CLASSES / 64]; /* which lists are not empty */
    uint32_t lists[GATE_SPACE_CLASSES];
};

static inline uint32_t gate_space_granules(uint32_t bytes)
{
    return (bytes + GATE_GRANULE - 1) / GATE_GRANULE;
}

/* All of it is free; what was handed out is gone. */
void gate_space_reset(struct gate_space *s, char *base, uint32_t first, uint32_t end);

/* A block of n granules or a few more; 0: there is none so large. */
uint32_t gate_space_take(struct gate_space *s, char *base, uint32_t n);
void gate_space_give(struct gate_space *s, char *base, uint32_t at);

/* Granules of a taken block. */
uint32_t gate_space_size(const char *base, uint32_t at);

#endif
