/* The heap of one Lua state: counting, the cap and its softness, garbage. */
/* covers: script/heap_garbage.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "script/heap_int.h"

#define MIB (1024u * 1024)

static lua_State *open_heap(struct gate_heap *h, uint64_t cap)
{
    assert_true(gate_heap_open(h, cap));
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

/* What an owner does when it is told that there is something to do. */
static void visit_all(struct gate_heap *h)
{
    enum gate_heap_visit v = GATE_HEAP_LATER;

    for (int i = 0; i < 100000 && v != GATE_HEAP_DONE; i++)
        v = gate_heap_visit(h);
    assert_int_equal(v, GATE_HEAP_DONE);
}

/* Whether there is compiled code. */
static bool has_code(struct gate_heap *h)
{
    bool has;

    assert_int_equal(luaL_loadstring(h->L, "local info = require('jit.util').traceinfo\n"
                                           "for i = 1, 100 do if info(i) then return true end end\n"
                                           "return false"), 0);
    lua_call(h->L, 0, 1);
    has = lua_toboolean(h->L, -1);
    lua_pop(h->L, 1);
    return has;
}

static uint64_t idle(const struct gate_heap *h)
{
    return h->pages.from.idle + h->runs.idle;
}

static int told;

static void on_stale(struct gate_heap *h)
{
    (void)h;
    told++;
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
        visit_all(&h);
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
    visit_all(&h);
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
    for (int i = 0; i < 100; i++) {
        gate_heap_settle(&h);
        visit_all(&h);
    }
    assert_in_range(h.patience, 31, 127);
    lua_pushnil(h.L);
    lua_setglobal(h.L, "kept");
    for (int i = 0; i < 200 && gate_heap_used(&h) > 6 * MIB; i++) {
        gate_heap_settle(&h);
        visit_all(&h);
    }
    assert_true(gate_heap_used(&h) < 4 * MIB);
    assert_int_equal(h.patience, 0);
    gate_heap_close(&h);
}

/* While what others left is cleared, a call has room. Who comes when that is used up too waits for
 * all of it. */
static void test_room_meanwhile(void **state)
{
    static const char fill[] = "local t = {} for i = 1, 1e9 do t[i] = { i } end";
    struct gate_heap h;

    (void)state;
    open_heap(&h, 8 * MIB);
    assert_int_not_equal(run(&h, fill), 0);
    gate_heap_settle(&h);
    assert_true(h.clearing);
    assert_true(gate_heap_used(&h) > 7 * MIB);
    assert_int_equal(run(&h, "local t = {} for i = 1, 2000 do t[i] = { i } end"), 0);
    for (int i = 0; i < 20; i++) {
        run(&h, fill);
        assert_true(gate_heap_used(&h) < 12 * MIB);
        gate_heap_settle(&h);
        assert_true(gate_heap_used(&h) <= 9 * MIB);
    }
    visit_all(&h);
    assert_int_equal(h.cap, 8 * MIB);
    gate_heap_close(&h);
}

/* What the collector's pause was; it is as before. */
static int pause_of(struct gate_heap *h)
{
    int pause = lua_gc(h->L, LUA_GCSETPAUSE, 0);

    lua_gc(h->L, LUA_GCSETPAUSE, pause);
    return pause;
}

/* The collector is the less eager the less there is. */
static void test_pace(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 32 * MIB);
    assert_int_equal(pause_of(&h), 200);
    gate_heap_collect(&h);
    assert_int_equal(pause_of(&h), 400);
    assert_int_equal(run(&h, "kept = {} for i = 1, 1e5 do kept[i] = { i } end"), 0);
    assert_int_equal(pause_of(&h), 200);
    assert_int_equal(run(&h, "more = {} for i = 1, 1.2e5 do more[i] = { i } end"), 0);
    assert_true(gate_heap_unsettled(&h));
    gate_heap_settle(&h);
    assert_int_equal(pause_of(&h), 115);
    assert_false(gate_heap_unsettled(&h));
    assert_int_equal(run(&h, "kept, more = nil"), 0);
    visit_all(&h);
    assert_int_equal(pause_of(&h), 400);
    gate_heap_close(&h);
}

/* Garbage of a state that nobody calls any more goes, and its memory to the kernel. */
static void test_stale(void **state)
{
    struct gate_heap h;
    uint64_t before;

    (void)state;
    open_heap(&h, 64 * MIB);
    gate_heap_collect(&h);
    before = gate_heap_used(&h);
    told = 0;
    h.on_stale = on_stale;
    assert_int_equal(run(&h, "local t = {} for i = 1, 1e4 do t[i] = { i } end"), 0);
    assert_int_equal(told, 0); /* not worth it */
    assert_int_equal(run(&h, "local t = {} for i = 1, 3e5 do t[i] = { i } end"), 0);
    assert_int_equal(told, 1);
    assert_true(gate_heap_used(&h) > before + 8 * MIB);
    /* It may be in use; only when it stays is the collector run. */
    assert_int_equal(gate_heap_visit(&h), GATE_HEAP_LATER);
    assert_true(gate_heap_used(&h) > before + 8 * MIB);
    visit_all(&h);
    assert_true(gate_heap_used(&h) < before + MIB);
    assert_true(idle(&h) <= 2 * MIB);
    assert_false(h.stale);
    assert_int_equal(run(&h, "local t = {} for i = 1, 3e5 do t[i] = { i } end"), 0);
    assert_int_equal(told, 2);
    gate_heap_close(&h);
}

