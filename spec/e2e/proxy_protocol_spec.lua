-- The PROXY protocol: who says for whom a connection was made, and who is believed.
-- covers: session/session_proxy.c http/proxy_header.c
local t = require "e2e.support"

local CLOCK = { "--workers", "1", "--test-clock" }
local REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
local SIGNATURE = "\r\n\r\n\0\r\nQUIT\n"
local V2, IP4 = SIGNATURE .. "\x21\x11", "\xc0\0\2\7\xc6\x33\x64\x09\x12\x34\0\x50"

--- A gateway behind a proxy, that says whom it serves.
local function behind(trust, more, args)
  return t.gateway(([[
    gate.listen { "127.0.0.1:0", proxy_protocol = true, trust = { "%s" } }
    %s
    gate.on.connect(function(client)
      if client.ip ~= "127.0.0.1" then return false end
    end)
    gate.route { path = "/", handler = function(req)
      return gate.reply(200, table.concat({ req.client.ip, req.client.port, req.client.peer_ip },
        " "))
    end }
  ]]):format(trust, more or ""), { args = args or { "--workers", "1" } })
end

local function said(g, bytes)
  local c = g:connect()
  c:send(bytes)
  return assert(c:receive_response()).body, c
end

local function ending(g, bytes)
  local c = g:connect()
  c:send(bytes)
  return c:how_it_ends()
end

local function refused(g)
  return g:metric 'moongate_connections_closed_total{reason="proxy_header"}'
end

--- A connection is counted once it is closed.
local function until_refused(g, n)
  t.wait_for("the count", function() return refused(g) == n end)
end

describe("the PROXY protocol of clients", function()
  after_each(t.cleanup)

  it("names the client of a connection, in both versions", function()
    local g = behind "127.0.0.0/8"
    assert.equal("192.0.2.1 56324 192.0.2.1",
      (said(g, "PROXY TCP4 192.0.2.1 198.51.100.9 56324 443\r\n" .. REQUEST)))
    assert.equal("2001:db8::1 7 2001:db8::1",
      (said(g, "PROXY TCP6 2001:db8::1 2001:db8::2 7 443\r\n" .. REQUEST)))
    assert.equal("192.0.2.7 4660 192.0.2.7", (said(g, V2 .. "\0\x0c" .. IP4 .. REQUEST)))
    local tlvs = V2 .. "\x10\x0c" .. IP4 .. ("T"):rep(4096)
    assert.equal("192.0.2.7 4660 192.0.2.7", (said(g, tlvs .. REQUEST)))
  end)

  it("leaves the address of a proxy that speaks for itself", function()
    local g = behind "127.0.0.0/8"
    for _, header in ipairs { "PROXY UNKNOWN\r\n", SIGNATURE .. "\x20\0\0\0",
      SIGNATURE .. "\x21\0\0\0" } do
      assert.truthy(said(g, header .. REQUEST):find("^127%.0%.0%.1 %d+ 127%.0%.0%.1$"))
    end
  end)

  it("holds for all requests of the connection, byte by byte too", function()
    local g = behind "127.0.0.0/8"
    local c = g:connect()
    for byte in ("PROXY TCP4 192.0.2.1 198.51.100.9 56324 443\r\n" .. REQUEST):gmatch "." do
      c:send(byte)
    end
    for _ = 1, 3 do
      assert.equal("192.0.2.1 56324 192.0.2.1", assert(c:receive_response()).body)
      c:send(REQUEST)
    end
  end)

  it("closes a connection without it, with a bad one, or from somebody not trusted", function()
    local g = behind "127.0.0.0/8"
    for i, bytes in ipairs { REQUEST, "PROXY TCP4 1 2 3 4\r\n" .. REQUEST,
      SIGNATURE .. "\x21\x12\0\x0c" .. ("x"):rep(12), "PROXY " .. ("x"):rep(200) } do
      assert.not_equal("neither", ending(g, bytes))
      until_refused(g, i)
    end
    local stranger = behind "192.0.2.0/24"
    assert.not_equal("neither",
      ending(stranger, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" .. REQUEST))
    until_refused(stranger, 1)
  end)

  it("is waited for two seconds", function()
    local g = behind("127.0.0.0/8", nil, CLOCK)
    local c = g:connect()
    c:send "PROXY TCP4 192.0.2.1"
    t.wait_for("the connection", function() return g:status "connections" == "1" end)
    g:advance(0.2)
    assert.equal(0, refused(g))
    g:advance(1.9)
    assert.equal("end", c:how_it_ends())
    until_refused(g, 1)
  end)

  it("tells the next hop and the limits who the client is", function()
    local o = t.origin(function(c, req) c:reply(200, req.headers["x-forwarded-for"] or "none") end)
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0", proxy_protocol = true, trust = { "127.0.0.0/8" } }
      gate.limits { connections_per_ip = 1 }
      gate.upstream("o", { servers = { "%s" } })
      gate.route { path = "/", upstream = "o" }
    ]]):format(o.address), { args = { "--workers", "1" } })
    local spoofed = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
    local body, first = said(g, "PROXY TCP4 192.0.2.1 192.0.2.9 1 2\r\n" .. spoofed)
    assert.equal("192.0.2.1", body)
    assert.not_equal("neither", ending(g, "PROXY TCP4 192.0.2.1 192.0.2.9 1 2\r\n" .. REQUEST))
    assert.equal("192.0.2.2", (said(g, "PROXY TCP4 192.0.2.2 192.0.2.9 1 2\r\n" .. REQUEST)))
    first:close()
    t.wait_for("its place", function()
      local ok, b = pcall(said, g, "PROXY TCP4 192.0.2.1 192.0.2.9 1 2\r\n" .. REQUEST)
      return ok and b == "192.0.2.1"
    end)
  end)
