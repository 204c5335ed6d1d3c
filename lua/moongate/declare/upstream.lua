--- `gate.upstream(name, options)` and `gate.upstreams(list)`, and the upstream objects that
--- scripts hold.

local handed = require "moongate.declare.handed"
local language = require "moongate.declare.fields"
local load_state = require "moongate.declare.load"
local place = require "moongate.declare.place"
local schema = require "moongate.schema"
local strict = require "moongate.declare.strict"
local tls = require "moongate.declare.tls"
local units = require "moongate.units"

local M = {}

-- Objects -----------------------------------------------------------------------------------------

--- What belongs to each object. It is not in the object, where scripts could change it for all.
---@type table<moongate.Upstream, string>
local names = setmetatable({}, { __mode = "k" })
---@type table<moongate.Upstream, integer>
local ordinals = setmetatable({}, { __mode = "k" })

---@class moongate.Upstream
---@field name string
local Upstream = {}

--- The metatable of upstream objects: `getmetatable(x) == Upstream` tells one.
M.Upstream = Upstream

--- Makes an upstream object.
---@param name string
---@param ordinal integer from 0, in declared order
---@return moongate.Upstream
function M.new(name, ordinal)
  local object = setmetatable({}, Upstream)
  names[object], ordinals[object] = name, ordinal
  return object
end

--- By what the engine knows an upstream.
---@param object moongate.Upstream
---@return integer
function M.ordinal(object)
  return ordinals[object]
end

function Upstream.__index(self, key)
  if key == "name" then return names[self] end
  local what = "upstream '" .. names[self] .. "'"
  place.raise(strict.missing(what, key, language.KINDS.upstream).message)
end

function Upstream.__newindex(_, key)
  place.raise(("an upstream cannot be changed (field '%s')"):format(tostring(key)))
end

function Upstream:__tostring()
  return "upstream '" .. self.name .. "'"
end

-- Schema ------------------------------------------------------------------------------------------

local SERVER_FORMS = 'a server such as "127.0.0.1:9001" or "unix:/path"'
local SERVER_ADDRESS = schema.custom(SERVER_FORMS, function(value)
  local address, why = units.address(value)
  if not address then return nil, why end
  if address.kind == "tcp" and address.host == "" then return nil, "the host is missing" end
  if address.port == 0 then return nil, "port 0 is no server's" end
  return value
end)

local SERVER = schema.record("a server", {
  [1] = SERVER_ADDRESS,
  address = SERVER_ADDRESS, -- the same by name: JSON has no table with both
  weight = schema.with(schema.integer(1, 65535), { default = 1 }),
  max_connections = schema.with(schema.integer(1, 2 ^ 31 - 1), { default = 0 }),
  backup = schema.with(schema.boolean(), { default = false }),
  zone = schema.with(schema.custom("a string", function(value)
    return type(value) == "string" and value or nil
  end), { default = "" }),
  down = schema.with(schema.boolean(), { default = false }),
})

--- A server is an address, or a table that begins with one.
local SERVER_ITEM = {
  expected = SERVER_ADDRESS.expected,
  check = function(_, value, spot)
    if type(value) == "string" then
      local address = SERVER_ADDRESS:check(value, spot)
      return address and SERVER:check({ address }, spot)
    end
    if type(value) ~= "table" then return spot:unexpected(value, SERVER_ADDRESS.expected) end
    local server, meant = SERVER:check(value, spot)
    server[1] = server[1] or server.address
    if value[1] == nil and value.address == nil and not meant.address then
      spot:fail {
        name = "address", expected = SERVER_ADDRESS.expected,
        message = ("a server needs an address (%s)"):format(SERVER_ADDRESS.expected),
      }
    end
    return server
  end,
}

--- The fields of `timeouts`, also used by routes. Without defaults: a route gives only what
--- differs. 0 is none, but a connect ends some time.
local PERHAPS = schema.duration { zero = true }
M.TIMEOUTS = {
  connect = schema.duration(),
  send = PERHAPS, first_byte = PERHAPS, read = PERHAPS, total = PERHAPS,
}

-- What `first_byte` and `read` are when they are not given depends on the request (gRPC has none).
local TIMEOUT_DEFAULTS = { connect = 5000, send = 60000, total = 0 }

local function timeouts_with_defaults()
  local fields = {}
  for name, kind in pairs(M.TIMEOUTS) do
    fields[name] = schema.with(kind, { default = TIMEOUT_DEFAULTS[name] })
  end
  return schema.record("timeouts", fields)
end

--- What may be tried again: failures by name, answers by status ("503", or the number).
local RETRY_ON = schema.enum { "connect", "reset", "timeout" }
local RETRY_ITEM = {
  expected = 'connect, reset, timeout or a status such as "503"',
  check = function(self, value, spot)
    local text = type(value) == "number" and ("%.14g"):format(value) or value
    if type(text) ~= "string" then return spot:unexpected(value, self.expected) end
    if not text:find("^%d") then return RETRY_ON:check(value, spot) end
    if not text:find("^[45]%d%d$") then return spot:unexpected(value, self.expected) end
    return text
  end,
}

local BUDGET = schema.custom("a share from 0 to 1", function(value)
  if type(value) == "number" and value >= 0 and value <= 1 then
    return math.floor(value * 100 + 0.5)
  end
end)

local KEEPALIVE = schema.record("keepalive", {
  idle = schema.with(schema.integer(0, 65535), { default = 64 }),
  idle_timeout = schema.with(schema.duration(), { default = 60000 }),
  max_requests = schema.with(schema.integer(1, 2 ^ 31 - 1), { default = 0 }),
  max_age = schema.with(schema.duration(), { default = 0 }),
  warm = schema.later(),
})

