/* FFI functions: what their files share. */
#ifndef GATE_SCRIPT_FFI_INT_H
#define GATE_SCRIPT_FFI_INT_H

#include "script/task_int.h"
#include "script/vm_int.h"

/* Bytes of arena that edits of one exchange may take: they live until it ends, outside the VM's
 * cap. */
#define GATE_SCRIPT_ARENA_MAX (8u * 1024 * 1024)
/* A set looks at the edits before it. */
#define GATE_SCRIPT_EDITS_MAX 512

static inline struct gate_exchange *gate_ffi_exchange(const struct gate_vm *vm, int32_t id,
                                                      int32_t serial)
{
    if (vm->worker == NULL)
        return NULL;
    return gate_exchange_get(vm->worker, (struct gate_handle){(uint32_t)id, (uint32_t)serial});
}

static inline int gate_ffi_str(struct gate_vm *vm, struct gate_str s)
{
    vm->io.p = s.p;
    vm->io.n = (uint32_t)s.n;
    return GATE_FFI_YES;
}

static inline int gate_ffi_fail(struct gate_vm *vm, int code, const char *why)
{
    gate_ffi_str(vm, gate_str_from_cstr(why));
    return code;
}

/* Whether an edit of n bytes is still allowed. */
static inline bool gate_ffi_room(const struct gate_exchange *x, size_t n)
{
    return x->arena.bytes < GATE_SCRIPT_ARENA_MAX && n < GATE_SCRIPT_ARENA_MAX - x->arena.bytes;
}

/* One file a group; gate_api_table collects them. */
int gate_ffi_header_field(const char *, uint32_t);
int gate_ffi_header_get(struct gate_vm *, int32_t, int32_t, int, int, const char *, uint32_t);
int gate_ffi_header_set(struct gate_vm *, int32_t, int32_t, int, int, const char *, uint32_t,
                        const char *, uint32_t);
int gate_ffi_header_add(struct gate_vm *, int32_t, int32_t, int, const char *, uint32_t,
                        const char *, uint32_t);
int gate_ffi_header_remove(struct gate_vm *, int32_t, int32_t, int, const char *, uint32_t);
int gate_ffi_header_next(struct gate_vm *, int32_t, int32_t, int, const char *, uint32_t);
int gate_ffi_trailer_next(struct gate_vm *, int32_t, int32_t, int);
int gate_ffi_header_check(struct gate_vm *, int, const char *, uint32_t, const char *, uint32_t);
int gate_ffi_alive(struct gate_vm *, int32_t, int32_t);
int gate_ffi_text(struct gate_vm *, int32_t, int32_t, int);
int gate_ffi_number(struct gate_vm *, int32_t, int32_t, int);
int gate_ffi_text_set(struct gate_vm *, int32_t, int32_t, int, const char *, uint32_t);
int gate_ffi_status_set(struct gate_vm *, int32_t, int32_t, int);
int gate_ffi_param(struct gate_vm *, int32_t, int32_t, int32_t);
int gate_ffi_reply_begin(struct gate_vm *, int32_t, int32_t, int, const char *, uint32_t);
int gate_ffi_reply_header(struct gate_vm *, int32_t, int32_t, const char *, uint32_t, const char *,
                          uint32_t);
int gate_ffi_upstream_use(struct gate_vm *, int32_t, int32_t, int32_t);
int gate_ffi_upstream_find(struct gate_vm *, const char *, uint32_t);
int gate_ffi_route_find(struct gate_vm *, int32_t, int32_t, const char *, uint32_t);
int gate_ffi_retry(struct gate_vm *, int32_t, int32_t, int32_t);
int gate_ffi_piece_begin(struct gate_vm *);
int gate_ffi_certificate_use(struct gate_vm *, const char *, uint32_t, const char *, uint32_t);
int gate_ffi_piece_put(struct gate_vm *, const char *, uint32_t);
int gate_ffi_peers(struct gate_vm *, int32_t, int32_t);
int gate_ffi_peer_use(struct gate_vm *, int32_t, int32_t, const char *, uint32_t);
int gate_ffi_spawn(struct gate_vm *, int32_t);
int gate_ffi_all(struct gate_vm *, int32_t, int32_t);
/* Loop time of now and so many seconds. */
uint64_t gate_ffi_deadline(struct gate_vm *, double);
int gate_ffi_sleep(struct gate_vm *, double);
struct gate_semaphore *gate_ffi_semaphore_new(uint32_t);
void gate_ffi_semaphore_drop(struct gate_semaphore *);
int gate_ffi_semaphore_acquire(struct gate_vm *, struct gate_semaphore *, double);
int gate_ffi_semaphore_release(struct gate_vm *, struct gate_semaphore *);
uint32_t gate_ffi_semaphore_free(const struct gate_semaphore *);
int gate_ffi_read_body(struct gate_vm *, int32_t, int32_t, int, double);
int gate_ffi_wait_result(struct gate_vm *);
int gate_ffi_body(struct gate_vm *, int32_t, int32_t, int);
int gate_ffi_set_body(struct gate_vm *, int32_t, int32_t, int, const char *, uint32_t);
int gate_ffi_log_on(struct gate_vm *, int);
int gate_ffi_log_field(struct gate_vm *, const char *, const char *, uint32_t, int);
int gate_ffi_log_write(struct gate_vm *, int, const char *);
double gate_ffi_time(struct gate_vm *);
double gate_ffi_clock(struct gate_vm *);
int gate_ffi_random(struct gate_vm *, uint8_t *, uint32_t);
int gate_ffi_hash_begin(struct gate_vm *, const char *, uint32_t, int);
int gate_ffi_hash_add(struct gate_vm *, const char *, uint32_t);
int gate_ffi_hash_end(struct gate_vm *, uint8_t *);
int gate_ffi_equal(const char *, const char *, uint32_t);
int gate_ffi_dict_open(struct gate_vm *, const char *, uint32_t, double);
double gate_ffi_dict_value_max(struct gate_vm *, int32_t);
int gate_ffi_dict_get(struct gate_vm *, int32_t, const char *, uint32_t);
int gate_ffi_dict_put(struct gate_vm *, int32_t, const char *, uint32_t, int, int, double,
                      const char *, uint32_t, double);
int gate_ffi_dict_cas(struct gate_vm *, int32_t, const char *, uint32_t, int, double, const char *,
                      uint32_t, int, double, const char *, uint32_t);
int gate_ffi_dict_incr(struct gate_vm *, int32_t, const char *, uint32_t, double, double, int,
                       double);
int gate_ffi_dict_delete(struct gate_vm *, int32_t, const char *, uint32_t);
int gate_ffi_dict_ttl(struct gate_vm *, int32_t, const char *, uint32_t);
int gate_ffi_dict_next(struct gate_vm *, int32_t);
int gate_ffi_dict_flush(struct gate_vm *, int32_t, int);
int gate_ffi_dict_join(struct gate_vm *, int32_t, const char *, uint32_t);
int gate_ffi_dict_joined(struct gate_vm *, int32_t, const char *, uint32_t);
int gate_ffi_dict_land(struct gate_vm *, int32_t, const char *, uint32_t, int, double,
                       const char *, uint32_t, const char *, uint32_t);
int gate_ffi_dict_leave(struct gate_vm *, int32_t, const char *, uint32_t);

#endif
