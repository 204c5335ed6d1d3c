--- WebSocket with clients and an origin that are not ours (package ws), over HTTP/1.1 and HTTP/2
--- (RFC 8441), each plain and over TLS, to an origin that speaks the one or the other. What tunnels
--- do in general is in tunnels_spec.lua.
-- covers: flow/upgrade.c flow/step_relay.c http/h2_stream.c http/h2_connect.c
local node = require "e2e.support.node"
local pki = require "e2e.support.pki"
local t = require "e2e.support"

local GATEWAY = [[
gate.listen { "127.0.0.1:0", http2 = true }
gate.listen { "127.0.0.1:0", http2 = true, tls = { cert = "$CERT.pem", key = "$CERT.key" } }
gate.process { access_log = "stdout", access_format = "json", drain = 0.5 }
local o = gate.upstream("o", { servers = { "127.0.0.1:$PORT" } })
local o2 = gate.upstream("o2", { servers = { "127.0.0.1:$2PORT" }, http2 = true })
local plain2 = gate.upstream("plain2", { servers = { "127.0.0.1:$2PLAIN" }, http2 = true })
gate.on.request(function(req)
  local user = req.path:find "^/auth/" and req.headers.authorization
  if user == false or req.path:find "^/auth/" and user ~= "Bearer x" then
    return gate.reply(401, "who are you?", { ["WWW-Authenticate"] = "Bearer" })
  end
  if req.path:find "^/always/" then return gate.reply(200, "fine") end
  req.headers["x-hook"] = ("%s %s %s %d"):format(req.method, req.headers.upgrade, req.version,
    #(req.headers["sec-websocket-key"] or ""))
end)
gate.on.response(function(req, res)
  if req.path:find "^/turned/" then res.status = 403 end
  res.headers["x-status"] = tostring(res.status)
end)
gate.route { path = "/none/*rest", upgrade = false, upstream = o }
gate.route { path = "/*rest", upstream = o }
gate.route { path = "/up2/*rest", upstream = o2 }
gate.route { path = "/plain2/*rest", upstream = plain2 }
]]

-- Which listener each way of talking uses.
local TRANSPORTS = { h1 = 1, h1s = 2, h2 = 1, h2s = 2 }

local dir, certs, server, client, ports

local function start_all()
  dir = t.folder(true)
  certs = pki.new(dir):make("localhost", { names = { "localhost" } })
  server = node.start("ws_server.js", dir)
  client = node.start("ws_client.js", dir)
  ports = server:ask "listen"
end

local function stop_all()
  client:stop()
  server:stop()
  os.execute("rm -rf " .. dir)
end

local function gateway(options)
  local text = GATEWAY:gsub("$CERT", dir .. "/localhost"):gsub("$PORT", tostring(ports.port))
    :gsub("$2PORT", tostring(ports.port2)):gsub("$2PLAIN", tostring(ports.plain2))
  if options and options.more then text = text .. options.more end
  return t.gateway(text, options)
end

--- Where a client goes to: a path through gateway g, and more options.
local function to(g, transport, path, more)
  local where = { transport = transport, port = g.ports[TRANSPORTS[transport]], path = path,
    ca = certs:path "ca.pem" }
  for name, value in pairs(more or {}) do where[name] = value end
  return where
end

--- The ends that the server has seen, once there are n of them.
local function ends(n)
  return t.wait_for("ends at the server", function()
    local seen = server:ask "seen"
    return #seen.ends >= n and seen.open == 0 and seen.ends
  end)
end

local function over(transport, make, prefix)
  prefix = prefix or ""
  describe("WebSocket over " .. transport .. prefix, function()
    local g

    setup(function()
      start_all()
      g = gateway()
    end)

    before_each(function() server:ask "forget" end)

    teardown(function()
      t.cleanup()
      stop_all()
    end)

    make(function(path, more) return to(g, transport, prefix .. path, more) end,
      function() return g end)
  end)
end

local function messages(where)
  it("carries messages of all sizes", function()
    local sizes = { 0, 1, 125, 126, 127, 128, 1000, 16383, 16384, 65535, 65536, 65537, 1048576 }
    local res = client:ask("echo", where("/echo", { sizes = sizes }))
    assert.same({}, res.wrong)
    assert.equal(1000, res.code)
    assert.equal(1000, ends(1)[1].code)
  end)

  it("carries a message of 16 MiB", function()
    local res = client:ask("echo", where("/echo", { sizes = { 16 * 2 ^ 20 } }), 60 * t.slow)
    assert.same({}, res.wrong)
  end)

  it("carries fragments and pings between them", function()
    local res = client:ask("fragments", where "/echo")
    assert.is_true(res.whole)
    assert.same({ "ping 0", "ping 50", "ping 100", "ping 150" }, res.pongs)
  end)

  it("carries many messages in their order", function()
    assert.is_true(client:ask("many", where("/echo", { n = 5000 })).inOrder)
  end)

  it("carries pings of the server", function()
    assert.equal("pong hello", client:ask("first", where "/ping").data)
  end)

  it("carries compressed messages", function()
    local more = { deflate = true, sizes = { 0, 1, 1000, 100000, 1048576 } }
    assert.same({}, client:ask("echo", where("/echo?deflate", more)).wrong)
    local res = client:ask("first", where("/early?deflate", { deflate = true }))
    assert.equal("permessage-deflate", res.extensions)
    -- Where the server does not want it.
    res = client:ask("first", where("/early", { deflate = true }))
    assert.equal("", res.extensions)
    assert.equal("welcome", res.data)
  end)

  it("carries close codes both ways", function()
    for _, code in ipairs { 1000, 1001, 1011, 3000, 4999 } do
      server:ask "forget"
      client:ask("keep", where("/echo", { name = "a" }))
      client:ask("finish", { name = "a", code = code, reason = "so it is" })
      assert.same({ { name = "echo", code = code, reason = "so it is" } }, ends(1))
      local res = client:ask("first", where("/close?reason=bye&code=" .. code))
      assert.equal(code, res.code)
      assert.equal("bye", res.reason)
    end
    assert.equal(1005, client:ask("first", where "/close").code)
  end)

  it("carries what the other side has to refuse", function()
    -- Text that is not UTF-8; a frame without a mask; a continuation of nothing.
    assert.equal(1007, client:ask("raw", where("/echo", { hex = "818200000000c328" })).code)
    assert.equal(1002, client:ask("raw", where("/echo", { hex = "810141" })).code)
    assert.equal(1002, client:ask("raw", where("/echo", { hex = "80810000000041" })).code)
  end)
end

local function handshakes(where, running)
  it("says to the origin who asks, and for what", function()
    local res = client:ask("first", where("/headers?a=1&b=%20", { headers = {
      origin = "https://app.test", cookie = "a=1; b=2", ["x-own"] = "me" } }))
    local seen = require "cjson".decode(res.data)
    assert.equal("GET", seen.method)
    assert.equal("1.1", seen.version)
    assert.equal("/headers?a=1&b=%20", seen.url)
    local h = seen.headers
    assert.equal("websocket", h.upgrade)
    assert.equal("upgrade", h.connection:lower())
    assert.equal("13", h["sec-websocket-version"])
    assert.equal("https://app.test", h.origin)
    assert.equal("a=1; b=2", h.cookie)
    assert.equal("me", h["x-own"])
    assert.equal("127.0.0.1", h["x-forwarded-for"])
    assert.truthy(h.host:find "^localhost:%d+$")
    local h2 = where("").transport:find "^h2" ~= nil
    assert.equal(h2 and "2.0 moongate" or "1.1 moongate", h.via)
    assert.equal(where("").transport:find "s$" and "https" or "http", h["x-forwarded-proto"])
    -- Scripts see the same request, whatever it came over.
    assert.equal(("GET websocket %s 24"):format(h2 and "2.0" or "1.1"), h["x-hook"])
  end)

  it("gives the client the origin's answer, after the response hooks", function()
    local res = client:ask("first", where "/early")
    local h2 = where("").transport:find "^h2"
    assert.equal(h2 and 200 or 101, res.status)
    assert.equal("101", res.headers["x-status"])
    assert.equal("welcome", res.data)
    if h2 then
      assert.is_nil(res.headers.upgrade)
      assert.is_nil(res.headers.connection)
      assert.is_nil(res.headers["sec-websocket-accept"])
    end
    t.wait_for("the line", function()
      return running():stdout():find '"target":"/early"[^\n]*"status":101'
    end)
  end)

  it("agrees on a subprotocol", function()
    assert.equal("b", client:ask("first", where("/early", { protocols = { "a", "b" } })).protocol)
    assert.equal("", client:ask("first", where "/early").protocol)
  end)

  it("passes refusals of the origin", function()
    for _, status in ipairs { 302, 400, 401, 403, 404, 426, 500, 503 } do
      local res = client:ask("refused", where("/refuse?status=" .. status))
      assert.equal(status, res.status)
      assert.equal("no: " .. status, res.body)
      assert.equal("because", res.headers["x-why"])
      assert.equal(status == 426 and "13" or nil, res.headers["sec-websocket-version"])
    end
  end)

  it("is refused by the origin in another version", function()
    local res = client:ask("refused", where("/echo", { version = "7" }))
    assert.equal(400, res.status)
    assert.equal("13, 8", res.headers["sec-websocket-version"])
  end)

  it("asks the hooks first", function()
    local res = client:ask("refused", where "/auth/echo")
    assert.equal(401, res.status)
    assert.equal("who are you?", res.body)
    assert.equal("Bearer", res.headers["www-authenticate"])
    res = client:ask("echo", where("/auth/echo", { sizes = { 10 },
      headers = { authorization = "Bearer x" } }))
    assert.same({}, res.wrong)
    assert.equal(403, client:ask("refused", where "/turned/echo").status)
    assert.equal(1006, ends(2)[2].code) -- that one was begun, and cut
  end)

  it("is none where the route forbids it", function()
    local h2 = where("").transport:find "^h2"
    -- Over HTTP/1.1 the request goes on without asking for a switch.
    assert.equal(h2 and 501 or 200, client:ask("refused", where "/none/echo").status)
    assert.equal(h2 and 501 or 200, client:ask("refused", where "/always/echo").status)
    assert.equal(0, #server:ask("seen").ends)
  end)
end

--- To an origin that speaks HTTP/2.
local function handshakes_up2(where)
  it("asks the origin by an extended CONNECT", function()
    local res = client:ask("first", where("/headers?a=1", { protocols = { "a", "b" },
      headers = { cookie = "a=1" } }))
    local seen = require "cjson".decode(res.data)
    local h = seen.headers
    assert.equal("CONNECT", h[":method"])
    assert.equal("websocket", h[":protocol"])
    assert.equal("/up2/headers?a=1", h[":path"])
    assert.equal("http", h[":scheme"])
    assert.truthy(h[":authority"]:find "^localhost:%d+$")
    assert.equal("13", h["sec-websocket-version"])
    assert.equal("a=1", h.cookie)
    assert.is_nil(h["sec-websocket-key"])
    assert.is_nil(h.upgrade)
    assert.is_nil(h.connection)
    assert.is_nil(h.te)
    local h2 = where("").transport:find "^h2"
    assert.equal(h2 and 200 or 101, res.status)
    assert.equal("101", res.headers["x-status"])
    assert.equal("b", res.protocol)
  end)

  it("passes refusals of the origin", function()
    for _, status in ipairs { 302, 400, 401, 403, 404, 503 } do
      local res = client:ask("refused", where("/refuse?status=" .. status))
      assert.equal(status, res.status)
      assert.equal("no: " .. status, res.body)
      assert.equal("because", res.headers["x-why"])
    end
  end)
end

local function crowds(where, running)
  it("carries 300 at once", function()
    local res = client:ask("crowd", where("/echo", { n = 300 }), 60 * t.slow)
    assert.equal(300, res.good)
    assert.equal(300, res.ended)
    t.wait_for("the ends", function() return running():metric "moongate_tunnels" == 0 end)
  end)

  it("holds the server back while the client does not read", function()
    local n = 800
    client:ask("keep", where("/flood?n=" .. n, { name = "slow", pause = true }))
    local left = t.wait_for_standstill("a server that waits", function()
      return server:ask("seen").floodLeft
    end)
    assert.is_true(left > 100, left)
    local res = client:ask("drain", { name = "slow" }, 60 * t.slow)
    assert.equal(n * 65536, res.n)
    assert.equal(1000, res.code)
  end)

  it("holds the client back while the server does not read", function()
    local n = 800
    client:ask("keep", where("/deaf", { name = "fast" }))
    client:ask("push", { name = "fast", n = n })
    t.wait_for_standstill("a client that waits", function()
      return client:ask("waiting", { name = "fast" }).bytes
    end)
    local res = server:ask("listenAgain", {}, 60 * t.slow)
    assert.equal(n * 65536, res.n)
    assert.equal(1000, res.code)
  end)
end

local function deaths(where)
  it("tells the server when the client dies", function()
    for i, how in ipairs { "end", "reset" } do
      client:ask("keep", where("/echo", { name = "mortal" }))
      assert.equal("hi", client:ask("say", { name = "mortal", text = "hi" }).data)
      client:ask("leave", { name = "mortal", how = how })
      assert.equal(1006, ends(i)[i].code)
    end
  end)

  it("tells the client when the server dies", function()
    for _, how in ipairs { "die", "reset" } do
      client:ask("keep", where("/" .. how, { name = "mortal" }))
      assert.equal(1006, client:ask("say", { name = "mortal", text = "now" }).code)
    end
  end)
end

for _, transport in ipairs { "h1", "h1s", "h2", "h2s" } do
  over(transport, messages)
  over(transport, handshakes)
  over(transport, crowds)
  over(transport, deaths)
end

for _, transport in ipairs { "h1", "h2" } do
  over(transport, messages, "/up2")
  over(transport, handshakes_up2, "/up2")
  over(transport, crowds, "/up2")
  over(transport, deaths, "/up2")
end

describe("WebSocket", function()
  setup(start_all)
  teardown(stop_all)
  before_each(function() server:ask "forget" end)
  after_each(function()
    client:ask "closeSessions"
    t.cleanup()
  end)

  it("over one connection of HTTP/2 is not held up by one that nobody reads", function()
    local g = gateway()
    for _, name in ipairs { "x", "y", "z" } do
      client:ask("keep", to(g, "h2", "/flood?n=800", { name = name, pause = true }))
    end
    t.wait_for_standstill("servers that wait", function() return server:ask("seen").floodLeft end)
    client:ask("keep", to(g, "h2", "/echo", { name = "lively" }))
    for i = 1, 20 do
      local text = ("lively %d"):format(i):rep(1000)
      assert.equal(text, client:ask("say", { name = "lively", text = text }).data)
    end
    client:ask("finish", { name = "lively", code = 1000 })
    assert.equal(1, g:metric "moongate_http2_connections_total")
  end)

  it("is not asked of an origin whose HTTP/2 does not know it", function()
    local g = gateway()
    for _, transport in ipairs { "h1", "h2" } do
      for _ = 1, 2 do -- the first has to wait for what the origin says
        assert.equal(502, client:ask("refused", to(g, transport, "/plain2/echo")).status)
      end
    end
    assert.equal("plain", g:get("/plain2/").body)
    t.wait_for("the lines", function()
      return select(2, g:stdout():gsub("the upstream takes no extended CONNECT", "")) == 4
    end)
  end)

  it("asks for no other protocol than the route allows", function()
    local g = gateway { more = [[
      gate.route { path = "/x/*rest", upgrade = { "x" }, upstream = o }
    ]] }
    assert.equal(501, client:ask("refused", to(g, "h2", "/echo", { protocol = "x" })).status)
    assert.equal(501, client:ask("refused", to(g, "h2", "/x/echo")).status)
    assert.equal(501, client:ask("refused", to(g, "h2", "/echo", { protocol = "h2c" })).status)
    -- The origin knows it as little, and says so.
    assert.equal(400, client:ask("refused", to(g, "h2", "/x/echo", { protocol = "x" })).status)
  end)

  it("ends when nobody has said anything for timeouts.read, either way", function()
    local g = gateway { args = { "--workers", "1", "--test-clock" } }
    for _, way in ipairs { { "h1", "" }, { "h2", "" }, { "h1", "/up2" }, { "h2", "/up2" } } do
      client:ask("keep", to(g, way[1], way[2] .. "/echo", { name = "idle" }))
      for _ = 1, 3 do
        g:advance(40)
        assert.equal("a", client:ask("say", { name = "idle", text = "a" }).data)
      end
      g:advance(59)
      assert.equal("b", client:ask("say", { name = "idle", text = "b" }).data)
      g:advance(61)
      assert.equal(1006, client:ask("over", { name = "idle" }).code)
    end
    t.wait_for("the lines", function()
      return select(2, g:stdout():gsub('"fault":"read_timeout"', "")) == 4
    end)
    assert.equal(4, #ends(4))
  end)

  it("is left alone by a reload, and ends with a drain", function()
    for _, transport in ipairs { "h1", "h1s", "h2", "h2s" } do
      local g = gateway()
      client:ask("keep", to(g, transport, "/echo", { name = "old" }))
      assert.equal(0, t.run({ "reload", "--socket", g.socket }).status)
      assert.equal("a", client:ask("say", { name = "old", text = "a" }).data)
      g:signal "TERM"
      t.wait_for("the drain", function() return g:stderr():find "draining" end)
      assert.equal("b", client:ask("say", { name = "old", text = "b" }).data)
      assert.equal(1006, client:ask("over", { name = "old" }).code)
      assert.equal(0, g:wait())
    end
  end)

  it("runs the log hook at the end, with what was carried", function()
    local g = gateway { more = [[
      gate.on.log(function(req, res)
        gate.log.info(("over %d %s in %d out %d"):format(res.status, req.version, req.bytes_in,
          req.bytes_out))
      end)
    ]] }
    for _, transport in ipairs { "h1", "h2" } do
      client:ask("keep", to(g, transport, "/echo", { name = "a" }))
      client:ask("say", { name = "a", text = "abc" })
      client:ask("finish", { name = "a", code = 1000 })
    end
    -- Frames of 2 + 4 + 3 and 2 + 4 + 2 bytes; without masks on the way down.
    t.wait_for("the log hooks", function()
      local log = g:stderr()
      return log:find("over 101 1.1 in 17 out 9", 1, true)
        and log:find("over 101 2.0 in 17 out 9", 1, true)
    end)
  end)

  it("carries 1,000 at once", function()
    local g = gateway { args = { "--workers", "2" } }
    for _, transport in ipairs { "h1", "h2" } do
      local res = client:ask("crowd", to(g, transport, "/echo", { n = 1000 }), 60 * t.slow)
      assert.equal(1000, res.good, transport)
      assert.equal(1000, res.ended, transport)
    end
    assert.equal(2000, g:metric "moongate_tunnels_total")
  end)
end)
