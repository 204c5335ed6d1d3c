/* Bodies that a script reads whole or sets. Flow gathers them (struct gate_hook_services). */
#include "script/ffi_int.h"

#define GOES_UP \
    "it is too late: the body goes up; a request_body hook returns what replaces a piece"

int gate_ffi_read_body(struct gate_vm *vm, int32_t id, int32_t serial, int side, double max)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    enum gate_err err;

    if (x == NULL)
        return GATE_FFI_OVER;
    if (vm->task == NULL || vm->services.read_body == NULL)
        return GATE_FFI_WHERE;
    if (!(max >= 0))
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "a size is a number that is not negative");
    /* What is read becomes one Lua string. */
    if (max > (double)vm->heap.largest)
        max = (double)vm->heap.largest;
    gate_wait_cancel(&vm->task->wait);
    err = vm->services.read_body(x, side == GATE_SIDE_RESPONSE, (size_t)max, &vm->task->wait);
    vm->task->woken = err;
    return err == GATE_E_AGAIN ? GATE_FFI_NO : GATE_FFI_YES;
}

int gate_ffi_body(struct gate_vm *vm, int32_t id, int32_t serial, int side)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);

    if (x == NULL)
        return GATE_FFI_OVER;
    return gate_ffi_str(vm, vm->services.body(x, side == GATE_SIDE_RESPONSE));
}

int gate_ffi_set_body(struct gate_vm *vm, int32_t id, int32_t serial, int side, const char *bytes,
                      uint32_t bytes_n)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);

    if (x == NULL)
        return GATE_FFI_OVER;
    if (vm->services.set_body == NULL)
        return GATE_FFI_WHERE;
    if (side == GATE_SIDE_RESPONSE && x->head_sent)
        return GATE_FFI_LATE;
    if (!gate_ffi_room(x, bytes_n))
        return GATE_FFI_LIMIT;
    if (!vm->services.set_body(x, side == GATE_SIDE_RESPONSE, gate_str_of(bytes, bytes_n)))
        return gate_ffi_fail(vm, GATE_FFI_INVALID, GOES_UP);
    return GATE_FFI_YES;
}
