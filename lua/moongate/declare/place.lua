--- Where in the user's files a call was made: the nearest frame of the stack that is no library
--- code.

local tail_calls = require "moongate.declare.tail_calls"

local M = {}

local getinfo = debug.getinfo

--- The common prefix of the library's chunk names, found from this file's own; all library chunks
--- are loaded the same way. Bytecode without debug names shares one name, which then is the
--- prefix.
local function library_prefix()
  local own = getinfo(1, "S").source
  return own:match("^(.*)declare[/.]place") or own
end

local PREFIX = library_prefix()

---@param source string a chunk name
---@return boolean
local function is_user_code(source)
  return source:sub(1, 1) == "@" and source:sub(1, #PREFIX) ~= PREFIX
end

---@class moongate.Place
---@field file string
---@field line integer 0 when unknown

--- Functions of the library that call hooks or chunks, each with a function that answers the one
--- which it is calling.
---@type table<function, fun(): function>
local callers = setmetatable({}, { __mode = "k" })

--- Says that a function calls hooks, so that misuse in a hook's tail call finds its place.
---@param fn function
---@param callee fun(): function the hook that it is calling
function M.calls_hooks(fn, callee)
  callers[fn] = callee
end

--- Where a user's function is that made a tail call, which left no frame: the line of the call when
--- the function has only one, else that of the function.
---@param fn function
---@return moongate.Place|nil
local function place_of_tail_call(fn)
  local info = getinfo(fn, "S")
  if not is_user_code(info.source) then return nil end
  local lines = tail_calls.lines(fn)
  return { file = info.source:sub(2), line = #lines == 1 and lines[1] or info.linedefined }
end

--- The place of the user's code that called into the library, or nil when there is none on the
--- stack (a declaration as a tail call leaves no frame).
---@param accept? fun(file: string): boolean whether a file is the user's
---@return moongate.Place|nil
function M.caller(accept)
  local level = 2
  while true do
    local info = getinfo(level, "Slf")
    if not info then return nil end
    local file = info.what ~= "C" and is_user_code(info.source) and info.source:sub(2)
    if file and (not accept or accept(file)) then
      return { file = file, line = info.currentline }
    end
    local callee = callers[info.func]
    if callee then return place_of_tail_call(callee()) end
    level = level + 1
  end
end

--- The place of the user's code at a level of the stack, seen from the caller; the nearest above it
--- when library code stands there.
---@param level integer 1 is the caller
---@return moongate.Place|nil
function M.at_level(level)
  local info = getinfo(level + 1, "Sl")
  if info and info.what ~= "C" and is_user_code(info.source) then
    return { file = info.source:sub(2), line = info.currentline }
  end
  return M.caller()
end

--- Raises misuse at the user's line.
---@param message string
function M.raise(message)
  local at = M.caller()
  if at then message = ("%s:%d: %s"):format(at.file, at.line, message) end
  error(message, 0)
end

--- Raises misuse of a function of `gate` at the user's line: a wrong first argument, or a call
--- with a colon, which passes the table that the function is in.
---@param name string "gate.env"
---@param needs string "the name of a variable"
---@param value any what was given
function M.misuse(name, needs, value)
  local kind = type(value)
  local mt = kind == "table" and debug.getmetatable(value)
  if mt and mt.of_gate then
    M.raise(("%s is called with a dot, not with a colon"):format(name))
  end
  local given = "a " .. kind
  if value == nil then given = "nothing" elseif kind == "number" then given = tostring(value) end
  M.raise(("%s needs %s, not %s"):format(name, needs, given))
end

return M
