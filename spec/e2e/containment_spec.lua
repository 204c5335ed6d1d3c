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
    { "an insertion two billion places before the first", "table.insert({}, -2^31 + 2, 1)" },
    { "the same by what is no number", "table.insert({}, 0 / 0, 1)" },
    { "a text that takes long to compile",
      "for _ = 1, 9 do load('local a = 1 return a' .. (' and a'):rep(40000)) end" },
    { "recursion through the callbacks of gsub, caught, again", [[
      local function f() pcall(string.gsub, 'x', '.', f) return 'y' end
      while true do f() end]] },
    { "thousands of functions of gate.all that loop", [[
      local function loop() while true do end end
      local function all(n, fn)
        local list = {}
        for i = 1, n do list[i] = fn end
        gate.all(list)
      end
      all(9, function() all(1000, loop) end)]] },
    { "a tail call into the library", [[
      local bomb = {} for _ = 1, 40 do bomb = { bomb, bomb } end
      return gate.reply(200, bomb)]] },
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
    { "recursion through gsub", "local function f() return (('x'):gsub('.', f)) end f()" },
    { "recursion through sort", [[
      local function f() table.sort({ 3, 2, 1 }, f) return true end f()]] },
    { "recursion through __tostring", [[
      local o = setmetatable({}, {})
      getmetatable(o).__tostring = function() return ('%s'):format(o) end
      return ('%s'):format(o)]] },
    { "coroutines inside coroutines without end",
      "local function f() coroutine.wrap(f)() end f()" },
  }
  for _, case in ipairs(errors) do
    it("survives " .. case[1], function()
      local limits = "gate.limits { vm_memory = '32m', hook_cpu = '5s' }\n"
      contained(limits .. attack_route(case[2]), 500,
        "script")
    end)
  end

  it("lets others go first when many background tasks loop", function()
    local g = t.gateway(HEAD .. [[
      gate.route { path = "/spawn", handler = function()
        for i = 1, 40 do gate.spawn(function() while true do end end) end
        return gate.reply(200, "begun")
      end }
    ]])
    assert.equal("begun", g:get("/spawn").body)
    for _ = 1, 3 do assert.equal("lua", g:get("/lua").body) end
    local _, stopped = g:stderr():gsub("script stopped", "")
    assert.is_true(stopped < 20, "others waited for " .. stopped .. " of them")
  end)

  local function stopped_after_two(g)
    local attacker, other = g:connect(), g:connect()
    for i = 0, 2 do
      if i == 1 then attacker:send "GET /attack HTTP/1.1\r\nHost: x\r\n\r\n" end
      other:send "GET /lua HTTP/1.1\r\nHost: x\r\n\r\n"
      assert.equal("lua", other:receive_response().body)
    end
    return select(2, g:stderr():gsub("script stopped", "")), attacker
  end

  for _, case in ipairs { { "log", 299 }, { "request", 299 }, { "response", 299 } } do
    it("lets others go first between the stopped " .. case[1] .. " hooks of one request", function()
      local g = t.gateway(HEAD .. ([[
        local use = {}
        for i = 1, 40 do
          use[i] = { name = "p" .. i, on_error = "open", %s = function() while true do end end }
        end
        gate.route { path = "/attack", use = use, reply = { 299, "went on" } }
      ]]):format(case[1]))
      local stopped, attacker = stopped_after_two(g)
      assert.is_true(stopped < 20, "others waited for " .. stopped .. " of them")
      assert.equal(case[2], attacker:receive_response().status)
      t.wait_for("all to be stopped", function()
        return select(2, g:stderr():gsub("script stopped", "")) == 40
      end)
      assert.equal("lua", g:get("/lua").body)
    end)
  end

  it("lets others go first when hooks of one request are stopped in step after step", function()
    local g = t.gateway(HEAD .. [[
      local function loop() while true do end end
      local all = { cpu = "500ms", request = loop, fault = loop, log = loop }
      gate.route { path = "/attack", use = { all }, reply = { 200, "x" } }
    ]])
    local stopped, attacker = stopped_after_two(g)
    assert.is_true(stopped < 3, "others waited for all")
    assert.equal(503, attacker:receive_response().status)
  end)

  it("goes on with a chain that was put off, with what it had decided", function()
    local o = t.origin(function(c) c:reply(200, "from upstream") end)
    local g = t.gateway(HEAD .. ([[
      local up = gate.upstream("up", { servers = { "%s" } })
      gate.route { path = "/", reply = { 200, "own" }, use = {
        { request = function() return up end },
        { on_error = "open", request = function() while true do end end },
        { request = function(req) req.ctx.last = true end },
        { response = function(req, res) res.headers["x-last"] = tostring(req.ctx.last) end },
      } }
    ]]):format(o.address))
    local res = g:get("/")
    assert.equal("from upstream", res.body)
    assert.equal("true", res.headers["x-last"])
  end)

  it("survives a client that leaves between two stopped hooks", function()
    local g = t.gateway(HEAD .. [[
      local use = {}
      for i = 1, 10 do
        use[i] = { name = "p" .. i, on_error = "open", request = function() while true do end end }
      end
      gate.route { path = "/attack", use = use, reply = { 299, "went on" } }
    ]])
    local attacker = g:connect()
    attacker:send "GET /attack HTTP/1.1\r\nHost: x\r\n\r\n"
    t.wait_for("a stop", function() return g:stderr():find "script stopped" end)
    attacker:close()
    for _ = 1, 5 do assert.equal("lua", g:get("/lua").body) end
  end)

  it("leaves nothing that scripts share to be changed by one", function()
    local g = t.gateway(HEAD .. [[
      local d = gate.shared("d", { bytes = "1m" })
      local function evil() return "evil" end
      local up = gate.upstream("up", { servers = { "127.0.0.1:9" } })
      local shared = { gate, gate.log, gate.json, gate.crypto, gate.on, gate.upstreams, string,
        table, math, coroutine, d, up }
      gate.route { path = "/attack", handler = function(req)
        local done = {}
        local function try(i, what, ...)
          if pcall(...) then done[#done + 1] = i .. what end
        end
        for i, object in ipairs(shared) do
          for _, key in ipairs { "reply", "info", "encode", "sha256", "get", "rep", "sort", 1 } do
            try(i, "set", function() object[key] = evil end)
            try(i, "rawset", rawset, object, key, evil)
          end
          try(i, "insert", table.insert, object, 1, 2)
          try(i, "remove", table.remove, object, 1)
          try(i, "setmetatable", setmetatable, object, {})
          if type(getmetatable(object)) == "table" then done[#done + 1] = i .. "getmetatable" end
        end
        return gate.reply(200, "changed: " .. table.concat(done, " "))
      end }
      gate.route { path = "/peek", handler = function()
        d:set("k", 1)
        d:get("k")
        local found = {}
        for key in pairs(d) do found[#found + 1] = tostring(key) end
        return gate.reply(200, "inside: " .. table.concat(found, " "))
      end }
      gate.route { path = "/errors", handler = function()
        local _, first = d:set(("k"):rep(5000), 1)
        first.code, first.message = "evil", "evil"
        local _, second = d:set(("k"):rep(5000), 1)
        local _, third = gate.json.decode("x")
        return gate.reply(200, second.code .. tostring(getmetatable(second))
          .. tostring(getmetatable(third)) .. tostring(second.__index)
          .. tostring(getmetatable(gate.json.array())))
      end }
    ]])
    assert.equal("changed: ", g:get("/attack").body)
    assert.equal("inside: ", g:get("/peek").body)
    assert.equal("fullnilnilnilnil", g:get("/errors").body)
    assert.equal("lua", g:get("/lua").body)
  end)

  it("a kill in a log hook never reaches the client", function()
    local g = t.gateway(HEAD .. [[
      gate.on.log(function(req) if req.path == "/ok" then while true do end end end)
    ]])
    assert.equal(200, g:get("/ok").status)
    assert.equal(200, g:get("/lua").status)
    t.wait_for("the kill", function() return g:stderr():find "script stopped" end)
  end)
end)
