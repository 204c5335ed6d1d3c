/* Engine: the process that serves: workers and control thread, under a supervisor or alone. */
#ifndef GATE_RUN_ENGINE_H
#define GATE_RUN_ENGINE_H

#include "run/options.h"

/* Runs until told to stop; returns the exit status. `supervisor_fd`: the engine's end of the
 * pair, or -1: alone (--foreground-engine). */
int gate_engine_run(const struct gate_options *options, int supervisor_fd);

#endif
