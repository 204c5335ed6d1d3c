/* Hooks: calls the chain of one hook for one exchange. One thread (the worker's). Flow asks, script
 * answers with a verdict; what a hook changed it changed in the exchange. */
#ifndef GATE_SCRIPT_HOOK_H
#define GATE_SCRIPT_HOOK_H

#include "exchange/exchange.h"
#include "script/vm.h"

/* Which policies: the global ones, the route's own, or both in onion order (response, fault, log:
 * reverse, route's first). */
enum gate_hook_scope { GATE_SCOPE_GLOBAL, GATE_SCOPE_ROUTE, GATE_SCOPE_ALL };

enum gate_verdict_kind {
    GATE_VERDICT_NEXT,     /* go on */
    GATE_VERDICT_REPLY,    /* x->reply is set */
    GATE_VERDICT_UPSTREAM, /* x->upstream is set (upstream_by_hook) and the chain ran to its end */
    GATE_VERDICT_ROUTE,    /* route hook: `route` is the ordinal of the route that was named */
    GATE_VERDICT_CLOSE,    /* connect hook: false */
    GATE_VERDICT_RETRY,    /* response hook: another try, at `upstream` if it names one */
    GATE_VERDICT_PEER,     /* balance hook: use_peer was told */
    GATE_VERDICT_CERTIFICATE, /* certificate hook: hello->cert and key are set */
    GATE_VERDICT_FAULT /* error, kill or memory: `result` says which; already logged and counted */
};

struct gate_hook_verdict {
    enum gate_verdict_kind kind;
    enum gate_vm_result result;
    uint32_t route;
    uint32_t upstream; /* of a retry; GATE_NO_ORDINAL: the same */
    bool truth; /* of a `when` function */
    /* a response hook ended its chain: hooks further out have yet to see the reply, or what there
     * is when there is no retry (call again) */
    bool more;
};

struct gate_hook_run;
struct gate_peer_view; /* script/ffi_api.h */

/* Called from the loop when a chain that had to wait has ended. Never called for a chain that was
 * cancelled. `arg` is the exchange where nothing else is said. */
typedef void gate_hook_done(void *arg, const struct gate_hook_verdict *v);

/* Runs the chain of `hook`. GATE_VM_DONE: *v is the verdict, nothing is left running.
 * GATE_VM_YIELD: it waits; x->hook is set until `done` is called. Policies after a reply: see
 * x->onion (request hooks raise it policy by policy as they are entered; response and body of a
 * replied exchange run only policies below it; fault and log run all). `when` and `handler` are
 * functions of the matched route (x->match.route). */
enum gate_vm_result gate_hook_call(struct gate_exchange *x, enum gate_hook hook,
                                   enum gate_hook_scope scope, gate_hook_done *done,
                                   struct gate_hook_verdict *v);
enum gate_vm_result gate_hook_when(struct gate_exchange *x, gate_hook_done *done,
                                   struct gate_hook_verdict *v);
enum gate_vm_result gate_hook_handler(struct gate_exchange *x, gate_hook_done *done,
                                      struct gate_hook_verdict *v);

/* The function that balances the exchange's upstream (balance = function). */
enum gate_vm_result gate_hook_balancer(struct gate_exchange *x, gate_hook_done *done,
                                       struct gate_hook_verdict *v);

/* The connect hooks; the client is not an exchange yet. `arg` is handed to done. *run can be
 * cancelled while it waits. */
struct gate_connect_info {
    struct gate_str ip;
    uint16_t port;
    struct gate_str peer_ip;
};
enum gate_vm_result gate_hook_connect(struct gate_vm *vm, const struct gate_connect_info *info,
                                      gate_hook_done *done, void *arg,
                                      struct gate_hook_run **run, struct gate_hook_verdict *v);

/* What the certificate hooks are asked with, and what they choose. Owned by the caller until the
 * chain has ended or is cancelled; it frees cert and key (gate_free). */
