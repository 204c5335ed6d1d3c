--- `req.peer` and `req.upstream`: where the request goes, or went.

local engine = require "moongate.engine"
local ffi = require "ffi"
local upstream = require "moongate.declare.upstream"
local view = require "moongate.view"

local M = {}

local api, vm, io, fail = engine.api, engine.vm, engine.io, engine.fail
local C = ffi.C

local make, Peer = view.maker("req.peer", {
  "address", "host", "port", "weight", "zone", "healthy", "draining", "active", "requests",
  "latency",
})

--- The metatable of peers.
M.Peer = Peer

local function text(id, serial, field)
  local r = api.text(vm, id, serial, field)
  if r < 0 then fail(r) end
  return r == 1 and ffi.string(io.p, io.n) or nil
end

local function number(id, serial, field)
  local r = api.number(vm, id, serial, field)
  if r < 0 then fail(r) end
  return r == 1 and io.number or nil
end

local peers_type = ffi.typeof("const struct gate_peer_view *")

local function of_view(v)
  return make {
    address = ffi.string(v.address, v.address_n), host = ffi.string(v.host, v.host_n),
    zone = ffi.string(v.zone, v.zone_n), port = v.port, weight = v.weight,
    healthy = v.healthy ~= 0, draining = false, active = v.active, requests = v.requests,
    latency = v.latency,
  }
end

--- The peers for a balance hook: those that may take this request, and `all` of them.
---@param id integer
---@param serial integer
---@return table[]
function M.list(id, serial)
  local r = api.peers(vm, id, serial)
  if r < 0 then fail(r) end
  local v, n = ffi.cast(peers_type, io.p), io.n
  local list, all = {}, {}
  for i = 0, n - 1 do
    local one = of_view(v[i])
    all[i + 1] = one
    if v[i].may ~= 0 then list[#list + 1] = one end
  end
  list.all = all
  return list
end

--- Makes a peer, or one's address, the choice of a balance hook. False: it is neither.
---@param id integer
---@param serial integer
---@param value any
---@return boolean
---@return string|nil why what is wrong with it
function M.use(id, serial, value)
  local address = value
  if type(value) == "table" and debug.getmetatable(value) == Peer then address = value.address end
  if type(address) ~= "string" then return false end
  local r = api.peer_use(vm, id, serial, address, #address)
  if r < 0 then fail(r) end
  if r == 0 then return false, ("the upstream has no peer '%s'"):format(address) end
  return true
end

--- The peer of the present or last try; nil before the first.
---@param id integer
---@param serial integer
---@return table|nil
function M.of(id, serial)
  local address = text(id, serial, C.GATE_TEXT_PEER_ADDRESS)
  if not address then return nil end
  return make {
    address = address,
    host = text(id, serial, C.GATE_TEXT_PEER_NAME),
    port = number(id, serial, C.GATE_NUMBER_PEER_PORT),
    weight = number(id, serial, C.GATE_NUMBER_PEER_WEIGHT),
    zone = text(id, serial, C.GATE_TEXT_PEER_ZONE) or "",
    healthy = number(id, serial, C.GATE_NUMBER_PEER_HEALTHY) == 1,
    draining = false,
    active = number(id, serial, C.GATE_NUMBER_PEER_ACTIVE),
    requests = number(id, serial, C.GATE_NUMBER_PEER_REQUESTS),
    latency = number(id, serial, C.GATE_NUMBER_PEER_LATENCY),
  }
end

--- Upstream objects by ordinal; those of the gateway file, and what data brought since.
---@type table<integer, table>
M.upstreams = {}

--- The object of an upstream, made when it is new.
local function object_of(ordinal, name)
  local object = M.upstreams[ordinal]
  if not object then
    object = upstream.new(name, ordinal)
    M.upstreams[ordinal] = object
  end
  return object
end

--- The upstream that the request takes; nil when there is none, or not yet.
---@param id integer
---@param serial integer
---@return table|nil
function M.upstream_of(id, serial)
  local ordinal = number(id, serial, C.GATE_NUMBER_UPSTREAM)
  if not ordinal then return nil end
  return M.upstreams[ordinal] or object_of(ordinal, text(id, serial, C.GATE_TEXT_UPSTREAM))
end

--- The upstream of a name, or nil when no generation has it that this VM serves.
---@param name any
---@return table|nil
function M.upstream_named(name)
  if type(name) ~= "string" or api.upstream_find(vm, name, #name) ~= 1 then return nil end
  return object_of(io.number, name)
end

return M
