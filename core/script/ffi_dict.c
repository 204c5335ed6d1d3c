/* Shared dictionaries, as gate.shared sees them. */
#include <errno.h>
#include <math.h>

#include "base/assert.h"
#include "base/mem.h"
#include "script/ffi_int.h"

/* A ttl beyond it is none: thirty years. */
#define TTL_MAX_S 1e9
/* What was read may be used again so long: in this time nobody makes the 2^31 changes after which a
 * sequence number comes again. */
#define SEEN_NS GATE_SEC

void gate_dicts_open(struct gate_vm *vm, const struct gate_vm_options *o)
{
    static const uint64_t for_ever = UINT64_MAX;

    /* While the file loads there is no loop: nothing that was read is used again. */
    vm->io.now = &for_ever;
    vm->own_shared = o->shared == NULL;
    vm->shared = vm->own_shared ? gate_shared_new() : o->shared;
    gate_clock_init(&vm->own_clock);
    vm->clock = o->clock == NULL ? &vm->own_clock : o->clock;
}

void gate_dicts_close(struct gate_vm *vm)
{
    for (uint32_t i = 0; i < vm->n_dicts; i++)
        gate_shared_close(vm->shared, &vm->dicts[i]);
    gate_free(vm->dicts);
    gate_dict_buffer_fini(&vm->dict_text);
    if (vm->own_shared)
        gate_shared_free(&vm->shared);
}

int gate_ffi_dict_open(struct gate_vm *vm, const char *name, uint32_t name_n, double bytes)
{
    struct gate_dict *d;

    if (gate_shared_open(vm->shared, gate_str_of(name, name_n), (uint64_t)bytes, &d) != GATE_OK)
        return errno == 0 ? -EIO : -errno;
    vm->dicts = gate_realloc(vm->dicts, (vm->n_dicts + 1) * sizeof(*vm->dicts));
    vm->dicts[vm->n_dicts] = d;
    return (int)vm->n_dicts++;
}

/* NULL: a script has changed the number (--trust: debug.setupvalue). */
static inline struct gate_dict *dict_of(const struct gate_vm *vm, int32_t dict)
{
    return GATE_LIKELY((uint32_t)dict < vm->n_dicts) ? vm->dicts[dict] : NULL;
}

static int no_dict(struct gate_vm *vm)
{
    return gate_ffi_fail(vm, GATE_FFI_INVALID, "this is no dictionary");
}

static inline uint64_t now_of(const struct gate_vm *vm)
{
    return GATE_LIKELY(vm->worker != NULL) ? vm->worker->loop.now_ns
                                           : gate_clock_now_ns(vm->clock);
}

static uint64_t ttl_ns(double seconds)
{
    return seconds < 0 || seconds > TTL_MAX_S ? UINT64_MAX : (uint64_t)(seconds * 1e9);
}

static struct gate_dict_value value_of(int kind, double number, const char *text, uint32_t text_n)
{
    return (struct gate_dict_value){
        .kind = (enum gate_dict_kind)kind,
        .number = number,
        .text = kind == GATE_DICT_STRING ? gate_str_of(text, text_n) : GATE_STR_NONE,
    };
}

static inline int leave_value(struct gate_vm *vm, const struct gate_dict_value *v)
{
    if (v->kind == GATE_DICT_NUMBER)
        vm->io.number = v->number;
    else if (v->kind == GATE_DICT_STRING)
        gate_ffi_str(vm, v->text);
    return (int)v->kind;
}

static int result_of(enum gate_err err)
{
    switch (err) {
    case GATE_OK:
        return GATE_FFI_YES;
    case GATE_E_AGAIN:
        return GATE_DICT_AGAIN;
    case GATE_E_LIMIT:
        return GATE_DICT_FULL;
    case GATE_E_INVALID:
        return GATE_DICT_OTHER;
    default:
        return GATE_FFI_NO;
    }
}

double gate_ffi_dict_value_max(struct gate_vm *vm, int32_t dict)
{
    const struct gate_dict *d = dict_of(vm, dict);

    return d == NULL ? 0 : gate_dict_value_max(d);
}

int gate_ffi_dict_get(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n)
{
    struct gate_dict *d = dict_of(vm, dict);
    uint64_t now = now_of(vm);
    struct gate_dict_seen seen;
    struct gate_dict_value v;
    struct gate_dict_key k;

    if (GATE_UNLIKELY(d == NULL))
        return no_dict(vm);
    k = gate_dict_key(d, key, key_n);
    gate_dict_get(d, &k, now, &vm->dict_text, &v, &seen);
    vm->io.seen = seen.seq;
    vm->io.seen_at = seen.at;
    vm->io.seen_until = (double)(seen.until_ns < now + SEEN_NS ? seen.until_ns : now + SEEN_NS);
    return leave_value(vm, &v);
}

