/* Offload: a small pool of threads for work that blocks (files, password hashes). Thread-safe:
 * its queue has its own lock, held for the queue only. Owned by the engine. */
#ifndef GATE_NET_OFFLOAD_H
#define GATE_NET_OFFLOAD_H

#include "net/mailbox.h"

struct gate_offload;

/* Work that owns itself: `run` on a pool thread, then `done` on the loop of `reply`, which frees
 * it. */
struct gate_work {
    struct gate_mail mail;      /* private */
    struct gate_work *next;     /* private */
    struct gate_mailbox *reply;
    void (*run)(struct gate_work *w);
    void (*done)(struct gate_work *w, void *receiver);
};

enum gate_err gate_offload_open(struct gate_offload **out, int threads);

/* Waits for running work, drops nothing: queued work is run first. */
void gate_offload_close(struct gate_offload **pool);
void gate_offload_submit(struct gate_offload *pool, struct gate_work *w);

#endif
