--- Origins that speak HTTP/2 by hand, frame by frame, right or wrong.
local bit = require "bit"
local h2 = require "e2e.vectors.h2"
local t = require "e2e.support"

local M = {}

local function number(s, at, n)
  local value = 0
  for i = at, at + n - 1 do value = value * 256 + s:byte(i) end
  return value
end

--- The next frame: { kind, flags, id, payload }; nil at the end of the connection.
local function receive_frame(c)
  local head = c:receive(9)
  if not head then return nil end
  return {
    kind = head:byte(4), flags = head:byte(5), id = number(head, 6, 4),
    payload = c:receive(number(head, 1, 3)),
  }
end

--- A head: `status`, then { name, value } pairs.
local function head(id, flags, status, fields)
  local list = { { ":status", tostring(status) } }
  for _, field in ipairs(fields or {}) do list[#list + 1] = field end
  return h2.frame(h2.HEADERS, bit.bor(h2.WHOLE, flags), id, h2.block(list))
end

--- An answer, whole.
function M.answer(id, status, body, fields)
  if body == nil then return head(id, h2.END, status, fields) end
  return head(id, 0, status, fields) .. h2.frame(h2.DATA, h2.END, id, body)
end

function M.head(id, status, fields) return head(id, 0, status, fields) end
function M.data(id, bytes, last) return h2.frame(h2.DATA, last and h2.END or 0, id, bytes) end
function M.trailers(id, fields)
  return h2.frame(h2.HEADERS, bit.bor(h2.WHOLE, h2.END), id, h2.block(fields))
end
function M.reset(id, code) return h2.frame(h2.RST, 0, id, h2.u32(code)) end
function M.goaway(last, code)
  return h2.frame(h2.GOAWAY, 0, 0, h2.u32(last) .. h2.u32(code or 0))
end

--- Starts one. on(c, kind, frame, n) runs for "request" (a head has come), "end" (of a request;
-- right behind its head when it has no body), "data", and "frame" (all others); n is the number of
-- the connection, from 1. `settings`: the payload of its SETTINGS. A request's frame counts in
-- `c.served`.
function M.start(on, settings)
  local connections = 0
  return t.origin(function(c)
    connections = connections + 1
    local n = connections
    c.served = 0
    if c:receive(#h2.PREFACE) ~= h2.PREFACE then return end
    c:send(h2.frame(h2.SETTINGS, 0, 0, settings))
    for frame in receive_frame, c do
      if frame.kind == h2.SETTINGS and frame.flags == 0 then
        c:send(h2.frame(h2.SETTINGS, h2.ACK, 0))
      elseif frame.kind == h2.PING and frame.flags == 0 then
        c:send(h2.frame(h2.PING, h2.ACK, 0, frame.payload))
      elseif frame.kind == h2.HEADERS then
        c.served = c.served + 1
        on(c, "request", frame, n)
      elseif frame.kind == h2.DATA then
        on(c, "data", frame, n)
      else
        on(c, "frame", frame, n)
      end
      if frame.kind <= h2.HEADERS and bit.band(frame.flags, h2.END) ~= 0 then
        on(c, "end", frame, n)
      end
      if not c.conn then break end
    end
    on(c, "closed", nil, n)
  end, { raw = true })
end

--- One that answers each request with what `answer(id, n)` says: bytes to send.
function M.answering(answer, settings)
  return M.start(function(c, what, frame, n)
    if what == "end" then c:send(answer(frame.id, n)) end
  end, settings)
end

return M
