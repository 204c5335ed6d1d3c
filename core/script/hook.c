#include "script/hook.h"

#include "base/assert.h"
#include "base/mem.h"
#include "script/job_int.h"
#include "script/run_int.h"
#include "script/semaphore_int.h"

/* Coroutines that are kept for the next call. */
#define IDLE_MAX 64

static void on_step(struct gate_task *t, enum gate_vm_result r);
static void on_rest(struct gate_ready *rest);

static struct gate_hook_run *run_new(struct gate_vm *vm)
{
    struct gate_hook_run *run = gate_calloc(1, sizeof(*run));

    GATE_MAGIC(run, GATE_RUN_MAGIC);
    gate_list_init(&run->node);
    gate_ready_init(&run->rest, on_rest);
    gate_task_init(&run->task, vm, GATE_TASK_HOOK);
    run->task.step = on_step;
    return run;
}

static struct gate_hook_run *run_take(struct gate_vm *vm, struct gate_hook_chain *chain,
                                      struct gate_exchange *x)
{
    struct gate_hook_run *run = vm->idle;

    if (GATE_LIKELY(run != NULL)) {
        vm->idle = run->next;
        vm->n_idle--;
    } else {
        run = run_new(vm);
    }
    run->chain = chain;
    run->x = x;
    run->piece = NULL;
    run->hello = NULL;
    return run;
}

static void run_give(struct gate_hook_run *run)
{
    struct gate_vm *vm = run->task.vm;

    if (GATE_UNLIKELY(run->probe != 0))
        gate_run_probed(run, false);
    if (GATE_UNLIKELY(run->permits != NULL))
        gate_permits_end(&run->permits);
    if (GATE_UNLIKELY(run->again != NULL)) {
        gate_free(run->again);
        run->again = NULL;
    }
    if (GATE_LIKELY(run->task.co != NULL && vm->n_idle < IDLE_MAX)) {
        run->next = vm->idle;
        vm->idle = run;
        vm->n_idle++;
        return;
    }
    gate_task_drop(&run->task);
    gate_free(run);
}

/* Policies that the exchange did not enter before it was answered do not see the answer. Who makes
 * fault pages makes those of all. 1-based; n + 1: none is left. */
static uint32_t first_link(const struct gate_hook_chain *c, const struct gate_exchange *x)
{
    uint32_t bound = x->seen != 0 && c->hook == GATE_HOOK_RESPONSE ? x->seen : x->onion;
    uint32_t i = 0;

    if (bound == 0 || (c->hook != GATE_HOOK_RESPONSE && c->hook != GATE_HOOK_BODY))
        return 1;
    while (i < c->n && c->v[i].depth >= bound)
        i++;
    return i + 1;
}

/* The piece as the hooks before this call left it. */
static struct gate_str piece_bytes(struct gate_hook_run *run)
{
    struct gate_chain *out = &run->piece->out;

    if (!run->piece->changed)
        return run->piece->bytes;
    gate_free(run->again);
    run->again = gate_alloc(out->bytes + 1);
    gate_chain_read(out, run->again);
    return gate_str_of(run->again, out->bytes);
}

/* What the chain is called with: Lua reads it there. */
static void set_args(struct gate_hook_run *run, uint32_t start)
{
    struct gate_io *io = &run->task.vm->io;

    io->start = (int32_t)start;
    __atomic_store_n(&io->at, (int32_t)start, __ATOMIC_RELAXED);
    if (run->x != NULL) {
        io->id = (int32_t)run->x->handle.id;
        io->serial = (int32_t)run->x->handle.serial;
        io->handle = (uint64_t)run->x->handle.serial << 32 | run->x->handle.id;
        if (run->piece != NULL) {
            struct gate_str bytes = piece_bytes(run);

            io->p = bytes.n > 0 ? bytes.p : "";
            io->n = (uint32_t)bytes.n;
            io->truth = run->piece->last;
        }
        return;
    }
    io->handle = 0;
    if (run->hello != NULL) {
        io->p = run->hello->ip.p;
        io->n = (uint32_t)run->hello->ip.n;
        io->p2 = run->hello->wants.p;
        io->n2 = (uint32_t)run->hello->wants.n;
        return;
    }
    io->p = run->info.ip.p;
    io->n = (uint32_t)run->info.ip.n;
    io->p2 = run->info.peer_ip.p;
    io->n2 = (uint32_t)run->info.peer_ip.n;
    io->id = run->info.port;
}

