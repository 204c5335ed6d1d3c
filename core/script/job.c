#include "script/job_int.h"

#include "base/assert.h"
#include "base/mem.h"
#include "script/run_int.h"
#include "script/semaphore_int.h"

#define JOB_MAGIC 0x626f6a67u

/* The members of one gate.all and the task that waits for them. Ends with the last member, or
 * with the wait. */
struct gate_job_group {
    struct gate_task *parent;
    struct gate_list members; /* struct gate_job, by sibling */
};

struct gate_vm_timer {
    struct gate_timer timer;
    struct gate_vm *vm;
    uint64_t period_ms;
    int32_t number;
    char *at;              /* "gateway.lua:3"; owned */
    struct gate_job_kind *kind; /* of its ticks; NULL: none yet */
    struct gate_job *job;  /* the tick that runs; NULL: none */
};

static void on_start(struct gate_ready *r);
static void on_step(struct gate_task *t, enum gate_vm_result r);

/* While there are jobs the VM holds the seat that it serves. */
static void count_jobs(struct gate_vm *vm, int change)
{
    uint32_t before = vm->n_jobs;

    vm->n_jobs += (uint32_t)change;
    vm->worker->jobs += (uint32_t)change;
    if (vm->seat == NULL)
        return;
    if (before == 0)
        gate_seat_ref(vm->seat);
    if (vm->n_jobs == 0)
        gate_seat_unref(&(struct gate_generation_seat *){vm->seat});
}

static struct gate_job *job_new(struct gate_vm *vm, int32_t number,
                                void (*start)(struct gate_loop *loop, struct gate_ready *r))
{
    struct gate_job *job = gate_calloc(1, sizeof(*job));

    GATE_MAGIC(job, JOB_MAGIC);
    gate_list_push(&vm->jobs, &job->node);
    count_jobs(vm, 1);
    gate_list_init(&job->sibling);
    gate_ready_init(&job->start, on_start);
    gate_task_init(&job->task, vm, GATE_TASK_JOB);
    job->task.step = on_step;
    job->number = number;
    start(&vm->worker->loop, &job->start);
    return job;
}

static struct gate_job *job_of_kind(struct gate_vm *vm, int32_t number,
                                    struct gate_job_kind *kind, bool probe)
{
    struct gate_job *job = job_new(vm, number, gate_loop_later);

    job->kind = kind;
    job->probe = probe;
    job->origin = (struct gate_task_origin){
        .policy = kind->policy, .hook = kind->hook, .key = kind->key, .spawned = &kind->spawned};
    return job;
}

/* A job that ends before it has begun: Lua keeps its function no longer. */
static void forget_function(struct gate_job *job)
{
    lua_State *L = job->task.vm->L;

    lua_rawgeti(L, GATE_VM_STARTING, job->number);
    if (!lua_isnil(L, -1)) {
        lua_pushnil(L);
        lua_rawseti(L, GATE_VM_STARTING, job->number);
    }
    lua_pop(L, 1);
}

/* The coroutine is dropped, whatever state it is in. */
static void job_free(struct gate_job **ptr)
{
    struct gate_job *job = *ptr;
    struct gate_vm *vm = job->task.vm;

    *ptr = NULL;
    GATE_CHECK_MAGIC(job, JOB_MAGIC);
    gate_list_remove(&job->node);
    gate_list_remove(&job->sibling);
    gate_ready_cancel(&job->start);
    if (GATE_UNLIKELY(job->probe))
        gate_job_probed(job, false);
    forget_function(job);
    gate_task_cancel(&job->task);
    gate_permits_end(&job->permits);
    if (job->timer != NULL)
        job->timer->job = NULL;
    gate_free(job);
    count_jobs(vm, -1);
}

struct gate_task *gate_job_caller(struct gate_task *t)
{
    while (t->kind == GATE_TASK_JOB) {
        const struct gate_job *job = gate_container_of(t, struct gate_job, task);

        if (job->group == NULL)
            break;
        t = job->group->parent;
    }
    return t;
}

void gate_job_origin(const struct gate_task *t, struct gate_task_origin *to)
{
    const struct gate_job *job = gate_container_of(t, struct gate_job, task);

    GATE_CHECK_MAGIC(job, JOB_MAGIC);
    *to = job->origin;
}

/* ------------------------------------------------------------------ groups */

static void end_members(struct gate_job_group *g)
{
    while (!gate_list_empty(&g->members)) {
        struct gate_job *job = gate_container_of(g->members.next, struct gate_job, sibling);

        job->group = NULL;
        job_free(&job);
    }
}

