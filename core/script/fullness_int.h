/* Fullness: whether the VM that serves stays full of what its modules keep, so that whoever runs
 * next may find no memory. The worker is told (gate_worker.on_full); one thread, the VM's. */
#ifndef GATE_SCRIPT_FULLNESS_INT_H
#define GATE_SCRIPT_FULLNESS_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "net/wheel.h"

struct gate_vm;

struct gate_fullness {
    struct gate_timer look; /* the next collection that tells whether it is full still */
    uint64_t since_ms;      /* loop time of the first one that left it full; 0: the last did not */
    bool due;               /* that collection is under way */
    bool hurried;           /* a call was ended for want of memory meanwhile */
    bool asked;             /* the worker was told */
    uint64_t born;          /* bytes in use when the file had run */
};

void gate_fullness_init(struct gate_vm *vm);

/* Since the last time the heap may have been collected. */
void gate_fullness_note(struct gate_vm *vm);

/* A call has ended for want of memory: to be looked at now. */
void gate_fullness_hurry(struct gate_vm *vm);

/* No more looks. */
void gate_fullness_end(struct gate_vm *vm);

#endif
