--- The engine as the runtime half sees it: the table of C functions, the block through which
--- results come back, and how a refusal becomes an error at the user's line. Bound once a VM,
--- before all others.

local ffi = require "ffi"
local place = require "moongate.declare.place"

local M = {}

---@class moongate.Engine
---@field vm any the handle that every function takes first
---@field api table<string, function> struct gate_api (core/script/ffi_api.h)
---@field io table struct gate_io: where results are left

--- Binds to the engine of this VM.
---@param host { vm: any, api: any, io: any } addresses
function M.bind(host)
  ffi.cdef(require "moongate.ffi_cdef")
  M.vm = ffi.cast("struct gate_vm *", host.vm)
  M.api = ffi.cast("const struct gate_api *", host.api)
  M.io = ffi.cast("struct gate_io *", host.io)
end

local WHY = {
  [-1] = "the request is over",
  [-3] = "too many or too large changes to one request",
  [-4] = "this waits, which is not possible while the gateway file loads",
  [-5] = "it is too late: the head was sent to the client",
}

--- Raises what a refusal of a C function means, at the user's line.
---@param code integer
---@param what? string what was refused: "header 'a b'"
function M.fail(code, what)
  local message = WHY[code] or ffi.string(M.io.p, M.io.n)
  if what then message = what .. ": " .. message end
  place.raise(message)
end

return M
