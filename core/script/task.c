#include "script/task_int.h"

#include "base/assert.h"
#include "script/job_int.h"
#include "script/run_int.h"

/* CPU time of one resume of a hook behind which others have their turn. */
#define LONG_NS (2 * GATE_MS)

static void on_limit(struct gate_timer *timer);
static void on_woken(struct gate_wait *w, enum gate_err result);

void gate_task_init(struct gate_task *t, struct gate_vm *vm, enum gate_task_kind kind)
{
    memset(t, 0, sizeof(*t));
    t->vm = vm;
    t->kind = (uint8_t)kind;
    t->ref = LUA_NOREF;
    t->raised = LUA_NOREF;
    gate_list_init(&t->holds);
    gate_list_init(&t->node);
    gate_timer_init(&t->limit, on_limit);
    gate_wait_init(&t->wait, &vm->worker->loop, on_woken, t);
}

static void make_coroutine(struct gate_task *t)
{
    lua_State *L = t->vm->L;

    t->co = lua_newthread(L);
    lua_pushvalue(L, -1);
    lua_pushboolean(L, 1);
    lua_rawset(L, GATE_VM_TASKS);
    t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void gate_task_begin(struct gate_task *t, int fn, const uint64_t *budgets)
{
    t->waited = false;
    t->overtime = false;
    t->reported = false;
    t->doomed = false;
    t->charge = 0;
    t->budgets = budgets;
    t->used_ns = 0;
    /* A coroutine whose function has returned takes another one. */
    if (GATE_UNLIKELY(t->co == NULL))
        make_coroutine(t);
    GATE_DEBUG_ASSERT(lua_gettop(t->co) == 0);
    lua_rawgeti(t->co, LUA_REGISTRYINDEX, fn);
}

/* The heap's hook says so; inside a pattern or an insertion, which an armed hook ends, those do. */
static bool is_memory_error(lua_State *co)
{
    const char *text = lua_type(co, -1) == LUA_TSTRING ? lua_tostring(co, -1) : "";

    return strcmp(text, "not enough memory") == 0 ||
           strstr(text, "pattern matching stopped") != NULL ||
           strstr(text, "insertion stopped") != NULL;
}

enum gate_vm_result gate_task_result(const struct gate_vm *vm, lua_State *co, int status)
{
    if (status == 0)
        return GATE_VM_DONE;
    if (status == LUA_YIELD)
        return GATE_VM_YIELD;
    /* A stop amid another error, or inside a pattern, leaves another value than the sentinel. */
    if (lua_touserdata(co, -1) == gate_watch_sentinel() ||
        (vm->watch != NULL && gate_watch_stopped(vm->watch)))
        return GATE_VM_KILLED;
    if (status == LUA_ERRMEM || (vm->heap.refused && is_memory_error(co)))
        return GATE_VM_NOMEM;
    return GATE_VM_ERROR;
}

/* Newest first: what came later may rest on what was there. */
static void release_holds(struct gate_task *t)
{
    while (!gate_list_empty(&t->holds)) {
        struct gate_task_hold *h =
            gate_container_of(t->holds.prev, struct gate_task_hold, node);

        gate_list_remove(&h->node);
        h->release(h);
    }
}

void gate_task_bound(struct gate_task *t)
{
    const struct gate_vm *vm = t->vm;

    if (t->until_ms == 0)
        t->until_ms = gate_loop_now(&vm->worker->loop) + vm->config->limits.task_time_ms;
}

/* The task waits: notes how much it has used. The clock is read only here, where a task is slow
 * anyway. */
static void account(struct gate_task *t, uint64_t cpu_before)
{
    struct gate_vm *vm = t->vm;

    gate_list_push(&vm->waiting, &t->node);
    if (GATE_UNLIKELY(vm->expired))
        gate_wait_expire(&t->wait, GATE_E_CANCELLED);
    if (t->owner != NULL) {
        t->at = vm->io.at;
        t->waited = true;
        return;
    }
    t->charge += gate_heap_taken(&vm->heap);
    if (cpu_before != 0 && t->at == vm->io.at)
        t->used_ns += gate_watch_cpu_now() - cpu_before;
    else
        t->used_ns = vm->watch == NULL ? 0 : gate_watch_seen_since(vm->watch);
    t->at = vm->io.at;
    t->verdict = vm->io.verdict;
    if (t->waited)
        return;
    t->waited = true;
    gate_task_bound(t);
    gate_wheel_start(&vm->worker->loop.wheel, &t->limit, t->until_ms);
}

static inline int enter(struct gate_vm *vm, lua_State *co, int n, const uint64_t *budgets,
                        uint64_t used)
{
    int status;

    gate_heap_enforce(&vm->heap);
    if (vm->watch != NULL)
        gate_watch_enter(vm->watch, co, budgets, used);
    status = lua_resume(co, n);
    if (vm->watch != NULL)
        gate_watch_exit(vm->watch);
    /* Armed by the watchdog or by the heap; until here no pcall could go on. */
    if (GATE_UNLIKELY(lua_gethookmask(co) != 0))
        lua_sethook(co, NULL, 0, 0);
    gate_heap_release(&vm->heap);
    return status;
}

int gate_task_enter(struct gate_vm *vm, lua_State *co, int n, const uint64_t *budgets,
                    uint64_t used)
{
    return enter(vm, co, n, budgets, used);
}

static int resume(struct gate_task *t)
{
    struct gate_vm *vm = t->vm;
    struct gate_loop *loop = &vm->worker->loop;
    const struct gate_task *owner = gate_task_owner(t);
    int status;

    loop->in_script = true;
    status = enter(vm, t->co, 0, owner->budgets, owner->used_ns);
    loop->in_script = false;
    return status;
}

/* It used up its budget, or much memory, or the watchdog has seen it at work: a job, of which there
 * may be thousands, at all; a hook for as long as few take. */
static bool took_long(const struct gate_task *t, enum gate_vm_result r)
{
    const struct gate_watch *w = t->vm->watch;

    if (GATE_UNLIKELY(r == GATE_VM_KILLED || r == GATE_VM_NOMEM))
        return true;
    if (GATE_LIKELY(w == NULL || !gate_watch_was_noted(w)))
        return false;
    return gate_watch_seen_since(w) > (t->kind == GATE_TASK_JOB ? 0 : LONG_NS);
}

static GATE_COLD void note_long(struct gate_task *t)
{
    struct gate_task *owner = gate_task_owner(t);

    gate_loop_tire(&t->vm->worker->loop);
    gate_task_accuse(t, t->waited);
    if (owner->kind == GATE_TASK_HOOK)
        gate_run_tire(owner);
}

enum gate_vm_result gate_task_resume(struct gate_task *t)
{
    struct gate_vm *vm = t->vm;
    uint64_t cpu_before = t->waited || t->owner != NULL ? gate_watch_cpu_now() : 0;
    enum gate_vm_result r;

    if (GATE_UNLIKELY(gate_heap_unsettled(&vm->heap)))
        gate_heap_settle(&vm->heap);
    vm->task = t;
    r = gate_task_result(vm, t->co, resume(t));
    vm->task = NULL;
    if (GATE_UNLIKELY(took_long(t, r)))
        note_long(t);
    if (GATE_UNLIKELY(t->owner != NULL)) {
        t->owner->used_ns += gate_watch_cpu_now() - cpu_before;
        t->owner->charge += gate_heap_taken(&vm->heap);
    }
    if (r == GATE_VM_YIELD) {
        account(t, cpu_before);
        lua_settop(t->co, 0);
        return r;
    }
    if (t->waited)
        gate_loop_untimer(&vm->worker->loop, &t->limit);
    /* A wait that was begun where nothing can yield; its error was caught. */
    if (GATE_UNLIKELY(t->wait.state != GATE_WAIT_IDLE))
        gate_wait_cancel(&t->wait);
    if (GATE_UNLIKELY(!gate_list_empty(&t->holds)))
        release_holds(t);
    return r;
}

/* Its budget is used up: it does not get to run again. */
static bool is_spent(struct gate_task *task)
{
    const struct gate_task *t = gate_task_owner(task);
    uint32_t at = (uint32_t)t->at;

    return at >= 1 && at <= gate_budgets_n(t->budgets) && t->used_ns >= t->budgets[at];
}

/* Others of its kind were stopped again and again since it began. */
static bool is_barred(const struct gate_task *t)
{
    return t->kind == GATE_TASK_JOB &&
           gate_job_is_barred(gate_container_of(t, const struct gate_job, task));
}

/* What ends a task that is to go on; DONE: nothing. */
static enum gate_vm_result ends_with(struct gate_task *t)
{
    if (t->doomed)
        return GATE_VM_NOMEM;
    if (is_spent(t))
        return GATE_VM_KILLED;
    return is_barred(t) ? GATE_VM_BARRED : GATE_VM_DONE;
}

static void on_woken(struct gate_wait *w, enum gate_err result)
{
    struct gate_task *t = w->arg;
    struct gate_vm *vm = t->vm;
    bool doomed = t->doomed;
    enum gate_vm_result r = ends_with(t);
    bool suspect = r == GATE_VM_DONE && gate_task_is_suspect(t, true);

    if (suspect && !t->suspect) {
        t->suspect = true;
        gate_wait_put_off(w);
        return;
    }
    t->suspect = false;
    gate_list_remove(&t->node);
    t->woken = result;
    __atomic_store_n(&vm->io.at, t->at, __ATOMIC_RELAXED);
    __atomic_store_n(&vm->io.stop, t->stop, __ATOMIC_RELAXED);
    vm->io.start = 0;
    vm->io.verdict = t->verdict;
    if (r != GATE_VM_DONE)
        gate_loop_untimer(&vm->worker->loop, &t->limit);
    else
        r = gate_task_resume(t);
    if (suspect && !gate_loop_is_tired(&vm->worker->loop))
        gate_task_acquit(t, true);
    if (r != GATE_VM_YIELD)
        t->step(t, r);
    if (GATE_UNLIKELY(doomed))
        gate_heap_reclaim(&vm->heap);
}

static void on_limit(struct gate_timer *timer)
{
    struct gate_task *t = gate_container_of(timer, struct gate_task, limit);

    gate_list_remove(&t->node);
    gate_wait_cancel(&t->wait);
    __atomic_store_n(&t->vm->io.at, t->at, __ATOMIC_RELAXED);
    t->vm->io.verdict = t->verdict;
    t->overtime = true;
    t->suspect = false;
    t->step(t, GATE_VM_KILLED);
}

void gate_task_cancel(struct gate_task *t)
{
    gate_list_remove(&t->node);
    gate_wait_cancel(&t->wait);
    gate_loop_untimer(&t->vm->worker->loop, &t->limit);
    gate_task_drop(t);
}

void gate_task_origin(const struct gate_task *t, struct gate_task_origin *to)
{
    if (t->kind == GATE_TASK_JOB)
        gate_job_origin(t, to);
    else
        gate_run_origin(t, to);
}

void gate_vm_place(const struct gate_vm *vm, struct gate_script_place *out)
{
    struct gate_task_origin o;

    *out = (struct gate_script_place){NULL, NULL};
    if (vm->task == NULL)
        return;
    gate_task_origin(vm->task, &o);
    out->policy = o.policy;
    out->hook = o.hook;
}

int gate_task_take_error(struct gate_task *t, enum gate_vm_result r)
{
    lua_State *L = t->vm->L;

    if (r == GATE_VM_NOMEM)
        lua_pushliteral(L, "not enough memory");
    else
        lua_xmove(t->co, L, 1);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void gate_vm_expire(struct gate_vm *vm)
{
    vm->expired = true;
    for (struct gate_list *n = vm->waiting.next; n != &vm->waiting; n = n->next)
        gate_wait_expire(&gate_container_of(n, struct gate_task, node)->wait, GATE_E_CANCELLED);
}

void gate_task_drop(struct gate_task *t)
{
    if (t->raised != LUA_NOREF) {
        luaL_unref(t->vm->L, LUA_REGISTRYINDEX, t->raised);
        t->raised = LUA_NOREF;
    }
    release_holds(t);
    if (t->co == NULL)
        return;
    luaL_unref(t->vm->L, LUA_REGISTRYINDEX, t->ref);
    t->co = NULL;
    t->ref = LUA_NOREF;
}
