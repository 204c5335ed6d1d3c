/* What Lua may ask about tasks of its own. */
#include "script/ffi_int.h"
#include "script/job_int.h"

int gate_ffi_spawn(struct gate_vm *vm, int32_t number)
{
    if (vm->task == NULL)
        return GATE_FFI_WHERE;
    switch (gate_job_spawn(vm, number)) {
    case GATE_OK:
        return GATE_FFI_YES;
    case GATE_E_KILLED:
        return GATE_FFI_NO;
    default:
        break;
    }
    return gate_ffi_fail(vm, GATE_FFI_INVALID, "too many tasks are at work in this worker");
}

int gate_ffi_all(struct gate_vm *vm, int32_t first, int32_t n)
{
    if (vm->task == NULL)
        return GATE_FFI_WHERE;
    if (gate_job_all(vm, first, n) == GATE_OK)
        return GATE_FFI_NO;
    return gate_ffi_fail(vm, GATE_FFI_INVALID, "too many tasks are at work in this worker");
}
