--- Data that the file handed over unchanged: `gate.routes(gate.data "routes")`, written as one
--- expression, so that nothing else can have looked at it. A change of such data alone needs no new
--- VM; whatever else becomes of data counts as code.

local json = require "moongate.json"

local M = {}

---@class moongate.DataCall
---@field name string
---@field text string the document
---@field value any
---@field place moongate.Place where gate.data was called
---@field handed boolean

--- Notes what a call of `gate.data` gave.
---@param load moongate.Load
---@param declaration moongate.Declaration
---@param name string
---@param text string
---@param value any
function M.note(load, declaration, name, text, value)
  local calls = load.data_calls
  calls[#calls + 1] = {
    name = name, text = text, value = value, place = declaration.place, handed = false,
  }
end

--- Whether the tokens from `at` are these; `true` stands for any name.
local function reads(tokens, at, words)
  for i, word in ipairs(words) do
    local token = tokens[at + i - 1]
    if not token or token.kind == "string" then return false end
    if word ~= true and token.text ~= word then return false end
  end
  return true
end

--- Whether `x.callee(x.data "name")` stands at token `at`, which is the callee.
local function is_direct(tokens, at, callee, call)
  local x = tokens[at - 2]
  if not x or x.kind ~= "name" then return false end
  if not reads(tokens, at - 1, { ".", callee, "(", x.text, ".", "data" }) then return false end
  if tokens.lines[at + 4] ~= call.place.line then return false end
  local bracket = reads(tokens, at + 5, { "(" })
  local name = tokens[at + (bracket and 6 or 5)]
  if name.kind ~= "string" or name.text ~= call.name then return false end
  return reads(tokens, at + 6, { ")" }) or bracket and reads(tokens, at + 7, { ")", ")" })
end

--- Whether a declaration was written around this call of `gate.data`.
local function is_around(load, declaration, call)
  local place = declaration.place
  local tokens = place.file == call.place.file and load:tokens_of(place.file)
  for at, line in ipairs(tokens and tokens.lines or {}) do
    if line == place.line and is_direct(tokens, at, declaration.callee, call) then return true end
  end
  return false
end

--- Whether what `routes` or `upstreams` was given is data that was handed over unchanged.
---@param load moongate.Load
---@param declaration moongate.Declaration
---@param list any
---@return boolean
function M.take(load, declaration, list)
  for _, call in ipairs(load.data_calls) do
    if rawequal(call.value, list) and not call.handed and is_around(load, declaration, call) then
      call.handed = true
      return true
    end
  end
  return false
end

--- Whether any data was handed over unchanged.
---@param load moongate.Load
---@return boolean
function M.is_any(load)
  for _, call in ipairs(load.data_calls) do
    if call.handed then return true end
  end
  return false
end

--- Data that was put to another use, by name: its text counts as code.
---@param load moongate.Load
---@return table
function M.used(load)
  local used = {}
  for _, call in ipairs(load.data_calls) do
    if not call.handed then used[call.name] = call.text end
  end
  return next(used) and used or json.null
end

return M
