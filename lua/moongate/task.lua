--- Tasks: how library code waits. A task is a coroutine that the engine resumes; what a script
--- makes of its own coroutines on top of it is none of the engine's business.

local M = {}

local raw_yield, raw_resume, running = coroutine.yield, coroutine.resume, coroutine.running

--- What a waiting function yields: passed on by the coroutines of scripts until it is in the
--- engine.
local WAIT = {}

--- Coroutines of scripts inside which something waits for the engine: only the engine may go on
--- there.
local waiting = setmetatable({}, { __mode = "k" })

--- Coroutines that the engine runs. It adds its own, and runs one function after the other in
--- each.
---@type table<thread, true>
M.tasks = setmetatable({}, { __mode = "k" })

local tasks = M.tasks

--- Waits until the engine resumes this task. What it waits for was armed before.
function M.wait()
  raw_yield(WAIT)
end

--- Makes the present coroutine count as a task: the one in which the gateway file runs.
function M.enter()
  tasks[running()] = true
end

--- Whether this is a task itself, and no coroutine of a script.
---@return boolean
local function is_task()
  local co = running()
  return co == nil or tasks[co] == true
end

--- So many coroutines may stand inside each other: each has its part of the C stack, and a stop
--- passes them one by one. Lua itself has this limit too.
local DEPTH_MAX = 200

--- How deep each coroutine of a script stands.
local depths = setmetatable({}, { __mode = "k" })

--- Notes where a coroutine is resumed from; false: too deep.
local function enter(co)
  local depth = (depths[running()] or 0) + 1
  if depth > DEPTH_MAX then return false end
  depths[co] = depth
  return true
end

local pass

--- Behind a resume of a script's coroutine: waits of library code inside it are passed on.
local function passed(co, ok, first, ...)
  if ok and first == WAIT then
    waiting[co] = true
    raw_yield(WAIT)
    waiting[co] = nil
    return pass(co)
  end
  return ok, first, ...
end

pass = function(co, ...)
  return passed(co, raw_resume(co, ...))
end

--- `coroutine.resume` of scripts.
function M.resume(co, ...)
  if waiting[co] then
    return false, "cannot resume a coroutine that waits for the gateway"
  end
  if type(co) == "thread" and not enter(co) then return false, "C stack overflow" end
  return pass(co, ...)
end

local function unwrap(ok, ...)
  if ok then return ... end
  error((...), 0)
end

--- `coroutine.wrap` of scripts.
function M.wrap(fn)
  local co = coroutine.create(fn)
  return function(...)
    return unwrap(M.resume(co, ...))
  end
end

--- `coroutine.yield` of scripts: never out of the task itself.
function M.yield(...)
  if is_task() then error("attempt to yield from outside a coroutine", 2) end
  return raw_yield(...)
end

--- `coroutine.isyieldable` of scripts.
function M.isyieldable()
  return not is_task()
end

--- `coroutine.running` of scripts: nil in the task itself, as in any main program.
function M.running()
  if is_task() then return nil end
  return (running())
end

return M
