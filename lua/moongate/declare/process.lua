--- `gate.process { … }`: workers, logs, the control socket and the drain.

local schema = require "moongate.schema"

local M = {}

local PATH = schema.text("a path")

local ACCESS_LOG = schema.custom('"stdout", "stderr", a path or false', function(value)
  if value == false then return "" end
  if value == "off" then return nil, "false is none; a file of that name is './off'" end
  if type(value) == "string" and value ~= "" and not value:find("%c") then return value end
end)

--- Most workers (GATE_WORKERS_MAX).
local WORKERS_MAX = 128

local WORKERS = schema.custom('"auto" or a number of workers', function(value)
  if value == "auto" then return 0 end
  if type(value) ~= "number" or value % 1 ~= 0 or value < 1 then return nil end
  if value > WORKERS_MAX then return nil, ("at most %d"):format(WORKERS_MAX) end
  return value
end)

local PROCESS = schema.record("gate.process", {
  workers = WORKERS,
  log = PATH,
  log_level = schema.enum { "debug", "info", "warn", "error" },
  access_log = ACCESS_LOG,
  access_format = schema.enum { "combined", "json" },
  control = PATH,
  drain = schema.duration { zero = true },
  admin = schema.later(),
})

local DEFAULTS = {
  workers = 0, log = "stderr", log_level = "info", access_log = "stdout",
  access_format = "combined", control = "", drain = 30000,
}

--- Sets process options. Legal only at load; a later call adds to and replaces an earlier one's.
--- Example: `gate.process { workers = 2, access_log = false }`.
---@param load moongate.Load
---@param options table
function M.declare(load, options)
  local declaration = load:declare("process")
  local result = PROCESS:check(options, load:spot(declaration, 1))
  for key, value in pairs(result or {}) do load.process[key] = value end
end

--- All options with their defaults, under their emitted names.
---@param given table
---@return table
function M.complete(given)
  local result = {}
  for option, default in pairs(DEFAULTS) do
    local value = given[option]
    if value == nil then value = default end
    result[option == "drain" and "drain_ms" or option] = value
  end
  return result
end

return M
