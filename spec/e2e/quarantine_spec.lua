-- Hooks that are stopped again and again are not called for a while.
-- covers: script/hook_quarantine.c script/job_quarantine.c script/quarantine.c
local t = require "e2e.support"

local function gateway(text, options)
  return t.gateway([[
    gate.listen { "127.0.0.1:0" }
    gate.limits { hook_cpu = "10ms" }
    gate.route { path = "/", reply = { 200, "fine\n" } }
    local function loop() while true do end end
  ]] .. text, options or { args = { "--workers", "2", "--test-clock" } })
end

local function logged(g, pattern)
  t.wait_for("a log line with " .. pattern, function() return g:stderr():find(pattern) end)
end

--- Has a hook stopped as often as is too often.
local function stop_thrice(g, path)
  for _ = 1, 3 do
    local res = g:get(path)
    assert.equal(503, res.status)
    assert.truthy(res.headers["x-code"] == nil or res.headers["x-code"] == "script_killed")
  end
end

local function value(g, metric, policy, hook)
  local text = g:control("/metrics").body
  return tonumber(text:match(metric .. '{policy="' .. policy .. '",hook="' .. hook .. '"} (%d+)'))
end

local CODE = [[
  gate.on.fault(function(req, fault)
    return gate.reply(fault.status, "", { ["x-code"] = fault.code })
  end)
]]

describe("quarantine", function()
  after_each(t.cleanup)

  it("answers at once for a hook that was stopped three times", function()
    local g = gateway(CODE .. [[
      gate.use { name = "bad",
        request = function(req) if req.args.bad then loop() end end,
        response = function(req, res) res.headers["x-seen"] = "yes" end,
      }
      gate.use { name = "good", request = function(req) req.headers["x"] = "y" end }
    ]])
    stop_thrice(g, "/?bad=1")
    for _ = 1, 10 do
      local res = g:get("/")
      assert.equal(503, res.status)
      assert.equal("quarantined", res.headers["x-code"])
    end
    logged(g, 'the hook is in quarantine for a minute.-"policy":"bad","hook":"request"')
    assert.equal(1, value(g, "moongate_policy_quarantined", "bad", "request"))
    assert.equal(10, value(g, "moongate_policy_barred_total", "bad", "request"))
    assert.equal(3, value(g, "moongate_policy_kills_total", "bad", "request"))
    assert.truthy(g:control("/top").body:find(
      '"policy":"bad","hook":"request".-"barred":10,"quarantined":true'))
    -- The numbers outlive the VM, its quarantine does not.
    g:rewrite [[gate.listen { "127.0.0.1:0" }]]
    assert.equal(0, t.run({ "reload", "--socket", g.socket }).status)
    t.wait_for("the old one to end", function() return g:status "live_generations" == "1" end)
    assert.equal(0, value(g, "moongate_policy_quarantined", "bad", "request"))
    assert.equal(10, value(g, "moongate_policy_barred_total", "bad", "request"))
  end)

  it("lets one try after a minute, and is over when that passes", function()
    local g = gateway(CODE .. [[
      gate.on.request(function(req) if req.args.bad then loop() end end)
    ]])
    stop_thrice(g, "/?bad=1")
    g:advance(50)
    assert.equal("quarantined", g:get("/").headers["x-code"])
    g:advance(12)
    assert.equal("script_killed", g:get("/?bad=1").headers["x-code"])
    assert.equal("quarantined", g:get("/").headers["x-code"])
    g:advance(61)
    for _ = 1, 5 do assert.equal("fine\n", g:get("/").body) end
    logged(g, "the hook is out of quarantine")
    -- It may come again, for whoever tried, too.
    stop_thrice(g, "/?bad=1")
    for _ = 1, 5 do assert.equal("quarantined", g:get("/").headers["x-code"]) end
  end)

  it("lets another one try when the first one left", function()
    local g = gateway(CODE .. [[
      gate.on.request(function(req)
        if req.args.bad then loop() end
        if req.args.slow then
          gate.log.info "probe is here"
          gate.sleep(1000)
        end
      end)
    ]])
    stop_thrice(g, "/?bad=1")
    g:advance(61)
    local c = g:connect()
    c:send "GET /?slow=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    t.wait_for("the probe", function() return g:stderr():find "probe is here" end)
    assert.equal("quarantined", g:get("/").headers["x-code"])
    c:close()
    t.wait_for("another one", function() return g:get("/").status == 200 end)
  end)

  it("skips a policy that is open, but no guard", function()
    local g = gateway(CODE .. [[
      local function bad(name, path, options)
        options.name = name
        options.request = function(req) if req.args.bad then loop() end end
        gate.route { path = path, reply = { 200, "behind" }, use = {
          { name = "before", request = function(req) req.ctx.before = true end },
          options,
          { name = "after", request = function(req)
              return gate.reply(200, "after " .. tostring(req.ctx.before))
            end },
        } }
      end
      bad("open", "/open", { on_error = "open" })
      bad("guard", "/guard", { on_error = "open", guards = true })
    ]])
    for _ = 1, 3 do assert.equal("after true", g:get("/open?bad=1").body) end
    logged(g, "the hook is in quarantine")
    local before = g:metric "moongate_hook_kills_total"
    for _ = 1, 3 do assert.equal("after true", g:get("/open?bad=1").body) end
    assert.equal(before, g:metric "moongate_hook_kills_total")
    assert.equal(3, value(g, "moongate_policy_barred_total", "open", "request"))
    stop_thrice(g, "/guard?bad=1")
    assert.equal("quarantined", g:get("/guard").headers["x-code"])
  end)

  it("is for every kind of hook", function()
    local g = gateway(CODE .. [[
      gate.route { path = "/handler", handler = function() loop() end }
      gate.route { path = "/when", when = function() loop() end, reply = { 200 } }
      gate.route { path = "/response", reply = { 200 }, use = { { name = "r", response = loop } } }
      gate.route { path = "/body", reply = { 200, "text" }, use = { { name = "b", log = loop } } }
    ]])
    for path, names in pairs {
      ["/handler"] = { "/handler", "handler" }, ["/when"] = { "/when", "when" },
      ["/response"] = { "r", "response" },
    } do
      stop_thrice(g, path)
      assert.equal(503, g:get(path).status)
      assert.equal(1, value(g, "moongate_policy_quarantined", names[1], names[2]), path)
    end
    -- Answers do not wait for it: on each worker one may be at work when the third one is stopped.
    for _ = 1, 6 do assert.equal("text", g:get("/body").body) end
    t.wait_for("the log hook's", function()
      return (value(g, "moongate_policy_barred_total", "b", "log") or 0) >= 2
    end)
    assert.equal("fine\n", g:get("/").body)
  end)

  it("ends with a reload", function()
    local g = gateway(CODE .. "gate.on.request(function(req) if req.args.bad then loop() end end)")
    stop_thrice(g, "/?bad=1")
    assert.equal(503, g:get("/").status)
    g:signal "HUP"
    t.wait_for("the new generation", function() return g:get("/").status == 200 end)
    assert.equal(0, value(g, "moongate_policy_quarantined", "gateway.lua:%d+", "request"))
  end)
end)

