/* When a VM is said to stay full: of what its modules keep, for some time, and not again and again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "script/vm_int.h"
#include "support/script_rig.h"

#define MIB (1024u * 1024)

#define GATEWAY                                                                                    \
    "local gate = require 'moongate'\n"                                                            \
    "gate.listen { '127.0.0.1:0' }\n"                                                              \
    "gate.limits { vm_memory = '32m', hook_cpu = '20s' }\n"                                        \
    "gate.route { path = '/a/', reply = { 200, 'x' } }\n"                                          \
    "local serial = 0\n" /* equal strings would be one */                                          \
    "local function rows(n)\n"                                                                     \
    "  local t = {}\n"                                                                             \
    "  for i = 1, n do serial = serial + 1 t[i] = serial .. ('x'):rep(131072) end\n"               \
    "  return t\n"                                                                                 \
    "end\n"                                                                                        \
    "local kept = {}\n"                                                                            \
    "gate.on.request(function(req)\n"                                                              \
    "  local what = req.headers['x-do']\n"                                                         \
    "  if what == 'keep' then kept = rows(226) end\n" /* 29 MiB and more */                         \
    "  if what == 'forget' then kept = {} end\n"                                                   \
    "  if what == 'waste' then for i = 1, 60 do rows(8) end end\n"                                 \
    "  if what == 'hold' then\n"                                                                   \
    "    local t = rows(226)\n"                                                                    \
    "    gate.sleep(100) return gate.reply(200, t[1])\n"                                           \
    "  end\n"                                                                                      \
    "  if what == 'job' then\n"                                                                    \
    "    gate.spawn(function() local t = rows(226) gate.sleep(1000) return t end)\n"             \
    "  end\n"                                                                                     \
    "  if what == 'more' then local t = rows(100) end\n"                                          \
    "  if what == 'much' then rows(400) end\n"                                                     \
    "end)\n"

struct fixture {
    struct script_rig r;
    struct gate_exchange *waiting;
};

static struct gate_vm_fullness told;
static int times;

static void on_full(struct gate_worker *w, const struct gate_vm_fullness *f)
{
    (void)w;
    told = *f;
    times++;
}

static void open_fixture(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    times = 0;
    script_rig_begin(&f->r, GATEWAY);
    f->r.worker.on_full = on_full;
    assert_int_equal(script_rig_load(&f->r), GATE_OK);
}

static void close_fixture(struct fixture *f)
{
    if (f->waiting != NULL) {
        gate_hook_cancel(&f->waiting->hook);
        script_rig_end(&f->waiting);
    }
    script_rig_close(&f->r);
}

static enum gate_verdict_kind try(struct fixture *f, const char *what)
{
    struct gate_exchange *x = script_rig_exchange(&f->r);
    enum gate_verdict_kind kind;

    gate_headers_set(&x->req.headers, GATE_STR("x-do"), gate_str_from_cstr(what));
    kind = script_rig_call(&f->r, x, GATE_HOOK_REQUEST);
    script_rig_end(&x);
    return kind;
}

static void call(struct fixture *f, const char *what, enum gate_verdict_kind kind)
{
    assert_int_equal(try(f, what), kind);
}

/* A call that waits from here on. */
static void hold(struct fixture *f, const char *what)
{
    f->waiting = script_rig_exchange(&f->r);
    gate_headers_set(&f->waiting->req.headers, GATE_STR("x-do"), gate_str_from_cstr(what));
    assert_int_equal(script_rig_start(&f->r, f->waiting, GATE_HOOK_REQUEST), GATE_VM_YIELD);
}

/* So much time of the loop goes by, in steps, and all work that comes due is done. */
static void pass(struct fixture *f, uint64_t ms)
{
    struct gate_vm *vm = f->r.seat.vm;

    for (uint64_t gone = 0; gone < ms; gone += 100) {
        atomic_fetch_add(&f->r.clock.skew_ns, (int64_t)(100 * GATE_MS));
        gate_loop_refresh(&f->r.worker.loop);
        do {
            gate_loop_turn(&f->r.worker.loop, false);
        } while (vm->heap.clearing);
        gate_loop_turn(&f->r.worker.loop, false);
    }
}

