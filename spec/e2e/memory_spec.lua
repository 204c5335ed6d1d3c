-- covers: script/heavy.c
-- One worker whose memory is full of what waiting requests hold: who holds most ends, and nobody
-- who only came at the wrong time.
local t = require "e2e.support"

local HOGS = 8

local GATEWAY = [[
gate.listen { "127.0.0.1:0" }
gate.limits { vm_memory = "32m", hook_cpu = "5s" }
local serial = 0
local function rows(mib)
  local list = {}
  for i = 1, mib * 8 do
    serial = serial + 1
    list[i] = serial .. ("x"):rep(131072) -- equal strings would be one
  end
  return list
end
gate.route { path = "/hog", name = "hog", handler = function()
  local held = rows(4)
  gate.sleep(100)
  return gate.reply(200, #held .. " rows")
end }
gate.route { path = "/work", handler = function()
  return gate.reply(200, #rows(1) .. " rows")
end }
local rounds = 0
gate.route { path = "/rounds", handler = function()
  return gate.reply(200, tostring(rounds))
end }
gate.every("50ms", function()
  if rounds > 0 then return end
  while not gate.exiting() do
    rounds = rounds + #rows(1)
    gate.sleep(0.01)
  end
end)
]]

--- Requests that have been answered, of those that hold memory.
local function answers(hogs)
  local list = {}
  for _, hog in ipairs(hogs) do
    if not hog.res and hog.conn:readable() then hog.res = hog.conn:receive_response() end
    if hog.res then list[#list + 1] = hog.res end
  end
  return list
end

describe("memory that waiting requests hold", function()
  after_each(t.cleanup)

  it("is taken from the heaviest, one by one, while others are served", function()
    local g = t.gateway(GATEWAY)
    local worker = g:connect()
    local hogs = {}
    for i = 1, 2 * HOGS do
      hogs[i] = { conn = g:connect() }
      hogs[i].conn:send "GET /hog HTTP/1.1\r\nHost: x\r\n\r\n"
      for _ = 1, 5 do
        worker:send "GET /work HTTP/1.1\r\nHost: x\r\n\r\n"
        local res = worker:receive_response()
        assert.equal(200, res.status, g:stderr())
        assert.equal("8 rows", res.body)
      end
    end
    local ended = t.wait_for("ends", function()
      local list = answers(hogs)
      return #list >= HOGS and list
    end)
    assert.is_true( #ended <= HOGS + 4, #ended .. " ended")
    for _, res in ipairs(ended) do assert.equal(500, res.status) end
    local said = t.wait_for("the line", function()
      local text = g:stderr()
      return text:find "script out of memory: gateway.lua:%d+: not enough memory" and text
    end)
    assert.truthy(said:find('"hook":"handler"', 1, true) or said:find("hook=handler", 1, true))
    -- Who allocates all the time but holds little is still at work.
    local before = tonumber(g:get("/rounds").body)
    t.wait_for("more rounds", function() return tonumber(g:get("/rounds").body) > before end)
    assert.falsy(said:find "every")
    for _, hog in ipairs(hogs) do hog.conn:close() end
  end)
end)
