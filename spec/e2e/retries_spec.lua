-- When a request is tried again, and when it must not be. covers: flow/step_upstream.c
local t = require "e2e.support"

local request = t.client.request_text

local CLOCK = { "--workers", "1", "--test-clock" }
local RETRIES = "moongate_upstream_retries_total"

local function dead()
  return "127.0.0.1:" .. t.dead_port()
end

local function named(name)
  return t.origin(function(c, req)
    if req.target == "/status" then
      c:reply(503, name)
    else
      c:reply(200, name .. " " .. (req.body or ""))
    end
  end)
end

-- Reads a request whole, then resets the connection.
local function resetting()
  return t.origin(function(c) c:reset() end)
end

describe("a refused connect", function()
  after_each(t.cleanup)

  it("is tried at another server, whatever the method", function()
    for _, method in ipairs { "GET", "POST", "PATCH" } do
      local g = t.proxy { dead(), named "a" }
      for _ = 1, 4 do
        local res = g:get("/", { method = method, body = "body" })
        assert.equal(200, res.status)
        assert.equal("a body", res.body)
      end
      assert.equal(2, g:metric(RETRIES))
      g:stop()
    end
  end)

  it("at a server that does not answer is tried elsewhere too", function()
    local g = t.proxy({ t.deaf_address(), named "a" },
      { upstream = "timeouts = { connect = 50 }", args = CLOCK })
    local c = g:connect()
    c:send(request("/", { method = "POST", body = "b" }))
    t.wait_for("the connect", function()
      return g:metric "moongate_upstream_connections_opened_total" == 1
    end)
    g:advance(51)
    assert.equal("a b", c:receive_response().body)
    assert.equal("a b", g:get("/", { method = "POST", body = "b" }).body)
    assert.equal(1, g:metric(RETRIES))
  end)

  it("is the answer where nobody else may take the request", function()
    local other = "{ %q, %s }"
    local a = named "a"
    for _, servers in ipairs {
      { dead() },
      { dead(), other:format(a.address, "down = true") },
    } do
      local g = t.proxy(servers)
      assert.equal(502, g:get("/").status)
      assert.equal(0, g:metric(RETRIES))
      g:stop()
    end
  end)

  it("is not tried at a server that is marked down", function()
    local first, second = dead(), dead()
    local g = t.proxy({ first, second }, { upstream = "retry = { tries = 2 }" })
    for _ = 1, 3 do assert.equal(502, g:get("/").status) end -- both fail three times
    assert.equal(3, g:metric(RETRIES))
    local failed = g:metric "moongate_upstream_connect_failures_total"
    assert.equal(6, failed)
    -- From here on each request asks one of them; a second guess would only cost time.
    for _ = 1, 3 do assert.equal(502, g:get("/").status) end
    assert.equal(3, g:metric(RETRIES))
    assert.equal(failed + 3, g:metric "moongate_upstream_connect_failures_total")
  end)

  it("is tried as often as retry.tries says", function()
    local servers = { dead(), dead(), dead(), named "a" }
    local g = t.proxy(servers, { upstream = "retry = { tries = 3 }" })
    assert.equal(502, g:get("/").status)
    assert.equal(2, g:metric(RETRIES))
    g = t.proxy(servers, { upstream = "retry = { tries = 4 }" })
    assert.equal(200, g:get("/").status)
    assert.equal(3, g:metric(RETRIES))
    g = t.proxy(servers, { upstream = "retry = { tries = 1 }" })
    assert.equal(502, g:get("/").status)
    assert.equal(0, g:metric(RETRIES))
    g = t.proxy(servers, { upstream = 'retry = { on = { "reset" }, tries = 4 }' })
    assert.equal(502, g:get("/").status)
    assert.equal(0, g:metric(RETRIES))
  end)
end)

