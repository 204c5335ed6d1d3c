--- Pieces of bodies: what body hooks get, and what they make of it.

local engine = require "moongate.engine"
local ffi = require "ffi"

local M = {}

local api, vm, io, fail = engine.api, engine.vm, engine.io, engine.fail
local ffi_string, ffi_cast = ffi.string, ffi.cast
local BYTES = ffi.typeof("const char *")

--- Bytes of one call into the engine: none is long.
local PART = 256 * 1024

--- The piece that the engine has for the hooks, and whether it is the last one.
---@return string chunk
---@return boolean last
function M.take()
  return ffi_string(io.p, io.n), io.truth ~= 0
end

--- Hands over what a hook returned instead of the piece.
---@param text string
function M.put(text)
  local r = api.piece_begin(vm)
  local n = #text
  if r == 1 and n <= PART then
    r = api.piece_put(vm, text, n)
  elseif r == 1 then
    local from, at = ffi_cast(BYTES, text), 0
    while r == 1 and at < n do
      local part = n - at < PART and n - at or PART
      r = api.piece_put(vm, from + at, part)
      at = at + part
    end
  end
  if r ~= 1 then fail(r, "what the hook returned for this piece") end
end

return M