static bool is_failure(enum gate_vm_result r)
{
    return r != GATE_VM_DONE && r != GATE_VM_YIELD;
}

void gate_task_count_failure(struct gate_vm *vm, enum gate_vm_result r)
{
    enum gate_counter which = r == GATE_VM_KILLED  ? GATE_C_HOOK_KILLS
                              : r == GATE_VM_NOMEM ? GATE_C_HOOK_NOMEM
                                                   : GATE_C_HOOK_ERRORS;

    gate_counters_add(&vm->worker->counters, which, 1);
    if (vm->seat != NULL && r == GATE_VM_ERROR)
        gate_canary_fault(vm->seat->tally);
    else if (vm->seat != NULL)
        gate_canary_kill(vm->seat->tally);
    if (r == GATE_VM_NOMEM)
        gate_fullness_hurry(vm);
}

static void count_failure(const struct gate_hook_run *run, enum gate_vm_result r)
{
    uint32_t at = (uint32_t)run->task.vm->io.at;

    gate_task_count_failure(run->task.vm, r);
    if (at >= 1 && at <= run->chain->n)
        gate_tally_add(r == GATE_VM_KILLED ? &run->chain->tallies[at - 1].kills
                                           : &run->chain->tallies[at - 1].errors);
}

/* Calls are counted by where runs begin, and where they end before the chain does: one addition for
 * most. */
static void count_end(const struct gate_hook_run *run)
{
    uint32_t at = (uint32_t)run->task.vm->io.at;

    if (at >= 1 && at < run->chain->n)
        gate_tally_add(&run->chain->tallies[at - 1].ended);
}

/* Whether the chain goes on behind a policy that failed. A log hook's failure is nobody else's
 * business. */
static bool goes_on(const struct gate_hook_run *run, uint32_t at)
{
    const struct gate_policy_config *p;

    if (run->chain->hook >= GATE_HOOK_COUNT || at == 0)
        return false;
    if (run->chain->hook == GATE_HOOK_LOG)
        return true;
    p = &run->task.vm->config->policies[run->chain->v[at - 1].policy];
    return p->open && !p->guards;
}

/* Calls the chain from an entry on, up to one that is in quarantine, or to the next one once the
 * watchdog finds that others have to have their turn (has_halted). */
static inline enum gate_vm_result call_from(struct gate_hook_run *run, uint32_t start)
{
    struct gate_vm *vm = run->task.vm;
    uint32_t stop = gate_run_bar(run, start);

    run->task.stop = (int32_t)stop;
    if (GATE_UNLIKELY(stop == start)) {
        vm->io.start = -(int32_t)start;
        return GATE_VM_DONE;
    }
    gate_task_begin(&run->task, run->chain->ref, run->chain->budgets);
    __atomic_store_n(&vm->io.stop, (int32_t)stop, __ATOMIC_RELAXED);
    set_args(run, start);
    return gate_task_resume(&run->task);
}

/* The chain has returned before entry -io.start. */
static bool has_halted(const struct gate_vm *vm, enum gate_vm_result r)
{
    return r == GATE_VM_DONE && vm->io.start < 0;
}

void gate_run_tire(struct gate_task *t)
{
    struct gate_exchange *x = gate_container_of(t, struct gate_hook_run, task)->x;

    if (x != NULL)
        x->tired_until = t->vm->worker->loop.turn + 1;
}

