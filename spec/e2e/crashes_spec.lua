-- Engines that die, and what their supervisor makes of it. covers: run/supervisor.c run/crash.c
local t = require "e2e.support"

local HELLO = [[
gate.listen { "127.0.0.1:0" }
gate.route { path = "/hello", reply = { 200, "hello\n" } }
gate.route { path = "/slow", handler = function(req)
  gate.sleep(tonumber(req.args.s))
  return gate.reply(200, "slow\n")
end }
]]

local KILLS = 20
local AT_ONCE = 4 -- so many in a row are forgiven

--- A client that connects again and again until `stop` exists. Connections that an engine had taken
-- end with it; none is refused, and none waits for ever.
local function keep_asking(g, stop)
  return t.process.fork(function()
    local answers = 0
    while not os.rename(stop, stop) do
      local c = assert(t.client.connect(g.port))
      c:send(t.client.request_text "/hello")
      local res, err = c:receive_response()
      assert(res or err ~= "timeout", err)
      if res then
        assert(res.body == "hello\n", res.body)
        answers = answers + 1
      end
      c:close()
    end
    assert(answers > KILLS)
  end)
end

local function uptime(g) return g:metric "moongate_uptime_seconds" end

describe("an engine that dies", function()
  after_each(t.cleanup)

  it("is followed by another one; nobody is refused meanwhile", function()
    local g = t.gateway(HELLO, { supervised = true, args = { "--workers", "2" } })
    local stop = g.dir .. "/stop"
    local clients = {}
    for i = 1, 3 do clients[i] = keep_asking(g, stop) end
    for kill = 1, KILLS do
      local pid = g:engine()
      t.wait_for("requests", function()
        return g:metric "moongate_requests_begun_total" > 10
      end)
      if kill > 1 and kill % AT_ONCE == 1 then
        local now = uptime(g)
        t.wait_for("a while", function() return uptime(g) >= now + 3 end)
      end
      t.process.kill(pid, "KILL")
      g:until_ready(kill + 1)
      assert.not_equal(pid, g:engine())
    end
    t.write(stop, "")
    for _, client in ipairs(clients) do assert.equal(0, client:wait(t.patience)) end
    local _, lines = g:stderr():gsub(
      "was killed by SIGKILL; its listeners stay open, another one starts in 100 ms", "")
    assert.equal(KILLS, lines)
  end)

  it("makes the gateway fail when it was draining", function()
    local g = t.gateway(HELLO, { supervised = true })
    local busy = g:connect()
    busy:send(t.client.request_text "/slow?s=30")
    t.wait_for("the request", function() return g:status "requests_active" == "1" end)
    g:signal "TERM"
    t.wait_for("the drain", function() return g:stderr():find "draining" end)
    t.process.kill(g:engine(), "KILL")
    assert.equal(3, g:wait())
    local _, lines = g:stderr():gsub("the engine was killed by SIGKILL while it drained", "")
    assert.equal(1, lines)
  end)

  it("makes the gateway fail when it was the first and never ready", function()
    local g = t.gateway("while true do end", { supervised = true, ready = false })
    t.process.kill(g:engine(), "KILL")
    assert.equal(3, g:wait())
    assert.matches("the engine was killed by SIGKILL before it was ready", g:stderr())
  end)

  it("was told to end at once: that is no failure", function()
    local g = t.gateway(HELLO, { supervised = true })
    t.process.kill(g:engine(), "STOP")
    g:signal "INT"
    g:signal "TERM"
    assert.equal(0, g:wait())
    assert.matches("did not end in time", g:stderr())
  end)

  it("says what it was busy with", function()
    if os.getenv "MOONGATE_SANITIZE" ~= "none" then return end -- they have reports of their own
    local g = t.gateway(HELLO, { supervised = true })
    t.process.kill(g:engine(), "SEGV")
    t.wait_for("the report", function()
      return g:stderr():find "moongate crash: segmentation fault"
    end)
    assert.equal("hello\n", g:get("/hello").body)
  end)
end)
