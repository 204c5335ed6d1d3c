/* Many writers at once, readers that take no lock, and processes that die amid a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/dict_case.h"

#define KEYS 50
#define BYTES (48 * 1024)

/* A value that shows whether it is whole: its length stands in it, and all of it is one letter. */
static void make_text(char *to, uint32_t n)
{
    snprintf(to, 16, "%05u", n);
    memset(to + 5, 'a' + (int)(n % 26), n);
    to[5 + n] = '\0';
}

static bool is_whole(struct gate_str v)
{
    char wanted[2100];

    if (v.n < 5)
        return false;
    make_text(wanted, (uint32_t)v.n - 5);
    return gate_str_eq(v, gate_str_from_cstr(wanted));
}

/* One random change of one of the keys. */
static void change(struct dict_case *c)
{
    char key[16], text[2100];
    double sum;
    enum gate_err err;

    snprintf(key, sizeof(key), "key %u", dict_chance(c, KEYS));
    switch (dict_chance(c, 4)) {
    case 0:
        dict_delete(c, key);
        break;
    case 1:
        key[0] = 'n';
        dict_incr(c, key, 1, 0, dict_chance(c, 2) ? UINT64_MAX : 1000, &sum);
        break;
    default:
        make_text(text, dict_chance(c, 2000));
        do {
            err = dict_set(c, key, dict_text(text), 1000 + dict_chance(c, 1000));
        } while (err == GATE_E_AGAIN);
    }
    c->now++;
}

static void look(struct dict_case *c)
{
    char key[16];
    struct gate_dict_value v;

    snprintf(key, sizeof(key), "key %u", dict_chance(c, KEYS));
    v = dict_get(c, key);
    if (v.kind != GATE_DICT_NONE)
        assert_true(v.kind == GATE_DICT_STRING && is_whole(v.text));
}

/* Everything that a walk shows can be had, and the counts are right. */
static void examine(struct dict_case *c)
{
    struct gate_dict_walk w = { 0 };
    struct gate_dict_buffer b = { 0 };
    struct gate_dict_numbers n = dict_numbers(c);
    struct gate_str key;
    enum gate_err err;
    uint64_t seen = 0;
    char text[16];

    while ((err = gate_dict_walk(c->d, &w, 1, &b, &key)) != GATE_E_EOF) {
        struct gate_dict_value v;
        uint64_t now = c->now;

        if (err == GATE_E_AGAIN)
            continue;
        snprintf(text, sizeof(text), "%.*s", (int)key.n, key.p);
        c->now = 1; /* what has ended too */
        v = dict_get(c, text);
        c->now = now;
        assert_true(text[0] == 'n' ? v.kind == GATE_DICT_NUMBER : is_whole(v.text));
        seen++;
    }
    gate_dict_buffer_fini(&b);
    assert_int_equal(seen, n.entries);
    assert_true(n.used <= BYTES);
}

struct thread {
    struct dict_case c;
    pthread_t id;
    int rounds;
};

static void *writer(void *arg)
{
    struct thread *t = arg;
    double sum;

    for (int i = 0; i < t->rounds; i++) {
        change(&t->c);
        assert_int_equal(dict_incr(&t->c, "sum", 1, NAN, 0, &sum), GATE_OK);
    }
    return NULL;
}

static void *reader(void *arg)
{
    struct thread *t = arg;

    for (int i = 0; i < t->rounds * 4; i++)
        look(&t->c);
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    struct dict_case *c;
    struct thread threads[5];

    (void)state;
    assert_int_equal(dict_case_open((void **)&c, BYTES), 0);
    assert_int_equal(dict_set(c, "sum", dict_number(0), UINT64_MAX), GATE_OK);
    for (int i = 0; i < 5; i++) {
        threads[i] = (struct thread){ .c = { .d = c->d, .now = 1000, .random = 77 + (uint64_t)i },
                                      .rounds = 10000 };
        pthread_create(&threads[i].id, NULL, i < 3 ? writer : reader, &threads[i]);
    }
    for (int i = 0; i < 5; i++) {
        pthread_join(threads[i].id, NULL);
        gate_dict_buffer_fini(&threads[i].c.b);
    }
    assert_true(dict_get(c, "sum").number == 30000);
    assert_true(dict_delete(c, "sum"));
    examine(c);
    dict_case_close((void **)&c);
}

/* Changes until it is killed; tells when it has begun. */
static void child(struct dict_case *c, int ready)
{
    char byte = 1;

    if (write(ready, &byte, 1) != 1)
        _exit(1);
    for (;;)
        change(c);
}

static void kill_one(struct dict_case *c, uint32_t after_us)
{
    struct timespec t = { .tv_nsec = (long)after_us * 1000 };
    int pipes[2], status;
    char byte;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0)
        child(c, pipes[1]);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    nanosleep(&t, NULL);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(pipes[0]);
    close(pipes[1]);
}

/* The next engine maps the memory anew, as from the supervisor. */
static struct dict_case *adopt(struct dict_case *old, uint64_t *drops)
{
    struct dict_case *c = calloc(1, sizeof(*c));

    *c = (struct dict_case){ .now = old->now, .random = old->random };
    assert_int_equal(gate_dict_adopt(dup(gate_dict_fd(old->d)), GATE_STR("case"), BYTES, &c->d,
                                     drops), GATE_OK);
    dict_case_close((void **)&old);
    return c;
}

static void a_process_that_dies_leaves_no_torn_shard(void **state)
{
    struct dict_case *c;
    uint64_t drops = 0;
    int i;

    (void)state;
    assert_int_equal(dict_case_open((void **)&c, BYTES), 0);
    for (i = 0; i < 300 || drops == 0; i++) {
        assert_true(i < 20000);
        kill_one(c, dict_chance(c, 700));
        if (i % 2 == 0)
            c = adopt(c, &drops);
        for (int k = 0; k < 20; k++)
            look(c);
        examine(c);
        for (int k = 0; k < 20; k++)
            change(c);
        c->now += 100;
    }
    /* Some were found by those who wrote next. */
    assert_in_range(dict_numbers(c).drops, drops, i);
    dict_case_close((void **)&c);
}

static void what_was_there_is_there_for_the_next_one(void **state)
{
    struct dict_case *c;
    uint64_t drops = 0;
    struct gate_dict *d;

    (void)state;
    assert_int_equal(dict_case_open((void **)&c, BYTES), 0);
    assert_int_equal(dict_set(c, "k", dict_text("v"), 500), GATE_OK);
    c = adopt(c, &drops);
    assert_true(dict_is_text(c, "k", "v"));
    assert_int_equal(dict_until(c, "k"), 1500);
    assert_int_equal(drops, 0);
    /* Of another size it is another's. */
    assert_int_equal(gate_dict_adopt(dup(gate_dict_fd(c->d)), GATE_STR("case"), BYTES * 2, &d,
                                     &drops), GATE_E_INVALID);
    dict_case_close((void **)&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_disturb_each_other),
        cmocka_unit_test(a_process_that_dies_leaves_no_torn_shard),
        cmocka_unit_test(what_was_there_is_there_for_the_next_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
