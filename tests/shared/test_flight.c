/* Flights: one leads, the others wait; however the leader ends, somebody goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "base/assert.h"
#include "shared/dict_case.h"
#include "shared/flight.h"

/* Two workers on one thread: each has a loop and a mailbox. */
struct rig {
    struct gate_clock clock;
    struct gate_loop loops[2];
    struct gate_mailbox boxes[2];
    struct gate_flights *flights;
    struct dict_case *c;
    struct gate_flight_seat *called[700];
    int n_called;
};

static int setup(void **state)
{
    static struct rig r;

    memset(&r, 0, sizeof(r));
    gate_clock_init(&r.clock);
    for (int i = 0; i < 2; i++) {
        if (gate_loop_open(&r.loops[i], &r.clock, NULL) != GATE_OK)
            return -1;
        gate_mailbox_open(&r.boxes[i], &r.loops[i], NULL);
    }
    r.flights = gate_flights_new();
    *state = &r;
    return dict_case_open((void **)&r.c, 64 * 1024);
}

static int teardown(void **state)
{
    struct rig *r = *state;

    for (int i = 0; i < 2; i++) {
        gate_mailbox_close(&r->boxes[i]);
        gate_loop_close(&r->loops[i]);
    }
    gate_flights_free(&r->flights);
    return dict_case_close((void **)&r->c);
}

static void on_called(struct gate_flight_seat *seat, void *arg)
{
    struct rig *r = arg;

    r->called[r->n_called++] = seat;
}

static struct gate_flight_seat *join(struct rig *r, const char *key, int worker)
{
    struct gate_dict_key k = dict_key(r->c, key);

    return gate_flight_join(r->flights, r->c->d, &k, &r->boxes[worker], on_called, r);
}

/* Keys are bytes: one that a NUL cuts short would be another. */
static void keys_with_a_nul_are_whole(void **state)
{
    struct rig *r = *state;
    struct gate_dict_key k = gate_dict_key(r->c->d, "a\0b", 3);
    struct gate_flight_seat *leader, *other;

    leader = gate_flight_join(r->flights, r->c->d, &k, &r->boxes[0], on_called, r);
    other = gate_flight_join(r->flights, r->c->d, &k, &r->boxes[0], on_called, r);
    assert_true(gate_flight_leads(leader));
    assert_false(gate_flight_leads(other));
    gate_flight_leave(&other);
    gate_flight_leave(&leader);
}

static void turn(struct rig *r)
{
    for (int i = 0; i < 2; i++)
        gate_loop_turn(&r->loops[i], false);
}

static void all_get_what_the_leader_has(void **state)
{
    struct rig *r = *state;
    struct gate_flight_result result = { .value = dict_text("the value") };
    struct gate_flight_seat *leader = join(r, "k", 0), *other = join(r, "other", 0);
    struct gate_flight_seat *a = join(r, "k", 0), *b = join(r, "k", 1);

    assert_true(gate_flight_leads(leader));
    assert_true(gate_flight_leads(other));
    assert_false(gate_flight_leads(a));
    assert_null(gate_flight_result(a));
    gate_flight_land(&leader, &result);
    assert_null(leader);
    /* Whoever comes now begins anew. */
    leader = join(r, "k", 1);
    assert_true(gate_flight_leads(leader));
    assert_int_equal(r->n_called, 0);
    turn(r);
    assert_int_equal(r->n_called, 2);
    assert_true(gate_str_eq(gate_flight_result(a)->value.text, GATE_STR("the value")));
    assert_true(gate_str_eq(gate_flight_result(b)->value.text, GATE_STR("the value")));
    assert_false(gate_flight_leads(a));
    gate_flight_leave(&a);
    gate_flight_leave(&b);
    gate_flight_leave(&leader);
    gate_flight_leave(&other);
}

/* More keys than there are places to look for them, which end in another order than they began. */
static void each_key_has_a_flight_of_its_own(void **state)
{
    enum { KEYS = GATE_COUNT_OF(((struct rig *)0)->called) };
    struct rig *r = *state;
    static struct gate_flight_seat *leaders[KEYS], *others[KEYS];
    struct gate_flight_result result = { .value = { .kind = GATE_DICT_NUMBER } };
    char key[16];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        leaders[i] = join(r, key, 0);
        assert_true(gate_flight_leads(leaders[i]));
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        others[i] = join(r, key, 1);
        assert_false(gate_flight_leads(others[i]));
    }
    for (int i = 0; i < KEYS; i++) {
        result.value.number = i;
        gate_flight_land(&leaders[i], &result);
    }
    while (r->n_called < KEYS)
        turn(r);
    for (int i = 0; i < KEYS; i++) {
        assert_true(gate_flight_result(others[i])->value.number == i);
        gate_flight_leave(&others[i]);
    }
}

