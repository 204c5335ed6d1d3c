--- Tables whose misspelt fields raise with the nearest right name.

local mistake = require "moongate.declare.mistake"
local nearest = require "moongate.nearest"
local place = require "moongate.declare.place"

local M = {}

--- What is wrong with a field that a table does not have: the parts of a mistake.
---@param name string what the table is called in scripts: "gate.on"
---@param key any
---@param names table<string, any> set of the language's names, of this build or later
---@param later? table<string, any> more names that this build lacks
---@return { message: string, name: string, expected: string, nearest: string|nil }
function M.missing(name, key, names, later)
  if type(key) == "string" and (rawget(names, key) or later and later[key]) then
    return {
      name = key, expected = "a field of this build",
      message = ("%s.%s is right, but not there yet in this build")
        :format(name, key),
    }
  end
  local near = nearest.find(key, names)
  return {
    name = tostring(key), expected = "a field of " .. name, nearest = near,
    message = ("%s has no '%s'%s"):format(name, tostring(key), mistake.hint(near)),
  }
end

---@class moongate.StrictOptions
---@field names? table<string, any> the language's names, when the table itself lacks some
---@field raise? fun(parts: table) raises a mistake; by default at the user's line
---@field call? function what a call of the table does; by default it raises

--- The fields of each strict table. They are not in the table itself: there an assignment would
--- replace one unseen, for all scripts.
---@type table<table, table<any, any>>
local fields_of = setmetatable({}, { __mode = "k" })

--- Whether a table has a field, strict or not.
---@param t table
---@param key any
---@return boolean
function M.has(t, key)
  return rawget(fields_of[t] or t, key) ~= nil
end

--- Makes a table strict: reading a field that it does not have, and setting any, raises at the
--- user's line.
---@param t table
---@param name string what it is called in scripts
---@param options? moongate.StrictOptions
---@return table t
function M.table(t, name, options)
  options = options or {}
  local raise = options.raise or function(parts) place.raise(parts.message) end
  local function refuse_set(_, key)
    raise {
      name = tostring(key), expected = "no assignment",
      message = ("%s cannot be changed (field '%s')"):format(name, tostring(key)),
    }
  end
  local own, keys = {}, {}
  for key, value in pairs(t) do
    own[key], t[key] = value, nil
    keys[#keys + 1] = tostring(key)
  end
  table.sort(keys)
  local function refuse_call()
    raise {
      name = name, expected = "a function of " .. name,
      message = ("%s is no function; it has %s"):format(name, table.concat(keys, ", ")),
    }
  end
  fields_of[t] = own
  setmetatable(own, {
    __index = function(_, key) raise(M.missing(name, key, options.names or own)) end,
  })
  return setmetatable(t, {
    __index = own,
    __newindex = refuse_set,
    __call = options.call or refuse_call,
    of_gate = true, -- `place.misuse` asks
  })
end

return M
