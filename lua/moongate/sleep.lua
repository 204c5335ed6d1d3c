--- `gate.sleep`: waits without keeping anybody else waiting.

local engine = require "moongate.engine"
local errors = require "moongate.errors"
local ffi = require "ffi"
local place = require "moongate.declare.place"
local task = require "moongate.task"
local units = require "moongate.units"

local M = {}

local api, vm, C = engine.api, engine.vm, ffi.C
local type = type

--- Waits; 0 lets others run first. Legal in every hook, not at load.
--- Example: `gate.sleep(0.05)`, `gate.sleep("50ms")`.
---@param seconds number|string
---@return true|nil
---@return moongate.Error|nil err `exiting`: a newer generation has served for longer than `drain`
function M.sleep(seconds)
  local time = type(seconds) == "string" and units.seconds(seconds) or seconds
  if type(time) == "string" then
    place.raise(("gate.sleep: '%s' is no time; 0.05 is one, or \"50ms\""):format(time))
  end
  if type(time) ~= "number" then
    place.misuse("gate.sleep", 'seconds, or a text such as "50ms"', seconds)
  end
  local r = api.sleep(vm, time)
  if r < 0 then engine.fail(r, "gate.sleep") end
  task.wait()
  if api.wait_result(vm) ~= C.GATE_WAIT_EXITING then return true end
  return nil, errors.of_code(C.GATE_WAIT_EXITING)
end

return M
