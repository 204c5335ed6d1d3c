/* Hook calls and their verdicts. */
/* covers: script/hook_chain.c script/hook_report.c script/task.c script/stack.c */
/* covers: script/ffi_reply.c script/ffi_body.c script/hook_rest.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "script/vm_int.h"
#include "support/aborts.h"
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

/* Between two hooks that take long others have their turn; the chain goes on as if nothing was. */
static void test_long(void **state)
{
    struct script_rig r;
    struct gate_exchange *x, *other;
    struct gate_hook_verdict v;

    (void)state;
    script_rig_open(&r, PREFIX
                    "gate.limits { hook_cpu = 5 }\n"
                    "local function work()\n"
                    "  local from = os.clock()\n"
                    "  while os.clock() - from < 0.2 do end\n"
                    "end\n"
                    "local word = ''\n"
                    "gate.use { name = 'a', request = function(req) word = word .. 'a' work() end }\n"
                    "gate.use { name = 'b', request = function(req) word = word .. 'b' end }\n"
                    "gate.use { name = 'c', request = function(req)\n"
                    "  return gate.reply(200, word .. req.path)\n"
                    "end }\n");
    x = script_rig_exchange(&r);
    other = script_rig_exchange(&r);
    assert_int_equal(script_rig_start(&r, x, GATE_HOOK_REQUEST), GATE_VM_YIELD);
    assert_int_equal(gate_hook_call(other, GATE_HOOK_REQUEST, GATE_SCOPE_ALL, NULL, &v),
                     GATE_VM_YIELD);
    gate_hook_cancel(&other->hook);
    script_rig_wait(&r);
    assert_reply(x, 200, "ab/a/b");
    script_rig_end(&x);
    script_rig_end(&other);
    script_rig_close(&r);
}

/* Whoever took long is put off once more than others are: its next hook has to wait for a turn. */
static void test_tired(void **state)
{
    struct script_rig r;
    struct gate_exchange *x, *other;

    (void)state;
    script_rig_open(&r, PREFIX
                    "gate.limits { hook_cpu = 5 }\n"
                    "gate.use { name = 'a', response = function() end, request = function()\n"
                    "  local from = os.clock()\n"
                    "  while os.clock() - from < 0.2 do end\n"
                    "end }\n");
    x = script_rig_exchange(&r);
    other = script_rig_exchange(&r);
    assert_int_equal(script_rig_start(&r, x, GATE_HOOK_REQUEST), GATE_VM_DONE);
    r.worker.loop.tired = false;
    assert_int_equal(script_rig_start(&r, other, GATE_HOOK_RESPONSE), GATE_VM_DONE);
    assert_int_equal(script_rig_start(&r, x, GATE_HOOK_RESPONSE), GATE_VM_YIELD);
    script_rig_wait(&r);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_NEXT);
    script_rig_end(&x);
    script_rig_end(&other);
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

/* Which policies of two global ones and two of the route run, told by what they add to x-seen. */
#define ONION                                                                                      \
    "local function policy(name, more)\n"                                                          \
    "  local p = { name = name }\n"                                                                \
    "  for _, hook in ipairs { 'request', 'response', 'log' } do\n"                                \
    "    p[hook] = function(req, res)\n"                                                           \
    "      req.headers['x-seen'] = (req.headers['x-seen'] or '') .. name .. hook:sub(1, 3) .. "    \
    "','\n"                                                                                        \
    "      if more and more[hook] then return more[hook](req, res) end\n"                          \
    "    end\n"                                                                                    \
    "  end\n"                                                                                      \
    "  return p\n"                                                                                 \
    "end\n"

static void assert_seen(struct gate_exchange *x, const char *text)
{
    assert_header(&x->req.headers, "x-seen", text);
    gate_headers_remove(&x->req.headers, GATE_STR("x-seen"));
}

static struct gate_exchange *open_onion(struct script_rig *r, const char *a, const char *c)
{
    char lua[4000];
    struct gate_exchange *x;

    snprintf(lua, sizeof(lua),
             "local gate = require 'moongate'\ngate.listen { '127.0.0.1:0' }\n" ONION
             "local up = gate.upstream('o', { servers = { '127.0.0.1:9' } })\n"
             "gate.use(policy('a', %s)) gate.use(policy 'b')\n"
             "gate.route { path = '/a/', upstream = up, use = { policy('c', %s), policy 'd' } }\n",
             a, c);
    script_rig_open(r, lua);
    x = script_rig_exchange(r);
    x->res.status = 200;
    x->res.headers.arena = &x->arena;
    return x;
}

