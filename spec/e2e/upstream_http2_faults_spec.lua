--- HTTP/2 to servers that refuse, go away, are silent or break the protocol: what is tried again,
--- what a client is told, and that nobody else notices.
-- covers: upstream/link_h2.c http/h2_client.c
local h2 = require "e2e.vectors.h2"
local h2_origin = require "e2e.support.h2_origin"
local t = require "e2e.support"

local OPENED = "moongate_upstream_connections_opened_total"
local RETRIES = "moongate_upstream_retries_total"

--- A gateway in front of an origin, with these options of the upstream.
local function before(o, upstream)
  return t.proxy(o, {
    upstream = "http2 = true, " .. (upstream or ""), listen = "http2 = true",
    more = 'gate.process { access_log = "stdout", access_format = "json" }',
    args = { "--workers", "1", "--test-clock" },
  })
end

local POST = { method = "POST", body = "body" }

--- Why the last request failed, in the access log, which is written once a second.
local function told(g, why)
  t.wait_for("the line", function()
    g:advance(1)
    return g:stdout():find(why, 1, true)
  end)
end

--- Many requests at once, each on a connection of its own.
local function ask(g, n)
  local list = {}
  for i = 1, n do
    list[i] = g:connect()
    list[i]:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
  end
  return list
end

describe("a request that was not looked at", function()
  after_each(t.cleanup)

  it("is sent once more on a fresh connection, whatever the method", function()
    local o = h2_origin.answering(function(id, n)
      return n == 1 and h2_origin.reset(id, 7) or h2_origin.answer(id, 200, "from " .. n)
    end)
    local g = before(o)
    assert.equal("from 2", g:get("/", POST).body)
    assert.equal(2, g:metric(OPENED))
    assert.equal(0, g:metric(RETRIES))
  end)

  it("twice is enough", function()
    local o = h2_origin.answering(function(id) return h2_origin.reset(id, 7) end)
    local g = before(o)
    assert.equal(502, g:get("/", POST).status)
    assert.equal(2, g:metric(OPENED))
    told(g, "the upstream cancelled the stream")
  end)

  it("may be cut off by a GOAWAY too", function()
    local o = h2_origin.answering(function(id, n)
      if n == 1 and id == 1 then return h2_origin.answer(1, 200, "first") .. h2_origin.goaway(1) end
      return n == 1 and "" or h2_origin.answer(id, 200, "from " .. n)
    end)
    local g = before(o)
    assert.equal("first", g:get("/", POST).body)
    assert.equal("from 2", g:get("/", POST).body)
    assert.equal("from 2", g:get("/", POST).body)
    assert.equal(2, g:metric(OPENED))
  end)

  it("is kept within what the server has said", function()
    local o = h2_origin.start(function(c, what, frame)
      if what ~= "end" then return end
      if c.open then return c:send(h2_origin.goaway(frame.id, 1)) end -- one too many
      c.open = true
      c:sleep(0.05)
      c.open = false
      c:send(h2_origin.answer(frame.id, 200, "ok"))
    end, "\0\3" .. h2.u32(1))
    local g = before(o)
    assert.equal("ok", g:get("/").body)
    for _, c in ipairs(ask(g, 8)) do assert.equal("ok", c:receive_response().body) end
  end)
end)

describe("a connection that is lost", function()
  after_each(t.cleanup)

  it("is replaced for what may be repeated, and not for the rest", function()
    local o = h2_origin.start(function(c, what, frame, n)
      if what ~= "end" then return end
      if n % 2 == 1 and frame.id > 1 then return c:close() end
      c:send(h2_origin.answer(frame.id, 200, "from " .. n))
    end)
    local g = before(o)
    assert.equal("from 1", g:get("/").body)
    assert.equal("from 2", g:get("/").body)
    assert.equal(0, g:metric(RETRIES))
    g:stop()
    g = before(o)
    assert.equal("from 3", g:get("/").body)
    assert.equal(502, g:get("/", POST).status)
    told(g, "the upstream closed the connection")
  end)

  it("breaks the answers that were on it, each for itself", function()
    local o = h2_origin.start(function(c, what, frame, n)
      if what ~= "end" or n > 1 then
        return what == "end" and c:send(h2_origin.answer(frame.id, 200, "again"))
      end
      c.ids = (c.ids or 0) + 1
      if frame.id == 1 then c:send(h2_origin.head(1, 200) .. h2_origin.data(1, "part")) end
      if c.ids == 3 then c:close() end
    end)
    local g = before(o)
    local first = ask(g, 1)[1]
    assert.truthy(first:receive_head()) -- so it is stream 1
    local others = ask(g, 2)
    assert.truthy(first:is_closed())
    for _, c in ipairs(others) do assert.equal("again", c:receive_response().body) end
  end)

  it("is told goodbye when the gateway ends", function()
    local path = t.folder() .. "/frames"
    local o = h2_origin.start(function(c, what, frame)
      if what == "end" then c:send(h2_origin.answer(frame.id, 200, "ok")) end
      if what == "frame" and frame.kind == h2.GOAWAY then t.write(path, "goodbye") end
    end)
    local g = before(o)
    assert.equal("ok", g:get("/").body)
    g:stop()
    t.wait_for("the GOAWAY", function()
      local file = io.open(path)
      return file and file:close()
    end)
  end)
end)

