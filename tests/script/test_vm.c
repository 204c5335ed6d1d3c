/* Loads: what a gateway file becomes, and what is said when it is wrong. */
/* covers: script/vm.c script/load_errors.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "script/vm_int.h"
#include "support/script_rig.h"

#define GOOD                                                                                       \
    "local gate = require 'moongate'\n"                                                            \
    "gate.listen { '127.0.0.1:0' }\n"                                                              \
    "gate.route { path = '/', reply = { 200, 'x' } }\n"

static bool no_memory;

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    if (no_memory) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, n, prot, flags, fd, offset);
}

static bool has(struct gate_str s, const char *text)
{
    return memmem(s.p, s.n, text, strlen(text)) != NULL;
}

/* Loads a file that must be refused; the first error is at `line` and says `text`. */
static void assert_refused(const char *lua, const char *file, uint32_t line, const char *text)
{
    struct script_rig r;

    script_rig_begin(&r, lua);
    assert_int_equal(script_rig_load(&r), GATE_E_SCRIPT);
    assert_null(r.seat.vm);
    assert_true(r.errors.n >= 1);
    if (!has(r.errors.v[0].message, text) || r.errors.v[0].line != line ||
        !has(r.errors.v[0].file, file))
        print_message("%.*s:%u: %.*s\n", (int)r.errors.v[0].file.n, r.errors.v[0].file.p,
                      r.errors.v[0].line, (int)r.errors.v[0].message.n, r.errors.v[0].message.p);
    assert_true(has(r.errors.v[0].message, text));
    assert_true(has(r.errors.v[0].file, file));
    assert_int_equal(r.errors.v[0].line, line);
    script_rig_close(&r);
}

static void test_good(void **state)
{
    struct script_rig r;

    (void)state;
    script_rig_open(&r, GOOD);
    assert_true(has(gate_vm_config_text(r.seat.vm), "\"listeners\":[{\"address\":\"127.0.0.1:0\""));
    assert_true(gate_vm_memory(r.seat.vm) > 100000);
    script_rig_close(&r);
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused("x x\n", "gateway.lua", 1, "'=' expected");
    assert_refused("\n\nerror('broken')\n", "gateway.lua", 3, "broken");
    assert_refused("\nlocal x = nil\nx.y = 1\n", "gateway.lua", 3, "attempt to index local 'x'");
    assert_refused("error({ message = 'a table' })", "gateway.lua", 0, "a table");
    assert_refused("error()", "gateway.lua", 0, "nil was raised");
    assert_refused("\nx = 1", "gateway.lua", 2, "global 'x' cannot be set");
    assert_refused("require 'nothing'", "gateway.lua", 1, "there is no module 'nothing'");
    assert_refused("\033LJ\002", "gateway.lua", 0, "bytecode");
    assert_refused(GOOD "gate.route { pth = '/', reply = { 200 } }", "gateway.lua", 4, "pth");
    assert_refused(GOOD "gate.sleep(1)", "gateway.lua", 4, "not possible while the gateway file");
    assert_refused(GOOD "coroutine.yield()", "gateway.lua", 4, "outside a coroutine");
}

static void test_nearest(void **state)
{
    struct script_rig r;

    (void)state;
    script_rig_begin(&r, GOOD "gate.route {\n  path = '/x',\n  handlr = function() end,\n}\n");
    assert_int_equal(script_rig_load(&r), GATE_E_SCRIPT);
    assert_int_equal(r.errors.v[0].line, 6);
    assert_true(has(r.errors.v[0].name, "handlr"));
    assert_true(has(r.errors.v[0].nearest, "handler"));
    script_rig_close(&r);
}

static void test_modules(void **state)
{
    struct script_rig r;

    (void)state;
    script_rig_begin(&r, GOOD "local m = require 'lib.m'\n"
                              "assert(m == require 'lib.m' and m.n == 1)\n");
    gate_bundle_add(r.bundle, "lib/m.lua", GATE_STR("local M = { n = 0 } M.n = M.n + 1 return M"));
    assert_int_equal(script_rig_load(&r), GATE_OK);
    script_rig_close(&r);

    script_rig_begin(&r, "require 'a'");
    gate_bundle_add(r.bundle, "a.lua", GATE_STR("\nrequire 'b'"));
    gate_bundle_add(r.bundle, "b.lua", GATE_STR("\n\nrequire 'a'"));
    assert_int_equal(script_rig_load(&r), GATE_E_SCRIPT);
    assert_true(has(r.errors.v[0].file, "b.lua"));
    assert_true(has(r.errors.v[0].message, "module 'a' requires itself"));
    script_rig_close(&r);

    script_rig_begin(&r, "\nrequire 'a'");
    gate_bundle_add(r.bundle, "a.lua", GATE_STR("return {\n"));
    assert_int_equal(script_rig_load(&r), GATE_E_SCRIPT);
    assert_true(has(r.errors.v[0].file, "a.lua"));
    script_rig_close(&r);
}

