/* Supervisor: the small process that owns the listening sockets, holds the memory that outlives
 * engines (dictionaries, bundles), and keeps an engine running. It loads no script and serves
 * nobody. One thread. */
#ifndef GATE_RUN_SUPERVISOR_H
#define GATE_RUN_SUPERVISOR_H

#include "base/log.h"

/* Exit status: the last engine crashed, so what it still did was cut. */
#define GATE_EXIT_CRASH 3

/* Runs engines until told to stop. `args` (NULL-terminated) are handed to each engine behind
 * its own. Returns the exit status of the process: that of the last engine, or GATE_EXIT_CRASH;
 * no engine is started behind one that was told to end, nor behind a first one that never got
 * ready. */
int gate_supervisor_run(char *const *args, struct gate_log *log);

/* How long to wait before the next engine, in ms: `crashes` since one served for 1 s. */
uint32_t gate_supervisor_delay(uint32_t crashes);

#endif
