--- Shared dictionaries: the objects that `gate.shared` gives. Their memory is the engine's; all
--- workers see the same. Legal at load and later, but `fetch`, which may wait.

local engine = require "moongate.engine"
local errors = require "moongate.errors"
local ffi = require "ffi"
local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"
local task = require "moongate.task"
local units = require "moongate.units"

local M = {}

local api, vm, io, raise = engine.api, engine.vm, engine.io, place.raise
local type, pcall, error = type, pcall, error
local tonumber = tonumber

--- Longest key (GATE_DICT_KEY_MAX).
local KEY_MAX = 4096

--- Keys that `keys` gives when nothing is said.
local KEYS_DEFAULT = 1024

--- Values that an object keeps of what it has read, and the longest string among them. When it has
--- all, and has missed this often, it begins anew.
local SEEN_MAX, SEEN_BYTES, SEEN_MISSES = 1024, 256, 65536

--- Kinds of values (enum gate_dict_kind) and other answers (enum gate_ffi_dict).
local NONE, NUMBER, STRING, FALSE, TRUE = 0, 1, 2, 3, 4
local AGAIN, FULL, OTHER, LEAD, FAILED = 5, 6, 7, 8, 9

--- Modes of a put (enum gate_dict_mode).
local SET, ADD, REPLACE = 0, 1, 2

local KEY_LONG = ("a key has at most %d bytes"):format(KEY_MAX)

--- Errors are made anew: scripts may change what they get.
local function full() return errors.new("full", "the dictionary is full") end
local function value_long()
  return errors.new("full", "the value is longer than the dictionary takes")
end
local function key_long() return errors.new("full", KEY_LONG) end
local function absent()
  return errors.new("not_found", "there is no such key, and no value to begin with")
end
local function not_a_number() return errors.new("not_a_number", "the value is not a number") end

---@class moongate.Dictionary
local Dictionary = {}

---@class moongate.DictionaryState
---@field [1] integer the engine's number of it
---@field [2] string its name
---@field [3] table<string, moongate.Seen> what it has read, by key
---@field [4] integer how many those are
---@field [5] integer reads that found no room there

--- What belongs to each object. It is not in the object, where scripts would get at it (rawget,
--- pairs): there are pointers in it.
---@type table<moongate.Dictionary, moongate.DictionaryState>
local states = setmetatable({}, { __mode = "k" })

--- The metatable of dictionaries.
M.Dictionary = Dictionary

---@type table<string, function>
local methods = {}
Dictionary.__index = methods

function Dictionary.__newindex(_, key)
  raise(("a dictionary has no fields to set (field '%s'); it has d:set(key, value)")
    :format(tostring(key)))
end

function Dictionary:__tostring()
  return "dictionary '" .. tostring(states[self] and states[self][2]) .. "'"
end

setmetatable(methods, {
  __index = function(_, key)
    raise(strict.missing("a dictionary", key, methods).message)
  end,
})

-- Arguments ---------------------------------------------------------------------------------------

--- Raises for a call that is wrong.
local function refuse(self, method, key)
  if states[self] == nil then
    raise(("a dictionary's %s is called with a colon: d:%s(...)"):format(method, method))
  end
  raise(("d:%s: a key is a string, not a %s"):format(method, type(key)))
end

--- Kind, number and text of a value, as the engine takes it.
local function parts(method, value)
  local kind = type(value)
  if kind == "number" then return NUMBER, value, "" end
  if kind == "string" then return STRING, 0, value end
  if kind == "boolean" then return value and TRUE or FALSE, 0, "" end
  raise(("d:%s: values are strings, numbers and booleans, not a %s"):format(method, kind))
end

--- Seconds; -1 for ever, which is also what `ttl` says of such a key.
local function seconds_of(method, ttl)
  if ttl == nil or ttl == math.huge then return -1 end
  local seconds = units.seconds(ttl)
  if not seconds then
    raise(("d:%s: a ttl is a number of seconds or a text such as \"5m\", not negative")
      :format(method))
  end
  return seconds
end

local function number_of(method, name, value, default)
  if value == nil then return default end
  if type(value) ~= "number" or value ~= value then
    raise(("d:%s: %s is a number"):format(method, name))
  end
  return value
end

--- The value that an engine function has left.
local function value_of(kind)
  if kind == NUMBER then return io.number end
  if kind == STRING then return ffi.string(io.p, io.n) end
  if kind == NONE then return nil end
  return kind == TRUE
end

--- Raises when an engine function refused the call as such.
local function check(r)
  if r < 0 then engine.fail(r) end
  return r
end

-- Methods -----------------------------------------------------------------------------------------

---@class moongate.Seen a value that was read; it holds as long as nobody changes its shard
---@field [1] any where the shard's sequence number is
---@field [2] integer what it was
---@field [3] number when to ask again, by the loop's clock
---@field [4] string|number|boolean the value

