--- The JSON decoder: one loop over the bytes, no recursion. The JIT compiles that to a single
--- tree of traces whatever the document looks like; a recursive reader with inner loops is
--- blacklisted as soon as documents differ.

local buffer = require "string.buffer"
local plain = require "moongate.json.plain"
local utf8 = require "moongate.json.utf8"

local M = {}

local byte, sub, tonumber = string.byte, string.sub, tonumber
local setmetatable, error = setmetatable, error
local width_of, utf8_char = utf8.width, utf8.char
local PLAIN, skip_plain = plain.set, plain.skip

--- Nesting beyond this is refused.
M.MAX_DEPTH = 1000
local MAX_DEPTH = M.MAX_DEPTH

--- Integers up to this are exact; longer ones decode as strings.
local EXACT = 2 ^ 53

--- A decode fault: `{ code = "json", message, line }`, printable.
M.Fault = { __tostring = function(fault) return fault.message end }

--- Where a byte of the text stands as line and column.
local function position(s, i)
  local line, start = 1, 1
  local at = s:find("\n", 1, true)
  while at and at < i do
    line, start = line + 1, at + 1
    at = s:find("\n", start, true)
  end
  return line, i - start + 1
end

--- Raises a decode fault.
local function refuse(s, i, what)
  local line, column = position(s, i)
  error(setmetatable({
    code = "json", line = line,
    message = ("JSON line %d column %d: %s"):format(line, column, what),
  }, M.Fault), 0)
end

-- Strings -----------------------------------------------------------------------------------------

local UNESCAPE = {
  [34] = '"', [92] = "\\", [47] = "/", [98] = "\b",
  [102] = "\f", [110] = "\n", [114] = "\r", [116] = "\t",
}

local HEX = {}
for digit = 0, 15 do
  HEX[byte(("%x"):format(digit))] = digit
  HEX[byte(("%X"):format(digit))] = digit
end

--- The value of the four hex digits at i, or nil.
local function hex4(s, i)
  local a, b, c, d = byte(s, i, i + 3)
  a, b, c, d = HEX[a or 0], HEX[b or 0], HEX[c or 0], HEX[d or 0]
  return a and b and c and d and a * 4096 + b * 256 + c * 16 + d
end

--- The characters of the escape at i (a backslash), and the index after it.
local function escape(s, i)
  local c = byte(s, i + 1) or 0
  if c ~= 117 then
    local char = UNESCAPE[c]
    if not char then refuse(s, i, "unknown escape") end
    return char, i + 2
  end
  local code = hex4(s, i + 2)
  if not code then refuse(s, i, "an escape \\u has four hex digits") end
  if code < 0xD800 or code > 0xDFFF then return utf8_char(code), i + 6 end
  local low = code <= 0xDBFF and byte(s, i + 6) == 92 and byte(s, i + 7) == 117 and hex4(s, i + 8)
  if not low or low < 0xDC00 or low > 0xDFFF then refuse(s, i, "half of a surrogate pair") end
  return utf8_char(0x10000 + (code - 0xD800) * 1024 + (low - 0xDC00)), i + 12
end

local function refuse_in_string(s, i, c)
  if not c then refuse(s, i, "the text ends inside a string") end
  if c < 32 then refuse(s, i, "a control character inside a string must be escaped") end
  refuse(s, i, "bytes that are no UTF-8")
end

-- Numbers -----------------------------------------------------------------------------------------

local POWER = {}
for k = 0, 15 do POWER[k] = 10 ^ k end

--- The value of a number in the text from..last that ended well. `n` is what its digits before an
--- exponent sum up to; `point` is where its point stands, or 0.
local function number_value(s, from, last, n, point, exponent)
  local minus = byte(s, from) == 45
  local fraction = point > 0 and last - point or 0
  local digits = last - from + (minus and 0 or 1) - (point > 0 and 1 or 0)
  if digits <= 15 and not exponent then
    -- Both are exact, so that the quotient is the nearest double.
    if fraction > 0 then n = n / POWER[fraction] end
    return minus and -n or n
  end
  local text = sub(s, from, last)
  n = tonumber(text)
  if point > 0 or exponent then
    if n == 1 / 0 or n == -1 / 0 then refuse(s, from, "a number out of range") end
    return n
  end
  if n > EXACT or n < -EXACT then return text end
  -- 2^53 + 1 reads as 2^53: at the limit the text decides.
  if (n == EXACT or n == -EXACT) and sub(text, -16) ~= "9007199254740992" then return text end
  return n
end

--- Refuses a number whose digits end wrongly at i: none after "-", the point or the exponent, or a
--- leading zero.
local function check_digits(s, from, i, first)
  if i == first then refuse(s, from, "a number without digits where they belong") end
  -- Digits of a fraction or exponent begin two bytes into a number or later, and may begin with 0.
  if first - from <= 1 and byte(s, first) == 48 and i - first > 1 then
    refuse(s, from, "a number with a leading zero")
  end
end

-- Words -------------------------------------------------------------------------------------------

