--- What befalls WebSocket connections beside others, over time, and when the gateway changes or
--- ends.
-- covers: flow/upgrade.c session/session_h2_clock.c
local rig = require "e2e.websocket.rig"
local t = require "e2e.support"

describe("A WebSocket connection", function()
  setup(rig.start)
  teardown(rig.stop)
  before_each(rig.forget)
  after_each(function()
    rig.forget()
    t.cleanup()
  end)

  it("over one connection of HTTP/2 is not held up by one that nobody reads", function()
    local g = rig.gateway()
    for _, name in ipairs { "x", "y", "z" } do
      rig.client:ask("keep", rig.to(g, "h2", "/flood?n=800", { name = name, pause = true }))
    end
    t.wait_for_standstill("servers that wait", function()
      return rig.server:ask("seen").floodLeft
    end)
    rig.client:ask("keep", rig.to(g, "h2", "/echo", { name = "lively" }))
    for i = 1, 20 do
      local text = ("lively %d"):format(i):rep(1000)
      assert.equal(text, rig.client:ask("say", { name = "lively", text = text }).data)
    end
    rig.client:ask("finish", { name = "lively", code = 1000 })
    assert.equal(1, g:metric "moongate_http2_connections_total")
  end)

  it("is not asked of an origin whose HTTP/2 does not know it", function()
    local g = rig.gateway()
    for _, transport in ipairs { "h1", "h2" } do
      for _ = 1, 2 do -- the first has to wait for what the origin says
        assert.equal(502, rig.client:ask("refused", rig.to(g, transport, "/plain2/echo")).status)
      end
    end
    assert.equal("plain", g:get("/plain2/").body)
    t.wait_for("the lines", function()
      return select(2, g:stdout():gsub("the upstream takes no extended CONNECT", "")) == 4
    end)
  end)

  it("asks for no other protocol than the route allows", function()
    local g = rig.gateway { more = [[
      gate.route { path = "/x/*rest", upgrade = { "x" }, upstream = o }
    ]] }
    local function status(path, protocol, headers)
      local where = rig.to(g, "h2", path, { protocol = protocol, headers = headers })
      return rig.client:ask("refused", where).status
    end
    assert.equal(501, status("/echo", "x"))
    assert.equal(501, status("/x/echo", "websocket"))
    assert.equal(501, status("/echo", "h2c"))
    assert.equal(501, status("/echo", "x", { ["content-type"] = "application/grpc" }))
    assert.equal(400, status("/x/echo", "x")) -- the origin knows it as little, and says so
  end)

  it("ends when nobody has said anything for timeouts.read, either way", function()
    local g = rig.gateway { args = { "--workers", "1", "--test-clock" } }
    for _, way in ipairs { { "h1", "" }, { "h2", "" }, { "h1", "/up2" }, { "h2", "/up2" } } do
      rig.client:ask("keep", rig.to(g, way[1], way[2] .. "/echo", { name = "idle" }))
      for _ = 1, 3 do
        g:advance(40)
        assert.equal("a", rig.client:ask("say", { name = "idle", text = "a" }).data)
      end
      g:advance(30)
      assert.equal("b", rig.client:ask("say", { name = "idle", text = "b" }).data)
      g:advance(61)
      assert.equal(1006, rig.client:ask("over", { name = "idle" }).code)
    end
    t.wait_for("the lines", function()
      return select(2, g:stdout():gsub('"fault":"read_timeout"', "")) == 4
    end)
    assert.equal(4, #rig.ends(4))
  end)

  it("is left alone by a reload, and ends with a drain", function()
    for _, transport in ipairs { "h1", "h1s", "h2", "h2s" } do
      local g = rig.gateway { args = { "--workers", "1", "--test-clock" }, drain = 30 }
      rig.client:ask("keep", rig.to(g, transport, "/echo", { name = "old" }))
      assert.equal(0, t.run({ "reload", "--socket", g.socket }).status)
      assert.equal("a", rig.client:ask("say", { name = "old", text = "a" }).data)
      g:signal "TERM"
      t.wait_for("the drain", function() return g:stderr():find "draining" end)
      assert.equal("b", rig.client:ask("say", { name = "old", text = "b" }).data)
      g:advance(31)
      assert.equal(1006, rig.client:ask("over", { name = "old" }).code)
      assert.equal(0, g:wait())
      assert.truthy(g:stdout():find '"status":101[^\n]*"fault":"client_gone","why":"drain"')
    end
  end)

  it("runs the log hook at the end, with what was carried", function()
    local g = rig.gateway { more = [[
      gate.on.log(function(req, res)
        gate.log.info(("over %d %s in %d out %d"):format(res.status, req.version, req.bytes_in,
          req.bytes_out))
      end)
    ]] }
    for _, transport in ipairs { "h1", "h2" } do
      rig.client:ask("keep", rig.to(g, transport, "/echo", { name = "a" }))
      rig.client:ask("say", { name = "a", text = "abc" })
      rig.client:ask("finish", { name = "a", code = 1000 })
    end
    -- Frames of 2 + 4 + 3 and 2 + 4 + 2 bytes; without masks on the way down.
    t.wait_for("the log hooks", function()
      local log = g:stderr()
      return log:find("over 101 1.1 in 17 out 9", 1, true)
        and log:find("over 101 2.0 in 17 out 9", 1, true)
    end)
  end)

  it("carries 1,000 at once", function()
    local g = rig.gateway { args = { "--workers", "2" } }
    for _, transport in ipairs { "h1", "h2" } do
      local res = rig.client:ask("crowd", rig.to(g, transport, "/echo", { n = 1000 }), 60 * t.slow)
      assert.equal(1000, res.good, transport)
      assert.equal(1000, res.ended, transport)
    end
    assert.equal(2000, g:metric "moongate_tunnels_total")
  end)
end)