static void errors_are_cut_to_their_limits(void **state)
{
    struct rig *r = *state;
    char text[GATE_FLIGHT_WHY + 100];
    struct gate_flight_result result = { .code = gate_str_of(text, sizeof(text)),
                                         .why = gate_str_of(text, sizeof(text)) };
    struct gate_flight_seat *leader = join(r, "k", 0), *a = join(r, "k", 1);

    memset(text, 'x', sizeof(text));
    gate_flight_land(&leader, &result);
    turn(r);
    assert_int_equal(gate_flight_result(a)->value.kind, GATE_DICT_NONE);
    assert_int_equal(gate_flight_result(a)->code.n, GATE_FLIGHT_CODE);
    assert_int_equal(gate_flight_result(a)->why.n, GATE_FLIGHT_WHY);
    gate_flight_leave(&a);
}

static void a_leader_that_goes_hands_over_to_the_first(void **state)
{
    struct rig *r = *state;
    struct gate_flight_result result = { .value = dict_number(5) };
    struct gate_flight_seat *leader = join(r, "k", 0), *a = join(r, "k", 1), *b = join(r, "k", 0);

    gate_flight_leave(&leader);
    turn(r);
    assert_int_equal(r->n_called, 1);
    assert_ptr_equal(r->called[0], a);
    assert_true(gate_flight_leads(a));
    assert_null(gate_flight_result(a));
    gate_flight_land(&a, &result);
    turn(r);
    assert_true(gate_flight_result(b)->value.number == 5);
    gate_flight_leave(&b);
}

/* It left while the mail that made it the leader was on its way. */
static void a_leader_that_has_gone_meanwhile_hands_over_too(void **state)
{
    struct rig *r = *state;
    struct gate_flight_seat *leader = join(r, "k", 0), *a = join(r, "k", 1), *b = join(r, "k", 0);
    struct gate_flight_seat *gone = join(r, "k", 1);

    gate_flight_leave(&gone);
    gate_flight_leave(&leader);
    gate_flight_leave(&a);
    turn(r);
    turn(r);
    assert_int_equal(r->n_called, 1);
    assert_ptr_equal(r->called[0], b);
    assert_true(gate_flight_leads(b));
    gate_flight_leave(&b);
    leader = join(r, "k", 0);
    assert_true(gate_flight_leads(leader));
    gate_flight_leave(&leader);
}

static void one_that_left_is_not_called(void **state)
{
    struct rig *r = *state;
    struct gate_flight_result result = { .value = dict_bool(true) };
    struct gate_flight_seat *leader = join(r, "k", 0), *a = join(r, "k", 1);

    gate_flight_land(&leader, &result);
    gate_flight_leave(&a);
    turn(r);
    assert_int_equal(r->n_called, 0);
}

/* Threads that join, lead, land, leave and wait: nobody waits for ever. */
#define THREADS 4
#define ROUNDS 2000

struct worker {
    struct rig *r;
    pthread_t id;
    struct gate_loop loop;
    struct gate_mailbox box;
    int number;
    int led;
    bool called;
};

static void on_worker_called(struct gate_flight_seat *seat, void *arg)
{
    (void)seat;
    ((struct worker *)arg)->called = true;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct gate_flight_result result = { .value = dict_number(w->number) };

    for (int i = 0; i < ROUNDS; i++) {
        struct gate_dict_key k = dict_key(w->r->c, i % 2 ? "a" : "b");
        struct gate_flight_seat *s =
            gate_flight_join(w->r->flights, w->r->c->d, &k, &w->box, on_worker_called, w);

        w->called = gate_flight_leads(s);
        while (!w->called && (i + w->number) % 5 != 0)
            gate_loop_turn(&w->loop, true);
        if (w->called && gate_flight_leads(s) && i % 3 != 0) {
            gate_flight_land(&s, &result);
            w->led++;
        } else {
            gate_flight_leave(&s);
        }
    }
    return NULL;
}

static void threads_never_wait_for_ever(void **state)
{
    struct rig *r = *state;
    struct worker workers[THREADS];

    memset(workers, 0, sizeof(workers));
    for (int i = 0; i < THREADS; i++) {
        workers[i].r = r;
        workers[i].number = i;
        assert_int_equal(gate_loop_open(&workers[i].loop, &r->clock, NULL), GATE_OK);
        gate_mailbox_open(&workers[i].box, &workers[i].loop, NULL);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_create(&workers[i].id, NULL, work, &workers[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].id, NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_true(workers[i].led > 0);
        gate_mailbox_close(&workers[i].box);
        gate_loop_close(&workers[i].loop);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_with_a_nul_are_whole),
        TEST(all_get_what_the_leader_has),
        TEST(each_key_has_a_flight_of_its_own),
        TEST(errors_are_cut_to_their_limits),
        TEST(a_leader_that_goes_hands_over_to_the_first),
        TEST(a_leader_that_has_gone_meanwhile_hands_over_too),
        TEST(one_that_left_is_not_called),
        TEST(threads_never_wait_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
