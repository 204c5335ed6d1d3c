-- Functions that run beside others: gate.spawn, gate.all, gate.every.
-- covers: script/job.c script/job_kind.c script/ffi_job.c
local t = require "e2e.support"

local function gateway(text, options)
  return t.gateway([[
    gate.listen { "127.0.0.1:0" }
  ]] .. text, options)
end

local function logged(g, pattern)
  t.wait_for("a log line with " .. pattern, function() return g:stderr():find(pattern) end)
end

describe("gate.spawn", function()
  after_each(t.cleanup)

  it("runs beside the request, with arguments, and after it", function()
    local g = gateway [[
      gate.route { path = "/", handler = function(req)
        gate.spawn(function(a, b, c)
          gate.sleep(0.01)
          gate.log.info("spawned " .. a .. tostring(b) .. c)
          local ok, err = pcall(function() return req.path end)
          gate.log.info("then " .. tostring(ok) .. " " .. err)
        end, "x", nil, "y")
        return gate.reply(200, "at once")
      end }
    ]]
    assert.equal("at once", g:get("/").body)
    logged(g, "spawned xnily")
    logged(g, "then false.*the request is over")
  end)

  it("has budgets of its own; its failures are logged and hurt nobody", function()
    local g = gateway [[
      gate.limits { hook_cpu = "20ms", task_time = 1 }
      gate.use { name = "p", request = function(req)
        if req.path == "/error" then gate.spawn(function() error "oops" end) end
        if req.path == "/loop" then gate.spawn(function() while true do end end) end
        if req.path == "/wait" then gate.spawn(function() gate.sleep(100) end) end
      end }
      gate.route { path = "/", reply = { 200, "fine" } }
    ]]
    for _, path in ipairs { "/error", "/loop", "/wait" } do
      assert.equal("fine", g:get(path).body)
    end
    logged(g, 'script error: gateway.lua:%d+: oops.-"policy":"p","hook":"spawn')
    logged(g, "gateway.lua:%d+: stopped: it used more CPU time than its budget, 20 ms")
    logged(g, "stopped: it took longer than task_time, 1000 ms")
    assert.equal(200, g:get("/").status)
  end)

  it("counts, with its CPU time, for who began it", function()
    local g = t.gateway([[
      gate.use { name = "starter", request = function(req)
        local what = req.args.what
        gate.spawn(function()
          if what == "fail" then error "oops" end
          if what == "spin" then while true do end end
          if what == "again" then gate.spawn(function() gate.all { function() end } end) end
          local x = 0
          for i = 1, 300000 do x = x + i % 7 end
        end)
      end }
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", reply = { 200, "x" } }
      gate.every(0.05, function()
        local x = 0
        for i = 1, 300000 do x = x + i % 7 end
      end)
    ]])
    local function metric(name, policy, hook)
      return g:metric(('moongate_policy_%s{policy="%s",hook="%s"}'):format(name, policy, hook))
    end
    local spawned = 0
    for _, what in ipairs { "fail", "fail", "spin", "again", "work" } do
      g:get("/?what=" .. what)
      spawned = spawned + (what == "again" and 2 or 1)
    end
    t.wait_for("all", function() return metric("calls_total", "starter", "spawn") == spawned end)
    t.wait_for("the kill", function() return metric("kills_total", "starter", "spawn") == 1 end)
    assert.equal(2, metric("errors_total", "starter", "spawn"))
    assert.equal(5, metric("calls_total", "starter", "request"))
    -- The kill took its budget of 50 ms.
    assert.is_true(metric("cpu_seconds_total", "starter", "spawn") >= 0.02)
    t.wait_for("ticks", function()
      return (metric("cpu_seconds_total", "gateway.lua:13", "every") or 0) > 0
    end)
    local top = t.run({ "top", "--socket", g.socket }).stdout
    assert.matches("\nstarter +spawn +[%d.]+ %% +[%d.]+ +[%d.]+ +[%d.]+ +6 +2 +1 +0\n", top)
    assert.matches("\ngateway.lua:13 +every +[%d.]+ %% ", top)
  end)

  it("says what it needs", function()
    local g = gateway [[
      gate.route { path = "/", handler = function() gate.spawn(5) end }
    ]]
    assert.equal(500, g:get("/").status)
    logged(g, "gateway.lua:%d+: gate.spawn needs a function, not a number")
  end)

  it("is refused at load", function()
    local g = gateway("gate.spawn(function() end)", { ready = false })
    assert.equal(1, g:wait())
    assert.truthy(g:stderr():find "not possible while the gateway file loads")
  end)
end)

