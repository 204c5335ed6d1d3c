#include "script/watchdog.h"

#include <errno.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "script/heap_int.h"
#include "script/interrupt.h"
#include "script/stack_int.h"
#include "script/watch_int.h"

/* While scripts run. */
#define POLL_NS (4 * GATE_MS)
/* What hooks of one lua_resume may use together until the next one waits for others. */
#define PAUSE_NS (4 * GATE_MS)
/* Polls without any script until the dog sleeps for good (and must be woken). */
#define POLLS_UNTIL_SLEEP 25
/* A call that goes on so many budgets after it was to be stopped hangs; but not before the second,
 * for a call on many MiB may take a tenth of it, and budgets may be small. */
#define STUCK_FACTOR 20
#define STUCK_LEAST  (1 * GATE_SEC)

struct gate_watchdog {
    pthread_mutex_t lock; /* of all below but `dozing` */
    pthread_cond_t wake;
    struct gate_list watches;
    pthread_t thread;
    bool closing;
    int signal; /* never changes */
    _Atomic bool dozing;
    uint32_t quiet; /* polls that saw no script */
    void (*on_stuck)(void *arg, struct gate_watch *w);
    void *arg;
};

static const char sentinel;

const void *gate_watch_sentinel(void)
{
    return &sentinel;
}

/* Not inlined: the calls that need no clock would pay for its stack frame. */
__attribute__((noinline)) uint64_t gate_watch_cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * GATE_SEC + (uint64_t)t.tv_nsec;
}

uint64_t gate_watch_seen_since(const struct gate_watch *w)
{
    uint32_t seq = atomic_load_explicit(&w->seq, memory_order_relaxed) - 1;
    uint64_t at = atomic_load_explicit(&w->seen_cpu_word, memory_order_relaxed);

    if (atomic_load_explicit(&w->seen_word, memory_order_acquire) != gate_watch_call(w, seq))
        return 0;
    return gate_watch_cpu_now() - at;
}

void gate_watch_note_stack(struct gate_watch *w, lua_State *L)
{
    struct gate_out o = gate_out_on(w->stopped_at, sizeof(w->stopped_at) - 1);

    gate_stack_trace(L, &o);
    w->stopped_at[o.n] = '\0';
    atomic_store_explicit(&w->noted, true, memory_order_relaxed);
}

GATE_COLD void gate_watch_forget(struct gate_watch *w)
{
    atomic_store_explicit(&w->noted, false, memory_order_relaxed);
    w->stopped = false;
    w->stopped_at[0] = '\0';
}

GATE_COLD void gate_watch_set_used(struct gate_watch *w, uint64_t used)
{
    const int32_t *at = atomic_load_explicit(&w->at, memory_order_relaxed);

    atomic_store_explicit(&w->first_at, (uint32_t)*at, memory_order_relaxed);
    atomic_store_explicit(&w->used, used, memory_order_relaxed);
}

/* Runs as a count hook after each instruction of a script that has to end; armed until lua_resume
 * is back in C. */
GATE_LUA_THROWS static void on_stop(lua_State *L, lua_Debug *ar)
{
    void *ud;
    struct gate_watch *w;

    (void)ar;
    lua_getallocf(L, &ud);
    w = ((struct gate_heap *)ud)->watch;
    if (!w->stopped)
        gate_watch_note_stack(w, L);
    w->stopped = true;
    lua_pushlightuserdata(L, (void *)&sentinel);
    lua_error(L);
}

static void arm(struct gate_watch *w)
{
    lua_State *L = atomic_load_explicit(&w->L, memory_order_relaxed);

    /* Off and on again: a first try may have hit LuaJIT amid a change of its dispatch table. */
    lua_sethook(L, NULL, 0, 0);
    lua_sethook(L, on_stop, LUA_MASKCOUNT, 1);
}

/* On the watched thread. The call may have ended since the watchdog looked. */
GATE_LUA_THROWS static void on_signal(int sig, siginfo_t *info, void *context)
{
    struct gate_watch *w = info->si_value.sival_ptr;
    int kept = errno;
    uint32_t seq;

    (void)sig;
    (void)context;
    if (info->si_code != SI_QUEUE || info->si_pid != getpid())
        return;
    seq = atomic_load_explicit(&w->seq, memory_order_relaxed);
    if ((seq & 1) != 0 &&
        gate_watch_call(w, seq) == atomic_load_explicit(&w->target, memory_order_relaxed))
        arm(w);
    errno = kept;
}

static uint64_t cpu_of(const struct gate_watch *w)
{
    struct timespec t;

    if (clock_gettime(w->cpu, &t) != 0)
        return w->seen_cpu;
    return (uint64_t)t.tv_sec * GATE_SEC + (uint64_t)t.tv_nsec;
}

