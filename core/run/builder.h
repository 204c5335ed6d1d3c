/* Builder: makes the VMs of a generation on short-lived threads, so that no reactor waits for a
 * slow load. Owned by who started it. */
#ifndef GATE_RUN_BUILDER_H
#define GATE_RUN_BUILDER_H

#include "net/mailbox.h"
#include "run/load.h"

/* One VM. The first of a generation has its configuration and router too. */
struct gate_build {
    struct gate_loaded loaded;
    struct gate_load_errors errors;
    enum gate_err err;
};

struct gate_builder;

struct gate_builder_options {
    struct gate_load_tools tools;   /* the bundle outlives the builder */
    struct gate_mailbox *reply;     /* NULL: for gate_builder_run */
    void (*done)(void *arg);        /* on the reply's loop, once all are built or have failed */
    void *arg;
    uint32_t threads;               /* at most */
    /* The first VM of the generation: the others have to declare the same. NULL: this is the first,
     * with configuration and router. */
    const struct gate_loaded *like;
};

/* Starts building n VMs. GATE_E_SYS: no thread is to be had; then nothing was started. */
enum gate_err gate_builder_start(const struct gate_builder_options *o, uint32_t n,
                                 struct gate_builder **out);

/* Builds n VMs while the caller waits; any thread. Afterwards it is as after done. */
enum gate_err gate_builder_run(const struct gate_builder_options *o, uint32_t n,
                               struct gate_builder **out);

/* After done: the i-th. What the caller keeps it takes out (sets to NULL). */
struct gate_build *gate_builder_at(struct gate_builder *b, uint32_t i);

/* After done only. Frees what was not taken. */
void gate_builder_free(struct gate_builder **b);

#endif
