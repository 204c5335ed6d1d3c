--- `gate.route { … }` and `gate.routes(list)`.

local answer = require "moongate.declare.answer"
local handed = require "moongate.declare.handed"
local http = require "moongate.declare.http"
local json = require "moongate.json"
local load_state = require "moongate.declare.load"
local mistake = require "moongate.declare.mistake"
local nearest = require "moongate.nearest"
local pattern = require "moongate.declare.pattern"
local policy = require "moongate.declare.policy"
local schema = require "moongate.schema"
local units = require "moongate.units"
local upstream = require "moongate.declare.upstream"

local M = {}

local ACTIONS = { "upstream", "reply", "handler", "redirect" }

-- Types of single options -------------------------------------------------------------------------

local HOST = schema.custom('a host such as "example.com" or "*.example.com"', function(value)
  if type(value) ~= "string" then return nil end
  -- The port of a Host header does not count, so neither does one written here.
  local host = value:lower():gsub(":%d+$", ""):gsub("%.$", "")
  if host:find("^%[.*%]$") then
    return units.ip_kind(host:sub(2, -2)) == "ipv6" and host or nil
  end
  if not units.is_hostname((host:gsub("^%*%.", ""))) then return nil end
  return host
end)

local PATH_FORMS = 'a path such as "/a/", "/a", "/users/:id" or "/files/*rest"'
local PATH = schema.custom(PATH_FORMS, function(value)
  local parsed, why = pattern.parse(value)
  if not parsed then return nil, why end
  return { text = value, pattern = parsed }
end)

--- A matcher of a header or query argument: true (present) or its value.
local PRESENT = schema.custom("true (present) or a string", function(value)
  if value == true or type(value) == "string" then return value end
end)

local HEADER_NAME = schema.custom("a header name", function(value)
  if http.is_token(value) then return value:lower() end
end)

local KNOWN_METHOD = {}
for _, method in ipairs(http.METHODS) do KNOWN_METHOD[method] = true end

--- A method that the gateway knows; it answers others itself, so that they never reach a route.
local METHOD = {
  expected = "a request method such as GET",
  check = function(self, value, spot)
    if KNOWN_METHOD[value] then return value end
    if type(value) ~= "string" then return spot:unexpected(value, self.expected) end
    local near = nearest.find(value, KNOWN_METHOD)
    return spot:fail {
      name = value, expected = self.expected, nearest = near,
      message = ("unknown method '%s'%s"):format(value, mistake.hint(near)),
    }
  end,
}

local UPGRADE = {
  expected = 'false, or a list of protocols such as { "websocket" }',
  protocols = schema.list(schema.custom("a protocol name", function(value)
    if not http.is_token(value) then return nil end
    local name = value:lower()
    if name:find("^h2c?$") then return nil, "HTTP/2 is never tunnelled" end
    return name
  end)),
  check = function(self, value, spot)
    if value == false then return {} end
    if type(value) ~= "table" then return spot:unexpected(value, self.expected) end
    return self.protocols:check(value, spot)
  end,
}

local REWRITE = schema.custom('a path such as "/v2/*rest"', function(value)
  if type(value) ~= "string" or not value:find("^/") then return nil end
  if value:find("[%c%s?#]") then
    return nil, "a path has no spaces, '?' or '#'; the query is kept"
  end
  return value
end)

local UPSTREAM = {
  expected = "an upstream: what gate.upstream gave, or its name",
  check = function(self, value, spot)
    if type(value) == "string" then return { name = value, spot = spot } end
    if getmetatable(value) == upstream.Upstream then return { name = value.name } end
    return spot:unexpected(value, self.expected)
  end,
}

--- Gives the place where it was demanded; else nothing, for routes may be very many.
local CLIENT_CERT = {
  expected = "true or false",
  check = function(self, value, spot)
    if type(value) ~= "boolean" then return spot:unexpected(value, self.expected) end
    return value and spot or nil
  end,
}

local FIELDS = {
  name = schema.name(),
  host = HOST,
  path = PATH,
  methods = schema.with(schema.list(METHOD, { min = 1 }), { default = {} }),
  headers = schema.with(schema.map(HEADER_NAME, PRESENT), { default = {} }),
  query = schema.with(schema.map(schema.text("a name"), PRESENT), { default = {} }),
  when = schema.func(),
  priority = schema.with(schema.integer(-1e6, 1e6), { default = 0 }),
  upstream = UPSTREAM,
  reply = answer.REPLY,
  handler = schema.func(),
  redirect = answer.REDIRECT,
  cache = schema.later(),
  rewrite = REWRITE,
  timeouts = schema.with(schema.record("timeouts", upstream.TIMEOUTS), { default = {} }),
  max_body = schema.with(schema.size(), { default = -1 }),
  upgrade = schema.with(UPGRADE, { default = { "websocket" } }),
  client_cert = CLIENT_CERT,
}

