--- JSON for scripts and for the gateway itself (`gate.json`): Lua that the JIT compiles, so that the
--- watchdog reaches a script that decodes something huge. Nothing here waits; all of it is legal at
--- load. Arrays that were decoded (and those made with `array`) remember that they are arrays; every
--- other empty table encodes as `{}`. A JSON null is `json.null`.

local buffer = require "string.buffer"

local M = {}

local byte, sub, format, floor = string.byte, string.sub, string.format, math.floor
local type, next, rawget, tonumber, tostring = type, next, rawget, tonumber, tostring
local getmetatable, setmetatable, error = getmetatable, setmetatable, error

--- Nesting beyond this is refused in both directions.
M.MAX_DEPTH = 1000
local MAX_DEPTH = M.MAX_DEPTH

--- Integers up to this are exact; longer ones decode as strings.
local EXACT = 2 ^ 53

--- A buffer that grew beyond this is not kept for the next call.
local KEEP = 65536

local ARRAY = { __name = "json array" }

--- JSON null. True in conditions; compare with `== gate.json.null`.
---@type userdata
M.null = newproxy(true)
getmetatable(M.null).__tostring = function() return "null" end
local null = M.null

--- Marks a table as an array, so that it encodes as `[]` also when it is empty.
--- Example: `gate.json.encode { tags = gate.json.array {} }` is `{"tags":[]}`.
---@generic T: table
---@param t? T
---@return T t the same table
function M.array(t)
  if t == nil then t = {} end
  if type(t) ~= "table" then
    error("gate.json.array takes a table, got " .. type(t), 2)
  end
  if getmetatable(t) ~= nil and getmetatable(t) ~= ARRAY then
    error("gate.json.array: the table has a metatable", 2)
  end
  return setmetatable(t, ARRAY)
end

--- Whether `array` or `decode` marked the table as an array.
---@param t any
---@return boolean
function M.is_array(t)
  return type(t) == "table" and getmetatable(t) == ARRAY
end

-- Encode ------------------------------------------------------------------------------------------

local ESCAPE = {}
for code = 0, 31 do ESCAPE[code] = format("\\u%04x", code) end
ESCAPE[8], ESCAPE[9], ESCAPE[10] = "\\b", "\\t", "\\n"
ESCAPE[12], ESCAPE[13], ESCAPE[34], ESCAPE[92] = "\\f", "\\r", '\\"', "\\\\"

--- Length of the valid UTF-8 sequence at i whose first byte is c (at least 0x80), or 0.
---@param s string
---@param i integer
---@param c integer
---@return integer
local function utf8_length(s, i, c)
  local c2 = byte(s, i + 1) or 0
  if c2 < 0x80 or c2 > 0xBF or c < 0xC2 then return 0 end
  if c <= 0xDF then return 2 end
  local c3 = byte(s, i + 2) or 0
  if c3 < 0x80 or c3 > 0xBF then return 0 end
  if c <= 0xEF then
    -- Overlong forms and the surrogates are no characters.
    if (c == 0xE0 and c2 < 0xA0) or (c == 0xED and c2 > 0x9F) then return 0 end
    return 3
  end
  local c4 = byte(s, i + 3) or 0
  if c4 < 0x80 or c4 > 0xBF or c > 0xF4 then return 0 end
  if (c == 0xF0 and c2 < 0x90) or (c == 0xF4 and c2 > 0x8F) then return 0 end
  return 4
end

--- Appends a string that holds something to escape, in runs of clean bytes.
local function put_escaped(out, s)
  local from, i, n = 1, 1, #s
  while i <= n do
    local c = byte(s, i)
    local piece
    local width = 1
    if c < 0x80 then
      piece = (c < 32 or c == 34 or c == 92) and ESCAPE[c]
    else
      width = utf8_length(s, i, c)
      if width == 0 then piece, width = "\\ufffd", 1 end
    end
    if piece then
      if i > from then out:put(sub(s, from, i - 1)) end
      out:put(piece)
      from = i + 1
    end
    i = i + width
  end
  if from <= n then out:put(sub(s, from, n)) end
end

