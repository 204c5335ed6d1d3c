--- Plain bytes: what stands for itself in a JSON string, and is no part of a longer sequence.

local M = {}

local byte = string.byte

--- Whether a byte is plain, by its code.
---@type table<integer, boolean>
M.set = {}
for c = 0, 255 do M.set[c] = c >= 32 and c < 128 and c ~= 34 and c ~= 92 end
local set = M.set

--- Skips up to eight plain bytes, without a loop: an inner loop would cost the outer one its trace.
---@param s string
---@param i integer
---@return integer the index behind them
function M.skip(s, i)
  if not set[byte(s, i)] then return i end
  if not set[byte(s, i + 1)] then return i + 1 end
  if not set[byte(s, i + 2)] then return i + 2 end
  if not set[byte(s, i + 3)] then return i + 3 end
  if not set[byte(s, i + 4)] then return i + 4 end
  if not set[byte(s, i + 5)] then return i + 5 end
  if not set[byte(s, i + 6)] then return i + 6 end
  if not set[byte(s, i + 7)] then return i + 7 end
  return i + 8
end

return M
