--- Errors as values: what functions that may fail for outside reasons answer behind nil.

local ffi = require "ffi"

local M = {}

---@class moongate.Error
---@field code string "timeout", "closed", …
---@field message string
local Error = {}
Error.__index = Error

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

--- Codes of the engine (core/base/err.h) as scripts know them.
local CODES

local function codes()
  local C = ffi.C
  return {
    [tonumber(C.GATE_WAIT_TIMEOUT)] = M.new("timeout", "it took too long"),
    [tonumber(C.GATE_WAIT_EXITING)] = M.new("exiting", "a newer generation serves"),
    [tonumber(C.GATE_WAIT_LIMIT)] = M.new("too_large", "the body is larger than the limit given"),
  }
end

--- The error of an engine code.
---@param code integer
---@return moongate.Error
function M.of_code(code)
  CODES = CODES or codes()
  return CODES[tonumber(code)] or M.new("closed", "the connection ended before all of it came")
end

return M