/* After a stop what it left is cleared at once, if it is much; but not all in one go. */
static void test_disturbed(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 64 * MIB);
    gate_heap_collect(&h);
    gate_heap_disturbed(&h);
    assert_false(h.clearing);
    assert_int_equal(run(&h, "local s = ('x'):rep(8e6) s = s .. 'y'"), 0);
    gate_heap_disturbed(&h);
    assert_true(h.clearing);
    visit_all(&h);
    assert_true(gate_heap_used(&h) < 2 * MIB);
    assert_int_not_equal(run(&h, "local t = {} for i = 1, 1e9 do t[i] = { i } end"), 0);
    gate_heap_disturbed(&h);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gate_heap_visit(&h), GATE_HEAP_SOON);
        assert_true(h.clearing);
    }
    visit_all(&h);
    assert_true(gate_heap_used(&h) < 2 * MIB);
    gate_heap_close(&h);
}

/* A call amid the clearing, whose garbage the last round may have come too early for: wherever the
 * round stood, that is not kept. */
static void test_late(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 64 * MIB);
    gate_heap_collect(&h);
    for (int k = 0; k < 24; k++) {
        assert_int_equal(run(&h, "local t = {} for i = 1, 2e5 do t[i] = { i } end"), 0);
        gate_heap_disturbed(&h);
        for (int i = 0; i <= k % 4 && h.clearing; i++)
            gate_heap_visit(&h);
        assert_int_equal(run(&h, "local t = {} for i = 1, 2e5 do t[i] = { i } end"), 0);
        visit_all(&h);
        assert_true(gate_heap_used(&h) < 2 * MIB);
    }
    gate_heap_close(&h);
}

/* What only compiled code refers to any more goes too, but compiled code stays when that is
 * little. */
static void test_pinned(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 64 * MIB);
    gate_heap_collect(&h);
    assert_int_equal(run(&h, "function fill(n)\n"
                             "  local t = {}\n"
                             "  local function put(i) t[#t + 1] = { i } end\n"
                             "  for i = 1, n do put(i) end\n"
                             "end"), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(run(&h, i % 2 == 0 ? "fill(1e4)" : "fill(3e5)"), 0);
        assert_true(has_code(&h));
        gate_heap_reclaim(&h);
        visit_all(&h);
        assert_true(gate_heap_used(&h) < 4 * MIB);
        assert_int_equal(has_code(&h), i != 1);
    }
    gate_heap_close(&h);
}

/* Collections that leave it nearly full are counted, as long as they come in a row. */
static void test_crowded(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 32 * MIB);
    gate_heap_collect(&h);
    assert_int_equal(h.crowded, 0);
    assert_int_equal(run(&h, "kept = {} for i = 1, 225 do kept[i] = i .. ('x'):rep(131072) end"), 0);
    for (uint32_t i = 1; i <= 3; i++) {
        gate_heap_reclaim(&h);
        visit_all(&h);
        /* One more the first time, when compiled code went. */
        assert_int_equal(h.crowded, i + 1);
        assert_in_range(h.kept, gate_heap_crowded_at(&h), 32 * MIB);
    }
    assert_int_equal(run(&h, "kept = nil"), 0);
    gate_heap_reclaim(&h);
    visit_all(&h);
    assert_int_equal(h.crowded, 0);
    gate_heap_close(&h);
}

/* What calls take meanwhile may be garbage: it does not count. */
static void test_crowded_lately(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 64 * MIB);
    assert_int_equal(run(&h, "kept = {} for i = 1, 1e5 do kept[i] = { i } end\n"
                             "for i = 1, 390 do kept[-i] = i .. ('x'):rep(131072) end"), 0);
    gate_heap_reclaim(&h);
    while (h.clearing) {
        gate_heap_visit(&h);
        h.taken += 20 * MIB; /* as if: a round takes several visits */
    }
    assert_true(h.after > gate_heap_crowded_at(&h));
    assert_true(h.kept < 50 * MIB);
    assert_int_equal(h.crowded, 0);
    gate_heap_reclaim(&h);
    visit_all(&h);
    assert_true(h.crowded > 0);
    gate_heap_close(&h);
}

/* A busy state keeps what it needs now and then, and no more. */
static void test_spared(void **state)
{
    struct gate_heap h;

    (void)state;
    open_heap(&h, 64 * MIB);
    gate_heap_collect(&h);
    assert_int_equal(run(&h, "kept = {} for i = 1, 3e5 do kept[i] = { i } end"), 0);
    assert_int_equal(gate_heap_visit(&h), GATE_HEAP_LATER);
    assert_int_equal(run(&h, "kept = nil collectgarbage() collectgarbage()"), 0);
    lua_gc(h.L, LUA_GCCOLLECT, 0);
    assert_true(idle(&h) > 8 * MIB);
    assert_int_equal(gate_heap_visit(&h), GATE_HEAP_LATER); /* it was needed since the last */
    assert_true(idle(&h) > 8 * MIB);
    visit_all(&h);
    assert_true(idle(&h) <= 2 * MIB);
    gate_heap_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),         cmocka_unit_test(test_cap),
        cmocka_unit_test(test_caught),         cmocka_unit_test(test_piece),
        cmocka_unit_test(test_released),       cmocka_unit_test(test_patience),
        cmocka_unit_test(test_room_meanwhile), cmocka_unit_test(test_stale),
        cmocka_unit_test(test_disturbed),      cmocka_unit_test(test_spared),
        cmocka_unit_test(test_pace),           cmocka_unit_test(test_late),
        cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_crowded),        cmocka_unit_test(test_crowded_lately),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
