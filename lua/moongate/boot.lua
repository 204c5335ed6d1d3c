--- Boot: the first code of a VM. Makes `require` of the library, the sandbox and the `gate` table,
--- runs the gateway file, and answers the functions that the engine calls. Trusted; scripts never
--- see it.

local host = ...

-- The library comes from the program alone.
package.path, package.cpath = "", ""
package.loaders = {
  package.loaders[1],
  function(name)
    return host.library(name) or ("\n\tno module '" .. name .. "' in the library")
  end,
}

jit.opt.start("maxmcode=8192", "maxtrace=8000")
math.randomseed(host.seed())

local engine = require "moongate.engine"
engine.bind(host)

local hook = require "moongate.hook"
local modules = require "moongate.modules"
local request = require "moongate.request"
local runtime = require "moongate.runtime"
local sandbox = require "moongate.sandbox"
local task = require "moongate.task"

local B = { ctx = request.ctx, trampoline = task.trampoline }

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
      return bytes, file
    end,
    require = function(name) return modules.library(name) end,
    upstream = runtime.upstream_named,
    policies = names,
    runtime = runtime.new(host),
  }
end

--- Checks the sources for misspelt fields too (`moongate check`).
local function check_sources(mistakes)
  local check = host.library("moongate.check") and require "moongate.check"
  if not check then return end
  local run = type(check) == "function" and check or check.check
  for _, file in ipairs(modules.files()) do
    for _, mistake in ipairs(run(file.text, file.name)) do mistakes[#mistakes + 1] = mistake end
  end
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
  modules.begin(host, env, gate)
  runtime.protect(sandbox.protect, gate)
  local failed
  local chunk, err = modules.compile(name, text)
  if chunk then
    local ok, raised = pcall(chunk)
    if not ok then failed = raised == nil and "nil was raised" or raised end
  else
    failed = err
  end
  local out, mistakes = loading.finish(failed)
  if check then check_sources(mistakes) end
  if not out or #mistakes > 0 then return nil, mistakes end
  output = out
  modules.finish()
  runtime.finish(out)
  return out.json, out.code
end

--- Makes the function that runs a chain.
local function make_chain(name, ordinals, route, label)
  if name == "when" then return hook.when(output.routes.when[route]) end
  if name == "handler" then
    return hook.handler(output.routes.handler[route], label)
  end
  local fns, names = {}, {}
  for i, ordinal in ipairs(ordinals) do
    local policy = output.policies[ordinal + 1]
    fns[i], names[i] = policy[name], policy.name
  end
  return hook.chain(name, fns, names)
end

--- Makes a chain; called by the engine when it knows the configuration.
---@param name string hook, "when" or "handler"
---@param ordinals integer[] of policies, from 0, in the order of calls
---@param route integer ordinal, for when and handler
---@param label string|nil the route's name, for when and handler
---@return integer index by which the engine calls it
function B.chain(name, ordinals, route, label)
  local chains = task.chains
  chains[#chains + 1] = make_chain(name, ordinals, route, label)
  return #chains
end

return B