/* A load that the system has no memory for is refused, as one with mistakes is: what serves goes on.
 */
static void test_no_memory(void **state)
{
    struct script_rig r;
    enum gate_err err;

    (void)state;
    script_rig_begin(&r, GOOD);
    no_memory = true;
    err = script_rig_load(&r);
    no_memory = false;
    assert_int_equal(err, GATE_E_SCRIPT);
    assert_true(has(r.errors.v[0].message, "the system has no memory for scripts"));
    script_rig_close(&r);
}

/* The load has budgets too. */
static void test_stopped(void **state)
{
    struct script_rig r;
    struct gate_vm_options o = {.load_time_ms = 100};

    (void)state;
    script_rig_begin(&r, GOOD "\nlocal function f() while true do pcall(f2) end end\nf()\n");
    o.bundle = r.bundle;
    o.log = &r.log;
    o.watchdog = r.dog;
    assert_int_equal(gate_vm_build(&o, &r.seat.vm, &r.errors), GATE_E_SCRIPT);
    assert_true(has(r.errors.v[0].message, "ran longer than load_time (100 ms)"));
    assert_int_equal(r.errors.v[0].line, 5);
    script_rig_close(&r);

    script_rig_begin(&r, GOOD "local t = {} for i = 1, 1e9 do t[i] = { i } end\n");
    o.bundle = r.bundle;
    o.log = &r.log;
    o.watchdog = r.dog;
    o.memory = 8 * 1024 * 1024;
    o.load_time_ms = 5000;
    assert_int_equal(gate_vm_build(&o, &r.seat.vm, &r.errors), GATE_E_SCRIPT);
    if (!has(r.errors.v[0].message, "memory"))
        print_message("%.*s\n", (int)r.errors.v[0].message.n, r.errors.v[0].message.p);
    assert_true(has(r.errors.v[0].message, "memory"));
    script_rig_close(&r);
}

/* What the file declares for itself counts from there on. */
static void test_own_limits(void **state)
{
    struct script_rig r;
    struct gate_vm_options o = {.load_time_ms = 60000, .memory = 8 * 1024 * 1024};

    (void)state;
    script_rig_begin(&r, GOOD "gate.limits { load_time = '100ms' }\nwhile true do end\n");
    o.bundle = r.bundle;
    o.log = &r.log;
    o.watchdog = r.dog;
    assert_int_equal(gate_vm_build(&o, &r.seat.vm, &r.errors), GATE_E_SCRIPT);
    assert_true(has(r.errors.v[0].message, "ran longer than load_time (100 ms)"));
    assert_int_equal(r.errors.v[0].line, 5);
    script_rig_close(&r);

    script_rig_begin(&r, GOOD "gate.limits { vm_memory = '64m' }\n"
                              "local t = {} for i = 1, 2e5 do t[i] = { i } end\n");
    o.bundle = r.bundle;
    o.watchdog = r.dog;
    assert_int_equal(gate_vm_build(&o, &r.seat.vm, &r.errors), GATE_OK);
    script_rig_close(&r);
}

static void *build(void *arg)
{
    struct script_rig *r = arg;
    struct gate_vm_options o = {
        .bundle = r->bundle, .log = &r->log, .load_time_ms = 5000, .watchdog = r->dog};

    return (void *)(uintptr_t)gate_vm_build(&o, &r->seat.vm, &r->errors);
}

/* Built on another thread, used on this one; and two VMs of one bundle say the same. */
static void test_threads(void **state)
{
    struct script_rig r;
    struct gate_vm *first;
    pthread_t thread;
    void *err;

    (void)state;
    script_rig_begin(&r, GOOD "local h = require 'h'\ngate.on.request(h)\n");
    gate_bundle_add(r.bundle, "h.lua",
                    GATE_STR("return function(req) return require('moongate')"
                             ".reply(200, req.path) end"));
    assert_int_equal(build(&r), GATE_OK);
    first = r.seat.vm;
    assert_int_equal(pthread_create(&thread, NULL, build, &r), 0);
    pthread_join(thread, &err);
    assert_null(err);
    assert_true(gate_str_eq(gate_vm_config_text(first), gate_vm_config_text(r.seat.vm)));
    gate_vm_free(&first);
    assert_null(first);
    script_rig_attach(&r);
    struct gate_exchange *x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_REPLY);
    script_rig_end(&x);
    script_rig_close(&r);
}

