/* Peers for balance hooks, and the verdicts that concern where a request goes. */
#include "script/ffi_int.h"

int gate_ffi_peers(struct gate_vm *vm, int32_t id, int32_t serial)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    const struct gate_peer_view *v = NULL;

    if (x == NULL)
        return GATE_FFI_OVER;
    if (vm->services.peers == NULL)
        return GATE_FFI_WHERE;
    if (!gate_ffi_room(x, 0))
        return GATE_FFI_LIMIT;
    vm->io.n = vm->services.peers(x, &v);
    vm->io.p = (const char *)v;
    return GATE_FFI_YES;
}

int gate_ffi_peer_use(struct gate_vm *vm, int32_t id, int32_t serial, const char *address,
                      uint32_t address_n)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);

    if (x == NULL)
        return GATE_FFI_OVER;
    if (vm->services.use_peer == NULL)
        return GATE_FFI_WHERE;
    if (!vm->services.use_peer(x, gate_str_of(address, address_n)))
        return GATE_FFI_NO;
    vm->io.verdict = GATE_VERDICT_PEER;
    return GATE_FFI_YES;
}

int gate_ffi_retry(struct gate_vm *vm, int32_t id, int32_t serial, int32_t upstream)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    uint32_t ordinal = GATE_NO_ORDINAL;

    if (x == NULL)
        return GATE_FFI_OVER;
    if (upstream >= 0)
        ordinal = gate_generation_upstream(x->seat->generation, (uint32_t)upstream);
    if (upstream >= 0 && ordinal == GATE_NO_ORDINAL)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "this upstream is not declared any more");
    vm->io.route = (int32_t)ordinal;
    vm->io.verdict = GATE_VERDICT_RETRY;
    return GATE_FFI_YES;
}
