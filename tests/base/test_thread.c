#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/thread.h"

static sigset_t theirs;

static void *look(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, &theirs);
    return arg;
}

static void takes_no_signals_of_others(void **state)
{
    sigset_t before, after;
    pthread_t t;
    void *result;

    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(gate_thread_start(&t, "gate-test", look, &theirs), 0);
    assert_int_equal(pthread_join(t, &result), 0);
    assert_ptr_equal(result, &theirs);
    assert_true(sigismember(&theirs, SIGPIPE) == 1);
    assert_true(sigismember(&theirs, SIGTERM) == 1);
    assert_true(sigismember(&theirs, SIGRTMAX) == 1);
    /* A crash is reported by whoever reports crashes. */
    assert_true(sigismember(&theirs, SIGSEGV) == 0);
    assert_true(sigismember(&theirs, SIGABRT) == 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i <= SIGRTMAX; i++)
        assert_int_equal(sigismember(&before, i), sigismember(&after, i));
}

static void *wait_for_it(void *arg)
{
    pthread_mutex_lock(arg);
    pthread_mutex_unlock(arg);
    return NULL;
}

static void has_a_name(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char name[16];
    pthread_t t;

    (void)state;
    pthread_mutex_lock(&lock);
    assert_int_equal(gate_thread_start(&t, "gate-test", wait_for_it, &lock), 0);
    assert_int_equal(pthread_getname_np(t, name, sizeof(name)), 0);
    assert_string_equal(name, "gate-test");
    pthread_mutex_unlock(&lock);
    pthread_join(t, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_no_signals_of_others),
        cmocka_unit_test(has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
