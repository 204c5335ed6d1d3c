--- `tostring` of scripts. Small whole numbers, which is what most status codes, counts and header
--- values are, stand ready as text: to write one costs more than to look up a header field.

local table_new = require "table.new"

local M = {}

local tostring, pairs, type = tostring, pairs, type

local KEPT = 1000

local small = table_new(KEPT, 0)
for i = 0, KEPT - 1 do small[i] = tostring(i) end

--- Takes one value, as Lua's own does.
---@return string
function M.tostring(...)
  local value = ...
  return small[value] or tostring(...)
end

--- Whether a value is no list: a table with names or holes, of which only a part would be used.
---@param value any
---@return boolean
function M.is_ragged(value)
  local n = 0
  if type(value) ~= "table" then return false end
  for _ in pairs(value) do n = n + 1 end
  return n ~= #value
end

return M