/* Reports a failure; where it was. */
static uint32_t note_failure(struct gate_hook_run *run, enum gate_vm_result r)
{
    uint32_t at = (uint32_t)run->task.vm->io.at;

    count_failure(run, r);
    if (r != GATE_VM_ERROR)
        gate_run_tire(&run->task);
    if (!run->task.reported)
        gate_task_report(&run->task, r);
    if (r == GATE_VM_KILLED)
        gate_run_killed(run, at);
    gate_task_drop(&run->task);
    gate_heap_disturbed(&run->task.vm->heap);
    return at;
}

/* The entry is as one that was stopped, but it has not been called. */
static uint32_t note_barred(struct gate_hook_run *run)
{
    struct gate_vm *vm = run->task.vm;
    int32_t at = run->task.stop;

    __atomic_store_n(&vm->io.at, at, __ATOMIC_RELAXED);
    gate_tally_add(&run->chain->tallies[at - 1].barred);
    if (vm->seat != NULL)
        gate_canary_kill(vm->seat->tally);
    return (uint32_t)at;
}

static enum gate_vm_result rest(struct gate_hook_run *run, uint32_t at)
{
    gate_loop_tire(&run->task.vm->worker->loop);
    gate_task_accuse(&run->task, false);
    gate_task_bound(&run->task);
    return gate_run_put_off(run, at, GATE_RUN_LONG);
}

/* After a failure: reports it, and calls the rest of the chain when the policy says so; also what
 * is left of a chain that ran for long. */
static enum gate_vm_result go_on(struct gate_hook_run *run, enum gate_vm_result r)
{
    for (;;) {
        bool barred = has_halted(run->task.vm, r);
        uint32_t at;

        if (!barred && !is_failure(r))
            return r;
        if (barred && run->task.vm->io.start != -run->task.stop)
            return rest(run, (uint32_t)-run->task.vm->io.start);
        at = barred ? note_barred(run) : note_failure(run, r);
        if (!goes_on(run, at))
            return barred ? GATE_VM_BARRED : r;
        if (at >= run->chain->n)
            return GATE_VM_DONE;
        if (r == GATE_VM_KILLED || r == GATE_VM_NOMEM)
            return rest(run, at + 1);
        r = call_from(run, at + 1);
    }
}

/* A reply or a failure in a request hook bounds the onion of later hooks, a reply in a response
 * hook those that are still to see it, as does a retry, which may turn out to be impossible. */
static void note_onion(struct gate_hook_run *run, struct gate_hook_verdict *v)
{
    uint32_t at = (uint32_t)run->task.vm->io.at;

    v->more = run->chain->hook == GATE_HOOK_RESPONSE && at > 0 && at < run->chain->n &&
              (v->kind == GATE_VERDICT_REPLY || v->kind == GATE_VERDICT_RETRY);
    if (v->more && v->kind == GATE_VERDICT_REPLY)
        run->x->onion = run->chain->v[at - 1].depth;
    else if (v->more)
        run->x->seen = run->chain->v[at - 1].depth;
    if ((run->chain->hook != GATE_HOOK_REQUEST && run->chain->hook != GATE_HOOK_REQUEST_BODY) ||
        at == 0)
        return;
    if (v->kind == GATE_VERDICT_REPLY || v->kind == GATE_VERDICT_FAULT)
        run->x->onion = run->chain->v[at - 1].depth + 1;
}

static GATE_COLD uint64_t refreshed_ns(struct gate_loop *loop)
{
    gate_loop_refresh(loop);
    return loop->now_ns;
}

/* The time of the loop; where somebody looks at how long hooks take, that of now. */
static uint64_t clock_ns(struct gate_vm *vm)
{
    struct gate_loop *loop = &vm->worker->loop;

    return GATE_UNLIKELY(vm->timed) ? refreshed_ns(loop) : loop->now_ns;
}

