--- The JSON encoder: one loop, no recursion, for the same reason as the decoder's.

local buffer = require "string.buffer"
local plain = require "moongate.json.plain"
local utf8 = require "moongate.json.utf8"

local M = {}

local byte, sub, format, floor = string.byte, string.sub, string.format, math.floor
local type, next, rawget, tonumber, tostring = type, next, rawget, tonumber, tostring
local getmetatable, error = getmetatable, error
local width_of = utf8.width
local PLAIN, skip_plain = plain.set, plain.skip

--- Nesting beyond this is refused.
M.MAX_DEPTH = 1000
local MAX_DEPTH = M.MAX_DEPTH

--- Integers up to this are exact.
local EXACT = 2 ^ 53

--- A buffer that grew beyond this is not kept for the next call.
local KEEP = 65536

-- Strings -----------------------------------------------------------------------------------------

local ESCAPE = {}
for code = 0, 31 do ESCAPE[code] = format("\\u%04x", code) end
ESCAPE[8], ESCAPE[9], ESCAPE[10] = "\\b", "\\t", "\\n"
ESCAPE[12], ESCAPE[13], ESCAPE[34], ESCAPE[92] = "\\f", "\\r", '\\"', "\\\\"

--- What stands for the byte c at i, or nil when it stays, and how many bytes that covers.
local function escape(s, i, c, raw)
  if c < 128 then return ESCAPE[c], 1 end
  if raw then return nil, 1 end
  local width = width_of(s, i, c)
  if width == 0 then return "\\ufffd", 1 end
  return nil, width
end

--- Puts a string that holds bytes to escape or beyond ASCII, the first of them at i.
local function put_escaped(out, s, i, raw)
  local from = 1
  out:put('"')
  local c = byte(s, i)
  while c do
    local piece, width = nil, 1
    if not PLAIN[c] then piece, width = escape(s, i, c, raw) end
    if piece then
      out:put(sub(s, from, i - 1), piece)
      from = i + 1
    end
    i = i + width
    c = byte(s, i)
  end
  out:put(sub(s, from), '"')
end

-- Other values ------------------------------------------------------------------------------------

local function put_number(out, n)
  if n == floor(n) and n < 1e14 and n > -1e14 then
    -- "-0" would not come back as an integer everywhere.
    out:put(n == 0 and 0 or n)
    return
  end
  if n ~= n or n == 1 / 0 or n == -1 / 0 then
    error("JSON has no number for " .. tostring(n), 0)
  end
  if n == floor(n) and n <= EXACT and n >= -EXACT then
    out:put(format("%.0f", n))
    return
  end
  local text = format("%.14g", n)
  if tonumber(text) ~= n then text = format("%.16g", n) end
  if tonumber(text) ~= n then text = format("%.17g", n) end
  -- All digits of a large float would read as an integer that no number holds.
  if not text:find("[.e]") then text = text .. ".0" end
  out:put(text)
end

--- Refuses a table that is to be a list and has more than its items 1 to n, or holes. Returns n.
local function list_length(t)
  local count, highest = 0, 0
  for k in next, t do
    if type(k) ~= "number" or k < 1 or k ~= floor(k) then
      error("a table with both a list and the key '" .. tostring(k) .. "' is no JSON array", 0)
    end
    count = count + 1
    if k > highest then highest = k end
  end
  if count ~= highest then
    error("a list with holes is no JSON array; put gate.json.null where nothing is", 0)
  end
  return count
end

local function check_key(k)
  if type(k) ~= "string" then
    error("a JSON object has string keys, got the key " .. tostring(k), 0)
  end
end

