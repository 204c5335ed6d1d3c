--- Handles: what objects of scripts hold of an exchange, its id and serial in one word. An object
--- is a pointer to nothing whose address is that word: compiled code keeps it in a register and
--- looks up no metatable, one that nobody keeps never comes into being, and a script can read or
--- forge nothing in it.

local ffi = require "ffi"

local M = {}

local cast, typeof = ffi.cast, ffi.typeof
local rshift, tonumber, tostring = bit.rshift, tonumber, tostring
local int32, word = typeof "int32_t", typeof "uint64_t"

--- Makes a type of objects, for ffi.cast. Its name is new in the state because the metatable is: a
--- type gets one only once.
---@param name string what messages call it
---@param metatable table
---@return any
function M.type(name, metatable)
  local tag = ("struct %s_%s"):format(name, tostring(metatable):match "%x+$")
  ffi.cdef(tag .. ";")
  ffi.metatype(tag, metatable)
  return typeof(tag .. " *")
end

--- The word of an object.
---@param object any
---@return any uint64_t
function M.word(object)
  return cast(word, object)
end

--- What the engine's functions take.
---@param object any
---@return integer id
---@return integer serial
function M.split(object)
  local both = cast(word, object)
  return tonumber(cast(int32, both)), tonumber(cast(int32, rshift(both, 32)))
end

return M
