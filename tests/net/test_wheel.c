/* The wheel against a model that keeps every timer in a plain array. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "net/wheel.h"

static void never(struct gate_timer *t)
{
    (void)t;
    fail();
}

static size_t take(struct gate_wheel *w, uint64_t now, struct gate_list *due)
{
    size_t n = 0;

    gate_list_init(due);
    gate_wheel_advance(w, now, due);
    for (struct gate_list *i = due->next; i != due; i = i->next)
        n++;
    return n;
}

static struct gate_wheel *wheel_at(uint64_t now)
{
    struct gate_wheel *w = malloc(sizeof(*w));

    assert_non_null(w);
    gate_wheel_init(w, now);
    return w;
}

static void fires_at_its_time(void **state)
{
    static const uint64_t starts[] = { 1, 250, 65530, 1ull << 24, (1ull << 32) - 3, 1ull << 40 };
    static const uint64_t delays[] = { 1,     2,          255,        256,       257,
                                       65535, 65536,      65537,      1u << 24,  (1u << 24) + 1,
                                       1u << 31, 1ull << 32, 1ull << 33, (1ull << 40) + 7 };
    struct gate_list due;
    struct gate_timer t;

    (void)state;
    gate_timer_init(&t, never);
    for (size_t i = 0; i < GATE_COUNT_OF(starts); i++) {
        for (size_t k = 0; k < GATE_COUNT_OF(delays); k++) {
            struct gate_wheel *w = wheel_at(starts[i]);
            uint64_t at = starts[i] + delays[k];

            gate_wheel_start(w, &t, at);
            assert_true(gate_timer_active(&t));
            assert_true(gate_wheel_next(w) <= at);
            assert_true(gate_wheel_next(w) > starts[i]);
            assert_int_equal(take(w, at - 1, &due), 0);
            assert_int_equal(take(w, at, &due), 1);
            assert_ptr_equal(due.next, &t.node);
            assert_false(gate_timer_active(&t));
            assert_int_equal(gate_wheel_next(w), UINT64_MAX);
            gate_list_remove(&t.node);
            free(w);
        }
    }
}

/* Following gate_wheel_next, as the loop does, must come to the timer in few steps. */
static void next_leads_to_the_timer(void **state)
{
    struct gate_wheel *w = wheel_at(123456789);
    uint64_t at = 123456789 + (1ull << 34) + 12345;
    struct gate_list due;
    struct gate_timer t;
    int steps = 0;

    (void)state;
    gate_timer_init(&t, never);
    gate_wheel_start(w, &t, at);
    while (take(w, gate_wheel_next(w), &due) == 0)
        steps++;
    assert_int_equal(w->now_ms, at);
    assert_in_range(steps, 1, 12);
    gate_list_remove(&t.node);
    free(w);
}

static void late_start_fires_at_next_advance(void **state)
{
    struct gate_wheel *w = wheel_at(5000);
    struct gate_timer t[3];
    struct gate_list due;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        gate_timer_init(&t[i], never);
    gate_wheel_start(w, &t[0], 0);
    gate_wheel_start(w, &t[1], 4999);
    gate_wheel_start(w, &t[2], 5000);
    assert_int_equal(gate_wheel_next(w), 5000);
    assert_int_equal(take(w, 5000, &due), 3);
    gate_list_init(&due);

    /* A clock that steps back stands still here. */
    gate_timer_init(&t[0], never);
    gate_wheel_start(w, &t[0], 4000);
    assert_int_equal(take(w, 4500, &due), 1);
    assert_int_equal(w->now_ms, 5000);
    free(w);
}

static void stop_and_move(void **state)
{
    struct gate_wheel *w = wheel_at(1);
    struct gate_timer a;
    struct gate_timer b;
    struct gate_list due;

    (void)state;
    gate_timer_init(&a, never);
    gate_timer_init(&b, never);
    gate_wheel_stop(w, &a);
    gate_wheel_start(w, &a, 300);
    gate_wheel_start(w, &b, 300);
    gate_wheel_stop(w, &a);
    gate_wheel_stop(w, &a);
    assert_int_equal(w->count, 1);
    gate_wheel_start(w, &b, 70000);
    assert_int_equal(take(w, 69999, &due), 0);
    assert_int_equal(take(w, 70000, &due), 1);
    gate_list_remove(&b.node);

    /* No mark is left behind that would wake the loop. */
    gate_wheel_start(w, &a, 70001);
    gate_wheel_start(w, &b, 100000000);
    gate_wheel_stop(w, &a);
    assert_true(gate_wheel_next(w) > 70001);
    gate_wheel_stop(w, &b);
    assert_int_equal(gate_wheel_next(w), UINT64_MAX);
    free(w);
}

