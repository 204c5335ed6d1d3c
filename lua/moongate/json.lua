--- JSON for scripts and for the gateway itself (`gate.json`): Lua that the JIT compiles, so that
--- the watchdog reaches a script that decodes something huge. Nothing here waits; all of it is
--- legal at load. Arrays that were decoded, and those made with `array`, remember that they are
--- arrays; every other empty table encodes as `{}`. A JSON null is `json.null`.

local decoder = require "moongate.json.decode"
local encoder = require "moongate.json.encode"
local place = require "moongate.declare.place"

local M = {}

--- The metatable of arrays.
local ARRAY = { __name = "json array" }
M.Array = ARRAY

--- JSON null. True in conditions; compare with `== gate.json.null`.
---@type userdata
M.null = newproxy(true)
getmetatable(M.null).__tostring = function() return "null" end
local null = M.null

--- Marks a table as an array, so that it encodes as `[]` also when it is empty.
--- Example: `gate.json.encode { tags = gate.json.array {} }` is `{"tags":[]}`.
---@generic T: table
---@param t? T
---@return T t the same table
function M.array(t)
  if t == nil then t = {} end
  if type(t) ~= "table" then
    place.raise("gate.json.array takes a table, got " .. type(t))
  end
  local meta = getmetatable(t)
  if meta ~= nil and meta ~= ARRAY then
    place.raise("gate.json.array: the table has a metatable of its own")
  end
  return setmetatable(t, ARRAY)
end

--- Whether `array` or `decode` marked the table as an array.
---@param t any
---@return boolean
function M.is_array(t)
  return type(t) == "table" and getmetatable(t) == ARRAY
end

--- Misuse is raised at the user's line; kills and memory errors pass through as they are.
local function raise_at_caller(ok, result)
  if ok then return result end
  if type(result) == "string" and not result:find("^not enough memory") then
    place.raise("gate.json.encode: " .. result)
  end
  error(result, 0)
end

--- Encodes a value as compact JSON. Cycles, functions, NaN and infinities, lists with holes and
--- keys that are no strings raise at the caller's line. Bytes that are no UTF-8 become U+FFFD.
--- Example: `gate.json.encode { ok = true }` is `{"ok":true}`.
---@param value any
---@return string
function M.encode(value)
  return raise_at_caller(pcall(encoder.encode, value, ARRAY, null, false, false))
end

--- Encodes canonically: object keys sorted by their bytes, so that equal values give equal text.
--- With `raw` bytes that are no UTF-8 stay as they are, for the engine's own reader (core/config).
---@param value any
---@param raw? boolean
---@return string
function M.canonical(value, raw)
  return raise_at_caller(pcall(encoder.encode, value, ARRAY, null, true, raw or false))
end

--- Decodes JSON, strictly: no trailing bytes, comments, leading zeros, bare control characters or
--- bytes that are no UTF-8; at most 1,000 levels. Integers over 2^53 come as strings, null as
--- `gate.json.null`; of equal keys in an object the last one counts.
--- Example: `local t, err = gate.json.decode(body)`.
---@param text string
---@return any value nil on a fault
---@return { code: "json", message: string, line: integer }|nil err
function M.decode(text)
  if type(text) ~= "string" then
    place.raise("gate.json.decode takes a string, got " .. type(text))
  end
  return decoder.decode(text, ARRAY, null)
end

return M