/* A chain that waits has no more time than the handshake that waits for it. */
static GATE_COLD void bound(struct gate_hook_run *run)
{
    struct gate_vm *vm = run->task.vm;
    uint64_t now = gate_loop_now(&vm->worker->loop);
    uint64_t left = run->hello->until_ms > now ? run->hello->until_ms - now : 1;

    if (!gate_list_empty(&run->rest.node))
        return; /* it is about to go on */
    if (left < vm->config->limits.task_time_ms)
        gate_loop_timer(&vm->worker->loop, &run->task.limit, left);
}

static void settle(struct gate_hook_run *run, enum gate_vm_result r, struct gate_hook_verdict *v)
{
    struct gate_vm *vm = run->task.vm;

    count_end(run);
    v->result = r;
    v->kind = r == GATE_VM_DONE ? (enum gate_verdict_kind)vm->io.verdict : GATE_VERDICT_FAULT;
    v->route = (uint32_t)vm->io.route;
    v->upstream = (uint32_t)vm->io.route;
    v->truth = vm->io.truth != 0;
    if (GATE_UNLIKELY(run->probe != 0))
        gate_run_probed(run, (uint32_t)vm->io.at >= run->probe);
    if (GATE_UNLIKELY(run->hello != NULL))
        run->hello->open = goes_on(run, (uint32_t)vm->io.at);
    if (run->x != NULL) {
        note_onion(run, v);
        run->x->times.script_ns += clock_ns(vm) - run->began_ns;
    }
}

/* One long hook of an exchange may be followed by others that are, too: those of its policy for
 * later steps, the next ones of the chain, those for the next piece of a body. Between any two of
 * them others have their turn. */
static bool is_tired(const struct gate_hook_run *run)
{
    return run->x != NULL && run->x->tired_until >= run->task.vm->worker->loop.turn;
}

/* Other exchanges may have such hooks, too: those that are expected to wait behind all that is
 * fresh, and of what is fresh one is called in a turn. */
static inline enum gate_vm_result begin(struct gate_hook_run *run, uint32_t start)
{
    if (GATE_UNLIKELY(is_tired(run)))
        return gate_run_put_off(run, start, GATE_RUN_LONG);
    if (GATE_UNLIKELY(gate_loop_is_tired(&run->task.vm->worker->loop)))
        return gate_run_put_off(run, start, GATE_RUN_FRESH);
    if (GATE_UNLIKELY(gate_task_is_suspect(&run->task, false)))
        return gate_run_put_off(run, start, GATE_RUN_SUSPECT);
    return call_from(run, start);
}

/* Runs the chain from `start`. DONE: *v is set and the run is given back. */
static enum gate_vm_result run_begin(struct gate_hook_run *run, uint32_t start,
                                     struct gate_hook_verdict *v)
{
    struct gate_vm *vm = run->task.vm;
    enum gate_vm_result r;

    vm->io.verdict = GATE_VERDICT_NEXT;
    run->began_ns = clock_ns(vm);
    gate_tally_add(&run->chain->tallies[start - 1].begun);
    r = begin(run, start);
    if (GATE_UNLIKELY(is_failure(r) || has_halted(vm, r)))
        r = go_on(run, r);
    if (r == GATE_VM_YIELD) {
        gate_list_push(&vm->runs, &run->node);
        if (GATE_UNLIKELY(run->hello != NULL))
            bound(run);
        return r;
    }
    settle(run, r, v);
    run_give(run);
    return GATE_VM_DONE;
}

/* A chain that waited has ended, or its task failed. */
static void on_step(struct gate_task *t, enum gate_vm_result r)
{
    struct gate_hook_run *run = gate_container_of(t, struct gate_hook_run, task);
    gate_hook_done *done = run->done;
    void *arg = run->arg;
    struct gate_hook_verdict v;

    GATE_CHECK_MAGIC(run, GATE_RUN_MAGIC);
    r = go_on(run, r);
    if (r == GATE_VM_YIELD) {
        if (run->hello != NULL)
            bound(run);
        return;
    }
    settle(run, r, &v);
    t->until_ms = 0;
    gate_list_remove(&run->node);
    *run->slot = NULL;
    run_give(run);
    done(arg, &v);
}