local function put_string(out, s)
  for i = 1, #s do
    local c = byte(s, i)
    if c < 32 or c == 34 or c == 92 or c >= 0x80 then
      out:put('"')
      put_escaped(out, s)
      out:put('"')
      return
    end
  end
  out:put('"', s, '"')
end

local function put_number(out, n)
  if n == floor(n) and n < 1e14 and n > -1e14 then
    -- "-0" would not come back as it went.
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
  out:put(text)
end

--- The length of a table that is to be an array. Misuse raises: JSON has no table that is both.
local function array_length(t)
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

local put_value

local function put_array(out, t, depth, sorted)
  local n = array_length(t)
  out:put("[")
  for i = 1, n do
    if i > 1 then out:put(",") end
    put_value(out, rawget(t, i), depth, sorted)
  end
  out:put("]")
end

local function check_key(k)
  if type(k) ~= "string" then
    error("a JSON object has string keys, got the key " .. tostring(k), 0)
  end
end

local function put_sorted(out, t, depth)
  local keys = {}
  for k in next, t do
    check_key(k)
    keys[#keys + 1] = k
  end
  table.sort(keys, function(a, b) return a < b end)
  out:put("{")
  for i = 1, #keys do
    if i > 1 then out:put(",") end
    put_string(out, keys[i])
    out:put(":")
    put_value(out, rawget(t, keys[i]), depth, true)
  end
  out:put("}")
end

local function put_object(out, t, depth)
  local comma = false
  out:put("{")
  for k, v in next, t do
    check_key(k)
    if comma then out:put(",") end
    comma = true
    put_string(out, k)
    out:put(":")
    put_value(out, v, depth, false)
  end
  out:put("}")
end

local function put_table(out, t, depth, sorted)
  if depth >= MAX_DEPTH then
    error("nested deeper than " .. MAX_DEPTH .. " (a table that holds itself?)", 0)
  end
  if rawget(t, 1) ~= nil or getmetatable(t) == ARRAY then
    put_array(out, t, depth + 1, sorted)
  elseif sorted then
    put_sorted(out, t, depth + 1)
  else
    put_object(out, t, depth + 1)
  end
end

function put_value(out, v, depth, sorted)
  local kind = type(v)
  if kind == "string" then
    put_string(out, v)
  elseif kind == "number" then
    put_number(out, v)
  elseif kind == "table" then
    put_table(out, v, depth, sorted)
  elseif kind == "boolean" then
    out:put(v and "true" or "false")
  elseif v == null or v == nil then
    out:put("null")
  else
    error("a " .. kind .. " has no JSON form", 0)
  end
end

--- The spare buffer. A call takes it, so that a call inside a call (or one that was killed halfway)
--- cannot meet a half-filled one.
local spare = nil

local function encode(value, sorted)
  local out = spare or buffer.new(1024)
  spare = nil
  put_value(out, value, 0, sorted)
  local text = out:tostring()
  if #text <= KEEP then
    spare = out:reset()
  end
  return text
end

local function raise_at_caller(ok, result)
  if ok then return result end
  -- Kills and memory errors pass through as they are; ours are the strings without a position.
  if type(result) == "string" then error("gate.json.encode: " .. result, 3) end
  error(result, 0)
end

--- Encodes a value as compact JSON. Cycles, functions, NaN and infinities, lists with holes and keys
--- that are no strings raise at the caller's line. Bytes that are no UTF-8 become U+FFFD.
--- Example: `gate.json.encode { ok = true }` is `{"ok":true}`.
---@param value any
---@return string
function M.encode(value)
  return raise_at_caller(pcall(encode, value, false))
end

--- Encodes canonically: object keys sorted by bytes, so that equal values give equal text.
---@param value any
---@return string
function M.canonical(value)
  return raise_at_caller(pcall(encode, value, true))
end

-- Decode ------------------------------------------------------------------------------------------

--- A decode fault: `{ code = "json", message }`, printable.
local FAULT = { __tostring = function(fault) return fault.message end }

--- Where bytes of the text stand as line and column, for the message.
local function position(s, i)
  local line, start = 1, 1
  local at = string.find(s, "\n", 1, true)
  while at and at < i do
    line, start = line + 1, at + 1
    at = string.find(s, "\n", start, true)
  end
  return line, i - start + 1
end

--- Raises a decode fault; caught by `decode`.
local function refuse(s, i, what)
  local line, column = position(s, i)
  error(setmetatable({
    code = "json",
    message = format("JSON line %d column %d: %s", line, column, what),
    line = line,
  }, FAULT), 0)
end

local function skip(s, i)
  local c = byte(s, i)
  while c == 32 or c == 10 or c == 13 or c == 9 do
    i = i + 1
    c = byte(s, i)
  end
  return i, c
end

local UNESCAPE = {
  [34] = '"', [92] = "\\", [47] = "/", [98] = "\b",
  [102] = "\f", [110] = "\n", [114] = "\r", [116] = "\t",
}

--- The four hex digits at i, or nil.
local function hex4(s, i)
  local digits = string.match(s, "^%x%x%x%x", i)
  return digits and tonumber(digits, 16)
end

local function utf8_char(code)
  local char = string.char
  if code < 0x80 then return char(code) end
  local low = 0x80 + code % 64
  if code < 0x800 then return char(0xC0 + floor(code / 64), low) end
  local middle = 0x80 + floor(code / 64) % 64
  if code < 0x10000 then return char(0xE0 + floor(code / 4096), middle, low) end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, middle, low)
