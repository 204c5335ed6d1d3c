/* What a task may wait for. */
#include <math.h>

#include "script/ffi_int.h"

/* The longest sleep: a day and a bit is for ever, for a request. */
#define SLEEP_MAX_S 100000.0

_Static_assert((int)GATE_WAIT_LIMIT == (int)GATE_E_LIMIT &&
                   (int)GATE_WAIT_TIMEOUT == (int)GATE_E_TIMEOUT &&
                   (int)GATE_WAIT_EXITING == (int)GATE_E_CANCELLED,
               "ffi_api.h repeats these numbers");

int gate_ffi_sleep(struct gate_vm *vm, double seconds)
{
    struct gate_task *t = vm->task;
    uint64_t ms;

    if (t == NULL)
        return GATE_FFI_WHERE;
    if (!(seconds >= 0))
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "a time is a number that is not negative");
    ms = (uint64_t)ceil((seconds > SLEEP_MAX_S ? SLEEP_MAX_S : seconds) * 1000);
    if (ms > 0) {
        /* Not shorter than was asked for: counted from now, and from a whole millisecond. */
        gate_loop_refresh(&vm->worker->loop);
        ms++;
    }
    /* An earlier wait that could not yield (inside a callback of C) was never waited for. */
    gate_wait_cancel(&t->wait);
    /* Zero waits too, for the loop's next turn, so that others get theirs. */
    gate_wait_arm(&t->wait, gate_loop_now(&vm->worker->loop) + ms, NULL);
    return GATE_FFI_NO;
}

int gate_ffi_wait_result(struct gate_vm *vm)
{
    return vm->task == NULL ? GATE_FFI_WHERE : (int)vm->task->woken;
}
