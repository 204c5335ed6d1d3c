/* Host: the program around an engine that is not a process of its own (run/gateway.h): what it is
 * told, and what it asks for. Control thread, but for what is said. */
#ifndef GATE_RUN_HOST_H
#define GATE_RUN_HOST_H

#include "base/list.h"
#include "base/log_writer.h"
#include "run/load.h"
#include "script/hook.h"

/* A generation that was loaded and does not serve yet. Owned by one thread at a time; VMs are bound
 * to none. */
struct gate_made {
    struct gate_list node;
    uint64_t number;
    struct gate_bundle *bundle;
    struct gate_loaded loaded;  /* with the VM of the first worker */
    struct gate_vm **vms;       /* of the others; NULL: none are needed */
    uint32_t n_vms;
};

/* Clears the pointer. */
void gate_made_free(struct gate_made **made);

struct gate_host {
    int signal;                         /* of the watchdog */
    struct gate_log_taker log;          /* take is NULL: the error log goes to stderr */
    struct gate_log_taker access_log;   /* take is NULL: nothing is to go to stdout */
    struct gate_natives *natives;       /* any thread */
    /* A generation serves; a wish came to nothing. One of the two follows each wish of the host. */
    void (*ready)(struct gate_host *h, uint64_t number);
    void (*refused)(struct gate_host *h, const struct gate_load_errors *errors);
    void (*killed)(struct gate_host *h, const struct gate_script_kill *kill);
};

/* killed.c. Workers of an engine with a host call this; control tells the host. */
void gate_host_killed(struct gate_worker *w, const struct gate_script_kill *kill);

#endif
