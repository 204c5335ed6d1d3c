--- `gate.listen { address, … }`.

local load_state = require "moongate.declare.load"
local schema = require "moongate.schema"
local tls = require "moongate.declare.tls"
local units = require "moongate.units"

local M = {}

--- A listener's address, as it was written.
local ADDRESS_FORMS = 'an address such as ":8080", "127.0.0.1:8080" or "unix:/path"'
local ADDRESS = schema.custom(ADDRESS_FORMS, function(value)
  local address, why = units.address(value)
  if not address then return nil, why end
  local host = address.host
  if host ~= "" and host ~= "localhost" and not units.ip_kind(host) then
    return nil, "a listener's host is an IP address or localhost"
  end
  return value
end)

--- Permission bits of a Unix socket, written in octal as for chmod.
local MODE = schema.custom('octal permissions such as "0660"', function(value)
  if type(value) == "string" and value:find("^0?[0-7][0-7][0-7]$") then
    return tonumber(value, 8)
  end
end)

--- Whom to believe: addresses and blocks, or the clients of Unix sockets.
local TRUST = schema.custom('an address block such as "10.0.0.0/8", or "unix:"', function(value)
  if value == "unix:" or units.is_cidr(value) then return value end
end)

local LISTEN = schema.record("gate.listen", {
  [1] = schema.with(ADDRESS, { required = true }),
  trust = schema.with(schema.list(TRUST), { default = {} }),
  mode = schema.with(MODE, { default = -1 }),
  backlog = schema.with(schema.integer(1, 65535), { default = 0 }),
  half_close = schema.with(schema.boolean(), { default = false }),
  tls = tls.SERVER,
  http2 = schema.with(schema.boolean(), { default = false }),
  proxy_protocol = schema.with(schema.boolean(), { default = false }),
})

-- Hosts that stand for all addresses, of both families or of IPv4.
local ALL, ALL_IPV4 = { [""] = true, ["::"] = true }, "0.0.0.0"

--- Whether the system would refuse the second one.
local function overlap(a, b)
  if a.kind ~= "tcp" or b.kind ~= "tcp" or a.port ~= b.port then return false end
  if ALL[a.host] or ALL[b.host] then return true end
  local ipv4 = not (a.host .. b.host):find(":", 1, true)
  return ipv4 and (a.host == ALL_IPV4 or b.host == ALL_IPV4)
end

--- What only two options together, or two listeners together, get wrong.
---@param load moongate.Load
---@param spot moongate.Spot
---@param options table
---@param given table
local function check_together(load, spot, options, given)
  local address = options[1] and units.address(options[1])
  if not address then return end
  if options.mode ~= -1 and address.kind ~= "unix" then
    spot:at("mode", given):fail {
      name = "mode", expected = "a Unix socket's address",
      message = "'mode' is for Unix sockets; this listener is " .. options[1],
    }
  end
  if options.proxy_protocol and #(options.trust or {}) == 0 then
    spot:at("proxy_protocol", given):fail {
      name = "proxy_protocol", expected = "trust",
      message = "'proxy_protocol' needs 'trust': the addresses of the proxies that send the header",
    }
  end
  if address.port == 0 then return end
  for _, other in ipairs(load.listeners) do
    local problem
    if other.address == options[1] then
      problem = "the address %s is declared twice (first at %s)"
    elseif overlap(address, units.address(other.address)) then
      problem = "the address %s overlaps with " .. other.address .. " (at %s)"
    end
    if problem then
      spot:at(1, given):fail {
        name = options[1], expected = "an address of its own",
        message = problem:format(options[1], other.at),
      }
    end
  end
end

--- Declares a listener. Legal only at load.
--- Example: `gate.listen { "127.0.0.1:8080" }`.
---@param load moongate.Load
---@param options table
function M.declare(load, options)
  local declaration = load:declare("listen")
  local spot = load:spot(declaration, 1)
  local result = LISTEN:check(options, spot)
  if not result then return end
  check_together(load, spot, result, options)
  if not result[1] then return end -- it was reported, and the next ones are compared with addresses
  load.listeners[#load.listeners + 1] = {
    address = result[1], trust = result.trust, mode = result.mode, backlog = result.backlog,
    half_close = result.half_close, http2 = result.http2,
    proxy_protocol = result.proxy_protocol, tls = result.tls,
    at = load_state.at(declaration.place),
  }
end

return M
