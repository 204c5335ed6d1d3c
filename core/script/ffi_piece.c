/* What hooks return besides verdicts on requests: pieces of bodies, which go out in parts, so that
 * no call is long; certificates. */
#include "base/mem.h"
#include "script/ffi_int.h"
#include "script/run_int.h"

#define PART_MAX (256u * 1024)

/* The piece that the running chain works on; NULL: it is no body hook. */
static struct gate_hook_piece *piece_of(const struct gate_vm *vm)
{
    if (vm->task == NULL || vm->task->kind != GATE_TASK_HOOK)
        return NULL;
    return gate_container_of(vm->task, struct gate_hook_run, task)->piece;
}

/* A copy of the text in the place of what was there. */
static void replace(struct gate_str *s, const char *text, uint32_t n)
{
    char *copy = gate_alloc(n);

    memcpy(copy, text, n);
    gate_free((char *)s->p);
    *s = gate_str_of(copy, n);
}

int gate_ffi_certificate_use(struct gate_vm *vm, const char *cert, uint32_t cert_n,
                             const char *key, uint32_t key_n)
{
    struct gate_hook_hello *hello =
        vm->task == NULL || vm->task->kind != GATE_TASK_HOOK
            ? NULL
            : gate_container_of(vm->task, struct gate_hook_run, task)->hello;

    if (hello == NULL)
        return GATE_FFI_WHERE;
    if (cert_n == 0 || key_n == 0 || cert_n > GATE_HELLO_PEM_MAX || key_n > GATE_HELLO_PEM_MAX)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "cert and key are PEM text or paths of files");
    replace(&hello->cert, cert, cert_n);
    replace(&hello->key, key, key_n);
    vm->io.verdict = GATE_VERDICT_CERTIFICATE;
    return GATE_FFI_YES;
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
