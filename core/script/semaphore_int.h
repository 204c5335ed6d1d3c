/* Semaphores: permits for a number of tasks of one VM at a time. One thread. A permit belongs to
 * the request that acquired it, or to the task when it is of no request, and goes back with it at
 * the latest; who waits gets it in the order of arrival. */
#ifndef GATE_SCRIPT_SEMAPHORE_INT_H
#define GATE_SCRIPT_SEMAPHORE_INT_H

#include "script/task_int.h"

struct gate_semaphore;
struct gate_permit;

/* Owned by the caller until drop; it lives on while somebody holds or awaits a permit. drop: any
 * thread that has the VM. */
struct gate_semaphore *gate_semaphore_new(uint32_t permits);
void gate_semaphore_drop(struct gate_semaphore *s);

/* For vm->task: GATE_OK, or the task's wait is armed (deadline: loop time, 0: none) and ends with
 * GATE_OK: E_AGAIN. */
enum gate_err gate_semaphore_acquire(struct gate_semaphore *s, struct gate_task *t,
                                     uint64_t deadline_ms);

/* Gives back one that the holder of vm->task has; false: it has none. */
bool gate_semaphore_release(struct gate_semaphore *s, struct gate_task *t);

/* Permits that nobody holds. */
uint32_t gate_semaphore_free(const struct gate_semaphore *s);

/* The holder is over: gives back all of its permits. */
void gate_permits_end(struct gate_permit **held);

#endif
