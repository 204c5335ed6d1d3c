-- The timeouts of upstreams and routes: which fault each is, and when it does not run.
-- covers: upstream/attempt.c
local t = require "e2e.support"

local request = t.client.request_text

local CLOCK = { "--workers", "1", "--test-clock" }

-- The moved clock goes on by itself: so long a test may take between two moves.
local MARGIN = 15

-- Faults are answered with their code and logged with their why, as JSON.
local TELL = [[
  gate.process { access_format = "json" }
  gate.on.fault(function(_, fault) return gate.reply(fault.status, fault.code) end)
]]

local function proxy(servers, upstream, route, more)
  return t.proxy(servers, { upstream = upstream, route = route, more = TELL .. (more or ""),
    args = CLOCK })
end

-- Sends the request, moves the clock when the origin has it, checks status and code.
local function times_out(g, o, seconds, status, code, bytes)
  local c = g:connect()
  local had = #o:requests()
  c:send(bytes or request "/")
  t.wait_for("the request at the origin", function() return #o:requests() > had end)
  g:advance(seconds - MARGIN)
  assert.equal("1", g:status "requests_active")
  g:advance(MARGIN + 0.1)
  local res = c:receive_response()
  assert.equal(status, res.status)
  assert.equal(code, res.body)
end

local function why(g, text)
  t.wait_for("the why " .. text, function()
    g:advance(1)
    return g:stdout():find('"why":"' .. text, 1, true)
  end)
end

local function silent()
  return t.origin(function(c) c:receive(1) end)
end

describe("timeouts.connect", function()
  after_each(t.cleanup)

  it("ends a connect that nobody answers", function()
    local g = proxy(t.deaf_address(), "timeouts = { connect = 20 }")
    local c = g:connect()
    c:send(request "/")
    t.wait_for("the connect", function()
      return g:metric "moongate_upstream_connections_opened_total" == 1
    end)
    g:advance(20 - MARGIN)
    assert.equal("1", g:status "requests_active")
    g:advance(MARGIN + 0.1)
    local res = c:receive_response()
    assert.equal(504, res.status)
    assert.equal("connect_timeout", res.body)
    why(g, "connect: no answer in time")
  end)
end)

describe("timeouts.first_byte", function()
  after_each(t.cleanup)

  it("ends the wait for a response head", function()
    local o = silent()
    local g = proxy(o, "timeouts = { first_byte = 20 }")
    times_out(g, o, 20, 504, "first_byte_timeout")
    t.wait_for("the close", function()
      return g:metric "moongate_upstream_connections_closed_total" == 1
    end)
  end)

  it("is not put off by a head that comes in drops", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.1 200 OK\r\nX: "
      for _ = 1, 20000 do
        c:send "a"
        c:sleep(0.001)
      end
    end)
    local g = proxy(o, "timeouts = { first_byte = 20 }")
    local c = g:connect()
    c:send(request "/")
    t.wait_for("the request at the origin", function() return #o:requests() > 0 end)
    for _ = 1, 21 do g:advance(1) end
    local res = c:receive_response()
    assert.equal(504, res.status)
    assert.equal("first_byte_timeout", res.body)
  end)

  it("begins anew with each interim response", function()
    local told = 0
    local o = t.origin(function(c, req)
      if req.target == "/go" then
        told = told + 1
        return c:reply(200, "")
      end
      for i = 1, 3 do
        while told < i do c:sleep(0.01) end
        c:send "HTTP/1.1 102 Processing\r\n\r\n"
      end
      while told < 4 do c:sleep(0.01) end
      c:reply(200, "late")
    end)
    local g = proxy(o, "timeouts = { first_byte = 200 }")
    local c = g:connect()
    c:send(request "/")
    for _ = 1, 3 do
      g:get "/go"
      assert.matches("102", c:receive_head().first, 1, true)
      g:advance(150)
    end
    g:get "/go"
    assert.equal("late", c:receive_response().body)
  end)

  it("begins when the request has left, not before", function()
    local o = t.origin()
    local g = proxy(o, "timeouts = { first_byte = 10 }", "", "gate.limits { body_rate = 0 }")
    local c = g:connect()
    c:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n"
    t.wait_for("the connect", function()
      return g:metric "moongate_upstream_connections_opened_total" == 1
    end)
    for i = 1, 3 do
      g:advance(9)
      c:send(("x"):rep(10000))
      t.wait_for("the bytes", function()
        return g:metric "moongate_client_received_bytes_total" > i * 10000
      end)
    end
    assert.equal(200, c:receive_response().status)
  end)
end)

describe("timeouts.read", function()
  after_each(t.cleanup)

  it("ends a response that stops, visibly", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
      c:receive(1)
    end)
    local g = proxy(o, "timeouts = { read = 20 }")
    local c = g:connect()
    c:send(request "/")
    assert.equal(200, tonumber(c:receive_head().first:match "%d%d%d"))
    assert.equal("abc", c:receive(3))
    g:advance(20 - MARGIN)
    assert.equal("1", g:status "requests_active")
    g:advance(MARGIN + 0.1)
    assert.is_true(c:is_closed())
    why(g, "no response bytes in time")
    assert.matches('"fault":"read_timeout"', g:stdout(), 1, true)
  end)

  it("does not run while the client is the one who takes nothing", function()
    local size = 16 * 1024 * 1024
    local o = t.origin(function(c) c:reply(200, ("x"):rep(size)) end)
    local g = proxy(o, "timeouts = { read = 10 }", "", "gate.limits { write_stall = 200 }")
    local c = g:connect()
    c:send(request "/")
    t.wait_for_standstill("the client to be full", function()
      return g:metric "moongate_client_sent_bytes_total"
    end)
    g:advance(15)
    g:advance(10)
    assert.equal(size, #c:receive_response().body)
  end)
end)

describe("timeouts.send", function()
  after_each(t.cleanup)

  it("ends an upload that the server does not take", function()
    local o = t.origin(function(c)
      c:sleep(60)
    end, { head_only = true })
    local g = proxy(o, "timeouts = { send = 20 }", "", "gate.limits { body_rate = 0 }")
    local c = g:connect()
    c.conn:settimeout(0)
    c:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
    local block = ("x"):rep(65536)
    t.wait_for_standstill("everybody to be full", function()
      for _ = 1, 64 do c:send(block) end
      return g:metric "moongate_client_received_bytes_total"
    end)
    g:advance(20 - MARGIN)
    assert.equal("1", g:status "requests_active")
    g:advance(MARGIN + 0.1)
    local res = c:receive_response()
    assert.equal(504, res.status)
    why(g, "the upstream takes no bytes")
  end)
end)

describe("timeouts.total", function()
  after_each(t.cleanup)

  it("over the connect is connect_timeout", function()
    local g = proxy(t.deaf_address(), "timeouts = { connect = 60, total = 3 }")
    local c = g:connect()
    c:send(request "/")
    t.wait_for("the connect", function()
      return g:metric "moongate_upstream_connections_opened_total" == 1
    end)
    g:advance(3.1)
    local res = c:receive_response()
    assert.equal(504, res.status)
    assert.equal("connect_timeout", res.body)
    why(g, "timeouts.total is over: connecting")
  end)

  it("over the wait for the head is first_byte_timeout", function()
    local o = silent()
    local g = proxy(o, "timeouts = { total = 20 }")
    times_out(g, o, 20, 504, "first_byte_timeout")
    why(g, "timeouts.total is over: no response head yet")
  end)

  it("cuts a response that is not complete, however lively", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
      for _ = 1, 99 do
        c:send "x"
        c:sleep(0.01)
      end
      c:receive(1)
    end)
    local g = proxy(o, "timeouts = { total = 50 }")
    local c = g:connect()
    c:send(request "/")
    c:receive_head()
    assert.equal("xxxxx", c:receive(5))
    g:advance(25)
    assert.equal("xxxxx", c:receive(5))
    g:advance(26)
    assert.is_true(c:is_closed())
    why(g, "timeouts.total is over: the response is not complete")
    assert.matches('"fault":"read_timeout"', g:stdout(), 1, true)
  end)

  it("spans the tries", function()
    local o = silent()
    local g = proxy({ o, o.address }, 'timeouts = { first_byte = 60, total = 100 },' ..
      'retry = { on = { "timeout" }, tries = 5 }')
    local c = g:connect()
    c:send(request "/")
    t.wait_for("the request", function() return #o:requests() == 1 end)
    g:advance(61)
    t.wait_for("the second try", function() return #o:requests() == 2 end)
    g:advance(40)
    assert.equal(504, c:receive_response().status)
    assert.equal(2, #o:requests())
  end)

  it("does not count what scripts and clients do after the response", function()
    local o = t.origin()
    local g = t.proxy(o, { upstream = "timeouts = { total = 20 }", args = CLOCK, more = [[
      gate.on.response(function(req) gate.sleep(50) end)
    ]] })
    local c = g:connect()
    c:send(request "/")
    t.wait_for("the answer", function() return #o:requests() == 1 end)
    t.wait_for("the end", function()
      g:advance(5)
      return g:status "requests_active" == "0"
    end)
    assert.equal(200, c:receive_response().status)
  end)
end)

describe("timeouts of a route", function()
  after_each(t.cleanup)

  it("stand before those of its upstream, each for itself", function()
    local o = silent()
    local g = t.proxy(o, { upstream = "timeouts = { first_byte = 30, total = 50 }", args = CLOCK,
      more = TELL .. [[
        gate.route { path = "/quick", upstream = "o", timeouts = { first_byte = 20 } }
        gate.route { path = "/long", upstream = "o", timeouts = { first_byte = 0 } }
      ]] })
    times_out(g, o, 30, 504, "first_byte_timeout")
    times_out(g, o, 20, 504, "first_byte_timeout", request "/quick")
    times_out(g, o, 50, 504, "first_byte_timeout", request "/long")
  end)
end)
