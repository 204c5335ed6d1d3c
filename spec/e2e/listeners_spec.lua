-- gate.listen on the wire: families, ports, Unix sockets, clients that end their side.
-- covers: session/listener.c run/listen_set.c
local t = require "e2e.support"

local request = t.client.request_text

describe("listeners", function()
  after_each(t.cleanup)

  it("of \":port\" take IPv4 and IPv6, and tell the client's own address", function()
    local g = t.gateway [[
      gate.listen { ":0" }
      gate.route { path = "/", handler = function(req) return gate.reply(200, req.client.ip) end }
    ]]
    assert.equal("127.0.0.1", g:get("/").body)
    assert.equal("::1", g:get("/", { address = "::1" }).body)
  end)

  it("trust an IPv4 client of a dual-stack socket by its IPv4 address", function()
    local g = t.gateway [[
      gate.listen { ":0", trust = { "127.0.0.0/8" } }
      gate.route { path = "/", handler = function(req) return gate.reply(200, req.client.ip) end }
    ]]
    local forwarded = { headers = { ["X-Forwarded-For"] = "192.0.2.1" } }
    assert.equal("192.0.2.1", g:get("/", forwarded).body)
    forwarded.address = "::1"
    assert.equal("::1", g:get("/", forwarded).body)
  end)

  it("are many, each with what it trusts", function()
    local path = t.folder() .. "/s"
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      gate.listen { "127.0.0.1:0", trust = { "127.0.0.1" } }
      gate.listen { "unix:%s", trust = { "unix:" } }
      gate.route { path = "/", handler = function(req) return gate.reply(200, req.client.ip) end }
    ]]):format(path))
    local function ip(where)
      return t.client.request(where, "/", { headers = { ["X-Forwarded-For"] = "192.0.2.1" } }).body
    end
    assert.not_equal(g.ports[1], g.ports[2])
    assert.equal("127.0.0.1", ip(g.ports[1]))
    assert.equal("192.0.2.1", ip(g.ports[2]))
    assert.equal("192.0.2.1", ip(path))
    assert.equal("unix:", t.client.request(path, "/").body)
  end)

  it("give Unix sockets the mode that is asked for", function()
    local path = t.folder() .. "/s"
    t.gateway(([[
      gate.listen { "unix:%s", mode = "0640" }
      gate.route { path = "/", reply = { 200, "ok" } }
    ]]):format(path))
    local pipe = io.popen("stat -c %a " .. path)
    assert.equal("640", pipe:read "*l")
    pipe:close()
    assert.equal("ok", t.client.request(path, "/").body)
  end)

  it("replace a socket that nobody accepts from, and nothing else", function()
    local path = t.folder() .. "/s"
    local text = ([[
      gate.listen { "unix:%s" }
      gate.route { path = "/", reply = { 200, "ok" } }
    ]]):format(path)
    local function refused()
      local g = t.gateway(text, { ready = false })
      assert.equal(2, g:wait())
      assert.equal("moongate: cannot listen on unix:" .. path .. ": Address already in use; stop "
        .. "who accepts there, remove what is no socket, or choose another path\n", g:stderr())
    end
    t.origin(nil, { path = path }):stop()
    local g = t.gateway(text)
    assert.equal("ok", t.client.request(path, "/").body)
    refused()
    assert.equal("ok", t.client.request(path, "/").body)
    g:stop()
    t.write(path, "precious")
    refused()
    assert.equal("precious", t.read(path))
  end)

  it("give up a request whose client has ended its side", function()
    local o = t.origin(function(c) c:receive(1) end)
    local g = t.proxy(o)
    local c = g:connect()
    c:send(request "/half")
    t.wait_for("the request", function() return #o:requests() == 1 end)
    c:shut()
    assert.equal("", (c:receive_all()))
    t.wait_for("the line", function() return g:stdout():find '"GET /half HTTP/1.1" 499 ' end)
  end)

  it("answer it with half_close = true, and then close", function()
    local o = t.origin(function(c, req)
      c:sleep(0.2)
      t.echo(c, req)
    end)
    local g = t.proxy(o, { listen = "half_close = true" })
    local c = g:connect()
    c:send(request("/half", { method = "POST", body = "all" }))
    c:shut()
    assert.matches("\r\nConnection: close\r\n.*\r\n\r\nPOST /half\nall$", (c:receive_all()))
    -- A body that is not whole can never be.
    c = g:connect()
    c:send "POST /part HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
    c:shut()
    assert.matches("^HTTP/1.1 400 ", (c:receive_all()))
    assert.equal(1, #o:requests())
    -- Pipelined ones are all answered.
    c = g:connect()
    c:send(request "/1" .. request "/2")
    c:shut()
    local text = c:receive_all()
    assert.matches("GET /1\n.*GET /2\n$", text)
  end)
end)
