--- `tostring` of scripts. Small whole numbers, which is what most status codes, counts and header
--- values are, stand ready as text: to write one costs more than to look up a header field.

local table_new = require "table.new"

local M = {}

local tostring = tostring

local KEPT = 1000

local small = table_new(KEPT, 0)
for i = 0, KEPT - 1 do small[i] = tostring(i) end

--- Takes one value, as Lua's own does.
---@return string
function M.tostring(...)
  local value = ...
  return small[value] or tostring(...)
end

return M
