/* VM, inside: what the files of script/ share of one. */
#ifndef GATE_SCRIPT_VM_INT_H
#define GATE_SCRIPT_VM_INT_H

#include <lauxlib.h>
#include <lua.h>
#include <openssl/evp.h>

#include "exchange/exchange.h"
#include "script/ffi_api.h"
#include "script/fullness_int.h"
#include "script/heap_int.h"
#include "script/hook.h"
#include "script/native_int.h"
#include "script/secrets.h"
#include "script/suspects_int.h"
#include "script/vm.h"
#include "script/watch_int.h"
#include "shared/shared.h"

struct gate_job_kind;
struct gate_task;

#define GATE_VM_MAGIC      0x6d76616cu
#define GATE_VM_LOG_FIELDS 16

/* What lies on the stack of a loaded state, for calls between hooks: tables of what scripts keep
 * with a request (req.ctx), by id + 1, of coroutines that are tasks, and of functions that wait for
 * their beginning as jobs, by number. */
enum { GATE_VM_CTX = 1, GATE_VM_TASKS, GATE_VM_STARTING };

/* Hooks have places in tables of chains; so have the functions that routes and upstreams may hold.
 */
enum {
    GATE_CHAIN_WHEN = GATE_HOOK_COUNT,
    GATE_CHAIN_HANDLER,
    GATE_CHAIN_BALANCER, /* of an upstream */
    GATE_CHAIN_COUNT
};

/* How often runs began and ended at one function of a chain, and what went wrong there. Written by
 * the worker, read by control. */
struct gate_hook_tally {
    _Atomic uint64_t begun;
    _Atomic uint64_t ended; /* before the chain's end */
    _Atomic uint64_t errors;
    _Atomic uint64_t kills;
    _Atomic uint64_t barred;
};

static inline void gate_tally_add(_Atomic uint64_t *n)
{
    uint64_t old = atomic_load_explicit(n, memory_order_relaxed);

    atomic_store_explicit(n, old + 1, memory_order_relaxed);
}

/* The functions that one hook call runs, in order. Made once; lives as long as its VM. */
struct gate_hook_chain {
    struct gate_hook_chain *next; /* all of a VM, for free and for look-up */
    int hook;                     /* enum gate_hook, or GATE_CHAIN_WHEN / _HANDLER */
    int ref;                      /* the Lua function that runs it */
    struct gate_hook_tally *tallies; /* n */
    struct gate_job_kind **spawned;  /* n: of what each has spawned; NULL: nothing yet */
    uint32_t route;               /* of when and handler, or the upstream; and its name */
    char *name;
    uint32_t n;
    uint64_t *budgets; /* as the watchdog reads them: n, ns of each, CPU time of each so far */
    struct gate_hook_link {
        uint32_t policy; /* ordinal */
        uint32_t depth;  /* its place in the onion, 0 outermost */
    } v[];
};

/* The chains of one route that has policies of its own. */
struct gate_route_chains {
    struct gate_hook_chain *own[GATE_HOOK_COUNT];
    struct gate_hook_chain *all[GATE_HOOK_COUNT];
    struct gate_hook_chain *when;
    struct gate_hook_chain *handler;
};

