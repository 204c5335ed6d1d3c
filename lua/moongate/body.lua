--- Bodies that a script reads whole or sets: `req:read_body`, `res:set_body`.

local engine = require "moongate.engine"
local errors = require "moongate.errors"
local ffi = require "ffi"
local place = require "moongate.declare.place"
local task = require "moongate.task"
local units = require "moongate.units"

local M = {}

local api, vm, io, fail, raise = engine.api, engine.vm, engine.io, engine.fail, place.raise

---@param max any
---@return number bytes
local function limit_of(max)
  if type(max) == "number" and max >= 0 then return max end
  local bytes = type(max) == "string" and units.bytes(max)
  if not bytes then
    raise("read_body needs the most bytes it may read, such as 65536 or \"64k\"")
  end
  return bytes
end

--- Reads the whole body of one side; waits for it.
---@param id integer
---@param serial integer
---@param side integer 0 request, 1 response
---@param max integer|string
---@return string|nil
---@return moongate.Error|nil
function M.read(id, serial, side, max)
  local r = api.read_body(vm, id, serial, side, limit_of(max))
  if r == 0 then
    task.wait()
  elseif r < 0 then
    fail(r)
  end
  local code = api.wait_result(vm)
  if code ~= 0 then return nil, errors.of_code(code) end
  r = api.body(vm, id, serial, side)
  if r < 0 then fail(r) end
  return ffi.string(io.p, io.n)
end

--- Replaces the body of one side.
---@param id integer
---@param serial integer
---@param side integer
---@param bytes string
function M.set(id, serial, side, bytes)
  if type(bytes) == "number" then bytes = tostring(bytes) end
  if type(bytes) ~= "string" then
    raise(("a body is a string, not a %s"):format(type(bytes)))
  end
  local r = api.set_body(vm, id, serial, side, bytes, #bytes)
  if r ~= 1 then fail(r) end
end

return M
