/* Stacks of coroutines as text, for log lines: nothing here allocates in Lua or calls a metamethod.
 */
#ifndef GATE_SCRIPT_STACK_INT_H
#define GATE_SCRIPT_STACK_INT_H

#include <lua.h>

#include "base/str.h"

/* Whether a function (lua_getinfo "S") is a script's own, and none of the library. */
bool gate_stack_is_script(const lua_Debug *ar);

/* The innermost place of a script on a coroutine's stack, "file:line"; false: none. */
bool gate_stack_place(lua_State *co, struct gate_out *o);

/* Where the nth script function (from 1) is defined among those that a function of L's registry
 * calls, its upvalues; false: there is none. */
bool gate_stack_callee_place(lua_State *L, int ref, uint32_t nth, struct gate_out *o);

/* All of them, innermost first, with function names: "a.lua:3 in f < gateway.lua:9". */
void gate_stack_trace(lua_State *co, struct gate_out *o);

/* An error value as text, without running any of its metamethods. */
void gate_stack_error(lua_State *co, int index, struct gate_out *o);

#endif