/* The parent waits no more: its time is over, or its client has gone. */
static void on_group_cancel(struct gate_wait *w)
{
    struct gate_job_group *g = w->user;

    end_members(g);
    gate_free(g);
}

/* One member has ended. The parent goes on when it was the last one, or when it failed: then the
 * others are ended, and the parent gets what it raised. */
static void leave_group(struct gate_job *job, enum gate_vm_result r)
{
    struct gate_job_group *g = job->group;
    struct gate_task *parent = g->parent;
    struct gate_task *owner = gate_task_owner(parent);
    enum gate_err result = GATE_OK;

    job->group = NULL;
    if (r == GATE_VM_KILLED) {
        if (!owner->reported)
            gate_task_report(&job->task, r);
        owner->used_ns = UINT64_MAX; /* the whole call is stopped */
        owner->reported = true;
    } else if (r != GATE_VM_DONE) {
        parent->raised = gate_task_take_error(&job->task, r);
        result = GATE_E_SCRIPT;
    }
    job_free(&job);
    if (r != GATE_VM_DONE)
        end_members(g);
    if (!gate_list_empty(&g->members))
        return;
    gate_wait_wake(&parent->wait, result);
    gate_free(g);
}

/* ------------------------------------------------------------------ running */

static void note_failure(struct gate_job *job, enum gate_vm_result r)
{
    gate_tally_add(r == GATE_VM_KILLED ? &job->kind->tally.kills : &job->kind->tally.errors);
    gate_task_count_failure(job->task.vm, r);
    gate_task_report(&job->task, r);
    if (r == GATE_VM_KILLED)
        gate_job_killed(job);
}

static void finish(struct gate_job *job, enum gate_vm_result r)
{
    struct gate_vm *vm = job->task.vm;

    if (job->group != NULL) {
        leave_group(job, r);
    } else {
        if (r == GATE_VM_BARRED)
            gate_job_count_barred(vm, job->kind);
        else if (r != GATE_VM_DONE)
            note_failure(job, r);
        if (GATE_UNLIKELY(job->probe))
            gate_job_probed(job, true);
        job_free(&job);
    }
    if (r != GATE_VM_DONE)
        gate_heap_disturbed(&vm->heap);
}

static void on_step(struct gate_task *t, enum gate_vm_result r)
{
    finish(gate_container_of(t, struct gate_job, task), r);
}

/* Why a job that is to begin may not, or DONE: quarantine, or the call that it works for has been
 * stopped, and not all that waits for it has heard so yet. */
static enum gate_vm_result late(const struct gate_job *job)
{
    if (job->group == NULL)
        return gate_job_is_barred(job) ? GATE_VM_BARRED : GATE_VM_DONE;
    return gate_task_owner(job->group->parent)->reported ? GATE_VM_KILLED : GATE_VM_DONE;
}

/* Members of a gate.all that is expected to take long let others go first; all other jobs do so in
 * any case. */
static bool put_off(struct gate_job *job)
{
    struct gate_task *t = &job->task;

    t->suspect = !t->suspect && job->group != NULL && gate_task_is_suspect(t, false);
    if (t->suspect)
        gate_loop_behind(&t->vm->worker->loop, &job->start);
    return t->suspect;
}

static void on_start(struct gate_ready *r)
{
    struct gate_job *job = gate_container_of(r, struct gate_job, start);
    struct gate_vm *vm = job->task.vm;
    struct gate_task *owner;
    enum gate_vm_result result = late(job);

    GATE_CHECK_MAGIC(job, JOB_MAGIC);
    if (result == GATE_VM_DONE && put_off(job))
        return;
    if (GATE_UNLIKELY(result != GATE_VM_DONE)) {
        finish(job, result);
        return;
    }
    gate_task_begin(&job->task, vm->ref_job, job->kind == NULL ? NULL : job->kind->budgets);
    if (job->group == NULL)
        gate_tally_add(&job->kind->tally.begun);
    owner = gate_task_owner(&job->task);
    vm->io.start = job->number;
    __atomic_store_n(&vm->io.at, owner == &job->task ? 1 : owner->at, __ATOMIC_RELAXED);
    result = gate_task_resume(&job->task);
    if (result != GATE_VM_YIELD)
        finish(job, result);
}

enum gate_err gate_job_spawn(struct gate_vm *vm, int32_t number)
{
    enum gate_quarantine_answer answer;
    struct gate_job_kind *kind;
    struct gate_task_origin o;