describe("a server that is silent", function()
  after_each(t.cleanup)

  it("costs the stream, and asked whether it is there it may go on", function()
    local path = t.folder() .. "/frames"
    local o = h2_origin.start(function(c, what, frame, n)
      if what == "end" and (n > 1 or frame.id > 1) then
        c:send(h2_origin.answer(frame.id, 200, "ok"))
      end
      if what == "frame" and frame.kind == h2.RST and frame.id == 1 then
        t.write(path, frame.payload)
      end
    end)
    local g = before(o, "timeouts = { first_byte = 50 }, retry = { tries = 1 }")
    local slow = ask(g, 1)[1]
    t.wait_for("the first stream", function()
      return g:metric "moongate_upstream_http2_streams_total" == 1
    end)
    assert.equal("ok", g:get("/").body)
    g:advance(51)
    assert.equal(504, slow:receive_response().status)
    told(g, "no response head in time")
    t.wait_for("the reset", function()
      local file = io.open(path)
      return file and file:read "*a" == h2.u32(8) and file:close() -- CANCEL
    end)
    assert.equal("ok", g:get("/").body)
    assert.is_true(g:metric(OPENED) <= 2)
  end)

  it("that says nothing of an answer that began is not waited for for ever", function()
    local o = h2_origin.start(function(c, what, frame)
      if what ~= "end" then return end
      c:send(h2_origin.head(frame.id, 200) .. h2_origin.data(frame.id, "a"))
    end)
    local g = before(o, "timeouts = { read = 50 }")
    local c = ask(g, 1)[1]
    c:receive_head()
    g:advance(51)
    assert.truthy(c:is_closed())
    told(g, "no response bytes in time")
  end)
end)

describe("a server that breaks the rules", function()
  after_each(t.cleanup)

  local function frames(n, ...)
    return h2.frame(...):rep(n)
  end

  for name, bytes in pairs {
    ["no HTTP/2"] = function() return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" end,
    ["a field of connections"] = function(id)
      return h2_origin.answer(id, 200, "x", { { "connection", "close" } })
    end,
    ["a name in upper case"] = function(id)
      return h2_origin.answer(id, 200, "x", { { "X-A", "b" } })
    end,
    ["a line end in a value"] = function(id)
      return h2_origin.answer(id, 200, "x", { { "x-a", "b\r\nc: d" } })
    end,
    ["a length that is not true"] = function(id)
      return h2_origin.answer(id, 200, nil, { { "content-length", "5" } })
    end,
    ["no status"] = function(id)
      return h2.frame(h2.HEADERS, h2.WHOLE + h2.END, id, h2.block { { "a", "b" } })
    end,
    ["a switch of protocols"] = function(id) return h2_origin.answer(id, 101) end,
    ["too many interim answers"] = function(id)
      return h2_origin.head(id, 103):rep(9) .. h2_origin.answer(id, 200, "x")
    end,
    ["a head beyond the limit"] = function(id)
      return h2_origin.answer(id, 200, "x", { { "a", ("v"):rep(15000) }, { "b", ("v"):rep(15000) },
        { "c", ("v"):rep(5000) } })
    end,
    ["heads without an end"] = function(id)
      return h2.frame(h2.HEADERS, 0, id, h2.block { { ":status", "200" } })
        .. frames(20, h2.CONTINUATION, 0, id)
    end,
    ["SETTINGS without an end"] = function() return frames(130000, h2.SETTINGS, 0, 0) end,
    ["PINGs without an end"] = function() return frames(80000, h2.PING, 0, 0, "12345678") end,
    ["a stream that was not begun"] = function() return h2_origin.data(99, "x") end,
    ["a window of nothing"] = function() return h2.frame(h2.WINDOW, 0, 0, h2.u32(0)) end,
    ["a window beyond its end"] = function()
      return h2.frame(h2.WINDOW, 0, 0, h2.u32(0x7fffffff))
    end,
    ["a frame beyond its size"] = function(id)
      return h2.frame(h2.DATA, 0, id, ("x"):rep(20000))
    end,
    ["a head that cannot be decoded"] = function(id)
      return h2.frame(h2.HEADERS, h2.WHOLE, id, "\255\255\255\255\255")
    end,
  } do
    it("is not believed: " .. name, function()
      local o = h2_origin.start(function(c, what, frame, n)
        if what ~= "end" then return end
        c:send(n == 1 and frame.id == 1 and bytes(frame.id)
          or h2_origin.answer(frame.id, 200, "good"))
      end)
      local g = before(o)
      assert.equal(502, g:get("/").status)
      told(g, '"fault":"protocol"')
      assert.equal("good", g:get("/").body)
      assert.is_true(g:metric "moongate_http2_errors_total" + g:metric "moongate_http2_floods_total"
        > 0)
    end)
  end

  it("cannot make an answer that breaks off look whole", function()
    local o = h2_origin.answering(function(id)
      if id == 1 then return h2_origin.head(1, 200) .. h2_origin.data(1, "part") end
      return h2_origin.reset(1, 2) .. h2_origin.answer(id, 200, "good")
    end)
    local g = before(o)
    local c = ask(g, 1)[1]
    assert.truthy(c:receive_head())
    assert.equal("good", g:get("/").body)
    local text = c:receive_all()
    assert.truthy(text:find("part", 1, true), text)
    assert.falsy(text:find("\r\n0\r\n\r\n", 1, true), text)
  end)

  it("has a budget of empty frames", function()
    local o = h2_origin.start(function(c, what, frame, n)
      if what ~= "end" then return end
      if n > 1 then return c:send(h2_origin.answer(frame.id, 200, "good")) end
      c:send(h2_origin.head(frame.id, 200) .. frames(200, h2.DATA, 0, frame.id))
    end)
    local g = before(o)
    g:get("/")
    t.wait_for("the end of the connection", function()
      return g:metric "moongate_http2_floods_total" == 1
    end)
    assert.equal("good", g:get("/").body)
  end)
end)
