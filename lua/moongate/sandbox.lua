--- The sandbox: what scripts see instead of Lua's globals (lua/README.md), a list of what is
--- there, never of what is not. It also closes what the engine's stop cannot reach: long work
--- inside single C functions, and error handlers.

local place = require "moongate.declare.place"
local task = require "moongate.task"
local written = require "moongate.text"

local M = {}

local raise = place.raise
local raw_getmetatable, raw_setmetatable = debug.getmetatable, setmetatable
local pcall, type, tostring = pcall, type, tostring

--- Text that `load` takes at most: the compiler is one long call.
local LOAD_MAX = 256 * 1024

--- What is shown of a loaded chunk's name at most.
local NAME_MAX = 45

local EQUALS, AT = ("=@"):byte(1, 2)

--- Metatables that scripts neither see nor change.
local protected = raw_setmetatable({}, { __mode = "k" })

--- Metatables that scripts do not see, of tables that are their own.
local hidden = raw_setmetatable({}, { __mode = "k" })

--- Keeps a metatable from scripts, but not the tables that have it.
---@param mt table
function M.hide(mt)
  hidden[mt] = true
end

--- Keeps a metatable from scripts, and the tables that have it from being changed.
---@param mt table
function M.protect(mt)
  protected[mt] = true
end

--- A table of functions that scripts can use but not change.
local function read_only(name, functions)
  local mt = {
    __index = functions,
    __newindex = function(_, key)
      raise(("%s.%s cannot be set"):format(name, tostring(key)))
    end,
  }
  M.protect(mt)
  return raw_setmetatable({}, mt)
end

local function copy(from, names)
  local to = {}
  for name in names:gmatch("%S+") do to[name] = from[name] end
  return to
end

local function is_less(a, b)
  return a < b
end

--- Refuses a table of the library in what changes tables without a metamethod: all policies share
--- it, or the engine believes what it holds.
---@param name string of the function
---@param t any
local function check_own(name, t)
  if type(t) == "table" and protected[raw_getmetatable(t)] then
    raise(("%s: this table belongs to the gateway"):format(name))
  end
end

local function rawset_of(t, ...)
  check_own("rawset", t)
  return rawset(t, ...)
end

local function insert(t, ...)
  check_own("table.insert", t)
  return table.insert(t, ...)
end

local function remove(t, ...)
  check_own("table.remove", t)
  return table.remove(t, ...)
end

--- `table.sort` that the engine can stop: every comparison is a Lua function.
local function sort(list, less)
  check_own("table.sort", list)
  if less == nil then return table.sort(list, is_less) end
  if type(less) ~= "function" then
    raise("table.sort: a function was expected to compare with")
  end
  return table.sort(list, function(a, b) return less(a, b) end)
end

--- `getmetatable` of tables only: that of strings is shared by all.
local function getmetatable_of(value)
  if type(value) ~= "table" then return nil end
  local mt = raw_getmetatable(value)
  if mt == nil or protected[mt] or hidden[mt] then return nil end
  local shown = rawget(mt, "__metatable")
  if shown ~= nil then return shown end
  return mt
end

local function setmetatable_of(value, mt)
  if type(value) ~= "table" and type(value) ~= "cdata" then
    raise("setmetatable needs a table, not a " .. type(value))
  end
  if type(value) == "cdata" or protected[raw_getmetatable(value)] then
    raise("cannot change a protected metatable")
  end
  return raw_setmetatable(value, mt)
end

--- Behind the pcall of an xpcall: a failed call goes through the script's handler.
local function handled(handler, ok, ...)
  if ok then return true, ... end
  local _, value = pcall(handler, ...)
  return false, value
end

--- `xpcall`, whose handler runs when the error is over: inside it no stop would reach a handler
--- that loops.
local function xpcall_of(fn, handler, ...)
  if type(handler) ~= "function" then
    raise("xpcall: a function was expected as the handler")
  end
  return handled(handler, pcall(fn, ...))
end

--- `type` of scripts: to them the objects of a request are tables.
local function type_of(...)
  local kind = type(...)
  return kind == "cdata" and "table" or kind
end