static void on_rest(struct gate_ready *rest)
{
    struct gate_hook_run *run = gate_container_of(rest, struct gate_hook_run, rest);
    enum gate_vm_result r;

    run->task.vm->io.verdict = run->task.verdict;
    if (run->place == GATE_RUN_FRESH && gate_task_is_suspect(&run->task, false)) {
        gate_run_put_off(run, run->rest_at, GATE_RUN_SUSPECT);
        return;
    }
    r = call_from(run, run->rest_at);
    if (run->place == GATE_RUN_SUSPECT && !gate_loop_is_tired(&run->task.vm->worker->loop))
        gate_task_acquit(&run->task, false);
    on_step(&run->task, r);
}

/* Runs from `start`; while it waits, its owner has it in *slot. */
static enum gate_vm_result run_for(struct gate_hook_run *run, uint32_t start, gate_hook_done *done,
                                   void *arg, struct gate_hook_run **slot,
                                   struct gate_hook_verdict *v)
{
    enum gate_vm_result r;

    run->done = done;
    run->arg = arg;
    run->slot = slot;
    r = run_begin(run, start, v);
    *slot = r == GATE_VM_YIELD ? run : NULL;
    return r;
}

static enum gate_vm_result call_chain(struct gate_exchange *x, struct gate_hook_chain *chain,
                                      gate_hook_done *done, struct gate_hook_verdict *v)
{
    uint32_t start = chain == NULL ? 1 : first_link(chain, x);

    if (chain == NULL || start > chain->n) {
        *v = (struct gate_hook_verdict){.kind = GATE_VERDICT_NEXT};
        return GATE_VM_DONE;
    }
    x->scripted = true;
    return run_for(run_take(x->seat->vm, chain, x), start, done, x, &x->hook, v);
}

enum gate_vm_result gate_hook_call(struct gate_exchange *x, enum gate_hook hook,
                                   enum gate_hook_scope scope, gate_hook_done *done,
                                   struct gate_hook_verdict *v)
{
    return call_chain(x, gate_chain_of(x->seat->vm, x, (int)hook, scope), done, v);
}

enum gate_vm_result gate_hook_when(struct gate_exchange *x, gate_hook_done *done,
                                   struct gate_hook_verdict *v)
{
    return call_chain(x, gate_chain_of(x->seat->vm, x, GATE_CHAIN_WHEN, GATE_SCOPE_ROUTE), done, v);
}

enum gate_vm_result gate_hook_handler(struct gate_exchange *x, gate_hook_done *done,
                                      struct gate_hook_verdict *v)
{
    return call_chain(x, gate_chain_of(x->seat->vm, x, GATE_CHAIN_HANDLER, GATE_SCOPE_ROUTE), done,
                      v);
}

enum gate_vm_result gate_hook_balancer(struct gate_exchange *x, gate_hook_done *done,
                                       struct gate_hook_verdict *v)
{
    /* Only code has functions: its upstreams keep their numbers. */
    uint32_t number = gate_generation_number(x->seat->generation, x->upstream);

    return call_chain(x, x->seat->vm->balancers[number], done, v);
}

enum gate_vm_result gate_hook_piece(struct gate_exchange *x, enum gate_hook hook,
                                    struct gate_hook_piece *piece, gate_hook_done *done, void *arg,
                                    struct gate_hook_run **run, struct gate_hook_verdict *v)
{
    struct gate_hook_chain *chain = gate_chain_of(x->seat->vm, x, (int)hook, GATE_SCOPE_ALL);
    uint32_t start = chain == NULL ? 1 : first_link(chain, x);
    struct gate_hook_run *r;

