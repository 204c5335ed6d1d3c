/* covers: exchange/fault.c exchange/worker.c
 * Traces are bounded; faults have names, statuses and sentences; the date is cached for its second.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exchange/fault.h"
#include "exchange/trace.h"
#include "exchange/worker.h"

static void traces_are_bounded(void **state)
{
    struct gate_chunk_pool pool;
    struct gate_arena arena;
    struct gate_trace *t;
    char text[] = "gone after the call";

    (void)state;
    gate_chunk_pool_init(&pool);
    gate_arena_init(&arena, &pool);
    gate_trace_add(NULL, 1, "off", "%s", "nothing");
    t = gate_trace_new(&arena, 1000);
    gate_trace_add(t, 3000, "route", "to %s", text);
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < GATE_TRACE_MAX + 9; i++)
        gate_trace_add(t, 4000, "step", "%0300d", i);
    assert_int_equal(t->n, GATE_TRACE_MAX);
    assert_int_equal(t->dropped, 10);
    assert_int_equal(t->v[0].at_ns, 2000);
    assert_string_equal(t->v[0].step, "route");
    assert_true(gate_str_eq(t->v[0].verdict, GATE_STR("to gone after the call")));
    assert_true(t->v[1].verdict.n < 200);
    gate_arena_clear(&arena);
    gate_chunk_pool_fini(&pool);
}

static void traces_are_one_line(void **state)
{
    struct gate_chunk_pool pool;
    struct gate_arena arena;
    struct gate_log_fd_sink sink;
    struct gate_log log;
    struct gate_trace *t;
    char line[4096] = "";
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    gate_log_fd_sink_init(&sink, fds[1]);
    gate_log_init(&log, &sink.sink, GATE_LOG_INFO, false);
    gate_chunk_pool_init(&pool);
    gate_arena_init(&arena, &pool);
    t = gate_trace_new(&arena, 0);
    gate_trace_add(t, 1234000, "admit", "ok");
    gate_trace_add(t, 2000000, "route", "r");
    gate_trace_write(t, &log, GATE_STR("id1"));
    assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "id1"));
    assert_non_null(strstr(line, "admit+1.234ms:ok route+2.000ms:r"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    gate_arena_clear(&arena);
    gate_chunk_pool_fini(&pool);
    close(fds[0]);
    close(fds[1]);
}

static void every_fault_is_named(void **state)
{
    (void)state;
    for (int i = 1; i < GATE_FAULT_COUNT; i++) {
        assert_true(gate_fault_name(i)[0] != '\0');
        assert_in_range(gate_fault_status(i), 400, 504);
        assert_true(gate_fault_text(i)[0] != '\0');
        assert_int_not_equal(gate_fault_grpc(i, 0), GATE_GRPC_OK);
        for (int k = 1; k < i; k++)
            assert_string_not_equal(gate_fault_name(i), gate_fault_name(k));
    }
    assert_string_equal(gate_fault_name(GATE_FAULT_NONE), "");
    assert_string_equal(gate_fault_name(GATE_FAULT_CLIENT_GONE), "client_gone");
    assert_int_equal(gate_fault_status(GATE_FAULT_CLIENT_GONE), 499);
    assert_int_equal(gate_fault_status(GATE_FAULT_READ_TIMEOUT), 504);
    assert_int_equal(gate_fault_grpc(GATE_FAULT_READ_TIMEOUT, 504), GATE_GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(gate_fault_grpc(GATE_FAULT_BAD_REQUEST, 400), GATE_GRPC_INTERNAL);
    assert_int_equal(gate_fault_grpc(GATE_FAULT_BAD_REQUEST, 431), GATE_GRPC_RESOURCE_EXHAUSTED);
}

static void the_date_is_cached_for_its_second(void **state)
{
    static struct gate_worker w;
    struct gate_clock clock;
    char first[GATE_DATE_LEN + 1] = "";

    (void)state;
    gate_clock_init(&clock);
    assert_int_equal(gate_loop_open(&w.loop, &clock, NULL), GATE_OK);
    memcpy(first, gate_worker_date(&w).p, GATE_DATE_LEN);
    assert_ptr_equal(gate_worker_date(&w).p, w.date);
    gate_clock_advance(&clock, 2 * GATE_SEC);
    assert_memory_equal(gate_worker_date(&w).p, first, GATE_DATE_LEN);
    gate_loop_refresh(&w.loop);
    assert_memory_not_equal(gate_worker_date(&w).p, first, GATE_DATE_LEN);
    gate_loop_close(&w.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traces_are_bounded),
        cmocka_unit_test(traces_are_one_line),
        cmocka_unit_test(every_fault_is_named),
        cmocka_unit_test(the_date_is_cached_for_its_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
