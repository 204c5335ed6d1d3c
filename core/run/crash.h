/* Crash: the last words of an engine: which worker, step, route, policy and hook, written where
 * nothing may be trusted any more. Async-signal-safe. */
#ifndef GATE_RUN_CRASH_H
#define GATE_RUN_CRASH_H

#include "exchange/worker.h"

/* Handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT of this process: a report on stderr,
 * then the signal's own effect. Sanitizers keep theirs, stacks included. */
void gate_crash_install(void);

/* Room for the report of a thread that has used up its stack. */
#define GATE_CRASH_STACK (16 * 1024)

/* On the thread of a worker: a crash of this thread is reported as the worker's, on a stack of
 * GATE_CRASH_STACK bytes that outlives the thread and is the caller's. */
void gate_crash_thread(struct gate_worker *w, char *stack);

/* Writes the report of a worker to `fd`; `why` is a sentence part. */
void gate_crash_report(int fd, const char *why, struct gate_worker *w);

#endif