describe("a connection that breaks before the answer", function()
  after_each(t.cleanup)

  it("is tried at another server for idempotent methods only", function()
    for method, status in pairs { GET = 200, PUT = 200, DELETE = 200, POST = 502, PATCH = 502 } do
      local bad = resetting()
      local g = t.proxy { bad, named "a" }
      assert.equal(status, g:get("/", { method = method, body = "body" }).status, method)
      assert.equal(1, #bad:requests())
      assert.equal(status == 200 and 1 or 0, g:metric(RETRIES))
      g:stop()
    end
  end)

  it("is the answer after the first byte of one", function()
    for _, bytes in ipairs { "HTTP/1.1 200", "HTTP/1.1 103 X\r\n\r\n" } do
      local bad = t.origin(function(c)
        c:send(bytes)
        c:sleep(0.05)
        c:close()
      end)
      local g = t.proxy { bad, named "a" }
      assert.equal(502, g:get("/").status)
      assert.equal(0, g:metric(RETRIES))
      g:stop()
    end
    local wait, go = t.gate()
    local cut = t.origin(function(c)
      c:send "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
      wait(c)
      c:reset()
    end)
    local g = t.proxy { cut, named "a" }
    local c = g:connect()
    c:send(request "/")
    assert.truthy(c:receive_head())
    assert.equal("abc", c:receive(3))
    go()
    assert.equal("", (c:receive_all()))
    assert.equal(0, g:metric(RETRIES))
  end)

  it("is tried again while the upload still runs, and the rest follows", function()
    local bad = t.origin(function(c)
      c:receive(1000)
      c:reset()
    end, { head_only = true })
    local good = named "a"
    local g = t.proxy { bad, good }
    local body = ("0123456789"):rep(3000)
    local c = g:connect()
    c:send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 30000\r\n\r\n")
    assert.equal("HTTP/1.1 100 Continue", c:receive_head().first)
    c:send(body:sub(1, 12345))
    t.wait_for("the second try", function() return g:metric(RETRIES) == 1 end)
    c:send(body:sub(12346))
    local res = c:receive_response()
    assert.equal("a " .. body, res.body)
    assert.equal(0, #res.infos) -- one 100 is enough
    assert.equal(body, good:requests()[1].body)
  end)

  it("is not tried again once the body is no longer kept", function()
    local g = t.proxy { resetting(), named "a" }
    assert.equal(502, g:get("/", { method = "PUT", body = ("x"):rep(200000) }).status)
    g = t.proxy { resetting(), named "a" }
    assert.equal(200, g:get("/", { method = "PUT", body = ("x"):rep(60000) }).status)
  end)
end)

describe("a kept connection that turns out dead", function()
  after_each(t.cleanup)

  -- Answers each connection's first request; breaks the connection at the second, once it has
  -- read it.
  local function once(how)
    return t.origin(function(c, req)
      if c.used then
        c[how](c)
        return
      end
      c.used = true
      c:reply(200, req.method .. " " .. (req.body or ""))
    end)
  end

  for _, how in ipairs { "close", "reset" } do
    it("is replaced by a fresh one, not counted, for idempotent methods: " .. how, function()
      local o = once(how)
      local g = t.proxy(o, { upstream = "retry = { tries = 1 }" })
      assert.equal("GET ", g:get("/").body)
      assert.equal("PUT b", g:get("/", { method = "PUT", body = "b" }).body)
      assert.equal(0, g:metric(RETRIES))
      assert.equal(3, #o:requests())
    end)

    it("is not, when it has read a POST: " .. how, function()
      local o = once(how)
      local g = t.proxy { o, named "a" }
      assert.equal("GET ", g:get("/").body)
      assert.equal(200, g:get("/").status) -- the other one
      assert.equal(502, g:get("/", { method = "POST", body = "b" }).status)
      assert.equal(2, #o:requests())
    end)
  end

  -- Replies to the first request of all, and ends that connection when a file `go` appears.
  local function leaving(dir, how)
    return t.origin(function(c, req)
      c:reply(200, req.method .. " " .. (req.body or ""))
      if req.target ~= "/first" then return end
      while t.read(dir .. "/go") == "" do c:sleep(0.005) end
      c[how](c)
      t.write(dir .. "/gone", "yes")
    end)
  end

  -- The gateway stands still while the origin closes and the client sends, so that it finds both
  -- at once, in either order.
  for _, first in ipairs { "origin", "client" } do
    for _, how in ipairs { "close", "reset" } do
      it(("is replaced for a POST nobody has taken: %s, %s first"):format(how, first), function()
        local dir = t.folder()
        local g = t.proxy(leaving(dir, how), { upstream = "retry = { tries = 1 }",
          more = 'gate.route { path = "/own", reply = { 200, "own" } }' })
        local c = g:connect()
        c:send(request "/own")
        assert.equal("own", c:receive_response().body)
        assert.equal("GET ", g:get("/first").body)
        local steps = {
          client = function() c:send(request("/", { method = "POST", body = "b" })) end,
          origin = function()
            t.write(dir .. "/go", "yes")
            t.wait_for("the close", function() return t.read(dir .. "/gone") == "yes" end)
          end,
        }
        g:pause()
        steps[first]()
        steps[first == "client" and "origin" or "client"]()
        g:signal "CONT"
        assert.equal("POST b", c:receive_response().body)
        assert.equal(0, g:metric(RETRIES))
        assert.equal(2, g:metric "moongate_upstream_connections_opened_total")
      end)
    end
  end
end)

describe("retry.on", function()
  after_each(t.cleanup)

  it("takes statuses", function()
    local g = t.proxy({ t.origin(function(c) c:reply(503, "bad") end), named "a" },
      { upstream = 'retry = { on = { "503" } }' })
    for _ = 1, 4 do assert.equal("a ", g:get("/").body) end
    assert.equal(2, g:metric(RETRIES))
    local seen = {}
    for i = 1, 2 do seen[i] = g:get("/", { method = "POST", body = "" }).status end
    table.sort(seen)
    assert.same({ 200, 503 }, seen)
    assert.equal(2, g:metric(RETRIES))
  end)

  it("takes statuses, whose answer stands where no other server is left", function()
    local g = t.proxy(named "a", { upstream = 'retry = { on = { "503" } }' })
    local res = g:get "/status"
    assert.equal(503, res.status)
    assert.equal("a", res.body)
    g = t.proxy({ named "a", named "b" }, { upstream = 'retry = { on = { "503" }, tries = 5 }' })
    res = g:get "/status"
    assert.equal(503, res.status)
    assert.matches("^[ab]$", res.body)
    assert.equal(1, g:metric(RETRIES))
  end)

  it("takes timeouts, for idempotent methods", function()
    local silent = t.origin(function(c) c:receive(1) end)
    --- The status of a request to the silent one, when the time for its answer is over.
    local function status(on, options)
      local had = #silent:requests()
      local g = t.proxy({ silent, named "a" }, { args = CLOCK,
        upstream = ("timeouts = { first_byte = 50 }, retry = { on = { %q } }"):format(on) })
      local c = g:connect()
      c:send(request("/", options))
      t.wait_for("the request", function() return #silent:requests() > had end)
      g:advance(51)
      local res = c:receive_response()
      c:close()
      g:stop()
      return res.status
    end
    for on, expected in pairs { timeout = 200, reset = 504 } do
      assert.equal(expected, status(on))
      assert.equal(504, status(on, { method = "POST", body = "" }))
    end
  end)
end)

describe("the budget of retries", function()
  after_each(t.cleanup)

  it("is a share of the requests, and ten a second", function()
    local g = t.proxy({ t.origin(function(c) c:reply(503, "bad") end), named "a" },
      { upstream = 'retry = { on = { "503" }, budget = 0.2 }',
        args = CLOCK })
    local function refused(n)
      local count = 0
      local c = g:connect()
      for _ = 1, n do
        c:send(request "/")
        if c:receive_response().status == 503 then count = count + 1 end
      end
      return count
    end
    -- Half of the requests need one. There are the hundred that may gather, a fifth of the
    -- requests, and ten for each second that this takes.
    local begun = t.now()
    local count = refused(1000)
    local retries = g:metric(RETRIES)
    assert.is_true(count > 0)
    assert.is_true(retries >= 300 and retries <= 301 + 10 * (t.now() - begun), retries)
    g:advance(1)
    while refused(1) == 0 do end
    local before = g:metric(RETRIES)
    g:advance(5)
    refused(200)
    assert.is_true(g:metric(RETRIES) - before >= 50)
  end)
end)
