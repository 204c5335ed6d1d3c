/* The pool: work runs elsewhere, its end comes home, closing loses nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

#include "net/offload.h"

struct fixture {
    struct gate_clock clock;
    struct gate_loop loop;
    struct gate_mailbox box;
    struct gate_offload *pool;
    pthread_t home;
    int done;
};

struct job {
    struct gate_work work;
    pthread_t home;
    int in;
    int out;
    sem_t *gate;            /* run waits for it */
    sem_t *entered;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    f->home = pthread_self();
    gate_clock_init(&f->clock);
    assert_int_equal(gate_loop_open(&f->loop, &f->clock, NULL), GATE_OK);
    gate_mailbox_open(&f->box, &f->loop, f);
    assert_int_equal(gate_offload_open(&f->pool, 3), GATE_OK);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gate_offload_close(&f->pool);
    gate_offload_close(&f->pool);
    gate_mailbox_close(&f->box);
    gate_loop_close(&f->loop);
    free(f);
    return 0;
}

static void run(struct gate_work *w)
{
    struct job *j = gate_container_of(w, struct job, work);

    if (j->gate != NULL) {
        sem_post(j->entered);
        sem_wait(j->gate);
    }
    j->out = pthread_equal(pthread_self(), j->home) ? -1 : j->in * 2;
}

static void done(struct gate_work *w, void *receiver)
{
    struct job *j = gate_container_of(w, struct job, work);
    struct fixture *f = receiver;

    assert_true(pthread_equal(pthread_self(), f->home));
    assert_int_equal(j->out, j->in * 2);
    f->done++;
    free(j);
}

static void submit(struct fixture *f, int in, sem_t *gate, sem_t *entered)
{
    struct job *j = calloc(1, sizeof(*j));

    j->work.reply = &f->box;
    j->work.run = run;
    j->work.done = done;
    j->home = f->home;
    j->in = in;
    j->gate = gate;
    j->entered = entered;
    gate_offload_submit(f->pool, &j->work);
}

static void results_come_home(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 1000; i++)
        submit(f, i, NULL, NULL);
    while (f->done < 1000)
        gate_loop_turn(&f->loop, true);
}

/* One stuck job holds up no other. */
static void runs_side_by_side(void **state)
{
    struct fixture *f = *state;
    sem_t gate;
    sem_t entered;

    sem_init(&gate, 0, 0);
    sem_init(&entered, 0, 0);
    submit(f, 1, &gate, &entered);
    sem_wait(&entered);
    for (int i = 0; i < 10; i++)
        submit(f, i, NULL, NULL);
    while (f->done < 10)
        gate_loop_turn(&f->loop, true);
    sem_post(&gate);
    while (f->done < 11)
        gate_loop_turn(&f->loop, true);
    sem_destroy(&gate);
    sem_destroy(&entered);
}

static void close_runs_what_is_queued(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 500; i++)
        submit(f, i, NULL, NULL);
    gate_offload_close(&f->pool);
    assert_null(f->pool);
    while (f->done < 500)
        gate_loop_turn(&f->loop, true);
}

static void look_at_signals(struct gate_work *w)
{
    struct job *j = gate_container_of(w, struct job, work);
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    j->out = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGRTMIN) ? j->in * 2 : -1;
}

static void its_threads_take_no_signals(void **state)
{
    struct fixture *f = *state;
    struct job *j = calloc(1, sizeof(*j));
    sigset_t mask;

    j->work = (struct gate_work){ .reply = &f->box, .run = look_at_signals, .done = done };
    j->in = 1;
    gate_offload_submit(f->pool, &j->work);
    while (f->done < 1)
        gate_loop_turn(&f->loop, true);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_come_home),
        TEST(runs_side_by_side),
        TEST(close_runs_what_is_queued),
        TEST(its_threads_take_no_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
