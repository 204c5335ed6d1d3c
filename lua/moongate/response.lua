--- `res`: the answer of one exchange, as hooks see it: a handle, as `req` is.

local body = require "moongate.body"
local engine = require "moongate.engine"
local ffi = require "ffi"
local handle = require "moongate.handle"
local headers = require "moongate.headers"
local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"
local trailers = require "moongate.trailers"

local M = {}

local api, vm, io, fail, raise = engine.api, engine.vm, engine.io, engine.fail, place.raise
local C = ffi.C

local split = handle.split
local STATUS, FROM = tonumber(C.GATE_NUMBER_STATUS), tonumber(C.GATE_TEXT_FROM)

local Response = {}

local get = {}

--- The status; may be set until the head is sent.
function get.status(self)
  local id, serial = split(self)
  local r = api.number(vm, id, serial, STATUS)
  if r < 0 then fail(r) end
  return io.number
end

local new_headers = headers.of_response

--- The header fields, edits included.
get.headers = new_headers

--- Where the answer came from: "upstream", "reply" or "fault".
function get.from(self)
  local id, serial = split(self)
  local r = api.text(vm, id, serial, FROM)
  if r < 0 then fail(r) end
  return ffi.string(io.p, io.n)
end

--- The fields behind the body, once they came.
function get.trailers(self)
  local id, serial = split(self)
  return trailers.read(id, serial, 1)
end

local function own(self, method)
  if not ffi.istype(M.Type, self) then
    raise(("res:%s is called with a colon, not with a dot"):format(method))
  end
end

local methods = {}

--- Reads the whole body, up to max bytes; waits for it.
---@param max integer|string bytes, or a size such as "1m"
---@return string|nil body
---@return moongate.Error|nil err too_large (nothing is lost), closed
function methods.read_body(self, max)
  own(self, "read_body")
  local id, serial = split(self)
  return body.read(id, serial, 1, max)
end

--- Replaces the body that goes to the client.
---@param bytes string
function methods.set_body(self, bytes)
  own(self, "set_body")
  local id, serial = split(self)
  body.set(id, serial, 1, bytes)
end

local NAMES = {}
for name in pairs(get) do NAMES[name] = true end
for name in pairs(methods) do NAMES[name] = true end
local LATER = { cache = true }

function Response.__index(self, key)
  if key == "headers" then return new_headers(self) end
  local getter = get[key]
  if getter then return getter(self) end
  local method = methods[key]
  if method then return method end
  raise(strict.missing("res", key, NAMES, LATER).message)
end

function Response.__newindex(self, key, value)
  if key == "status" then
    if type(value) ~= "number" or value % 1 ~= 0 then
      raise("res.status is a number from 200 to 599, not "
        .. (type(value) == "string" and ("'%s'"):format(value) or tostring(value)))
    end
    local id, serial = split(self)
    local r = api.status_set(vm, id, serial, value)
    if r ~= 1 then fail(r, "res.status") end
    return
  end
  if NAMES[key] then raise(("res.%s is read only"):format(key)) end
  raise(strict.missing("res", key, NAMES, LATER).message)
end

function Response.__tostring()
  return "response"
end

--- The type of response objects.
M.Type = handle.type("response", Response)

local Type, cast = M.Type, ffi.cast

--- The response object of the exchange that is being served; nil when there is no answer.
---@param id integer
---@param serial integer
---@return any|nil
function M.of(id, serial)
  local r = api.number(vm, id, serial, STATUS)
  if r < 0 then fail(r) end
  if io.number == 0 then return nil end
  return cast(Type, io.handle)
end

return M
