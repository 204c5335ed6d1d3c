/* Hook calls and their verdicts. covers: script/hook_chain.c script/hook_report.c script/task.c
 * script/stack.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/script_rig.h"

#define PREFIX                                                                                     \
    "local gate = require 'moongate'\n"                                                            \
    "gate.listen { '127.0.0.1:0' }\n"                                                              \
    "local up = gate.upstream('o', { servers = { '127.0.0.1:9' } })\n"                             \
    "gate.route { path = '/a/', upstream = up, name = 'first' }\n"

static void assert_reply(struct gate_exchange *x, int status, const char *body)
{
    assert_true(x->reply.set);
    assert_int_equal(x->reply.status, status);
    assert_int_equal(x->reply.body.n, strlen(body));
    assert_memory_equal(x->reply.body.p, body, strlen(body));
}

static void assert_header(const struct gate_headers *h, const char *name, const char *value)
{
    struct gate_str v = GATE_STR_NONE;

    assert_true(gate_headers_get(h, gate_str_from_cstr(name), &v));
    assert_int_equal(v.n, strlen(value));
    assert_memory_equal(v.p, value, v.n);
}

static void test_reply(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, PREFIX
                    "gate.on.request(function(req)\n"
                    "  return gate.reply(401, 'who ' .. req.headers['x-user'], { ['X-A'] = 'b' })\n"
                    "end)\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_REPLY);
    assert_reply(x, 401, "who alice");
    assert_header(&x->reply.headers, "x-a", "b");
    assert_header(&x->reply.headers, "content-type", "text/plain; charset=utf-8");
    script_rig_end(&x);
    script_rig_close(&r);
}

static void test_nothing_goes_on(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, PREFIX
                    "gate.on.request(function(req) req.headers['X-Added'] = req.method end)\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_NEXT);
    assert_header(&x->req.headers, "x-added", "GET");
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_RESPONSE), GATE_VERDICT_NEXT);
    script_rig_end(&x);
    script_rig_close(&r);
}

static void test_sleep(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, PREFIX "gate.on.request(function(req)\n"
                               "  gate.sleep(0) gate.sleep('2ms')\n"
                               "  local co = coroutine.wrap(function() gate.sleep(0.001) "
                               "coroutine.yield(7) return 8 end)\n"
                               "  assert(co() == 7) assert(co() == 8)\n"
                               "  return gate.reply(200, req.path)\n"
                               "end)\n");
    for (int i = 0; i < 3; i++) {
        x = script_rig_exchange(&r);
        assert_int_equal(script_rig_start(&r, x, GATE_HOOK_REQUEST), GATE_VM_YIELD);
        assert_non_null(x->hook);
        script_rig_wait(&r);
        assert_null(x->hook);
        if (r.verdict.kind != GATE_VERDICT_REPLY)
            print_message("%s\n", r.lines);
        assert_int_equal(r.verdict.kind, GATE_VERDICT_REPLY);
        assert_reply(x, 200, "/a/b");
        script_rig_end(&x);
    }
    script_rig_close(&r);
}

static void test_error(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(
        &r, PREFIX
        "local function check(req) return req.headerz end\n"
        "gate.use { name = 'p', request = function(req) local x = check(req) return x end }\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_FAULT);
    assert_int_equal(r.verdict.result, GATE_VM_ERROR);
    assert_true(
        script_rig_logged(&r, "gateway.lua:5: req has no 'headerz'; did you mean 'headers'?"));
    assert_true(script_rig_logged(&r, "policy=p"));
    assert_true(script_rig_logged(&r, "hook=request"));
    assert_true(script_rig_logged(&r, "route=first"));
    assert_true(script_rig_logged(&r, "gateway.lua:6"));
    script_rig_end(&x);
    script_rig_close(&r);
}

static void test_kill(void **state)
{
    struct script_rig r;
    struct gate_exchange *x, *waiting;

    (void)state;
    script_rig_open(&r, PREFIX "gate.use { name = 'p', request = function(req)\n"
                               "  if req.headers['x-user'] == 'sleep' then gate.sleep(0.3) return "
                               "gate.reply(200, 'ok') end\n"
                               "  while true do pcall(function() while true do end end) end\n"
                               "end }\n");
    waiting = script_rig_exchange(&r);
    gate_headers_set(&waiting->req.headers, GATE_STR("x-user"), GATE_STR("sleep"));
    assert_int_equal(script_rig_start(&r, waiting, GATE_HOOK_REQUEST), GATE_VM_YIELD);
    x = script_rig_exchange(&r);
    assert_int_equal(gate_hook_call(x, GATE_HOOK_REQUEST, GATE_SCOPE_ALL, NULL, &r.verdict),
                     GATE_VM_DONE);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_FAULT);
    assert_int_equal(r.verdict.result, GATE_VM_KILLED);
    assert_true(script_rig_logged(
        &r, "gateway.lua:7: stopped: it used more CPU time than its budget, 50 ms"));
    script_rig_end(&x);
    script_rig_wait(&r);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_REPLY);
    script_rig_end(&waiting);
    script_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply), cmocka_unit_test(test_nothing_goes_on),
        cmocka_unit_test(test_sleep), cmocka_unit_test(test_error),
        cmocka_unit_test(test_kill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
