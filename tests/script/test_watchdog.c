/* The watchdog: it stops what is over its budget, and sleeps while nobody runs a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "base/clock.h"
#include "script/heap_int.h"
#include "script/watch_int.h"

struct watched {
    struct gate_heap heap;
    struct gate_watch *watch;
    int32_t at;
    int runs;
    uint64_t budgets[64][3]; /* one for each run: the watchdog may look late */
};

static void open_watched(struct watched *w, struct gate_watchdog *dog)
{
    assert_true(gate_heap_open(&w->heap, 64u << 20));
    luaL_openlibs(w->heap.L);
    w->at = 1;
    w->runs = 0;
    w->watch = gate_watch_join(dog, w);
    atomic_store(&w->watch->at, &w->at);
    w->heap.watch = w->watch;
}

static void close_watched(struct watched *w)
{
    gate_watch_leave(&w->watch);
    gate_heap_close(&w->heap);
}

/* Runs code with a budget, some of which is used up already. True: it was stopped. */
static bool run(struct watched *w, const char *code, uint64_t budget_ms, uint64_t used_ms)
{
    uint64_t *budgets = w->budgets[w->runs++];
    lua_State *co = lua_newthread(w->heap.L);
    bool stopped;
    int status;

    budgets[0] = 2;
    budgets[1] = budgets[2] = budget_ms * GATE_MS;
    assert_int_equal(luaL_loadbuffer(co, code, strlen(code), "@t.lua"), 0);
    gate_watch_enter(w->watch, co, budgets, used_ms * GATE_MS);
    status = lua_resume(co, 0);
    gate_watch_exit(w->watch);
    lua_sethook(co, NULL, 0, 0);
    stopped = status != 0 && lua_touserdata(co, -1) == gate_watch_sentinel();
    assert_true(stopped || status == 0);
    assert_int_equal(stopped, gate_watch_stopped(w->watch));
    lua_settop(w->heap.L, 0);
    return stopped;
}

static void test_stops(void **state)
{
    struct gate_watchdog *dog;
    struct watched w;

    (void)state;
    assert_int_equal(gate_watchdog_open(&dog, GATE_WATCHDOG_SIGNAL, NULL, NULL), GATE_OK);
    open_watched(&w, dog);
    for (int i = 0; i < 20; i++) {
        uint64_t from = gate_watch_cpu_now();

        assert_true(run(&w, "while true do pcall(function() while true do end end) end", 10, 0));
        assert_true(gate_watch_cpu_now() - from >= 10 * GATE_MS);
        assert_non_null(strstr(w.watch->stopped_at, "t.lua:1"));
        assert_false(run(&w, "local x = 0 for i = 1, 1e5 do x = x + i end", 200, 0));
    }
    close_watched(&w);
    gate_watchdog_close(&dog);
    assert_null(dog);
}

/* What was used before counts; what a hook before this one used does not. */
static void test_used(void **state)
{
    struct gate_watchdog *dog;
    struct watched w;
    uint64_t from;

    (void)state;
    assert_int_equal(gate_watchdog_open(&dog, GATE_WATCHDOG_SIGNAL, NULL, NULL), GATE_OK);
    open_watched(&w, dog);
    from = gate_watch_cpu_now();
    assert_true(run(&w, "while true do end", 2000, 1990));
    assert_true(gate_watch_cpu_now() - from < 1500 * GATE_MS);
    close_watched(&w);
    gate_watchdog_close(&dog);
}

/* A new number within one lua_resume is a new budget. */
static void test_next_hook(void **state)
{
    struct gate_watchdog *dog;
    struct watched w;
    char code[300];

    (void)state;
    assert_int_equal(gate_watchdog_open(&dog, GATE_WATCHDOG_SIGNAL, NULL, NULL), GATE_OK);
    open_watched(&w, dog);
    snprintf(code, sizeof(code),
             "local at = require('ffi').cast('int32_t *', %pULL)\n"
             "local function busy(s) local t = os.clock() while os.clock() - t < s do end end\n"
             "busy(0.12) at[0] = 2 busy(0.12)",
             (void *)&w.at);
    assert_false(run(&w, code, 200, 0));
    __atomic_store_n(&w.at, 1, __ATOMIC_RELAXED);
    assert_true(run(&w, "while true do end", 20, 0));
    close_watched(&w);
    gate_watchdog_close(&dog);
}

/* Hooks that take long together: the next one is not to be called. */
static void test_others_wait(void **state)
{
    struct gate_watchdog *dog;
    struct watched w;
    int32_t stop = 7;
    char code[300];

    (void)state;
    assert_int_equal(gate_watchdog_open(&dog, GATE_WATCHDOG_SIGNAL, NULL, NULL), GATE_OK);
    open_watched(&w, dog);
    atomic_store(&w.watch->stop, &stop);
    snprintf(code, sizeof(code),
             "local at = require('ffi').cast('int32_t *', %pULL)\n"
             "local function busy(s) local t = os.clock() while os.clock() - t < s do end end\n"
             "for i = 1, 100 do at[0] = i busy(0.002) end",
             (void *)&w.at);
    for (int i = 0; i < 20; i++)
        assert_false(run(&w, "return 1", 200, 0));
    assert_int_equal(__atomic_load_n(&stop, __ATOMIC_RELAXED), 7);
    assert_false(run(&w, code, 200, 0));
    assert_int_equal(__atomic_load_n(&stop, __ATOMIC_RELAXED), 0);
    close_watched(&w);
    gate_watchdog_close(&dog);
}