static void test_onion(void **state)
{
    struct script_rig r;
    struct gate_exchange *x = open_onion(&r, "nil", "nil");

    (void)state;
    assert_int_equal(gate_hook_call(x, GATE_HOOK_REQUEST, GATE_SCOPE_GLOBAL, NULL, &r.verdict),
                     GATE_VM_DONE);
    assert_seen(x, "areq,breq,");
    assert_int_equal(gate_hook_call(x, GATE_HOOK_REQUEST, GATE_SCOPE_ROUTE, NULL, &r.verdict),
                     GATE_VM_DONE);
    assert_seen(x, "creq,dreq,");
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_RESPONSE), GATE_VERDICT_NEXT);
    assert_seen(x, "dres,cres,bres,ares,");
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_LOG), GATE_VERDICT_NEXT);
    assert_seen(x, "dlog,clog,blog,alog,");
    script_rig_end(&x);
    script_rig_close(&r);
}

/* After a reply of c: the response hooks of c and those before it; the log hooks of all. */
static void test_onion_after_reply(void **state)
{
    struct script_rig r;
    struct gate_exchange *x =
        open_onion(&r, "nil", "{ request = function() return gate.reply(403) end }");

    (void)state;
    (void)x;
    assert_int_equal(gate_hook_call(x, GATE_HOOK_REQUEST, GATE_SCOPE_GLOBAL, NULL, &r.verdict),
                     GATE_VM_DONE);
    assert_int_equal(gate_hook_call(x, GATE_HOOK_REQUEST, GATE_SCOPE_ROUTE, NULL, &r.verdict),
                     GATE_VM_DONE);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_REPLY);
    assert_seen(x, "areq,breq,creq,");
    script_rig_call(&r, x, GATE_HOOK_RESPONSE);
    assert_seen(x, "cres,bres,ares,");
    script_rig_call(&r, x, GATE_HOOK_LOG);
    assert_seen(x, "dlog,clog,blog,alog,");
    script_rig_end(&x);
    script_rig_close(&r);
}

/* on_error = "open" goes on with the next policy, guards never do, log always does. */
static void test_on_error(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, PREFIX
                    "local function seen(req, s)\n"
                    "  req.headers['x-seen'] = (req.headers['x-seen'] or '') .. s .. ','\n"
                    "end\n"
                    "gate.use { name = 'open', on_error = 'open', request = function(req)\n"
                    "  seen(req, 'open') gate.sleep(0) error('x') end,\n"
                    "  log = function(req) seen(req, 'openlog') error('y') end }\n"
                    "gate.use { name = 'guard', on_error = 'open', guards = true,\n"
                    "  request = function(req) seen(req, 'guard')\n"
                    "  if req.headers['x-good'] then return end error({}) end,\n"
                    "  log = function(req) seen(req, 'guardlog') local t = nil t.x = 1 end }\n"
                    "gate.use { name = 'last', request = function(req) seen(req, 'last') end }\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_FAULT);
    assert_int_equal(r.verdict.result, GATE_VM_ERROR);
    assert_seen(x, "open,guard,");
    assert_true(script_rig_logged(&r, "policy=open"));
    assert_true(script_rig_logged(&r, "an error of type table"));
    gate_headers_set(&x->req.headers, GATE_STR("x-good"), GATE_STR("1"));
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_NEXT);
    assert_seen(x, "open,guard,last,");
    script_rig_clear_log(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_LOG), GATE_VERDICT_NEXT);
    assert_seen(x, "guardlog,openlog,");
    assert_true(script_rig_logged(&r, "attempt to index local 't'"));
    script_rig_end(&x);
    script_rig_close(&r);
}

