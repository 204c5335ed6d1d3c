--- `req.client`, and what `connect` hooks get: who is at the other end.

local engine = require "moongate.engine"
local ffi = require "ffi"
local handle = require "moongate.handle"
local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"
local view = require "moongate.view"

local M = {}

local api, vm, io, fail, raise = engine.api, engine.vm, engine.io, engine.fail, place.raise
local C, split = ffi.C, handle.split

local IP, PEER_IP = tonumber(C.GATE_TEXT_CLIENT_IP), tonumber(C.GATE_TEXT_PEER_IP)
local PORT = tonumber(C.GATE_NUMBER_CLIENT_PORT)
local VERIFIED = tonumber(C.GATE_NUMBER_TLS_VERIFIED)

local TLS = {
  version = tonumber(C.GATE_TEXT_TLS_VERSION), cipher = tonumber(C.GATE_TEXT_TLS_CIPHER),
  sni = tonumber(C.GATE_TEXT_TLS_SNI), alpn = tonumber(C.GATE_TEXT_TLS_ALPN),
  subject = tonumber(C.GATE_TEXT_TLS_SUBJECT), fingerprint = tonumber(C.GATE_TEXT_TLS_FINGERPRINT),
}

local NAMES = { ip = true, port = true, peer_ip = true, tls = true }

local Client = {}

local function number(self, field)
  local id, serial = split(self)
  local r = api.number(vm, id, serial, field)
  if r < 0 then fail(r) end
  return io.number
end

local function text(self, field)
  local id, serial = split(self)
  local r = api.text(vm, id, serial, field)
  if r < 0 then fail(r) end
  return r > 0 and ffi.string(io.p, io.n) or nil
end

local make_tls = view.maker("client.tls",
  { "version", "cipher", "sni", "alpn", "subject", "fingerprint", "verified" })

--- What the handshake agreed on; nil when the connection is plain.
local function tls(self)
  local version = text(self, TLS.version)
  return version and make_tls {
    version = version, cipher = text(self, TLS.cipher), sni = text(self, TLS.sni),
    alpn = text(self, TLS.alpn), subject = text(self, TLS.subject),
    fingerprint = text(self, TLS.fingerprint), verified = number(self, VERIFIED) == 1,
  }
end

function Client.__index(self, key)
  if key == "ip" then return text(self, IP) end
  if key == "peer_ip" then return text(self, PEER_IP) end
  if key == "port" then return number(self, PORT) end
  if key == "tls" then return tls(self) end
  raise(strict.missing("client", key, NAMES).message)
end

function Client.__newindex(_, key)
  raise(("client.%s is read only"):format(tostring(key)))
end

function Client.__tostring()
  return "client"
end

local Type, cast = handle.type("client", Client), ffi.cast

--- The client of an object's exchange.
---@param object any
---@return any client
function M.of(object)
  return cast(Type, object)
end

--- The client of a connection that has no request yet.
local make = view.maker("client", { "ip", "port", "peer_ip", "tls" })

--- The client that a `connect` hook is called for.
---@param call { p: any, n: integer, p2: any, n2: integer, id: integer } ip, peer ip and port
---@return table
function M.connecting(call)
  return make {
    ip = ffi.string(call.p, call.n), port = call.id, peer_ip = ffi.string(call.p2, call.n2),
  }
end

return M