static void stop(struct gate_watch *w, uint64_t call)
{
    atomic_store_explicit(&w->target, call, memory_order_relaxed);
#ifdef GATE_TSAN
    /* TSan holds signals back while compiled code runs. */
    if (atomic_load_explicit(&w->seq, memory_order_acquire) == call >> 32)
        arm(w);
#else
    pthread_sigqueue(w->thread, w->dog->signal, (union sigval){.sival_ptr = w});
#endif
}

static void see(struct gate_watch *w, uint64_t call)
{
    w->seen_cpu = cpu_of(w);
    if (call >> 32 != w->seen >> 32)
        w->entered_cpu = w->seen_cpu;
    w->seen = call;
    w->told = false;
    atomic_store_explicit(&w->seen_cpu_word, w->seen_cpu, memory_order_relaxed);
    atomic_store_explicit(&w->seen_word, call, memory_order_release);
    atomic_store_explicit(&w->noted, true, memory_order_relaxed);
}

/* The budget of a call. The words may be of two calls, when the next one begins right now: then the
 * bound keeps the look-up inside the array, and the signal handler finds out. */
static uint64_t budget_of(const struct gate_watch *w, uint32_t at)
{
    const uint64_t *budgets = atomic_load_explicit(&w->budgets, memory_order_acquire);

    if (at < 1 || at > gate_budgets_n(budgets))
        return POLL_NS;
    return __atomic_load_n(&budgets[at], __ATOMIC_RELAXED);
}

/* Sampling: what the thread has used since the last look is put down to the hook that runs now.
 * Right on average, and free of charge for who is watched. */
static void sample(struct gate_watch *w, uint32_t at, uint64_t cpu)
{
    uint64_t *budgets = (uint64_t *)atomic_load_explicit(&w->budgets, memory_order_acquire);
    uint64_t used = cpu - w->looked_cpu;
    uint32_t n = gate_budgets_n(budgets);

    /* After a doze the last look was long ago. */
    if (used > 2 * POLL_NS)
        used = 2 * POLL_NS;
    if ((budgets[0] & GATE_BUDGETS_SAMPLED) != 0 && at >= 1 && at <= n)
        __atomic_fetch_add(&budgets[n + at], used, __ATOMIC_RELAXED);
}

static uint64_t used_before(const struct gate_watch *w, uint32_t at)
{
    if (at != atomic_load_explicit(&w->first_at, memory_order_relaxed))
        return 0;
    return atomic_load_explicit(&w->used, memory_order_relaxed);
}

/* May come too late, and then pause another call: it costs that one a turn. */
static uint64_t pause_after(struct gate_watch *w, uint64_t used)
{
    int32_t *stop = atomic_load_explicit(&w->stop, memory_order_relaxed);

    if (used < PAUSE_NS)
        return PAUSE_NS - used + GATE_MS / 20;
    if (stop != NULL)
        __atomic_store_n(stop, 0, __ATOMIC_RELAXED);
    return POLL_NS;
}

/* Whether a call that is told to stop goes on for long. What it used before it was told so first
 * does not count: on a busy machine the watchdog comes late. */
static bool hangs(struct gate_watch *w, uint64_t call, uint64_t cpu, uint64_t budget)
{
    if (w->stopping != call) {
        w->stopping = call;
        w->stopping_cpu = cpu;
    }
    cpu -= w->stopping_cpu;
    return cpu > budget * STUCK_FACTOR && cpu > STUCK_LEAST;
}

/* Looks at one thread; answers in how many ns it has to be looked at again. */
static uint64_t look_locked(struct gate_watchdog *dog, struct gate_watch *w)
{
    uint32_t seq = atomic_load_explicit(&w->seq, memory_order_acquire);
    uint64_t call = gate_watch_call(w, seq);
    uint64_t cpu = cpu_of(w);
    uint64_t budget, used, next;

    if (call >> 32 != w->seen >> 32)
        dog->quiet = 0;
    if (call != w->seen)
        see(w, call);
    if ((seq & 1) != 0)
        sample(w, (uint32_t)call, cpu);
    w->looked_cpu = cpu;
    if ((seq & 1) == 0)
        return POLL_NS;
    dog->quiet = 0;
    next = pause_after(w, cpu - w->entered_cpu);
    budget = budget_of(w, (uint32_t)call);
    used = cpu_of(w) - w->seen_cpu + used_before(w, (uint32_t)call);
    if (used < budget)
        return budget - used < next ? budget - used + GATE_MS / 20 : next;
    stop(w, call);
    if (hangs(w, call, cpu, budget) && !w->told && dog->on_stuck != NULL) {
        w->told = true;
        dog->on_stuck(dog->arg, w);
    }
    return POLL_NS / 2;
}

