/* Mailboxes: nothing is lost, each sender's order is kept, delivery comes from the drain. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "net/mailbox.h"

#define SENDERS 4
#define MAILS 20000

struct letter {
    struct gate_mail mail;
    int sender;
    int number;
};

struct fixture {
    struct gate_clock clock;
    struct gate_loop loop;
    struct gate_mailbox box;
    int next[SENDERS];      /* number expected of each sender */
    int got;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    gate_clock_init(&f->clock);
    assert_int_equal(gate_loop_open(&f->loop, &f->clock, NULL), GATE_OK);
    gate_mailbox_open(&f->box, &f->loop, f);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gate_mailbox_close(&f->box);
    gate_loop_close(&f->loop);
    free(f);
    return 0;
}

static void deliver(struct gate_mail *m, void *receiver)
{
    struct letter *l = gate_container_of(m, struct letter, mail);
    struct fixture *f = receiver;

    assert_true(f->loop.draining);
    assert_int_equal(l->number, f->next[l->sender]);
    f->next[l->sender]++;
    f->got++;
    free(l);
}

static void post(struct fixture *f, int sender, int number)
{
    struct letter *l = malloc(sizeof(*l));

    l->mail.deliver = deliver;
    l->sender = sender;
    l->number = number;
    gate_mailbox_post(&f->box, &l->mail);
}

static void own_mail_comes_from_the_drain(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 10; i++)
        post(f, 0, i);
    assert_int_equal(f->got, 0);
    gate_loop_turn(&f->loop, true);
    assert_int_equal(f->got, 10);
}

struct sender {
    struct fixture *f;
    int index;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < MAILS; i++)
        post(s->f, s->index, i);
    return NULL;
}

static void four_senders(void **state)
{
    struct fixture *f = *state;
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];

    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ f, i };
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    while (f->got < SENDERS * MAILS)
        gate_loop_turn(&f->loop, true);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(f->next[i], MAILS);
    }
}

struct reposted {
    struct gate_mail mail;
    struct fixture *f;
    int left;
};

static void repost(struct gate_mail *m, void *receiver)
{
    struct reposted *r = gate_container_of(m, struct reposted, mail);

    assert_ptr_equal(receiver, r->f);
    if (r->left-- > 0)
        gate_mailbox_post(&r->f->box, m);
}

/* A mail posted while mails are delivered is not forgotten. */
static void post_while_delivering(void **state)
{
    struct reposted r = { .mail.deliver = repost, .f = *state, .left = 5 };

    gate_mailbox_post(&r.f->box, &r.mail);
    while (r.left >= 0)
        gate_loop_turn(&r.f->loop, true);
}

static void close_delivers_what_is_left(void **state)
{
    struct reposted r = { .mail.deliver = repost, .f = *state, .left = 3 };

    gate_mailbox_post(&r.f->box, &r.mail);
    gate_mailbox_close(&r.f->box);
    assert_int_equal(r.left, -1);
    gate_loop_turn(&r.f->loop, false);
    gate_mailbox_open(&r.f->box, &r.f->loop, r.f);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(own_mail_comes_from_the_drain),
        TEST(four_senders),
        TEST(post_while_delivering),
        TEST(close_delivers_what_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
