--- `req.headers` and `res.headers`: any-case access to the fields of a message, edits included.
--- An object holds id and serial of its exchange and the side; the fields live in the engine.

local engine = require "moongate.engine"
local ffi = require "ffi"
local place = require "moongate.declare.place"

local M = {}

local api, vm, io = engine.api, engine.vm, engine.io
local fail, raise = engine.fail, place.raise
local ffi_string, metatable_of = ffi.string, debug.getmetatable
local type, ipairs, tostring, setmetatable = type, ipairs, tostring, setmetatable

--- Places in the object.
local ID, SERIAL, SIDE = 1, 2, 3

local Headers = {}

--- What scripts call an object, by side.
local CALLED = { [0] = "req.headers", "res.headers" }

---@param id integer
---@param serial integer
---@param side integer 0 request, 1 response
---@return table
function M.new(id, serial, side)
  return setmetatable({ id, serial, side }, Headers)
end

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

local function refuse(code, name)
  fail(code, "header '" .. name .. "'")
end

local function get(h, name)
  local r = api.header_get(vm, h[ID], h[SERIAL], h[SIDE], name, #name)
  if r == 1 then return ffi_string(io.p, io.n) end
  if r < 0 then fail(r) end
  return nil
end

local function add(h, name, value)
  local text = value_text(name, value)
  local r = api.header_add(vm, h[ID], h[SERIAL], h[SIDE], name, #name, text, #text)
  if r ~= 1 then refuse(r, name) end
end

local function remove(h, name)
  local r = api.header_remove(vm, h[ID], h[SERIAL], h[SIDE], name, #name)
  if r ~= 1 then refuse(r, name) end
end

local function set(h, name, value)
  local text = value_text(name, value)
  local r = api.header_set(vm, h[ID], h[SERIAL], h[SIDE], name, #name, text, #text)
  if r ~= 1 then refuse(r, name) end
end

local function set_list(h, name, list)
  remove(h, name)
  for _, value in ipairs(list) do add(h, name, value) end
end

--- Refuses a method that was called with a dot, and a name that is none.
local function check(h, method, name)
  if type(h) ~= "table" or metatable_of(h) ~= Headers then
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
  local list, n = {}, 0
  io.cursor_i, io.cursor_edits = 0, 0
  local r = api.header_next(vm, self[ID], self[SERIAL], self[SIDE], name, #name)
  while r == 1 do
    n = n + 1
    list[n] = ffi_string(io.p2, io.n2)
    r = api.header_next(vm, self[ID], self[SERIAL], self[SIDE], name, #name)
  end
  if r < 0 then fail(r) end
  return list
end

--- Adds one field behind those that are there.
---@param name string
---@param value string|number
function methods.add(self, name, value)
  check(self, "add", name)
  add(self, name, value)
end

--- Whether there is a field of that name.
---@param name string
---@return boolean
function methods.has(self, name)
  check(self, "has", name)
  local r = api.header_get(vm, self[ID], self[SERIAL], self[SIDE], name, #name)
  if r < 0 then fail(r) end
  return r == 1
end

--- The first value of any name, also of one that is a method here.
---@param name string
---@return string|nil
function methods.get(self, name)
  check(self, "get", name)
  return get(self, name)
end

--- Walks all fields in wire order: `for name, value in req.headers:each() do`.
---@return fun(): string|nil, string|nil
function methods.each(self)
  check(self, "each", "")
  local i, edits = 0, 0
  return function()
    io.cursor_i, io.cursor_edits = i, edits
    local r = api.header_next(vm, self[ID], self[SERIAL], self[SIDE], "", 0)
    if r < 0 then fail(r) end
    if r == 0 then return nil end
    i, edits = io.cursor_i, io.cursor_edits
    return ffi_string(io.p, io.n), ffi_string(io.p2, io.n2)
  end
end

-- Compared one by one: with a name that is written in the script this costs compiled code nothing.
function Headers.__index(h, name)
  if name == "get" or name == "all" or name == "add" or name == "has" or name == "each" then
    return methods[name]
  end
  if type(name) ~= "string" then check_name(name) end
  return get(h, name)
end

function Headers.__newindex(h, name, value)
  if type(name) ~= "string" then check_name(name) end
  if value == nil then return remove(h, name) end
  if type(value) == "table" then return set_list(h, name, value) end
  set(h, name, value)
end

function Headers.__call(h)
  local called = CALLED[h[SIDE]]
  raise(("%s is a field, not a function: %s[\"name\"]"):format(called, called))
end

function Headers.__tostring(h)
  return CALLED[h[SIDE]]
end

M.Headers = Headers

return M
