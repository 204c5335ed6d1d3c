-- covers: script/vm.c script/watchdog.c
-- One worker: what one request's script does must not be felt by others on the same VM.
local t = require "e2e.support"

local HEAD = [[gate.listen { "127.0.0.1:0" }
gate.route { path = "/ok", reply = { 200, "ok" } }
gate.route { path = "/lua", handler = function(req)
  req.ctx.x = 1
  return gate.reply(200, "lua")
end }
]]

-- Others are served while a waiting request sits in the same VM, and it gets its answer too.
local WAITING = [[
gate.route { path = "/wait", handler = function()
  gate.sleep(0.3)
  return gate.reply(200, "woke")
end }
]]

local function attack_route(body, more)
  local route = "gate.route { name = 'attack', path = '/attack', " ..
    "handler = function(req) %s end, %s }"
  return HEAD .. WAITING .. (route)
    :format(body, more or "")
end

-- The attacker gets `status`; a neighbour on the same worker gets its answers all the while.
local function contained(text, status, said)
  local g = t.gateway(text)
  local waiting, attacker, other = g:connect(), g:connect(), g:connect()
  waiting:send "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
  attacker:send "GET /attack HTTP/1.1\r\nHost: x\r\n\r\n"
  for _ = 1, 10 do
    other:send "GET /lua HTTP/1.1\r\nHost: x\r\n\r\n"
    local res = other:receive_response()
    assert.equal(200, res.status)
    assert.equal("lua", res.body)
  end
  local res = assert(attacker:receive_response())
  assert.equal(status, res.status, g:stderr())
  assert.equal("woke", waiting:receive_response().body)
  if said then t.wait_for(said, function() return g:stderr():find(said) end) end
  assert.equal("lua", g:get("/lua").body)
  assert.equal("ok", g:get("/ok").body)
  return g
end

describe("containment", function()
  after_each(t.cleanup)

  local kills = {
    { "an endless loop", "while true do end" },
    { "a loop that pcall tries to keep",
      "while true do pcall(function() while true do end end) end" },
    { "a loop in a coroutine",
      "coroutine.wrap(function() while true do end end)()" },
    { "a pattern that backtracks for ever",
      "return gate.reply(200, tostring((('a'):rep(30000)):find(('.-'):rep(8) .. 'b')))" },
    { "a loop in a __tostring",
      "gate.log.info(setmetatable({}, { __tostring = function() while true do end end }))" },
    { "a loop in xpcall's handler",
      "xpcall(error, function() while true do end end) while true do end" },
  }
  for _, case in ipairs(kills) do
    it("stops " .. case[1], function()
      contained(attack_route(case[2]), 503, "script stopped: [^\"]*gateway.lua:")
    end)
  end

  it("stops a loop between waits when the sum is over the budget", function()
    contained(attack_route "while true do for i = 1, 1e5 do end gate.sleep(0) end", 503,
      "script stopped")
  end)

  it("ends a task that waits longer than task_time", function()
    contained("gate.limits { task_time = 3 }\n" .. attack_route "gate.sleep(100)", 503, "task_time")
  end)

  local errors = {
    { "a table without end", "local t = {} for i = 1, 1e9 do t[i] = { i } end" },
    { "a string without end", "local s = 'x' while true do s = s .. s end" },
    { "recursion without end", "local function f() return 1 + f() end return f()" },
  }
  for _, case in ipairs(errors) do
    it("survives " .. case[1], function()
      local limits = "gate.limits { vm_memory = '32m', hook_cpu = '5s' }\n"
      contained(limits .. attack_route(case[2]), 500,
        "script")
    end)
  end

  it("a kill in a log hook never reaches the client", function()
    local g = t.gateway(HEAD .. [[
      gate.on.log(function(req) if req.path == "/ok" then while true do end end end)
    ]])
    assert.equal(200, g:get("/ok").status)
    assert.equal(200, g:get("/lua").status)
    t.wait_for("the kill", function() return g:stderr():find "script stopped" end)
  end)
end)
