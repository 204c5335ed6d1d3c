-- TLS to servers: who is believed, who we are, what is kept and resumed, and what everybody is told
-- when it fails. The servers are gateways themselves, with a listener under TLS.
-- covers: flow/server_trouble.c
local socket = require "socket"
local t = require "e2e.support"
local canary = require "e2e.support.canary"
local pki = require "e2e.support.pki"

local certs -- made once: keys take their time
local dir

setup(function()
  dir = t.folder(true)
  certs = pki.new(dir):authority "other"
  certs:make("a", { names = { "a.test", "IP:127.0.0.1" } })
  certs:make("stranger", { names = { "IP:127.0.0.1" }, issuer = "other" })
  certs:make("old", { names = { "IP:127.0.0.1" }, days = -1 })
  certs:make("me", { subject = "/O=gate/CN=me" })
end)
teardown(function() os.execute("rm -rf " .. dir) end)

--- Content of files of these names with .pem and .key.
local function files(...)
  local result = {}
  for _, name in ipairs { ... } do
    for _, suffix in ipairs { ".pem", ".key" } do
      result[name .. suffix] = t.read(certs:path(name .. suffix))
    end
  end
  return result
end

--- A server under TLS, with the certificate `name`, that tells what it saw of the handshake.
local function server(name, options)
  options = options or {}
  return t.gateway(([[
    gate.listen { "127.0.0.1:0", %s tls = { cert = "%s.pem", key = "%s.key", %s } }
    gate.route { path = "/", handler = function(req)
      local tls = req.client.tls
      return gate.reply(200, table.concat({ tls.version, tls.sni or "none", tls.alpn or "none",
        tls.subject or "nobody", req.client.ip, req.client.port, req.headers.host,
        req.headers["x-forwarded-proto"] or "none" }, " "))
    end }
  ]]):format(options.listen or "", name, name, options.tls or ""),
    { files = files(name, "ca"), args = options.args })
end

--- A server under TLS in front of an origin that runs this function.
local function origin(handler, listen)
  return t.proxy(t.origin(handler), { files = files "a", route = 'max_body = "64m"',
    listen = 'tls = { cert = "a.pem", key = "a.key" }, ' .. (listen or "") })
end

--- A gateway in front of servers, with these options of the upstream's `tls`.
local function front(servers, tls, options)
  options = options or {}
  options.files = files("ca", "other", "me", "a", "stranger")
  options.upstream = ("tls = { %s }, %s"):format(tls, options.upstream or "")
  local addresses = {}
  for i, one in ipairs(servers[1] and servers or { servers }) do
    addresses[i] = type(one) == "string" and one or "127.0.0.1:" .. one.port
  end
  return t.proxy(addresses, options)
end

