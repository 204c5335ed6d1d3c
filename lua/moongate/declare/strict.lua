--- Tables whose misspelt fields raise with the nearest right name.

local mistake = require "moongate.declare.mistake"
local nearest = require "moongate.nearest"
local place = require "moongate.declare.place"

local M = {}

--- What is wrong with a missing field: the parts of a mistake.
---@param name string what the table is called in scripts: "gate.on"
---@param key any
---@param names table<any, any> list or set of the right names
---@param later? table<string, any> names of the language that this build does not have
---@return { message: string, name: string, expected: string, nearest: string|nil }
function M.missing(name, key, names, later)
  if later and later[key] then
    return {
      name = tostring(key), expected = "a field of this build",
      message = ("%s.%s is right, but this build of Moongate does not have it yet"):format(name, key),
    }
  end
  local near = nearest.find(key, names)
  return {
    name = tostring(key), expected = "a field of " .. name, nearest = near,
    message = ("%s has no '%s'%s"):format(name, tostring(key), mistake.hint(near)),
  }
end

--- Makes a table strict: reading a field that it does not have, and setting a new one, raises at the
--- user's line.
---@param t table
---@param name string what it is called in scripts
---@param options? { later?: table<string, any>, raise?: fun(parts: table), call?: function }
---@return table t
function M.table(t, name, options)
  options = options or {}
  local raise = options.raise or function(parts) place.raise(parts.message) end
  return setmetatable(t, {
    __index = function(_, key) raise(M.missing(name, key, t, options.later)) end,
    __newindex = function(_, key)
      raise {
        name = tostring(key), expected = "no assignment",
        message = ("%s cannot be changed (field '%s')"):format(name, tostring(key)),
      }
    end,
    __call = options.call,
  })
end

return M
