--- `req.cookies`: what the Cookie fields of a request say. Read only.

local engine = require "moongate.engine"
local ffi = require "ffi"
local place = require "moongate.declare.place"

local M = {}

local api, vm, io, fail, raise = engine.api, engine.vm, engine.io, engine.fail, place.raise
local metatable_of = debug.getmetatable

local ID, SERIAL = 1, 2

local Cookies = {}

---@param id integer
---@param serial integer
---@return table
function M.new(id, serial)
  return setmetatable({ id, serial }, Cookies)
end

--- The pairs of one Cookie field, in order. A value in quotes loses them.
---@param field string
---@param list? table[] to add to
---@return table[] list of { name, value }
function M.parse(field, list)
  list = list or {}
  for pair in field:gmatch("[^;]+") do
    local name, value = pair:match("^%s*([^=]-)%s*=%s*(.-)%s*$")
    if name and name ~= "" then
      list[#list + 1] = { name, value:match('^"(.*)"$') or value }
    end
  end
  return list
end

local function list_of(self)
  local list = {}
  io.cursor_i, io.cursor_edits = 0, 0
  local r = api.header_next(vm, self[ID], self[SERIAL], 0, "cookie", 6)
  while r == 1 do
    M.parse(ffi.string(io.p2, io.n2), list)
    r = api.header_next(vm, self[ID], self[SERIAL], 0, "cookie", 6)
  end
  if r < 0 then fail(r) end
  return list
end

local function get(self, name)
  for _, pair in ipairs(list_of(self)) do
    if pair[1] == name then return pair[2] end
  end
end

local function check(self, method)
  if type(self) ~= "table" or metatable_of(self) ~= Cookies then
    raise(("req.cookies:%s is called with a colon, not with a dot"):format(method))
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

--- Whether there is a cookie of that name.
---@param name string
---@return boolean
function methods.has(self, name)
  check(self, "has")
  return get(self, name) ~= nil
end

--- Walks all cookies in order: `for name, value in req.cookies:each() do`.
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

function Cookies.__index(self, name)
  local method = methods[name]
  if method then return method end
  return get(self, name)
end

function Cookies.__newindex(_, name)
  raise(("req.cookies.%s is read only; set req.headers.cookie, or add a set-cookie to res.headers")
    :format(tostring(name)))
end

function Cookies.__call()
  raise "req.cookies is a field, not a function: req.cookies.name"
end

function Cookies.__tostring()
  return "req.cookies"
end

M.Cookies = Cookies

return M
