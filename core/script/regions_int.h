/* Regions: memory of one Lua state, straight from the kernel, so that what a state has used goes
 * back whatever others hold. Runs of equal units are cut from regions, which are mapped when they
 * are needed and filled from their start; pieces too large for a run are mapped for themselves.
 * What is given back stays in memory for the next, until gate_regions_trim. One thread at a time.
 */
#ifndef GATE_SCRIPT_REGIONS_INT_H
#define GATE_SCRIPT_REGIONS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

#define GATE_REGIONS_UNITS   1024u /* of a region, its header's too */
#define GATE_REGIONS_RUN_MAX (GATE_REGIONS_UNITS / 4)

struct gate_regions {
    struct gate_list all; /* oldest first */
    size_t unit;          /* a power of two; at least a page of the kernel */
    uint64_t idle;        /* bytes that were given back and still lie in memory */
    uint64_t low;         /* the least of it since gate_regions_spared */
};

/* Runs are aligned to the unit. */
void gate_regions_init(struct gate_regions *rs, size_t unit);

/* Gives everything back, be it in use or not; pieces that are mapped for themselves must have been
 * given back before. */
void gate_regions_fini(struct gate_regions *rs);

/* What a piece of n bytes takes. */
static inline size_t gate_regions_room(const struct gate_regions *rs, size_t n)
{
    return (n + rs->unit - 1) & ~(rs->unit - 1);
}

/* n bytes; NULL: the system has no memory. The same n comes with what is given back. */
void *gate_regions_take(struct gate_regions *rs, size_t n);
void gate_regions_give(struct gate_regions *rs, void *p, size_t n);

/* In its place when there is room, else it moves; NULL: the system has no memory, and the piece is
 * what it was. */
void *gate_regions_resize(struct gate_regions *rs, void *p, size_t old, size_t n);

/* Returns idle memory to the kernel until `keep` bytes of it are left, a bounded amount at once;
 * true: there is more to return. */
bool gate_regions_trim(struct gate_regions *rs, uint64_t keep);

/* Idle bytes that nobody has needed since the last call. */
uint64_t gate_regions_spared(struct gate_regions *rs);

#endif