describe("quarantine of tasks", function()
  after_each(t.cleanup)

  local ONE = { args = { "--workers", "1", "--test-clock" } }

  it("refuses to begin more of a policy's that were stopped three times", function()
    local g = gateway([[
      gate.use { name = "bad", request = function(req)
        local bad = req.args.bad
        local ok, err = gate.spawn(function() if bad then loop() end end)
        return gate.reply(200, ok and "begun" or err.code)
      end }
      gate.use { name = "good", request = function() end, log = function()
        gate.spawn(function() gate.log.info "good is at work" end)
      end }
    ]], ONE)
    for _ = 1, 3 do assert.equal("begun", g:get("/?bad=1").body) end
    logged(g, 'the hook is in quarantine for a minute.-"policy":"bad","hook":"spawn"')
    assert.equal(3, value(g, "moongate_policy_kills_total", "bad", "spawn"))
    for _ = 1, 5 do assert.equal("quarantined", g:get("/").body) end
    assert.equal(1, value(g, "moongate_policy_quarantined", "bad", "spawn"))
    assert.equal(0, value(g, "moongate_policy_quarantined", "good", "spawn"))
    assert.equal(5, value(g, "moongate_policy_barred_total", "bad", "spawn"))
    assert.truthy(g:control("/top").body:find(
      '"policy":"bad","hook":"spawn".-"barred":5,"quarantined":true'))
    g:advance(61)
    t.wait_for("the end of it", function() return g:get("/").body == "begun" end)
    logged(g, 'the hook is out of quarantine.-"policy":"bad","hook":"spawn"')
    assert.equal("begun", g:get("/").body)
  end)

  it("ends a chain of them", function()
    local g = gateway([[
      local function chain()
        gate.spawn(chain)
        loop()
      end
      gate.route { path = "/chain", handler = function()
        gate.spawn(chain)
        return gate.reply(200)
      end }
    ]], ONE)
    g:get "/chain"
    logged(g, '"hook":"spawn"')
    t.wait_for("the last one", function()
      local barred = value(g, "moongate_policy_barred_total", "/chain", "spawn")
      return barred == 1 and g:metric "moongate_hook_kills_total" == 3
    end)
  end)

  it("drops those that have not begun, and those that wait, and keeps nothing of them", function()
    local g = gateway([[
      local alive = setmetatable({}, { __mode = "k" })
      local function hundred(sleep)
        for _ = 1, 100 do
          local function task()
            if sleep then gate.sleep(0.01) end
            loop()
          end
          alive[task] = true
          gate.spawn(task)
        end
      end
      gate.route { path = "/a", handler = function() hundred(false) return gate.reply(200) end }
      gate.route { path = "/b", handler = function() hundred(true) return gate.reply(200) end }
      gate.route { path = "/alive", handler = function()
        collectgarbage()
        collectgarbage()
        local n = 0
        for _ in pairs(alive) do n = n + 1 end
        return gate.reply(200, tostring(n))
      end }
    ]], { args = { "--workers", "1", "--test-clock", "--trust" } })
    for i, path in ipairs { "/a", "/b" } do
      assert.equal(200, g:get(path).status)
      t.wait_for("all of " .. path, function()
        return value(g, "moongate_policy_barred_total", path, "spawn") == 97
      end)
      assert.equal(3 * i, g:metric "moongate_hook_kills_total")
    end
    t.wait_for("the collector", function() return g:get("/alive").body == "0" end)
  end)

  it("leaves out the ticks of a timer", function()
    local g = gateway([[
      gate.every(0.01, function() loop() end)
      gate.every(0.01, function() gate.log.info "other tick" end)
    ]], ONE)
    local pattern = 'the hook is in quarantine.-"policy":"(gateway.lua:%d+)","hook":"every"'
    logged(g, pattern)
    local timer = g:stderr():match(pattern)
    t.wait_for("ticks left out", function()
      return value(g, "moongate_policy_barred_total", timer, "every") >= 5
    end)
    assert.equal(3, g:metric "moongate_hook_kills_total")
    g:advance(61)
    t.wait_for("the one that tries", function()
      return g:metric "moongate_hook_kills_total" == 4
    end)
    local _, before = g:stderr():gsub("other tick", "")
    t.wait_for("the other timer", function()
      return select(2, g:stderr():gsub("other tick", "")) > before
    end)
  end)
end)
