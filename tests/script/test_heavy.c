/* Who ends when a VM's memory is full: what coroutines weigh, and which call is chosen. */
/* covers: script/weight.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "script/run_int.h"
#include "script/weight_int.h"
#include "support/script_rig.h"

#define STEPS (20000 * GATE_WEIGHT_OBJECT)
#define HOGS  8

/* ------------------------------------------------------------------ weights */

/* What a coroutine holds that has run the code and waits in it. */
static uint64_t weight_of(const char *code, uint32_t steps, bool *cut)
{
    lua_State *L = luaL_newstate(), *co;
    struct gate_weights w;
    uint64_t weight;

    luaL_openlibs(L);
    co = lua_newthread(L);
    assert_int_equal(luaL_loadbuffer(co, code, strlen(code), "@a.lua"), 0);
    assert_int_equal(lua_resume(co, 0), LUA_YIELD);
    gate_weights_init(&w, L);
    gate_weights_allow(&w, steps);
    weight = gate_weights_coroutine(&w, co);
    assert_int_equal(gate_weights_coroutine(&w, co), 0); /* once is enough */
    *cut = w.cut;
    gate_weights_fini(&w);
    assert_int_equal(lua_gettop(L), 1);
    assert_int_equal(lua_gettop(co), 0);
    lua_close(L);
    return weight;
}

static void assert_weight(const char *code, uint64_t least, uint64_t most)
{
    bool cut;

    assert_in_range(weight_of(code, STEPS, &cut), least, most);
    assert_false(cut);
}

static void test_weights(void **state)
{
    (void)state;
    assert_weight("coroutine.yield()", 0, 4096);
    assert_weight("local s = ('x'):rep(3e6) coroutine.yield() return s", 3000000, 3010000);
    assert_weight("local s = ('x'):rep(3e6) local t = { s, s, { s } } coroutine.yield()\n"
                  "return s, t", 3000000, 3010000);
    /* Of many equal things a few are looked at. */
    assert_weight("local t = {} for i = 1, 1e5 do t[i] = { i } end coroutine.yield() return t",
                  5000000, 9000000);
    assert_weight("local t = {} for i = 1, 1e5 do t['k' .. i] = i end coroutine.yield() return t",
                  5000000, 12000000);
    assert_weight("local t = {} for i = 1, 1e6 do t[i] = i end coroutine.yield() return t",
                  8000000, 9000000);
}

static void test_weights_held_elsewhere(void **state)
{
    (void)state;
    assert_weight("local function f(...) coroutine.yield() end f(('x'):rep(2e6))", 2000000,
                  2010000);
    assert_weight("local function make() local s = ('x'):rep(2e6) return function() return s end "
                  "end\nlocal f = make() coroutine.yield() return f", 2000000, 2010000);
    assert_weight("local f = coroutine.wrap(function() local s = ('x'):rep(2e6) coroutine.yield()\n"
                  "return s end) f() coroutine.yield() return f", 2000000, 2010000);
    assert_weight("local t = setmetatable({}, { __index = { ('x'):rep(2e6) } })\n"
                  "coroutine.yield() return t", 0, 4096);
}

/* Neither long chains nor huge tables take longer than they may. */
static void test_weights_bounded(void **state)
{
    static const char chain[] =
        "local t for i = 1, 1e5 do t = { next = t } end coroutine.yield() return t";
    static const char fields[] =
        "local t = {} for i = 1, 3e5 do t['k' .. i] = i end coroutine.yield() return t";
    static const char loop[] = "local t = {} t.t = t t[t] = { t } coroutine.yield() return t";
    bool cut;

    (void)state;
    weight_of(chain, STEPS, &cut);
    assert_true(cut);
    weight_of(fields, STEPS, &cut);
    assert_true(cut);
    weight_of("local t = { {}, {}, {} } coroutine.yield() return t", 2 * GATE_WEIGHT_OBJECT,
              &cut);
    assert_true(cut);
    assert_weight(loop, 50, 4096);
}

/* ------------------------------------------------------------------ who ends */

