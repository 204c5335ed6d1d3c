--- Option schemas: a small typed validator that every declaration uses, for Lua tables and for
--- data. A type is a table with `expected` (words for the message) and `check(type, value,
--- spot)`, which returns the normalised value, or nil after it reported a mistake at the spot. A
--- spot knows where in a declaration a value stands; what it does with a mistake is its maker's
--- business.

local mistake = require "moongate.declare.mistake"
local nearest = require "moongate.nearest"
local units = require "moongate.units"
local json = require "moongate.json"
local utf8 = require "moongate.json.utf8"

local M = {}

-- Spots -------------------------------------------------------------------------------------------

---@class moongate.Spot
---@field parent moongate.Spot|nil
---@field key any the key under the parent's value
---@field holder table|nil the table that has the key
---@field root moongate.SpotRoot

---@class moongate.SpotRoot
---@field callee? string what was called: "gate.listen"
---@field report fun(spot: moongate.Spot, parts: table) called with each mistake
---@field locate? fun(spot: moongate.Spot): table where a spot stands
local Spot = {}
Spot.__index = Spot

--- The spot of a whole declaration.
---@param root moongate.SpotRoot
---@return moongate.Spot
function M.spot(root)
  return setmetatable({ root = root }, Spot)
end

--- The spot of a key of the table that stands here.
---@param key any
---@param holder? table
---@return moongate.Spot
function Spot:at(key, holder)
  return setmetatable({ parent = self, key = key, holder = holder, root = self.root }, Spot)
end

