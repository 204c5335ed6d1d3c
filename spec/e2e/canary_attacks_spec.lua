-- While a canary is tried, one of the two generations attacks, in all hooks, and the other one
-- means well: nobody notices but the figures.
local canary = require "e2e.support.canary"
local client = require "e2e.support.client"
local t = require "e2e.support"

local HOOKS = { "request", "response", "body", "log", "handler" }

--- Answers say which version they are of.
local function text(word, evil)
  return ([[
    gate.listen { "127.0.0.1:0" }
    gate.limits { hook_cpu = %g }
    local attacks, word, evil = require "attacks", "%s", %s
    gate.route { path = "/attacks", reply = { 200, tostring(#attacks) } }
    gate.route { path = "/word", reply = { 200, word } }
    for i, attack in ipairs(attacks) do
      local function act(req)
        if evil then attack[3](req) end
      end
      for _, hook in ipairs { "request", "response", "body", "log" } do
        gate.route { path = ("/%%d/%%s"):format(i, hook), reply = { 200, word },
          use = { { name = hook .. i, [hook] = function(req) act(req) end } } }
      end
      gate.route { path = ("/%%d/handler"):format(i), handler = function(req)
        act(req)
        return gate.reply(200, word)
      end }
    end
  ]]):format(0.005 * t.slow, word, tostring(evil))
end

local function start(source)
  return canary.start(source, { supervised = true,
    files = { ["attacks.lua"] = t.read "tests/support/attacks.lua" } })
end

local function answer(g, path)
  local c = g:connect()
  c:send(client.request_text(path))
  local res, why = c:receive_response()
  c:close()
  return res, why
end

--- Each attack in two of the hooks, others in each round, twice: one of two requests in a row is
--- the canary's. The version that means well answers the other one.
local function attack_all(g, round)
  g:get "/word" -- with the next one a pair
  for i = 1, tonumber(g:get("/attacks").body) do
    for k = 0, 1 do
      local path, good = ("/%d/%s"):format(i, HOOKS[(i + round + 2 * k) % #HOOKS + 1]), 0
      for _ = 1, 2 do
        local res = answer(g, path)
        if res and res.status == 200 and res.body == "good" then good = good + 1 end
      end
      assert.is_true(good >= 1, path)
    end
  end
end

local function rss_mib(g)
  return tonumber(t.read("/proc/" .. g:engine() .. "/status"):match "VmRSS:%s+(%d+)") / 1024
end

local function assert_unharmed(figures)
  assert.same({ 0, 0, 0 }, { figures.errors, figures.faults, figures.kills })
end

describe("attacks beside a canary", function()
  after_each(t.cleanup)

  it("of a canary cost requests of its own, until it is withdrawn for them", function()
    local g = start(text("good", false))
    local engine, rss = g:engine(), nil
    for round = 1, 2 do
      canary.try(g, text("evil", true), "--canary", "50%", "--abort-if", "kills > 10%")
      attack_all(g, round)
      canary.ask(g, 1040)
      local v = canary.verdict(g)
      assert.equal("withdrawn", v.state)
      assert.matches("^kills %d+%.%d+%%", v.why)
      assert_unharmed(v.current)
      assert.is_true(v.canary.kills > 100 and v.canary.faults > 10)
      canary.answers(g, "good")
      canary.alone(g)
      assert.is_true(t.slow > 1 or not rss or rss_mib(g) <= rss + 10)
      rss = rss_mib(g)
    end
    assert.equal(engine, g:engine())
  end)

  it("of what serves do not keep a canary from being promoted", function()
    local g = start(text("evil", true))
    local engine = g:engine()
    canary.try(g, text("good", false), "--canary", "50%", "--abort-if",
      "errors > 0 or faults > 0 or kills > 0")
    attack_all(g, 1)
    canary.ask(g, 1040)
    local now = canary.tell(g)
    assert.is_falsy(now.over)
    assert_unharmed(now.canary)
    assert.is_true(now.current.kills > 100 and now.current.faults > 10)
    g:advance(61)
    local v = canary.verdict(g)
    assert.equal("promoted", v.state)
    assert_unharmed(v.canary)
    canary.answers(g, "good")
    canary.alone(g)
    assert.equal(engine, g:engine())
    assert.equal(200, answer(g, "/1/request").status)
  end)
end)