#define GATEWAY                                                                                    \
    "local gate = require 'moongate'\n"                                                            \
    "gate.listen { '127.0.0.1:0' }\n"                                                              \
    "gate.limits { vm_memory = '32m', hook_cpu = '20s' }\n"                                        \
    "gate.route { path = '/a/', reply = { 200, 'x' } }\n"                                          \
    "local serial = 0\n" /* equal strings would be one */                                          \
    "local function rows(mib)\n"                                                                   \
    "  local t = {}\n"                                                                             \
    "  for i = 1, mib * 8 do serial = serial + 1 t[i] = serial .. ('x'):rep(131072) end\n"         \
    "  return t\n"                                                                                 \
    "end\n"                                                                                        \
    "local kept = {}\n"                                                                            \
    "gate.on.connect(function()\n"                                                                \
    "  local t = rows(8) gate.sleep(100) if not t[1] then return false end\n"                     \
    "end)\n"                                                                                       \
    "gate.on.request(function(req)\n"                                                              \
    "  local what = req.headers['x-do']\n"                                                         \
    "  if what == 'hog' then local t = rows(4) gate.sleep(100) return gate.reply(200, t[1]) end\n" \
    "  if what == 'half' then local t = rows(2) gate.sleep(100) return gate.reply(200, t[1]) end\n"\
    "  if what == 'ctx' then req.ctx.t = rows(4) gate.sleep(100) end\n"                            \
    "  if what == 'all' then\n"                                                                    \
    "    local function hog() local t = rows(1) gate.sleep(100) return t end\n"                    \
    "    gate.all { hog, hog, hog, hog }\n"                                                          \
    "  end\n"                                                                                      \
    "  if what == 'churn' then for i = 1, 100 do rows(1) end gate.sleep(100) end\n"                \
    "  if what == 'spawn' then\n"                                                                  \
    "    gate.spawn(function() local t = rows(8) gate.sleep(100) return t end)\n"                  \
    "  end\n"                                                                                      \
    "  if what == 'piece' then return gate.reply(200, #('x'):rep(1.2e6) .. '') end\n"                \
    "  if what == 'keep' then kept[#kept + 1] = rows(4) end\n"                                     \
    "  if what == 'much' then return gate.reply(200, #rows(40) .. '') end\n"                       \
    "  if what == 'little' then rows(1) end\n"                                                     \
    "  return gate.reply(200, 'done')\n"                                                           \
    "end)\n"

struct call {
    struct gate_exchange *x;
    bool done;
    struct gate_hook_verdict v;
};

struct fixture {
    struct script_rig r;
    struct call calls[64];
    int n;
};

static struct fixture *now;

static void on_end(void *arg, const struct gate_hook_verdict *v)
{
    for (int i = 0; i < now->n; i++)
        if (now->calls[i].x == arg) {
            now->calls[i].done = true;
            now->calls[i].v = *v;
        }
}

static struct call *begin(struct fixture *f, const char *what)
{
    struct call *c = &f->calls[f->n++];

    assert_true(f->n <= 64);
    now = f;
    c->x = script_rig_exchange(&f->r);
    gate_headers_set(&c->x->req.headers, GATE_STR("x-do"), gate_str_from_cstr(what));
    /* Or calls that took long here would put this one off. */
    f->r.worker.loop.tired = false;
    gate_suspects_init(&f->r.seat.vm->suspects);
    c->done = gate_hook_call(c->x, GATE_HOOK_REQUEST, GATE_SCOPE_ALL, on_end, &c->v) ==
              GATE_VM_DONE;
    return c;
}

/* A call that has to end at once, and does nobody harm. */
static void run(struct fixture *f, const char *what, enum gate_verdict_kind kind)
{
    struct call *c = begin(f, what);

    assert_true(c->done);
    assert_int_equal(c->v.kind, kind);
    script_rig_end(&c->x);
    f->n--;
}

static int ended(const struct fixture *f)
{
    int n = 0;

    for (int i = 0; i < f->n; i++)
        n += f->calls[i].done && f->calls[i].v.result == GATE_VM_NOMEM;
    return n;
}

static void open_fixture(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    script_rig_open(&f->r, GATEWAY);
}

static void close_fixture(struct fixture *f)
{
    for (int i = 0; i < f->n; i++) {
        if (f->calls[i].x == NULL)
            continue;
        gate_hook_cancel(&f->calls[i].x->hook);
        script_rig_end(&f->calls[i].x);
    }
    script_rig_close(&f->r);
}

/* A turn of the loop; the requests of calls that have ended are over then. */
static void turn(struct fixture *f)
{
    gate_loop_turn(&f->r.worker.loop, false);
    for (int i = 0; i < f->n; i++)
        if (f->calls[i].done && f->calls[i].x != NULL)
            script_rig_end(&f->calls[i].x);
}

/* Innocent calls, with turns in between, until so many others have ended. */
static void press(struct fixture *f, const char *what, int until)
{
    for (int i = 0; i < 1000 && ended(f) < until; i++) {
        run(f, what, GATE_VERDICT_REPLY);
        turn(f);
    }
    assert_int_equal(ended(f), until);
}

static void press_out(const char *what)
{
    struct fixture f;

    open_fixture(&f);
    for (int i = 0; i < HOGS; i++)
        begin(&f, what);
    press(&f, "little", 1);
    assert_true(script_rig_logged(&f.r, "script out of memory: gateway.lua:"));
    assert_true(script_rig_logged(&f.r, ": not enough memory"));
    assert_int_equal(gate_counters_get(&f.r.worker.counters, GATE_C_HOOK_NOMEM), 1);
    /* Then there is room again. */
    for (int i = 0; i < 40; i++) {
        run(&f, "little", GATE_VERDICT_REPLY);
        turn(&f);
    }
    assert_in_range(ended(&f), 1, 3);
    close_fixture(&f);
}

