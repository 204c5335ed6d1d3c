#include "shared/lock_int.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

/* Looks at a word that is held before the thread sleeps: its holder is rarely there for long. Then
 * it has most likely lost its processor. */
#define SPINS    500
#define SLEEP_NS 50000

_Thread_local struct gate_lock_self gate_lock_me;

/* The child of a fork is another thread. */
static void forget(void)
{
    gate_lock_me.tid = 0;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget);
}

void gate_lock_learn(struct gate_lock_self *me)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t n = 0;

    pthread_once(&once, watch_forks);
    /* Every thread of the C library has one. */
    GATE_ASSERT(syscall(SYS_get_robust_list, 0, &me->robust, &n) == 0 && me->robust != NULL);
    me->tid = (uint32_t)gettid();
}

static void rest(int round)
{
    static const struct timespec pause = { .tv_nsec = SLEEP_NS };

    if (round >= SPINS)
        nanosleep(&pause, NULL);
#if defined(__x86_64__)
    else
        __builtin_ia32_pause();
#endif
}

bool gate_lock_wait(uint32_t *word, uint32_t tid)
{
    for (int i = 0;; i += i < SPINS) {
        uint32_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);

        if ((seen == 0 || (seen & FUTEX_OWNER_DIED) != 0) &&
            __atomic_compare_exchange_n(word, &seen, tid, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return seen != 0;
        rest(i);
    }
}
