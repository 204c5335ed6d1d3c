--- `gate.env`: environment variables, which count as secrets: never printed by the gateway itself.

local place = require "moongate.declare.place"

local M = {}

--- Makes `gate.env`. Each variable is read once; later changes are not seen.
---@param getenv fun(name: string): string|nil
---@return fun(name: string, default?: any): any
function M.new(getenv)
  local known = {}
  return function(name, ...)
    if type(name) ~= "string" then
      place.misuse("gate.env", "the name of a variable", name)
    end
    if known[name] == nil then known[name] = getenv(name) or false end
    if known[name] then return known[name] end
    if select("#", ...) == 0 then
      place.raise(("the environment variable %s is not set, and there is no default"):format(name))
    end
    return (...)
  end
end

return M