static void due_timer_can_be_stopped_or_started(void **state)
{
    struct gate_wheel *w = wheel_at(10);
    struct gate_timer t[3];
    struct gate_list due;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        gate_timer_init(&t[i], never);
        gate_wheel_start(w, &t[i], 20 + i);
    }
    assert_int_equal(take(w, 100, &due), 3);
    assert_ptr_equal(due.next, &t[0].node);     /* in the order of their times */
    assert_ptr_equal(due.prev, &t[2].node);
    gate_wheel_stop(w, &t[0]);
    gate_wheel_start(w, &t[1], 200);
    assert_ptr_equal(due.next, &t[2].node);
    assert_ptr_equal(due.prev, &t[2].node);
    assert_int_equal(w->count, 1);
    gate_list_init(&due);
    assert_int_equal(take(w, 200, &due), 1);
    free(w);
}

#define MODEL_TIMERS 400

static uint64_t random_delay(void)
{
    static const uint64_t spans[] = { 4, 300, 70000, 20000000, 6000000000ull };

    return (uint64_t)random() % spans[(size_t)random() % GATE_COUNT_OF(spans)];
}

static void change_some(struct gate_wheel *w, struct gate_timer *t, uint64_t *model)
{
    for (int n = 0; n < 20; n++) {
        size_t i = (size_t)random() % MODEL_TIMERS;

        if (random() % 4 == 0) {
            gate_wheel_stop(w, &t[i]);
            model[i] = 0;
        } else {
            model[i] = w->now_ms + random_delay();
            gate_wheel_start(w, &t[i], model[i]);
        }
    }
}

/* Exactly those that the model holds due came out, none early, none late, sorted. */
static void check_due(struct gate_wheel *w, struct gate_timer *t, uint64_t *model, uint64_t now)
{
    struct gate_list due;
    struct gate_list *n;
    uint64_t last = 0;
    uint64_t before = w->now_ms;
    uint32_t live = 0;

    gate_list_init(&due);
    gate_wheel_advance(w, now, &due);
    while ((n = gate_list_pop(&due)) != NULL) {
        size_t i = (size_t)(gate_container_of(n, struct gate_timer, node) - t);
        uint64_t at = model[i] > before ? model[i] : before;

        assert_true(model[i] != 0 && model[i] <= now);
        assert_true(at >= last);
        last = at;
        model[i] = 0;
    }
    for (size_t i = 0; i < MODEL_TIMERS; i++) {
        assert_true(model[i] == 0 || model[i] > now);
        assert_int_equal(gate_timer_active(&t[i]), model[i] != 0);
        assert_true(model[i] == 0 || gate_wheel_next(w) <= model[i]);
        live += model[i] != 0;
    }
    assert_int_equal(w->count, live);
}

static void agrees_with_a_model(void **state)
{
    struct gate_wheel *w = wheel_at((1ull << 32) - 100000);
    struct gate_timer t[MODEL_TIMERS];
    uint64_t model[MODEL_TIMERS] = { 0 };
    uint64_t now = w->now_ms;

    (void)state;
    srandom(7);
    for (size_t i = 0; i < MODEL_TIMERS; i++)
        gate_timer_init(&t[i], never);
    for (int round = 0; round < 4000; round++) {
        change_some(w, t, model);
        now += random() % 3 == 0 ? random_delay() : (uint64_t)random() % 3;
        check_due(w, t, model, now);
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_at_its_time),
        cmocka_unit_test(next_leads_to_the_timer),
        cmocka_unit_test(late_start_fires_at_next_advance),
        cmocka_unit_test(stop_and_move),
        cmocka_unit_test(due_timer_can_be_stopped_or_started),
        cmocka_unit_test(agrees_with_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
