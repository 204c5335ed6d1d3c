/* Watchdog: one thread of the engine that watches every worker's CPU clock while it is inside a
 * script, and stops what is over its budget. Shared; the seats' words are atomics. */
#ifndef GATE_SCRIPT_WATCHDOG_H
#define GATE_SCRIPT_WATCHDOG_H

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"

struct gate_watchdog;
struct gate_watch; /* a thread that runs scripts; one per worker or builder thread */

/* The signal of programs that own their process. */
#define GATE_WATCHDOG_SIGNAL (SIGRTMIN + 5)

/* `signal`: by which scripts are stopped (script/interrupt.h); GATE_E_INVALID and GATE_E_EXISTS
 * are about it. on_stuck: a worker stays inside one Lua call for 20 times its budget: last
 * resort (writes the crash report, aborts). Called on the watchdog's thread. */
enum gate_err gate_watchdog_open(struct gate_watchdog **out, int signal,
                                 void (*on_stuck)(void *arg, struct gate_watch *w), void *arg);
void gate_watchdog_close(struct gate_watchdog **dog);

/* On the thread that runs scripts; unblocks the dog's signal there. */
struct gate_watch *gate_watch_join(struct gate_watchdog *dog, void *user);
void gate_watch_leave(struct gate_watch **w);
void *gate_watch_user(const struct gate_watch *w);

#endif
