--- HTTP/2 by hand: frames as bytes, right or wrong, and what came back taken apart as far as a
--- verdict needs it.

local bit = require "bit"

local M = {}

M.DATA, M.HEADERS, M.PRIORITY, M.RST, M.SETTINGS, M.PING = 0, 1, 2, 3, 4, 6
M.GOAWAY, M.WINDOW, M.CONTINUATION, M.PRIORITY_UPDATE = 7, 8, 9, 16
M.END, M.ACK, M.WHOLE = 1, 1, 4
M.PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

local CODES = {
  [0] = "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
  "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
  "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

--- Statuses of the static table of HPACK, by index.
local STATIC = { [8] = 200, [9] = 204, [10] = 206, [11] = 304, [12] = 400, [13] = 404, [14] = 500 }

local function u32(n)
  return string.char(bit.band(bit.rshift(n, 24), 255), bit.band(bit.rshift(n, 16), 255),
    bit.band(bit.rshift(n, 8), 255), bit.band(n, 255))
end

M.u32 = u32

function M.frame(kind, flags, id, payload)
  payload = payload or ""
  return u32(#payload):sub(2) .. string.char(kind, flags) .. u32(id) .. payload
end

local function text(s)
  if #s < 127 then return string.char(#s) .. s end
  local out, rest = "\127", #s - 127
  while rest >= 128 do
    out, rest = out .. string.char(128 + rest % 128), math.floor(rest / 128)
  end
  return out .. string.char(rest) .. s
end

--- One field as a literal that is not indexed; with `first` other than "\0", as that says.
function M.field(name, value, first) return (first or "\0") .. text(name) .. text(value) end

--- A header block: a list of { name, value }.
function M.block(fields)
  local out = {}
  for i, field in ipairs(fields) do out[i] = M.field(field[1], field[2]) end
  return table.concat(out)
end

--- The fields of a request, with others in their place: `change` by name, false takes one out.
function M.request(change, more)
  local fields = {}
  for _, field in ipairs {
    { ":method", "GET" }, { ":scheme", "http" }, { ":authority", "example.test" },
    { ":path", "/a" },
  } do
    local value = change and change[field[1]]
    if value == nil then value = field[2] end
    if value then fields[#fields + 1] = { field[1], value } end
  end
  for _, field in ipairs(more or {}) do fields[#fields + 1] = field end
  return M.block(fields)
end

--- Preface, an empty SETTINGS, and frames.
function M.open(...) return M.PREFACE .. M.frame(M.SETTINGS, 0, 0) .. table.concat { ... } end

local function number(s, at, n)
  local value = 0
  for i = at, at + n - 1 do value = value * 256 + s:byte(i) end
  return value
end

--- Digits by the Huffman code of HPACK: five bits for 0 to 2, six for the others.
local function huffman_digits(bytes)
  local bits, out = "", ""
  for i = 1, #bytes do
    for k = 7, 0, -1 do bits = bits .. bit.band(bit.rshift(bytes:byte(i), k), 1) end
  end
  while #out < 3 do
    local five = tonumber(bits:sub(1, 5), 2)
    local long = five > 2
    out = out .. (long and tonumber(bits:sub(1, 6), 2) - 22 or five)
    bits = bits:sub(long and 7 or 6)
  end
  return tonumber(out)
end

--- The status that a header block begins with; 0 when it stands in the dynamic table.
function M.status_of(block)
  local first, n = block:byte(1, 2)
  if first and first >= 0x88 and first <= 0x8e then return STATIC[first - 0x80] end
  if first ~= 0x48 and first ~= 0x08 and first ~= 0x18 then return 0 end
  local value = block:sub(3, 2 + n % 128)
  return n >= 128 and huffman_digits(value) or tonumber(value)
end

--- The name of an error code (RFC 9113 section 7).
function M.code_name(n) return CODES[n] or tostring(n) end

local function of_stream(outcome, kind, flags, id, payload)
  local stream = outcome.streams[id] or { id = id, statuses = {}, body = "" }
  outcome.streams[id] = stream
  if kind == M.HEADERS then
    stream.statuses[#stream.statuses + 1] = M.status_of(payload)
  elseif kind == M.DATA then
    stream.body = stream.body .. payload
  elseif kind == M.RST then
    outcome.resets[#outcome.resets + 1] = M.code_name(number(payload, 1, 4))
  end
  if kind <= M.HEADERS and bit.band(flags, M.END) ~= 0 then stream.ended = true end
end

--- Takes the frames of `raw` apart: streams by id, codes of resets and GOAWAYs.
function M.read(raw)
  local outcome, at = { streams = {}, resets = {}, goaways = {}, acks = 0 }, 1
  while #raw - at + 1 >= 9 do
    local n, kind, flags = number(raw, at, 3), raw:byte(at + 3), raw:byte(at + 4)
    local id = number(raw, at + 5, 4)
    if #raw - at + 1 < 9 + n then break end
    local payload = raw:sub(at + 9, at + 8 + n)
    if id ~= 0 then
      of_stream(outcome, kind, flags, id, payload)
    elseif kind == M.GOAWAY then
      outcome.goaways[#outcome.goaways + 1] = M.code_name(number(payload, 5, 4))
    elseif kind == M.PING and flags == M.ACK then
      outcome.acks = outcome.acks + 1
    end
    at = at + 9 + n
  end
  return outcome
end

return M