local function sorted_keys(t)
  local keys = {}
  for k in next, t do
    check_key(k)
    keys[#keys + 1] = k
  end
  table.sort(keys, function(a, b) return a < b end)
  return keys
end

-- The loop ----------------------------------------------------------------------------------------

--- What the loop does next.
local VALUE, ADVANCE, SCAN = 1, 2, 3
--- How the open container is walked: a list by `next` as long as that keeps to the order, then by
--- index; an object by `next`, or by a list of its sorted keys.
local LIST, INDEXED, OBJECT, SORTED = 1, 2, 3, 4

--- The next entry of the open container: walk, index, key, value. The key is nil at its end.
local function advance(walk, t, index, key, keys)
  local value
  if walk == LIST then
    key, value = next(t, index > 0 and index or nil)
    if key == index + 1 then return walk, key, key, value end
    if key == nil then return walk, index, nil, nil end
    -- Items outside the table's array part come in any order.
    list_length(t)
    walk = INDEXED
  end
  if walk == OBJECT then
    key, value = next(t, key)
    if key ~= nil then check_key(key) end
    return walk, index + 1, key, value
  end
  index = index + 1
  if walk == SORTED then
    key = keys[index]
    return walk, index, key, key and rawget(t, key)
  end
  value = rawget(t, index)
  return walk, index, value ~= nil and index or nil, value
end

--- Puts a value that is no container and no string.
local function put_scalar(out, value, kind, null)
  if kind == "number" then
    put_number(out, value)
  elseif kind == "boolean" then
    out:put(value and "true" or "false")
  elseif value == null or value == nil then
    out:put("null")
  else
    error("a " .. kind .. " has no JSON form", 0)
  end
end

--- Encodes into a buffer; raises misuse without a position.
---@param out any the buffer
---@param value any
---@param array table metatable of lists
---@param null any
---@param sorted boolean
---@param raw boolean
-- long: one loop and no other, so that the JIT makes one tree of traces of it.
local function encode(out, value, array, null, sorted, raw)
  -- The open container; the stack holds those around it.
  local t, walk, index, key, keys, depth = nil, LIST, 0, nil, nil, 0
  local stack = nil
  local mode = VALUE
  local text, i, in_key = "", 1, false
  while true do
    if mode == SCAN then
      i = skip_plain(text, i)
      local c = byte(text, i)
      if not PLAIN[c] then
        if c then
          put_escaped(out, text, i, raw)
        else
          out:put('"', text, '"')
        end
        mode = ADVANCE
        if in_key then
          out:put(":")
          in_key, mode = false, VALUE
        end
      end
    elseif mode == VALUE then
      local kind = type(value)
      if kind == "string" then
        text, i, mode = value, 1, SCAN
      elseif kind == "table" then
        if depth >= MAX_DEPTH then
          error("nested deeper than " .. MAX_DEPTH .. " (a table that holds itself?)", 0)
        end
        if depth > 0 then
          stack = stack or {}
          local at = depth * 5
          stack[at], stack[at + 1], stack[at + 2] = t, walk, index
          stack[at + 3], stack[at + 4] = key, keys or false
        end
        t, index, key, keys, depth = value, 0, nil, nil, depth + 1
        if rawget(t, 1) ~= nil or getmetatable(t) == array then
          walk = LIST
          out:put("[")
        else
          if sorted then keys = sorted_keys(t) end
          walk = sorted and SORTED or OBJECT
          out:put("{")
        end
        mode = ADVANCE
      else
        put_scalar(out, value, kind, null)
        mode = ADVANCE
      end
    elseif depth == 0 then
      return
    else
      walk, index, key, value = advance(walk, t, index, key, keys)
      if key == nil then
        out:put(walk <= INDEXED and "]" or "}")
        depth = depth - 1
        if depth > 0 then
          local at = depth * 5
          t, walk, index = stack[at], stack[at + 1], stack[at + 2]
          key, keys = stack[at + 3], stack[at + 4] or nil
        end
      else
        if index > 1 then out:put(",") end
        mode = VALUE
        if walk >= OBJECT then
          text, i, in_key, mode = key, 1, true, SCAN
        end
      end
    end
  end
end

--- The spare buffer. A call takes it, so that one that was killed halfway leaves none behind.
local spare = nil

--- Encodes a value; misuse raises without a position.
---@param value any
---@param array table metatable that marks lists
---@param null any what stands for null
---@param sorted boolean keys of objects in order
---@param raw boolean bytes that are no UTF-8 stay as they are
---@return string
function M.encode(value, array, null, sorted, raw)
  local out = spare or buffer.new(1024)
  spare = nil
  encode(out, value, array, null, sorted, raw)
  local text = out:tostring()
  if #text <= KEEP then spare = out:reset() end
  return text
end

return M
