--- `gate.shared(name, { bytes = … })`: declares a dictionary; without options gives one that was
--- declared.

local load_state = require "moongate.declare.load"
local mistake = require "moongate.declare.mistake"
local nearest = require "moongate.nearest"
local schema = require "moongate.schema"

local M = {}

local NAME = schema.word(64)

local OPTIONS = schema.record("gate.shared", {
  bytes = schema.with(schema.size(16 * 1024, 64 * 1024 ^ 3), { default = 64 * 1024 ^ 2 }),
})

--- The dictionary of a name.
local function find(load, name)
  local entry = load.shared_by_name[name]
  if entry then return entry.object end
  if type(name) ~= "string" then
    load:raise {
      name = tostring(name), expected = "a name",
      message = "gate.shared needs the name of a dictionary, not a " .. type(name),
    }
  end
  local near = nearest.find(name, load.shared_by_name)
  load:raise {
    name = name, expected = "a dictionary that was declared", nearest = near,
    message = ("there is no dictionary '%s'%s; gate.shared(name, { bytes = \"64m\" }) declares one")
      :format(name, mistake.hint(near)),
  }
end

--- What stands for a dictionary that could not be made, so that the load can go on.
local function broken() return {} end

local function add(load, name, bytes, spot, at)
  local first = load.shared_by_name[name]
  if first then
    spot:fail {
      name = name, expected = "a name of its own",
      message = ("the dictionary '%s' is declared twice (first at %s)"):format(name, first.at),
    }
    return first.object
  end
  local object, errno = load.host.dictionary(name, bytes)
  if not object then
    spot:fail {
      name = name, expected = "memory",
      message = ("the dictionary '%s' cannot be made (system error %d)"):format(name, errno),
    }
    return broken()
  end
  load.shared[#load.shared + 1] = { name = name, bytes = bytes, at = at }
  load.shared_by_name[name] = { object = object, at = at }
  return object
end

--- Declares a dictionary, legal only at load; without options gives the one of that name, at any
--- time. Example: `gate.shared("counters", { bytes = "1m" })`.
---@param load moongate.Load
---@param name string
---@param options? { bytes?: integer|string }
---@return moongate.Dictionary
function M.declare(load, name, options)
  if options == nil then return find(load, name) end
  local declaration = load:declare("shared", "gate.shared with options")
  local spot = load:spot(declaration, 1)
  local good = NAME:check(name, spot)
  local result = OPTIONS:check(options, load:spot(declaration, 2))
  if not good or not result then return broken() end
  return add(load, good, result.bytes, spot, load_state.at(declaration.place))
end

return M
