--- `fault`: why the gateway must answer by itself, as `fault` hooks see it.

local engine = require "moongate.engine"
local ffi = require "ffi"
local view = require "moongate.view"

local M = {}

local api, vm, io, fail = engine.api, engine.vm, engine.io, engine.fail
local C = ffi.C

local make = view.maker("fault", { "status", "code", "message" })

local function text(id, serial, field)
  local r = api.text(vm, id, serial, field)
  if r < 0 then fail(r) end
  return ffi.string(io.p, io.n)
end

--- The fault of an exchange.
---@param id integer
---@param serial integer
---@return { status: integer, code: string, message: string }
function M.of(id, serial)
  local r = api.number(vm, id, serial, C.GATE_NUMBER_FAULT_STATUS)
  if r < 0 then fail(r) end
  return make {
    status = io.number,
    code = text(id, serial, C.GATE_TEXT_FAULT_CODE),
    message = text(id, serial, C.GATE_TEXT_FAULT_MESSAGE),
  }
end

return M
