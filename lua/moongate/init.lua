--- Builds the table that scripts get from `require "moongate"`: the declarations, and the
--- functions of the runtime. One table a load.

local data = require "moongate.data"
local emit = require "moongate.emit"
local every = require "moongate.declare.every"
local fields = require "moongate.declare.fields"
local handed = require "moongate.declare.handed"
local json = require "moongate.json"
local limits = require "moongate.declare.limits"
local listen = require "moongate.declare.listen"
local load_state = require "moongate.declare.load"
local mistake = require "moongate.declare.mistake"
local place = require "moongate.declare.place"
local policy = require "moongate.declare.policy"
local process = require "moongate.declare.process"
local route = require "moongate.declare.route"
local shared = require "moongate.declare.shared"
local strict = require "moongate.declare.strict"
local upstream = require "moongate.declare.upstream"

local M = {}

--- Declarations of the language that this build does not have. They are reported, and the load
--- goes on.
local LATER_DECLARATIONS = { "cache", "tenant" }

--- How many arguments the declarations take.
local TAKES = {
  listen = 1, upstream = 2, upstreams = 1, route = 1, routes = 1, use = 1, limits = 1, process = 1,
  data = 1, shared = 2, every = 3,
}

--- Wraps a declaration, so that a call with a colon, or with too much, says what is wrong with it.
local function dotted(load, gate, name, declare)
  return function(first, ...)
    if first == gate then
      load:raise {
        name = name, expected = "gate." .. name,
        message = ("gate.%s is called with a dot, not with a colon"):format(name),
      }
    end
    if select("#", ...) >= TAKES[name] then
      load:refuse_more(load:declare(name), TAKES[name], first, ...)
    end
    return declare(load, first, ...)
  end
end

--- `gate.data(name)`: plain tables of a JSON file; {} after a mistake, so that the load goes on.
local function declare_data(load, name)
  local declaration = load:declare("data")
  local spot = load:spot(declaration, 1)
  if type(name) ~= "string" or not name:find("^[%w_.-]+$") then
    spot:unexpected(name, "the name of a data file without .json")
    return {}
  end
  local text, file, why = data.find(load.host, name)
  if why then
    spot:fail {
      name = name, expected = "a file that can be read",
      message = ("data '%s' cannot be read: %s"):format(name, why),
    }
    return {}
  end
  if not text then
    local files = table.concat(data.files(name), " or ")
    spot:fail {
      name = name, expected = files,
      message = ("there is no data '%s' (no file %s)"):format(name, files),
    }
    return {}
  end
  local value, err = data.decode(text, file)
  if not err then
    handed.note(load, declaration, name, text, value)
    return value
  end
  local at = { file = file, line = err.line }
  load:add(mistake.new(at, { expected = "JSON", message = err.message }))
  return {}
end

--- A declaration that this build does not have.
local function declare_later(load, name)
  local declaration = load:declare(name)
  load:add(mistake.new(declaration.place, strict.missing("gate", name, fields.KINDS.gate)))
end

--- `gate.upstreams`: declares when it is called, and has `get(name)`.
local function upstreams_table(load, gate)
  local t = {
    --- The upstream of a name, or nil. Legal at load and later.
    get = function(name)
      if type(name) ~= "string" then
        place.misuse("gate.upstreams.get", "the name of an upstream", name)
      end
      if not load.open and load.host.upstream then return load.host.upstream(name) end
      local entry = load.upstream_by_name[name]
      load.asked[name] = entry ~= nil
      return entry and entry.object
    end,
  }
  return strict.table(t, "gate.upstreams", {
    raise = function(parts) load:raise(parts) end,
    call = function(_, list, ...)
      return dotted(load, gate, "upstreams", upstream.declare_many)(list, ...)
    end,
  })
end

--- `gate.json`: what scripts see of the JSON module.
local function public_json()
  local public = { null = json.null }
  for name, needs in pairs { encode = "a value", decode = "a string", array = "a table" } do
    local fn = json[name]
    public[name] = function(value)
      if value == public then place.misuse("gate.json." .. name, needs, value) end
      return fn(value)
    end
  end
  return strict.table(public, "gate.json")
end

---@param load moongate.Load
---@return table gate
local function build(load)
  local gate = { json = public_json(), on = policy.on(load) }
  for name, value in pairs(load.host.runtime or {}) do gate[name] = value end
  local declarations = {
    listen = listen.declare, upstream = upstream.declare, route = route.declare,
    routes = route.declare_many, use = policy.use, limits = limits.declare,
    process = process.declare, data = declare_data, shared = shared.declare,
    every = every.declare,
  }
  for name, declare in pairs(declarations) do gate[name] = dotted(load, gate, name, declare) end
  for _, name in ipairs(LATER_DECLARATIONS) do
    gate[name] = function() declare_later(load, name) end
  end
  gate.upstreams = upstreams_table(load, gate)
  return strict.table(gate, "gate", {
    names = fields.KINDS.gate, raise = function(parts) load:raise(parts) end,
  })
end

---@class moongate.Loading
---@field finish fun(err?: any): moongate.Output|nil, moongate.Mistake[]

--- Makes the `gate` table of one load, and what ends the load. After `finish` declarations raise.
---@param host moongate.Host
---@return table gate
---@return moongate.Loading
function M.new(host)
  local load = load_state.new(host)
  local loading = {}

  --- Ends the load: the output, or nil and the mistakes.
  ---@param err any the uncaught error value that ended the file, as it was raised
  function loading.finish(err)
    if load.open and err == nil then route.resolve(load) end
    local mistakes = load:all_mistakes(err)
    load:close()
    if #mistakes > 0 then return nil, mistakes end
    local output = emit.output(load)
    load.data_calls = {}
    return output, mistakes
  end

  return build(load), loading
end

return M
