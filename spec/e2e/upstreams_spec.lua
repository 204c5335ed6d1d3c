-- gate.upstream: which server gets a request, and which connection. covers: upstream/registry.c
-- covers: upstream/balance.c upstream/balance_round_robin.c upstream/balance_least_requests.c
local t = require "e2e.support"

local request = t.client.request_text

local CLOCK = { "--workers", "1", "--test-clock" }

-- An origin that answers with its own name; `wait`: what comes before that for /slow.
local function named(name, options, wait)
  return t.origin(function(c, req)
    if req.target == "/slow" then wait(c) end
    c:reply(200, name)
  end, options)
end

-- A server of an upstream with options, as text.
local function server(o, options)
  return ("{ %q, %s }"):format(type(o) == "table" and o.address or o, options)
end

-- How many of n requests each origin answered; what was no answer of one counts by its status.
local function counts(g, n, path)
  local got = {}
  for _ = 1, n do
    local res = g:get(path or "/")
    local who = res.status == 200 and res.body or res.status
    got[who] = (got[who] or 0) + 1
  end
  return got
end

describe("the balance of an upstream", function()
  after_each(t.cleanup)

  it("goes around by weight", function()
    local g = t.proxy { server(named "a", "weight = 3"), named "b", named "c" }
    assert.same({ a = 6, b = 2, c = 2 }, counts(g, 10))
  end)

  it("leaves out who is down, keeps backups for when no other is left", function()
    local a, b = named "a", named "b"
    local g = t.proxy { a, server(b, "backup = true"), server(named "c", "down = true") }
    assert.same({ a = 4 }, counts(g, 4))
    a:stop()
    local got = counts(g, 6)
    assert.equal(6, got.b) -- a refused connect is tried on the backup
    g = t.proxy { server(named "d", "down = true") }
    assert.same({ [503] = 1 }, counts(g, 1))
  end)

  it("takes the server with the fewest requests", function()
    local wait, go = t.gate()
    local a, b = named("a", nil, wait), named("b", nil, wait)
    local g = t.proxy({ a, b }, { upstream = 'balance = "least_requests"' })
    local c = g:connect()
    c:send(request "/slow")
    t.wait_for("the request", function() return #a:requests() + #b:requests() == 1 end)
    local busy, free = "a", "b"
    if #b:requests() == 1 then busy, free = free, busy end
    assert.same({ [free] = 3 }, counts(g, 3))
    go()
    assert.equal(busy, c:receive_response().body)
  end)

  it("gives a server no more requests at once than max_connections", function()
    local wait, go = t.gate()
    local a = named("a", nil, wait)
    local g = t.proxy { server(a, "max_connections = 1"), server(named "b", "backup = true") }
    local c = g:connect()
    c:send(request "/slow")
    t.wait_for("the request", function() return #a:requests() == 1 end)
    assert.same({ b = 3 }, counts(g, 3))
    go()
    assert.equal("a", c:receive_response().body)
    t.wait_for("its end", function() return g:status "requests_active" == "0" end)
    assert.same({ a = 1 }, counts(g, 1))
    wait = t.gate()
    a = named("a", nil, wait)
    g = t.proxy { server(a, "max_connections = 1") }
    c = g:connect()
    c:send(request "/slow")
    t.wait_for("the request", function() return #a:requests() == 1 end)
    local res = g:get "/"
    assert.equal(503, res.status)
    assert.equal("1", res.headers["retry-after"])
  end)
end)

describe("the servers of an upstream", function()
  after_each(t.cleanup)

  it("may be Unix sockets and IPv6 addresses", function()
    local unix = named("unix", { path = t.folder() .. "/o" })
    local g = t.proxy { unix, named("six", { host = "::1" }) }
    assert.same({ unix = 2, six = 2 }, counts(g, 4))
  end)

  it("may be names, which are resolved while the gateway serves", function()
    local o = named "a"
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", upstream = gate.upstream("n", { servers = { "localhost:%d" } }) }
      gate.route { path = "/none", upstream = gate.upstream("x", {
        servers = { "no-such-name.invalid:80" } }) }
      gate.route { path = "/some", upstream = gate.upstream("y", {
        servers = { "no-such-name.invalid:80", "localhost:%d" } }) }
      gate.on.fault(function(_, fault) return gate.reply(fault.status, fault.code) end)
    ]]):format(o.port, o.port))
    assert.equal("a", g:get("/").body)
    local res = g:get "/none"
    assert.equal(502, res.status)
    assert.equal("resolve", res.body)
    assert.equal("a", g:get("/some").body)
    t.wait_for("the line", function()
      return g:stderr():find("cannot resolve no-such-name.invalid", 1, true)
    end)
  end)