--- The keys from the declaration down to this spot.
---@return any[]
function Spot:path()
  local path = self.parent and self.parent:path() or {}
  if self.parent then path[#path + 1] = self.key end
  return path
end

--- Reports a mistake here. Always returns nil, so that a check can end with `return spot:fail {…}`.
---@param parts { message: string, name?: string, expected?: string, nearest?: string }
function Spot:fail(parts)
  self.root.report(self, parts)
end

--- Where this stands: `{ file, line }` or `{ file, pointer }`.
---@return { file: string, line?: integer, pointer?: string }
function Spot:place()
  return self.root.locate(self)
end

--- What a message calls the value that stands here.
---@return string
function Spot:label()
  if type(self.key) == "string" then return "'" .. self.key .. "'" end
  local parent = self.parent
  if parent and parent.parent and parent.parent.parent then
    return ("item %s of %s"):format(tostring(self.key), parent:label())
  end
  local what = parent and parent.parent and "value " or "argument "
  local callee = self.root.callee
  return what .. tostring(self.key) .. (callee and " of " .. callee or "")
end

--- A short printed form of a bad value.
---@param value any
---@return string
local function shown(value)
  if value == nil then return "nothing" end
  if type(value) == "string" then
    return #value <= 40 and ("'" .. value .. "'") or ("'" .. value:sub(1, 37) .. "...'")
  end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return "a " .. type(value)
end
M.shown = shown

--- Reports that the value here is not what was expected.
---@param value any
---@param expected string
---@param why? string a reason more precise than `expected`
function Spot:unexpected(value, expected, why)
  local name = type(self.key) == "string" and self.key or tostring(value)
  return self:fail {
    name = name, expected = expected,
    message = ("%s: %s expected, got %s%s"):format(self:label(), expected, shown(value),
      why and (" (" .. why .. ")") or ""),
  }
end

-- Scalars -----------------------------------------------------------------------------------------

---@class moongate.Type
---@field expected string
---@field required? boolean
---@field default? any already normalised
---@field check fun(self: moongate.Type, value: any, spot: moongate.Spot): any

--- A type of a predicate that returns the normalised value, or nil and a reason.
---@param expected string
---@param convert fun(value: any): any, string|nil
---@return moongate.Type
function M.custom(expected, convert)
  return {
    expected = expected,
    check = function(_, value, spot)
      local result, why = convert(value)
      if result == nil then return spot:unexpected(value, expected, why) end
      return result
    end,
  }
end

--- Adds `required` or `default` to a type: `schema.with(schema.size(), { default = 8192 })`.
---@param kind moongate.Type
---@param extra table
---@return moongate.Type
function M.with(kind, extra)
  local copy = {}
  for key, value in pairs(kind) do copy[key] = value end
  for key, value in pairs(extra) do copy[key] = value end
  return copy
end

---@return moongate.Type
function M.boolean()
  return M.custom("true or false", function(value)
    if type(value) == "boolean" then return value end
  end)
end

--- A non-empty string without control characters.
---@param expected? string
---@return moongate.Type
function M.text(expected)
  return M.custom(expected or "a string", function(value)
    if type(value) ~= "string" then return nil end
    if value == "" then return nil, "it is empty" end
    if value:find("%c") then return nil, "it holds a control character" end
    return value
  end)
end

--- A name, which reports and metrics show: UTF-8.
---@return moongate.Type
function M.name()
  return M.custom("a name", function(value)
    if type(value) ~= "string" then return nil end
    if value == "" then return nil, "it is empty" end
    if value:find("%c") then return nil, "it holds a control character" end
    if not utf8.is_valid(value) then return nil, "it is no UTF-8" end
    return value
  end)
end

--- A name without spaces, of at most so many bytes.
---@param longest integer
---@return moongate.Type
function M.word(longest)
  return M.custom("a name", function(value)
    if type(value) ~= "string" then return nil end
    if value == "" or #value > longest then
      return nil, ("a name has 1 to %d bytes"):format(longest)
    end
    if value:find("[%c%s]") then return nil, "a name has no spaces" end
    if not utf8.is_valid(value) then return nil, "it is no UTF-8" end
    return value
  end)
end

---@param expected? string
---@return moongate.Type
function M.func(expected)
  return M.custom(expected or "a function", function(value)
    if type(value) == "function" then return value end
  end)
end

---@param low integer
---@param high integer
---@return moongate.Type
function M.integer(low, high)
  local expected = high >= 2 ^ 31 and ("a whole number from %d"):format(low)
    or ("a whole number from %d to %d"):format(low, high)
  return M.custom(expected, function(value)
    if type(value) == "number" and value % 1 == 0 and value >= low and value <= high then
      return value
    end
  end)
end

--- The longest durations, in seconds: the engine keeps both units in 32 bits.
local LONGEST = { ms = 30 * 86400, us = 3600 }

--- A duration; normalised to milliseconds, or to microseconds with `unit = "us"`.
---@param options? { unit?: "ms"|"us", zero?: boolean, least?: number }
---@return moongate.Type
function M.duration(options)
  local unit = options and options.unit or "ms"
  local zero, least = options and options.zero, options and options.least
  return M.custom('a time (seconds, or a string such as "50ms" or "2m")', function(value)
    local seconds = units.seconds(value)
    if not seconds then return nil end
    if seconds == 0 and not zero then return nil, "it must be more than 0" end
    if least and seconds < least then return nil, "at least " .. least .. " seconds" end
    if seconds > LONGEST[unit] then return nil, "at most " .. LONGEST[unit] .. " seconds" end
    return units[unit](value)
  end)
end

--- A size; normalised to bytes.
---@param low? integer
---@param high? integer
---@return moongate.Type
function M.size(low, high)
  return M.custom('a size (bytes, or a string such as "64m")', function(value)
    local bytes = units.bytes(value)
    if not bytes then return nil end
    if low and bytes < low then return nil, "at least " .. low end
    if high and bytes > high then return nil, "at most " .. high end
    return bytes
  end)
end

---@return moongate.Type
function M.cidr()
  return M.custom('an address block such as "10.0.0.0/8"', function(value)
    if units.is_cidr(value) then return value end
  end)
end

--- One of some strings; anything else names the nearest of them.
---@param values string[]
---@param later? string[] values of the language that this build does not have
---@return moongate.Type
function M.enum(values, later)
  local expected = "one of " .. table.concat(values, ", ")
  local missing = {}
  for _, value in ipairs(later or {}) do missing[value] = true end
  local all = {}
  for _, list in ipairs { values, later or {} } do
    for _, value in ipairs(list) do all[#all + 1] = value end
  end
  local function check(_, value, spot)
    for _, known in ipairs(values) do
      if value == known then return value end
    end
    if type(value) ~= "string" then return spot:unexpected(value, expected) end
    if missing[value] then return M.not_here(spot, value, expected) end
    local near = nearest.find(value, all)
    return spot:fail {
      name = value, expected = expected, nearest = near,
      message = ("%s: unknown value '%s', expected %s%s"):format(
        spot:label(), value, expected, mistake.hint(near)),
    }
  end
  return { expected = expected, check = check }
end

--- Reports a right name that this build does not serve.
---@param spot moongate.Spot
---@param name string
---@param expected? string
function M.not_here(spot, name, expected)
  return spot:fail {
    name = name, expected = expected,
    message = ("'%s' is right, but not there yet in this build"):format(name),
  }
end

--- An option of the language that this build does not have. False switches it off, which it is.
---@return moongate.Type
function M.later()
  return {
    expected = "nothing (not in this build)",
    check = function(_, value, spot)
      if value ~= false then return M.not_here(spot, tostring(spot.key)) end
    end,
  }
end

-- Tables ------------------------------------------------------------------------------------------

--- The items of a list in order; reports keys that are no list's.
---@param value table
---@param spot moongate.Spot
---@return integer|nil length nil after a report
local function list_length(value, spot)
  local n = 0
  while value[n + 1] ~= nil do n = n + 1 end
  for key in pairs(value) do
    if type(key) ~= "number" or key % 1 ~= 0 or key < 1 or key > n then
      spot:at(key, value):fail {
        name = tostring(key), expected = "a list",
        message = ("%s: a list expected, got the key '%s'"):format(spot:label(), tostring(key)),
      }
      return nil
    end
  end
  return n
end

--- A list of values of one type.
---@param item moongate.Type
---@param options? { min?: integer }
---@return moongate.Type
function M.list(item, options)
  local least = options and options.min or 0
  local expected = "a list of: " .. item.expected
  local function check(_, value, spot)
    if type(value) ~= "table" then return spot:unexpected(value, expected) end
    local n = list_length(value, spot)
    if not n then return nil end
    if n < least then return spot:unexpected(value, expected, "it is empty") end
    local result = {}
    for i = 1, n do
      local normal = item:check(value[i], spot:at(i, value))
      if normal ~= nil then result[#result + 1] = normal end
    end
    return result
  end
  return { expected = expected, check = check }
end

--- The names of a record's fields that an author may write.
---@param fields table<any, moongate.Type>
---@return string[]
local function field_names(fields)
  local names = {}
  for name in pairs(fields) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

---@param spot moongate.Spot of the unknown key
---@param key any
---@param what string
---@param fields table<any, moongate.Type>
---@return string|nil nearest the field that was meant
local function unknown_field(spot, key, what, fields)
  local names = field_names(fields)
  local near = nearest.find(key, names)
  local expected = "one of " .. table.concat(names, ", ")
  if type(key) == "number" then
    spot:fail {
      name = tostring(key), expected = expected,
      message = ("%s takes no value without a name here"):format(what),
    }
    return nil
  end
  spot:fail {
    name = tostring(key), expected = expected, nearest = near,
    message = ("%s has no option '%s'%s"):format(what, tostring(key),
      near and mistake.hint(near) or ("; expected " .. expected)),
  }
  return near
end

--- Reports the unknown keys of a record. Returns the fields that were meant by them.
---@return table<any, boolean>
local function check_keys(value, spot, what, fields)
  local meant = {}
  for key, given in pairs(value) do
    if fields[key] == nil and given ~= json.null then
      local near = unknown_field(spot:at(key, value), key, what, fields)
      if near then meant[near] = true end
    end
  end
  return meant
end

---@param key any
---@param kind moongate.Type
local function missing_field(spot, key, what, kind)
  spot:fail {
    name = tostring(key), expected = kind.expected,
    message = ("%s needs %s (%s)"):format(what,
      type(key) == "string" and ("'" .. key .. "'") or "a first value", kind.expected),
  }
end

--- A table with named fields. A field's key may be a position (`[1]`). JSON null counts as absent.
--- Its check also returns the fields that misspelt ones meant; those are not reported as missing.
---@param what string what messages call it: "a server", "gate.route"
---@param fields table<any, moongate.Type>
---@return moongate.Type
function M.record(what, fields)
  local expected = "a table of options"
  local function check(_, value, spot)
    if type(value) ~= "table" then return spot:unexpected(value, expected) end
    local meant = check_keys(value, spot, what, fields)
    local result = {}
    for key, kind in pairs(fields) do
      local given = value[key]
      if given ~= nil and given ~= json.null then
        result[key] = kind:check(given, spot:at(key, value))
      elseif kind.required and not meant[key] then
        missing_field(spot, key, what, kind)
      end
      if result[key] == nil then result[key] = kind.default end
    end
    return result, meant
  end
  return { expected = expected, check = check }
end

--- A table of free names to values of one type. Normalised to a list of { name, value } by name.
---@param name_type moongate.Type
---@param item moongate.Type
---@return moongate.Type
function M.map(name_type, item)
  local expected = "a table of names"
  local function check(_, value, spot)
    if type(value) ~= "table" then return spot:unexpected(value, expected) end
    local result = {}
    for key, given in pairs(value) do
      local here = spot:at(key, value)
      local name = name_type:check(key, here)
      local normal = item:check(given, here)
      if name ~= nil and normal ~= nil then result[#result + 1] = { name, normal } end
    end
    table.sort(result, function(a, b) return a[1] < b[1] end)
    return result
  end
  return { expected = expected, check = check }
end

--- Either of two types, chosen by the Lua type of the value: `by_kind { string = a, table = b }`.
---@param kinds table<string, moongate.Type>
---@param expected string
---@return moongate.Type
function M.by_kind(kinds, expected)
  return {
    expected = expected,
    check = function(_, value, spot)
      local kind = kinds[type(value)]
      if not kind then return spot:unexpected(value, expected) end
      return kind:check(value, spot)
    end,
  }
end

return M
