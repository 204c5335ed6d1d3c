/* Moongate as a library: gateways inside a program of yours.
 *
 *     struct gate_setup setup;
 *     struct gate_gateway *gw;
 *     struct gate_errors *why;
 *     uint64_t id;
 *
 *     gate_setup_init(&setup);
 *     setup.interrupt_signal = SIGRTMIN + 1;
 *     if (gate_open(&setup, &gw) != 0) ...
 *     gate_add_file(gw, "gateway.lua", text, strlen(text));
 *     if (gate_load(gw, "gateway.lua", &id, &why) != 0) ...      (why lists the mistakes)
 *     if (gate_activate(gw, id, &why) != 0) ...                  (why: cannot listen, and the like)
 *     ...
 *     gate_drain(gw);
 *     gate_wait(gw);
 *     gate_close(&gw);
 *
 * What a gateway file can say is in lua/README.md of the sources. C11, and C++.
 *
 * Threads. A gateway has threads of its own: workers, one that controls, and some helpers. All
 * functions here may be called from any thread, at once, but where something else is said; never
 * from a signal handler. Callbacks run on the gateway's control thread, one after the other, and
 * hold up the gateway's control (not its clients) while they run. In a callback everything may
 * be called but what waits for the gateway: gate_load, gate_activate, gate_rollback, gate_wait
 * and gate_close answer EDEADLK there. on_log and on_access each have a thread of their own,
 * which may be slow (lines that find no room are dropped and counted) and calls nothing here. A
 * program closes its gateways before it exits.
 *
 * What a gateway leaves alone. It installs one signal handler, for the real-time signal that you
 * name, and gives back what was there when the last gateway that named it is closed. Its threads
 * block all signals but that one and those of crashes; none sees SIGPIPE, and you need not
 * ignore it. It changes no limit, no directory, no umask, no locale, no environment variable. It
 * reads the environment where scripts ask for it (gate.env), and MOONGATE_LUA_DIR, which is for
 * those who work on Moongate. Several gateways in one process know nothing of each other. A
 * child that is forked has no gateway: it may only exec or exit.
 *
 * Results. Functions that return int give 0, or an errno value; the text that goes with it is in
 * the list of errors where there is one. Memory: what is given to a function is copied before it
 * returns; what a function gives is freed as said there. Without memory for something small the
 * process is ended by abort(), with a line on stderr.
 */
#ifndef MOONGATE_H
#define MOONGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MOONGATE_VERSION_MAJOR 0
#define MOONGATE_VERSION_MINOR 1
#define MOONGATE_VERSION_PATCH 0

#if defined(__GNUC__)
#define GATE_API __attribute__((visibility("default")))
#else
#define GATE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that is linked, "0.1.0". */
GATE_API const char *gate_version(void);

/* Errors */

/* One thing that is wrong. Texts are never NULL; "" is none. Later versions may have more fields
 * behind these. */
struct gate_error {
    const char *file;     /* the name it was added by, or below the gateway file's folder */
    uint32_t line;        /* 0: none */
    const char *pointer;  /* JSON pointer into a data file: "/3/upstrem" */
    const char *name;     /* the word that is wrong */
    const char *expected; /* what could stand there */
    const char *nearest;  /* the right word that was probably meant */
    const char *message;  /* all of it as a sentence, without file and line */
};

struct gate_errors;

/* The list lives until it is freed; one that a callback is given, until it returns. */
GATE_API size_t gate_errors_count(const struct gate_errors *errors);
GATE_API const struct gate_error *gate_errors_at(const struct gate_errors *errors, size_t i);

/* Clears the pointer; NULL is right too. */
GATE_API void gate_errors_free(struct gate_errors **errors);

/* Open and close */

/* A script that was stopped: it used more CPU time or took longer than it may. Its request was
 * answered 503; all others went on. Texts are never NULL and live until the callback returns. */
struct gate_kill {
    const char *policy;  /* its name, or the place of its function; of the route for handlers */
    const char *hook;    /* "request", "log", ...; "handler", "when", "spawn" */
    const char *route;   /* "": none yet */
    const char *request; /* id of the request; "": the task is of none */
    const char *file;    /* where it was stopped */
    uint32_t line;       /* 0: unknown */
    const char *message; /* "stopped: it used more CPU time than its budget, 50 ms" */
};

