--- Where in the user's files a call was made: the nearest frame of the stack that is no library
--- code.

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

--- The place of the user's code that called into the library, or nil when there is none on the
--- stack (a declaration as a tail call leaves no frame).
---@param accept? fun(file: string): boolean whether a file is the user's
---@return moongate.Place|nil
function M.caller(accept)
  local level = 2
  while true do
    local info = getinfo(level, "Sl")
    if not info then return nil end
    local file = info.what ~= "C" and is_user_code(info.source) and info.source:sub(2)
    if file and (not accept or accept(file)) then
      return { file = file, line = info.currentline }
    end
    level = level + 1
  end
end

--- Raises misuse at the user's line.
---@param message string
function M.raise(message)
  local at = M.caller()
  if at then message = ("%s:%d: %s"):format(at.file, at.line, message) end
  error(message, 0)
end

return M
