/* Kept bundles: what has served before and may come back. Newest first; the first is that of the
 * present generation. Control thread. */
#include <string.h>

#include "run/engine_int.h"

/* Makes room for a new first entry: the same bundle is not kept twice, the oldest goes. */
static void make_room(struct gate_kept *v, uint64_t hash)
{
    uint32_t last = 0;

    while (last < GATE_KEPT_MAX - 1 && v[last].bundle != NULL && v[last].hash != hash)
        last++;
    gate_bundle_free(&v[last].bundle);
    memmove(v + 1, v, last * sizeof(*v));
}

void gate_kept_note(struct gate_engine *e, const struct gate_live *live)
{
    struct gate_bundle *bundle = gate_bundle_ref(live->bundle);

    make_room(e->kept, live->g.hash);
    e->kept[0] = (struct gate_kept){
        .bundle = bundle,
        .number = live->g.number,
        .hash = live->g.hash,
        .made_s = live->g.made_s,
    };
}

const struct gate_kept *gate_kept_find(const struct gate_engine *e, uint64_t number)
{
    for (uint32_t i = 0; i < GATE_KEPT_MAX && e->kept[i].bundle != NULL; i++) {
        if (number == 0 ? i == 1 : e->kept[i].number == number)
            return &e->kept[i];
    }
    return NULL;
}

void gate_kept_drop(struct gate_engine *e)
{
    for (uint32_t i = 0; i < GATE_KEPT_MAX; i++)
        gate_bundle_free(&e->kept[i].bundle);
}
