--- The nearest right name to a misspelt one: every "did you mean" of the gateway comes from here.

local M = {}

local byte, lower, floor, min = string.byte, string.lower, math.floor, math.min

--- Names longer than this are never compared: a typo of a name has about the name's length.
local LONGEST = 64

--- Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions
--- and swaps of neighbours count one each. Legal at load and later.
---@param a string
---@param b string
---@return integer
function M.distance(a, b)
  local before, last, this = {}, {}, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    this[0] = i
    local x = byte(a, i)
    for j = 1, #b do
      local y = byte(b, j)
      local d = min(last[j] + 1, this[j - 1] + 1, last[j - 1] + (x == y and 0 or 1))
      if i > 1 and j > 1 and x == byte(b, j - 1) and byte(a, i - 1) == y then
        d = min(d, before[j - 2] + 1)
      end
      this[j] = d
    end
    before, last, this = last, this, before
  end
  return last[#b]
end

--- How far a typo of a name of this length may be: one edit in short names, a third in longer ones.
local function cutoff(length)
  if length <= 2 then return 1 end
  return min(3, floor((length + 2) / 3))
end

---@param names table<any, any> list of names or set { name = anything }
---@return string[] sorted, so that of two equally near names always the same one wins
local function sorted(names)
  local list = {}
  for key, value in pairs(names) do
    local name = type(key) == "string" and key or value
    if type(name) == "string" then list[#list + 1] = name end
  end
  table.sort(list, function(a, b) return a < b end)
  return list
end

--- The nearest of the names, or nil when none is near enough to be meant. Case does not count.
--- Example: `nearest.find("sevice", { "route", "service" })` is `"service"`.
---@param bad any
---@param names table<any, any> list of names or set { name = anything }
---@return string|nil
function M.find(bad, names)
  if type(bad) ~= "string" or bad == "" or #bad > LONGEST then return nil end
  local small = lower(bad)
  local best, found = cutoff(#bad) + 1, nil
  for _, name in ipairs(sorted(names)) do
    local longer = #name - #bad
    if #name <= LONGEST and longer < best and -longer < best then
      local d = M.distance(small, lower(name))
      if d < best and d < #name then best, found = d, name end
    end
  end
  return found
end

return M