local RETRY = schema.record("retry", {
  tries = schema.with(schema.integer(1, 10), { default = 2 }),
  on = schema.with(schema.list(RETRY_ITEM), { default = { "connect", "reset" } }),
  budget = schema.with(BUDGET, { default = 20 }),
  per_try = schema.later(),
  backoff = schema.later(),
})

local BALANCE = {
  expected = "a balancing algorithm",
  named = schema.enum({ "round_robin", "least_requests" },
    { "random_two", "ewma", "ring_hash", "maglev", "source_ip", "sticky" }),
  check = function(self, value, spot)
    if type(value) == "function" then return value end
    return self.named:check(value, spot)
  end,
}

local HTTP2 = schema.custom('true, false or "auto"', function(value)
  if value == "auto" then return "auto" end
  if type(value) == "boolean" then return value and "always" or "never" end
end)

--- What an absent table of options stands for: the same table with its defaults.
local function defaults_of(record)
  return record:check({}, schema.spot { report = error })
end

local TIMEOUTS = timeouts_with_defaults()

local OPTIONS = {
  servers = schema.with(schema.list(SERVER_ITEM, { min = 1 }), { required = true }),
  balance = schema.with(BALANCE, { default = "round_robin" }),
  host = schema.with(schema.enum { "client", "peer", "name" }, { default = "client" }),
  forwarded = schema.with(schema.enum { "x", "rfc7239", "both", "none" }, { default = "x" }),
  proxy_protocol = schema.with(schema.enum { "none", "v1", "v2" }, { default = "none" }),
  http2 = HTTP2,
  keepalive = schema.with(KEEPALIVE, { default = defaults_of(KEEPALIVE) }),
  timeouts = schema.with(TIMEOUTS, { default = defaults_of(TIMEOUTS) }),
  retry = schema.with(RETRY, { default = defaults_of(RETRY) }),
  tls = schema.with(tls.CLIENT, { default = false }),
}
for _, name in ipairs {
  "hash_key", "bounded_load", "health", "outlier", "max_connections", "max_requests", "queue",
  "slow_start",
} do
  OPTIONS[name] = schema.later()
end

local NAME = schema.word(128)

local UPSTREAM = schema.record("gate.upstream", OPTIONS)

local ENTRY = (function()
  local fields = { name = schema.with(NAME, { required = true }) }
  for name, kind in pairs(OPTIONS) do fields[name] = kind end
  return schema.record("an upstream", fields)
end)()

-- Declarations ------------------------------------------------------------------------------------

--- What only two options together get wrong.
local function check_together(options, spot, given)
  if not tls.settle_protocols(options) then
    spot:at("http2", given):fail {
      name = "http2",
      expected = 'true for alpn = { "h2" }, "auto" for { "h2", "http/1.1" }, else false',
      message = "'http2' and 'tls.alpn' contradict each other",
    }
  end
  if not tls.names_servers(options) then
    spot:at("tls", given):fail {
      name = "server_name", expected = "server_name",
      message = "'tls' needs 'server_name': a server at a Unix socket has no name to verify",
    }
  end
end

--- Adds an upstream that was checked. A name that exists is a mistake, but gets an object too, so
--- that the load can go on.
local function add(load, name, options, spot, at, from_data)
  local first = name and load.upstream_by_name[name]
  if first then
    spot:fail {
      name = name, expected = "a name of its own",
      message = ("the upstream '%s' is declared twice (first at %s)"):format(name, first.at),
    }
    return first.object
  end
  local object = M.new(name or "?", #load.upstreams)
  local entry = {
    object = object, name = object.name, options = options, at = at, from_data = from_data,
  }
  load.upstreams[#load.upstreams + 1] = entry
  if name then load.upstream_by_name[name] = entry end
  return object
end

--- Declares an upstream. Legal only at load.
--- Example: `gate.upstream("shop", { servers = { "127.0.0.1:9001" } })`.
---@param load moongate.Load
---@param name string
---@param options table
---@return moongate.Upstream
function M.declare(load, name, options)
  local declaration = load:declare("upstream")
  local name_spot = load:spot(declaration, 1)
  local good = NAME:check(name, name_spot)
  local spot = load:spot(declaration, 2)
  local result = UPSTREAM:check(options, spot)
  if result then check_together(result, spot, options) end
  return add(load, good, result, name_spot, load_state.at(declaration.place))
end

--- The entries of `gate.upstreams`: a list of tables with `name`, or a table of name to options.
local function entries_of(value)
  if type(value) ~= "table" or value[1] ~= nil then return value end
  local list = {}
  for name in pairs(value) do list[#list + 1] = tostring(name) end
  table.sort(list, function(a, b) return a < b end)
  return list
end

--- Declares many upstreams: entries are plain data, each with its `name`; or a table of name to
--- options. Legal only at load. Example: `gate.upstreams(gate.data "upstreams")`.
---@param load moongate.Load
---@param list table
function M.declare_many(load, list)
  local declaration = load:declare("upstreams")
  local spot = load:spot(declaration, 1)
  if type(list) ~= "table" then
    spot:unexpected(list, "a list of upstreams")
    return
  end
  local by_name = list[1] == nil
  local from_data = handed.take(load, declaration, list)
  for i, key in ipairs(entries_of(list)) do
    local entry = spot:at(by_name and key or i, list)
    local here = entry
    local name, options
    if by_name then
      name, options = NAME:check(key, here), UPSTREAM:check(list[key], here)
    else
      options = ENTRY:check(list[i], entry)
      name = options and options.name
      here = options and here:at("name", list[i]) or here
    end
    if options then check_together(options, entry, by_name and list[key] or list[i]) end
    add(load, name, options, here, load_state.at(entry:place()), from_data)
  end
end

return M