local function words(res)
  assert.equal(200, res.status, res.body)
  local list = {}
  for word in res.body:gmatch "%S+" do list[#list + 1] = word end
  return list
end

local function closed_for(g, reason)
  return g:metric(('moongate_connections_closed_total{reason="%s"}'):format(reason)) or 0
end

--- Waits for words in a gateway's log.
local function logged(g, what, pattern)
  t.wait_for(what, function() return g:stderr():find(what, 1, not pattern) end)
end

--- A listening socket that a test answers by hand.
local function by_hand()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  return listener, port
end

describe("TLS to servers", function()
  after_each(t.cleanup)

  it("is one handshake for many requests", function()
    local back = server "a"
    local g = front(back, 'ca = "ca.pem"')
    for _ = 1, 5 do
      local saw = words(g:get("/", { host = "shop.test" }))
      assert.same({ "1.3", "none", "http/1.1", "nobody" }, { unpack(saw, 1, 4) })
      assert.same({ "shop.test", "http" }, { unpack(saw, 7, 8) })
    end
    assert.equal(1, back:metric "moongate_tls_handshakes_total")
    assert.equal(1, g:metric "moongate_upstream_tls_handshakes_total")
    assert.equal(0, g:metric "moongate_upstream_tls_handshake_failures_total")
    assert.equal(4, g:metric "moongate_upstream_connections_reused_total")
  end)

  it("asks for the name that is given, and for protocols", function()
    local back = server "a"
    local g = front(back, 'ca = "ca.pem", server_name = "a.test", alpn = {}, min_version = "1.3"')
    assert.same({ "1.3", "a.test", "none" }, { unpack(words(g:get "/"), 1, 3) })
  end)

  it("asks for the host of the server", function()
    local back = server "a"
    local g = front({ "localhost:" .. back.port }, "verify = false")
    t.wait_for("an answer", function()
      local res = g:get "/" -- the name has to be looked up first
      return res.status == 200 and words(res)[2] == "localhost"
    end)
  end)

  it("goes over Unix sockets to a server that has a name", function()
    local path = t.folder() .. "/s"
    t.gateway(([[
      gate.listen { "unix:%s", tls = { cert = "a.pem", key = "a.key" } }
      gate.route { path = "/", handler = function(req)
        return gate.reply(200, req.client.tls.sni)
      end }
    ]]):format(path), { files = files "a" })
    assert.equal("a.test",
      front({ "unix:" .. path }, 'ca = "ca.pem", server_name = "a.test"'):get("/").body)
  end)

  it("moves large bodies both ways", function()
    local g = front(origin(function(c, req) c:reply(200, req.body) end), 'ca = "ca.pem"',
      { route = 'max_body = "64m"' })
    local body = ("0123456789abcdef"):rep(512 * 1024)
    for _ = 1, 2 do
      local res = g:get("/", { method = "POST", body = body })
      assert.equal(200, res.status)
      assert.is_true(res.body == body)
    end
    assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
  end)

  it("carries tunnels, and ends each side for itself", function()
    local g = front(origin(function(c)
      c:send "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n"
      for _ = 1, 3 do c:send(c:receive_until("\n"):upper()) end
      c:receive_until "nothing more comes"
      c:send "the end\n"
      c:close()
    end, "half_close = true"), 'ca = "ca.pem"', { listen = "half_close = true" })
    local c = g:connect()
    c:send(t.client.request_text("/", { headers = { Connection = "Upgrade",
      Upgrade = "websocket" } }) .. "early\n")
    assert.equal(101, c:receive_response().status)
    assert.equal("hello\nEARLY\n", c:receive(12))
    for _, line in ipairs { "a\n", "b\n" } do
      c:send(line)
      assert.equal(line:upper(), c:receive(2))
    end
    c:shut()
    assert.equal("the end\n", (c:receive_all()))
  end)

  it("tells an end that was not announced from a whole body", function()
    local g = front(origin(function(c)
      c:send "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
      c:reset()
    end), 'ca = "ca.pem"')
    local c = g:connect()
    c:send(t.client.request_text "/")
    assert.truthy(c:receive_all():find "half$")
  end)
end)

describe("a server that is not believed", function()
  after_each(t.cleanup)

  --- What a request gets that no TLS can be had for: as hooks, logs and counters have it.
  local function refused(servers, tls, why, reason)
    local g = front(servers, tls, { more = [[
      gate.on.fault(function(_, fault)
        return gate.reply(fault.status, fault.code)
      end)
    ]] })
    local res = g:get "/"
    assert.equal(502, res.status)
    assert.equal("tls", res.body)
    logged(g, why)
    t.wait_for("the close", function() return closed_for(g, reason) == 1 end)
    assert.equal(1, g:metric "moongate_upstream_tls_handshake_failures_total")
    assert.equal(0, g:metric "moongate_upstream_tls_handshakes_total")
    assert.equal(1, g:metric "moongate_upstream_connect_failures_total")
  end

  it("has another authority", function()
    refused(server "stranger", 'ca = "ca.pem"', "TLS: certificate verify failed: "
      .. "unable to get local issuer certificate", "link_tls_verify")
  end)

  it("is none that the system believes", function()
    refused(server "a", "", "TLS: certificate verify failed: ", "link_tls_verify")
  end)

  it("has another name", function()
    local a = server "a"
    refused(a, 'ca = "ca.pem", server_name = "b.test"',
      "TLS: certificate verify failed: hostname mismatch", "link_tls_verify")
    refused(a, 'ca = "ca.pem", server_name = "127.0.0.2"',
      "TLS: certificate verify failed: IP address mismatch", "link_tls_verify")
  end)

  it("has an old certificate", function()
    refused(server "old", 'ca = "ca.pem"',
      "TLS: certificate verify failed: certificate has expired", "link_tls_verify")
  end)

  it("speaks no TLS", function()
    local plain = t.gateway 'gate.listen { "127.0.0.1:0" } gate.route { reply = { 200, "" } }'
    refused(plain, 'ca = "ca.pem"', "TLS: the server speaks plain HTTP",
      "link_tls_protocol")
  end)

  it("has no HTTP/2, where that is a must", function()
    local g = front(server "a", 'ca = "ca.pem"', { upstream = "http2 = true" })
    assert.equal(502, g:get("/").status)
    logged(g, '"fault tls".*the server refused: .*no application protocol', true)
    -- One that knows of no such choice goes on without a word.
    local port = t.free_port()
    local log = t.folder() .. "/log"
    local other = t.process.start({ "openssl", "s_server", "-accept", "127.0.0.1:" .. port, "-www",
      "-cert", certs:path "a.pem", "-key", certs:path "a.key" }, { stdout = log, stderr = log })
    finally(function() other:kill() end)
    t.wait_for("the server", function() return t.read(log):find "ACCEPT" end)
    g = front({ "127.0.0.1:" .. port }, 'ca = "ca.pem"', { upstream = "http2 = true" })
    assert.equal(502, g:get("/").status)
    logged(g, '"fault tls".*TLS: the server does not agree to the protocol', true)
    t.wait_for("the close", function() return closed_for(g, "link_tls_alpn") == 1 end)
    g = front({ "127.0.0.1:" .. port }, 'ca = "ca.pem"', { upstream = 'http2 = "auto"' })
    local c = g:connect()
    c:send(t.client.request_text "/")
    assert.truthy(c:receive_head().first:find "^HTTP/1.1 200 ")
  end)

  it("demands a certificate that we do not have, or not from us", function()
    local back = server("a", { tls = 'client_ca = "ca.pem"' })
    for tls, why in pairs {
      ['ca = "ca.pem"'] = "certificate required",
      ['ca = "ca.pem", cert = "stranger.pem", key = "stranger.key"'] = "unknown ca",
    } do
      local g = front(back, tls)
      local res = g:get("/", { method = "POST", body = "x" })
      assert.equal(502, res.status)
      logged(g, '"fault tls".*TLS: the server refused: .*alert ' .. why, true)
    end
  end)

  it("is believed unread with verify = false", function()
    assert.equal("1.3", words(front(server "stranger", "verify = false"):get "/")[1])
  end)

  it("is named at each load where it is believed unread", function()
    local text = [[
      gate.listen { "127.0.0.1:0" }
      local o = gate.upstream("%s", { servers = { "127.0.0.1:1" }, tls = { verify = false } })
      gate.upstream("careful", { servers = { "127.0.0.1:1" }, tls = true })
      gate.route { path = "/", upstream = o }
    ]]
    local g = t.gateway(text:format "trusting")
    local line = "upstream trusting (gateway.lua:2) has tls.verify = false"
    logged(g, line)
    g:rewrite(text:format "naive")
    assert.equal(200, g:control("/reload", { method = "POST" }).status)
    logged(g, "upstream naive (gateway.lua:2) has tls.verify = false")
    assert.equal(2, select(2, g:stderr():gsub("tls%.verify", "")))
  end)

  it("keeps its client waiting no longer than a connect", function()
    local listener, port = by_hand()
    local g = front({ "127.0.0.1:" .. port }, 'ca = "ca.pem"',
      { upstream = "timeouts = { connect = 50 }", args = { "--workers", "1", "--test-clock" } })
    local c = g:connect()
    c:send(t.client.request_text "/")
    local conn = assert(listener:accept())
    assert.truthy(conn:receive(5)) -- the begin of a handshake
    g:advance(51)
    assert.equal(504, c:receive_response().status)
    logged(g, "TLS: no answer in time")
    t.wait_for("the close", function() return closed_for(g, "link_tls_timeout") == 1 end)
    conn:close()
    listener:close()
  end)

  it("is passed over while another one is good", function()
    local good = server "a"
    local g = front({ server "stranger", good }, 'ca = "ca.pem"')
    for _ = 1, 8 do
      assert.equal(200, g:get("/", { method = "POST", body = "x" }).status)
    end
    -- Its failures count as those of connects do: after three it is not asked any more.
    assert.equal(3, closed_for(g, "link_tls_verify"))
    assert.equal(3, g:metric "moongate_upstream_retries_total")
    logged(g, '"no TLS with a server".-"upstream":"o".-verify failed', true)
  end)

  it("is passed over when it refuses us, whatever the method", function()
    local demanding = server("a", { tls = 'client_ca = "ca.pem"' })
    local g = front({ demanding, server "a" }, 'ca = "ca.pem"')
    for _ = 1, 4 do
      assert.equal(200, g:get("/", { method = "POST", body = "x" }).status)
    end
    assert.equal(2, g:metric "moongate_upstream_retries_total")
  end)
end)

describe("a gateway that has a name for servers", function()
  after_each(t.cleanup)

  it("shows its certificate", function()
    local back = server("a", { tls = 'client_ca = "ca.pem"' })
    local g = front(back, 'ca = "ca.pem", cert = "me.pem", key = "me.key"')
    assert.equal("CN=me,O=gate", words(g:get "/")[4])
    assert.truthy(g:metric(
      'moongate_upstream_certificate_end_seconds{upstream="o",certificate="me.pem"}') > os.time())
  end)

  it("warns of one that has ended", function()
    local g = t.proxy("127.0.0.1:1", { files = files "old",
      upstream = 'tls = { verify = false, cert = "old.pem", key = "old.key" }' })
    logged(g, "the certificate old.pem (o) has ended")
  end)

  it("resumes its sessions", function()
    local back = server "a"
    local g = front(back, 'ca = "ca.pem"', { upstream = "keepalive = { idle = 0 }" })
    for _ = 1, 4 do assert.equal(200, g:get("/").status) end
    assert.equal(4, g:metric "moongate_upstream_tls_handshakes_total")
    assert.equal(3, g:metric "moongate_upstream_tls_resumed_total")
    assert.equal(3, back:metric "moongate_tls_resumed_total")
  end)

  it("says for whom it speaks before TLS", function()
    local back = server("a", { listen = 'proxy_protocol = true, trust = { "127.0.0.0/8" },' })
    for _, version in ipairs { "v1", "v2" } do
      local g = front(back, 'ca = "ca.pem"',
        { upstream = ('proxy_protocol = "%s"'):format(version) })
      local c = g:connect()
      local _, port = c.conn:getsockname()
      for _ = 1, 3 do
        c:send(t.client.request_text "/")
        assert.same({ "127.0.0.1", tostring(port) }, { unpack(words(c:receive_response()), 5, 6) })
      end
      assert.equal(2, g:metric "moongate_upstream_tls_resumed_total")
    end
  end)
end)

describe("the PROXY protocol to servers, of a client that came by TLS", function()
  after_each(t.cleanup)

  --- The header's triples by type, those inside the one of TLS too.
  local function triples(bytes, at, last, into)
    while at <= last do
      local kind, high, low = bytes:byte(at, at + 2)
      local value = bytes:sub(at + 3, at + 2 + high * 256 + low)
      into[kind] = value
      if kind == 0x20 then triples(value, 6, #value, into) end
      at = at + 3 + #value
    end
    return into
  end

  --- What a plain server is told of a client that curl plays with these options.
  local function told(g, listener, options)
    local pipe = io.popen(("curl -sS --max-time 60 --cacert %s --connect-to ::127.0.0.1:%d %s "
      .. "https://a.test/ 2>&1"):format(certs:path "ca.pem", g.port, options))
    local conn = assert(listener:accept())
    conn:settimeout(t.patience)
    local head = conn:receive(16)
    assert.equal("\r\n\r\n\0\r\nQUIT\n\x21\x11", head:sub(1, 14))
    local rest = conn:receive(head:byte(15) * 256 + head:byte(16))
    repeat local line = conn:receive "*l" until line == ""
    conn:send "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert.equal("ok", pipe:read "*a")
    pipe:close()
    conn:close()
    return triples(rest, 13, #rest, {})
  end

  it("says what it was", function()
    local listener, port = by_hand()
    local g = t.proxy("127.0.0.1:" .. port, { files = files("a", "ca"),
      upstream = 'proxy_protocol = "v2"', listen = 'http2 = true, tls = { cert = "a.pem", '
        .. 'key = "a.key", client_ca = "ca.pem", client_auth = "request" }' })
    local saw = told(g, listener, "--http1.1")
    assert.equal("http/1.1", saw[0x01])
    assert.equal("a.test", saw[0x02])
    assert.equal("\1\0\0\0\1", saw[0x20]:sub(1, 5))
    assert.equal("TLSv1.3", saw[0x21])
    assert.is_nil(saw[0x22])
    assert.equal("TLS_AES_128_GCM_SHA256", saw[0x23])
    saw = told(g, listener, ("--http1.1 --tls-max 1.2 --cert %s --key %s"):format(
      certs:path "me.pem", certs:path "me.key"))
    assert.equal("\7\0\0\0\0", saw[0x20]:sub(1, 5))
    assert.equal("TLSv1.2", saw[0x21])
    assert.equal("me", saw[0x22])
    saw = told(g, listener, "--http2")
    assert.equal("h2", saw[0x01])
    listener:close()
  end)
end)

describe("options of TLS to servers that change", function()
  after_each(t.cleanup)

  local function text(port, tls)
    return ([[
      gate.listen { "127.0.0.1:0" }
      gate.upstream("o", { servers = { "127.0.0.1:%d" }, tls = { %s } })
      gate.route { path = "/", upstream = "o" }
    ]]):format(port, tls)
  end

  local function reload(g)
    local res = g:control("/reload", { method = "POST" })
    assert.equal(200, res.status, res.body)
  end

  it("share no connection with what they were", function()
    local back = server "a"
    local g = t.gateway(text(back.port, 'ca = "ca.pem"'), { files = files("ca", "other") })
    assert.equal(200, g:get("/").status)
    reload(g) -- as it was: what is open stays in use
    assert.equal(200, g:get("/").status)
    assert.equal(1, back:metric "moongate_tls_handshakes_total")
    g:rewrite(text(back.port, 'ca = "other.pem"'))
    reload(g)
    assert.equal(502, g:get("/").status)
    g:rewrite(text(back.port, 'ca = "ca.pem", server_name = "a.test"'))
    reload(g)
    assert.equal("a.test", words(g:get "/")[2])
    g:rewrite(text(back.port, 'ca = "ca.pem"'))
    reload(g)
    assert.equal("none", words(g:get "/")[2])
  end)

  it("are seen in the files too, and bad ones change nothing", function()
    local back = server "a"
    local g = t.gateway(text(back.port, 'ca = "ca.pem"'), { files = files("ca", "other"),
      watch = true })
    assert.equal(200, g:get("/").status)
    t.write(g.dir .. "/ca.pem", "nothing\n")
    logged(g, "'tls': there is no whole list of certificates in ca.pem")
    assert.equal(200, g:get("/").status)
    t.write(g.dir .. "/ca.pem", t.read(certs:path "other.pem"))
    t.wait_for("another verdict", function() return g:get("/").status == 502 end)
    t.write(g.dir .. "/ca.pem", t.read(certs:path "ca.pem"))
    t.wait_for("the first verdict", function() return g:get("/").status == 200 end)
  end)

  it("are a canary's own: whom it does not believe is not marked down for others", function()
    local back = server "a"
    local g = canary.start(text(back.port, 'ca = "ca.pem"'), { files = files("ca", "other") })
    assert.equal(200, g:get("/").status)
    canary.try(g, text(back.port, 'ca = "other.pem"'), "--canary", "50%")
    local n = { [200] = 0, [502] = 0 }
    for _ = 1, 20 do
      local status = g:get("/").status
      n[status] = n[status] + 1
    end
    assert.same({ [200] = 10, [502] = 10 }, n)
    local up = 'moongate_upstream_up{upstream="%s",peer="127.0.0.1:' .. back.port .. '"}'
    assert.equal(1, g:metric(up:format "o"))
    assert.equal(0, g:metric(up:format "o (canary)"))
  end)

  it("are refused at load, at their place", function()
    for tls, message in pairs {
      ['ca = "none.pem"'] = "'tls': cannot read the authorities of servers none.pem: No such file",
      ['ca = "a.key"'] = "'tls': there is no whole list of certificates in a.key",
      ['cert = "me.pem", key = "a.key"'] = "'tls': the key a.key does not belong to the "
        .. "certificate me.pem",
    } do
      local folder = t.folder()
      for name, content in pairs(files("me", "a")) do t.write(folder .. "/" .. name, content) end
      t.write(folder .. "/g.lua", t.prelude .. text(1, tls))
      local result = t.run { "check", folder .. "/g.lua" }
      assert.equal(1, result.status)
      assert.truthy(result.stderr:find("g.lua:2: " .. message, 1, true), result.stderr)
    end
  end)

  it("are on the command line, with the authorities of the system", function()
    local back = server "a"
    local g = t.gateway(nil, { env = { SSL_CERT_FILE = certs:path "ca.pem" },
      args = { "--proxy", "127.0.0.1:0", "https://127.0.0.1:" .. back.port } })
    assert.equal("1.3", words(g:get "/")[1])
  end)
end)
