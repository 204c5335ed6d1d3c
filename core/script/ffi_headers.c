/* What Lua may ask about header fields. */
#include "script/ffi_int.h"

#define OWN_FIELD "the gateway writes this field itself"

static struct gate_headers *headers_of(struct gate_exchange *x, int side)
{
    struct gate_headers *h = side == GATE_SIDE_REQUEST ? &x->req.headers : &x->res.headers;

    if (h->arena == NULL)
        h->arena = &x->arena;
    return h;
}

int gate_ffi_header_get(struct gate_vm *vm, int32_t id, int32_t serial, int side, const char *name,
                        uint32_t name_n)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    struct gate_str value;

    if (x == NULL)
        return GATE_FFI_OVER;
    if (!gate_headers_get(side == GATE_SIDE_REQUEST ? &x->req.headers : &x->res.headers,
                          gate_str_of(name, name_n), &value))
        return GATE_FFI_NO;
    return gate_ffi_str(vm, value);
}

/* Why a name or value is refused, after it was. */
static int refused(struct gate_vm *vm, struct gate_str name)
{
    return gate_ffi_fail(vm, GATE_FFI_INVALID,
                         gate_field_name_ok(name)
                             ? "a header value may hold no line end, NUL or other control, and "
                               "64 KiB at most"
                             : "a header name is a token of at most 256 bytes");
}

int gate_ffi_header_check(struct gate_vm *vm, int side, const char *name, uint32_t name_n,
                          const char *value, uint32_t value_n)
{
    struct gate_str n = gate_str_of(name, name_n);
    const char *instead = NULL;

    if (!gate_field_name_ok(n) || !gate_field_value_ok(gate_str_of(value, value_n)))
        return refused(vm, n);
    if (!gate_field_settable(n, side == GATE_SIDE_REQUEST, &instead))
        return gate_ffi_fail(vm, GATE_FFI_INVALID, instead == NULL ? OWN_FIELD : instead);
    return GATE_FFI_YES;
}

typedef enum gate_err edit_fn(struct gate_headers *h, struct gate_str name, struct gate_str value);

static int edit(struct gate_vm *vm, int32_t id, int32_t serial, int side, struct gate_str name,
                struct gate_str value, edit_fn *fn)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    const char *instead = NULL;
    struct gate_headers *h;

    if (x == NULL)
        return GATE_FFI_OVER;
    if (!gate_field_settable(name, side == GATE_SIDE_REQUEST, &instead))
        return gate_ffi_fail(vm, GATE_FFI_INVALID, instead == NULL ? OWN_FIELD : instead);
    h = headers_of(x, side);
    if (!gate_ffi_room(x, name.n + value.n) || h->overlay.n >= GATE_SCRIPT_EDITS_MAX)
        return GATE_FFI_LIMIT;
    return fn(h, name, value) == GATE_OK ? GATE_FFI_YES : refused(vm, name);
}

int gate_ffi_header_set(struct gate_vm *vm, int32_t id, int32_t serial, int side, const char *name,
                        uint32_t name_n, const char *value, uint32_t value_n)
{
    return edit(vm, id, serial, side, gate_str_of(name, name_n), gate_str_of(value, value_n),
                gate_headers_set);
}

int gate_ffi_header_add(struct gate_vm *vm, int32_t id, int32_t serial, int side, const char *name,
                        uint32_t name_n, const char *value, uint32_t value_n)
{
    return edit(vm, id, serial, side, gate_str_of(name, name_n), gate_str_of(value, value_n),
                gate_headers_add);
}

static enum gate_err remove_field(struct gate_headers *h, struct gate_str name,
                                  struct gate_str value)
{
    (void)value;
    return gate_headers_remove(h, name);
}

int gate_ffi_header_remove(struct gate_vm *vm, int32_t id, int32_t serial, int side,
                           const char *name, uint32_t name_n)
{
    return edit(vm, id, serial, side, gate_str_of(name, name_n), GATE_STR(""), remove_field);
}

int gate_ffi_header_next(struct gate_vm *vm, int32_t id, int32_t serial, int side, const char *name,
                         uint32_t name_n)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    struct gate_headers_cursor c = {vm->io.cursor_i, vm->io.cursor_edits};
    const struct gate_field *f;

    if (x == NULL)
        return GATE_FFI_OVER;
    do {
        f = gate_headers_next(headers_of(x, side), &c);
    } while (f != NULL && name_n > 0 &&
             !gate_str_ieq(gate_field_name(f), gate_str_of(name, name_n)));
    vm->io.cursor_i = c.i;
    vm->io.cursor_edits = c.edits;
    if (f == NULL)
        return GATE_FFI_NO;
    gate_ffi_str(vm, gate_field_name(f));
    vm->io.p2 = f->value;
    vm->io.n2 = f->value_len;
    return GATE_FFI_YES;
}

int gate_ffi_trailer_next(struct gate_vm *vm, int32_t id, int32_t serial, int side)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    const struct gate_fields *fs;
    const struct gate_field *f;

    if (x == NULL)
        return GATE_FFI_OVER;
    fs = side == GATE_SIDE_REQUEST ? x->up.trailers : x->dn.trailers;
    if (fs == NULL || vm->io.cursor_i >= fs->n)
        return GATE_FFI_NO;
    f = &fs->v[vm->io.cursor_i++];
    gate_ffi_str(vm, gate_field_name(f));
    vm->io.p2 = f->value;
    vm->io.n2 = f->value_len;
    return GATE_FFI_YES;
}
