--- Boot: the first code of a VM. Makes `require` of the library, the sandbox and the `gate` table,
--- runs the gateway file, and answers the functions that the engine calls. Trusted; scripts never
--- see it.

local host = ...

-- Hooks are the engine's, which stops scripts by them. With --trust scripts can get this table.
rawset(debug, "sethook", nil)

-- The library comes from the program alone.
package.path, package.cpath = "", ""
package.loaders = {
  package.loaders[1],
  function(name)
    return host.library(name) or ("\n\tno module '" .. name .. "' in the library")
  end,
}

-- The load runs once: only what repeats very often is worth compiling (with the usual threshold a
-- third of a small file's load is the compiler). Hooks are compiled as soon as ever.
local LOADING, SERVING = "hotloop=1000", "hotloop=56"
jit.opt.start("maxmcode=8192", "maxtrace=8000", LOADING)
math.randomseed(host.seed())

local engine = require "moongate.engine"
engine.bind(host)

local hook = require "moongate.hook"
local json = require "moongate.json"
local mistake = require "moongate.declare.mistake"
local modules = require "moongate.modules"
local request = require "moongate.request"
local runtime = require "moongate.runtime"
local sandbox = require "moongate.sandbox"
local task = require "moongate.task"
local together = require "moongate.together"

local B = {
  ctx = request.ctx, tasks = task.tasks, starting = together.starting, job = together.run,
}

together.raised = host.raised

--- What the gateway file declared, once it is loaded.
local output

--- The `gate` table and what ends the load.
local function make_gate(main_name)
  local names = {}
  for _, name in ipairs(host.modules()) do
    names[#names + 1] = name:match("^moongate%.policy%.([%w_]+)$")
  end
  return require("moongate").new {
    file = main_name,
    read = function(name)
      return host.read(name)
    end,
    data = function(name)
      local file, bytes = host.data(name)
      if not file then return nil, nil, bytes end
      return bytes, file
    end,
    require = function(name) return modules.library(name) end,
    upstream = runtime.upstream_named,
    policies = names,
    dictionary = runtime.dictionary,
    runtime = runtime.new(host), bound_load = host.bound_load,
  }
end

--- Adds what the sources show of misspelt fields (`moongate check`). What the load met already is
--- not said twice.
local function check_sources(mistakes, gate)
  local check = require "moongate.check"
  local lists = { mistakes }
  for _, file in ipairs(modules.files()) do
    lists[#lists + 1] = check.check(file.text, file.name, gate)
  end
  return mistake.merge(unpack(lists))
end

--- The mistakes without values of environment variables: those count as secrets.
local function hide_secrets(mistakes)
  for _, made in ipairs(mistakes) do
    made.message = host.hide(made.message)
    made.name, made.nearest = made.name and host.hide(made.name),
      made.nearest and host.hide(made.nearest)
  end
  return mistakes
end

--- The compiler asks the kernel for memory when it compiles something for the first time: here,
--- where no client waits for it.
local function warm_up()
  local sum = 0
  for i = 1, 200 do sum = sum + i end
  return sum
end

--- Runs the gateway file. Called once, in a coroutine, under the load's budget.
---@param check boolean
---@param trust boolean
---@return string|nil json canonical text of the declarations
---@return string|table[] code the part that is no data; or the mistakes
function B.load(check, trust)
  task.enter()
  local name, text = host.main()
  local gate, loading = make_gate(name)
  local env = sandbox.new { print = runtime.print, require = modules.require, trust = trust }
  modules.begin(host, env, gate, trust)
  runtime.protect(sandbox.protect, gate)
  sandbox.hide(json.Array)
  local failed
  local chunk, err = modules.compile(name, text)
  if chunk then
    local ok, raised = pcall(modules.run, chunk)
    if not ok then failed = raised == nil and "nil was raised" or raised end
    if failed == "not enough memory" then -- Lua's own message has no place either
      failed = "the gateway file needs more memory than vm_memory allows"
    end
  else
    failed = err
  end
  local out, mistakes = loading.finish(failed)
  if check then mistakes = check_sources(mistakes, gate) end
  if not out or #mistakes > 0 then return nil, hide_secrets(mistakes) end
  output = out
  together.timers = out.timers
  -- Hooks read the clock only where somebody may look.
  if modules.mention("timing") then host.time_hooks() end
  hook.route_names = out.route_names
  modules.finish()
  runtime.finish(out)
  jit.opt.start(SERVING)
  warm_up()
  return out.json, out.code
end

--- Makes the function that runs a chain; called by the engine when it knows the configuration.
---@param name string hook, "when" or "handler"
---@param ordinals integer[] of policies, from 0, in the order of calls
---@param route integer ordinal, for when and handler
---@param label string|nil the route's name, for when and handler
---@return function
function B.chain(name, ordinals, route, label)
  if name == "when" then return hook.when(output.routes.when[route]) end
  if name == "handler" then
    return hook.handler(output.routes.handler[route], label)
  end
  if name == "balancer" then
    return hook.balancer(output.balancers[route], label)
  end
  local fns, names = {}, {}
  for i, ordinal in ipairs(ordinals) do
    local policy = output.policies[ordinal + 1]
    fns[i], names[i] = policy[name], policy.name
  end
  return hook.chain(name, fns, names)
end

return B
