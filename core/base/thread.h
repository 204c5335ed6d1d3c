/* Thread: starts the threads of a gateway. Signals that are sent to the process are never
 * theirs, so that no handler of the program around them runs there, and none sees SIGPIPE. */
#ifndef GATE_BASE_THREAD_H
#define GATE_BASE_THREAD_H

#include <pthread.h>

/* `name`: at most 15 bytes. 0, or an errno value: then there is none. */
int gate_thread_start(pthread_t *out, const char *name, void *(*main)(void *arg), void *arg);

#endif