end

--- The character of a \u escape whose digits begin at i, and the index after it.
local function unicode_escape(s, i)
  local code = hex4(s, i)
  if not code then refuse(s, i - 2, "an escape \\u has four hex digits") end
  if code < 0xD800 or code > 0xDFFF then return utf8_char(code), i + 4 end
  local low = code <= 0xDBFF and sub(s, i + 4, i + 5) == "\\u" and hex4(s, i + 6)
  if not low or low < 0xDC00 or low > 0xDFFF then
    refuse(s, i - 2, "half of a surrogate pair")
  end
  return utf8_char(0x10000 + (code - 0xD800) * 1024 + (low - 0xDC00)), i + 10
end

--- A string that holds escapes or bytes beyond ASCII; `from` is its first byte, i the first such.
local function read_hard_string(s, from, i)
  local parts, n = {}, 0
  while true do
    local c = byte(s, i)
    if c == 34 then
      n = n + 1
      parts[n] = sub(s, from, i - 1)
      return table.concat(parts), i + 1
    elseif c == 92 then
      local after, piece = i + 2, UNESCAPE[byte(s, i + 1)]
      if byte(s, i + 1) == 117 then piece, after = unicode_escape(s, i + 2) end
      if not piece then refuse(s, i, "unknown escape") end
      parts[n + 1], parts[n + 2] = sub(s, from, i - 1), piece
      n = n + 2
      from, i = after, after
    elseif not c then
      refuse(s, i, "the text ends inside a string")
    elseif c < 32 then
      refuse(s, i, "a control character inside a string must be escaped")
    elseif c < 0x80 then
      i = i + 1
    else
      local width = utf8_length(s, i, c)
      if width == 0 then refuse(s, i, "bytes that are no UTF-8") end
      i = i + width
    end
  end
end

--- A string whose first byte (after the quote) is at `from`: the value and the index after the quote.
local function read_string(s, from)
  local i = from
  local c = byte(s, i)
  while c and c ~= 34 and c ~= 92 and c >= 32 and c < 0x80 do
    i = i + 1
    c = byte(s, i)
  end
  if c == 34 then return sub(s, from, i - 1), i + 1 end
  return read_hard_string(s, from, i)
end

local function digits_end(s, i)
  local c = byte(s, i)
  while c and c >= 48 and c <= 57 do
    i = i + 1
    c = byte(s, i)
  end
  return i, c
end

--- The end of the fraction and exponent of a number; i stands at "." or "e".
local function fraction_end(s, i, c)
  if c == 46 then
    local after
    after, c = digits_end(s, i + 1)
    if after == i + 1 then refuse(s, i, "a digit must follow the point of a number") end
    i = after
  end
  if c == 101 or c == 69 then
    local first = i + 1
    local sign = byte(s, first)
    if sign == 43 or sign == 45 then first = first + 1 end
    i = digits_end(s, first)
    if i == first then refuse(s, i, "a digit must follow the exponent of a number") end
  end
  return i
