--- Read-only tables of values taken at one moment: `req.timing`, `req.peer`, `fault`. A misspelt
--- field raises with the nearest name.

local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"

local M = {}

--- Place of the values in the object, so that assigning to one is seen.
local VALUES = 1

--- Makes a constructor of views.
---@param name string what scripts call one: "req.timing"
---@param fields string[] all names; a value may be nil
---@return fun(values: table): table make
---@return table View its metatable
function M.maker(name, fields)
  local names = {}
  for _, field in ipairs(fields) do names[field] = true end
  local View = {}

  function View.__index(self, key)
    if names[key] then return self[VALUES][key] end
    place.raise(strict.missing(name, key, names).message)
  end

  function View.__newindex(_, key)
    place.raise(("%s.%s is read only"):format(name, tostring(key)))
  end

  function View.__tostring()
    return name
  end

  M.metatables[#M.metatables + 1] = View
  return function(values)
    return setmetatable({ values }, View)
  end, View
end

--- Metatables of all views, which the sandbox keeps from scripts.
---@type table[]
M.metatables = {}

return M
