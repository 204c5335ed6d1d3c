/* Chain segments: the pool must know their size, nobody else their shape. */
#ifndef GATE_BASE_CHAIN_INT_H
#define GATE_BASE_CHAIN_INT_H

#include "base/block.h"

#define GATE_CHAIN_SEG_SLICES 6

/* slices[first..end) are in the chain. A segment in a chain is never empty. */
struct gate_chain_seg {
    struct gate_chain_seg *next;
    uint32_t first;
    uint32_t end;
    struct gate_slice slices[GATE_CHAIN_SEG_SLICES];
};

#endif
