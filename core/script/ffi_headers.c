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

int gate_ffi_header_field(const char *name, uint32_t name_n)
{
    if (!gate_field_name_ok(gate_str_of(name, name_n)))
        return -1;
    return (int)gate_field_id_of(name, name_n);
}

int gate_ffi_header_get(struct gate_vm *vm, int32_t id, int32_t serial, int side, int field,
                        const char *name, uint32_t name_n)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    struct gate_str value;

    if (x == NULL)
        return GATE_FFI_OVER;
    if (field < 0 ||
        !gate_headers_get_as(side == GATE_SIDE_REQUEST ? &x->req.headers : &x->res.headers,
                             (enum gate_field_id)field, gate_str_of(name, name_n), &value))
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
    if (!gate_field_settable(gate_field_id_of(name, name_n), side == GATE_SIDE_REQUEST, &instead))
        return gate_ffi_fail(vm, GATE_FFI_INVALID, instead == NULL ? OWN_FIELD : instead);
    return GATE_FFI_YES;
}

/* Whether n bytes of a field with this id may be edited: then *out is where. */
static int editable(struct gate_vm *vm, int32_t id, int32_t serial, int side,
                    enum gate_field_id field, size_t n, struct gate_headers **out)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    const char *instead = NULL;

    if (x == NULL)
        return GATE_FFI_OVER;
    if (side == GATE_SIDE_RESPONSE && x->head_sent)
        return GATE_FFI_LATE;
    if (field != GATE_F_OTHER && !gate_field_settable(field, side == GATE_SIDE_REQUEST, &instead))
        return gate_ffi_fail(vm, GATE_FFI_INVALID, instead == NULL ? OWN_FIELD : instead);
    *out = headers_of(x, side);
    if (!gate_ffi_room(x, n) || (*out)->overlay.n >= GATE_SCRIPT_EDITS_MAX)
        return GATE_FFI_LIMIT;
    return GATE_FFI_YES;
}

int gate_ffi_header_set(struct gate_vm *vm, int32_t id, int32_t serial, int side, int field,
                        const char *name, uint32_t name_n, const char *value, uint32_t value_n)
{
    struct gate_str n = gate_str_of(name, name_n);
    struct gate_headers *h;
    int r;

    if (field < 0)
        return refused(vm, n);
    r = editable(vm, id, serial, side, (enum gate_field_id)field, (size_t)name_n + value_n, &h);
    if (r == GATE_FFI_YES &&
        gate_headers_set_as(h, (enum gate_field_id)field, n, gate_str_of(value, value_n)) !=
            GATE_OK)
        r = refused(vm, n);
    return r;
}

int gate_ffi_header_add(struct gate_vm *vm, int32_t id, int32_t serial, int side, const char *name,
                        uint32_t name_n, const char *value, uint32_t value_n)
{
    struct gate_str n = gate_str_of(name, name_n);
    struct gate_headers *h;
    int r = editable(vm, id, serial, side, gate_field_id_of(name, name_n),
                     (size_t)name_n + value_n, &h);

    if (r == GATE_FFI_YES && gate_headers_add(h, n, gate_str_of(value, value_n)) != GATE_OK)
        r = refused(vm, n);
    return r;
}

int gate_ffi_header_remove(struct gate_vm *vm, int32_t id, int32_t serial, int side,
                           const char *name, uint32_t name_n)
{
    struct gate_str n = gate_str_of(name, name_n);
    struct gate_headers *h;
    int r = editable(vm, id, serial, side, gate_field_id_of(name, name_n), name_n, &h);

    if (r == GATE_FFI_YES && gate_headers_remove(h, n) != GATE_OK)
        r = refused(vm, n);
    return r;
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
