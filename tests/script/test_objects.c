/* What req, res and their parts answer (tests/support/object_checks.lua). */
/* covers: script/ffi_headers.c script/ffi_exchange.c script/ffi_table.c script/ffi_log.c */
/* covers: script/ffi_crypto.c script/ffi_wait.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/check_list.h"

static void test_objects(void **state)
{
    (void)state;
    assert_int_equal(check_list_run("object_checks", 15), 0);
}

static struct gate_exchange *kept;

/* A request object that outlives its request. */
static void test_over(void **state)
{
    struct script_rig r;

    (void)state;
    script_rig_open(&r,
                    "local gate = require 'moongate'\n"
                    "gate.listen { '127.0.0.1:0' }\n"
                    "local kept\n"
                    "gate.on.request(function(req)\n"
                    "  if not kept then kept = req req.ctx.secret = 1 return end\n"
                    "  for _, f in ipairs { 'path', 'headers', 'ctx', 'args', 'id',\n"
                    "    'params', 'cookies', 'timing', 'peer', 'trailers', 'cache_status' } do\n"
                    "    local ok, err = pcall(function() return tostring(kept[f].x) end)\n"
                    "    assert(not ok and err:find('the request is over'), f)\n"
                    "  end\n"
                    "  assert(not pcall(function() kept.headers.x = 'y' end))\n"
                    "  assert(not pcall(function() return kept.client.ip end))\n"
                    "  assert(req.ctx.secret == nil)\n"
                    "  return gate.reply(200, 'good')\n"
                    "end)\n");
    kept = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, kept, GATE_HOOK_REQUEST), GATE_VERDICT_NEXT);
    script_rig_end(&kept);
    kept = script_rig_exchange(&r);
    if (script_rig_call(&r, kept, GATE_HOOK_REQUEST) != GATE_VERDICT_REPLY)
        print_message("%s\n", r.lines);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_REPLY);
    script_rig_end(&kept);
    script_rig_close(&r);
}

/* The same in a hook that goes on after a wait: nobody was served since the request that is over. */
static void test_over_after_a_wait(void **state)
{
    struct gate_exchange *first, *waiting;
    struct script_rig r;

    (void)state;
    script_rig_open(&r,
                    "local gate = require 'moongate'\n"
                    "gate.listen { '127.0.0.1:0' }\n"
                    "local kept\n"
                    "gate.on.request(function(req)\n"
                    "  if req.headers['x-user'] ~= 'waits' then kept = req req.ctx.n = 1 return end\n"
                    "  req.ctx.n = 2\n"
                    "  gate.sleep('1ms')\n"
                    "  local ok, err = pcall(function() return kept.ctx.n end)\n"
                    "  assert(not ok and err:find('the request is over'), err)\n"
                    "  assert(req.ctx.n == 2)\n"
                    "  return gate.reply(200, 'good')\n"
                    "end)\n");
    waiting = script_rig_exchange(&r);
    gate_headers_set(&waiting->req.headers, GATE_STR("x-user"), GATE_STR("waits"));
    assert_int_equal(script_rig_start(&r, waiting, GATE_HOOK_REQUEST), GATE_VM_YIELD);
    first = script_rig_exchange(&r);
    assert_int_equal(gate_hook_call(first, GATE_HOOK_REQUEST, GATE_SCOPE_ALL, NULL, &r.verdict),
                     GATE_VM_DONE);
    script_rig_end(&first);
    script_rig_wait(&r);
    if (r.verdict.kind != GATE_VERDICT_REPLY)
        print_message("%s\n", r.lines);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_REPLY);
    script_rig_end(&waiting);
    script_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_over),
        cmocka_unit_test(test_over_after_a_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
