#include "script/vm.h"

#include <luajit.h>
#include <lualib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "script/heavy_int.h"
#include "script/job_int.h"
#include "script/load_int.h"

#define MEMORY_DEFAULT (64ull * 1024 * 1024)

static void bind_watch(struct gate_vm *vm)
{
    atomic_store_explicit(&vm->watch->stop, &vm->io.stop, memory_order_relaxed);
    atomic_store_explicit(&vm->watch->at, &vm->io.at, memory_order_release);
    vm->heap.watch = vm->watch;
}

/* The time between two visits of a heap that has nothing urgent to do. */
#define TIDY_MS 1000

static void on_tidy(struct gate_timer *t)
{
    struct gate_vm *vm = gate_container_of(t, struct gate_vm, tidy);
    enum gate_heap_visit v = gate_heap_visit(&vm->heap);

    if (v != GATE_HEAP_DONE)
        gate_loop_timer(&vm->worker->loop, t, v == GATE_HEAP_SOON ? 1 : TIDY_MS);
    gate_fullness_note(vm);
}

/* Others have their turn between two visits. */
static void on_stale(struct gate_heap *h)
{
    struct gate_vm *vm = gate_container_of(h, struct gate_vm, heap);

    if (h->clearing || !gate_timer_active(&vm->tidy))
        gate_loop_timer(&vm->worker->loop, &vm->tidy, h->clearing ? 1 : TIDY_MS);
}

/* NULL: there is no memory for its scripts. */
static struct gate_vm *vm_new(const struct gate_vm_options *o)
{
    struct gate_vm *vm = gate_calloc(1, sizeof(*vm));

    if (!gate_heap_open(&vm->heap, o->memory == 0 ? MEMORY_DEFAULT : o->memory)) {
        gate_free(vm);
        return NULL;
    }
    GATE_MAGIC(vm, GATE_VM_MAGIC);
    vm->log = o->log;
    vm->bundle = o->bundle;
    vm->natives = o->natives;
    vm->quarantine = o->quarantine == NULL ? gate_quarantine_new()
                                           : gate_quarantine_ref(o->quarantine);
    vm->io.stop_at = &vm->io.stop;
    gate_suspects_init(&vm->suspects);
    gate_list_init(&vm->runs);
    gate_list_init(&vm->jobs);
    gate_list_init(&vm->waiting);
    gate_timer_init(&vm->tidy, on_tidy);
    gate_fullness_init(vm);
    gate_ready_init(&vm->ending, gate_heavy_end);
    vm->L = vm->heap.L;
    gate_crypto_open(vm);
    gate_dicts_open(vm, o);
    return vm;
}

/* Runs boot.lua, the trusted half: it makes the sandbox and answers a table of functions. */
static int boot(lua_State *L)
{
    struct gate_vm *vm = lua_touserdata(L, 1);

    luaL_openlibs(L);
    if (!gate_library_push_chunk(L, "moongate.boot"))
        return luaL_error(L, "the Lua library is not in this program");
    gate_library_push_host(vm);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "job");
    vm->ref_job = luaL_ref(L, LUA_REGISTRYINDEX);
    vm->ref_boot = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static bool run_boot(struct gate_vm *vm, struct gate_load_errors *errors)
{
    struct gate_load_error *v;
    struct gate_str why;

    if (lua_cpcall(vm->L, boot, vm) == 0)
        return true;
    why.p = lua_tolstring(vm->L, -1, &why.n);
    v = gate_load_error_new(errors);
    v->message = gate_arena_copy(&errors->arena, why.p == NULL ? GATE_STR("boot failed") : why);
    return false;
}

/* The watchdog may look at it meanwhile. A time that is over already ends the load at once; it must
 * not look as if the load had been told to end long ago. */
static void set_load_time(struct gate_vm *vm, uint32_t ms)
{
    uint64_t budget = ms * GATE_MS, used = gate_watch_cpu_now() - vm->load_began_ns;

    vm->load_time_ms = ms;
    __atomic_store_n(&vm->load_budgets[1], budget > used ? budget : used, __ATOMIC_RELAXED);
}

