/* Locks: one holder at a time; when it dies the next one is told, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/lock_int.h"

#define THREADS 4
#define ROUNDS  200000

static struct {
    uint32_t word;
    uint64_t n; /* no atomic: the lock keeps it right */
} counter;

static void *count(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        assert_false(gate_lock_take(&counter.word));
        counter.n++;
        gate_lock_give(&counter.word);
    }
    return arg;
}

static void one_holds_it_at_a_time(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter.n, THREADS * ROUNDS);
    assert_int_equal(counter.word, 0);
}

static void *hold_and_end(void *arg)
{
    gate_lock_take(arg);
    return NULL;
}

static void a_thread_that_ends_with_it_is_told_of(void **state)
{
    pthread_t thread;
    uint32_t word = 0;

    (void)state;
    pthread_create(&thread, NULL, hold_and_end, &word);
    pthread_join(thread, NULL);
    assert_true(gate_lock_take(&word));
    gate_lock_give(&word);
    assert_false(gate_lock_take(&word));
    gate_lock_give(&word);
}

/* A process that has it: it dies from outside, or while another one waits. */
static void a_process_that_dies_with_it_is_told_of(void **state)
{
    uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(word != MAP_FAILED);
    assert_false(gate_lock_take(word));
    gate_lock_give(word);
    for (int i = 0; i < 20; i++) {
        int pipes[2], status;
        char byte = 0;
        pid_t pid;

        assert_int_equal(pipe(pipes), 0);
        pid = fork();
        if (pid == 0) {
            gate_lock_take(word);
            if (write(pipes[1], &byte, 1) == 1 && i % 2 == 0)
                pause();
            usleep(1000);
            raise(SIGKILL);
        }
        assert_int_equal(read(pipes[0], &byte, 1), 1);
        if (i % 2 == 0)
            kill(pid, SIGKILL);
        assert_true(gate_lock_take(word));
        gate_lock_give(word);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_false(gate_lock_take(word));
        gate_lock_give(word);
        close(pipes[0]);
        close(pipes[1]);
    }
    munmap(word, 4096);
}

/* What another process gives back in order is nobody's death. */
static void giving_back_is_no_death(void **state)
{
    uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    pid_t pid;

    (void)state;
    pid = fork();
    if (pid == 0) {
        gate_lock_take(word);
        gate_lock_give(word);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(gate_lock_take(word));
    gate_lock_give(word);
    munmap(word, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holds_it_at_a_time),
        cmocka_unit_test(a_thread_that_ends_with_it_is_told_of),
        cmocka_unit_test(a_process_that_dies_with_it_is_told_of),
        cmocka_unit_test(giving_back_is_no_death),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