/* A chain that waits when the VM is detached is ended, not resumed. */
static void test_detach(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, GOOD "gate.on.request(function() gate.sleep(100) end)\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_start(&r, x, GATE_HOOK_REQUEST), GATE_VM_YIELD);
    gate_vm_detach(r.seat.vm);
    assert_null(x->hook);
    assert_false(r.done);
    x->scripted = false;
    script_rig_end(&x);
    script_rig_close(&r);
}

/* What a stopped request has left is gone after some turns of the loop, without another call; what
 * one that ended well has left, after a while. */
static void test_garbage(void **state)
{
    struct script_rig r;
    struct gate_vm *vm;
    uint64_t before;

    (void)state;
    script_rig_open(&r, "local gate = require 'moongate'\n"
                        "gate.limits { hook_cpu = '10s' }\n"
                        "gate.on.request(function(req)\n"
                        "  local t = {}\n"
                        "  for i = 1, 2e5 do t[i] = { i } end\n"
                        "  if req.headers['x-bad'] then error 'bad' end\n"
                        "end)\n" GOOD);
    vm = r.seat.vm;
    before = gate_vm_memory(vm);
    for (int i = 0; i < 2; i++) {
        struct gate_exchange *x = script_rig_exchange(&r);

        if (i == 0)
            gate_headers_set(&x->req.headers, GATE_STR("x-bad"), GATE_STR("1"));
        script_rig_call(&r, x, GATE_HOOK_REQUEST);
        assert_int_equal(r.verdict.kind, i == 0 ? GATE_VERDICT_FAULT : GATE_VERDICT_NEXT);
        script_rig_end(&x);
        assert_true(gate_vm_memory(vm) > before + 6 * 1024 * 1024);
        while (gate_vm_memory(vm) > before + 2 * 1024 * 1024) {
            if (i == 1)
                atomic_fetch_add(&r.clock.skew_ns, (int64_t)(100 * GATE_MS));
            gate_loop_refresh(&r.worker.loop);
            gate_loop_turn(&r.worker.loop, i == 0);
        }
    }
    script_rig_close(&r);
}

/* The same of what was left between the build and the attachment. */
static void test_garbage_before(void **state)
{
    struct script_rig r;
    struct gate_vm_options o;
    uint64_t before;

    (void)state;
    script_rig_begin(&r, GOOD);
    o = (struct gate_vm_options){
        .bundle = r.bundle, .log = &r.log, .load_time_ms = 5000, .clock = &r.clock};
    assert_int_equal(gate_vm_build(&o, &r.seat.vm, &r.errors), GATE_OK);
    before = gate_vm_memory(r.seat.vm);
    lua_createtable(r.seat.vm->L, 1000000, 0);
    lua_pop(r.seat.vm->L, 1);
    script_rig_attach(&r);
    assert_true(gate_vm_memory(r.seat.vm) > before + 6 * 1024 * 1024);
    while (gate_vm_memory(r.seat.vm) > before + 2 * 1024 * 1024) {
        atomic_fetch_add(&r.clock.skew_ns, (int64_t)(100 * GATE_MS));
        gate_loop_refresh(&r.worker.loop);
        gate_loop_turn(&r.worker.loop, false);
    }
    script_rig_close(&r);
}

/* The memory of compiled code is there when the VM comes to its worker. */
static void test_warm(void **state)
{
    struct script_rig r;
    lua_State *L;

    (void)state;
    script_rig_open(&r, GOOD);
    L = r.seat.vm->L;
    assert_int_equal(luaL_loadstring(L, "return require('jit.util').traceinfo(1) ~= nil"), 0);
    assert_int_equal(lua_pcall(L, 0, 1, 0), 0);
    assert_true(lua_toboolean(L, -1));
    lua_pop(L, 1);
    script_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nearest), cmocka_unit_test(test_modules),
        cmocka_unit_test(test_stopped), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_own_limits),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_detach),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_garbage_before),
        cmocka_unit_test(test_warm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
