/* Heir: the engine that comes after a crash. What this one leaves to the next, and how it takes
 * over what was left to itself. Control thread. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/canary.h"
#include "run/engine_int.h"

/* Leaving */

static void keep(struct gate_engine *e, enum gate_store_kind kind, uint64_t number, int fd)
{
    struct gate_store_name name = gate_store_name_of(kind, GATE_STR_NONE, number);

    gate_broker_keep(e->broker, &name, fd);
    close(fd);
}

static uint64_t highest_number(const struct gate_engine *e)
{
    uint64_t last = e->last_number;

    for (uint32_t i = 0; i < e->n_given_up; i++) {
        if (e->given_up[i].number > last)
            last = e->given_up[i].number;
    }
    return last;
}

static void fill_record(const struct gate_engine *e, struct gate_legacy_record *r)
{
    memset(r, 0, sizeof(*r));
    r->from = e->current->from;
    r->made_ns = e->current->made_ns;
    r->last = highest_number(e);
    r->canary = gate_canary_number(e);
    while (r->n_kept < GATE_KEPT_MAX && e->kept[r->n_kept].bundle != NULL) {
        const struct gate_kept *k = &e->kept[r->n_kept];

        r->kept[r->n_kept++] = (struct gate_legacy_kept){ k->number, k->hash, k->made_s };
    }
    r->n_given_up = e->n_given_up;
    memcpy(r->given_up, e->given_up, sizeof(r->given_up));
}

/* Bundles first: a record names only what is there. */
static enum gate_err leave_all(struct gate_engine *e)
{
    struct gate_legacy_record record;
    enum gate_err err = GATE_OK;
    int fd;

    for (uint32_t i = 0; i < GATE_KEPT_MAX && e->kept[i].bundle != NULL; i++) {
        struct gate_kept *k = &e->kept[i];

        if (k->left)
            continue;
        err = gate_legacy_write_bundle(k->bundle, &fd);
        if (err != GATE_OK)
            return err;
        keep(e, GATE_STORE_BUNDLE, k->hash, fd);
        k->left = true;
    }
    fill_record(e, &record);
    err = gate_legacy_write(&record, &fd);
    if (err == GATE_OK)
        keep(e, GATE_STORE_LEGACY, 0, fd);
    return err;
}

static void drop(struct gate_engine *e, enum gate_store_kind kind, uint64_t number)
{
    struct gate_store_name name = gate_store_name_of(kind, GATE_STR_NONE, number);

    gate_broker_drop(e->broker, &name);
}

/* What is old must not come back for what could not be kept: then files are better. */
void gate_heir_provide(struct gate_engine *e)
{
    if (e->broker == NULL || !e->broker->lasts || leave_all(e) == GATE_OK)
        return;
    gate_logf(&e->log, GATE_LOG_WARN, "generation %llu cannot be kept in memory: %s; after a crash "
              "the files would be read", (unsigned long long)e->current->g.number,
              strerror(errno));
    drop(e, GATE_STORE_LEGACY, 0);
}

void gate_heir_forget(struct gate_engine *e, uint64_t hash)
{
    if (e->broker != NULL)
        drop(e, GATE_STORE_BUNDLE, hash);
}

/* Taking over */

static void take_kept(struct gate_engine *e, struct gate_legacy *l)
{
    const struct gate_legacy_record *r = &l->record;
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->n_kept; i++) {
        struct gate_bundle *b = gate_legacy_take(l, r->kept[i].hash);

        if (b == NULL)
            continue;
        e->kept[n++] = (struct gate_kept){
            .bundle = b,
            .number = r->kept[i].number,
            .hash = r->kept[i].hash,
            .made_s = r->kept[i].made_s,
            .left = true,
        };
    }
    memcpy(e->given_up, r->given_up, sizeof(e->given_up));
    e->n_given_up = (uint32_t)r->n_given_up;
    e->last_number = r->last;
}

/* What a predecessor had left, or was about to leave, without a word of it in its record. */
static void forget_rest(struct gate_engine *e, struct gate_legacy *l)
{
    for (uint32_t i = 0; i < l->n_bundles; i++)
        gate_heir_forget(e, gate_bundle_hash(l->bundles[i]));
}

void gate_heir_enter(struct gate_engine *e, struct gate_legacy *l)
{
    const struct gate_legacy_record *r = &l->record;

    if (r->n_kept > 0) {
        take_kept(e, l);
        e->heir.present = e->kept[0].bundle != NULL && e->kept[0].hash == r->kept[0].hash;
        e->heir.from = r->from;
        e->heir.made_ns = r->made_ns;
        e->heir.canary = r->canary;
        if (!e->heir.present)
            gate_logf(&e->log, GATE_LOG_ERROR, "what generation %llu served is lost, and the "
                      "files are read", (unsigned long long)r->kept[0].number);
    }
    forget_rest(e, l);
}

/* How it went */

void gate_heir_age(const struct gate_engine *e, struct gate_live *live)
{
    uint64_t now = gate_clock_now_ns(&e->clock);

    /* A test clock that was moved has gone with its engine. */
    live->made_ns = e->heir.made_ns < now ? e->heir.made_ns : now;
    live->g.made_s = e->kept[0].made_s;
}

void gate_heir_announce(struct gate_engine *e)
{
    bool stale = gate_bundle_stale(e->current->bundle);
    char canary[100] = "";

    if (e->heir.canary != 0)
        snprintf(canary, sizeof(canary),
                 "; the canary, generation %llu, has ended with its engine",
                 (unsigned long long)e->heir.canary);
    gate_logf(&e->log, GATE_LOG_WARN, "generation %llu serves again, from memory%s%s%s",
              (unsigned long long)e->current->g.number, canary,
              stale ? "; the files on disk have been written since" : "",
              stale && e->options->no_watch ? ", and wait for a reload" : "");
    e->heir.present = false;
}