/* Each policy has its own budget; one that is killed and open does not end the others. */
static void test_budgets(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(
        &r, PREFIX "local function busy(s)\n"
                   "  local t = os.clock() while os.clock() - t < s do end\n"
                   "end\n"
                   "gate.use { cpu = '200ms', request = function() busy(0.06) end }\n"
                   "gate.use { cpu = '200ms', request = function() busy(0.06) gate.sleep(0) end }\n"
                   "gate.use { name = 'k', cpu = '20ms', on_error = 'open',\n"
                   "  request = function() while true do end end }\n"
                   "gate.use { cpu = '200ms', request = function() busy(0.06) end }\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_NEXT);
    assert_true(script_rig_logged(&r, "its budget, 20 ms"));
    assert_true(script_rig_logged(&r, "policy=k"));
    assert_int_equal(gate_counters_get(&r.worker.counters, GATE_C_HOOK_KILLS), 1);
    script_rig_end(&x);
    script_rig_close(&r);
}

static void test_bad_returns(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(
        &r,
        PREFIX "gate.use { name = 'p', request = function() return true end,\n"
               "  response = function() return 'x' end, log = function() return {} end,\n"
               "  route = function() return 'nowhere' end, fault = function() return 1 end }\n");
    x = script_rig_exchange(&r);
    x->res.status = 200;
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_FAULT);
    assert_true(
        script_rig_logged(&r, "gateway.lua:5: the request hook of policy 'p' returned true"));
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_RESPONSE), GATE_VERDICT_FAULT);
    assert_true(
        script_rig_logged(&r, "gateway.lua:6: the response hook of policy 'p' returned 'x'"));
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_LOG), GATE_VERDICT_NEXT);
    assert_true(script_rig_logged(&r, "the log hook of policy 'p' returned a table; nothing was"));
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_ROUTE), GATE_VERDICT_FAULT);
    assert_true(script_rig_logged(&r, "returned 'nowhere'; there is no route of that name"));
    x->onion = 0;
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_FAULT), GATE_VERDICT_FAULT);
    assert_true(script_rig_logged(&r, "the fault hook of policy 'p' returned 1"));
    script_rig_end(&x);
    script_rig_close(&r);
}

static void test_verdicts(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(
        &r,
        PREFIX "local other = gate.upstream('p', { servers = { '127.0.0.1:9' } })\n"
               "gate.route { path = '/h', name = 'h', when = function(req) return req.args.x end,\n"
               "  handler = function(req) gate.sleep(0) return gate.reply(200, { a = 1 }) end }\n"
               "gate.on.request(function(req) return other end)\n"
               "gate.on.request(function(req) end)\n"
               "gate.on.route(function(req) return 'h' end)\n"
               "gate.on.fault(function(req, fault)\n"
               "  return gate.reply(fault.status, fault.code .. '/' .. #fault.message)\n"
               "end)\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_UPSTREAM);
    assert_int_equal(x->upstream, 1);
    assert_true(x->upstream_by_hook);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_ROUTE), GATE_VERDICT_ROUTE);
    assert_int_equal(r.verdict.route, 1);
    x->match.route = &r.generation.config->routes[1];
    assert_int_equal(gate_hook_when(x, NULL, &r.verdict), GATE_VM_DONE);
    assert_true(r.verdict.truth);
    x->req.query = GATE_STR("y=1");
    assert_int_equal(gate_hook_when(x, NULL, &r.verdict), GATE_VM_DONE);
    assert_false(r.verdict.truth);
    assert_int_equal(script_rig_handler(&r, x), GATE_VERDICT_REPLY);
    assert_reply(x, 200, "{\"a\":1}");
    gate_exchange_fault(x, GATE_FAULT_CONNECT, 0, "test");
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_FAULT), GATE_VERDICT_REPLY);
    assert_int_equal(x->reply.status, 502);
    assert_memory_equal(x->reply.body.p, "connect/", 8);
    script_rig_end(&x);
    script_rig_close(&r);
}

static void on_connect(void *arg, const struct gate_hook_verdict *v)
{
    *(enum gate_verdict_kind *)arg = v->kind;
}

