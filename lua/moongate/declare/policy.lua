--- Policies: tables of hooks, declared by `gate.use`, `gate.on.<hook>` and a route's `use`.

local language = require "moongate.declare.fields"
local load_state = require "moongate.declare.load"
local mistake = require "moongate.declare.mistake"
local nearest = require "moongate.nearest"
local schema = require "moongate.schema"
local strict = require "moongate.declare.strict"

local M = {}

--- The hooks of this build, in the order of a request's life.
M.HOOKS = {
  "connect", "certificate", "request", "route", "balance", "request_body", "response", "body",
  "fault", "log",
}

--- Hooks of the language that this build does not have.
M.LATER_HOOKS = { "cache", "store" }

local FIELDS = {
  name = schema.name(),
  on_error = schema.with(schema.enum { "closed", "open" }, { default = "closed" }),
  guards = schema.with(schema.boolean(), { default = false }),
  cpu = schema.with(schema.duration { unit = "us" }, { default = 0 }),
  decode = schema.with(schema.boolean(), { default = false }),
}
for _, hook in ipairs(M.HOOKS) do FIELDS[hook] = schema.func() end
for _, hook in ipairs(M.LATER_HOOKS) do FIELDS[hook] = schema.later() end

local POLICY = schema.record("a policy", FIELDS)

--- Adds a policy of checked fields and returns its ordinal.
local function add(load, fields, at)
  local policy = {
    name = fields.name or at, on_error = fields.on_error, guards = fields.guards,
    decode = fields.decode, cpu_us = fields.cpu, hooks = {},
  }
  for _, hook in ipairs(M.HOOKS) do
    if fields[hook] then
      policy.hooks[#policy.hooks + 1] = hook
      policy[hook] = fields[hook]
    end
  end
  load.policies[#load.policies + 1] = policy
  return #load.policies - 1
end

--- The policy of a ready-made name: what its module makes of the options.
local function ready_made(load, name, options, spot)
  local names = load.host.policies or {}
  for _, known in ipairs(names) do
    if known == name then
      local ok, result = pcall(function()
        return load.host.require("moongate.policy." .. name)(options)
      end)
      if ok then return result end
      spot:fail { name = name, message = ("policy '%s': %s"):format(name, tostring(result)) }
      return nil
    end
  end
  if #names == 0 then
    return spot:fail {
      name = name, expected = "a policy: a table of hooks",
      message = ("policy '%s': ready-made policies are not there yet in this build"):format(name),
    }
  end
  local near = nearest.find(name, names)
  local expected = "one of " .. table.concat(names, ", ")
  spot:fail {
    name = name, expected = expected, nearest = near,
    message = ("there is no ready-made policy '%s'%s; expected %s"):format(
      name, mistake.hint(near), expected),
  }
end

--- The plain policy table behind what `use` was given: itself, or that of a ready-made name.
local function resolve(load, value, spot)
  if type(value) == "string" then return ready_made(load, value, {}, spot) end
  if type(value) ~= "table" then
    spot:unexpected(value, "a policy: a table of hooks, or the name of a ready-made one")
    return nil
  end
  if type(value[1]) ~= "string" then return value end
  local options = {}
  for key, option in pairs(value) do
    if key ~= 1 then options[key] = option end
  end
  return ready_made(load, value[1], options, spot)
end

--- Hooks that decide before or about routing cannot belong to a route.
local function check_in_route(value, spot)
  for _, hook in ipairs { "connect", "certificate", "route" } do
    if type(value[hook]) == "function" then
      spot:at(hook, value):fail {
        name = hook, expected = "a hook that runs after routing",
        message = ("the hook '%s' runs before a route is chosen; give it to gate.use"):format(hook),
      }
    end
  end
end

--- Checks a policy and returns its ordinal, or nil after a report. The same table is one policy,
--- however often it is used.
---@param load moongate.Load
---@param value any
---@param spot moongate.Spot
---@param in_route boolean
---@return integer|nil
function M.check(load, value, spot, in_route)
  local policy = resolve(load, value, spot)
  if type(policy) ~= "table" then return nil end
  if in_route then check_in_route(policy, spot) end
  if load.policy_of[policy] then return load.policy_of[policy] end
  local before = #load.mistakes
  local fields = POLICY:check(policy, spot)
  if not fields then return nil end
  local ordinal = add(load, fields, load_state.at(spot:place()))
  load.policy_of[policy] = ordinal
  if #load.policies[ordinal + 1].hooks == 0 and #load.mistakes == before then
    spot:fail {
      name = fields.name, expected = "at least one of " .. table.concat(M.HOOKS, ", "),
      message = "a policy without hooks does nothing",
    }
  end
  return ordinal
end

--- Uses a policy for all routes. Legal only at load.
--- Example: `gate.use { name = "guard", request = check, guards = true }`.
---@param load moongate.Load
---@param value table|string
function M.use(load, value)
  local declaration = load:declare("use")
  local ordinal = M.check(load, value, load:spot(declaration, 1), false)
  if ordinal then load.global[#load.global + 1] = ordinal end
end

--- Declares one hook as a policy of its own, named by its place.
local function on(load, hook, fn, ...)
  local declaration = load:declare(hook, "gate.on." .. hook)
  load:refuse_more(declaration, 1, fn, ...)
  local spot = load:spot(declaration, 1)
  if type(fn) ~= "function" then
    spot:unexpected(fn, "a function")
    return
  end
  local fields = { on_error = "closed", guards = false, decode = false, cpu = 0, [hook] = fn }
  load.global[#load.global + 1] = add(load, fields, load_state.at(declaration.place))
end

--- The table `gate.on`. An unknown hook is a mistake, but the load goes on.
---@param load moongate.Load
---@return table<string, fun(fn: function)>
function M.on(load)
  local hooks, gate_on = {}, {}
  for _, hook in ipairs(M.HOOKS) do
    hooks[hook] = function(fn, ...)
      if fn == gate_on then
        load:raise {
          name = hook, expected = "gate.on." .. hook,
          message = ("gate.on.%s is called with a dot, not with a colon"):format(hook),
        }
      end
      on(load, hook, fn, ...)
    end
  end
  local function index(_, key)
    if hooks[key] then return hooks[key] end
    local known = language.KINDS.gate.on
    local parts = strict.missing("gate.on", key, known)
    if not parts.nearest and not known[key] then
      parts.message = parts.message .. "; expected one of " .. table.concat(M.HOOKS, ", ")
    end
    if not load.open then load:raise(parts) end
    load:add(mistake.new(load:declare(tostring(key)).place, parts))
    return function() end
  end
  local function refuse_call()
    load:raise {
      name = "gate.on", expected = "gate.on.request",
      message = "gate.on is no function: gate.on.request(function(req) ... end)",
    }
  end
  local function refuse_set(_, key)
    load:raise {
      name = tostring(key), expected = "a call",
      message = ("a hook is declared by a call: gate.on.%s(function(...) ... end)")
        :format(tostring(key)),
    }
  end
  -- The table itself stays empty, so that assigning to a hook is seen, too.
  return setmetatable(gate_on, { __index = index, __newindex = refuse_set, __call = refuse_call })
end

return M