end

local function read_number(s, from)
  local first = byte(s, from) == 45 and from + 1 or from
  local i, c = digits_end(s, first)
  if i == first then refuse(s, from, "a value expected") end
  if i - first > 1 and byte(s, first) == 48 then refuse(s, from, "a number with a leading zero") end
  if c == 46 or c == 101 or c == 69 then
    i = fraction_end(s, i, c)
    local n = tonumber(sub(s, from, i - 1))
    if n == 1 / 0 or n == -1 / 0 then refuse(s, from, "a number out of range") end
    return n, i
  end
  local text = sub(s, from, i - 1)
  local n = tonumber(text)
  if n > EXACT or n < -EXACT then return text, i end
  -- 2^53 + 1 reads as 2^53: at the limit the text decides.
  if (n == EXACT or n == -EXACT) and sub(text, -16) ~= "9007199254740992" then return text, i end
  return n, i
end

local read_value

local function read_array(s, i, depth)
  local list, n, c = setmetatable({}, ARRAY), 0
  i, c = skip(s, i)
  if c == 93 then return list, i + 1 end
  while true do
    n = n + 1
    list[n], i = read_value(s, i, depth)
    i, c = skip(s, i)
    if c == 93 then return list, i + 1 end
    if c ~= 44 then refuse(s, i, "',' or ']' expected") end
    i = skip(s, i + 1)
  end
end

local function read_object(s, i, depth)
  local object, key, c = {}
  i, c = skip(s, i)
  if c == 125 then return object, i + 1 end
  while true do
    if c ~= 34 then refuse(s, i, "a key in double quotes expected") end
    key, i = read_string(s, i + 1)
    i, c = skip(s, i)
    if c ~= 58 then refuse(s, i, "':' expected") end
    i = skip(s, i + 1)
    object[key], i = read_value(s, i, depth)
    i, c = skip(s, i)
    if c == 125 then return object, i + 1 end
    if c ~= 44 then refuse(s, i, "',' or '}' expected") end
    i, c = skip(s, i + 1)
  end
end

local function read_word(s, i, c)
  if c == 116 and sub(s, i, i + 3) == "true" then return true, i + 4 end
  if c == 102 and sub(s, i, i + 4) == "false" then return false, i + 5 end
  if c == 110 and sub(s, i, i + 3) == "null" then return null, i + 4 end
  if not c then refuse(s, i, "the text ends where a value is expected") end
  refuse(s, i, "a value expected")
end

--- The value at i (white space is behind us) and the index after it.
function read_value(s, i, depth)
  local c = byte(s, i)
  if c == 34 then return read_string(s, i + 1) end
  if c == 123 or c == 91 then
    if depth >= MAX_DEPTH then refuse(s, i, "nested deeper than " .. MAX_DEPTH) end
    if c == 123 then return read_object(s, i + 1, depth + 1) end
    return read_array(s, i + 1, depth + 1)
  end
  if c and (c == 45 or (c >= 48 and c <= 57)) then return read_number(s, i) end
  return read_word(s, i, c)
end

local function decode(s)
  local value, i = read_value(s, (skip(s, 1)), 0)
  local after, c = skip(s, i)
  if c then refuse(s, after, "nothing may follow the value") end
  return value
end

--- Decodes JSON, strictly: no trailing bytes, comments, leading zeros, bare control characters or
--- bytes that are no UTF-8; at most 1,000 levels. Integers over 2^53 come as strings, null as
--- `gate.json.null`; of equal keys in an object the last one counts.
--- Example: `local t, err = gate.json.decode(body)`.
---@param text string
---@return any value nil on a fault
---@return { code: "json", message: string, line: integer }|nil err
function M.decode(text)
  if type(text) ~= "string" then
    error("gate.json.decode takes a string, got " .. type(text), 2)
  end
  local ok, result = pcall(decode, text)
  if ok then return result end
  if getmetatable(result) == FAULT then return nil, result end
  error(result, 0)
end

return M
