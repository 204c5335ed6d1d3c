--- One load of a gateway file: what was declared so far, and the mistakes met on the way. A
--- mistake does not end a load; the next declarations still run, so that one load reports as many
--- as it can.

local data = require "moongate.data"
local mistake = require "moongate.declare.mistake"
local place = require "moongate.declare.place"
local schema = require "moongate.schema"
local source = require "moongate.source"

local M = {}

---@class moongate.Host what the loader provides
---@field file string the gateway file, as in chunk names
---@field read fun(name: string): string|nil, string|nil bytes of a bundle file
---@field data? fun(name: string): string|nil, string|nil data supplied by name, and its file
---@field require? fun(module: string): any
---@field upstream? fun(name: string): moongate.Upstream|nil that of a name, after the load
---@field policies? string[] names of the ready-made policies
---@field dictionary fun(name: string, bytes: integer): any, integer|nil opens one; else errno
---@field runtime table<string, any> functions of the runtime half
---@field bound_load? fun(load_time_ms: integer|nil, vm_memory: integer|nil) limits of this load

---@class moongate.Declaration
---@field callee string the last part of its name, as it stands in the source
---@field name string "gate.listen"
---@field place moongate.Place

---@class moongate.Load
---@field host moongate.Host
---@field open boolean whether declarations are still legal
---@field mistakes moongate.Mistake[]
---@field listeners table[]
---@field upstreams table[]
---@field upstream_by_name table<string, table>
---@field policies table[]
---@field global integer[]
---@field routes table[]
---@field shared table[] dictionaries
---@field shared_by_name table<string, table>
---@field limits table
---@field process table
---@field timers table[]
---@field data_calls moongate.DataCall[]
---@field data_uses table[] what routes from handed data use
---@field asked table<string, boolean> upstreams that the file asked for: whether there is one
local Load = {}
Load.__index = Load

---@param host moongate.Host
---@return moongate.Load
function M.new(host)
  return setmetatable({
    host = host, open = true, mistakes = {}, raised = {}, tokens = {}, known = {},
    listeners = {}, upstreams = {}, upstream_by_name = {},
    policies = {}, policy_of = {}, global = {}, routes = {}, limits = {}, process = {},
    shared = {}, shared_by_name = {}, timers = {},
    data_calls = {}, data_uses = {}, asked = {},
  }, Load)
end

--- Raises at the user's line, and keeps the structured form for the list of mistakes.
---@param parts { message: string, name?: string, expected?: string, nearest?: string }
function Load:raise(parts)
  local at = place.caller() or { file = self.host.file, line = 0 }
  local made = mistake.new(at, parts)
  local text = tostring(made)
  if self.open then self.raised[text] = made end
  error(text, 0)
end

--- Begins a declaration: refuses it after the load, and remembers where it stands.
---@param callee string the last part of its name
---@param name? string its full name for messages
---@return moongate.Declaration
function Load:declare(callee, name)
  if not self.open then
    place.raise(("%s declares, which is legal only while the gateway file loads")
      :format(name or "gate." .. callee))
  end
  local at = place.caller(function(file) return self:is_of_user(file) end)
  if not at then
    -- A tail call left no frame: the last call of that name in the gateway file is it.
    at = { file = self.host.file, line = 0 }
    local tokens = self:tokens_of(at.file)
    at.line = tokens and source.find(tokens, 0, callee, { 1 }) or 0
  end
  return { callee = callee, name = (name or "gate." .. callee):match "^%S+", place = at }
end

--- Refuses what stands behind the arguments that a declaration takes: it would be lost, be it a
--- guard.
---@param declaration moongate.Declaration
---@param most integer
---@param ... any all arguments
function Load:refuse_more(declaration, most, ...)
  for i = most + 1, select("#", ...) do
    if select(i, ...) ~= nil then
      self:add(mistake.new(declaration.place, {
        name = declaration.name, expected = "a call for each",
        message = ("%s takes %s, not %d"):format(declaration.name,
          most == 1 and "1 argument" or most .. " arguments", i),
      }))
      return
    end
  end
end

--- Whether a file is the user's.
---@param file string
---@return boolean
function Load:is_of_user(file)
  if self.known[file] == nil then self.known[file] = self.host.read(file) ~= nil end
  return self.known[file]
end

--- The tokens of a user's file, read once. They take a multiple of the text's memory, so that a
--- load without mistakes does without them where it can.
---@param file string
---@return moongate.Tokens|nil
function Load:tokens_of(file)
  if self.tokens[file] == nil then
    local text = self.host.read(file)
    self.tokens[file] = text and source.tokens(text) or false
  end
  return self.tokens[file] or nil
end

--- Where in a data file a spot stands, or nil when it is not in data.
---@param spot moongate.Spot
---@return { file: string, pointer: string }|nil
local function data_place(spot)
  local below = {}
  while spot and spot.holder do
    local origin = data.origin(spot.holder)
    local pointer = data.pointer(origin and origin.pointer or "", spot.key, spot.holder)
    if origin then
      return { file = origin.file, pointer = pointer .. table.concat(below) }
    end
    table.insert(below, 1, pointer)
    spot = spot.parent
  end
end

--- Where a spot stands: in data, at its own line in the source, or at the line of the call.
---@param declaration moongate.Declaration
---@param spot moongate.Spot
---@return { file: string, line?: integer, pointer?: string }
function Load:locate(declaration, spot)
  local in_data = data_place(spot)
  if in_data then return in_data end
  local at = declaration.place
  -- The argument itself stands at the call.
  if not spot.parent.parent and at.line > 0 then return { file = at.file, line = at.line } end
  local tokens = self:tokens_of(at.file)
  local line = tokens and source.find(tokens, at.line, declaration.callee, spot:path())
  return { file = at.file, line = line or at.line }
end

--- The spot of an argument of a declaration; mistakes reported there join the list.
---@param declaration moongate.Declaration
---@param argument integer
---@return moongate.Spot
function Load:spot(declaration, argument)
  local root = schema.spot {
    callee = declaration.name,
    report = function(spot, parts)
      self:add(mistake.new(self:locate(declaration, spot), parts))
    end,
    locate = function(spot) return self:locate(declaration, spot) end,
  }
  return root:at(argument)
end

--- Adds a mistake to the list.
---@param made moongate.Mistake
function Load:add(made)
  self.mistakes[#self.mistakes + 1] = made
end

--- "gateway.lua:5" or "routes.json /3": where a declaration stands, for logs and tools.
---@param at { file: string, line?: integer, pointer?: string }
---@return string
function M.at(at)
  if at.pointer then return at.file .. " " .. at.pointer end
  return ("%s:%d"):format(at.file, at.line or 0)
end

--- The mistakes so far, with the error that ended the load, in order and without repeats.
---@param err any the uncaught error, or nil
---@return moongate.Mistake[]
function Load:all_mistakes(err)
  if err ~= nil then
    self:add(self.raised[err] or mistake.from_error(err, self.host.file))
  end
  return mistake.merge(self.mistakes)
end

--- Ends the load: declarations raise from now on, and what only mistakes needed is let go.
function Load:close()
  self.open, self.tokens, self.known, self.raised, self.policy_of = false, {}, {}, {}, {}
end

return M