static void test_connect(void **state)
{
    struct script_rig r;
    struct gate_connect_info info = {GATE_STR("192.0.2.1"), 99, GATE_STR("192.0.2.2")};
    enum gate_verdict_kind kind = GATE_VERDICT_RETRY;
    struct gate_hook_run *run;
    struct gate_hook_verdict v;

    (void)state;
    script_rig_open(&r, PREFIX
                    "gate.on.connect(function(client)\n"
                    "  assert(client.ip == '192.0.2.1' and client.peer_ip == '192.0.2.2')\n"
                    "  assert(client.tls == nil and not pcall(function() return client.x end))\n"
                    "  if client.port == 99 then return false end\n"
                    "  gate.sleep(client.port)\n"
                    "end)\n");
    assert_int_equal(gate_hook_connect(r.seat.vm, &info, on_connect, &kind, &run, &v),
                     GATE_VM_DONE);
    assert_int_equal(v.kind, GATE_VERDICT_CLOSE);
    assert_null(run);
    info.port = 0;
    assert_int_equal(gate_hook_connect(r.seat.vm, &info, on_connect, &kind, &run, &v),
                     GATE_VM_YIELD);
    assert_non_null(run);
    while (kind == GATE_VERDICT_RETRY)
        gate_loop_turn(&r.worker.loop, true);
    assert_int_equal(kind, GATE_VERDICT_NEXT);
    info.port = 1000;
    kind = GATE_VERDICT_RETRY;
    assert_int_equal(gate_hook_connect(r.seat.vm, &info, on_connect, &kind, &run, &v),
                     GATE_VM_YIELD);
    gate_hook_cancel(&run);
    assert_null(run);
    gate_loop_turn(&r.worker.loop, false);
    assert_int_equal(kind, GATE_VERDICT_RETRY);
    script_rig_close(&r);
}

/* A cancelled chain never goes on; its coroutine is not used again. */
static void test_cancel(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, PREFIX "gate.on.request(function(req)\n"
                               "  gate.sleep(0.001) gate.log.error('went on')\n"
                               "end)\n");
    for (int i = 0; i < 50; i++) {
        x = script_rig_exchange(&r);
        assert_int_equal(script_rig_start(&r, x, GATE_HOOK_REQUEST), GATE_VM_YIELD);
        gate_hook_cancel(&x->hook);
        script_rig_end(&x);
    }
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_NEXT);
    assert_int_equal(r.worker.loop.wheel.count, 0);
    script_rig_end(&x);
    script_rig_close(&r);
}

/* task_time ends what waits for too long. */
static void test_task_time(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r,
                    PREFIX "gate.limits { task_time = 0.05 }\n"
                           "gate.on.request(function() while true do gate.sleep(0.01) end end)\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_FAULT);
    assert_int_equal(r.verdict.result, GATE_VM_KILLED);
    assert_true(
        script_rig_logged(&r, "gateway.lua:6: stopped: it took longer than task_time, 50 ms"));
    assert_null(x->hook);
    assert_int_equal(r.worker.loop.wheel.count, 0);
    script_rig_end(&x);
    script_rig_close(&r);
}

/* Also over hooks between which others have their turn. */
static void test_task_time_of_all(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, PREFIX "gate.limits { task_time = 0.2 }\n"
                               "for i = 1, 20 do gate.on.request(function()\n"
                               "  gate.sleep(0.02)\n"
                               "  local from = os.clock()\n"
                               "  while os.clock() - from < 0.02 do end\n"
                               "end) end\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_FAULT);
    assert_int_equal(r.verdict.result, GATE_VM_KILLED);
    assert_true(script_rig_logged(&r, "it took longer than task_time, 200 ms"));
    script_rig_end(&x);
    script_rig_close(&r);
}

/* Whether a call of the request hooks for a target has to wait for others. */
static bool waits(struct script_rig *r, const char *target, bool slow)
{
    struct gate_exchange *x = script_rig_exchange(r);
    bool waited;

    x->req.head.target = gate_str_from_cstr(target);
    if (slow)
        gate_headers_set(&x->req.headers, GATE_STR("x-slow"), GATE_STR("1"));
    r->worker.loop.tired = false; /* or the call before this one would put it off */
    waited = script_rig_start(r, x, GATE_HOOK_REQUEST) == GATE_VM_YIELD;
    if (waited)
        script_rig_wait(r);
    assert_int_equal(r->verdict.kind, GATE_VERDICT_NEXT);
    script_rig_end(&x);
    return waited;
}

/* What took long lets others go first the next time, and is trusted when it did not again. */
static void test_suspects(void **state)
{
    struct script_rig r;

    (void)state;
    script_rig_open(&r, PREFIX "gate.limits { hook_cpu = 5 }\n"
                               "gate.on.request(function(req)\n"
                               "  if not req.headers['x-slow'] then return end\n"
                               "  local from = os.clock()\n"
                               "  while os.clock() - from < 0.2 do end\n"
                               "end)\n");
    assert_false(waits(&r, "/slow", false));
    assert_false(waits(&r, "/slow", true));
    assert_false(waits(&r, "/other", false));
    assert_true(waits(&r, "/slow", true));
    assert_true(waits(&r, "/slow", false));
    assert_false(waits(&r, "/slow", true));
    assert_false(waits(&r, "/slow", true));
    script_rig_close(&r);
}

