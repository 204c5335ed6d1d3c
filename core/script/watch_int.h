/* Watch: the words by which a thread tells the watchdog that it is inside a script. Two stores on
 * the way in and out; written by its thread, read by the watchdog. */
#ifndef GATE_SCRIPT_WATCH_INT_H
#define GATE_SCRIPT_WATCH_INT_H

#include <lua.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/list.h"
#include "script/watchdog.h"

/* A C function that raises must not be instrumented by TSan: its shadow stack would leak
 * (DEPENDENCIES: TSan). */
#if defined(__clang__)
#define GATE_LUA_THROWS __attribute__((disable_sanitizer_instrumentation))
#elif defined(__SANITIZE_THREAD__)
#define GATE_LUA_THROWS __attribute__((no_sanitize_thread))
#else
#define GATE_LUA_THROWS
#endif

#define GATE_STOPPED_AT 512

struct gate_watch {
    _Atomic uint32_t seq;    /* odd: inside lua_resume */
    _Atomic uint64_t target; /* the call that has to end */
    _Atomic(lua_State *) L;
    /* Inside one lua_resume several hooks may run in turn. `at` says which, from 1; budgets[*at] is
     * its budget in ns of CPU time (budgets[0]: how many there are, gate_budgets_n), of which the
     * one with number first_at has used `used` before (0: first_at means nothing). */
    _Atomic(const int32_t *) at;
    _Atomic(const uint64_t *) budgets;
    /* Where 0 is stored when the lua_resume takes long: its next hook is for another one. NULL:
     * nowhere. */
    _Atomic(int32_t *) stop;
    _Atomic uint32_t first_at;
    _Atomic uint64_t used;
    /* Since the last lua_resume began, or before: the watchdog saw one at work, or something was
     * kept below. What is rare hides behind this one word. */
    _Atomic bool noted;
    /* The script's stack when a hook raised an error in it, from the innermost frame; a text. Of
     * the stop: the first. */
    bool stopped;
    char stopped_at[GATE_STOPPED_AT];
    _Atomic bool *dozing; /* the dog's: it sleeps until somebody wakes it */
    struct gate_watchdog *dog;
    void *user;
    /* The watchdog's own, under its lock. */
    struct gate_list node;
    pthread_t thread;
    clockid_t cpu;
    uint64_t seen;              /* the call that was seen last */
    uint64_t seen_cpu;          /* the thread's CPU time when it was seen first */
    uint64_t entered_cpu;       /* the same for the lua_resume that it is in */
    _Atomic uint64_t seen_word; /* both, for the watched thread */
    _Atomic uint64_t seen_cpu_word;
    uint64_t stopping;     /* the call that was told to stop last */
    uint64_t stopping_cpu; /* the thread's CPU time when it was told so first */
    bool told;             /* on_stuck was called for this call */
    uint64_t looked_cpu;   /* the thread's CPU time at the last look */
};

/* A flag in budgets[0]: behind the budgets stand as many numbers into which the watchdog adds the
 * CPU time that it saw, in ns. */
#define GATE_BUDGETS_SAMPLED (1ull << 32)

static inline uint32_t gate_budgets_n(const uint64_t *budgets)
{
    return (uint32_t)budgets[0];
}

void gate_watch_wake_dog(struct gate_watch *w);

/* Forgets what was noted of an earlier call. */
void gate_watch_forget(struct gate_watch *w);

/* One hook's call is known by the seq of its lua_resume and its number in there. */
static inline uint64_t gate_watch_call(const struct gate_watch *w, uint32_t seq)
{
    const int32_t *at = atomic_load_explicit(&w->at, memory_order_acquire);

    return (uint64_t)seq << 32 | (uint32_t)__atomic_load_n(at, __ATOMIC_RELAXED);
}

/* What the hook that goes on now has used before. */
void gate_watch_set_used(struct gate_watch *w, uint64_t used);

/* Right before lua_resume; *w->at is set. */
static inline void gate_watch_enter(struct gate_watch *w, lua_State *L, const uint64_t *budgets,
                                    uint64_t used)
{
    uint32_t seq = atomic_load_explicit(&w->seq, memory_order_relaxed);

    if (__builtin_expect(atomic_load_explicit(&w->noted, memory_order_relaxed), 0))
        gate_watch_forget(w);
    atomic_store_explicit(&w->L, L, memory_order_relaxed);
    atomic_store_explicit(&w->budgets, budgets, memory_order_release);
    if (__builtin_expect((used | atomic_load_explicit(&w->used, memory_order_relaxed)) != 0, 0))
        gate_watch_set_used(w, used);
    atomic_store_explicit(&w->seq, seq + 1, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(atomic_load_explicit(w->dozing, memory_order_relaxed), 0))
        gate_watch_wake_dog(w);
}

/* Right after it: no hook is set by the watchdog from here on. One that was is the caller's to take
 * off. */
static inline void gate_watch_exit(struct gate_watch *w)
{
    uint32_t seq = atomic_load_explicit(&w->seq, memory_order_relaxed);

    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&w->seq, seq + 1, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
}

/* Keeps the stack of L as text in stopped_at. */
void gate_watch_note_stack(struct gate_watch *w, lua_State *L);

/* CPU time of the calling thread. */
uint64_t gate_watch_cpu_now(void);

/* CPU time that the hook has used which is running when lua_resume has just returned, as far as the
 * watchdog saw it: 0 when it began after the last look. */
uint64_t gate_watch_seen_since(const struct gate_watch *w);

/* False: the watchdog has not seen the lua_resume at work that has just returned. */
static inline bool gate_watch_was_noted(const struct gate_watch *w)
{
    return atomic_load_explicit(&w->noted, memory_order_relaxed);
}

/* Whether the call inside which lua_resume has just returned was told to stop. */
static inline bool gate_watch_stopped(const struct gate_watch *w)
{
    uint32_t seq = atomic_load_explicit(&w->seq, memory_order_relaxed) - 1;

    return atomic_load_explicit(&w->target, memory_order_relaxed) >> 32 == seq;
}

/* The value that stops a script; nothing else is equal to it. */
const void *gate_watch_sentinel(void);

#endif
