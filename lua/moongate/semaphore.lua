--- `gate.semaphore`: lets a number of tasks of this worker do something at a time; the others wait
--- in the order of arrival.

local engine = require "moongate.engine"
local errors = require "moongate.errors"
local ffi = require "ffi"
local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"
local task = require "moongate.task"
local units = require "moongate.units"
local view = require "moongate.view"

local M = {}

local api, vm, fail, raise = engine.api, engine.vm, engine.fail, place.raise

--- Most permits of one.
local MOST = 2 ^ 30

---@class moongate.Semaphore
local Semaphore = {}
local NAMES = { acquire = true, release = true, free = true }

--- The engine's part of each; collected with it.
---@type table<moongate.Semaphore, ffi.cdata*>
local native = setmetatable({}, { __mode = "k" })

local function own(self, method)
  local found = native[self]
  if found == nil then raise(("call it as semaphore:%s()"):format(method)) end
  return found
end

--- Waits until there is a permit and takes it. The request that has it (or the task, when it is of
--- no request) gives it back with `release`, or at its end. Legal in hooks and timers.
--- Example: `local ok, err = slots:acquire(0.5)`.
---@param seconds? number|string how long to wait at most; 0: not at all; nil: as long as it takes
---@return true|nil
---@return moongate.Error|nil err `timeout`; `exiting`
function Semaphore:acquire(seconds)
  local s = own(self, "acquire")
  local time = -1
  if seconds ~= nil then
    time = units.seconds(seconds)
    if time == nil then
      raise("semaphore:acquire needs a time (seconds, or a string like '50ms')")
    end
  end
  local r = api.semaphore_acquire(vm, s, time)
  if r == 1 then return true end
  if r < 0 then fail(r, "semaphore:acquire") end
  task.wait()
  local code = api.wait_result(vm)
  if code == 0 then return true end
  return nil, errors.of_code(code)
end

--- Gives a permit back. Raises when the request (or the task) has none.
--- Example: `slots:release()`.
function Semaphore:release()
  local r = api.semaphore_release(vm, own(self, "release"))
  if r < 0 then fail(r, "semaphore:release") end
  if r == 0 then raise "semaphore:release: this request has no permit of it" end
end

--- How many permits nobody has. Legal at any time. Example: `slots:free() == 0`.
---@return integer
function Semaphore:free()
  return api.semaphore_free(own(self, "free"))
end

local Type = {
  __tostring = function() return "semaphore" end,
  __index = function(_, key)
    if Semaphore[key] then return Semaphore[key] end
    raise(strict.missing("semaphore", key, NAMES).message)
  end,
  __newindex = function(_, key)
    raise(("semaphore.%s is read only"):format(tostring(key)))
  end,
}
view.metatables[#view.metatables + 1] = Type

--- A semaphore of n permits, of this worker and this generation. Legal at load and later.
--- Example: `local slots = gate.semaphore(10)`.
---@param n integer
---@return moongate.Semaphore
function M.new(n)
  if type(n) ~= "number" or n < 1 or n > MOST or n % 1 ~= 0 then
    place.misuse("gate.semaphore", "a whole number of 1 or more", n)
  end
  local self = setmetatable({}, Type)
  native[self] = ffi.gc(api.semaphore_new(n), api.semaphore_drop)
  return self
end

return M