void gate_vm_bound_load(struct gate_vm *vm, uint32_t load_time_ms, uint64_t memory)
{
    if (load_time_ms != 0)
        set_load_time(vm, load_time_ms);
    if (memory != 0) {
        gate_heap_set_cap(&vm->heap, memory);
        gate_heap_enforce(&vm->heap);
    }
}

/* Runs the gateway file inside a coroutine, under the budget. The coroutine stays on the stack. */
static enum gate_vm_result run_file(struct gate_vm *vm, const struct gate_vm_options *o,
                                    lua_State *co)
{
    vm->load_budgets[0] = 1;
    vm->load_began_ns = gate_watch_cpu_now();
    set_load_time(vm, o->load_time_ms);
    lua_rawgeti(co, LUA_REGISTRYINDEX, vm->ref_boot);
    lua_getfield(co, -1, "load");
    lua_remove(co, -2);
    lua_pushboolean(co, o->check);
    lua_pushboolean(co, o->trust);
    __atomic_store_n(&vm->io.at, 1, __ATOMIC_RELAXED);
    return gate_task_result(vm, co, gate_task_enter(vm, co, 2, vm->load_budgets, 0));
}

static void keep_text(struct gate_vm *vm, lua_State *co)
{
    const char *text = lua_tolstring(co, 1, &vm->text_n);
    const char *code = lua_tolstring(co, 2, &vm->code_n);

    vm->text = gate_strndup(text, vm->text_n);
    vm->code = gate_strndup(code, vm->code_n);
}

/* Leaves on the stack what calls between hooks use. */
static void keep_tables(struct gate_vm *vm)
{
    lua_State *L = vm->L;

    lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_boot);
    lua_getfield(L, 1, "ctx");
    lua_getfield(L, 1, "tasks");
    lua_getfield(L, 1, "starting");
    lua_remove(L, 1);
    GATE_ASSERT(lua_istable(L, GATE_VM_CTX) && lua_istable(L, GATE_VM_TASKS) &&
                lua_istable(L, GATE_VM_STARTING));
}

static enum gate_err load(struct gate_vm *vm, const struct gate_vm_options *o,
                          struct gate_load_errors *errors)
{
    lua_State *co = lua_newthread(vm->L);
    enum gate_vm_result r = run_file(vm, o, co);

    if (r != GATE_VM_DONE)
        gate_load_error_stopped(errors, vm, co, r);
    else if (lua_type(co, 1) != LUA_TSTRING)
        gate_load_error_read(errors, co, 2);
    else
        keep_text(vm, co);
    keep_tables(vm);
    if (vm->text != NULL)
        return GATE_OK;
    if (errors->n == 0)
        gate_load_error_new(errors)->message = GATE_STR("the gateway file did not load");
    return GATE_E_SCRIPT;
}

enum gate_err gate_vm_build(const struct gate_vm_options *o, struct gate_vm **out,
                            struct gate_load_errors *errors)
{
    struct gate_vm *vm = vm_new(o);
    enum gate_err err = GATE_E_SCRIPT;

    if (vm == NULL) {
        gate_load_error_new(errors)->message = GATE_STR("the system has no memory for scripts");
        return err;
    }
    if (o->watchdog != NULL) {
        vm->watch = gate_watch_join(o->watchdog, vm);
        bind_watch(vm);
    }
    if (run_boot(vm, errors))
        err = load(vm, o, errors);
    vm->heap.watch = NULL;
    gate_watch_leave(&vm->watch);
    vm->bundle = NULL;
    if (err != GATE_OK) {
        gate_vm_free(&vm);
        return err;
    }
    gate_heap_collect(&vm->heap);
    vm->fullness.born = gate_heap_used(&vm->heap);
    *out = vm;
    return GATE_OK;
}

struct gate_quarantine *gate_vm_quarantine(const struct gate_vm *vm)
{
    return vm->quarantine;
}

