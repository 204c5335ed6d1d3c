/* Log lines of scripts. */
#include "script/ffi_int.h"
#include "script/run_int.h"

#define OWN_FIELDS 2

int gate_ffi_log_on(struct gate_vm *vm, int level)
{
    vm->n_log_fields = 0;
    return vm->log != NULL && gate_log_on(vm->log, (enum gate_log_level)level);
}

int gate_ffi_log_field(struct gate_vm *vm, const char *key, const char *value, uint32_t value_n,
                       int literal)
{
    if (vm->n_log_fields >= GATE_VM_LOG_FIELDS - OWN_FIELDS)
        return GATE_FFI_LIMIT;
    vm->log_fields[vm->n_log_fields++] = (struct gate_log_field){
        .key = key, .value = gate_str_of(value, value_n), .literal = literal != 0};
    return GATE_FFI_YES;
}

int gate_ffi_log_write(struct gate_vm *vm, int level, const char *text)
{
    struct gate_task_origin o;

    if (vm->task != NULL) {
        gate_task_origin(vm->task, &o);
        vm->log_fields[vm->n_log_fields++] =
            (struct gate_log_field){"policy", gate_str_from_cstr(o.policy)};
        if (o.x != NULL)
            vm->log_fields[vm->n_log_fields++] =
                (struct gate_log_field){"request", gate_str_of(o.x->id, o.x->id_len)};
    }
    gate_log_write(vm->log, (enum gate_log_level)level, text, vm->log_fields, vm->n_log_fields);
    vm->n_log_fields = 0;
    return GATE_FFI_YES;
}
