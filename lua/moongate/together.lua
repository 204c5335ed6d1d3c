--- Functions that run beside others: `gate.spawn` and `gate.all`, and the ticks of `gate.every`.
--- The engine begins them by number, on tasks of their own.

local engine = require "moongate.engine"
local errors = require "moongate.errors"
local ffi = require "ffi"
local place = require "moongate.declare.place"
local task = require "moongate.task"

local M = {}

local api, vm, io, fail, raise = engine.api, engine.vm, engine.io, engine.fail, place.raise
local RAISED = tonumber(ffi.C.GATE_WAIT_RAISED)
local select, unpack = select, unpack

--- Functions that one `gate.all` takes at most: their values are returned one by one.
local ALL_MAX = 1000

--- Functions that wait for their beginning, by number. The engine removes those of jobs that end
--- before.
---@type table<integer, function>
M.starting = {}
local starting = M.starting
local last = 0

--- Functions of `gate.every`, by ordinal. Set when the gateway file has been loaded.
---@type table<integer, function>
M.timers = {}

--- What the engine takes back of a failed member. Set at boot.
---@type fun(): any
M.raised = nil

local function keep(fn)
  last = last % 2 ^ 30 + 1
  starting[last] = fn
  return last
end

--- Runs the function that the engine begins: on its task, called by it.
function M.run()
  local number = io.start
  local fn = starting[number]
  if number < 0 then
    fn = M.timers[-number]
  else
    starting[number] = nil
  end
  fn()
end

--- Runs a function beside the caller, on a task with CPU and time budgets of its own. Nobody waits
--- for it; an error in it is logged. A request that it was begun for may be over by then: its `req`
--- says so. Legal in hooks and timers, not at load.
--- Example: `gate.spawn(function() gate.sleep(1) count() end)`.
---@param fn function
---@param ... any what it is called with
---@return true|nil
---@return moongate.Error|nil err `quarantined`: what this policy spawns was stopped again and again
function M.spawn(fn, ...)
  if type(fn) ~= "function" then
    raise(("gate.spawn needs a function, not a %s"):format(type(fn)))
  end
  local begun = fn
  local n = select("#", ...)
  if n > 0 then
    local args = { ... }
    begun = function() return fn(unpack(args, 1, n)) end
  end
  local number = keep(begun)
  local r = api.spawn(vm, number)
  if r == 1 then return true end
  starting[number] = nil
  if r == 0 then
    return nil, errors.new("quarantined", "what this policy spawns was stopped again and again")
  end
  fail(r, "gate.spawn")
end

local function check_list(fns)
  if type(fns) ~= "table" then
    raise(("gate.all needs a list of functions, not a %s"):format(type(fns)))
  end
  if #fns > ALL_MAX then
    raise(("gate.all takes at most %d functions at a time, not %d"):format(ALL_MAX, #fns))
  end
  for i = 1, #fns do
    if type(fns[i]) ~= "function" then
      raise(("gate.all: entry %d is a %s, not a function"):format(i, type(fns[i])))
    end
  end
  for key in pairs(fns) do
    if type(key) ~= "number" or key < 1 or key > #fns or key % 1 ~= 0 then
      raise("gate.all needs a list of functions; it has the key " .. tostring(key))
    end
  end
end

--- Runs functions together and waits for all of them. Gives the first value of each, in order. If
--- one raises, the others are ended, and it raises. They share the CPU budget of the call. At most
--- 1000. Legal in hooks and timers, not at load.
--- Example: `local a, b = gate.all { function() return one() end, function() return two() end }`.
---@param fns function[]
---@return any ...
function M.all(fns)
  check_list(fns)
  local n, results = #fns, {}
  if n == 0 then return end
  if last + n > 2 ^ 30 then last = 0 end
  local first = last + 1
  for i = 1, n do
    local fn = fns[i]
    keep(function() results[i] = (fn()) end)
  end
  local r = api.all(vm, first, n)
  if r < 0 then
    for i = first, last do starting[i] = nil end
    fail(r, "gate.all")
  end
  task.wait()
  local code = api.wait_result(vm)
  if code == RAISED then error(M.raised(), 0) end
  if code ~= 0 then return nil, errors.of_code(code) end
  return unpack(results, 1, n)
end

return M
