/* Server: the operator's endpoint on the control socket: HTTP/1.1, one request a connection, small
 * answers. On the control thread's loop; acts through a table that run/ fills. */
#ifndef GATE_ADMIN_SERVER_H
#define GATE_ADMIN_SERVER_H

#include <stdio.h>

#include "base/handle.h"
#include "net/loop.h"

struct gate_admin;

/* What may be asked for. */
enum gate_admin_page {
    GATE_PAGE_STATUS,
    GATE_PAGE_METRICS,      /* Prometheus text */
    GATE_PAGE_GENERATIONS,
    GATE_PAGE_ROUTES,
    GATE_PAGE_UPSTREAMS,
    GATE_PAGE_TOP,
    GATE_PAGE_CANARY
};

/* What a request may do. Called on the loop. */
struct gate_admin_ops {
    /* Writes the body: JSON, or a table for people (`text`). */
    void (*show)(void *arg, enum gate_admin_page page, bool text, FILE *to);
    /* Which route takes a request; text. */
    void (*explain)(void *arg, const char *method, const char *url, FILE *to);
    /* Begins a reload, which ends with gate_admin_answer for this ticket, from the loop. */
    /* NULL, with rollback and canary: somebody else decides what serves. */
    void (*reload)(void *arg, struct gate_handle ticket);
    /* The same, to the bundle of a generation; 0: the one before. */
    void (*rollback)(void *arg, uint64_t number, struct gate_handle ticket);
    /* Begins a canary by these words; the answer says that it has begun. `time` and `conditions`
     * may be "": the default. */
    void (*canary)(void *arg, const char *share, const char *time, const char *conditions,
                   struct gate_handle ticket);
    /* Moves the test clock; NULL: there is none. */
    void (*advance)(void *arg, uint64_t ms);
};

/* Listens on a Unix socket at `path`, mode 0600; a stale file is replaced. GATE_E_EXISTS: somebody
 * answers there. GATE_E_SYS: errno. */
enum gate_err gate_admin_open(struct gate_loop *loop, const char *path,
                              const struct gate_admin_ops *ops, void *arg,
                              struct gate_admin **out);

/* Closes connections and removes the file. Clears the pointer. */
void gate_admin_close(struct gate_admin **admin);

/* Answers a request that waits, with a sentence; does nothing when its client has gone. */
void gate_admin_answer(struct gate_admin *admin, struct gate_handle ticket, int status,
                       const char *text);

#endif