    if (vm->n_jobs >= GATE_JOBS_MAX)
        return GATE_E_LIMIT;
    gate_task_origin(vm->task, &o);
    kind = gate_job_kind_of(vm, o.spawned, o.policy, "spawn", gate_job_key_spawned(o.key));
    kind->spawned = kind;
    answer = gate_job_ask(vm, kind);
    if (answer == GATE_QUARANTINE_BARRED)
        return GATE_E_KILLED;
    job_of_kind(vm, number, kind, answer == GATE_QUARANTINE_PROBE);
    return GATE_OK;
}

enum gate_err gate_job_all(struct gate_vm *vm, int32_t first, int32_t n)
{
    struct gate_job_group *g;
    struct gate_task_origin o;

    if (vm->n_jobs + (uint32_t)n > GATE_JOBS_MAX)
        return GATE_E_LIMIT;
    gate_task_origin(vm->task, &o);
    o.x = NULL;
    g = gate_calloc(1, sizeof(*g));
    g->parent = vm->task;
    gate_list_init(&g->members);
    for (int32_t i = 0; i < n; i++) {
        struct gate_job *job = job_new(vm, first + i, gate_loop_ready);

        job->origin = o;
        job->group = g;
        job->task.owner = gate_task_owner(g->parent);
        gate_list_push(&g->members, &job->sibling);
    }
    gate_wait_cancel(&vm->task->wait);
    vm->task->wait.user = g;
    gate_wait_arm(&vm->task->wait, 0, on_group_cancel);
    return GATE_OK;
}

/* ------------------------------------------------------------------ timers */

/* Never twice at once: a tick that finds the one before it at work is left out. So is one while
 * such ticks are in quarantine. */
static void on_tick(struct gate_timer *timer)
{
    struct gate_vm_timer *t = gate_container_of(timer, struct gate_vm_timer, timer);
    struct gate_quarantine_key key = {GATE_KEY_EVERY, (uint32_t)(-1 - t->number)};
    enum gate_quarantine_answer answer;
    struct gate_job_kind *kind;

    gate_loop_timer(&t->vm->worker->loop, &t->timer, t->period_ms);
    if (t->job != NULL || t->vm->n_jobs >= GATE_JOBS_MAX)
        return;
    kind = gate_job_kind_of(t->vm, &t->kind, t->at, "every", key);
    answer = gate_job_ask(t->vm, kind);
    if (answer == GATE_QUARANTINE_BARRED)
        return;
    t->job = job_of_kind(t->vm, t->number, kind, answer == GATE_QUARANTINE_PROBE);
    t->job->timer = t;
}

static void start_timers(struct gate_vm *vm)
{
    const struct gate_config *config = vm->config;

    vm->timers = gate_calloc(config->n_timers + 1, sizeof(*vm->timers));
    for (uint32_t i = 0; i < config->n_timers; i++) {
        const struct gate_timer_config *c = &config->timers[i];
        struct gate_vm_timer *t = &vm->timers[i];

        gate_timer_init(&t->timer, on_tick);
        t->vm = vm;
        t->period_ms = c->period_ms;
        t->number = -1 - (int32_t)i;
        t->at = gate_strndup(c->at.p, c->at.n);
        if (c->on_all || vm->worker->index == 0)
            gate_loop_timer(&vm->worker->loop, &t->timer, t->period_ms);
    }
    vm->n_timers = config->n_timers;
}

void gate_jobs_serve(struct gate_vm *vm, struct gate_generation_seat *seat)
{
    struct gate_generation_seat *old = vm->seat;

    vm->seat = seat;
    if (vm->n_jobs > 0 && old != NULL) {
        gate_seat_ref(seat);
        gate_seat_unref(&old);
    }
}

void gate_jobs_start_timers(struct gate_vm *vm)
{
    if (vm->timers == NULL)
        start_timers(vm);
}

void gate_jobs_stop_timers(struct gate_vm *vm)
{
    for (uint32_t i = 0; i < vm->n_timers; i++)
        gate_loop_untimer(&vm->worker->loop, &vm->timers[i].timer);
}

void gate_jobs_end(struct gate_vm *vm)
{
    gate_jobs_stop_timers(vm);
    while (!gate_list_empty(&vm->jobs)) {
        struct gate_job *job = gate_container_of(vm->jobs.next, struct gate_job, node);

        GATE_ASSERT(job->group == NULL || job->group->parent->wait.state != GATE_WAIT_IDLE);
        if (job->group != NULL)
            gate_wait_cancel(&job->group->parent->wait); /* ends the members */
        else
            job_free(&job);
    }
    for (uint32_t i = 0; i < vm->n_timers; i++)
        gate_free(vm->timers[i].at);
    gate_free(vm->timers);
    vm->timers = NULL;
    vm->n_timers = 0;
}
