-- Switched protocols: when a request becomes a tunnel, and how tunnels carry and end.
-- covers: flow/step_relay.c flow/upgrade.c
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
    local g = t.proxy(o)
    local c = g:connect()
    c:send(upgrade "websocket")
    assert.equal(101, c:receive_response().status)
    t.wait_for_standstill("what fits on the way", function()
      return g:metric "moongate_client_sent_bytes_total"
    end)
    assert.equal(("0123456789abcdef"):rep(size / 16), (c:receive_all()))
  end)

  it("carry much, to an origin that is slow", function()
    local size = 4 * 1024 * 1024
    local o = t.origin(function(c)
      c:send "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      c:sleep(0.1)
      local bytes = c:receive(size)
      c:send(bytes == ("0123456789abcdef"):rep(size / 16) and "all" or "else")
      c:close()
    end, { head_only = true })
    local c = t.proxy(o):connect()
    c:send(upgrade "websocket")
    assert.equal(101, c:receive_response().status)
    assert(c:send(("0123456789abcdef"):rep(size / 16)))
    assert.equal("all", (c:receive_all()))
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

  it("open for GET only, where the protocol is websocket", function()
    local o = t.origin(switching)
    local g = t.proxy(o, { more = ([[
      gate.on.request(function(req) if req.path == "/method" then req.method = "OPTIONS" end end)
      gate.route { path = "/x", upgrade = { "x" }, upstream = gate.upstream("p", {
        servers = { %q } }) }
    ]]):format(o.address), route = "path = nil" })
    local cases = { { "DELETE", "/", "websocket", 200 }, { "HEAD", "/", "websocket", 200 },
      { "GET", "/method", "websocket", 200 }, { "OPTIONS", "/x", "x", 101 } }
    for _, case in ipairs(cases) do
      local c = g:connect()
      c:send((upgrade(case[3], case[2]):gsub("^GET", case[1])))
      local res = c:receive_response(case[1])
      assert.equal(case[4], res.status, case[1] .. " " .. case[2])
    end
  end)

  it("do not open when a script gives the request a body", function()
    local g = t.proxy(t.origin(switching),
      { more = [[gate.on.request(function(req) req:set_body "abc" end)]] })
    local c = g:connect()
    c:send(upgrade "websocket")
    assert.equal("GET /\nabc", c:receive_response().body)
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

  it("may be asked for by the origin, with 426", function()
    local o = t.origin(function(c, req)
      c:reply(426, "no", { Upgrade = req.target:sub(2), Connection = "Upgrade",
        ["Sec-WebSocket-Version"] = "13, 8" })
    end)
    local g = t.proxy(o, { route = 'path = "/*rest"' })
    local c = g:connect()
    c:send(upgrade("websocket", "/websocket"))
    local res = c:receive_response()
    assert.equal(426, res.status)
    assert.equal("websocket", res.headers.upgrade)
    assert.equal("upgrade", res.headers.connection)
    assert.equal("13, 8", res.headers["sec-websocket-version"])
    c:send(request("/websocket", { headers = { Connection = "close" } }))
    assert.equal("close, upgrade", c:receive_response().headers.connection)
    c = g:connect()
    c:send(request "/other") -- which the route does not switch to
    res = c:receive_response()
    assert.is_nil(res.headers.upgrade)
    assert.is_nil(res.headers.connection)
  end)

  it("are none where a response hook answers something else", function()
    local g = t.proxy(t.origin(switching), { more = [[
      gate.on.response(function(req, res)
        if req.path == "/reply" then return gate.reply(403, "reply") end
        if req.path == "/status" then res.status = 403 end
        if req.path == "/both" then res.status = 404; res:set_body "both" end
        if req.path == "/body" then res:set_body "ignored" end
        if req.path == "/read" then
          local body = res:read_body(100)
          res.headers["x-body"] = "'" .. body .. "'"
        end
      end)
    ]], route = 'path = "/*rest"' })
    local cases = { { "/reply", 403, "reply" }, { "/status", 403, "" }, { "/both", 404, "both" } }
    for _, case in ipairs(cases) do
      local c = g:connect()
      c:send(upgrade("websocket", case[1]))
      local res = c:receive_response()
      assert.equal(case[2], res.status, case[1])
      assert.equal(case[3], res.body, case[1])
      c:send(request "/after")
      assert.equal("GET /after\n", c:receive_response().body)
    end
    for _, path in ipairs { "/body", "/read" } do
      local c = g:connect()
      c:send(upgrade("websocket", path) .. "a\n")
      local res = c:receive_response()
      assert.equal(101, res.status)
      assert.equal(path == "/read" and "''" or nil, res.headers["x-body"])
      assert.equal("A\n", c:receive(2))
    end
  end)

  it("tell a reset from an end", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      if c:receive(1) == "r" then c:reset() else c:close() end
    end)
    local g = t.proxy(o)
    for _, case in ipairs { { "r", "reset" }, { "e", "end" } } do
      local c = g:connect()
      c:send(upgrade "websocket" .. case[1])
      assert.equal(case[2], c:how_it_ends())
    end
  end)

  it("end when the server is silent for longer than timeouts.read", function()
    local g = t.proxy(t.origin(switching),
      { upstream = "timeouts = { read = 100 }", args = { "--workers", "1", "--test-clock" } })
    local c = g:connect()
    c:send(upgrade "websocket" .. "a\n")
    c:receive_response()
    c:receive(2)
    g:advance(60)
    c:send "b\n"
    assert.equal("B\n", c:receive(2))
    g:advance(60)
    c:send "c\n"
    assert.equal("C\n", c:receive(2))
    g:advance(101)
    assert.is_true(c:is_closed())
  end)

  it("live on while a slow client takes what has come", function()
    local size = 8 * 1024 * 1024
    local o = t.origin(function(c)
      c:send "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      c:send(("0123456789abcdef"):rep(size / 16))
      c:receive(1)
    end)
    local g = t.proxy(o, { upstream = "timeouts = { read = 10 }",
      more = "gate.limits { write_stall = 100 }", args = { "--workers", "1", "--test-clock" } })
    local c = g:connect()
    c:send(upgrade "websocket")
    assert.equal(101, c:receive_response().status)
    t.wait_for_standstill("what fits on the way", function()
      return g:metric "moongate_client_sent_bytes_total"
    end)
    g:advance(11)
    assert.equal(size, #c:receive(size))
  end)

  it("are not bound by timeouts.total", function()
    local g = t.proxy(t.origin(switching),
      { upstream = "timeouts = { total = 5 }", args = { "--workers", "1", "--test-clock" } })
    local c = g:connect()
    c:send(upgrade "websocket")
    assert.equal(101, c:receive_response().status)
    g:advance(6)
    c:send "a\n"
    assert.equal("A\n", c:receive(2))
  end)

  it("are counted, open ones and what they carried", function()
    local g = t.proxy(t.origin(switching), { more = [[
      gate.process { access_log = "stdout", access_format = "json" }
    ]] })
    local c, d = g:connect(), g:connect()
    c:send(upgrade "websocket" .. "abc\n")
    d:send(upgrade "websocket" .. "bye\n")
    c:receive_response()
    assert.equal("ABC\n", c:receive(4))
    d:receive_response()
    assert.equal("BYE\n", d:receive(4))
    assert.equal("end", d:how_it_ends())
    d:close()
    t.wait_for("the end", function() return g:metric "moongate_tunnels" == 1 end)
    assert.equal(2, g:metric "moongate_tunnels_total")
    assert.equal(1, g:metric "moongate_tunnels_done_total")
    c:shut()
    assert.equal("the end\n", (c:receive_all()))
    t.wait_for("the end", function() return g:metric "moongate_tunnels" == 0 end)
    assert.equal(8, g:metric "moongate_tunnel_received_bytes_total")
    assert.equal(16, g:metric "moongate_tunnel_sent_bytes_total")
    t.wait_for("the lines", function()
      local log = g:stdout()
      return log:find '"status":101,"bytes_in":4,"bytes_out":4[^\n]*"close":"link_ended"}'
        and log:find '"status":101,"bytes_in":4,"bytes_out":12[^\n]*"close":"client_eof"}'
    end)
  end)

  it("are left alone by a reload, and end with a drain", function()
    local g = t.proxy(t.origin(switching), { args = { "--workers", "1", "--test-clock" } })
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
    g:advance(31)
    assert.is_true(c:is_closed())
    assert.equal(0, g:wait())
  end)
end)
