--- `req.headers` and `res.headers`: any-case access to the fields of a message, edits included.
--- An object is a handle of its exchange, of one type for each side; the fields live in the engine.

local engine = require "moongate.engine"
local ffi = require "ffi"
local handle = require "moongate.handle"
local place = require "moongate.declare.place"
local written = require "moongate.text"

local M = {}

local api, vm, io = engine.api, engine.vm, engine.io
local fail, raise = engine.fail, place.raise
local ffi_string, cast, istype, split = ffi.string, ffi.cast, ffi.istype, handle.split
local type, ipairs, tostring = type, ipairs, written.tostring

local function check_name(name)
  if type(name) ~= "string" then
    raise(("a header name is a string, not a %s"):format(type(name)))
  end
end

--- The value as a field holds it. Numbers are written as Lua prints them.
---@param name string
---@param value any
---@return string
local function value_text(name, value)
  if type(value) == "string" then return value end
  if type(value) == "number" then return tostring(value) end
  raise(("header '%s': a string was expected, not a %s"):format(name, type(value)))
end

--- Numbers of names that scripts use, so that the engine need not find them again; so many at most:
--- names may come from clients.
---@type table<string, integer>
local fields = {}
local FIELDS_MAX = 256
local n_fields = 0

---@param name string
---@return integer
local function learn(name)
  local field = api.header_field(name, #name)
  if field >= 0 and n_fields < FIELDS_MAX then
    n_fields = n_fields + 1
    fields[name] = field
  end
  return field
end

local function refuse(code, name)
  fail(code, "header '" .. name .. "'")
end

local function get(h, side, name)
  local id, serial = split(h)
  local r = api.header_get(vm, id, serial, side, fields[name] or learn(name), name, #name)
  if r == 1 then return ffi_string(io.p, io.n) end
  if r < 0 then fail(r) end
  return nil
end

local function add(h, side, name, value)
  local text = value_text(name, value)
  local id, serial = split(h)
  local r = api.header_add(vm, id, serial, side, name, #name, text, #text)
  if r ~= 1 then refuse(r, name) end
end

local function remove(h, side, name)
  local id, serial = split(h)
  local r = api.header_remove(vm, id, serial, side, name, #name)
  if r ~= 1 then refuse(r, name) end
end

local function set(h, side, name, value)
  local text = value_text(name, value)
  local id, serial = split(h)
  local r = api.header_set(vm, id, serial, side, fields[name] or learn(name), name, #name, text,
    #text)
  if r ~= 1 then refuse(r, name) end
end

local function set_list(h, side, name, list)
  if written.is_ragged(list) then
    raise(("header '%s': a string or a list of them was expected"):format(name))
  end
  for _, value in ipairs(list) do value_text(name, value) end
  remove(h, side, name)
  for _, value in ipairs(list) do add(h, side, name, value) end
end

--- All values of a name, in wire order.
local function all(h, side, name)
  local id, serial = split(h)
  local list, n = {}, 0
  io.cursor_i, io.cursor_edits = 0, 0
  local r = api.header_next(vm, id, serial, side, name, #name)
  while r == 1 do
    n = n + 1
    list[n] = ffi_string(io.p2, io.n2)
    r = api.header_next(vm, id, serial, side, name, #name)
  end
  if r < 0 then fail(r) end
  return list
end

local function has(h, side, name)
  local id, serial = split(h)
  local r = api.header_get(vm, id, serial, side, fields[name] or learn(name), name, #name)
  if r < 0 then fail(r) end
  return r == 1
end

--- Walks all fields in wire order.
local function each(h, side)
  local id, serial = split(h)
  local i, edits = 0, 0
  return function()
    io.cursor_i, io.cursor_edits = i, edits
    local r = api.header_next(vm, id, serial, side, "", 0)
    if r < 0 then fail(r) end
    if r == 0 then return nil end
    i, edits = io.cursor_i, io.cursor_edits
    return ffi_string(io.p, io.n), ffi_string(io.p2, io.n2)
  end
end

--- The methods of one side; `is_own` tells its objects from anything else.
local function methods_of(side, is_own)
  --- Refuses a method that was called with a dot, and a name that is none.
  local function check(h, method, name)
    if not is_own(h) then
      raise(("headers:%s is called with a colon, not with a dot"):format(method))
    end
    check_name(name)
  end

  local methods = {}

  --- All values of a name, in wire order; an empty list when there is none.
  ---@param name string
  ---@return string[]
  function methods.all(self, name)
    check(self, "all", name)
    return all(self, side, name)
  end

  --- Adds one field behind those that are there.
  ---@param name string
  ---@param value string|number
  function methods.add(self, name, value)
    check(self, "add", name)
    add(self, side, name, value)
  end

  --- Whether there is a field of that name.
  ---@param name string
  ---@return boolean
  function methods.has(self, name)
    check(self, "has", name)
    return has(self, side, name)
  end

  --- The first value of any name, also of one that is a method here.
  ---@param name string
  ---@return string|nil
  function methods.get(self, name)
    check(self, "get", name)
    return get(self, side, name)
  end

  --- Walks all fields in wire order: `for name, value in req.headers:each() do`.
  ---@return fun(): string|nil, string|nil
  function methods.each(self)
    check(self, "each", "")
    return each(self, side)
  end

  return methods
end

--- Makes the type of the objects of one side.
---@param side integer 0 request, 1 response
---@param called string what scripts call an object
---@return fun(object: any): any makes one of any object of the exchange
local function define(side, called)
  local Headers, Type = {}, nil
  local methods = methods_of(side, function(h) return istype(Type, h) end)

  -- Compared one by one: with a name that is written in the script this costs compiled code
  -- nothing.
  function Headers.__index(h, name)
    if name == "get" or name == "all" or name == "add" or name == "has" or name == "each" then
      return methods[name]
    end
    if type(name) ~= "string" then check_name(name) end
    return get(h, side, name)
  end

  function Headers.__newindex(h, name, value)
    if type(name) ~= "string" then check_name(name) end
    if value == nil then return remove(h, side, name) end
    if type(value) == "table" then return set_list(h, side, name, value) end
    set(h, side, name, value)
  end

  function Headers.__call()
    raise(("%s is a field, not a function: %s[\"name\"]"):format(called, called))
  end

  --- What pairs and # would do, each does.
  function Headers.__pairs()
    raise(("%s is walked by 'for name, value in %s:each() do'"):format(called, called))
  end

  Headers.__len = Headers.__pairs

  function Headers.__tostring()
    return called
  end

  Type = handle.type("headers", Headers)
  local made = Type
  return function(object)
    return cast(made, object)
  end
end

--- The header fields of the request of an object's exchange.
M.of_request = define(0, "req.headers")

--- Those of its answer.
M.of_response = define(1, "res.headers")

return M
