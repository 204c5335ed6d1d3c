/* One VM on one worker without sockets, for tests of script/: a gateway file given as text,
 * exchanges made by hand, a log that is kept. */
#ifndef GATE_TESTS_SCRIPT_RIG_H
#define GATE_TESTS_SCRIPT_RIG_H

#include "script/hook.h"
#include "script/watchdog.h"

struct script_rig {
    struct gate_clock clock;
    struct gate_log_sink sink;
    struct gate_log log;
    char *lines; /* the log so far, NUL-terminated */
    size_t lines_n;
    struct gate_watchdog *dog;
    struct gate_shared *shared; /* NULL: dictionaries of its own */
    struct gate_worker worker;
    struct gate_bundle *bundle;
    struct gate_generation generation;
    struct gate_generation_seat seat;
    struct gate_load_errors errors;
    bool done; /* a chain that waited has ended, with: */
    struct gate_hook_verdict verdict;
};

/* Loads and attaches; fails the test when the file has mistakes. */
void script_rig_open(struct script_rig *r, const char *lua);

/* The same, in two steps: more files can be added to r->bundle in between. */
void script_rig_begin(struct script_rig *r, const char *lua);
enum gate_err script_rig_load(struct script_rig *r);

/* The second half of load, for a VM that the test has built itself. */
void script_rig_attach(struct script_rig *r);
void script_rig_close(struct script_rig *r);

/* GET /a/b?x=1&y=2&x=3 with a few header fields, routed to the first route when there is one. */
struct gate_exchange *script_rig_exchange(struct script_rig *r);
void script_rig_end(struct gate_exchange **x);

/* Calls a chain and waits for its end; the verdict's kind. */
enum gate_verdict_kind script_rig_call(struct script_rig *r, struct gate_exchange *x,
                                       enum gate_hook hook);

/* The same with the handler of the exchange's route. */
enum gate_verdict_kind script_rig_handler(struct script_rig *r, struct gate_exchange *x);

/* Only starts it: r->done and r->verdict tell the end when it waits. */
enum gate_vm_result script_rig_start(struct script_rig *r, struct gate_exchange *x,
                                     enum gate_hook hook);

/* Runs the loop until r->done; fails the test after 30 s. */
void script_rig_wait(struct script_rig *r);

/* Whether the log holds a text. */
bool script_rig_logged(const struct script_rig *r, const char *text);
void script_rig_clear_log(struct script_rig *r);

#endif
