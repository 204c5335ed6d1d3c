--- `req.args`: the arguments of the query, decoded. Edits are written back into `req.query` at
--- once.

local engine = require "moongate.engine"
local ffi = require "ffi"
local form = require "moongate.form"
local handle = require "moongate.handle"
local pair_list = require "moongate.pair_list"
local place = require "moongate.declare.place"
local written = require "moongate.text"

local M = {}

local api, vm, io = engine.api, engine.vm, engine.io
local fail, raise, split = engine.fail, place.raise, handle.split

local TEXT_QUERY = tonumber(ffi.C.GATE_TEXT_QUERY)

--- The query that was parsed last: a script mostly asks for several arguments of one. Each
--- part is set by one assignment, so that a script that is stopped leaves nothing half done.
local last = { query = false, list = false, first = false }

--- What was made of the present query.
---@return { query: string, list: table[]|false, first: table<string, string>|false }
local function parsed_of(self)
  local id, serial = split(self)
  local r = api.text(vm, id, serial, TEXT_QUERY)
  if r ~= 1 then fail(r) end
  local query = ffi.string(io.p, io.n)
  local parsed = last
  if query ~= parsed.query then
    parsed = { query = query, list = false, first = false }
    last = parsed
  end
  return parsed
end

local function list_of(self)
  local parsed = parsed_of(self)
  if not parsed.list then parsed.list = form.parse(parsed.query) end
  return parsed.list
end

local function first_of(self)
  local parsed = parsed_of(self)
  if not parsed.first then parsed.first = form.first(parsed.query) end
  return parsed.first
end

local function write(self, list)
  local query = form.write(list)
  local id, serial = split(self)
  local r = api.text_set(vm, id, serial, TEXT_QUERY, query, #query)
  if r ~= 1 then fail(r, "req.args") end
end

local function check_name(name)
  if type(name) ~= "string" then
    raise(("the name of an argument is a string, not a %s"):format(type(name)))
  end
end

--- The value of an argument as text.
---@param name any
---@param value any
---@return string
function M.text(name, value)
  check_name(name)
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

local Args = pair_list.class("req.args", list_of, first_of)

--- Adds an argument behind those that are there.
function Args.add(self, name, value)
  local list = { unpack(list_of(self)) }
  list[#list + 1] = { name, M.text(name, value) }
  write(self, list)
end

function Args.__newindex(self, name, value)
  check_name(name)
  if written.is_ragged(value) then
    raise(("argument '%s': a string or a list of them was expected"):format(name))
  end
  local values = {}
  if value ~= nil then
    for i, one in ipairs(type(value) == "table" and value or { value }) do
      values[i] = M.text(name, one)
    end
  end
  write(self, M.replaced(list_of(self), name, values))
end

--- The arguments of the request of an object's exchange.
M.of = pair_list.define("args", Args)

return M