/* More policies than fit one function. */
static void test_many_policies(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r,
                    PREFIX "for i = 1, 130 do gate.use { name = 'p' .. i, request = function(req)\n"
                           "  req.ctx.n = (req.ctx.n or 0) + 1\n"
                           "  if i == 120 then return gate.reply(200, tostring(req.ctx.n)) end\n"
                           "end } end\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_REPLY);
    assert_reply(x, 200, "120");
    assert_int_equal(x->onion, 120);
    script_rig_end(&x);
    script_rig_close(&r);
}

static void add_count(void *arg, const struct gate_hook_count *c)
{
    char *to = arg;

    sprintf(to + strlen(to), "%s %d %d %d, ", c->policy, (int)c->runs, (int)c->calls,
            (int)c->errors);
}

/* The second run is answered by the second policy, the third fails there, the fourth before. */
static void test_counts(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;
    char said[200] = "";

    (void)state;
    script_rig_open(&r, PREFIX "local n = 0\n"
                               "gate.use { name = 'a', request = function()\n"
                               "  n = n + 1\n"
                               "  if n == 4 then error 'fourth' end\n"
                               "end }\n"
                               "gate.use { name = 'b', request = function()\n"
                               "  if n == 2 then return gate.reply(200) end\n"
                               "  if n == 3 then error 'third' end\n"
                               "end }\n"
                               "gate.use { name = 'c', request = function() end }\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_NEXT);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_REPLY);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_FAULT);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_FAULT);
    gate_vm_each_hook(r.seat.vm, add_count, said);
    assert_string_equal(said, "a 4 4 1, b 0 3 1, c 0 1 0, ");
    script_rig_end(&x);
    script_rig_close(&r);
}

/* A reply of which not all fits is none. */
static void test_huge_reply(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, PREFIX "gate.on.request(function()\n"
                               "  local all = {}\n"
                               "  for i = 1, 2000 do all[i] = ('v'):rep(4000) end\n"
                               "  return gate.reply(200, '', { x = all })\n"
                               "end)\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_FAULT);
    assert_true(script_rig_logged(&r, "too many or too large changes to one request"));
    script_rig_end(&x);
    script_rig_close(&r);
}

/* A tail call leaves no frame; its place is found all the same. */
static void test_tail_call_of_handler(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, "local gate = require 'moongate'\n"
                        "gate.listen { '127.0.0.1:0' }\n"
                        "gate.route { path = '/a/', handler = function()\n"
                        "  return gate.reply(99)\n"
                        "end }\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_handler(&r, x), GATE_VERDICT_FAULT);
    assert_true(script_rig_logged(&r, "gateway.lua:4: gate.reply needs a status"));
    script_rig_end(&x);
    script_rig_close(&r);
}

/* Functions that are never begun are not kept. */
static void test_unbegun(void **state)
{
    struct script_rig r;
    struct gate_exchange *x;
    lua_State *L;

    (void)state;
    script_rig_open(&r, PREFIX "gate.on.request(function()\n"
                               "  local function never() error 'begun' end\n"
                               "  gate.all { function() error 'first' end, never, never }\n"
                               "end)\n");
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_FAULT);
    assert_true(script_rig_logged(&r, "first") && !script_rig_logged(&r, "begun"));
    L = r.seat.vm->L;
    lua_pushnil(L);
    assert_int_equal(lua_next(L, GATE_VM_STARTING), 0);
    script_rig_end(&x);
    script_rig_close(&r);
}

/* Bodies, with a flow of the test's own. */
static struct gate_wait *body_wait;
static enum gate_err body_state;

static enum gate_err fake_read(struct gate_exchange *x, bool response, size_t max,
                               struct gate_wait *w)
{
    (void)x;
    (void)response;
    assert_int_equal(max, 64 * 1024);
    if (body_state != GATE_E_AGAIN)
        return body_state;
    gate_wait_arm(w, 0, NULL);
    body_wait = w;
    return GATE_E_AGAIN;
}

static struct gate_str fake_body(struct gate_exchange *x, bool response)
{
    (void)x;
    (void)response;
    return GATE_STR("the body");
}

static bool fake_set(struct gate_exchange *x, bool response, struct gate_str body)
{
    (void)response;
    x->res.body = gate_arena_copy(&x->arena, body);
    return true;
}

static size_t most;

