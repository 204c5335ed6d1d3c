/* Heavy tasks: when a VM's memory is full, the call that holds most of it ends, be it waiting or
 * running. One thread, the VM's. */
#ifndef GATE_SCRIPT_HEAVY_INT_H
#define GATE_SCRIPT_HEAVY_INT_H

#include "script/vm_int.h"

/* For heap.on_full. */
bool gate_heavy_spare(struct gate_heap *h, lua_State *L);

/* Bytes that requests hold which wait: as far as one is heavy, and about. Between calls. */
uint64_t gate_heavy_held(struct gate_vm *vm);

/* For vm->ending: ends the waits of those that were chosen. */
void gate_heavy_end(struct gate_ready *r);

#endif
