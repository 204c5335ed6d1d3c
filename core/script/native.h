/* Native: functions of the program around a gateway, as modules of scripts (moongate.h,
 * gate_add_module). Filled and read by any thread; a module never changes and lives as long as the
 * list. */
#ifndef GATE_SCRIPT_NATIVE_H
#define GATE_SCRIPT_NATIVE_H

#include "base/err.h"
#include "moongate.h"

struct gate_natives;

struct gate_natives *gate_natives_new(void);
void gate_natives_free(struct gate_natives **natives);

/* GATE_E_INVALID: a name cannot be; GATE_E_EXISTS: there is such a module. Copies the names. */
enum gate_err gate_natives_add(struct gate_natives *natives, const char *name,
                               const struct gate_module_function *functions, size_t n);

#endif
