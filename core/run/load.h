/* Load: from a bundle to a checked configuration: VM, config, router. On any thread; what it
 * makes is the caller's. */
#ifndef GATE_RUN_LOAD_H
#define GATE_RUN_LOAD_H

#include <stdio.h>

#include "route/router.h"
#include "run/options.h"
#include "script/vm.h"
#include "tls/client.h"
#include "tls/server.h"

struct gate_loaded {
    struct gate_vm *vm;             /* never attached */
    struct gate_config *config;
    struct gate_router *router;
    struct gate_tls_server **tls;   /* by listener; NULL: plain */
    struct gate_tls_client **clients;   /* by upstream; NULL: plain */
};

/* What a load is done with; all of it outlives what is loaded, but the bundle. */
struct gate_load_tools {
    const struct gate_options *options;
    struct gate_bundle *bundle;
    struct gate_log *log;
    struct gate_watchdog *watchdog;
    struct gate_tls_tickets *tickets;   /* NULL: TLS is only tried */
    struct gate_shared *shared;     /* NULL: dictionaries are only tried (`moongate check`) */
    const struct gate_natives *natives; /* NULL: none */
    struct gate_quarantine *quarantine; /* of the first VM of the load; NULL: this is the first */
    const struct gate_clock *clock; /* NULL: the system's */
    /* What serves already, and has to go on when only its VMs are new: certificates are not read
     * again then. NULL: they are. */
    const struct gate_generation *renews;
    struct gate_tls_server *const *tls; /* of that */
    bool keep;                      /* the bundle keeps what is read of certificates and keys */
    bool kept;                      /* they are what the bundle has kept; the rest is read */
    bool check;                     /* reads the sources for misspelt fields too */
};

/* Runs the gateway file and compiles what it declared. On failure *errors has at least one
 * entry and nothing is kept. */
enum gate_err gate_load_all(const struct gate_load_tools *t, struct gate_loaded *out,
                            struct gate_load_errors *errors);
/* Only the VM. */
enum gate_err gate_load_vm(const struct gate_load_tools *t, struct gate_vm **out,
                           struct gate_load_errors *errors);
void gate_loaded_fini(struct gate_loaded *l);

/* Reads the certificates of all listeners and upstreams, so that one load tells of all that is
 * wrong. */
enum gate_err gate_load_tls(const struct gate_load_tools *t, struct gate_loaded *l,
                            struct gate_load_errors *errors);

/* Gives up what a load made of TLS. Clears the pointers; NULL is fine. */
void gate_load_tls_free(struct gate_tls_server ***tls, struct gate_tls_client ***clients,
                        const struct gate_config *config);

/* Tells the certificates of one load from those of another. */
uint64_t gate_load_tls_hash(struct gate_tls_server *const *tls,
                            struct gate_tls_client *const *clients,
                            const struct gate_config *config);

/* Whether it has an address to listen on; else that is an error. */
bool gate_loaded_listens(const struct gate_loaded *l, const struct gate_bundle *bundle,
                         struct gate_load_errors *errors);

/* Whether any function has to be there when requests come. */
bool gate_config_scripted(const struct gate_config *config);

/* Adds an error that is not the script's: `file` may be empty. */
void gate_load_errors_add(struct gate_load_errors *e, struct gate_str file, uint32_t line,
                          const char *message);

/* Adds one of another list, copied. */
void gate_load_errors_copy(struct gate_load_errors *e, const struct gate_load_error *from);

/* "file:line: message", a line each ("file pointer: message" for data); as JSON: a list of
 * objects. */
void gate_load_errors_text(const struct gate_load_errors *e, FILE *to);
void gate_load_errors_json(const struct gate_load_errors *e, FILE *to);

#endif
