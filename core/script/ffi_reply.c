/* Verdicts that Lua hands over: a reply, an upstream, a route. */
#include "script/ffi_int.h"

int gate_ffi_reply_begin(struct gate_vm *vm, int32_t id, int32_t serial, int status,
                         const char *body, uint32_t body_n)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);

    if (x == NULL)
        return GATE_FFI_OVER;
    if (status < 200 || status > 599)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "a status is a number from 200 to 599");
    if (!gate_ffi_room(x, 0) || body_n > vm->config->limits.vm_memory)
        return GATE_FFI_LIMIT;
    memset(&x->reply, 0, sizeof(x->reply));
    x->reply.set = true;
    x->reply.status = status;
    x->reply.body = gate_arena_copy(&x->arena, gate_str_of(body, body_n));
    x->reply.headers.arena = &x->arena;
    vm->io.verdict = GATE_VERDICT_REPLY;
    return GATE_FFI_YES;
}

int gate_ffi_reply_header(struct gate_vm *vm, int32_t id, int32_t serial, const char *name,
                          uint32_t name_n, const char *value, uint32_t value_n)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    int ok;

    if (x == NULL)
        return GATE_FFI_OVER;
    /* gate.reply has checked; but a script may have changed its reply with rawset. */
    ok = gate_ffi_header_check(vm, GATE_SIDE_RESPONSE, name, name_n, value, value_n);
    if (ok != GATE_FFI_YES)
        return ok;
    if (!gate_ffi_room(x, name_n + value_n) || x->reply.headers.overlay.n >= GATE_SCRIPT_EDITS_MAX)
        return GATE_FFI_LIMIT;
    if (gate_headers_add(&x->reply.headers, gate_str_of(name, name_n),
                         gate_str_of(value, value_n)) != GATE_OK)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "the name or value of a header is not allowed");
    return GATE_FFI_YES;
}

int gate_ffi_upstream_use(struct gate_vm *vm, int32_t id, int32_t serial, int32_t ordinal)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);

    if (x == NULL)
        return GATE_FFI_OVER;
    x->upstream = gate_generation_upstream(x->seat->generation, (uint32_t)ordinal);
    if (x->upstream == GATE_NO_ORDINAL)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "this upstream is not declared any more");
    x->upstream_by_hook = true;
    vm->io.verdict = GATE_VERDICT_UPSTREAM;
    return GATE_FFI_YES;
}

int gate_ffi_upstream_find(struct gate_vm *vm, const char *name, uint32_t name_n)
{
    uint32_t i = gate_names_find(&vm->config->upstream_names, gate_str_of(name, name_n));

    if (i == GATE_NO_ORDINAL)
        return GATE_FFI_NO;
    vm->io.number = vm->names == NULL ? i : vm->names->number_of[i];
    return GATE_FFI_YES;
}

int gate_ffi_route_find(struct gate_vm *vm, int32_t id, int32_t serial, const char *name,
                        uint32_t name_n)
{
    const struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    uint32_t i;

    if (x == NULL)
        return GATE_FFI_OVER;
    i = gate_names_find(&x->seat->generation->config->route_names, gate_str_of(name, name_n));
    if (i == GATE_NO_ORDINAL)
        return GATE_FFI_NO;
    vm->io.route = (int32_t)i;
    vm->io.verdict = GATE_VERDICT_ROUTE;
    return GATE_FFI_YES;
}
