--- `req.trailers` and `res.trailers`: the fields behind a body, by lower-case name; empty until
--- they came.

local engine = require "moongate.engine"
local ffi = require "ffi"

local M = {}

local api, vm, io, fail = engine.api, engine.vm, engine.io, engine.fail

---@param id integer
---@param serial integer
---@param side integer 0 request, 1 response
---@return table<string, string> first value of each name
function M.read(id, serial, side)
  local list = {}
  io.cursor_i = 0
  local r = api.trailer_next(vm, id, serial, side)
  while r == 1 do
    local name = ffi.string(io.p, io.n):lower()
    list[name] = list[name] or ffi.string(io.p2, io.n2)
    r = api.trailer_next(vm, id, serial, side)
  end
  if r < 0 then fail(r) end
  return list
end

return M
