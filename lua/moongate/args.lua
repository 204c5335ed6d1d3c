--- `req.args`: the arguments of the query, decoded. Edits are written back into `req.query` at
--- once.

local engine = require "moongate.engine"
local ffi = require "ffi"
local form = require "moongate.form"
local place = require "moongate.declare.place"

local M = {}

local api, vm, io = engine.api, engine.vm, engine.io
local fail, raise = engine.fail, place.raise
local metatable_of = debug.getmetatable

local ID, SERIAL = 1, 2
local TEXT_QUERY = tonumber(ffi.C.GATE_TEXT_QUERY)

local Args = {}

---@param id integer
---@param serial integer
---@return table
function M.new(id, serial)
  return setmetatable({ id, serial }, Args)
end

--- The query that was parsed last: a script mostly asks for several arguments of one. One
--- assignment changes it, so that a script that is stopped amid it leaves nothing half done.
local last = { query = false, list = {} }

--- The pairs of the present query.
---@return table[] list of { name, value }
local function list_of(self)
  local r = api.text(vm, self[ID], self[SERIAL], TEXT_QUERY)
  if r ~= 1 then fail(r) end
  local query = ffi.string(io.p, io.n)
  local parsed = last
  if query ~= parsed.query then
    parsed = { query = query, list = form.parse(query) }
    last = parsed
  end
  return parsed.list
end

local function write(self, list)
  local query = form.write(list)
  local r = api.text_set(vm, self[ID], self[SERIAL], TEXT_QUERY, query, #query)
  if r ~= 1 then fail(r, "req.args") end
end

local function get(self, name)
  for _, pair in ipairs(list_of(self)) do
    if pair[1] == name then return pair[2] end
  end
end

local function check(self, method)
  if type(self) ~= "table" or metatable_of(self) ~= Args then
    raise(("req.args:%s is called with a colon, not with a dot"):format(method))
  end
end

local methods = {}

--- The first value of any name, also of one that is a method here.
---@param name string
---@return string|nil
function methods.get(self, name)
  check(self, "get")
  return get(self, name)
end

--- All values of a name.
---@param name string
---@return string[]
function methods.all(self, name)
  check(self, "all")
  local values = {}
  for _, pair in ipairs(list_of(self)) do
    if pair[1] == name then values[#values + 1] = pair[2] end
  end
  return values
end

--- Whether there is an argument of that name.
---@param name string
---@return boolean
function methods.has(self, name)
  check(self, "has")
  return get(self, name) ~= nil
end

--- Walks all arguments in order: `for name, value in req.args:each() do`.
---@return fun(): string|nil, string|nil
function methods.each(self)
  check(self, "each")
  local list, i = list_of(self), 0
  return function()
    i = i + 1
    local pair = list[i]
    if pair then return pair[1], pair[2] end
  end
end

--- Adds an argument behind those that are there.
---@param name string
---@param value string|number|boolean
function methods.add(self, name, value)
  check(self, "add")
  local list = { unpack(list_of(self)) }
  list[#list + 1] = { name, M.text(name, value) }
  write(self, list)
end

--- The value of an argument as text.
---@param name any
---@param value any
---@return string
function M.text(name, value)
  if type(name) ~= "string" then
    raise(("the name of an argument is a string, not a %s"):format(type(name)))
  end
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" or kind == "boolean" then return tostring(value) end
  raise(("argument '%s': a string was expected, not a %s"):format(name, kind))
end

--- The list with all pairs of a name replaced by new values, at the place of the first.
---@param list table[]
---@param name string
---@param values string[]
---@return table[]
function M.replaced(list, name, values)
  local out, done = {}, false
  local function put()
    for _, value in ipairs(values) do out[#out + 1] = { name, value } end
    done = true
  end
  for _, pair in ipairs(list) do
    if pair[1] ~= name then
      out[#out + 1] = pair
    elseif not done then
      put()
    end
  end
  if not done then put() end
  return out
end

function Args.__index(self, name)
  local method = methods[name]
  if method then return method end
  return get(self, name)
end

function Args.__newindex(self, name, value)
  local values = {}
  if value ~= nil then
    for i, one in ipairs(type(value) == "table" and value or { value }) do
      values[i] = M.text(name, one)
    end
  end
  write(self, M.replaced(list_of(self), name, values))
end

function Args.__call()
  raise "req.args is a field, not a function: req.args.name"
end

function Args.__tostring()
  return "req.args"
end

M.Args = Args

return M
