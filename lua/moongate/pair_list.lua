--- What `req.args` and `req.cookies` have in common: each is a handle of its exchange and stands
--- for a list of { name, value }, read by name.

local ffi = require "ffi"
local handle = require "moongate.handle"
local place = require "moongate.declare.place"

local M = {}

local cast, istype, raise = ffi.cast, ffi.istype, place.raise
local type = type

--- What the methods of one class share: refusing a call with a dot and a name that is none, and the
--- look-up.
---@param called string what scripts call an object of the class
---@param Class table
---@param first_of fun(self: any): table<string, string>
---@return fun(self: any, method: string, name: any) check
---@return fun(self: any, name: any): string|nil get
local function basics(called, Class, first_of)
  local function check(self, method, name)
    if not istype(Class.type, self) then
      raise(("%s:%s is called with a colon, not with a dot"):format(called, method))
    end
    if type(name) ~= "string" then
      raise(("%s:%s needs a name, not a %s"):format(called, method, type(name)))
    end
  end

  local function get(self, name)
    if type(name) ~= "string" then
      raise(("%s has names, no values of a %s"):format(called, type(name)))
    end
    return first_of(self)[name]
  end

  return check, get
end

--- The methods of one class.
---@param Class table
---@param list_of fun(self: any): table[]
---@param check fun(self: any, method: string, name: any)
---@param get fun(self: any, name: any): string|nil
---@return table<string, function>
local function methods_of(Class, list_of, check, get)
  local methods = {}

  --- The first value of any name, also of one that is a method here.
  ---@param name string
  ---@return string|nil
  function methods.get(self, name)
    check(self, "get", name)
    return get(self, name)
  end

  --- All values of a name; an empty list when there is none.
  ---@param name string
  ---@return string[]
  function methods.all(self, name)
    check(self, "all", name)
    local values = {}
    for _, pair in ipairs(list_of(self)) do
      if pair[1] == name then values[#values + 1] = pair[2] end
    end
    return values
  end

  --- Whether there is one of that name.
  ---@param name string
  ---@return boolean
  function methods.has(self, name)
    check(self, "has", name)
    return get(self, name) ~= nil
  end

  --- Walks all in order: `for name, value in req.args:each() do`.
  ---@return fun(): string|nil, string|nil
  function methods.each(self)
    check(self, "each", "")
    local list, i = list_of(self), 0
    return function()
      i = i + 1
      local pair = list[i]
      if pair then return pair[1], pair[2] end
    end
  end

  --- Adds one behind those that are there.
  ---@param name string
  ---@param value string|number|boolean
  function methods.add(self, name, value)
    check(self, "add", name)
    Class.add(self, name, value)
  end

  return methods
end

--- The first value of each name.
---@param list table[] of { name, value }
---@return table<string, string>
function M.first(list)
  local first = {}
  for i = #list, 1, -1 do first[list[i][1]] = list[i][2] end
  return first
end

--- Makes a class: its metatable, to which the caller adds `add(self, name, value)` and
--- `__newindex` before it defines the type. The methods win over a pair of their name.
---@param called string what scripts call an object: "req.args"
---@param list_of fun(self: any): table[] the present list of { name, value }
---@param first_of fun(self: any): table<string, string> M.first of that
---@return table Class
function M.class(called, list_of, first_of)
  local Class = {}
  local check, get = basics(called, Class, first_of)
  local methods = methods_of(Class, list_of, check, get)

  function Class.__index(self, name)
    local method = methods[name]
    if method then return method end
    return get(self, name)
  end

  function Class.__call()
    raise(("%s is a field, not a function: %s.name"):format(called, called))
  end

  --- What pairs and # would do, each does.
  function Class.__pairs()
    raise(("%s is walked by 'for name, value in %s:each() do'"):format(called, called))
  end

  Class.__len = Class.__pairs

  function Class.__tostring()
    return called
  end

  return Class
end

--- Makes the type of the objects of a class.
---@param name string
---@param Class table
---@return fun(object: any): any makes one of any object of the exchange
function M.define(name, Class)
  local Type = handle.type(name, Class)
  Class.type = Type
  return function(object)
    return cast(Type, object)
  end
end

return M