--- `error`, which never points into the library: of level 2 in a hook, that is where the hook was
--- called.
local function error_of(value, level)
  level = level or 1
  local at = type(value) == "string" and type(level) == "number" and level > 0
    and place.at_level(level + 1)
  error(at and ("%s:%d: %s"):format(at.file, at.line, value) or value, 0)
end

--- The name of a loaded chunk as one of a file's: what is wrong in it is told at its own lines.
local function chunk_name(name)
  if type(name) ~= "string" then return "@(load)" end
  local first = name:byte()
  if first == EQUALS or first == AT then return "@" .. name:sub(2, NAME_MAX) end
  local line = name:match("^[^\n]*")
  if #line < #name or #line > NAME_MAX then line = line:sub(1, NAME_MAX) .. "..." end
  return ('@[string "%s"]'):format(line)
end

--- Why something is not loaded, or nil.
local function no_text(text, mode)
  if type(text) ~= "string" then return "load takes text, not a " .. type(text) end
  if #text > LOAD_MAX then return "load takes at most 256 KiB" end
  if text:byte() == 27 then return "load takes text, not bytecode" end
  if mode ~= nil and not tostring(mode):find("t", 1, true) then
    return "load takes text, which the mode '" .. tostring(mode) .. "' forbids"
  end
end

--- `load` of text, in the sandbox or an environment of the caller's.
local function loader(env)
  return function(text, name, mode, own)
    local why = no_text(text, mode)
    if why then return nil, why end
    if own ~= nil and type(own) ~= "table" then
      raise("load: the environment is a table, not a " .. type(own))
    end
    local fn, err = loadstring(text, chunk_name(name))
    if not fn then return nil, err end
    return setfenv(fn, own or env)
  end
end

--- The library tables of the environment, without what scripts must not have.
local function libraries()
  local strings = copy(string, [[byte char find format gmatch gsub len lower match rep reverse sub
    upper]])
  -- ("x"):rep(3) goes this way; Lua's own table would hand out string.dump.
  raw_getmetatable("").__index = strings
  local tables = copy(table, "concat foreach foreachi getn maxn move")
  tables.insert, tables.remove, tables.sort = insert, remove, sort
  local coroutines = copy(coroutine, "create status")
  coroutines.resume, coroutines.wrap = task.resume, task.wrap
  coroutines.yield, coroutines.running = task.yield, task.running
  coroutines.isyieldable = task.isyieldable
  return {
    string = strings, table = tables, coroutine = coroutines,
    os = copy(os, "time clock date difftime"),
    math = copy(math, [[abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge
      ldexp log log10 max min modf pi pow rad random randomseed sin sinh sqrt tan tanh]]),
    bit = copy(require "bit", [[arshift band bnot bor bswap bxor lshift rol ror rshift tobit
      tohex]]),
  }
end

--- With --trust: everything else that Lua has, but for hooks, which stop scripts. The libraries
--- that scripts have anyway get what they lack.
local function trusted(libs, env)
  local all = {}
  for name, value in pairs(_G) do all[name] = value end
  all._G = env
  all.debug = {}
  for name, value in pairs(debug) do
    if name ~= "sethook" then all.debug[name] = value end
  end
  for name, functions in pairs(libs) do
    if name ~= "bit" then raw_setmetatable(functions, { __index = _G[name] }) end
  end
  return all
end

--- Makes the environment of scripts.
---@param options { print: function, require: function, trust: boolean }
---@return table env
function M.new(options)
  local env = copy(_G, [[assert ipairs next pairs pcall select tonumber unpack rawequal rawget]])
  env.rawset, env.xpcall, env.error, env.tostring = rawset_of, xpcall_of, error_of, written.tostring
  env.type = options.trust and type or type_of
  env.getmetatable, env.setmetatable = getmetatable_of, setmetatable_of
  env.require, env.print = options.require, options.print
  env.load = loader(env)
  local libs = libraries()
  for name, functions in pairs(libs) do env[name] = read_only(name, functions) end
  local mt = {
    __index = options.trust and trusted(libs, env) or nil,
    __newindex = function(_, key)
      raise(("global '%s' cannot be set: scripts have no globals of their own; write local")
        :format(tostring(key)))
    end,
  }
  M.protect(mt)
  return raw_setmetatable(env, mt)
end

return M
