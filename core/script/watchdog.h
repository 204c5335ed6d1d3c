/* Watchdog: one thread of the engine that watches every worker's CPU clock while it is inside a
 * script, and stops what is over its budget (DESIGN.md section 7). Shared; the seats' words are
 * atomics. */
#ifndef GATE_SCRIPT_WATCHDOG_H
#define GATE_SCRIPT_WATCHDOG_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"

struct gate_watchdog;
struct gate_watch; /* a thread that runs scripts; one per worker or builder thread */

/* on_stuck: a worker stays inside one Lua call for 20 times its budget: last resort (writes the
 * crash report, aborts). Called on the watchdog's thread. */
enum gate_err gate_watchdog_open(struct gate_watchdog **out,
                                 void (*on_stuck)(void *arg, struct gate_watch *w), void *arg);
void gate_watchdog_close(struct gate_watchdog **dog);

/* On the thread that runs scripts; installs nothing but the engine's own real-time signal handler
 * (the first time) and unblocks it here. */
struct gate_watch *gate_watch_join(struct gate_watchdog *dog, void *user);
void gate_watch_leave(struct gate_watch **w);
void *gate_watch_user(const struct gate_watch *w);

#endif