struct gate_gateway;

/* How a gateway is to be. Begin with gate_setup_init: all is zero but for `size`. Later versions
 * may have more fields behind these; programs that were compiled before do without. */
struct gate_setup {
    size_t size; /* sizeof(struct gate_setup) */

    /* Needed: a real-time signal (SIGRTMIN..SIGRTMAX) that nobody else uses. With it the gateway
     * interrupts its own threads to stop scripts that do not end; there is no safe way without one.
     * Gateways may share it. */
    int interrupt_signal;

    /* Threads that serve, at most 128; 0: what the first file says that is loaded, else one for
     * each processor. */
    uint32_t workers;

    /* Addresses in place of those that files declare, as gate.listen takes them ("127.0.0.1:0"); at
     * most 32. */
    const char *const *listen;
    size_t listen_count;

    /* Path of a control socket; NULL: what the file declares, else none. It shows (status, metrics
     * and the rest), and refuses to reload and to roll back. */
    const char *control;

    /* Scripts have all of Lua: files, processes, FFI. */
    bool trust;

    /* Callbacks; NULL: none. `arg` is handed to all of them. */
    void *arg;

    /* A generation serves: every worker has it. */
    void (*on_ready)(void *arg, uint64_t generation);

    /* One was not loaded (generation 0), or not activated. What served before serves on. */
    void (*on_refused)(void *arg, uint64_t generation, const struct gate_errors *errors);

    /* The gateway has ended: no client is connected, nothing listens, no script runs. The last call
     * of all. */
    void (*on_drained)(void *arg);

    /* A script was stopped. */
    void (*on_killed)(void *arg, const struct gate_kill *kill);

    /* Whole lines of the error log, each with its newline, as JSON; what the file directs to a path
     * goes there. NULL: to stderr. */
    void (*on_log)(void *arg, const char *lines, size_t n);

    /* The same of the access log. NULL: lines that would go to stdout are not written. */
    void (*on_access)(void *arg, const char *lines, size_t n);
};

static inline void gate_setup_init(struct gate_setup *setup)
{
    memset(setup, 0, sizeof(*setup));
    setup->size = sizeof(*setup);
}

/* Makes a gateway that serves nothing yet. EINVAL: the setup is wrong; EBUSY: somebody else
 * handles the signal; other values are the system's (no threads, no descriptors). */
GATE_API int gate_open(const struct gate_setup *setup, struct gate_gateway **out);

/* No new clients; requests under way get their end, for as long as the file's drain time says; then
 * what is left is cut. Returns at once. A gateway that drains does nothing else any more. */
GATE_API void gate_drain(struct gate_gateway *gw);

/* Waits until a gateway that was told to drain has ended. */
GATE_API int gate_wait(struct gate_gateway *gw);

/* Ends what still runs without waiting for clients, and frees everything. Clears the pointer. No
 * other call may be under way. EBUSY: a script would not end; its memory is left, and
 * nothing runs any more. */
GATE_API int gate_close(struct gate_gateway **gw);

/* Files */

/* A file for loads from now on: the gateway file, a module ("lib/keys.lua" is require
 * "lib.keys") or data ("routes.json" is gate.data "routes"). Replaces one of the same name;
 * bytes NULL removes it. EINVAL: no file may have that name. */
GATE_API int gate_add_file(struct gate_gateway *gw, const char *name, const void *bytes, size_t n);

/* Generations */

/* Loads a gateway file, checks it and compiles it, without serving: `main` is the name of an
 * added file, and then nothing is read from the disk; or the path of one on the disk, with
 * modules and data beside it, where added files stand before those of the disk. Runs on threads
 * of the gateway while the caller waits. EINVAL: there are mistakes; ENOSPC: 8 loaded ones wait
 * for activation; ESHUTDOWN: the gateway drains. `errors` may be NULL; otherwise *errors is
 * NULL, or a list of at least one, the caller's to free. */
