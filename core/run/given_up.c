/* Given up: bundles that files on disk may still say, but that are not to serve just because these
 * were touched, or because an engine has died: a canary's, what a rollback left. Control thread. */
#include <string.h>

#include "run/engine_int.h"

const struct gate_given_up *gate_given_up_find(const struct gate_engine *e, uint64_t hash)
{
    for (uint32_t i = 0; i < e->n_given_up; i++) {
        if (e->given_up[i].hash == hash)
            return &e->given_up[i];
    }
    return NULL;
}

static void take_out(struct gate_engine *e, uint32_t i)
{
    e->n_given_up--;
    memmove(e->given_up + i, e->given_up + i + 1,
            (e->n_given_up - i) * sizeof(*e->given_up));
}

void gate_given_up_drop(struct gate_engine *e, uint64_t hash)
{
    const struct gate_given_up *g = gate_given_up_find(e, hash);

    if (g != NULL)
        take_out(e, (uint32_t)(g - e->given_up));
}

void gate_given_up_add(struct gate_engine *e, const struct gate_given_up *g)
{
    gate_given_up_drop(e, g->hash);
    /* The disk says one at most: the oldest is the least likely. */
    if (e->n_given_up == GATE_GIVEN_UP_MAX)
        take_out(e, 0);
    e->given_up[e->n_given_up++] = *g;
}
