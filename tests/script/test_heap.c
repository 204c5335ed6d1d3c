/* The heap of one Lua state: counting, the cap and its softness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "script/heap_int.h"

#define MIB (1024u * 1024)

static lua_State *open_heap(struct gate_heap *h, uint64_t cap)
{
    gate_heap_open(h, cap);
    luaL_openlibs(h->L);
    return h->L;
}

/* Runs code under the cap, in a coroutine as tasks do; the status of lua_resume. */
static int run(struct gate_heap *h, const char *code)
{
    lua_State *co = lua_newthread(h->L);
    int status;

    assert_int_equal(luaL_loadstring(co, code), 0);
    gate_heap_enforce(h);
    status = lua_resume(co, 0);
    lua_sethook(co, NULL, 0, 0);
    gate_heap_release(h);
    if (status != 0)
        assert_string_equal(lua_tostring(co, -1), "not enough memory");
    lua_settop(h->L, 0);
    return status;
}

static void test_counts(void **state)
{
    struct gate_heap h;
    uint64_t before;

    (void)state;
    open_heap(&h, 64 * MIB);
    before = gate_heap_used(&h);
    assert_in_range(before, 50000, 2 * MIB);
    assert_int_equal(run(&h, "kept = ('x'):rep(8 * 1024 * 1024)"), 0);
    assert_in_range(gate_heap_used(&h) - before, 8 * MIB, 26 * MIB);
    assert_int_equal(run(&h, "kept = nil collectgarbage() collectgarbage()"), 0);
    assert_in_range(gate_heap_used(&h), before / 2, before + 4 * MIB);
    gate_heap_close(&h);
    assert_int_equal(gate_heap_used(&h), 0);
}

static void test_cap(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 8 * MIB);
    for (int i = 0; i < 20; i++) {
        assert_int_not_equal(run(&h, "local t = {} for i = 1, 1e9 do t[i] = { i } end"), 0);
        assert_true(h.refused);
        assert_true(gate_heap_used(&h) < 10 * MIB);
        gate_heap_settle(&h);
        assert_true(gate_heap_used(&h) < 4 * MIB);
    }
    /* The state is as good as before. */
    assert_int_equal(run(&h, "local t = {} for i = 1, 1e4 do t[i] = { i } end"), 0);
    assert_false(h.refused);
    gate_heap_close(&h);
}

/* pcall may catch it, but does not get beyond the slack. */
static void test_caught(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 8 * MIB);
    assert_int_not_equal(run(&h, "local t = {} local function grow()\n"
                                 "  while true do t[#t + 1] = { 1, 2, 3 } end end\n"
                                 "while true do pcall(grow) end"),
                         0);
    assert_true(gate_heap_used(&h) < 10 * MIB);
    gate_heap_close(&h);

    open_heap(&h, 8 * MIB);
    assert_int_equal(run(&h, "local ok, err = pcall(string.rep, 'x', 1e9)\n"
                             "assert(not ok and err == 'not enough memory')"),
                     0);
    gate_heap_close(&h);
}

/* One piece is bounded, however large the cap. */
static void test_piece(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 256 * MIB);
    assert_int_equal(run(&h, "return ('x'):rep(20e6)"), 0);
    assert_int_not_equal(run(&h, "return ('x'):rep(200e6)"), 0);
    gate_heap_close(&h);
}

/* Outside of a call nothing is refused. */
static void test_released(void **state)
{
    struct gate_heap h;
    lua_State *L;

    (void)state;
    L = open_heap(&h, 4 * MIB);
    lua_createtable(L, 1000000, 0);
    assert_true(gate_heap_used(&h) > 7 * MIB);
    lua_pop(L, 1);
    gate_heap_settle(&h);
    assert_true(gate_heap_used(&h) < 3 * MIB);
    gate_heap_close(&h);
}

/* A heap full of what is in use is not collected before each call. */
static void test_patience(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 8 * MIB);
    lua_createtable(h.L, 900000, 0);
    lua_setglobal(h.L, "kept");
    for (int i = 0; i < 100; i++)
        gate_heap_settle(&h);
    assert_in_range(h.patience, 31, 127);
    lua_pushnil(h.L);
    lua_setglobal(h.L, "kept");
    for (int i = 0; i < 200 && gate_heap_full(&h); i++)
        gate_heap_settle(&h);
    assert_false(gate_heap_full(&h));
    assert_int_equal(h.patience, 0);
    gate_heap_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),   cmocka_unit_test(test_cap),
        cmocka_unit_test(test_caught),   cmocka_unit_test(test_piece),
        cmocka_unit_test(test_released), cmocka_unit_test(test_patience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