struct gate_hook_hello {
    struct gate_str ip;
    struct gate_str wants; /* the name that is asked for (may be empty); each protocol; by lines */
    uint64_t until_ms;     /* of the loop: a hook that waits then is stopped */
    struct gate_str cert;  /* PEM text, or the path of a file */
    struct gate_str key;
    bool open;             /* who chose these would go on without (on_error = "open") */
};

/* Most bytes of each. */
#define GATE_HELLO_PEM_MAX (256u * 1024)

enum gate_vm_result gate_hook_certificate(struct gate_vm *vm, struct gate_hook_hello *hello,
                                          gate_hook_done *done, void *arg,
                                          struct gate_hook_run **run, struct gate_hook_verdict *v);

/* One piece of a body for the body hooks (request_body, body): each gets what the one before it
 * made of it. Owned by the caller until the chain has ended or is cancelled. */
struct gate_hook_piece {
    struct gate_str bytes;
    bool last;
    bool changed;          /* `out` replaces the bytes */
    struct gate_chain out; /* initialised by the caller, cleared by it */
};

/* Most bytes of a piece, and of what hooks may make of one. */
#define GATE_PIECE_MAX     (64u * 1024)
#define GATE_PIECE_OUT_MAX (16u * 1024 * 1024)

/* `arg` is handed to done. *run can be cancelled while it waits. */
enum gate_vm_result gate_hook_piece(struct gate_exchange *x, enum gate_hook hook,
                                    struct gate_hook_piece *piece, gate_hook_done *done, void *arg,
                                    struct gate_hook_run **run, struct gate_hook_verdict *v);

/* Whether any policy with this hook asks for plain bodies (decode = true). */
bool gate_hook_decodes(const struct gate_exchange *x, enum gate_hook hook);

/* Ends a waiting chain: its task is never resumed, what it holds is closed in reverse. Clears the
 * pointer. */
void gate_hook_cancel(struct gate_hook_run **run);

/* The exchange is over: its Lua objects answer "the request is over" from now on. Cheap; only when
 * x->scripted. */
void gate_hook_forget(struct gate_exchange *x);

/* What flow must do for scripts, which sit below it: filled once by flow, per worker VM (script
 * never includes flow). read_body: begins to gather the request (or response) body up to max bytes;
 * wakes `w` with GATE_OK, GATE_E_LIMIT (nothing lost), GATE_E_CLOSED. The body is then in *body
 * (contiguous, arena). GATE_OK at once when it is there already; GATE_E_AGAIN: w will be woken.
 * set_body: false when it is too late for another request body. */
struct gate_hook_services {
    enum gate_err (*read_body)(struct gate_exchange *x, bool response, size_t max,
                               struct gate_wait *w);
    struct gate_str (*body)(struct gate_exchange *x, bool response);
    bool (*set_body)(struct gate_exchange *x, bool response, struct gate_str body);
    /* The peers of the upstream that the exchange is at, for balance hooks: an array in the arena.
     * use_peer chooses one for the present try, by its address or by what its server was declared
     * as; false: there is none. */
    uint32_t (*peers)(struct gate_exchange *x, const struct gate_peer_view **v);
    bool (*use_peer)(struct gate_exchange *x, struct gate_str address);
};
void gate_hook_set_services(struct gate_vm *vm, const struct gate_hook_services *s);

/* A script that was stopped, for gate_worker.on_killed; views that live as long as the call. */
struct gate_script_kill {
    struct gate_str policy;
    struct gate_str hook;
    struct gate_str route;   /* may be empty */
    struct gate_str request; /* id; empty: of none */
    struct gate_str place;   /* "file:line", may be empty */
    struct gate_str message; /* without the place */
};

/* What a crash report says of this thread: step, route, policy, hook; async-signal-safe reads. */
struct gate_script_place {
    const char *policy; /* NULL: no script runs */
    const char *hook;
};
void gate_vm_place(const struct gate_vm *vm, struct gate_script_place *out);

#endif
