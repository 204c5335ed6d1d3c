/* What Lua may ask of semaphores. */
#include <math.h>

#include "script/ffi_int.h"
#include "script/semaphore_int.h"

struct gate_semaphore *gate_ffi_semaphore_new(uint32_t permits)
{
    return gate_semaphore_new(permits);
}

void gate_ffi_semaphore_drop(struct gate_semaphore *s)
{
    gate_semaphore_drop(s);
}

int gate_ffi_semaphore_acquire(struct gate_vm *vm, struct gate_semaphore *s, double seconds)
{
    uint64_t deadline_ms = 0;

    if (vm->task == NULL)
        return GATE_FFI_WHERE;
    if (seconds >= 0)
        deadline_ms = gate_ffi_deadline(vm, seconds);
    return gate_semaphore_acquire(s, vm->task, deadline_ms) == GATE_OK ? GATE_FFI_YES
                                                                       : GATE_FFI_NO;
}

int gate_ffi_semaphore_release(struct gate_vm *vm, struct gate_semaphore *s)
{
    if (vm->task == NULL)
        return GATE_FFI_WHERE;
    return gate_semaphore_release(s, vm->task) ? GATE_FFI_YES : GATE_FFI_NO;
}

uint32_t gate_ffi_semaphore_free(const struct gate_semaphore *s)
{
    return gate_semaphore_free(s);
}