static void test_waiting_hogs(void **state)
{
    (void)state;
    press_out("hog");
}

static void test_hogs_with_ctx(void **state)
{
    (void)state;
    press_out("ctx");
}

/* Without a turn of the loop in between none of the others can end, and nobody else fails. */
static void test_in_a_row(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    for (int i = 0; i < HOGS; i++)
        begin(&f, "hog");
    for (int i = 0; i < 100; i++)
        run(&f, i % 4 == 0 ? "piece" : "little", GATE_VERDICT_REPLY);
    assert_int_equal(ended(&f), 0);
    press(&f, "little", 1);
    close_fixture(&f);
}

/* The members of a gate.all count with the call that waits for them, and end with it. */
static void test_members(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    begin(&f, "half");
    begin(&f, "half");
    for (int i = 0; i < HOGS - 1; i++) {
        begin(&f, "all");
        turn(&f);
    }
    press(&f, "little", 1);
    assert_false(f.calls[0].done);
    assert_false(f.calls[1].done);
    close_fixture(&f);
}

/* A job that nobody waits for ends as well. */
static void test_job(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    run(&f, "spawn", GATE_VERDICT_REPLY);
    turn(&f);
    assert_int_equal(f.r.seat.vm->n_jobs, 1);
    for (int i = 0; i < HOGS - 2; i++)
        begin(&f, "hog");
    for (int i = 0; i < 1000 && f.r.seat.vm->n_jobs > 0; i++) {
        run(&f, "little", GATE_VERDICT_REPLY);
        turn(&f);
    }
    assert_int_equal(f.r.seat.vm->n_jobs, 0);
    assert_int_equal(ended(&f), 0);
    assert_true(script_rig_logged(&f.r, " hook=spawn "));
    close_fixture(&f);
}

static void on_connect_end(void *arg, const struct gate_hook_verdict *v)
{
    *(struct gate_hook_verdict *)arg = *v;
}

/* So does a connect hook, which has no request. */
static void test_connect(void **state)
{
    struct gate_connect_info info = {GATE_STR("192.0.2.1"), 99, GATE_STR("192.0.2.1")};
    struct gate_hook_verdict v, end = {.result = GATE_VM_DONE};
    struct gate_hook_run *waiting;
    struct fixture f;

    (void)state;
    open_fixture(&f);
    assert_int_equal(gate_hook_connect(f.r.seat.vm, &info, on_connect_end, &end, &waiting, &v),
                     GATE_VM_YIELD);
    for (int i = 0; i < 6; i++)
        begin(&f, "hog");
    for (int i = 0; i < 1000 && waiting != NULL; i++) {
        run(&f, "little", GATE_VERDICT_REPLY);
        turn(&f);
    }
    assert_null(waiting);
    assert_int_equal(end.result, GATE_VM_NOMEM);
    assert_int_equal(ended(&f), 0);
    close_fixture(&f);
}

/* Who runs and is the heaviest fails itself. */
static void test_running_hog(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    begin(&f, "hog");
    begin(&f, "hog");
    run(&f, "much", GATE_VERDICT_FAULT);
    turn(&f);
    run(&f, "little", GATE_VERDICT_REPLY);
    assert_int_equal(ended(&f), 0);
    close_fixture(&f);
}

/* What a call once allocated is not what it holds. */
static void test_churning(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    begin(&f, "churn");
    for (int i = 0; i < 2 * HOGS; i++) {
        begin(&f, "hog");
        run(&f, "little", GATE_VERDICT_REPLY);
        turn(&f);
    }
    assert_in_range(ended(&f), HOGS - 1, HOGS + 2);
    assert_false(f.calls[0].done);
    close_fixture(&f);
}

/* Memory of modules is nobody's: who runs gets the error. */
static void test_kept(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    begin(&f, "churn");
    for (int i = 0; i < 7; i++) {
        run(&f, "keep", GATE_VERDICT_REPLY);
        turn(&f);
    }
    for (int i = 0; i < 20; i++) {
        struct call *c = begin(&f, "keep");

        assert_true(c->done);
        turn(&f);
    }
    assert_true(ended(&f) > 0);
    assert_false(f.calls[0].done);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_weights_held_elsewhere),
        cmocka_unit_test(test_weights_bounded),
        cmocka_unit_test(test_waiting_hogs),
        cmocka_unit_test(test_hogs_with_ctx),
        cmocka_unit_test(test_in_a_row),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_job),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_running_hog),
        cmocka_unit_test(test_churning),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
