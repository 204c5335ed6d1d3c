/* Weights: what coroutines hold, told by a bounded walk from their stacks. An estimate: of large
 * tables a sample is looked at. Nothing here runs a metamethod or follows a metatable. One thread.
 */
#ifndef GATE_SCRIPT_WEIGHT_INT_H
#define GATE_SCRIPT_WEIGHT_INT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct gate_weights {
    lua_State *L;      /* values pass over its stack */
    const void **seen; /* objects that were counted, a set */
    uint32_t n_seen;
    uint32_t left; /* steps */
    bool cut;      /* the steps were not enough: what was told is too little */
};

/* Steps for one object; a field costs one. */
#define GATE_WEIGHT_OBJECT 8u

void gate_weights_init(struct gate_weights *w, lua_State *L);
void gate_weights_fini(struct gate_weights *w);

/* From here on so many steps may be taken, and nothing is cut yet. */
void gate_weights_allow(struct gate_weights *w, uint32_t steps);

/* Bytes that are reached from a coroutine's variables, or from the value on top of w->L, which is
 * popped. An object counts once; of functions only a script's own are entered. */
uint64_t gate_weights_coroutine(struct gate_weights *w, lua_State *co);
uint64_t gate_weights_value(struct gate_weights *w);

#endif
