--- `gate.time` and `gate.clock`: wall-clock and monotonic seconds. Legal at load and later.

local engine = require "moongate.engine"
local place = require "moongate.declare.place"

local M = {}

local api, vm = engine.api, engine.vm

--- Seconds since 1970, with fractions.
---@return number
function M.time(extra)
  if extra ~= nil then place.misuse("gate.time", "no argument", extra) end
  return api.time(vm)
end

--- Seconds on a clock that only goes forward; for measuring.
---@return number
function M.clock(extra)
  if extra ~= nil then place.misuse("gate.clock", "no argument", extra) end
  return api.clock(vm)
end

return M