GATE_API int gate_load(struct gate_gateway *gw, const char *main, uint64_t *generation,
                       struct gate_errors **errors);

/* Lets a loaded generation serve, each once, and waits until every worker has it. Requests under
 * way end on what they began with. ENOENT: there is none of that number; EINVAL: it was refused
 * (it cannot listen, say) and is gone; ESHUTDOWN: the gateway drains. */
GATE_API int gate_activate(struct gate_gateway *gw, uint64_t generation,
                           struct gate_errors **errors);

/* Drops one that is loaded and shall not serve. ENOENT: there is none. */
GATE_API int gate_discard(struct gate_gateway *gw, uint64_t generation);

/* Brings back what served as `generation`, or what served before the present one (0): the five
 * before it are kept, as files. It serves under a new number, which *now gets (may be NULL).
 * Fails as gate_load and gate_activate do; EINVAL also where it is not kept. */
GATE_API int gate_rollback(struct gate_gateway *gw, uint64_t generation, uint64_t *now,
                           struct gate_errors **errors);

/* Looking at it */

/* The i-th address that the present generation listens on, with the port that port 0 got, as
 * "127.0.0.1:8080" or "unix:/path". ENOENT: it has no more; ENOSPC: it does not fit. */
GATE_API int gate_address(struct gate_gateway *gw, size_t i, char *to, size_t cap);

/* What the control socket shows: "status", "metrics" (Prometheus text), "generations", "routes",
 * "upstreams", "top"; JSON where nothing is said. *text is terminated, and the caller's to
 * free(). ENOENT: there is no such page. */
GATE_API int gate_show(struct gate_gateway *gw, const char *page, char **text, size_t *n);

/* Functions of yours, for scripts */

/* A call by a script. Arguments count from 1. */
struct gate_call;

enum gate_type {
    GATE_TYPE_NONE = 0, /* there is no such argument */
    GATE_TYPE_NIL,
    GATE_TYPE_BOOLEAN,
    GATE_TYPE_NUMBER,
    GATE_TYPE_STRING,
    GATE_TYPE_OTHER /* a table, a function, an object: nothing that can be looked into */
};

GATE_API int gate_arg_count(const struct gate_call *call);
GATE_API enum gate_type gate_arg_type(const struct gate_call *call, int i);

/* The value; of another type: false, 0 or "", and the call has failed with a message that says
 * what was expected. A string is terminated, may have zeros inside, and lives until the call
 * returns. */
GATE_API bool gate_arg_boolean(struct gate_call *call, int i);
GATE_API double gate_arg_number(struct gate_call *call, int i);
GATE_API const char *gate_arg_string(struct gate_call *call, int i, size_t *n);

/* Each adds one result, at most 16 in all. */
GATE_API void gate_return_nil(struct gate_call *call);
GATE_API void gate_return_boolean(struct gate_call *call, bool value);
GATE_API void gate_return_number(struct gate_call *call, double value);
GATE_API void gate_return_string(struct gate_call *call, const void *bytes, size_t n);

/* The call has failed: an error with this message, of at most 255 bytes, is raised at the line
 * of the script once the function has returned, and results are dropped. The first failure
 * counts. */
GATE_API void gate_fail(struct gate_call *call, const char *message);

/* Called on the thread of any worker, also while a file loads, on several at once. The worker's
 * clients wait meanwhile, and nothing can interrupt it: take less than a millisecond, do not
 * block, and do not call back into the gateway. It returns in order: no longjmp, no exception.
 * EINTR may come. */
typedef void gate_function(struct gate_call *call, void *arg);

struct gate_module_function {
    const char *name; /* as in Lua: letters, digits, '_' */
    gate_function *call;
    void *arg;
};

/* require "name" gives files that are loaded from now on a table of these functions; the module
 * stands before a file of that name. `arg` has to live as long as the gateway. EEXIST: there is
 * such a module; EINVAL: one of the names cannot be; "moongate" and what begins with "moongate."
 * are taken. */
GATE_API int gate_add_module(struct gate_gateway *gw, const char *name,
                             const struct gate_module_function *functions, size_t n);

#ifdef __cplusplus
}
#endif

#endif
