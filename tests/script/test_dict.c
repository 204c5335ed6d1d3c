/* Shared dictionaries from scripts: what they answer (tests/support/dict_checks.lua), and `fetch`
 * with several tasks. */
/* covers: script/ffi_dict.c script/ffi_flight.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/shared.h"
#include "support/check_list.h"

static void answers(void **state)
{
    (void)state;
    assert_int_equal(check_list_run("dict_checks", 16), 0);
}

#define FILE_OF(body)                                                                              \
    "local gate = require 'moongate'\n"                                                            \
    "gate.listen { '127.0.0.1:0' }\n"                                                              \
    "gate.limits { hook_cpu = '20ms' }\n"                                                          \
    "local d = gate.shared('d', { bytes = '64k' })\n"                                              \
    "d:add('calls', 0)\n"                                                                          \
    "gate.on.request(function(req)\n" body "end)\n"

static enum gate_vm_result start(struct script_rig *r, struct gate_exchange **x)
{
    *x = script_rig_exchange(r);
    return script_rig_start(r, *x, GATE_HOOK_REQUEST);
}

static void both_reply(struct script_rig *r, struct gate_exchange *a, struct gate_exchange *b)
{
    while (a->hook != NULL || b->hook != NULL) {
        r->done = false;
        script_rig_wait(r);
        assert_int_equal(r->verdict.kind, GATE_VERDICT_REPLY);
    }
}

/* Keys are bytes, a NUL among them or not. */
static void a_key_may_hold_a_nul(void **state)
{
    struct gate_exchange *a, *b;
    struct script_rig r;

    (void)state;
    script_rig_open(&r, FILE_OF("  local v = d:fetch('k\\0k', 10, function()\n"
                                "    gate.sleep(0)\n"
                                "    return d:incr('calls')\n"
                                "  end)\n"
                                "  assert(v == 1 and d:get('k\\0k') == 1)\n"
                                "  return gate.reply(200)\n"));
    assert_int_equal(start(&r, &a), GATE_VM_YIELD);
    assert_int_equal(start(&r, &b), GATE_VM_YIELD);
    both_reply(&r, a, b);
    script_rig_end(&a);
    script_rig_end(&b);
    script_rig_close(&r);
}

/* Client gone: the task that led is never resumed, the next one goes on. */
static void a_client_that_goes_hands_over(void **state)
{
    struct gate_exchange *a, *b, *c;
    struct script_rig r;

    (void)state;
    script_rig_open(&r, FILE_OF("  local v = d:fetch('k', 10, function()\n"
                                "    if d:incr('calls') == 1 then gate.sleep(1000) end\n"
                                "    return 'second'\n"
                                "  end)\n"
                                "  assert(v == 'second' and d:get('calls') == 2)\n"
                                "  return gate.reply(200, v)\n"));
    assert_int_equal(start(&r, &a), GATE_VM_YIELD);
    assert_int_equal(start(&r, &b), GATE_VM_YIELD);
    assert_int_equal(start(&r, &c), GATE_VM_YIELD);
    gate_hook_cancel(&a->hook);
    script_rig_end(&a);
    r.done = false;
    script_rig_wait(&r);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_REPLY);
    r.done = c->hook == NULL;
    script_rig_wait(&r);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_REPLY);
    script_rig_end(&b);
    script_rig_end(&c);
    script_rig_close(&r);
}

/* Killed for its budget, with pcall in the way: its own request is over, the next one goes on. */
static void a_kill_hands_over(void **state)
{
    struct gate_exchange *a, *b;
    struct script_rig r;

    (void)state;
    script_rig_open(&r, FILE_OF("  local ok, v = pcall(d.fetch, d, 'k', 10, function()\n"
                                "    gate.sleep(0)\n"
                                "    if d:incr('calls') == 1 then while true do end end\n"
                                "    return 'second'\n"
                                "  end)\n"
                                "  assert(ok and v == 'second')\n"
                                "  return gate.reply(200, v)\n"));
    assert_int_equal(start(&r, &a), GATE_VM_YIELD);
    assert_int_equal(start(&r, &b), GATE_VM_YIELD);
    r.done = false;
    script_rig_wait(&r);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_FAULT);
    assert_int_equal(r.verdict.result, GATE_VM_KILLED);
    assert_null(a->hook);
    r.done = b->hook == NULL;
    script_rig_wait(&r);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_REPLY);
    script_rig_end(&a);
    script_rig_end(&b);
    script_rig_close(&r);
}

