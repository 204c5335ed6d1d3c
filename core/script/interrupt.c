#include "script/interrupt.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"

/* State of the process, because signals are. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint32_t users;
    struct sigaction before;
} taken[_NSIG];

static bool is_free(int signal)
{
    const struct sigaction *a = &taken[signal].before;

    return (a->sa_flags & SA_SIGINFO) == 0 &&
           (a->sa_handler == SIG_DFL || a->sa_handler == SIG_IGN);
}

static enum gate_err take_locked(int signal, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction ours = { .sa_sigaction = handler, .sa_flags = SA_RESTART | SA_SIGINFO };

    if (taken[signal].users == 0) {
        sigemptyset(&ours.sa_mask);
        if (sigaction(signal, NULL, &taken[signal].before) != 0)
            return GATE_E_SYS;
        if (!is_free(signal))
            return GATE_E_EXISTS;
        if (sigaction(signal, &ours, NULL) != 0)
            return GATE_E_SYS;
    }
    taken[signal].users++;
    return GATE_OK;
}

enum gate_err gate_interrupt_take(int signal, void (*handler)(int, siginfo_t *, void *))
{
    enum gate_err err;

    if (signal < SIGRTMIN || signal > SIGRTMAX)
        return GATE_E_INVALID;
    pthread_mutex_lock(&lock);
    err = take_locked(signal, handler);
    pthread_mutex_unlock(&lock);
    return err;
}

void gate_interrupt_give(int signal)
{
    pthread_mutex_lock(&lock);
    GATE_ASSERT(taken[signal].users > 0);
    if (--taken[signal].users == 0)
        sigaction(signal, &taken[signal].before, NULL);
    pthread_mutex_unlock(&lock);
}
