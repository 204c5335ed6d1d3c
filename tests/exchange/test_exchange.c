/* Exchanges: identity, what they pin, and that their end gives all of it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exchange/exchange.h"

static struct gate_clock clock_now;
static struct gate_generation_seat seat;
static int idle_calls;

static void on_idle(struct gate_generation_seat *s, void *arg)
{
    assert_ptr_equal(s, &seat);
    assert_ptr_equal(arg, &idle_calls);
    idle_calls++;
}

static int open_worker(void **state)
{
    struct gate_worker *w = gate_calloc(1, sizeof(*w));

    gate_clock_init(&clock_now);
    assert_int_equal(gate_loop_open(&w->loop, &clock_now, NULL), GATE_OK);
    gate_handle_table_init(&w->exchanges);
    gate_slab_init(&w->exchange_slab, "exchange", sizeof(struct gate_exchange));
    gate_list_init(&w->live);
    seat = (struct gate_generation_seat){.refs = 1, .on_idle = on_idle, .on_idle_arg = &idle_calls};
    w->seat = &seat;
    w->id_prefix = 0xabc;
    idle_calls = 0;
    *state = w;
    return 0;
}

static int close_worker(void **state)
{
    struct gate_worker *w = *state;

    assert_true(gate_list_empty(&w->live));
    gate_slab_fini(&w->exchange_slab);
    gate_handle_table_fini(&w->exchanges);
    gate_loop_close(&w->loop);
    gate_free(w);
    return 0;
}

static void handles_outlive_exchanges(void **state)
{
    struct gate_worker *w = *state;
    struct gate_exchange *x = gate_exchange_new(w);
    struct gate_handle h = x->handle;

    assert_ptr_equal(gate_exchange_get(w, h), x);
    gate_exchange_free(&x);
    assert_null(x);
    assert_null(gate_exchange_get(w, h));
    x = gate_exchange_new(w); /* may be the same memory, never the same handle */
    assert_null(gate_exchange_get(w, h));
    gate_exchange_free(&x);
    gate_exchange_free(&x); /* of nothing: nothing */
}

static void ids_differ(void **state)
{
    struct gate_worker *w = *state;
    struct gate_exchange *a = gate_exchange_new(w), *b = gate_exchange_new(w);

    assert_int_equal(a->id_len, 20);
    assert_int_equal(b->id_len, 20);
    assert_memory_not_equal(a->id, b->id, 20);
    assert_memory_equal(a->id, b->id, 19);
    gate_exchange_free(&a);
    gate_exchange_free(&b);
}

static void the_generation_is_pinned(void **state)
{
    struct gate_worker *w = *state;
    struct gate_exchange *a = gate_exchange_new(w), *b = gate_exchange_new(w);
    struct gate_generation_seat *mine = w->seat;

    assert_int_equal(seat.refs, 3);
    seat.retired = true;
    gate_seat_unref(&mine);
    gate_exchange_free(&a);
    assert_int_equal(idle_calls, 0);
    gate_exchange_free(&b);
    assert_int_equal(idle_calls, 1);
}

static void the_first_fault_counts(void **state)
{
    struct gate_worker *w = *state;
    struct gate_exchange *x = gate_exchange_new(w);

    gate_exchange_fault(x, GATE_FAULT_RESET, 0, "first");
    gate_exchange_fault(x, GATE_FAULT_TOO_LARGE, 413, "second");
    assert_int_equal(x->fault, GATE_FAULT_RESET);
    assert_string_equal(x->fault_why, "first");
    assert_int_equal(gate_counters_get(&w->counters, GATE_C_FAULTS), 1);
    gate_exchange_free(&x);
}

static void blocks_are_given_back(void **state)
{
    struct gate_worker *w = *state;
    struct gate_exchange *x = gate_exchange_new(w);

    x->head_block = gate_block_take(&w->loop.blocks);
    x->res.block = gate_block_take(&w->loop.blocks);
    gate_arena_alloc(&x->arena, 100);
    gate_exchange_free(&x);
    assert_int_equal(w->loop.blocks.live, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_worker, close_worker)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(handles_outlive_exchanges), CASE(ids_differ),
        CASE(the_generation_is_pinned),  CASE(the_first_fault_counts),
        CASE(blocks_are_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