static uint64_t look_at_all_locked(struct gate_watchdog *dog)
{
    uint64_t next = POLL_NS;

    for (struct gate_list *n = dog->watches.next; n != &dog->watches; n = n->next) {
        uint64_t again = look_locked(dog, gate_container_of(n, struct gate_watch, node));

        if (again < next)
            next = again;
    }
    return next;
}

static void wait_ns_locked(struct gate_watchdog *dog, uint64_t ns)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    ns += (uint64_t)t.tv_nsec;
    t.tv_sec += (time_t)(ns / GATE_SEC);
    t.tv_nsec = (long)(ns % GATE_SEC);
    pthread_cond_timedwait(&dog->wake, &dog->lock, &t);
}

/* Nobody ran a script for a while: says so, looks once more after a pause (by then every store of a
 * thread that did not see the flag is visible), and only then sleeps until it is woken. */
static void doze_locked(struct gate_watchdog *dog)
{
    atomic_store(&dog->dozing, true);
    wait_ns_locked(dog, POLL_NS);
    look_at_all_locked(dog);
    while (dog->quiet > 0 && !dog->closing && atomic_load(&dog->dozing))
        pthread_cond_wait(&dog->wake, &dog->lock);
    atomic_store(&dog->dozing, false);
    dog->quiet = 0;
}

static void *watchdog_run(void *arg)
{
    struct gate_watchdog *dog = arg;

    pthread_mutex_lock(&dog->lock);
    while (!dog->closing) {
        uint64_t next;

        dog->quiet++;
        next = look_at_all_locked(dog);
        if (dog->quiet > POLLS_UNTIL_SLEEP)
            doze_locked(dog);
        else
            wait_ns_locked(dog, next);
    }
    pthread_mutex_unlock(&dog->lock);
    return NULL;
}

void gate_watch_wake_dog(struct gate_watch *w)
{
    struct gate_watchdog *dog = w->dog;

    pthread_mutex_lock(&dog->lock);
    atomic_store(&dog->dozing, false);
    pthread_cond_signal(&dog->wake);
    pthread_mutex_unlock(&dog->lock);
}

enum gate_err gate_watchdog_open(struct gate_watchdog **out, int signal,
                                 void (*on_stuck)(void *arg, struct gate_watch *w), void *arg)
{
    enum gate_err err = gate_interrupt_take(signal, on_signal);
    struct gate_watchdog *dog;
    pthread_condattr_t attr;

    if (err != GATE_OK)
        return err;
    dog = gate_calloc(1, sizeof(*dog));
    dog->signal = signal;
    gate_list_init(&dog->watches);
    dog->on_stuck = on_stuck;
    dog->arg = arg;
    pthread_mutex_init(&dog->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&dog->wake, &attr);
    pthread_condattr_destroy(&attr);
    errno = gate_thread_start(&dog->thread, "gate-watchdog", watchdog_run, dog);
    if (errno != 0) {
        gate_interrupt_give(signal);
        gate_free(dog);
        return GATE_E_SYS;
    }
    *out = dog;
    return GATE_OK;
}

void gate_watchdog_close(struct gate_watchdog **dog)
{
    struct gate_watchdog *d = *dog;

    *dog = NULL;
    if (d == NULL)
        return;
    GATE_ASSERT(gate_list_empty(&d->watches));
    pthread_mutex_lock(&d->lock);
    d->closing = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    gate_interrupt_give(d->signal);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    gate_free(d);
}

/* Until the owner says where its number is. */
static const int32_t nowhere;

struct gate_watch *gate_watch_join(struct gate_watchdog *dog, void *user)
{
    struct gate_watch *w = gate_calloc(1, sizeof(*w));
    sigset_t set;

    w->dog = dog;
    w->dozing = &dog->dozing;
    w->user = user;
    atomic_init(&w->at, &nowhere);
    w->thread = pthread_self();
    pthread_getcpuclockid(w->thread, &w->cpu);
    gate_list_init(&w->node);
    sigemptyset(&set);
    sigaddset(&set, dog->signal);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    pthread_mutex_lock(&dog->lock);
    gate_list_push(&dog->watches, &w->node);
    pthread_mutex_unlock(&dog->lock);
    return w;
}

void gate_watch_leave(struct gate_watch **w)
{
    struct gate_watch *x = *w;
    struct gate_watchdog *dog;
    struct timespec now = {0, 0};
    sigset_t set, old;

    *w = NULL;
    if (x == NULL)
        return;
    dog = x->dog;
    pthread_mutex_lock(&dog->lock);
    gate_list_remove(&x->node);
    pthread_mutex_unlock(&dog->lock);
    /* A signal may still be on its way with a pointer to x: take it before x is freed. */
    sigemptyset(&set);
    sigaddset(&set, dog->signal);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    while (sigtimedwait(&set, NULL, &now) > 0)
        continue;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    gate_free(x);
}

void *gate_watch_user(const struct gate_watch *w)
{
    return w->user;
}
