--- Streams of one HTTP/2 connection beside each other, and both ways of one at once, with frames by
--- hand: what a client says when is the point here.
-- covers: http/h2_stream.c http/h2_send.c
local Connection = require "e2e.conformance.connection"
local World = require "e2e.conformance.world"
local bit = require "bit"
local h2 = require "e2e.vectors.h2"
local t = require "e2e.support"
local wire = require "e2e.conformance.wire"

wire.patience = t.patience

local END = h2.END

local function gateway(origin)
  return t.proxy(origin, { listen = "http2 = true", route = 'methods = { "GET", "POST" }' })
end

local function connect(g)
  local connection = Connection.new(wire.plain(g.port))
  connection:shake_hands()
  return connection, World.new { authority = "a.test", scheme = "http" }
end

--- Reads until done(); by stream: bytes of the body, the last of them, the head, the end.
local function read_until(connection, streams, done)
  while not done() do
    local frame = assert(connection:frame())
    local s = streams[frame.id] or { bytes = 0, body = "" }
    streams[frame.id] = s
    if frame.kind == h2.HEADERS then s.head = true end
    if frame.kind == h2.DATA then
      s.bytes = s.bytes + #frame.payload
      s.body = (s.body .. frame.payload):sub(-8)
    end
    s.ended = s.ended or frame.kind <= h2.HEADERS and bit.band(frame.flags, END) ~= 0
  end
end

describe("streams of HTTP/2", function()
  after_each(t.cleanup)

  it("go both ways at once", function()
    local o = t.origin(function(c, req)
      c:send "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      assert(req.headers["transfer-encoding"] == "chunked")
      while true do
        local n = tonumber(c:receive_until("\r\n"):match "^%x+", 16)
        local chunk = c:receive(n + 2)
        c:send(("%x\r\n"):format(n) .. chunk)
        if n == 0 then return end
      end
    end, { head_only = true })
    local connection, w = connect(gateway(o))
    local streams = { { bytes = 0, body = "" } }
    local one = streams[1]
    connection.wire:send(w:post())
    read_until(connection, streams, function() return one.head end)
    for i = 1, 20 do
      connection.wire:send(w:data(("%04d"):format(i)))
      read_until(connection, streams, function() return one.bytes == 4 * i end)
      assert.equal(("%04d"):format(i), one.body:sub(-4))
    end
    connection.wire:send(w:data("", END))
    read_until(connection, streams, function() return one.ended end)
    connection.wire:close()
  end)

  --- An origin with 4 MiB at /big and little elsewhere.
  local function origin()
    local big = ("0123456789abcdef"):rep(256 * 1024)
    return t.origin(function(c, req) c:reply(200, req.target == "/big" and big or "small") end)
  end

  it("do not wait for one that is not read", function()
    local connection, w = connect(gateway(origin()))
    local streams = { [0] = { bytes = 0, body = "" }, { bytes = 0, body = "" } }
    connection.wire:send(w:window(0, 2 ^ 30) .. w:headers(w:block { [":path"] = "/big" }))
    read_until(connection, streams, function() return streams[1].bytes == 65535 end)
    for id = 3, 41, 2 do
      connection.wire:send(w:get(id))
      read_until(connection, streams, function() return streams[id] and streams[id].ended end)
      assert.equal("small", streams[id].body)
    end
    assert.equal(65535, streams[1].bytes)
    connection.wire:send(w:window(1, 2 ^ 30))
    read_until(connection, streams, function() return streams[1].ended end)
    assert.equal(4 * 2 ^ 20, streams[1].bytes)
    connection.wire:close()
  end)

  it("share a window of the connection, and none is forgotten", function()
    local connection, w = connect(gateway(origin()))
    local streams, ended = {}, 0
    connection.wire:send(w:setting(w.WINDOW_SETTING, 2 ^ 30))
    for id = 1, 19, 2 do
      streams[id] = { bytes = 0, body = "" }
      connection.wire:send(w:headers(w:block { [":path"] = id % 4 == 1 and "/big" or "/" }, nil,
        id))
    end
    local given, sum = 65535, 0
    while ended < 10 do
      sum, ended = 0, 0
      read_until(connection, streams, function()
        sum, ended = 0, 0
        for id = 1, 19, 2 do
          sum = sum + streams[id].bytes
          ended = ended + (streams[id].ended and 1 or 0)
        end
        return sum == given or ended == 10
      end)
      given = given + 2 ^ 20
      connection.wire:send(w:window(0, 2 ^ 20))
    end
    assert.equal(5 * 4 * 2 ^ 20 + 5 * #"small", sum)
    connection.wire:close()
  end)
end)
