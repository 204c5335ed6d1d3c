--- What the declarations come to: canonical JSON for the engine, and the functions by ordinal.

local handed = require "moongate.declare.handed"
local json = require "moongate.json"
local limits = require "moongate.declare.limits"
local process = require "moongate.declare.process"

local M = {}

--- The version of the emitted form.
M.FORMAT = 1

--- A list as a JSON array, its items made by `make` when given.
---@param items table
---@param make? fun(item: any): any
---@return table
local function list(items, make)
  local result = {}
  for i, item in ipairs(items) do result[i] = make and make(item) or item end
  return json.array(result)
end

local function certificate(given)
  return {
    cert = given.cert, key = given.key, names = list(given.names), fallback = given.fallback,
    ocsp = given.ocsp,
  }
end

local function tls(given)
  return given and {
    certificates = list(given.certificates, certificate), min_version = given.min_version,
    client_ca = given.client_ca, client_auth = given.client_auth,
  }
end

local function listener(given)
  return {
    address = given.address, trust = list(given.trust), mode = given.mode, backlog = given.backlog,
    half_close = given.half_close, http2 = given.http2, proxy_protocol = given.proxy_protocol,
    tls = tls(given.tls),
    at = given.at,
  }
end

local function server(given)
  return {
    address = given[1], weight = given.weight, max_connections = given.max_connections,
    backup = given.backup, zone = given.zone, down = given.down,
  }
end

--- Adds the unit to each name: `connect` becomes `connect_ms`.
local function in_ms(given)
  local result = {}
  for name, ms in pairs(given) do result[name .. "_ms"] = ms end
  return result
end

local function tls_client(given)
  return given and {
    verify = given.verify, ca = given.ca or "", server_name = given.server_name or "",
    cert = given.cert or "", key = given.key or "", min_version = given.min_version,
    alpn = list(given.alpn),
  } or nil
end

local function upstream(entry)
  local o = entry.options
  return {
    name = entry.name, balance = type(o.balance) == "function" and "function" or o.balance,
    host = o.host, forwarded = o.forwarded, proxy_protocol = o.proxy_protocol, http2 = o.http2,
    servers = list(o.servers, server),
    keepalive = {
      idle = o.keepalive.idle, idle_timeout_ms = o.keepalive.idle_timeout,
      max_requests = o.keepalive.max_requests, max_age_ms = o.keepalive.max_age,
    },
    timeouts = in_ms(o.timeouts),
    retry = { tries = o.retry.tries, on = list(o.retry.on), budget_percent = o.retry.budget },
    tls = tls_client(o.tls),
    at = entry.at,
  }
end

local function policy(given)
  return {
    name = given.name, on_error = given.on_error, guards = given.guards, cpu_us = given.cpu_us,
    decode = given.decode,
    hooks = list(given.hooks),
  }
end

--- A header or query matcher: [name, value], or [name, null] when presence is enough.
local function matcher(pair)
  return json.array { pair[1], pair[2] == true and json.null or pair[2] }
end

local function pair_of(pair)
  return json.array { pair[1], pair[2] }
end

local function route(given)
  local result = {
    name = given.name or "", host = given.host or "", path = given.path and given.path.text or "",
    methods = list(given.methods), headers = list(given.headers, matcher),
    query = list(given.query, matcher), when = given.when ~= nil, priority = given.priority,
    action = given.action, rewrite = given.rewrite or "", use = list(given.use),
    timeouts = in_ms(given.timeouts), max_body = given.max_body, upgrade = list(given.upgrade),
    at = given.at,
  }
  if given.client_cert then result.client_cert = true end
  if given.action == "upstream" then result.upstream = given.upstream.name end
  if given.action == "redirect" then result.redirect = given.redirect end
  if given.action == "reply" then
    result.reply = {
      status = given.reply.status, body = given.reply.body,
      headers = list(given.reply.headers, pair_of),
    }
  end
  return result
end

local function timer(given)
  return { period_ms = given.period_ms, on_all = given.on_all, at = given.at }
end

--- Everything that was declared, with those routes and upstreams of which `keep` says so.
local function declared(load, keep)
  local function kept(entries)
    local result = {}
    for _, entry in ipairs(entries) do
      if keep(entry) then result[#result + 1] = entry end
    end
    return result
  end
  return {
    format = M.FORMAT,
    process = process.complete(load.process),
    limits = (function()
      local all = limits.complete(load.limits)
      all.outbound_allow, all.outbound_deny = list(all.outbound_allow), list(all.outbound_deny)
      return all
    end)(),
    listeners = list(load.listeners, listener),
    upstreams = list(kept(load.upstreams), upstream),
    policies = list(load.policies, policy),
    global = list(load.global),
    routes = list(kept(load.routes), route),
    shared = list(load.shared),
    timers = list(load.timers, timer),
  }
end

--- The canonical JSON of a load without mistakes: object keys sorted, all defaults filled in.
---@param load moongate.Load
---@return string
function M.text(load)
  return json.canonical(declared(load, function() return true end), true)
end

--- The part of it that code declared, and all that the file may know of data: two loads of which
--- this is the same differ at most in routes and upstreams that were handed over unchanged. Empty
--- when none were: then everything is code.
---@param load moongate.Load
---@return string
function M.code(load)
  if not handed.is_any(load) then return "" end
  local result = declared(load, function(entry) return not entry.from_data end)
  result.data, result.uses = handed.used(load), list(load.data_uses)
  result.asked = next(load.asked) and load.asked or json.null
  return json.canonical(result, true)
end

---@class moongate.Output
---@field json string
---@field code string "" when no data was handed over
---@field policies table[] in order; the ordinal is the index less one
---@field routes { when: table<integer, function>, handler: table<integer, function> } by ordinal
---@field upstreams table<string, moongate.Upstream>
---@field route_names string[] that the file gave
---@field balancers table<integer, function> by ordinal of the upstream
---@field timers function[] in order

--- Everything the engine and the hook runner need of a load without mistakes.
---@param load moongate.Load
---@return moongate.Output
function M.output(load)
  local routes, upstreams, names = { when = {}, handler = {} }, {}, {}
  for i, given in ipairs(load.routes) do
    names[#names + 1] = given.name
    routes.when[i - 1] = given.when
    routes.handler[i - 1] = given.handler
  end
  local balancers, timers = {}, {}
  for i, given in ipairs(load.timers) do timers[i] = given.fn end
  for i, entry in ipairs(load.upstreams) do
    upstreams[entry.name] = entry.object
    local balance = entry.options.balance
    if type(balance) == "function" then balancers[i - 1] = balance end
  end
  return {
    json = M.text(load), code = M.code(load), policies = load.policies, routes = routes,
    upstreams = upstreams, route_names = names, balancers = balancers, timers = timers,
  }
end

return M
