/* Kept bundles: what has served before and may come back. Newest first; the first is that of the
 * present generation. Control thread. */
#include <string.h>

#include "run/engine_int.h"

/* Makes room for a new first entry, and gives what has to go for it: what is kept of the same
 * bundle, or else the oldest. */
static struct gate_kept make_room(struct gate_kept *v, uint64_t hash)
{
    uint32_t last = 0;
    struct gate_kept gone;

    while (last < GATE_KEPT_MAX - 1 && v[last].bundle != NULL && v[last].hash != hash)
        last++;
    gone = v[last];
    memmove(v + 1, v, last * sizeof(*v));
    return gone;
}

/* What the files said is no news any more once they serve, whatever they have said before; what is
 * left for something older is not what is wanted. */
static void note_given_up(struct gate_engine *e, const struct gate_live *live)
{
    const struct gate_kept *before = &e->kept[0];

    if (before->bundle == NULL || before->hash == live->g.hash)
        return;
    if (live->from == 0) {
        e->n_given_up = 0;
        return;
    }
    gate_given_up_drop(e, live->g.hash);
    gate_given_up_add(e, &(struct gate_given_up){
        .hash = before->hash, .number = before->number, .why = GATE_GIVEN_UP_ROLLBACK });
}

void gate_kept_note(struct gate_engine *e, const struct gate_live *live)
{
    /* Another one of the same files may have other certificates beside them. */
    bool left = e->kept[0].bundle == live->bundle && e->kept[0].left;
    struct gate_kept gone;

    note_given_up(e, live);
    gone = make_room(e->kept, live->g.hash);
    e->kept[0] = (struct gate_kept){
        .bundle = gate_bundle_ref(live->bundle),
        .number = live->g.number,
        .hash = live->g.hash,
        .made_s = live->g.made_s,
        .left = left,
    };
    gate_bundle_free(&gone.bundle);
    gate_heir_provide(e);
    if (gone.left && gone.hash != live->g.hash)
        gate_heir_forget(e, gone.hash);
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