end)

describe("the PROXY protocol to servers", function()
  after_each(t.cleanup)

  local function in_front(of, version)
    return t.gateway(([[
      gate.listen { "127.0.0.1:0", http2 = true }
      gate.upstream("o", { servers = { "127.0.0.1:%d" }, proxy_protocol = "%s" })
      gate.route { path = "/", upstream = "o", max_body = "1m" }
    ]]):format(of, version), { args = { "--workers", "1" } })
  end

  it("names the client of each request", function()
    local back = behind "127.0.0.0/8"
    for _, version in ipairs { "v1", "v2" } do
      local front = in_front(back.port, version)
      for _ = 1, 2 do
        local c = front:connect()
        local _, port = c.conn:getsockname()
        for _ = 1, 2 do
          c:send(REQUEST)
          assert.equal(("127.0.0.1 %d 127.0.0.1"):format(port), assert(c:receive_response()).body)
        end
      end
    end
  end)

  it("names where a client of HTTP/2 went to", function()
    local server = assert(require("socket").bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local front = in_front(port, "v1")
    local curl = io.popen(("timeout 60 curl -s --http2-prior-knowledge http://127.0.0.1:%d/ 2>&1")
      :format(front.port))
    local got = server:accept()
    got:settimeout(t.patience)
    assert.equal(("PROXY TCP4 127.0.0.1 127.0.0.1 N %d"):format(front.port),
      (got:receive("*l"):gsub("127.0.0.1 %d+ (%d+)$", "127.0.0.1 N %1")))
    got:send "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    assert.equal("hi", curl:read "*a")
    curl:close()
    got:close()
    server:close()
  end)

  it("goes before the request, with its body, in one piece", function()
    local server = assert(require("socket").bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    local front = in_front(port, "v1")
    local c = front:connect()
    local _, from = c.conn:getsockname()
    c:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    local got = server:accept()
    got:settimeout(t.patience)
    local seen = got:receive "*l"
    assert.equal(("PROXY TCP4 127.0.0.1 127.0.0.1 %d %d"):format(from, front.port), seen)
    assert.equal("POST / HTTP/1.1", got:receive "*l")
    repeat seen = got:receive "*l" until seen == ""
    assert.equal("hello", got:receive(5))
    got:send "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert.equal("ok", assert(c:receive_response()).body)
    -- The connection spoke for that client; it is not kept for another one.
    local _, why = got:receive(1)
    assert.equal("closed", why)
    got:close()
    server:close()
  end)
end)
