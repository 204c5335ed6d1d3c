--- `gate.every`: functions that run again and again.

local load_state = require "moongate.declare.load"
local schema = require "moongate.schema"

local M = {}

local PERIOD = schema.duration { least = 0.001 }

local OPTIONS = schema.record("options of gate.every", {
  on = schema.with(schema.enum { "one", "all" }, { default = "one" }),
})

--- Runs a function every so often: first after one period, and never twice at once (a tick that
--- finds the one before at work is left out). An error is logged, and the next tick comes. On one
--- worker of this process, or with `on = "all"` on each. Legal only at load; it stops when a newer
--- generation serves.
--- Example: `gate.every("10s", function() refresh() end)`.
---@param load moongate.Load
---@param seconds number|string
---@param fn function
---@param options? { on: "one"|"all"|nil }
function M.declare(load, seconds, fn, options)
  local declaration = load:declare("every")
  local period = PERIOD:check(seconds, load:spot(declaration, 1))
  if type(fn) ~= "function" then
    load:spot(declaration, 2):unexpected(fn, "a function")
    return
  end
  local given = OPTIONS:check(options == nil and {} or options, load:spot(declaration, 3))
  if not period or not given then return end
  load.timers[#load.timers + 1] = {
    period_ms = period, on_all = given.on == "all", fn = fn, at = load_state.at(declaration.place),
  }
end

return M
