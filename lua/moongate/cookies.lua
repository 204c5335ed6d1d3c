--- `req.cookies`: what the Cookie fields of a request say. Read only.

local engine = require "moongate.engine"
local ffi = require "ffi"
local pair_list = require "moongate.pair_list"
local place = require "moongate.declare.place"

local M = {}

local api, vm, io, fail, raise = engine.api, engine.vm, engine.io, engine.fail, place.raise

local ID, SERIAL = 1, 2

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

local Cookies
Cookies, M.new = pair_list.class("req.cookies", list_of)
M.Cookies = Cookies

local function refuse(_, name)
  raise(("req.cookies.%s is read only; set req.headers.cookie, or add a set-cookie to res.headers")
    :format(tostring(name)))
end

Cookies.add, Cookies.__newindex = refuse, refuse

return M
