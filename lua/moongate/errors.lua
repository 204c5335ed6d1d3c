--- Errors as values: what functions that may fail for outside reasons answer behind nil.

local ffi = require "ffi"

local M = {}

---@class moongate.Error
---@field code string "timeout", "closed", …
---@field message string
local Error = {}

function Error:__tostring()
  return self.message
end

function Error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

M.Error = Error

---@param code string
---@param message string
---@return moongate.Error
function M.new(code, message)
  return setmetatable({ code = code, message = message }, Error)
end

--- Code and message by the engine's code (core/base/err.h).
local WHY

local function reasons()
  local C = ffi.C
  return {
    [tonumber(C.GATE_WAIT_TIMEOUT)] = { "timeout", "it took too long" },
    [tonumber(C.GATE_WAIT_EXITING)] = { "exiting", "a newer generation serves" },
    [tonumber(C.GATE_WAIT_LIMIT)] = { "too_large", "the body is larger than the limit given" },
  }
end

local CLOSED = { "closed", "the connection ended before all of it came" }

--- The error of an engine code. Always a new one: scripts may change what they get.
---@param code integer
---@return moongate.Error
function M.of_code(code)
  WHY = WHY or reasons()
  local why = WHY[tonumber(code)] or CLOSED
  return M.new(why[1], why[2])
end

return M