struct gate_str gate_vm_config_text(const struct gate_vm *vm)
{
    return gate_str_of(vm->text, vm->text_n);
}

struct gate_str gate_vm_code_text(const struct gate_vm *vm)
{
    return gate_str_of(vm->code, vm->code_n);
}

void gate_vm_prepare(struct gate_vm *vm, const struct gate_config *config)
{
    GATE_CHECK_MAGIC(vm, GATE_VM_MAGIC);
    GATE_ASSERT(vm->config == NULL && vm->worker == NULL);
    vm->config = config;
    gate_heap_set_cap(&vm->heap, config->limits.vm_memory);
    vm->timed |= config->process.access_json && config->process.access_log.n > 0;
    gate_chains_build(vm);
}

void gate_vm_attach(struct gate_vm *vm, struct gate_worker *worker,
                    const struct gate_config *config)
{
    GATE_CHECK_MAGIC(vm, GATE_VM_MAGIC);
    GATE_ASSERT(vm->worker == NULL);
    if (vm->config == NULL)
        gate_vm_prepare(vm, config);
    vm->worker = worker;
    vm->heap.on_stale = on_stale;
    vm->heap.on_full = gate_heavy_spare;
    if (vm->heap.stale) /* grown since it was built */
        on_stale(&vm->heap);
    gate_fullness_note(vm);
    vm->io.now = &worker->loop.now_ns;
    vm->log = worker->log;
    if (worker->watchdog != NULL) {
        vm->watch = gate_watch_join(worker->watchdog, vm);
        bind_watch(vm);
    }
}

void gate_vm_serve(struct gate_vm *vm, struct gate_generation_seat *seat)
{
    gate_vm_try(vm, seat);
    gate_jobs_start_timers(vm);
}

void gate_vm_try(struct gate_vm *vm, struct gate_generation_seat *seat)
{
    vm->config = seat->generation->config;
    vm->names = seat->generation->names;
    gate_jobs_serve(vm, seat);
}

void gate_vm_retire(struct gate_vm *vm)
{
    vm->io.exiting = 1;
    gate_fullness_end(vm);
    gate_jobs_stop_timers(vm);
}

void gate_vm_flush(struct gate_vm *vm)
{
    luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
}

void gate_vm_detach(struct gate_vm *vm)
{
    if (vm->worker == NULL)
        return;
    gate_vm_end_runs(vm);
    vm->heap.on_stale = NULL;
    vm->heap.on_full = NULL;
    gate_ready_cancel(&vm->ending);
    gate_loop_untimer(&vm->worker->loop, &vm->tidy);
    gate_fullness_end(vm);
    vm->heap.watch = NULL;
    gate_watch_leave(&vm->watch);
    vm->worker = NULL;
}

void gate_vm_free(struct gate_vm **vm)
{
    struct gate_vm *x = *vm;

    *vm = NULL;
    if (x == NULL)
        return;
    GATE_CHECK_MAGIC(x, GATE_VM_MAGIC);
    GATE_ASSERT(x->worker == NULL);
    gate_heap_close(&x->heap);
    gate_chains_free(x);
    gate_job_kinds_free(x);
    gate_quarantine_unref(&x->quarantine);
    gate_crypto_close(x);
    gate_secrets_fini(&x->secrets);
    gate_dicts_close(x);
    gate_native_text_fini(&x->native_text);
    gate_free(x->text);
    gate_free(x->code);
    gate_free(x);
}

void gate_vm_copy_secrets(const struct gate_vm *vm, struct gate_secrets *to)
{
    for (uint32_t i = 0; i < vm->secrets.n; i++)
        gate_secrets_add(to, vm->secrets.v[i].name, vm->secrets.v[i].value);
}

void gate_vm_hide(const struct gate_vm *vm, struct gate_str text, struct gate_out *to)
{
    gate_secrets_hide(&vm->secrets, text, to);
}

uint64_t gate_vm_memory(const struct gate_vm *vm)
{
    return gate_heap_used(&vm->heap);
}
