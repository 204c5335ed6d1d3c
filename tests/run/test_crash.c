/* The last words of an engine, from a thread that has no stack left to say them on. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/list.h"
#include "run/crash.h"

static char stack[GATE_CRASH_STACK];
static volatile int limit = INT32_MAX;

static __attribute__((noinline)) int deeper(int n)
{
    volatile char frame[512];

    frame[0] = (char)n;
    return n < limit ? deeper(n + 1) + frame[0] : 0;
}

static void *use_up_the_stack(void *arg)
{
    gate_crash_thread(arg, stack);
    deeper(0);
    return NULL;
}

static void die(int fd)
{
    const struct rlimit no_core = {0, 0};
    struct gate_worker w = {.index = 3};
    pthread_t thread;

    gate_list_init(&w.live);
    dup2(fd, STDERR_FILENO);
    setrlimit(RLIMIT_CORE, &no_core);
    gate_crash_install();
    pthread_create(&thread, NULL, use_up_the_stack, &w);
    pthread_join(thread, NULL);
    _exit(0);
}

static void an_overflow_of_the_stack_is_reported(void **state)
{
    char said[256] = "";
    int ends[2], status;
    pid_t child;

    (void)state;
#if defined(GATE_ASAN) || defined(GATE_TSAN)
    skip(); /* sanitizers keep their handlers */
#endif
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0)
        die(ends[1]);
    close(ends[1]);
    assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_string_equal(said, "moongate crash: segmentation fault in worker 3\n");
    assert_true(WIFSIGNALED(status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_of_the_stack_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
