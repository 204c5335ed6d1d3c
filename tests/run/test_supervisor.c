#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/supervisor.h"
#include "run/wire.h"

/* The first few come back at once; a file that kills every engine does not make a storm. */
static void waits_longer_each_time(void **state)
{
    static const uint32_t expected[] = { 100, 100, 100, 100, 200, 400, 800, 1600, 3200, 5000, 5000 };

    (void)state;
    for (uint32_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(gate_supervisor_delay(i + 1), expected[i]);
    assert_int_equal(gate_supervisor_delay(UINT32_MAX), 5000);
}

static int poll_failures;   /* how many calls to come fail */

int poll(struct pollfd *fds, nfds_t n, int ms)
{
    if (poll_failures > 0) {
        poll_failures--;
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_poll, fds, n, ms);
}

/* An engine: this program again. It serves, loses its end of the wire, and tells which signals it
 * gets, a letter each, until SIGTERM. */
static int be_engine(int wire, int out)
{
    struct gate_wire ready = { .kind = GATE_WIRE_READY, .number = 60000 };
    int number = 0;
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    gate_wire_send(wire, &ready, NULL, 0);
    close(wire);
    do {
        const char *letter = number == SIGHUP ? "h" : number == SIGUSR1 ? "u" : "r";

        if (write(out, letter, 1) != 1 || sigwait(&all, &number) != 0)
            return 9;
    } while (number != SIGTERM);
    return 7;
}

static char heard(int from)
{
    char c = 0;

    assert_int_equal(read(from, &c, 1), 1);
    return c;
}

/* A supervisor in a process of its own; *from hears its engine. */
static pid_t supervise(int failing_polls, int *from)
{
    char number[16];
    int pair[2];
    pid_t pid;

    assert_int_equal(pipe(pair), 0);
    pid = fork();
    if (pid == 0) {
        static struct gate_log_fd_sink sink;
        static struct gate_log log;
        char *const args[] = { number, NULL };

        snprintf(number, sizeof(number), "%d", pair[1]);
        gate_log_fd_sink_init(&sink, STDERR_FILENO);
        gate_log_init(&log, &sink.sink, GATE_LOG_INFO, false);
        poll_failures = failing_polls;
        _exit(gate_supervisor_run(args, &log));
    }
    close(pair[1]);
    *from = pair[0];
    assert_int_equal(heard(*from), 'r');
    return pid;
}

static void expect_end(pid_t pid, int from)
{
    int status;

    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    close(from);
}

/* It is not killed when its time is over, but told. */
static void an_engine_without_a_wire_gets_signals(void **state)
{
    int from;
    pid_t pid = supervise(0, &from);

    (void)state;
    kill(pid, SIGHUP);
    assert_int_equal(heard(from), 'h');
    kill(pid, SIGUSR1);
    assert_int_equal(heard(from), 'u');
    expect_end(pid, from);
}

static void a_poll_that_fails_is_not_the_end(void **state)
{
    int from;
    pid_t pid = supervise(2, &from);

    (void)state;
    expect_end(pid, from);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_longer_each_time),
        cmocka_unit_test(an_engine_without_a_wire_gets_signals),
        cmocka_unit_test(a_poll_that_fails_is_not_the_end),
    };

    if (argc == 4 && strcmp(argv[1], "engine") == 0)
        return be_engine(atoi(argv[2]), atoi(argv[3]));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