describe("gate.all", function()
  after_each(t.cleanup)

  it("runs functions together and gives the first value of each, in order", function()
    local g = gateway [[
      gate.route { path = "/", handler = function(req)
        local ended
        local a, b, c, d = gate.all {
          function() while not ended do gate.sleep(0) end return "a", "other" end,
          function() gate.sleep(0.01) ended = true return "b" end,
          function() end,
          function() return req.path end,
        }
        return gate.reply(200, table.concat({ a, b, tostring(c), d }, " "))
      end }
    ]]
    assert.equal("a b nil /", g:get("/").body)
  end)

  it("raises what one raises, and ends the others", function()
    local g = gateway [[
      gate.route { path = "/", handler = function()
        local ok, err = pcall(gate.all, {
          function() gate.sleep(0.05) gate.log.info "never seen" end,
          function() gate.sleep(0.01) error({ code = "mine" }) end,
        })
        gate.sleep(0.1)
        return gate.reply(200, tostring(ok) .. " " .. err.code)
      end }
      gate.route { path = "/plain", handler = function()
        gate.all { function() error "oops" end }
      end }
    ]]
    assert.equal("false mine", g:get("/").body)
    assert.is_nil(g:stderr():find "never seen")
    assert.equal(500, g:get("/plain").status)
    logged(g, "script error: gateway.lua:%d+: oops")
  end)

  it("may be nested, in every hook that waits", function()
    local g = gateway [[
      gate.on.request(function(req)
        req.ctx.sum = 0
        local function leaf(n) return function() gate.sleep(0) return n end end
        local function node(a, b)
          return function()
            local x, y = gate.all { a, b }
            return x + y
          end
        end
        req.ctx.sum = gate.all { node(node(leaf(1), leaf(2)), node(leaf(3), leaf(4))) }
      end)
      gate.on.log(function() gate.all { function() gate.sleep(0) end } gate.log.info "logged" end)
      gate.route { path = "/", handler = function(req)
        return gate.reply(200, tostring(req.ctx.sum))
      end }
    ]]
    for _ = 1, 20 do assert.equal("10", g:get("/").body) end
    logged(g, "logged")
  end)

  it("shares the budget of the call", function()
    local g = gateway [[
      gate.limits { hook_cpu = "60ms" }
      local function burn()
        local to = os.clock() + 0.015 -- of CPU time
        while os.clock() < to do end
        gate.sleep(0)
        to = os.clock() + 0.015
        while os.clock() < to do end
      end
      gate.route { path = "/few", handler = function()
        gate.all { burn }
        return gate.reply(200)
      end }
      gate.route { path = "/many", handler = function()
        pcall(gate.all, { burn, burn, burn, burn, burn, burn, burn, burn })
        return gate.reply(200)
      end }
      gate.route { path = "/loop", handler = function()
        pcall(gate.all, { function() while true do end end })
        return gate.reply(200)
      end }
    ]]
    assert.equal(200, g:get("/few").status)
    assert.equal(503, g:get("/many").status)
    assert.equal(503, g:get("/loop").status)
    assert.equal(200, g:get("/few").status)
  end)

  it("ends as a whole when a member of a member is stopped", function()
    local g = gateway [[
      gate.limits { hook_cpu = "20ms" }
      local function loop() while true do end end
      gate.route { path = "/", handler = function()
        local list = {}
        for i = 1, 8 do
          list[i] = function() gate.all { loop, loop, loop } end
        end
        gate.all(list)
      end }
      gate.route { path = "/fine", reply = { 200, "fine" } }
    ]]
    local function stops() return select(2, g:stderr():gsub("script stopped", "")) end
    for i = 1, 2 do
      assert.equal(503, g:get("/").status)
      t.wait_for("the line", function() return stops() >= i end)
    end
    assert.equal("fine", g:get("/fine").body)
    assert.equal(2, stops())
  end)

  it("ends with the client that left, and with task_time", function()
    local g = gateway [[
      gate.limits { task_time = 1 }
      gate.on.request(function(req)
        gate.all { function() gate.sleep(100) end, function() gate.sleep(100) end }
      end)
      gate.route { path = "/", reply = { 200 } }
    ]]
    local c = g:connect()
    c:send "GET /gone HTTP/1.1\r\nHost: x\r\n\r\n"
    t.wait_for("the request", function() return g:status "requests_active" == "1" end)
    c:close()
    assert.equal(503, g:get("/").status)
    logged(g, "longer than task_time")
  end)

  it("says what it needs", function()
    local g = gateway [[
      gate.on.request(function(req)
        if req.path == "/a" then gate.all(print) end
        if req.path == "/b" then gate.all { print, 5 } end
        if req.path == "/c" then gate.all { x = print } end
        if req.path == "/e" or req.path == "/f" then
          local list = {}
          for i = 1, req.path == "/e" and 1001 or 1000 do list[i] = function() return i end end
          local values = { gate.all(list) }
          return gate.reply(200, tostring(#values) .. " " .. values[1000])
        end
        if req.path == "/d" then return gate.reply(200, "" .. select("#", gate.all {})) end
      end)
      gate.route { path = "/", reply = { 200 } }
    ]]
    for _, path in ipairs { "/a", "/b", "/c" } do assert.equal(500, g:get(path).status) end
    assert.equal(500, g:get("/e").status)
    assert.equal("1000 1000", g:get("/f").body)
    assert.equal("0", g:get("/d").body)
    logged(g, "gateway.lua:%d+: gate.all takes at most 1000 functions at a time, not 1001")
    logged(g, "gate.all needs a list of functions, not a function")
    logged(g, "gate.all: entry 2 is a number, not a function")
    logged(g, "it has the key x")
  end)
end)

describe("gate.every", function()
  after_each(t.cleanup)

  local COUNT = [[
    local n = 0
    gate.route { path = "/n", handler = function() return gate.reply(200, tostring(n)) end }
  ]]

  it("runs first after one period, then again and again", function()
    local g = gateway(COUNT .. [[ gate.every("10s", function() n = n + 1 end) ]],
      { args = { "--workers", "1", "--test-clock" } })
    assert.equal("0", g:get("/n").body)
    g:advance(7)
    assert.equal("0", g:get("/n").body)
    g:advance(3.5)
    t.wait_for("the first tick", function() return g:get("/n").body == "1" end)
    for tick = 2, 4 do
      g:advance(10)
      t.wait_for("the next tick", function() return tonumber(g:get("/n").body) >= tick end)
    end
  end)

  it("is never at work twice, and goes on after an error", function()
    local g = gateway(COUNT .. [[
      local at_work = 0
      gate.every(0.01, function()
        at_work = at_work + 1
        assert(at_work == 1, "twice")
        gate.sleep(0.03)
        at_work = at_work - 1
        n = n + 1
        error("tick " .. n)
      end)
    ]])
    t.wait_for("three ticks", function() return tonumber(g:get("/n").body) >= 3 end)
    logged(g, "script error: gateway.lua:%d+: tick 3")
    assert.is_nil(g:stderr():find "twice")
  end)

  it("runs on one worker, or on all", function()
    local g = gateway([[
      local me = gate.crypto.hex(gate.crypto.random(8))
      gate.every(0.02, function() gate.log.info("note one " .. me) end)
      gate.every(0.02, function() gate.log.info("note all " .. me) end, { on = "all" })
      gate.route { path = "/", reply = { 200 } }
    ]], { args = { "--workers", "3" } })
    -- Workers that have ticked so many times.
    local function workers(what, times)
      local ticks, n = {}, 0
      for me in g:stderr():gmatch("note " .. what .. " (%x+)") do
        ticks[me] = (ticks[me] or 0) + 1
        if ticks[me] == times then n = n + 1 end
      end
      return n
    end
    t.wait_for("ticks", function() return workers("all", 10) == 3 and workers("one", 10) == 1 end)
    assert.equal(1, workers("one", 1))
  end)

  it("stops when a newer generation serves", function()
    local g = gateway [[
      gate.every(0.01, function() gate.log.info "old tick" end)
      gate.route { path = "/", reply = { 200 } }
    ]]
    logged(g, "old tick")
    t.write(g.file, 'local gate = require "moongate"\ngate.listen { "127.0.0.1:0" }\n'
      .. 'gate.route { path = "/", reply = { 201 } }\n'
      .. 'gate.every(0.01, function() gate.log.info "new tick" end)\n')
    g:signal "HUP"
    t.wait_for("new ticks", function() return select(2, g:stderr():gsub("new tick", "")) >= 20 end)
    assert.is_nil(g:stderr():find "new tick.*old tick")
  end)
end)
