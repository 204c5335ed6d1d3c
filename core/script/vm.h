/* VM: one LuaJIT state of one worker and generation, and the only door into Lua. Built on any
 * thread, attached to its worker's, used there only, freed on any thread after detaching. */
#ifndef GATE_SCRIPT_VM_H
#define GATE_SCRIPT_VM_H

#include "base/err.h"
#include "base/str.h"
#include "config/config.h"
#include "exchange/worker.h"
#include "script/bundle.h"
#include "script/quarantine.h"

struct gate_vm;
struct gate_natives; /* script/native.h */
struct gate_route_chains;

enum gate_vm_result {
    GATE_VM_DONE,
    GATE_VM_YIELD,  /* the task waits; it continues from the loop */
    GATE_VM_ERROR,  /* an error was raised; the text has file:line and a traceback */
    GATE_VM_KILLED, /* stopped for CPU budget or task time */
    GATE_VM_NOMEM,  /* over the memory limit: an error like others, counted apart */
    GATE_VM_BARRED  /* not called, or not gone on with: quarantine (only in verdicts and of jobs) */
};

/* A load error as a program sees it (`check --json`). All text is the list's. */
struct gate_load_error {
    struct gate_str file;
    uint32_t line;           /* 0: none */
    struct gate_str pointer; /* into a data file; empty: none */
    struct gate_str name; /* the bad name, may be empty */
    struct gate_str expected;
    struct gate_str nearest;
    struct gate_str message; /* the whole sentence, without file:line */
};

struct gate_load_errors {
    struct gate_arena arena;
    struct gate_load_error *v;
    uint32_t n;
};

void gate_load_errors_init(struct gate_load_errors *e);
void gate_load_errors_fini(struct gate_load_errors *e);

struct gate_vm_options {
    struct gate_bundle *bundle; /* shared by the VMs of one generation; has its own lock */
    struct gate_log *log;
    uint64_t memory;       /* cap before the file has declared its own: 64 MiB */
    uint32_t load_time_ms; /* before the file has declared its own */
    bool check;            /* `moongate check`: also reads the sources for misspelt fields */
    bool trust;            /* --trust */
    struct gate_watchdog *watchdog; /* bounds the load too; NULL: unbounded (never in the engine) */
    struct gate_shared *shared; /* outlives the VM; NULL: its dictionaries are nobody else's */
    const struct gate_natives *natives; /* outlive the VM; NULL: none */
    struct gate_quarantine *quarantine; /* of the load's other VMs; NULL: a new one */
    const struct gate_clock *clock; /* of dictionaries while the file loads; NULL: the system's */
};

/* Makes a state, runs the prelude and the gateway file. GATE_OK: *out is a loaded VM, its
 * declarations in gate_vm_config_text. Else *errors says why (at least one entry). On a builder
 * thread: nothing else of the engine is touched. */
enum gate_err gate_vm_build(const struct gate_vm_options *o, struct gate_vm **out,
                            struct gate_load_errors *errors);

/* What the other VMs of the same load share with it. */
struct gate_quarantine *gate_vm_quarantine(const struct gate_vm *vm);

/* Writes the text; values of environment variables that the file has read are left out. */
void gate_vm_hide(const struct gate_vm *vm, struct gate_str text, struct gate_out *to);

/* The same values for who outlives the VM; before it is attached. */
struct gate_secrets;
void gate_vm_copy_secrets(const struct gate_vm *vm, struct gate_secrets *to);

/* The canonical JSON of what the file declared; lives as long as the VM. */
struct gate_str gate_vm_config_text(const struct gate_vm *vm);

/* What it comes to without the data that the file handed over unchanged: VMs of the same text may
 * serve each other's data. Empty: it handed none over. */
struct gate_str gate_vm_code_text(const struct gate_vm *vm);

/* Applies the configuration (memory cap, budgets, policies, chains); `config` is the parsed text.
 * Any thread, before attach, which does it otherwise: then attaching costs little. */
void gate_vm_prepare(struct gate_vm *vm, const struct gate_config *config);

/* Binds to the worker's thread. */
void gate_vm_attach(struct gate_vm *vm, struct gate_worker *worker,
                    const struct gate_config *config);

/* On the worker's thread: a seat whose requests begin now, the VM's first (then its timers start)
 * or one of a generation that differs in data only. Tasks of no request hold it while they work. */
void gate_vm_serve(struct gate_vm *vm, struct gate_generation_seat *seat);

/* The same for a seat that gets only a share of the requests: no timers. */
void gate_vm_try(struct gate_vm *vm, struct gate_generation_seat *seat);

/* Chains of the routes of a further configuration, for its seats (seat->chains): `from` is the one
 * that `old` was made for (NULL: by prepare), or any between. Control. */
struct gate_route_chains **gate_vm_route_chains(const struct gate_vm *vm,
                                                struct gate_route_chains *const *old,
                                                const struct gate_config *from,
                                                const struct gate_config *to);
void gate_route_chains_free(struct gate_route_chains ***chains, uint32_t n_routes);

/* On the worker's thread: another VM serves, or none will. gate.exiting() is true; whatever stops
 * at a swap stops here. */
void gate_vm_retire(struct gate_vm *vm);

/* On the worker's thread: lets compiled code go. For a retired VM that lives on. */
void gate_vm_flush(struct gate_vm *vm);

/* On the worker's thread: what waits goes on with `nil, err` (exiting), and whatever waits later
 * does so at once. */
void gate_vm_expire(struct gate_vm *vm);

/* On the worker's thread: ends waiting tasks, leaves the worker; afterwards only free may follow.
 */
void gate_vm_detach(struct gate_vm *vm);

/* Calls so far, by policy and hook (of handler and when: by route), and jobs: hook "spawn" by the
 * policy that began them, "every" by the line of the timer. Any thread that keeps the VM from being
 * freed. */
struct gate_hook_count {
    const char *policy;
    const char *hook;
    uint64_t runs; /* of chains that began here */
    uint64_t calls;
    uint64_t errors;
    uint64_t kills;
    uint64_t barred;  /* calls that quarantine kept from it */
    bool quarantined; /* now */
    uint64_t cpu_ns; /* sampled */
};
void gate_vm_each_hook(const struct gate_vm *vm,
                       void (*fn)(void *arg, const struct gate_hook_count *c), void *arg);

/* Any thread, detached or never attached. Clears the pointer. */
void gate_vm_free(struct gate_vm **vm);

/* The VM stays full of what modules keep, for gate_worker.on_full. */
struct gate_vm_fullness {
    const struct gate_vm *vm;
    uint64_t kept; /* bytes that no collection frees, less what waiting requests hold */
    uint64_t born; /* in use when the file had run */
    uint64_t cap;
};

/* Bytes in use, for metrics; any thread (atomic). */
uint64_t gate_vm_memory(const struct gate_vm *vm);

#endif