static enum gate_err note_most(struct gate_exchange *x, bool response, size_t max,
                               struct gate_wait *w)
{
    (void)x;
    (void)response;
    (void)w;
    most = max;
    return GATE_E_LIMIT;
}

/* What cannot become a string is not read. */
static void test_body_bound(void **state)
{
    static const struct gate_hook_services services = {note_most, fake_body, fake_set};
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r, PREFIX "gate.on.request(function(req)\n"
                               "  local body, err = req:read_body '1000g'\n"
                               "  return gate.reply(413, err.code)\n"
                               "end)\n");
    gate_hook_set_services(r.seat.vm, &services);
    x = script_rig_exchange(&r);
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_REPLY);
    assert_reply(x, 413, "too_large");
    assert_in_range(most, 1, r.seat.vm->heap.cap);
    script_rig_end(&x);
    script_rig_close(&r);
}

static void test_bodies(void **state)
{
    static const struct gate_hook_services services = {fake_read, fake_body, fake_set};
    struct script_rig r;
    struct gate_exchange *x;

    (void)state;
    script_rig_open(&r,
                    PREFIX "gate.on.request(function(req)\n"
                           "  local body, err = req:read_body('64k')\n"
                           "  if not body then return gate.reply(400, err.code .. ' ' .. err) end\n"
                           "  req:set_body(body .. '!')\n"
                           "end)\n");
    gate_hook_set_services(r.seat.vm, &services);
    x = script_rig_exchange(&r);
    body_state = GATE_OK;
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_NEXT);
    assert_memory_equal(x->res.body.p, "the body!", 9);
    body_state = GATE_E_LIMIT;
    assert_int_equal(script_rig_call(&r, x, GATE_HOOK_REQUEST), GATE_VERDICT_REPLY);
    assert_memory_equal(x->reply.body.p, "too_large the body is larger", 28);
    body_state = GATE_E_AGAIN;
    assert_int_equal(script_rig_start(&r, x, GATE_HOOK_REQUEST), GATE_VM_YIELD);
    gate_wait_wake(body_wait, GATE_E_CLOSED);
    script_rig_wait(&r);
    assert_memory_equal(x->reply.body.p, "closed ", 7);
    assert_int_equal(script_rig_start(&r, x, GATE_HOOK_REQUEST), GATE_VM_YIELD);
    gate_wait_wake(body_wait, GATE_OK);
    script_rig_wait(&r);
    assert_int_equal(r.verdict.kind, GATE_VERDICT_NEXT);
    script_rig_end(&x);
    script_rig_close(&r);
}

/* What a crash report says while a script runs. */
static void test_place(void **state)
{
    struct script_rig r;
    struct gate_script_place place;

    (void)state;
    script_rig_open(&r, PREFIX "gate.on.request(function() end)\n");
    gate_vm_place(r.seat.vm, &place);
    assert_null(place.policy);
    assert_null(place.hook);
    script_rig_close(&r);
}

/* A log line written by a script lets the loop run: what must never be, because it might resume a
 * script from inside one. */
static void turn_at_line(struct gate_log_sink *sink, const char *line, size_t n)
{
    struct script_rig *r = gate_container_of(sink, struct script_rig, sink);

    (void)line, (void)n;
    gate_loop_turn(&r->worker.loop, false);
}

static void log_and_turn(void *arg)
{
    struct script_rig r;

    (void)arg;
    script_rig_open(&r, PREFIX "gate.on.request(function(req) gate.log.info 'x' end)\n");
    r.sink.write = turn_at_line;
    script_rig_call(&r, script_rig_exchange(&r), GATE_HOOK_REQUEST);
}

static void test_no_turn_inside_a_script(void **state)
{
    (void)state;
    assert_aborts(log_and_turn, NULL, "in_script");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply),
        cmocka_unit_test(test_nothing_goes_on),
        cmocka_unit_test(test_sleep), cmocka_unit_test(test_long), cmocka_unit_test(test_tired),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_onion),
        cmocka_unit_test(test_onion_after_reply),
        cmocka_unit_test(test_on_error),
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_bad_returns),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_task_time),
        cmocka_unit_test(test_task_time_of_all),
        cmocka_unit_test(test_suspects),
        cmocka_unit_test(test_many_policies),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_huge_reply),
        cmocka_unit_test(test_tail_call_of_handler),
        cmocka_unit_test(test_unbegun),
        cmocka_unit_test(test_body_bound),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_no_turn_inside_a_script),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
