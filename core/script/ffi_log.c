/* Log lines of scripts. */
#include "script/ffi_int.h"
#include "script/run_int.h"

#define OWN_FIELDS 2

int gate_ffi_log_on(struct gate_vm *vm, int level)
{
    vm->n_log_fields = 0;
    return vm->log != NULL && gate_log_on(vm->log, (enum gate_log_level)level);
}

int gate_ffi_log_field(struct gate_vm *vm, const char *key, const char *value, uint32_t value_n)
{
    if (vm->n_log_fields >= GATE_VM_LOG_FIELDS - OWN_FIELDS)
        return GATE_FFI_LIMIT;
    vm->log_fields[vm->n_log_fields++] = (struct gate_log_field){key, gate_str_of(value, value_n)};
    return GATE_FFI_YES;
}

int gate_ffi_log_write(struct gate_vm *vm, int level, const char *text)
{
    struct gate_hook_run *run;

    if (vm->task != NULL) {
        run = gate_container_of(vm->task, struct gate_hook_run, task);
        vm->log_fields[vm->n_log_fields++] =
            (struct gate_log_field){"policy", gate_str_from_cstr(gate_run_policy(run))};
        if (run->x != NULL)
            vm->log_fields[vm->n_log_fields++] =
                (struct gate_log_field){"request", gate_str_of(run->x->id, run->x->id_len)};
    }
    gate_log_write(vm->log, (enum gate_log_level)level, text, vm->log_fields, vm->n_log_fields);
    vm->n_log_fields = 0;
    return GATE_FFI_YES;
}