--- Keeps a value that was read just now.
local function note(d, key, seen, value)
  if seen then
    seen[2], seen[3], seen[4] = io.seen, io.seen_until, value
    return
  end
  if d[4] == SEEN_MAX then
    d[5] = d[5] + 1
    if d[5] < SEEN_MISSES then return end
    d[3], d[4], d[5] = {}, 0, 0
  end
  d[4] = d[4] + 1
  d[3][key] = { io.seen_at, io.seen, io.seen_until, value }
end

--- Asks the engine for a value. (A compiled loop that does nothing else may look at the number and
--- the clock once for all its rounds: it sees the state of its begin, as if it had been faster.)
local function look(d, key, seen)
  if #key > KEY_MAX then return nil end
  local r = check(api.dict_get(vm, d[1], key, #key))
  local value = value_of(r)
  if r ~= NONE and (r ~= STRING or #value <= SEEN_BYTES) then note(d, key, seen, value) end
  return value
end

--- The value of a key, or nil.
---@param key string
---@return string|number|boolean|nil
function methods:get(key)
  local d = states[self]
  if type(key) ~= "string" or d == nil then refuse(self, "get", key) end
  local seen = d[3][key]
  if seen and seen[1][0] == seen[2] and tonumber(io.now[0]) < seen[3] then return seen[4] end
  return look(d, key, seen)
end

--- Why a value was not taken.
local function no_room(d, text)
  return #text > api.dict_value_max(vm, d[1]) and value_long() or full()
end

local function put(self, method, mode, key, value, ttl)
  local d = states[self]
  if type(key) ~= "string" or d == nil then refuse(self, method, key) end
  local kind, number, text = parts(method, value)
  local seconds = seconds_of(method, ttl)
  if #key > KEY_MAX then return nil, key_long() end
  local r
  repeat
    r = api.dict_put(vm, d[1], key, #key, mode, kind, number, text, #text, seconds)
  until r ~= AGAIN
  if r == FULL then return nil, no_room(d, text) end
  return check(r) == 1
end

--- Sets a key; without ttl it never ends. Seconds, or a text such as "5m".
---@param key string
---@param value string|number|boolean
---@param ttl? number|string
---@return true|nil
---@return moongate.Error|nil
function methods:set(key, value, ttl)
  return put(self, "set", SET, key, value, ttl)
end

--- Sets a key that is not there; false: it is.
---@param key string
---@param value string|number|boolean
---@param ttl? number|string
---@return boolean|nil
---@return moongate.Error|nil
function methods:add(key, value, ttl)
  return put(self, "add", ADD, key, value, ttl)
end

--- Sets a key that is there; false: it is not.
---@param key string
---@param value string|number|boolean
---@param ttl? number|string
---@return boolean|nil
---@return moongate.Error|nil
function methods:replace(key, value, ttl)
  return put(self, "replace", REPLACE, key, value, ttl)
end

--- Removes a key; whether it was there.
---@param key string
---@return boolean
function methods:delete(key)
  local d = states[self]
  if type(key) ~= "string" or d == nil then refuse(self, "delete", key) end
  if #key > KEY_MAX then return false end
  return check(api.dict_delete(vm, d[1], key, #key)) == 1
end

--- Adds to a number and answers the sum. A key that is not there begins with `init`, and only then
--- gets the ttl.
---@param key string
---@param by? number 1
---@param init? number without it a key that is not there is an error
---@param ttl? number|string
---@return number|nil
---@return moongate.Error|nil
function methods:incr(key, by, init, ttl)
  local d = states[self]
  if type(key) ~= "string" or d == nil then refuse(self, "incr", key) end
  by = number_of("incr", "by", by, 1)
  local make, first = init ~= nil and 1 or 0, number_of("incr", "init", init, 0)
  local seconds = seconds_of("incr", ttl)
  if #key > KEY_MAX then return nil, key_long() end
  local r
  repeat
    r = api.dict_incr(vm, d[1], key, #key, by, first, make, seconds)
  until r ~= AGAIN
  if r == 1 then return io.number end
  if r == FULL then return nil, full() end
  return nil, check(r) == OTHER and not_a_number() or absent()
end

--- Sets a key to `new` if its value is `old` (nil: if it is not there); whether it was. The key
--- keeps its ttl.
---@param key string
---@param old string|number|boolean|nil
---@param new string|number|boolean
---@return boolean|nil
---@return moongate.Error|nil
function methods:cas(key, old, new)
  local d = states[self]
  if type(key) ~= "string" or d == nil then refuse(self, "cas", key) end
  local kind, number, text = parts("cas", new)
  local old_kind, old_number, old_text = NONE, 0, ""
  if old ~= nil then old_kind, old_number, old_text = parts("cas", old) end
  if #key > KEY_MAX then return nil, key_long() end
  local r
  repeat
    r = api.dict_cas(vm, d[1], key, #key, old_kind, old_number, old_text, #old_text,
      kind, number, text, #text)
  until r ~= AGAIN
  if r == FULL then return nil, no_room(d, text) end
  return check(r) == 1
end

--- Some of the keys, in no order.
---@param max? integer 1024
---@return string[]
function methods:keys(max)
  local d = states[self]
  if d == nil then refuse(self, "keys") end
  max = number_of("keys", "max", max, KEYS_DEFAULT)
  local list, n = {}, 0
  io.walk[0], io.walk[1], io.walk[2] = 0, 0, 0
  while n < max do
    local r = check(api.dict_next(vm, d[1]))
    if r == 0 then break end
    if r == 1 then
      n = n + 1
      list[n] = ffi.string(io.p, io.n)
    end
  end
  return list
end

--- Removes all keys.
function methods:flush()
  local d = states[self]
  if d == nil then refuse(self, "flush") end
  local r = check(api.dict_flush(vm, d[1], 1))
  while r == AGAIN do r = api.dict_flush(vm, d[1], 0) end
end

--- Seconds that a key has left: nil when it is not there, math.huge when it never ends.
---@param key string
---@return number|nil
function methods:ttl(key)
  local d = states[self]
  if type(key) ~= "string" or d == nil then refuse(self, "ttl", key) end
  if #key > KEY_MAX then return nil end
  if check(api.dict_ttl(vm, d[1], key, #key)) == 1 then return io.number end
  return nil
end

-- Fetch -------------------------------------------------------------------------------------------

--- Code and message of what a function returned behind nil.
local function error_parts(err)
  if type(err) == "table" then
    return tostring(err.code or "failed"), tostring(err.message or err.code or "failed")
  end
  return "failed", tostring(err)
end

--- Ends a flight with an error, or with nothing, for all who wait. What is no table becomes an error
--- for the one who led, too.
local function land_without(self, key, err)
  local code, message = "", ""
  if err ~= nil then code, message = error_parts(err) end
  if err ~= nil and type(err) ~= "table" then err = errors.new(code, message) end
  api.dict_land(vm, states[self][1], key, #key, NONE, 0, message, #message, code, #code)
  return nil, err
end

--- Ends a flight with a value that is or could be in the dictionary.
local function land(self, key, value)
  local kind, number, text = parts("fetch", value)
  if #text > api.dict_value_max(vm, states[self][1]) then
    return land_without(self, key, value_long())
  end
  api.dict_land(vm, states[self][1], key, #key, kind, number, text, #text, "", 0)
end

local STORABLE = { string = true, number = true, boolean = true }

--- Behind the function of a fetch: keeps what it gave, and tells those who wait.
local function led(self, key, ttl, ok, value, err)
  if ok and value == nil then return land_without(self, key, err) end
  if not ok or not STORABLE[type(value)] then
    api.dict_leave(vm, states[self][1], key, #key)
    if not ok then error(value, 0) end
    raise(("d:fetch: the function returned a %s; values are strings, numbers and booleans")
      :format(type(value)))
  end
  local _, failed = put(self, "fetch", SET, key, value, ttl)
  land(self, key, value)
  return value, failed
end

--- Makes the value; another task may have done so a moment ago.
local function lead(self, key, ttl, fn)
  local value = methods.get(self, key)
  if value ~= nil then
    land(self, key, value)
    return value
  end
  return led(self, key, ttl, pcall(fn))
end

--- The value of a key; when there is none the function makes it: once over all workers, while
--- others that ask for it wait. What the function returns behind nil all of them get, and it is not
--- kept; when it raises, or its request ends, the next one that waits calls its own.
---@param key string
---@param ttl number|string|nil nil: for ever
---@param fn fun(): string|number|boolean|nil, any
---@return string|number|boolean|nil
---@return any err what the function returned behind nil; `full` when the value was not kept;
---  `exiting`
function methods:fetch(key, ttl, fn)
  local d = states[self]
  if type(key) ~= "string" or d == nil then refuse(self, "fetch", key) end
  seconds_of("fetch", ttl)
  if type(fn) ~= "function" then
    raise "d:fetch needs a function that makes the value: d:fetch(key, ttl, fn)"
  end
  if #key > KEY_MAX then return nil, key_long() end
  local value = methods.get(self, key)
  if value ~= nil then return value end
  local r = check(api.dict_join(vm, d[1], key, #key))
  if r ~= LEAD then
    task.wait()
    local code = api.wait_result(vm)
    if code ~= 0 then return nil, errors.of_code(code) end
    r = check(api.dict_joined(vm, d[1], key, #key))
  end
  if r == LEAD then return lead(self, key, ttl, fn) end
  if r == FAILED then
    return nil, errors.new(ffi.string(io.p, io.n), ffi.string(io.p2, io.n2))
  end
  return value_of(r)
end

-- Opening -----------------------------------------------------------------------------------------

--- Opens a dictionary; called by the declaration.
---@param name string
---@param bytes integer
---@return moongate.Dictionary|nil
---@return integer|nil errno
function M.open(name, bytes)
  local id = api.dict_open(vm, name, #name, bytes)
  if id < 0 then return nil, -id end
  local d = setmetatable({}, Dictionary)
  states[d] = { id, name, {}, 0, 0 }
  return d
end

return M
