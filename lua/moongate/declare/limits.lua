--- `gate.limits { … }`: bounds that make a gateway safe on the open internet, with their defaults.

local schema = require "moongate.schema"

local M = {}

local OUTBOUND = schema.record("outbound", {
  allow = schema.list(schema.cidr()),
  deny = schema.list(schema.cidr()),
})

local function count(low, high)
  return schema.integer(low, high or 2 ^ 31 - 1)
end

local LIMITS = schema.record("gate.limits", {
  header_bytes = schema.size(1024, 36 * 1024), -- what one large block holds
  header_count = count(1, 10000),
  target_bytes = schema.size(64, 1024 ^ 2),
  body_bytes = schema.size(),
  connections = count(1),
  connections_per_ip = count(1),
  handshakes = count(1),
  handshake_timeout = schema.duration(),
  header_timeout = schema.duration(),
  idle_timeout = schema.duration(),
  body_rate = schema.size(0, 2 ^ 31),
  write_stall = schema.duration(),
  hook_cpu = schema.duration { unit = "us" },
  task_time = schema.duration(),
  vm_memory = schema.size(4 * 1024 ^ 2),
  -- Less would end a load inside a single call of the library.
  load_time = schema.duration { least = 0.01 },
  underscores = schema.enum { "drop", "reject", "keep" },
  encoded_slash = schema.enum { "keep", "reject" },
  merge_slashes = schema.boolean(),
  outbound = OUTBOUND,
})

--- The emitted name of each option, and its default.
local EMITTED = {
  header_bytes = { "header_bytes", 32768 },
  header_count = { "header_count", 100 },
  target_bytes = { "target_bytes", 8192 },
  body_bytes = { "body_bytes", -1 },
  connections = { "connections", 0 },
  connections_per_ip = { "connections_per_ip", 0 },
  handshakes = { "handshakes", 1000 },
  handshake_timeout = { "handshake_timeout_ms", 5000 },
  header_timeout = { "header_timeout_ms", 10000 },
  idle_timeout = { "idle_timeout_ms", 60000 },
  body_rate = { "body_rate", 500 },
  write_stall = { "write_stall_ms", 30000 },
  hook_cpu = { "hook_cpu_us", 50000 },
  task_time = { "task_time_ms", 60000 },
  vm_memory = { "vm_memory", 64 * 1024 ^ 2 },
  load_time = { "load_time_ms", 5000 },
  underscores = { "underscores", "drop" },
  encoded_slash = { "encoded_slash", "keep" },
  merge_slashes = { "merge_slashes", true },
}

--- What scripts may not connect to by default: link-local addresses, where clouds keep their
--- secrets.
local LINK_LOCAL = { "169.254.0.0/16", "fe80::/10" }

--- Sets limits. Legal only at load; a later call adds to and replaces what an earlier one set.
--- Example: `gate.limits { header_bytes = "16k" }`.
---@param load moongate.Load
---@param options table
function M.declare(load, options)
  local declaration = load:declare("limits")
  local result = LIMITS:check(options, load:spot(declaration, 1))
  for key, value in pairs(result or {}) do load.limits[key] = value end
  local bound = load.host.bound_load
  if bound then bound(load.limits.load_time, load.limits.vm_memory) end
end

--- All limits with their defaults, under their emitted names.
---@param given table
---@return table
function M.complete(given)
  local result = {}
  for option, emitted in pairs(EMITTED) do
    local value = given[option]
    if value == nil then value = emitted[2] end
    result[emitted[1]] = value
  end
  local outbound = given.outbound or {}
  result.outbound_allow = outbound.allow or {}
  result.outbound_deny = outbound.deny or LINK_LOCAL
  return result
end

return M
