--- A client's HTTP/2 connection, frame by frame, and what may come of a case.
---
--- allowed, one of which must come, before anything that contradicts it:
---   goaway:CODE   the connection fails with this code, and then ends in order
---   rst:CODE      stream 1 fails with this code; the connection lives
---   close         the connection ends in order
---   ping          our PING is answered
---   answer:NNN    the head of stream 1's answer; the connection lives
---   last:NNN      the same, and then the connection ends in order
---   data:N        the first DATA frame of stream 1 has N bytes; the connection lives
---   ack           our SETTINGS are acknowledged; the connection lives
---   settings      the first frame of all is SETTINGS
local bit = require "bit"
local h2 = require "e2e.vectors.h2"

local M = {}

--- What our PINGs carry.
M.MARK = "conforms"

local Connection = {}
Connection.__index = Connection

function M.new(wire)
  return setmetatable({ wire = wire, rest = "", settings = {} }, Connection)
end

local function number(s, at, n)
  local value = 0
  for i = at, at + n - 1 do value = value * 256 + s:byte(i) end
  return value
end

local function take(self)
  local raw = self.rest
  if #raw < 9 or #raw < 9 + number(raw, 1, 3) then return nil end
  local n = number(raw, 1, 3)
  self.rest = raw:sub(10 + n)
  return { kind = raw:byte(4), flags = raw:byte(5), id = number(raw, 6, 4),
    payload = raw:sub(10, 9 + n) }
end

--- The next frame; or nil and how the connection ended.
function Connection:frame()
  while true do
    local frame = take(self)
    if frame then return frame end
    local bytes, how = self.wire:receive()
    if not bytes then return nil, how end
    self.rest = self.rest .. bytes
  end
end

local function has(frame, flag) return bit.band(frame.flags, flag) ~= 0 end

local function is_ack(frame) return frame.kind == h2.SETTINGS and has(frame, h2.ACK) end

--- Passes frames over until one is of this kind; nil and how it ended when none comes.
function Connection:until_frame(wanted)
  while true do
    local frame, how = self:frame()
    if not frame or wanted(frame) then return frame, how end
  end
end

--- Preface and SETTINGS both ways, acknowledged both ways.
function Connection:shake_hands()
  self.wire:send(h2.PREFACE .. h2.frame(h2.SETTINGS, 0, 0, "\0\4" .. h2.u32(65535)))
  local mine, theirs
  while not (mine and theirs) do
    local frame = assert(self:frame())
    mine = mine or is_ack(frame)
    if frame.kind == h2.SETTINGS and not is_ack(frame) then
      theirs = true
      for at = 1, #frame.payload, 6 do
        self.settings[number(frame.payload, at, 2)] = number(frame.payload, at + 2, 4)
      end
      self.wire:send(h2.frame(h2.SETTINGS, h2.ACK, 0))
    end
  end
end

-- Steps between what is sent.

--- Waits until our SETTINGS are acknowledged.
function M.acked(connection)
  return assert(connection:until_frame(is_ack))
end

--- Waits until the answer on stream 1 is complete.
function M.ended(connection)
  return assert(connection:until_frame(function(frame)
    return frame.id == 1 and frame.kind <= h2.HEADERS and has(frame, h2.END)
  end))
end

--- Waits for some of the answer's body.
function M.some_data(connection)
  return assert(connection:until_frame(function(frame) return frame.kind == h2.DATA end))
end

-- Verdicts.

local function token_of(frame, first)
  local payload = frame.payload
  if frame.kind == h2.GOAWAY then return "goaway:" .. h2.code_name(number(payload, 5, 4)) end
  if frame.kind == h2.PING then return payload == M.MARK and has(frame, h2.ACK) and "ping" end
  if frame.kind == h2.SETTINGS then return is_ack(frame) and "ack" or first and "settings" end
  if frame.id ~= 1 and frame.kind ~= h2.RST then return nil end
  if frame.kind == h2.RST then return "rst:" .. h2.code_name(number(payload, 1, 4)) end
  if frame.kind == h2.HEADERS then return "answer:" .. h2.status_of(payload) end
  return frame.kind == h2.DATA and "data:" .. #payload
end

--- What ends the wait for other outcomes: an end, and the first of several.
local function is_final(frame, allowed)
  return frame.kind == h2.GOAWAY or frame.kind == h2.PING
    or frame.kind == h2.DATA and allowed:find "data" ~= nil
end

--- It still answers a PING, or does not need to.
local function lives(connection, token)
  if token == "close" or token == "ping" then return true end
  if token:find "^goaway" or token:find "^last" then
    return select(2, connection:until_frame(function() end)) == "end"
  end
  connection.wire:send(h2.frame(h2.PING, 0, 0, "is there"))
  return connection:until_frame(function(frame)
    return frame.kind == h2.PING and frame.payload == "is there"
  end) ~= nil
end

--- nil when one of the allowed outcomes came; else what came.
function Connection:fault(allowed)
  local wanted, seen, first = {}, {}, true
  for token in allowed:gmatch "%S+" do wanted[token] = true end
  while true do
    local frame, how = self:frame()
    local token = not frame and how == "end" and "close" or frame and token_of(frame, first)
    local last = token and token:gsub("^answer", "last")
    token = wanted[last] and last or token
    seen[#seen + 1] = token or how
    if token and wanted[token] then
      if lives(self, token) then return nil end
      seen[#seen + 1] = "and then it is not as it should be"
    end
    if not frame or wanted[token] or is_final(frame, allowed) then break end
    first = false
  end
  return ("wanted %s, got %s"):format(allowed, table.concat(seen, ", "))
end

return M
