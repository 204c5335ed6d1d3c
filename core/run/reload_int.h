/* Reload, inside: one load from its files (reload.c) to its publishing (publish.c). Control
 * thread. */
#ifndef GATE_RUN_RELOAD_INT_H
#define GATE_RUN_RELOAD_INT_H

#include "run/builder.h"
#include "run/reload.h"

struct gate_reload {
    struct gate_engine *engine;
    struct gate_reload_wish wish;
    bool first;
    uint64_t from;                      /* the one that comes back, or is renewed; 0: none */
    struct gate_bundle *bundle;
    struct gate_builder *builder;       /* that runs */
    struct gate_loaded loaded;          /* of the first VM */
    struct gate_live *live;
    struct gate_load_errors errors;
    bool cannot_listen;
    struct gate_listen_point **fresh;   /* opened by this load */
    uint32_t n_fresh;
};

/* It was made of a bundle that has served, not of the files. */
static inline bool gate_reload_brings_back(const struct gate_reload *r)
{
    return r->wish.why == GATE_RELOAD_ROLLBACK || r->wish.why == GATE_RELOAD_RENEW;
}

/* What serves and what was tried last are watched: also a file that only the failed load has asked
 * for may be the one that mends it. */
void gate_reload_watch_tried(struct gate_engine *e, struct gate_bundle *tried);

/* The load came to nothing, for what stands in its errors; with a message that is added there. */
void gate_reload_fail(struct gate_reload *r);
void gate_reload_fail_with(struct gate_reload *r, const char *message);

/* The load is over: the next one begins, when it was asked for meanwhile. */
void gate_reload_finish(struct gate_engine *e);

/* publish.c. All VMs are built: listens, resolves, and lets it serve. */
void gate_reload_publish(struct gate_reload *r);

#endif
