/* Pieces of bodies: what a body hook returns goes out in parts, so that no call is long. */
#include "script/ffi_int.h"
#include "script/run_int.h"

#define PART_MAX (256u * 1024)

/* The piece that the running chain works on; NULL: it is no body hook. */
static struct gate_hook_piece *piece_of(const struct gate_vm *vm)
{
    if (vm->task == NULL)
        return NULL;
    return gate_container_of(vm->task, struct gate_hook_run, task)->piece;
}

int gate_ffi_piece_begin(struct gate_vm *vm)
{
    struct gate_hook_piece *piece = piece_of(vm);

    if (piece == NULL)
        return GATE_FFI_WHERE;
    piece->changed = true;
    gate_chain_clear(&piece->out);
    return GATE_FFI_YES;
}

int gate_ffi_piece_put(struct gate_vm *vm, const char *bytes, uint32_t bytes_n)
{
    struct gate_hook_piece *piece = piece_of(vm);

    if (piece == NULL)
        return GATE_FFI_WHERE;
    if (bytes_n > PART_MAX || piece->out.bytes + bytes_n > GATE_PIECE_OUT_MAX)
        return GATE_FFI_LIMIT;
    return gate_chain_copy(&piece->out, bytes, bytes_n) == 0 ? GATE_FFI_YES : GATE_FFI_LIMIT;
}