--- The end of the word at i whose first byte is c: t(rue), f(alse) or n(ull).
local function word_end(s, i, c)
  local word = c == 116 and "true" or c == 102 and "false" or c == 110 and "null"
  if word and sub(s, i, i + #word - 1) == word then return i + #word end
  refuse(s, i, c and "a value expected" or "the text ends where a value is expected")
end

-- The loop ----------------------------------------------------------------------------------------

--- What the loop expects next.
local VALUE, FIRST, AFTER, KEY, FIRST_KEY, COLON, STRING, NUMBER = 1, 2, 3, 4, 5, 6, 7, 8

local function refuse_after(s, i, c, depth, is_list)
  if depth == 0 then refuse(s, i, "nothing may follow the value") end
  local closing = is_list and "',' or ']' expected" or "',' or '}' expected"
  refuse(s, i, c and closing or ("the text ends: " .. closing))
end

--- The buffer that strings with escapes are put together in. A call takes it, so that one that was
--- killed halfway leaves none behind.
local spare = nil

local function take_buffer()
  local out = spare or buffer.new()
  spare = nil
  return out
end

--- Decodes; raises a fault. `array` marks lists, `null` stands for null.
---@param s string
---@param array table metatable of lists
---@param null any
---@return any
-- long: one loop and no other, so that the JIT makes one tree of traces of it.
local function decode(s, array, null)
  -- The open container and what it is in: size counts a list and is -1 in an object.
  local top, size, key, depth = nil, 0, "", 0
  local stack, used = nil, 0
  local i, from, mode = 1, 1, VALUE
  local in_key, out = false, nil
  local n, first, point, exponent = 0, 1, 0, false
  local result = nil
  while true do
    local c = byte(s, i)
    local value, got, closed = nil, false, false
    if mode == STRING then
      if PLAIN[c] then
        i = skip_plain(s, i + 1)
        c = byte(s, i)
      end
      if c == 34 then
        value = sub(s, from, i - 1)
        i = i + 1
        if out then
          value = out:put(value):get()
          spare, out = out, nil
        end
        if in_key then
          key, mode = value, COLON
        else
          got = true
        end
      elseif c == 92 then
        local piece, after = escape(s, i)
        out = out or take_buffer()
        out:put(sub(s, from, i - 1), piece)
        i, from = after, after
      elseif not PLAIN[c] then
        local width = c and c >= 128 and width_of(s, i, c) or 0
        if width == 0 then refuse_in_string(s, i, c) end
        i = i + width
      end
    elseif mode == NUMBER then
      if c and c >= 48 and c <= 57 then
        n, i = n * 10 + (c - 48), i + 1
        c = byte(s, i)
        if c and c >= 48 and c <= 57 then
          n, i = n * 10 + (c - 48), i + 1
          c = byte(s, i)
        end
      end
      if not c or c < 48 or c > 57 then
        check_digits(s, from, i, first)
        if c == 46 and point == 0 and not exponent then
          point, i = i, i + 1
          first = i
        elseif (c == 101 or c == 69) and not exponent then
          exponent, i = true, i + 1
          local sign = byte(s, i)
          if sign == 43 or sign == 45 then i = i + 1 end
          first = i
        else
          value, got = number_value(s, from, i - 1, n, point, exponent), true
        end
      end
    elseif c == 32 or c == 10 or c == 13 or c == 9 then
      i = i + 1
    elseif mode == AFTER then
      if c == 44 and depth > 0 then
        i = i + 1
        mode = size < 0 and KEY or VALUE
      elseif (c == 93 and size >= 0 or c == 125 and size < 0) and depth > 0 then
        closed = true
      elseif not c and depth == 0 then
        return result
      else
        refuse_after(s, i, c, depth, size >= 0)
      end
    elseif mode == KEY or mode == FIRST_KEY then
      if c == 34 then
        i = i + 1
        in_key, mode, from = true, STRING, i
      elseif c == 125 and mode == FIRST_KEY then
        closed = true
      else
        refuse(s, i, "a key in double quotes expected")
      end
    elseif mode == COLON then
      if c ~= 58 then refuse(s, i, "':' expected") end
      i, mode = i + 1, VALUE
    elseif c == 34 then
      i = i + 1
      in_key, mode, from = false, STRING, i
    elseif c == 123 or c == 91 then
      if depth >= MAX_DEPTH then refuse(s, i, "nested deeper than " .. MAX_DEPTH) end
      if depth > 0 then
        stack = stack or {}
        stack[used + 1], stack[used + 2], stack[used + 3] = top, size, key
        used = used + 3
      end
      depth, i = depth + 1, i + 1
      if c == 123 then
        top, size, mode = {}, -1, FIRST_KEY
      else
        top, size, mode = setmetatable({}, array), 0, FIRST
      end
    elseif c and (c >= 48 and c <= 57 or c == 45) then
      mode, from = NUMBER, i
      n, point, exponent = 0, 0, false
      if c == 45 then i = i + 1 end
      first = i
    elseif c == 93 and mode == FIRST then
      closed = true
    else
      i = word_end(s, i, c)
      value, got = null, true
      if c == 116 then value = true elseif c == 102 then value = false end
    end
    if closed then
      value, got = top, true
      depth, i = depth - 1, i + 1
      if depth > 0 then
        top, size, key = stack[used - 2], stack[used - 1], stack[used]
        used = used - 3
      end
    end
    if got then
      mode = AFTER
      if depth == 0 then
        result = value
      elseif size < 0 then
        top[key] = value
      else
        size = size + 1
        top[size] = value
      end
    end
  end
end

--- Decodes a JSON text.
---@param s string
---@param array table metatable that marks lists
---@param null any what stands for null
---@return any value nil on a fault
---@return { code: "json", message: string, line: integer }|nil err
function M.decode(s, array, null)
  local ok, result = pcall(decode, s, array, null)
  if ok then return result end
  if getmetatable(result) == M.Fault then return nil, result end
  -- Kills and memory errors pass through as they are.
  error(result, 0)
end

return M
