-- gate.limits on the wire: what is too large, too slow or too many, and what becomes of it.
-- covers: session/session.c session/ip_counts.c
local h2 = require "e2e.vectors.h2"
local t = require "e2e.support"

local request = t.client.request_text

local CLOCK = { "--workers", "1", "--test-clock" }

-- A gateway that answers by itself, with these limits.
local function limited(limits, args)
  return t.gateway(([[
    gate.listen { "127.0.0.1:0" }
    gate.limits { %s }
    gate.route { path = "/", reply = { 200, "ok" } }
    gate.route { path = "/read", handler = function(req)
      local body, err = req:read_body("1m")
      return gate.reply(200, body or err)
    end }
    gate.route { path = "/small", max_body = 10, handler = function(req)
      return gate.reply(200, req:read_body("1m") or "none")
    end }
  ]]):format(limits), { args = args or { "--workers", "1" } })
end

-- The answer to these bytes, and how the connection ends after it.
local function outcome(g, bytes)
  local c = g:connect()
  c:send(bytes)
  local res = assert(c:receive_response())
  return res.status, res.headers.connection == "close" and c:how_it_ends() or "kept"
end

describe("limits of size", function()
  after_each(t.cleanup)

  it("of the head: target, bytes and fields", function()
    local g = limited 'target_bytes = 100, header_bytes = "2k", header_count = 5'
    local function head(target, more)
      return "GET " .. target .. " HTTP/1.1\r\nHost: a\r\n" .. more .. "\r\n"
    end
    assert.same({ 200, "kept" }, { outcome(g, head("/" .. ("a"):rep(99), "")) })
    assert.same({ 414, "end" }, { outcome(g, head("/" .. ("a"):rep(100), "")) })
    assert.same({ 200, "kept" }, { outcome(g, head("/", ("X-A: 1\r\n"):rep(4))) })
    assert.same({ 431, "end" }, { outcome(g, head("/", ("X-A: 1\r\n"):rep(5))) })
    assert.same({ 200, "kept" }, { outcome(g, head("/", "X: " .. ("a"):rep(1900) .. "\r\n")) })
    assert.same({ 431, "end" }, { outcome(g, head("/", "X: " .. ("a"):rep(2100) .. "\r\n")) })
    -- Not waited for: what is too large already is refused before it ends.
    assert.equal(414, (outcome(g, "GET /" .. ("a"):rep(3000))))
    assert.equal(431, (outcome(g, "GET / HTTP/1.1\r\nX: " .. ("a"):rep(3000))))
  end)

  it("of the head of an answer: 502", function()
    local o = t.origin(function(c, req)
      c:reply(200, "ok", { X = ("a"):rep(tonumber(req.target:sub(2))) })
    end)
    local g = t.proxy(o, { more = 'gate.limits { header_bytes = "2k" }' })
    assert.equal(200, g:get("/1900").status)
    assert.equal(502, g:get("/2100").status)
    assert.equal(502, g:get("/100000").status)
  end)

  it("of the body, announced or not, by limits and by route", function()
    local o = t.origin()
    local g = t.proxy(o, { more = [[
      gate.limits { body_bytes = 1000 }
      gate.route { path = "/small", max_body = 10, upstream = "o" }
      gate.route { path = "/large", max_body = "1m", upstream = "o" }
    ]] })
    local function post(path, n, chunked)
      local size = chunked and "Transfer-Encoding: chunked" or "Content-Length: " .. n
      local body = chunked and ("%x\r\n%s\r\n0\r\n\r\n"):format(n, ("x"):rep(n)) or ("x"):rep(n)
      return outcome(g, ("POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s"):format(path, size, body))
    end
    for _, chunked in ipairs { false, true } do
      assert.same({ 200, "kept" }, { post("/", 1000, chunked) })
      assert.same({ 413, "end" }, { post("/", 1001, chunked) })
      assert.same({ 200, "kept" }, { post("/small", 10, chunked) })
      assert.same({ 413, "end" }, { post("/small", 11, chunked) })
      assert.same({ 200, "kept" }, { post("/large", 5000, chunked) })
    end
    for _, req in ipairs(o:requests()) do
      assert.is_true(#req.body == 10 or #req.body == 1000 or #req.body == 5000)
    end
  end)

  it("of the body, and say which one it was", function()
    local g = t.proxy(t.origin(), { more = [[
      gate.process { access_log = "stdout", access_format = "json" }
      gate.limits { body_bytes = 1000 }
      gate.route { path = "/small", max_body = 10, upstream = "o" }
    ]] })
    local function why(path)
      outcome(g, ("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n"):format(path))
      return t.wait_for("the access line", function()
        return g:stdout():match('"target":"' .. path .. '".-"why":"([^"]+)"')
      end)
    end
    assert.equal("the body is larger than limits.body_bytes", why "/any")
    assert.equal("the body is larger than the route's max_body", why "/small")
  end)

  it("of the body, without reading it", function()
    local g = limited "body_bytes = 1000"
    local status = outcome(g,
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n")
    assert.equal(413, status)
  end)

  it("of names and paths", function()
    local g = limited 'underscores = "reject", encoded_slash = "reject", merge_slashes = false'
    assert.equal(400, (outcome(g, "GET / HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\n\r\n")))
    assert.equal(400, (outcome(g, request "/a%2Fb")))
    local o = t.origin()
    local names = { drop = nil, keep = "1" }
    for _, how in ipairs { "drop", "keep" } do
      local p = t.proxy(o, { more = ("gate.limits { underscores = %q }"):format(how) })
      p:get("/a%2Fb//c", { headers = { X_Y = "1" } })
      local requests = o:requests()
      assert.equal(names[how], requests[#requests].headers.x_y)
      assert.equal("/a%2Fb/c", requests[#requests].target)
      assert.equal(how == "drop" and 1 or 0,
        p:metric "moongate_header_underscores_dropped_total")
    end
    assert.matches("^HTTP/1.1 [24]", "HTTP/1.1 " .. outcome(g, request "/a//b"))
  end)
end)

describe("limits of time", function()
  after_each(t.cleanup)

  it("header_timeout is a total from the first byte of a head", function()
    local g = limited("header_timeout = 100", CLOCK)
    local c = g:connect()
    c:send "GET / HT"
    t.wait_for("the bytes", function()
      return g:metric "moongate_client_received_bytes_total" == 8
    end)
    for _ = 1, 3 do
      g:advance(30)
      c:send "T"
    end
    g:advance(20)
    local res = c:receive_response()
    assert.equal(408, res.status)
    assert.matches("request id: " .. res.headers["x-request-id"], res.body, 1, true)
    assert.equal("end", c:how_it_ends())
    t.wait_for("the close", function()
      return g:metric 'moongate_connections_closed_total{reason="header_timeout"}' == 1
    end)
  end)

  it("idle_timeout ends connections between requests, without a word", function()
    local g = limited("idle_timeout = 200", CLOCK)
    local c = g:connect()
    c:send(request "/")
    assert.equal(200, c:receive_response().status)
    g:advance(150)
    c:send(request "/")
    assert.equal(200, c:receive_response().status)
    g:advance(150)
    assert.equal("1", g:status "connections")
    g:advance(60)
    assert.equal("", (c:receive_all()))
    c = g:connect() -- also before the first one
    t.wait_for("the connection", function() return g:status "connections" == "1" end)
    g:advance(201)
    assert.equal("", (c:receive_all()))
  end)

  local function upload(g, path)
    local c = g:connect()
    c:send("POST " .. path .. " HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    t.wait_for("the request", function() return g:status "requests_active" == "1" end)
    return c
  end

  for where, start in pairs {
    ["to a script"] = function() return limited("task_time = 200", CLOCK) end,
    ["to an origin"] = function()
      return t.proxy(t.origin(), { args = CLOCK, more = [[
        gate.on.fault(function(_, f) return gate.reply(f.status, f.code) end)
      ]] })
    end,
  } do
    it("a body that comes too slowly gets 408 within 20 s, " .. where, function()
      local g = start()
      local c = upload(g, "/read")
      for i = 1, 10 do
        c:send(("x"):rep(400))
        t.wait_for("the bytes", function()
          local n = g:metric "moongate_client_received_bytes_total"
          return n and n >= i * 400 + 50 or c:readable()
        end)
        if c:readable() then break end -- the clock goes on by itself, too
        g:advance(1)
      end
      local res = c:receive_response()
      assert.equal(408, res.status)
      assert.equal("close", res.headers.connection)
      assert.equal("end", c:how_it_ends())
    end)

    it("an upload of 1 kB/s is not cut, " .. where, function()
      local g = start()
      local c = upload(g, "/read")
      for i = 1, 100 do
        c:send(("x"):rep(1000))
        t.wait_for("the bytes", function()
          local n = g:metric "moongate_client_received_bytes_total"
          return n and n >= i * 1000
        end)
        g:advance(i < 100 and 1 or 0.001)
      end
      local res = c:receive_response()
      assert.equal(200, res.status)
      assert.matches(("x"):rep(100000), res.body, 1, true)
    end)
  end

  for version, bytes in pairs {
    ["HTTP/1"] = { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", "x" },
    ["HTTP/2"] = { h2.open(h2.frame(h2.HEADERS, h2.WHOLE, 1, h2.request { [":method"] = "POST" })),
      h2.frame(h2.DATA, 0, 1, "x") },
  } do
    it("a body in drops, each of which a hook waits for, gets 408 too, " .. version, function()
      local g = t.proxy(t.origin(), { listen = "http2 = true", args = CLOCK, more = [[
        gate.on.request_body(function(req) gate.sleep(0) end)
      ]] })
      local c = g:connect()
      c:send(bytes[1])
      t.wait_for("the request", function() return g:status "requests_active" == "1" end)
      for _ = 1, 20 do
        if g:metric "moongate_faults_total" > 0 then break end
        local n = g:metric "moongate_client_received_bytes_total"
        c:send(bytes[2])
        t.wait_for("the drop", function()
          return g:metric "moongate_client_received_bytes_total" > n
            or g:metric "moongate_faults_total" > 0
        end)
        g:advance(5)
      end
      assert.equal(1, g:metric "moongate_faults_total")
      t.wait_for("the access line", function()
        g:advance(1)
        return g:stdout():find('" 408 ', 1, true)
      end)
    end)
  end

  it("a body that stops gets 408 within 20 s, however fast it began", function()
    local g = limited("", CLOCK)
    local c = upload(g, "/read")
    c:send(("x"):rep(50000))
    t.wait_for("the bytes", function()
      return g:metric "moongate_client_received_bytes_total" > 50000
    end)
    for _ = 1, 20 do g:advance(1) end
    local res = c:receive_response()
    assert.equal(408, res.status)
    assert.matches("request id: " .. res.headers["x-request-id"], res.body, 1, true)
    assert.equal("end", c:how_it_ends())
  end)

  for what, drip in pairs {
    ["chunk sizes"] = "0", ["extensions"] = "1;aaaa", ["trailers"] = "0\r\nX-A: ",
  } do
    it("a body of endless " .. what .. " gets 408 too", function()
      local g = limited("", CLOCK)
      local c = g:connect()
      c:send("POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" .. drip)
      t.wait_for("the request", function() return g:status "requests_active" == "1" end)
      for i = 1, 12 do
        if c:readable() then break end -- the clock goes on by itself, too
        c:send(what == "chunk sizes" and "" or "a")
        g:advance(i < 12 and 1 or 8)
      end
      local res = c:receive_response()
      assert.equal(408, res.status)
      assert.equal("end", c:how_it_ends())
    end)
  end

  it("a reader that takes nothing is cut after 30 s, the default of write_stall", function()
    local o = t.origin(function(c) c:reply(200, ("x"):rep(32 * 1024 * 1024)) end)
    local g = t.proxy(o, { args = CLOCK })
    local c = g:connect()
    c:send(request "/")
    t.wait_for_standstill("the stall", function()
      return g:metric "moongate_client_sent_bytes_total"
    end)
    g:advance(15)
    assert.equal("1", g:status "connections")
    g:advance(16)
    t.wait_for("the cut", function()
      return g:metric 'moongate_connections_closed_total{reason="write_stall"}' == 1
    end)
    -- Not an end in order: behind what nobody reads, that would stay in the kernel for minutes.
    assert.equal("reset", c:how_it_ends())
  end)
end)

describe("limits of number", function()
  after_each(t.cleanup)

  -- Whether a new connection is served.
  local function served(g, address, where)
    local c = t.connect(where or g.port, address)
    c:send(request "/")
    local res = c:receive_response()
    return res ~= nil and res.status == 200, c
  end

  it("connections: more are closed at once", function()
    local g = limited "connections = 3"
    local open = {}
    for i = 1, 3 do
      local ok, c = served(g)
      assert.is_true(ok)
      open[i] = c
    end
    assert.is_false((served(g)))
    t.wait_for("the count", function()
      return g:metric "moongate_client_connections_refused_total" == 1
    end)
    open[1]:close()
    t.wait_for("room", function() return g:status "connections" == "2" end)
    assert.is_true((served(g)))
  end)

  it("connections_per_ip: one address cannot have more, others may", function()
    local path = t.folder() .. "/s"
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      gate.listen { "[::1]:0" }
      gate.listen { "unix:%s" }
      gate.limits { connections_per_ip = 2 }
      gate.route { path = "/", reply = { 200, "ok" } }
    ]]):format(path), { args = { "--workers", "2" } })
    local open = {}
    for i = 1, 2 do
      local ok, c = served(g)
      assert.is_true(ok)
      open[i] = c
    end
    assert.is_false((served(g)))
    t.wait_for("the log line", function()
      return g:stderr():find("a connection of 127.0.0.1 was closed: it has "
        .. "limits.connections_per_ip (2) open", 1, true)
    end)
    assert.is_true((served(g, "::1", g.ports[2])))
    for _ = 1, 3 do assert.is_true((served(g, nil, path))) end
    open[1]:close()
    t.wait_for("room", function() return (served(g)) end)
  end)
end)
