-- Thousands of attacks, one after the other and side by side, and nobody else notices; memory
-- neither.
local t = require "e2e.support"

--- Calls that have to be stopped: few by default, many where there is time.
local KILLS = tonumber(os.getenv "MOONGATE_SOAK_KILLS") or 300
local AT_ONCE = 8
--- So many are for warming up; from then on what the engine holds of memory after the best batch of
--- a round may not grow by more than this.
local WARM, MIB_MORE = 1000, 10

local GATEWAY = [[
  gate.listen { "127.0.0.1:0" }
  gate.limits { hook_cpu = ]] .. 0.005 * t.slow .. [[ }
  local attacks = require "attacks"
  for i, attack in ipairs(attacks) do
    gate.route { path = "/attack/" .. i, handler = function(req)
      attack[3](req)
      return gate.reply(200, "it ended")
    end }
  end
  gate.route { path = "/attacks", reply = { 200, tostring(#attacks) } }
  gate.route { path = "/innocent", handler = function(req)
    local kept = { req.id, req.headers["x-word"] }
    gate.sleep(0.002)
    return gate.reply(200, kept[2] .. kept[1])
  end }
]]

local function ask(g, path)
  local c = g:connect()
  c:send(("GET %s HTTP/1.1\r\nHost: x\r\nX-Word: word\r\nConnection: close\r\n\r\n"):format(path))
  return c
end

local function rss_mib(pid)
  return tonumber(t.read("/proc/" .. pid .. "/status"):match "VmRSS:%s+(%d+)") / 1024
end

--- Some attacks and somebody who means well, at the same time.
local function batch(g, first, last)
  local attackers = {}
  for i = first, last do attackers[#attackers + 1] = ask(g, "/attack/" .. i) end
  local client = ask(g, "/innocent")
  local innocent, why = client:receive_response()
  client:close()
  assert.truthy(innocent, ("beside attacks %d to %d: %s\n%s"):format(first, last, tostring(why),
    g:stderr():match "moongate crash.*" or "no crash"))
  assert.equal(200, innocent.status)
  assert.matches("^word%x+$", innocent.body)
  for i, c in ipairs(attackers) do
    local res = c:receive_response()
    c:close()
    assert.truthy(res and (res.status == 200 or res.status == 500 or res.status == 503),
      ("attack %d: %s"):format(first + i - 1, tostring(res and res.status)))
  end
end

describe("attacks without end", function()
  after_each(t.cleanup)

  it("cost nobody a request, and no engine", function()
    local g = t.gateway(GATEWAY, { args = { "--workers", "1", "--test-clock" }, supervised = true,
      files = { ["attacks.lua"] = t.read "tests/support/attacks.lua" } })
    local n = tonumber(g:get("/attacks").body)
    local engine = g:engine()
    assert.is_true(n > 80)
    local best
    repeat
      local least = math.huge
      for i = 1, n, AT_ONCE do
        batch(g, i, math.min(i + AT_ONCE - 1, n))
        least = math.min(least, rss_mib(engine))
      end
      local kills = g:metric "moongate_hook_kills_total"
      if kills >= WARM then
        best = math.min(best or least, least)
        -- Sanitizers keep what was freed.
        assert.is_true(t.slow > 1 or least <= best + MIB_MORE,
          ("%.1f MiB, then %.1f after %d kills"):format(best, least, kills))
      end
      -- So that none comes into quarantine: its third stop is outside the minute of its first.
      g:advance(31)
    until kills >= KILLS
    assert.equal(engine, g:engine())
  end)
end)