end)

describe("servers that refuse connects", function()
  after_each(t.cleanup)

  local function failures(g)
    return g:metric "moongate_upstream_connect_failures_total"
  end

  it("are left out for a while, and tried again then", function()
    local port = t.free_port()
    local dead = "127.0.0.1:" .. port
    local g = t.proxy({ dead, named "a" }, { args = CLOCK })
    local up = ('moongate_upstream_up{upstream="o",peer="%s"}'):format(dead)
    assert.equal(1, g:metric(up))
    assert.same({ a = 20 }, counts(g, 20))
    assert.equal(3, failures(g)) -- then it was left alone
    assert.equal(0, g:metric(up))
    g:advance(10)
    assert.equal(1, g:metric(up))
    assert.same({ a = 10 }, counts(g, 10))
    assert.equal(4, failures(g)) -- one more is enough, for twice as long
    g:advance(11)
    assert.same({ a = 10 }, counts(g, 10))
    assert.equal(4, failures(g))
    named("b", { port = port })
    g:advance(10)
    local got = counts(g, 10)
    assert.equal(5, got.b)
    assert.equal(1, g:metric(up))
  end)

  it("are used all the same when all of them refuse", function()
    local port = t.free_port()
    local g = t.proxy("127.0.0.1:" .. port)
    assert.same({ [502] = 6 }, counts(g, 6))
    assert.equal(6, failures(g)) -- every request asked the only server
    named("a", { port = port })
    assert.same({ a = 3 }, counts(g, 3))
  end)
end)

describe("connections to a server", function()
  after_each(t.cleanup)

  local function opened(g)
    return g:metric "moongate_upstream_connections_opened_total"
  end

  it("are closed after keepalive.max_requests", function()
    local g = t.proxy(named "a", { upstream = "keepalive = { max_requests = 3 }" })
    counts(g, 9)
    assert.equal(3, opened(g))
  end)

  it("are closed when they are older than keepalive.max_age", function()
    local g = t.proxy(named "a", { upstream = "keepalive = { max_age = 100 }", args = CLOCK })
    counts(g, 2)
    g:advance(50)
    counts(g, 2)
    assert.equal(1, opened(g))
    g:advance(50) -- the next request is its last
    counts(g, 1)
    assert.equal(1, opened(g))
    counts(g, 1)
    assert.equal(2, opened(g))
  end)

  it("are closed after keepalive.idle_timeout", function()
    local g = t.proxy(named "a", { upstream = "keepalive = { idle_timeout = 200 }", args = CLOCK })
    counts(g, 1)
    g:advance(150)
    counts(g, 1)
    assert.equal(1, opened(g))
    g:advance(201)
    t.wait_for("the close", function()
      return g:metric 'moongate_connections_closed_total{reason="link_idle"}' == 1
    end)
    counts(g, 1)
    assert.equal(2, opened(g))
  end)

  it("are kept up to keepalive.idle, more only for a second", function()
    local wait, go = t.gate()
    local o = named("a", nil, wait)
    local g = t.proxy(o, { upstream = "keepalive = { idle = 2 }" })
    local clients = {}
    for i = 1, 4 do
      clients[i] = g:connect()
      clients[i]:send(request "/slow")
    end
    t.wait_for("the requests", function() return #o:requests() == 4 end)
    go()
    for i = 1, 4 do assert.equal("a", clients[i]:receive_response().body) end
    assert.equal(4, opened(g))
    t.wait_for("the closes", function()
      return g:metric "moongate_upstream_connections_closed_total" == 2
    end)
    g = t.proxy(o, { upstream = "keepalive = { idle = 0 }" })
    counts(g, 3)
    assert.equal(3, opened(g))
  end)

  it("that say something while they are idle are closed", function()
    local wait, go = t.gate()
    local o = t.origin(function(c)
      c:reply(200, "ok")
      wait(c)
      c:send "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    end)
    local g = t.proxy(o)
    assert.equal("ok", g:get("/").body)
    t.wait_for("its end", function() return g:status "requests_active" == "0" end)
    go()
    t.wait_for("the close", function()
      return g:metric 'moongate_connections_closed_total{reason="link_dirty"}' == 1
    end)
    assert.equal("ok", g:get("/").body)
  end)
end)