int gate_ffi_dict_put(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n, int mode,
                      int kind, double number, const char *text, uint32_t text_n, double ttl)
{
    struct gate_dict *d = dict_of(vm, dict);
    struct gate_dict_key k;
    struct gate_dict_put put = {
        .mode = (enum gate_dict_mode)mode,
        .value = value_of(kind, number, text, text_n),
        .now_ns = now_of(vm),
        .ttl_ns = ttl_ns(ttl),
    };

    if (d == NULL)
        return no_dict(vm);
    k = gate_dict_key(d, key, key_n);
    return result_of(gate_dict_put(d, &k, &put));
}

int gate_ffi_dict_cas(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n,
                      int old_kind, double old_number, const char *old_text, uint32_t old_n,
                      int kind, double number, const char *text, uint32_t text_n)
{
    struct gate_dict *d = dict_of(vm, dict);
    struct gate_dict_key k;
    struct gate_dict_put put = {
        .mode = GATE_DICT_CAS,
        .value = value_of(kind, number, text, text_n),
        .old = value_of(old_kind, old_number, old_text, old_n),
        .now_ns = now_of(vm),
        .ttl_ns = UINT64_MAX,
    };

    if (d == NULL)
        return no_dict(vm);
    k = gate_dict_key(d, key, key_n);
    return result_of(gate_dict_put(d, &k, &put));
}

int gate_ffi_dict_incr(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n,
                       double by, double init, int make, double ttl)
{
    struct gate_dict *d = dict_of(vm, dict);
    struct gate_dict_key k;
    struct gate_dict_incr i = {
        .by = by,
        .init = init,
        .make = make != 0,
        .now_ns = now_of(vm),
        .ttl_ns = ttl_ns(ttl),
    };

    if (d == NULL)
        return no_dict(vm);
    k = gate_dict_key(d, key, key_n);
    return result_of(gate_dict_incr(d, &k, &i, &vm->io.number));
}

int gate_ffi_dict_delete(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n)
{
    struct gate_dict *d = dict_of(vm, dict);
    struct gate_dict_key k;

    if (d == NULL)
        return no_dict(vm);
    k = gate_dict_key(d, key, key_n);
    return gate_dict_delete(d, &k, now_of(vm));
}

int gate_ffi_dict_ttl(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n)
{
    struct gate_dict *d = dict_of(vm, dict);
    struct gate_dict_key k;
    uint64_t now = now_of(vm);
    struct gate_dict_seen seen;
    struct gate_dict_value v;

    if (d == NULL)
        return no_dict(vm);
    k = gate_dict_key(d, key, key_n);
    gate_dict_get(d, &k, now, &vm->dict_text, &v, &seen);
    if (v.kind == GATE_DICT_NONE)
        return GATE_FFI_NO;
    vm->io.number = seen.until_ns == UINT64_MAX ? HUGE_VAL : (double)(seen.until_ns - now) / 1e9;
    return GATE_FFI_YES;
}

int gate_ffi_dict_next(struct gate_vm *vm, int32_t dict)
{
    struct gate_dict_walk w = { vm->io.walk[0], vm->io.walk[1], vm->io.walk[2] };
    struct gate_dict *d = dict_of(vm, dict);
    struct gate_str key;
    enum gate_err err;

    if (d == NULL)
        return no_dict(vm);
    err = gate_dict_walk(d, &w, now_of(vm), &vm->dict_text, &key);
    vm->io.walk[0] = w.shard;
    vm->io.walk[1] = w.bucket;
    vm->io.walk[2] = w.nth;
    if (err == GATE_OK)
        return gate_ffi_str(vm, key);
    return err == GATE_E_AGAIN ? GATE_DICT_AGAIN : GATE_FFI_NO;
}

int gate_ffi_dict_flush(struct gate_vm *vm, int32_t dict, int begin)
{
    struct gate_dict *d = dict_of(vm, dict);

    if (d == NULL)
        return no_dict(vm);
    if (begin)
        vm->io.walk[0] = 0;
    return gate_dict_flush(d, &vm->io.walk[0]) ? GATE_DICT_AGAIN : GATE_FFI_NO;
}