static _Atomic int stuck;

static void on_stuck(void *arg, struct gate_watch *w)
{
    /* Its own thread: cmocka's asserts are for the main one. */
    if (gate_watch_user(w) == arg)
        atomic_fetch_add(&stuck, 1);
}

/* Inside one C call no hook runs. */
static int stay(lua_State *L)
{
    uint64_t from = gate_watch_cpu_now();
    uint64_t ns = (uint64_t)lua_tointeger(L, 1) * GATE_MS;

    while (gate_watch_cpu_now() - from < ns)
        continue;
    return 0;
}

/* 20 budgets after the stop, but a second at least, the last resort is called, once. Not for what
 * was used before: then the watchdog came late, and the call will stop. */
static void test_stuck(void **state)
{
    struct gate_watchdog *dog;
    struct watched w;

    (void)state;
    assert_int_equal(gate_watchdog_open(&dog, GATE_WATCHDOG_SIGNAL, on_stuck, &w), GATE_OK);
    open_watched(&w, dog);
    lua_register(w.heap.L, "stay", stay);
    assert_true(run(&w, "stay(300) while true do end", 5, 0));
    assert_true(run(&w, "while true do end", 5, 2000));
    assert_int_equal(atomic_load(&stuck), 0);
    assert_true(run(&w, "stay(1500) while true do end", 5, 0));
    assert_int_equal(atomic_load(&stuck), 1);
    close_watched(&w);
    gate_watchdog_close(&dog);
}

static uint64_t process_cpu_ms(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)u.ru_utime.tv_sec * 1000 + (uint64_t)u.ru_utime.tv_usec / 1000 +
           (uint64_t)u.ru_stime.tv_sec * 1000 + (uint64_t)u.ru_stime.tv_usec / 1000;
}

/* Asleep after a while without scripts, and awake in time for the next. */
static void test_sleeps(void **state)
{
    struct gate_watchdog *dog;
    struct watched w;
    uint64_t before;

    (void)state;
    assert_int_equal(gate_watchdog_open(&dog, GATE_WATCHDOG_SIGNAL, NULL, NULL), GATE_OK);
    open_watched(&w, dog);
    assert_true(run(&w, "while true do end", 10, 0));
    for (int i = 0; i < 1000 && !atomic_load(w.watch->dozing); i++)
        usleep(10000);
    assert_true(atomic_load(w.watch->dozing));
    usleep(50000);
    before = process_cpu_ms();
    usleep(300000);
    assert_true(process_cpu_ms() - before <= 20);
    assert_true(run(&w, "while true do end", 10, 0));
    assert_false(atomic_load(w.watch->dozing));
    close_watched(&w);
    gate_watchdog_close(&dog);
}

#define NAME "a_name_that_is_longer_than_any_that_anybody_would_write_for_a_function_of_a_script"

/* Where it was stopped is told as far as there is room. */
static void test_long_stack(void **state)
{
    struct gate_watchdog *dog;
    struct watched w;

    (void)state;
    assert_int_equal(gate_watchdog_open(&dog, GATE_WATCHDOG_SIGNAL, NULL, NULL), GATE_OK);
    open_watched(&w, dog);
    assert_true(run(&w, "local function " NAME "(n)\n"
                        "  while n == 0 do end\n"
                        "  " NAME "(n - 1)\n"
                        "  return n\n"
                        "end\n"
                        NAME "(50)\n", 10, 0));
    assert_non_null(strstr(w.watch->stopped_at, "t.lua:2 in " NAME));
    assert_in_range(strlen(w.watch->stopped_at), GATE_STOPPED_AT / 2, GATE_STOPPED_AT - 1);
    close_watched(&w);
    gate_watchdog_close(&dog);
}

/* While a script runs it looks now and then, which costs next to nothing. */
static void test_waits(void **state)
{
    struct gate_watchdog *dog;
    struct watched w;
    uint64_t all, own;

    (void)state;
    assert_int_equal(gate_watchdog_open(&dog, GATE_WATCHDOG_SIGNAL, NULL, NULL), GATE_OK);
    open_watched(&w, dog);
    all = process_cpu_ms();
    own = gate_watch_cpu_now();
    assert_true(run(&w, "while true do end", 300, 0));
    own = (gate_watch_cpu_now() - own) / GATE_MS;
    all = process_cpu_ms() - all;
    assert_true(all <= own + 50);
    close_watched(&w);
    gate_watchdog_close(&dog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stops),     cmocka_unit_test(test_used),
        cmocka_unit_test(test_next_hook), cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_sleeps),    cmocka_unit_test(test_others_wait),
        cmocka_unit_test(test_waits),     cmocka_unit_test(test_long_stack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