    piece->changed = false;
    if (chain == NULL || start > chain->n) {
        *v = (struct gate_hook_verdict){.kind = GATE_VERDICT_NEXT};
        return GATE_VM_DONE;
    }
    x->scripted = true;
    r = run_take(x->seat->vm, chain, x);
    r->piece = piece;
    return run_for(r, start, done, arg, run, v);
}

enum gate_vm_result gate_hook_connect(struct gate_vm *vm, const struct gate_connect_info *info,
                                      gate_hook_done *done, void *arg, struct gate_hook_run **run,
                                      struct gate_hook_verdict *v)
{
    struct gate_hook_chain *chain = vm->global[GATE_HOOK_CONNECT];
    struct gate_hook_run *r;

    *run = NULL;
    if (chain == NULL) {
        *v = (struct gate_hook_verdict){.kind = GATE_VERDICT_NEXT};
        return GATE_VM_DONE;
    }
    r = run_take(vm, chain, NULL);
    r->info = *info;
    return run_for(r, 1, done, arg, run, v);
}

enum gate_vm_result gate_hook_certificate(struct gate_vm *vm, struct gate_hook_hello *hello,
                                          gate_hook_done *done, void *arg,
                                          struct gate_hook_run **run, struct gate_hook_verdict *v)
{
    struct gate_hook_chain *chain = vm->global[GATE_HOOK_CERTIFICATE];
    struct gate_hook_run *r;

    *run = NULL;
    if (chain == NULL) {
        *v = (struct gate_hook_verdict){.kind = GATE_VERDICT_NEXT};
        return GATE_VM_DONE;
    }
    r = run_take(vm, chain, NULL);
    r->hello = hello;
    return run_for(r, 1, done, arg, run, v);
}

void gate_hook_cancel(struct gate_hook_run **run)
{
    struct gate_hook_run *r = *run;

    *run = NULL;
    if (r == NULL)
        return;
    GATE_CHECK_MAGIC(r, GATE_RUN_MAGIC);
    gate_ready_cancel(&r->rest);
    gate_task_cancel(&r->task);
    r->task.until_ms = 0;
    gate_list_remove(&r->node);
    run_give(r);
}

void gate_vm_end_runs(struct gate_vm *vm)
{
    gate_jobs_end(vm);
    while (!gate_list_empty(&vm->runs)) {
        struct gate_hook_run *run = gate_container_of(vm->runs.next, struct gate_hook_run, node);

        *run->slot = NULL;
        gate_hook_cancel(&run);
    }
    while (vm->idle != NULL) {
        struct gate_hook_run *run = vm->idle;

        vm->idle = run->next;
        gate_task_drop(&run->task);
        gate_free(run);
    }
    vm->n_idle = 0;
}

void gate_hook_forget(struct gate_exchange *x)
{
    struct gate_vm *vm = x->seat->vm;

    if (!x->scripted || vm == NULL)
        return;
    if (GATE_UNLIKELY(x->permits != NULL))
        gate_permits_end(&x->permits);
    x->scripted = false;
    vm->io.handle = 0;
    lua_pushboolean(vm->L, 0);
    lua_rawseti(vm->L, GATE_VM_CTX, (int)x->handle.id + 1);
}

void gate_hook_set_services(struct gate_vm *vm, const struct gate_hook_services *s)
{
    vm->services = *s;
}

uint64_t gate_hook_script_ns(const struct gate_vm *vm, const struct gate_exchange *x)
{
    const struct gate_hook_run *run = x->hook;
    uint64_t total = x->times.script_ns;

    if (vm->task != NULL && vm->task->kind == GATE_TASK_HOOK)
        run = gate_container_of(vm->task, struct gate_hook_run, task);
    if (run != NULL && run->x == x)
        total += vm->worker->loop.now_ns - run->began_ns;
    return total;
}