static void test_kept(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    pass(&f, 10000);
    call(&f, "keep", GATE_VERDICT_NEXT);
    call(&f, "little", GATE_VERDICT_NEXT);
    pass(&f, 1500);
    assert_int_equal(times, 0);
    pass(&f, 1500);
    assert_int_equal(times, 1);
    assert_ptr_equal(told.vm, f.r.seat.vm);
    assert_int_equal(told.cap, 32 * MIB);
    assert_in_range(told.kept, 29 * MIB, 33 * MIB);
    assert_in_range(told.born, 100000, 4 * MIB);
    /* Nobody has done anything about it: once more, after a while. */
    pass(&f, 13000);
    assert_int_equal(times, 1);
    pass(&f, 3000);
    assert_int_equal(times, 2);
    /* It has become less, and more again: from the beginning. */
    call(&f, "forget", GATE_VERDICT_NEXT);
    pass(&f, 60000);
    assert_int_equal(times, 2);
    call(&f, "keep", GATE_VERDICT_NEXT);
    call(&f, "little", GATE_VERDICT_NEXT);
    pass(&f, 3000);
    assert_int_equal(times, 3);
    close_fixture(&f);
}

/* Garbage does not count, however much there is. */
static void test_waste(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    for (int i = 0; i < 10; i++) {
        call(&f, "waste", GATE_VERDICT_NEXT);
        pass(&f, 500);
    }
    assert_int_equal(times, 0);
    close_fixture(&f);
}

/* Nor does what a request holds that waits: it goes with the request. */
static void test_held(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    hold(&f, "hold");
    for (int i = 0; i < 100; i++) {
        call(&f, "little", GATE_VERDICT_NEXT);
        pass(&f, 100);
    }
    assert_true(f.r.seat.vm->heap.crowded >= 3);
    assert_int_equal(times, 0);
    close_fixture(&f);
}

/* What a job holds does: it may work for ever. */
static void test_job(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    call(&f, "job", GATE_VERDICT_NEXT);
    for (int i = 0; i < 100; i++) {
        call(&f, "little", GATE_VERDICT_NEXT);
        pass(&f, 100);
    }
    assert_true(times >= 1);
    assert_in_range(told.kept, 29 * MIB, 33 * MIB);
    close_fixture(&f);
}

/* A call that ended for want of memory is reason to look at once. */
static void test_hurried(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    call(&f, "keep", GATE_VERDICT_NEXT);
    call(&f, "much", GATE_VERDICT_FAULT);
    pass(&f, 200);
    assert_int_equal(times, 1);
    assert_in_range(told.kept, 29 * MIB, 33 * MIB);
    /* But what it took itself is gone. */
    call(&f, "forget", GATE_VERDICT_NEXT);
    pass(&f, 20000);
    call(&f, "much", GATE_VERDICT_FAULT);
    pass(&f, 20000);
    assert_int_equal(times, 1);
    close_fixture(&f);
}

/* Nor is it full of what calls have taken while the collector was at work. */
static void test_attacked(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    for (int i = 0; i < 500; i++) {
        try(&f, i % 8 == 0 ? "much" : "more");
        if (i % 3 == 0)
            continue;
        atomic_fetch_add(&f.r.clock.skew_ns, (int64_t)GATE_MS);
        gate_loop_refresh(&f.r.worker.loop);
        gate_loop_turn(&f.r.worker.loop, false);
    }
    assert_int_equal(times, 0);
    close_fixture(&f);
}

/* One that is retired need not be replaced. */
static void test_retired(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    call(&f, "keep", GATE_VERDICT_NEXT);
    call(&f, "little", GATE_VERDICT_NEXT);
    pass(&f, 500);
    gate_vm_retire(f.r.seat.vm);
    call(&f, "little", GATE_VERDICT_NEXT);
    pass(&f, 20000);
    assert_int_equal(times, 0);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),    cmocka_unit_test(test_waste),
        cmocka_unit_test(test_held),    cmocka_unit_test(test_job),
        cmocka_unit_test(test_hurried),
        cmocka_unit_test(test_attacked), cmocka_unit_test(test_retired),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