--- The schema of a route of this load: policies are added to the load as they are met.
---@param load moongate.Load
---@return moongate.Type
local function schema_for(load)
  if load.route_schema then return load.route_schema end
  local fields = {}
  for name, kind in pairs(FIELDS) do fields[name] = kind end
  fields.use = schema.with(schema.list {
    expected = "policies",
    check = function(_, value, spot) return policy.check(load, value, spot, true) end,
  }, { default = {} })
  load.route_schema = schema.record("gate.route", fields)
  return load.route_schema
end

-- Checks over several options ---------------------------------------------------------------------

--- Exactly one action; returns its name, or "none" after a report (also of a misspelt action).
local function action_of(given, spot, meant)
  local found = {}
  for _, action in ipairs(ACTIONS) do
    if given[action] ~= nil and given[action] ~= json.null then found[#found + 1] = action end
  end
  if #found == 1 then return found[1] end
  local expected = "exactly one of " .. table.concat(ACTIONS, ", ")
  if #found == 0 then
    for _, action in ipairs(ACTIONS) do
      if meant[action] then return "none" end
    end
    spot:fail { expected = expected, message = "a route needs " .. expected }
  else
    spot:at(found[2], given):fail {
      name = found[2], expected = expected,
      message = ("a route has %s; this one has %s"):format(expected, table.concat(found, " and ")),
    }
  end
  return "none"
end

--- Captures used by a template must be in the path.
local function check_template(template, option, route, given, spot)
  local parsed = route.path and route.path.pattern
  if given.path ~= nil and not parsed then return end
  local parts = pattern.check_template(template, parsed or { prefix = true, captures = {} })
  if not parts then return end
  parts.message = ("'%s': %s"):format(option, parts.message)
  spot:at(option, given):fail(parts)
end

local function check_name(load, route, given, spot)
  if not route.name then return end
  local first = load.route_names[route.name]
  if first then
    spot:at("name", given):fail {
      name = route.name, expected = "a name of its own",
      message = ("the route name '%s' is used twice (first at %s)"):format(route.name, first),
    }
  end
  load.route_names[route.name] = route.at
end

--- Checks one route and adds it to the load.
local function add(load, given, spot, from_data)
  load.route_names = load.route_names or {}
  local route, meant = schema_for(load):check(given, spot)
  if not route then return end
  route.at = load_state.at(spot:place())
  route.action = action_of(given, spot, meant)
  check_name(load, route, given, spot)
  if route.rewrite then check_template(route.rewrite, "rewrite", route, given, spot) end
  if route.redirect then check_template(route.redirect.to, "redirect", route, given, spot) end
  load.routes[#load.routes + 1] = route
  route.from_data = from_data
  if from_data and given.use then load.data_uses[#load.data_uses + 1] = given.use end
end

-- Declarations ------------------------------------------------------------------------------------

--- Declares a route. Legal only at load.
--- Example: `gate.route { path = "/api/", upstream = shop }`.
---@param load moongate.Load
---@param options table
function M.declare(load, options)
  local declaration = load:declare("route")
  add(load, options, load:spot(declaration, 1))
end

--- Declares many routes: entries are plain data. Legal only at load.
--- Example: `gate.routes(gate.data "routes")`.
---@param load moongate.Load
---@param list table
function M.declare_many(load, list)
  local declaration = load:declare("routes")
  local spot = load:spot(declaration, 1)
  if type(list) ~= "table" then
    spot:unexpected(list, "a list of routes")
    return
  end
  local from_data = handed.take(load, declaration, list)
  for i, entry in ipairs(list) do add(load, entry, spot:at(i, list), from_data) end
  for key in pairs(list) do
    if type(key) ~= "number" then
      spot:at(key, list):fail {
        name = tostring(key), expected = "a list of routes",
        message = ("gate.routes takes a list of routes, got the key '%s'"):format(tostring(key)),
      }
    end
  end
end

--- Whether some listener asks clients for certificates.
local function asks_clients(load)
  for _, listener in ipairs(load.listeners) do
    if listener.tls and listener.tls.client_auth ~= "none" then return true end
  end
  return false
end

--- After the file ran: upstreams that routes name must exist, and what they demand of clients must
--- be asked.
---@param load moongate.Load
function M.resolve(load)
  local asks = asks_clients(load)
  for _, route in ipairs(load.routes) do
    if route.client_cert and not asks then
      route.client_cert:fail {
        name = "client_cert", expected = "a listener that asks for certificates",
        message = "'client_cert' needs a listener whose 'tls' has 'client_ca'",
      }
    end
    local named = route.upstream
    if named and named.spot and not load.upstream_by_name[named.name] then
      local near = nearest.find(named.name, load.upstream_by_name)
      named.spot:fail {
        name = named.name, expected = "the name of an upstream", nearest = near,
        message = ("there is no upstream '%s'%s"):format(named.name,
          near and mistake.hint(near) or "; gate.upstream(name, { servers = ... }) declares one"),
      }
    end
  end
end

return M
