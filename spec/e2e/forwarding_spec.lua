-- The fields that a gateway takes away, writes and passes on: hop-by-hop, Via, Forwarded and its
-- like, Host. covers: http/forwarded.c http/write.c
local t = require "e2e.support"

-- An origin that answers with the fields it was sent, one a line.
local function fields_origin()
  return t.origin(function(c, req)
    c:reply(200, req.raw:match "^[^\n]*\n(.*)\r\n$")
  end)
end

-- What goes up for a request with these lines, by lower-case name; several as "a, b".
local function sent_up(g, lines, options)
  options = options or {}
  local c = t.connect(options.port or g.port, options.address)
  c:send((options.line or "GET / HTTP/1.1") .. "\r\n" .. (options.host or "Host: shop.test:81\r\n")
    .. lines .. "\r\n")
  local res = assert(c:receive_response())
  assert.equal(200, res.status)
  return t.client.parse_head("x\r\n" .. res.body).headers
end

local TRUST = 'trust = { "127.0.0.1", "10.0.0.0/8" }'

describe("hop-by-hop fields", function()
  after_each(t.cleanup)

  it("of a request stay here, and so does what Connection nominates", function()
    local up = sent_up(t.proxy(fields_origin()), "Connection: keep-alive, X-Hop, x-Other-Hop\r\n" ..
      "Keep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: close\r\n" ..
      "Proxy-Authorization: Basic eA==\r\nProxy: http://evil\r\nX-Hop: 1\r\nX-Other-Hop: 2\r\n" ..
      "X-Stays: 3\r\n")
    for _, name in ipairs {
      "connection", "keep-alive", "te", "proxy-connection", "proxy-authorization",
      "proxy", "x-hop", "x-other-hop",
    } do
      assert.is_nil(up[name], name)
    end
    assert.equal("3", up["x-stays"])
  end)

  it("cannot be made of what the next hop needs", function()
    local up = sent_up(t.proxy(fields_origin()),
      "Connection: close, Host, Authorization, Cookie\r\n" ..
      "Connection: X-Forwarded-For, Via, Content-Type, Cache-Control\r\nAuthorization: a\r\n" ..
      "Cookie: b=c\r\nContent-Type: d/e\r\nCache-Control: no-cache\r\n")
    assert.equal("shop.test:81", up.host)
    assert.equal("a", up.authorization)
    assert.equal("b=c", up.cookie)
    assert.equal("d/e", up["content-type"])
    assert.equal("no-cache", up["cache-control"])
    assert.equal("127.0.0.1", up["x-forwarded-for"])
    assert.equal("1.1 moongate", up.via)
  end)

  it("of a response stay here too", function()
    local o = t.origin(function(c)
      c:send("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\n" ..
        "Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Hop: 1\r\nX-Stays: 2\r\n" ..
        "Content-Length: 2\r\n\r\nok")
    end)
    local res = t.proxy(o):get "/"
    for _, name in ipairs {
      "connection", "keep-alive", "proxy-authenticate", "upgrade", "x-hop",
    } do
      assert.is_nil(res.headers[name], name)
    end
    assert.equal("2", res.headers["x-stays"])
  end)

  it("never carry h2c up", function()
    local up = sent_up(t.proxy(fields_origin(), { route = 'upgrade = { "websocket" }' }),
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")
    assert.is_nil(up.upgrade)
    assert.is_nil(up.connection)
    assert.is_nil(up["http2-settings"])
  end)

  it("h2c cannot be allowed by a route", function()
    local g = t.gateway([[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", upgrade = { "h2c" }, reply = { 200, "x" } }
    ]], { ready = false })
    assert.equal(1, g:wait())
    assert.matches("h2c", g:stderr(), 1, true)
  end)
end)

describe("forwarding fields", function()
  after_each(t.cleanup)

  local CLAIMS = {
    "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test",
    "X-Forwarded-Port: 444", "X-Forwarded-Prefix: /evil", "X-Forwarded-Server: evil",
    "X-Forwarded-Ssl: on", "X-Forwarded-Scheme: https", "Forwarded: for=192.0.2.1;proto=https",
    "X-Real-IP: 192.0.2.1", "X-Client-IP: 192.0.2.1", "True-Client-IP: 192.0.2.1",
    "X-Cluster-Client-IP: 192.0.2.1", "Client-IP: 192.0.2.1", "X-Original-URL: /admin",
    "X-Original-Host: evil", "X-Rewrite-URL: /admin", "X-HTTP-Method-Override: DELETE",
    "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "Front-End-Https: on",
    "X-Host: evil.test",
  }

  local function claims()
    return table.concat(CLAIMS, "\r\n") .. "\r\nVia: 1.1 evil\r\n"
  end

  it("of strangers are replaced, those that are not written are dropped", function()
    local up = sent_up(t.proxy(fields_origin()), claims())
    local expected = {
      ["x-forwarded-for"] = "127.0.0.1", ["x-forwarded-proto"] = "http",
      ["x-forwarded-host"] = "shop.test:81",
    }
    for _, line in ipairs(CLAIMS) do
      local name = line:match("^[^:]+"):lower()
      assert.equal(expected[name], up[name], name)
    end
    assert.equal("1.1 evil, 1.1 moongate", up.via)
  end)

  it("of trusted clients pass or are appended to", function()
    local up = sent_up(t.proxy(fields_origin(), { listen = TRUST }), claims())
    assert.equal("192.0.2.1, 127.0.0.1", up["x-forwarded-for"])
    assert.equal("https", up["x-forwarded-proto"])
    assert.equal("evil.test", up["x-forwarded-host"])
    for _, line in ipairs(CLAIMS) do
      local name, value = line:match "^([^:]+): (.*)$"
      if not name:find "^X%-Forwarded%-[FPH][or]" then
        assert.equal(value, up[name:lower()], name)
      end
    end
  end)

  it("that a script sets go up as it says", function()
    local up = sent_up(t.proxy(fields_origin(), { more = [[
      gate.on.request(function(req)
        req.headers["x-real-ip"] = req.client.ip
        req.headers["x-forwarded-prefix"] = "/shop"
      end)
    ]] }), claims())
    assert.equal("127.0.0.1", up["x-real-ip"])
    assert.equal("/shop", up["x-forwarded-prefix"])
  end)

  it("that a script sets go up alone, what it adds beside the gateway's", function()
    for _, listen in ipairs { "", 'trust = { "127.0.0.1" }' } do
      local g = t.proxy(fields_origin(), { listen = listen, upstream = 'forwarded = "both"',
        more = [[
          local NAMES = { "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded" }
          gate.on.request(function(req)
            for _, name in ipairs(NAMES) do
              if req.path == "/set" then req.headers[name] = "mine" end
              if req.path == "/add" then req.headers:add(name, "mine") end
            end
            if req.path == "/scheme" then req.scheme = "https" end
          end)
        ]] })
      local function up(path)
        local seen = sent_up(g, "", { line = "GET " .. path .. " HTTP/1.1",
          host = "Host: a.test\r\n" })
        return table.concat({ seen["x-forwarded-for"], seen["x-forwarded-proto"],
          seen["x-forwarded-host"], seen.forwarded }, "; ")
      end
      assert.equal("mine; mine; mine; mine", up "/set")
      assert.equal("mine, 127.0.0.1; mine, http; mine, a.test; "
        .. 'mine, for=127.0.0.1;proto=http;host="a.test"', up "/add")
      assert.equal('127.0.0.1; https; a.test; for=127.0.0.1;proto=http;host="a.test"', up "/scheme")
    end
  end)

  -- What goes up in each mode: from a stranger, and from a trusted proxy that names its client.
  local modes = {
    x = {
      { xff = "127.0.0.1", proto = "http", host = "shop.test:81" },
      { xff = "192.0.2.1, 127.0.0.1", proto = "https", host = "a.test",
        forwarded = "for=192.0.2.9" },
    },
    rfc7239 = {
      { forwarded = 'for=127.0.0.1;proto=http;host="shop.test:81"' },
      { xff = "192.0.2.1", proto = "https", host = "a.test",
        forwarded = 'for=192.0.2.9, for=127.0.0.1;proto=http;host="shop.test:81"' },
    },
    both = {
      { xff = "127.0.0.1", proto = "http", host = "shop.test:81",
        forwarded = 'for=127.0.0.1;proto=http;host="shop.test:81"' },
      { xff = "192.0.2.1, 127.0.0.1", proto = "https", host = "a.test",
        forwarded = 'for=192.0.2.9, for=127.0.0.1;proto=http;host="shop.test:81"' },
    },
    none = {
      {},
      { xff = "192.0.2.1", proto = "https", host = "a.test", forwarded = "for=192.0.2.9" },
    },
  }

  for mode, expected in pairs(modes) do
    for i, who in ipairs { "a stranger", "a trusted client" } do
      it(("in mode %s, from %s"):format(mode, who), function()
        local g = t.proxy(fields_origin(), { upstream = ("forwarded = %q"):format(mode),
          listen = i == 2 and TRUST or "" })
        local up = sent_up(g, "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n" ..
          "X-Forwarded-Host: a.test\r\nForwarded: for=192.0.2.9\r\n")
        local want = expected[i]
        assert.equal(want.xff, up["x-forwarded-for"])
        assert.equal(want.proto, up["x-forwarded-proto"])
        assert.equal(want.host, up["x-forwarded-host"])
        assert.equal(want.forwarded, up.forwarded)
        assert.equal("1.1 moongate", up.via)
      end)
    end
  end

  it("tell the version of HTTP/1.0 clients in Via", function()
    local up = sent_up(t.proxy(fields_origin()), "Via: 1.0 a\r\nVia: 1.1 b\r\n",
      { line = "GET / HTTP/1.0" })
    assert.equal("1.0 a, 1.1 b, 1.0 moongate", up.via)
  end)

  it("name IPv6 and Unix clients", function()
    local o = fields_origin()
    local path = t.folder() .. "/s"
    local g = t.gateway(([[
      gate.listen { "[::1]:0" }
      gate.listen { "unix:%s" }
      gate.upstream("o", { servers = { %q }, forwarded = "both" })
      gate.route { path = "/", upstream = "o" }
    ]]):format(path, o.address))
    local up = sent_up(g, "", { address = "::1" })
    assert.equal("::1", up["x-forwarded-for"])
    assert.equal('for="[::1]";proto=http;host="shop.test:81"', up.forwarded)
    up = sent_up(g, "", { port = path })
    assert.equal("unknown", up["x-forwarded-for"])
    assert.equal('for=unknown;proto=http;host="shop.test:81"', up.forwarded)
  end)
end)

describe("the client behind trusted proxies", function()
  after_each(t.cleanup)

  local SEEN = [[
    gate.on.request(function(req)
      return gate.reply(200, req.client.ip .. " " .. req.client.peer_ip .. " " .. req.scheme)
    end)
  ]]

  local function seen(g, lines)
    local c = g:connect()
    c:send("GET / HTTP/1.1\r\nHost: a\r\n" .. lines .. "\r\n")
    return c:receive_response().body:match "^(%S+) 127.0.0.1 (%S+)$"
  end

  -- Lines, and who the client is: the first from the right that is not trusted.
  local walks = {
    { "", "127.0.0.1" },
    { "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1" },
    { "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.1.1.1\r\n", "192.0.2.1" },
    { "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n", "192.0.2.1" },
    { "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", "10.0.0.1" },
    { "X-Forwarded-For: 6.6.6.6, junk, 10.0.0.2\r\n", "10.0.0.2" },
    { "X-Forwarded-For: 6.6.6.6, junk\r\n", "127.0.0.1" },
    { "X-Forwarded-For: [2001:db8::1]:99, 10.0.0.2:80\r\n", "2001:db8::1" },
    { "Forwarded: for=6.6.6.6, For=\"192.0.2.1:99\";proto=https, for=10.0.0.1\r\n", "192.0.2.1",
      "https" },
    { "Forwarded: for=\"[2001:db8::1]\"\r\n", "2001:db8::1" },
    { "Forwarded: for=192.0.2.1, for=_hidden, for=10.0.0.1\r\n", "10.0.0.1" },
    { "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=6.6.6.6\r\n", "192.0.2.1" },
    { "X-Forwarded-Proto: http, https\r\n", "127.0.0.1", "https" },
  }

  it("is found from the right", function()
    local g = t.proxy("127.0.0.1:1", { listen = TRUST, more = SEEN })
    for _, walk in ipairs(walks) do
      local ip, scheme = seen(g, walk[1])
      assert.equal(walk[2], ip, walk[1])
      assert.equal(walk[3] or "http", scheme, walk[1])
    end
  end)

  it("is the peer itself where nobody is trusted", function()
    local g = t.proxy("127.0.0.1:1", { more = SEEN })
    for _, walk in ipairs(walks) do
      local ip, scheme = seen(g, walk[1])
      assert.equal("127.0.0.1", ip, walk[1])
      assert.equal("http", scheme, walk[1])
    end
  end)
end)

describe("Host", function()
  after_each(t.cleanup)

  it("is the client's, the server's or the upstream's name", function()
    local o = fields_origin()
    for mode, host in pairs { client = "shop.test:81", peer = o.address, name = "o" } do
      local g = t.proxy(o, { upstream = ("host = %q"):format(mode) })
      local up = sent_up(g, "")
      assert.equal(host, up.host)
      assert.equal("shop.test:81", up["x-forwarded-host"])
      g:stop()
    end
  end)

  it("is the server's as it was declared, and that of a script goes before all", function()
    local o = fields_origin()
    local g = t.proxy("localhost:" .. o.port, { upstream = 'host = "peer"', more = [[
      gate.on.request(function(req) if req.args.host then req.host = req.args.host end end)
    ]] })
    assert.equal("localhost:" .. o.port, sent_up(g, "").host)
    assert.equal("b.test", sent_up(g, "", { line = "GET /?host=b.test HTTP/1.1" }).host)
  end)

  it("is the server's where an HTTP/1.0 client has none", function()
    local o = fields_origin()
    local up = sent_up(t.proxy(o), "", { line = "GET / HTTP/1.0", host = "" })
    assert.equal(o.address, up.host)
    assert.is_nil(up["x-forwarded-host"])
  end)

  it("is localhost for a Unix socket's own name", function()
    local o = t.origin(function(c, req) c:reply(200, req.headers.host) end,
      { path = t.folder() .. "/o" })
    assert.equal("localhost", t.proxy(o, { upstream = 'host = "peer"' }):get("/").body)
  end)
end)
