/* Native, inside: the functions of a program as the values of a VM. */
#ifndef GATE_SCRIPT_NATIVE_INT_H
#define GATE_SCRIPT_NATIVE_INT_H

#include <lua.h>

#include "script/native.h"

/* Texts of the results of the call that runs; a VM's, so that an error that ends the call leaves
 * nothing behind. */
struct gate_native_text {
    char *p;
    size_t n;
    size_t cap;
};

void gate_native_text_fini(struct gate_native_text *t);

/* Pushes a new table of the module's functions; false: there is no such module (nothing is pushed).
 * `natives` may be NULL. */
bool gate_natives_push(const struct gate_natives *natives, lua_State *L, const char *name,
                       struct gate_native_text *text);

#endif
