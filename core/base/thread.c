#include "base/thread.h"

#include <signal.h>
#include <stddef.h>

/* All but those that a thread raises itself by a crash: blocked, they would end the process without
 * a word of whoever reports crashes. */
static void fill(sigset_t *set)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };

    sigfillset(set);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        sigdelset(set, own[i]);
}

/* A thread begins with the mask of who starts it. */
int gate_thread_start(pthread_t *out, const char *name, void *(*main)(void *arg), void *arg)
{
    sigset_t blocked, before;
    int failed;

    fill(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    failed = pthread_create(out, NULL, main, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
        pthread_setname_np(*out, name);
    return failed;
}
