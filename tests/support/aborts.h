/* What must end in a failed assertion: run in a child, whose last words are read. */
#ifndef GATE_TESTS_ABORTS_H
#define GATE_TESTS_ABORTS_H

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void abort_in_child(void (*fn)(void *arg), void *arg, int to)
{
    struct rlimit none = {0, 0};

    signal(SIGABRT, SIG_DFL);
    setrlimit(RLIMIT_CORE, &none);
    dup2(to, STDERR_FILENO);
    fn(arg);
    _exit(0);
}

/* fn must be aborted, and say so with these words. Of threads only the calling one goes along. */
static inline void assert_aborts(void (*fn)(void *arg), void *arg, const char *said)
{
    char text[512] = "";
    size_t n = 0;
    ssize_t got;
    int pipes[2];
    int status;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0)
        abort_in_child(fn, arg, pipes[1]);
    close(pipes[1]);
    while ((got = read(pipes[0], text + n, sizeof(text) - 1 - n)) > 0)
        n += (size_t)got;
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, said));
}

#endif