/* An error is its own request's; what is returned behind nil is for all who wait. */
static void errors_raised_hand_over_and_errors_returned_are_shared(void **state)
{
    struct gate_exchange *a, *b, *c;
    struct script_rig r;

    (void)state;
    script_rig_open(&r, FILE_OF("  local v, err = d:fetch('k', 10, function()\n"
                                "    gate.sleep(0)\n"
                                "    if d:incr('calls') == 1 then error 'mine' end\n"
                                "    return nil, { code = 'down', message = 'it is down' }\n"
                                "  end)\n"
                                "  assert(v == nil and err.code == 'down')\n"
                                "  assert(err.message == 'it is down' and d:get('calls') == 2)\n"
                                "  return gate.reply(200)\n"));
    assert_int_equal(start(&r, &a), GATE_VM_YIELD);
    assert_int_equal(start(&r, &b), GATE_VM_YIELD);
    assert_int_equal(start(&r, &c), GATE_VM_YIELD);
    r.done = false;
    script_rig_wait(&r);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_FAULT);
    assert_true(script_rig_logged(&r, "mine"));
    both_reply(&r, b, c);
    script_rig_end(&a);
    script_rig_end(&b);
    script_rig_end(&c);
    script_rig_close(&r);
}

/* One that is a text, too, for who made it and for who waits. */
static void an_error_may_be_a_text(void **state)
{
    struct gate_exchange *a, *b;
    struct script_rig r;

    (void)state;
    script_rig_open(&r, FILE_OF("  local v, err = d:fetch('k', 10, function()\n"
                                "    gate.sleep(0)\n"
                                "    return nil, 'it is down'\n"
                                "  end)\n"
                                "  assert(v == nil and err.code == 'failed')\n"
                                "  assert(err.message == 'it is down')\n"
                                "  return gate.reply(200)\n"));
    assert_int_equal(start(&r, &a), GATE_VM_YIELD);
    assert_int_equal(start(&r, &b), GATE_VM_YIELD);
    both_reply(&r, a, b);
    assert_false(script_rig_logged(&r, "error"));
    script_rig_end(&a);
    script_rig_end(&b);
    script_rig_close(&r);
}

/* An old generation has to end: who leads and who waits is told so, also when it asks again. */
static void the_end_of_a_generation_ends_waits(void **state)
{
    struct gate_exchange *a, *b;
    struct script_rig r;

    (void)state;
    script_rig_open(&r, FILE_OF("  for _ = 1, 2 do\n"
                                "    local v, err = d:fetch('k', 10, function()\n"
                                "      return gate.sleep(1000)\n"
                                "    end)\n"
                                "    assert(v == nil and err.code == 'exiting', tostring(err))\n"
                                "  end\n"
                                "  return gate.reply(200)\n"));
    assert_int_equal(start(&r, &a), GATE_VM_YIELD);
    assert_int_equal(start(&r, &b), GATE_VM_YIELD);
    gate_vm_expire(r.seat.vm);
    both_reply(&r, a, b);
    assert_false(script_rig_logged(&r, "error"));
    script_rig_end(&a);
    script_rig_end(&b);
    script_rig_close(&r);
}

/* The VM goes away with tasks that lead and wait. */
static void nothing_stays_behind_a_vm(void **state)
{
    struct gate_shared *shared = gate_shared_new();
    struct gate_exchange *a, *b;
    struct script_rig r;

    (void)state;
    script_rig_begin(&r, FILE_OF("  d:fetch('k', 10, function() gate.sleep(1000) end)\n"));
    r.shared = shared;
    assert_int_equal(script_rig_load(&r), GATE_OK);
    assert_int_equal(start(&r, &a), GATE_VM_YIELD);
    assert_int_equal(start(&r, &b), GATE_VM_YIELD);
    gate_hook_cancel(&b->hook);
    gate_hook_cancel(&a->hook);
    script_rig_end(&a);
    script_rig_end(&b);
    script_rig_close(&r);
    gate_shared_free(&shared);
}

/* Two generations use the same memory, of the same size. */
static void generations_share(void **state)
{
    struct gate_shared *shared = gate_shared_new();
    struct script_rig old, new;
    struct gate_exchange *x;

    (void)state;
    script_rig_begin(&old, FILE_OF("  d:set('k', 'from the old')\n"));
    script_rig_begin(&new, FILE_OF("  assert(d:get('k') == 'from the old')\n"));
    old.shared = new.shared = shared;
    assert_int_equal(script_rig_load(&old), GATE_OK);
    assert_int_equal(script_rig_load(&new), GATE_OK);
    x = script_rig_exchange(&old);
    assert_int_equal(script_rig_call(&old, x, GATE_HOOK_REQUEST), GATE_VERDICT_NEXT);
    script_rig_end(&x);
    script_rig_close(&old);
    x = script_rig_exchange(&new);
    assert_int_equal(script_rig_call(&new, x, GATE_HOOK_REQUEST), GATE_VERDICT_NEXT);
    script_rig_end(&x);
    script_rig_close(&new);
    gate_shared_free(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(a_key_may_hold_a_nul),
        cmocka_unit_test(a_client_that_goes_hands_over),
        cmocka_unit_test(a_kill_hands_over),
        cmocka_unit_test(errors_raised_hand_over_and_errors_returned_are_shared),
        cmocka_unit_test(an_error_may_be_a_text),
        cmocka_unit_test(the_end_of_a_generation_ends_waits),
        cmocka_unit_test(nothing_stays_behind_a_vm),
        cmocka_unit_test(generations_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