struct gate_vm {
    uint32_t magic;
    lua_State *L;
    struct gate_heap heap;
    struct gate_timer tidy; /* the next visit of the heap */
    struct gate_fullness fullness;
    struct gate_io io;
    struct gate_log *log;
    uint64_t load_budgets[2];           /* as the watchdog reads them; it may look late */
    uint32_t load_time_ms;
    uint64_t load_began_ns; /* CPU time of the thread */
    struct gate_secrets secrets;
    bool timed; /* hooks read the clock: a script or the access log tells how long they took */
    struct gate_bundle *bundle;       /* borrowed, while it loads */
    struct gate_watch *watch;         /* of the thread it is bound to; NULL: none */
    struct gate_quarantine *quarantine; /* a reference */
    struct gate_worker *worker;       /* NULL: not attached */
    const struct gate_config *config; /* of the newest generation that it serves */
    const struct gate_upstream_names *names; /* of the same; NULL: as the file declared them */
    struct gate_hook_services services;
    char *text; /* canonical JSON */
    size_t text_n;
    char *code; /* the part of it that does not come from data */
    size_t code_n;
    int ref_boot;               /* the table that boot.lua returned */
    int ref_job;                /* the function that runs a job */
    struct gate_task *task;     /* inside lua_resume; NULL: none that may wait */
    struct gate_list runs;      /* hook runs that wait */
    struct gate_list jobs;      /* struct gate_job, all */
    uint32_t n_jobs;
    _Atomic(struct gate_job_kind *) job_kinds; /* control walks them: only ever grows */
    struct gate_vm_timer *timers; /* of gate.every, by ordinal; owned */
    uint32_t n_timers;
    struct gate_generation_seat *seat; /* that the VM serves; NULL in tests */
    struct gate_list waiting;   /* struct gate_task: all tasks that wait */
    struct gate_ready ending;   /* some of them are to end, for the memory they hold */
    bool expired;               /* waits end at once: it has been retired for long */
    struct gate_hook_run *idle; /* runs with a coroutine to use again */
    uint32_t n_idle;
    struct gate_suspects suspects;
    _Atomic(struct gate_hook_chain *) chains; /* control walks them: only ever grows */
    struct gate_hook_chain *global[GATE_HOOK_COUNT];
    struct gate_hook_chain **balancers; /* by upstream; NULL: no function */
    struct gate_route_chains **routes; /* by ordinal; NULL: no policies of its own */
    uint32_t n_routes;
    char **policy_names; /* by ordinal, NUL-terminated */
    uint32_t n_policies;
    struct gate_log_field log_fields[GATE_VM_LOG_FIELDS];
    uint32_t n_log_fields;
    EVP_MD *sha256; /* fetched once */
    EVP_MAC *hmac;
    EVP_MD_CTX *hash; /* the running computation */
    EVP_MAC_CTX *mac;
    bool keyed;
    struct gate_shared *shared; /* where the dictionaries come from */
    bool own_shared;
    struct gate_clock own_clock;
    const struct gate_clock *clock;
    struct gate_dict **dicts;   /* those that were opened, by the number that Lua has */
    uint32_t n_dicts;
    struct gate_dict_buffer dict_text; /* strings that were read */
    const struct gate_natives *natives;
    struct gate_native_text native_text;
};

/* Loads what is embedded (or below MOONGATE_LUA_DIR) and makes the functions that boot.lua gets
 * from C: pushes one table. */
void gate_library_push_host(struct gate_vm *vm);

/* Pushes the chunk of a library module; false: there is none (nothing is pushed). Raises when its
 * text is broken. */
bool gate_library_push_chunk(lua_State *L, const char *module);

/* Limits that the file has declared for its own load, from here on. */
void gate_vm_bound_load(struct gate_vm *vm, uint32_t load_time_ms, uint64_t memory);

/* Chains: made from the configuration's policies before the VM serves. */
void gate_chains_build(struct gate_vm *vm);
void gate_chains_free(struct gate_vm *vm);
struct gate_hook_chain *gate_chain_of(struct gate_vm *vm, const struct gate_exchange *x, int hook,
                                      enum gate_hook_scope scope);

/* Says that the quarantine of a hook (or a kind of job) begins, or is over. */
void gate_quarantine_log(struct gate_vm *vm, const char *policy, const char *hook, bool begins);

/* Tasks (task_int.h) of a VM: ends all. */
void gate_vm_end_runs(struct gate_vm *vm);

void gate_crypto_open(struct gate_vm *vm);
void gate_crypto_close(struct gate_vm *vm);

/* Dictionaries of a VM (ffi_dict.c). */
void gate_dicts_open(struct gate_vm *vm, const struct gate_vm_options *o);
void gate_dicts_close(struct gate_vm *vm);

extern const struct gate_api gate_api_table;

#endif
