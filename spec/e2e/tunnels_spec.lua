-- Switched protocols: when a request becomes a tunnel, and how tunnels carry and end.
-- covers: flow/step_relay.c
local t = require "e2e.support"

local request = t.client.request_text

-- Accepts the protocol that is asked for, then answers every line with the same in upper case;
-- "half" ends its side after the client has ended its own, "bye" ends it at once.
local function switching(c, req)
  local protocol = req.headers.upgrade
  if not protocol then return t.echo(c, req) end
  c:send(("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n" ..
    "Sec-WebSocket-Accept: x\r\n\r\n"):format(protocol))
  while true do
    local line = c:receive_until "\n"
    if not line then
      c:send "the end\n"
      break
    end
    c:send(line:upper())
    if line == "bye\n" then break end
  end
  c:close()
end

local function upgrade(protocol, path)
  return request(path or "/", { headers = { Connection = "Upgrade", Upgrade = protocol,
    ["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ==" } })
end

describe("tunnels", function()
  after_each(t.cleanup)

  it("carry bytes both ways, also those that come with the handshake", function()
    local g = t.proxy(t.origin(switching))
    local c = g:connect()
    c:send(upgrade "websocket" .. "early\n")
    local res = c:receive_response()
    assert.equal(101, res.status)
    assert.equal("websocket", res.headers.upgrade)
    assert.equal("upgrade", res.headers.connection:lower())
    assert.equal("x", res.headers["sec-websocket-accept"])
    assert.equal("EARLY\n", c:receive(6))
    for i = 1, 100 do
      c:send(("line %d\n"):format(i))
      assert.equal(("LINE %d\n"):format(i), c:receive(#("line %d\n"):format(i)))
    end
    assert.equal(1, g:metric "moongate_tunnels_total")
  end)

  it("carry bytes of the origin that come with its answer", function()
    local o = t.origin(function(c)
      c:send("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome")
      c:receive(1)
    end)
    local c = t.proxy(o):connect()
    c:send(upgrade "websocket")
    assert.equal(101, c:receive_response().status)
    assert.equal("welcome", c:receive(7))
  end)

  it("carry much, to a reader that is slow", function()
    local size = 4 * 1024 * 1024
    local o = t.origin(function(c)
      c:send "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      c:send(("0123456789abcdef"):rep(size / 16))
      c:close()
    end)
    local c = t.proxy(o):connect()
    c:send(upgrade "websocket")
    assert.equal(101, c:receive_response().status)
    t.sleep(0.1)
    assert.equal(("0123456789abcdef"):rep(size / 16), (c:receive_all()))
  end)

  it("end each side for itself", function()
    local g = t.proxy(t.origin(switching))
    local c = g:connect()
    c:send(upgrade "websocket" .. "a\n")
    c:receive_response()
    assert.equal("A\n", c:receive(2))
    c:shut()
    assert.equal("the end\n", (c:receive_all()))
    c = g:connect()
    c:send(upgrade "websocket" .. "bye\n")
    c:receive_response()
    assert.equal("BYE\n", c:receive(4))
    assert.equal("end", c:how_it_ends())
    t.wait_for("the lines", function()
      return select(2, g:stdout():gsub('"GET / HTTP/1.1" 101', "")) == 1
    end)
  end)

  it("run response hooks for the 101, and log hooks at their end", function()
    local g = t.proxy(t.origin(switching), { more = [[
      gate.on.response(function(req, res) res.headers["x-seen"] = tostring(res.status) end)
      gate.on.log(function(req, res)
        gate.log.info("over " .. res.status .. " in " .. req.bytes_in .. " out " .. req.bytes_out)
      end)
    ]] })
    local c = g:connect()
    c:send(upgrade "websocket")
    assert.equal("101", c:receive_response().headers["x-seen"])
    c:send "abc\n"
    c:receive(4)
    assert.is_nil(g:stderr():find "over 101")
    c:close()
    t.wait_for("the log hook", function() return g:stderr():find("over 101 in 4 out", 1, true) end)
  end)

  it("open for no protocol but those of the route", function()
    local o = t.origin(switching)
    local upstream = ('gate.upstream("p", { servers = { %q } })'):format(o.address)
    local g = t.proxy(o, { more = ([[
      local p = %s
      gate.route { path = "/none", upgrade = false, upstream = p }
      gate.route { path = "/more", upgrade = { "websocket", "x" }, upstream = p }
    ]]):format(upstream) })
    local cases = {
      { "/", "websocket", 101 }, { "/", "WebSocket", 101 }, { "/", "x", 200 }, { "/", "h2c", 200 },
      { "/none", "websocket", 200 }, { "/more", "x", 101 }, { "/more", "websocket", 101 },
      { "/more", "y", 200 },
    }
    for _, case in ipairs(cases) do
      local c = g:connect()
      c:send(upgrade(case[2], case[1]))
      assert.equal(case[3], c:receive_response().status, case[1] .. " " .. case[2])
      if case[3] == 200 then
        c:send(request "/after") -- what does not switch stays HTTP
        assert.equal("GET /after\n", c:receive_response().body)
      end
      c:close()
    end
  end)

  it("do not open on a 101 that nobody asked for, or to something else", function()
    local o = t.origin(function(c, req)
      c:send(("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"):format(
        req.target:sub(2)))
    end)
    local g = t.proxy(o)
    assert.equal(502, g:get("/websocket").status)
    local c = g:connect()
    c:send(upgrade("websocket", "/other"))
    assert.equal(502, c:receive_response().status)
  end)

  it("do not open for HTTP/1.0 or for a request with a body", function()
    local g = t.proxy(t.origin(switching))
    local c = g:connect()
    c:send "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert.equal(200, c:receive_response().status)
    c = g:connect()
    c:send("POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" ..
      "Content-Length: 3\r\n\r\nabc")
    assert.equal("POST /\nabc", c:receive_response().body)
  end)

  it("open for a request that says that it has no body", function()
    local c = t.proxy(t.origin(switching)):connect()
    c:send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" ..
      "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly\n")
    assert.equal(101, c:receive_response().status)
    assert.equal("EARLY\n", c:receive(6))
    c:send "bye\n"
    assert.equal("BYE\n", (c:receive_all()))
  end)

  it("may be refused by the origin", function()
    local o = t.origin(function(c) c:reply(403, "no") end)
    local c = t.proxy(o):connect()
    c:send(upgrade "websocket")
    assert.equal(403, c:receive_response().status)
    c:send(request "/")
    assert.equal("no", c:receive_response().body)
  end)

  it("end when the server is silent for longer than timeouts.read", function()
    local g = t.proxy(t.origin(switching),
      { upstream = "timeouts = { read = 10 }", args = { "--workers", "1", "--test-clock" } })
    local c = g:connect()
    c:send(upgrade "websocket" .. "a\n")
    c:receive_response()
    c:receive(2)
    g:advance(6)
    c:send "b\n"
    assert.equal("B\n", c:receive(2))
    g:advance(6)
    c:send "c\n"
    assert.equal("C\n", c:receive(2))
    g:advance(11)
    assert.is_true(c:is_closed())
  end)

  it("are left alone by a reload, and end with a drain", function()
    local g = t.proxy(t.origin(switching), { more = "gate.process { drain = 0.5 }" })
    local c = g:connect()
    c:send(upgrade "websocket")
    c:receive_response()
    assert.equal(0, t.run({ "reload", "--socket", g.socket }).status)
    c:send "a\n"
    assert.equal("A\n", c:receive(2))
    g:signal "TERM"
    t.wait_for("the drain", function() return g:stderr():find "draining" end)
    c:send "b\n"
    assert.equal("B\n", c:receive(2))
    assert.is_true(c:is_closed())
    assert.equal(0, g:wait())
  end)
end)
