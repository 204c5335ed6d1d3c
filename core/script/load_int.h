/* Load errors, inside. */
#ifndef GATE_SCRIPT_LOAD_INT_H
#define GATE_SCRIPT_LOAD_INT_H

#include "script/vm_int.h"

/* A new entry at the end, zeroed. */
struct gate_load_error *gate_load_error_new(struct gate_load_errors *e);

/* Copies the list of mistakes at a stack index. */
void gate_load_error_read(struct gate_load_errors *e, lua_State *L, int index);

/* The entry for a load that was ended by r; its error value is on top of co. */
void gate_load_error_stopped(struct gate_load_errors *e, const struct gate_vm *vm, lua_State *co,
                             enum gate_vm_result r);

#endif
