--- UTF-8 as JSON needs it: the width of a sequence, and the bytes of a code point.

local M = {}

local byte, char, floor = string.byte, string.char, math.floor

--- Width of the valid sequence at i whose first byte is c (at least 0x80), or 0. Overlong forms,
--- surrogates and code points beyond U+10FFFF are not valid.
---@param s string
---@param i integer
---@param c integer
---@return integer
function M.width(s, i, c)
  local c2 = byte(s, i + 1) or 0
  if c2 < 0x80 or c2 > 0xBF or c < 0xC2 then return 0 end
  if c <= 0xDF then return 2 end
  local c3 = byte(s, i + 2) or 0
  if c3 < 0x80 or c3 > 0xBF then return 0 end
  if c <= 0xEF then
    if (c == 0xE0 and c2 < 0xA0) or (c == 0xED and c2 > 0x9F) then return 0 end
    return 3
  end
  local c4 = byte(s, i + 3) or 0
  if c4 < 0x80 or c4 > 0xBF or c > 0xF4 then return 0 end
  if (c == 0xF0 and c2 < 0x90) or (c == 0xF4 and c2 > 0x8F) then return 0 end
  return 4
end

--- Whether all of the text is UTF-8.
---@param s string
---@return boolean
function M.is_valid(s)
  local i = s:find("[\128-\255]")
  while i do
    local width = M.width(s, i, byte(s, i))
    if width == 0 then return false end
    i = s:find("[\128-\255]", i + width)
  end
  return true
end

--- The sequence of a code point.
---@param code integer up to 0x10FFFF, no surrogate
---@return string
function M.char(code)
  if code < 0x80 then return char(code) end
  local low = 0x80 + code % 64
  if code < 0x800 then return char(0xC0 + floor(code / 64), low) end
  local middle = 0x80 + floor(code / 64) % 64
  if code < 0x10000 then return char(0xE0 + floor(code / 4096), middle, low) end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, middle, low)
end

return M
