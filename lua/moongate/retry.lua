--- `gate.retry`: another try as a value, which a response hook returns.

local engine = require "moongate.engine"
local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"
local upstream = require "moongate.declare.upstream"

local M = {}

local api, vm = engine.api, engine.vm
local raise = place.raise

---@class moongate.Retry
---@field ordinal integer of the upstream; -1: the same
local Retry = {}

--- The metatable of such values: tells one from any other table.
M.Retry = Retry

function Retry.__index(_, key)
  raise(("a retry has no field '%s'; it is made by gate.retry and only returned")
    :format(tostring(key)))
end

function Retry.__newindex()
  raise("a retry cannot be changed; make another with gate.retry")
end

function Retry.__tostring()
  return "a retry"
end

local OPTIONS = { upstream = true }

--- Another try of the request, for a response hook to return: at another server of the same
--- upstream, or at the upstream that is named. `retry.tries` of the upstream bounds it; the request
--- body must be one that can be sent again (none, one of up to 64 KiB, or one that read_body has
--- read), else the answer that is there goes out and a line is logged. Legal at load and later.
--- Example: `if res.status == 503 then return gate.retry { upstream = backup } end`.
---@param options? { upstream: moongate.Upstream|nil }
---@return moongate.Retry
function M.retry(options)
  if options ~= nil and type(options) ~= "table" then
    raise(("gate.retry takes a table of options, not a %s"):format(type(options)))
  end
  if options and debug.getmetatable(options) == upstream.Upstream then
    raise("gate.retry takes a table of options: gate.retry { upstream = ... }")
  end
  for key in pairs(options or {}) do
    if not OPTIONS[key] then raise(strict.missing("gate.retry", key, OPTIONS).message) end
  end
  local to = options and options.upstream
  if to ~= nil and debug.getmetatable(to) ~= upstream.Upstream then
    raise("gate.retry: 'upstream' is an upstream, as gate.upstream or gate.upstreams.get answers")
  end
  return setmetatable({ ordinal = to and upstream.ordinal(to) or -1 }, Retry)
end

--- Makes a retry the verdict of an exchange's response hook.
---@param id integer
---@param serial integer
---@param value moongate.Retry
function M.apply(id, serial, value)
  local r = api.retry(vm, id, serial, rawget(value, "ordinal"))
  if r ~= 1 then engine.fail(r) end
end

return M
