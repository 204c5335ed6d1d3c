--- `gate.sleep`: waits without keeping anybody else waiting.

local engine = require "moongate.engine"
local place = require "moongate.declare.place"
local task = require "moongate.task"
local units = require "moongate.units"

local M = {}

local api, vm = engine.api, engine.vm
local type = type

--- Waits; 0 lets others run first. Legal in every hook, not at load.
--- Example: `gate.sleep(0.05)`, `gate.sleep("50ms")`.
---@param seconds number|string
function M.sleep(seconds)
  local time = type(seconds) == "string" and units.seconds(seconds) or seconds
  if type(time) ~= "number" then
    place.misuse("gate.sleep", 'seconds, or a text such as "50ms"', seconds)
  end
  local r = api.sleep(vm, time)
  if r < 0 then engine.fail(r, "gate.sleep") end
  task.wait()
end

return M
