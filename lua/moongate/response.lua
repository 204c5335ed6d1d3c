--- `res`: the answer of one exchange, as hooks see it; kept in its request object.

local body = require "moongate.body"
local engine = require "moongate.engine"
local ffi = require "ffi"
local headers = require "moongate.headers"
local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"
local trailers = require "moongate.trailers"

local M = {}

local api, vm, io, fail, raise = engine.api, engine.vm, engine.io, engine.fail, place.raise
local C = ffi.C

local ID, SERIAL = 1, 2
local STATUS, FROM = tonumber(C.GATE_NUMBER_STATUS), tonumber(C.GATE_TEXT_FROM)

local Response = {}
M.Response = Response

local get = {}

--- The status; may be set until the head is sent.
function get.status(self)
  local r = api.number(vm, self[ID], self[SERIAL], STATUS)
  if r < 0 then fail(r) end
  return io.number
end

local new_headers = headers.new

--- The header fields, edits included.
function get.headers(self)
  return new_headers(self[ID], self[SERIAL], 1)
end

--- Where the answer came from: "upstream", "reply" or "fault".
function get.from(self)
  local r = api.text(vm, self[ID], self[SERIAL], FROM)
  if r < 0 then fail(r) end
  return ffi.string(io.p, io.n)
end

--- The fields behind the body, once they came.
function get.trailers(self)
  return trailers.read(self[ID], self[SERIAL], 1)
end

local function own(self, method)
  if type(self) ~= "table" or debug.getmetatable(self) ~= Response then
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
  return body.read(self[ID], self[SERIAL], 1, max)
end

--- Replaces the body that goes to the client.
---@param bytes string
function methods.set_body(self, bytes)
  own(self, "set_body")
  body.set(self[ID], self[SERIAL], 1, bytes)
end

local NAMES = {}
for name in pairs(get) do NAMES[name] = true end
for name in pairs(methods) do NAMES[name] = true end
local LATER = { cache = true }

function Response.__index(self, key)
  if key == "headers" then return new_headers(self[ID], self[SERIAL], 1) end
  local getter = get[key]
  if getter then return getter(self) end
  local method = methods[key]
  if method then return method end
  raise(strict.missing("res", key, NAMES, LATER).message)
end

function Response.__newindex(self, key, value)
  if key == "status" then
    if type(value) ~= "number" or value % 1 ~= 0 then
      raise("res.status is a number from 200 to 599, not " .. tostring(value))
    end
    local r = api.status_set(vm, self[ID], self[SERIAL], value)
    if r ~= 1 then fail(r, "res.status") end
    return
  end
  if NAMES[key] then raise(("res.%s is read only"):format(key)) end
  raise(strict.missing("res", key, NAMES, LATER).message)
end

function Response.__tostring()
  return "response"
end

--- The response object of an exchange; nil when there is no answer.
---@param id integer
---@param serial integer
---@return table|nil
function M.of(id, serial)
  local r = api.number(vm, id, serial, STATUS)
  if r < 0 then fail(r) end
  if io.number == 0 then return nil end
  return setmetatable({ id, serial }, Response)
end

return M
