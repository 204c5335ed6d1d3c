#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

struct thing {
    uint32_t magic;
};

static void test_what_holds_is_silent(void **state)
{
    struct thing t;
    int calls = 0;

    (void)state;
    GATE_ASSERT(++calls == 1);
    assert_int_equal(calls, 1);
    GATE_MAGIC(&t, 0x600dbeef);
    GATE_CHECK_MAGIC(&t, 0x600dbeef);
    GATE_DEBUG_ASSERT(calls == 1);
    assert_int_equal(GATE_COUNT_OF("abc"), 4);
}

/* The child fails the check; what it wrote to stderr goes to `text`. Returns its wait status. */
static int fail_in_child(char *text, size_t cap)
{
    int pipe_fds[2], status;
    size_t n = 0;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        struct thing t = { 1 };

        signal(SIGABRT, SIG_DFL);
        dup2(pipe_fds[1], STDERR_FILENO);
        GATE_CHECK_MAGIC(&t, 2);
        _exit(0);
    }
    close(pipe_fds[1]);
    while ((got = read(pipe_fds[0], text + n, cap - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_a_failure_names_its_place_and_aborts(void **state)
{
    char text[512];
    int status = fail_in_child(text, sizeof(text));

    (void)state;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "test_assert.c:"));
    assert_non_null(strstr(text, ": assertion failed: (&t) != NULL && (&t)->magic == (2)\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_holds_is_silent),
        cmocka_unit_test(test_a_failure_names_its_place_and_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
