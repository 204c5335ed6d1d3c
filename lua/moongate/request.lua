--- `req`: the request of one exchange, as hooks see it. An object is a handle of the exchange and
--- nothing else, so that one kept past its request finds that it is over.

local args = require "moongate.args"
local body = require "moongate.body"
local client = require "moongate.client"
local cookies = require "moongate.cookies"
local engine = require "moongate.engine"
local ffi = require "ffi"
local handle = require "moongate.handle"
local headers = require "moongate.headers"
local peer = require "moongate.peer"
local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"
local table_new = require "table.new"
local timing = require "moongate.timing"
local trailers = require "moongate.trailers"

local M = {}

local api, vm, io, fail, raise = engine.api, engine.vm, engine.io, engine.fail, place.raise
local ffi_string, type, tostring = ffi.string, type, tostring
local word, split = handle.word, handle.split
local C = ffi.C

local Request = {}

---@param field integer enum gate_ffi_text
---@return fun(self: table): string|nil
local function text_getter(field)
  field = tonumber(field)
  return function(self)
    local id, serial = split(self)
    local r = api.text(vm, id, serial, field)
    if r == 1 then return ffi_string(io.p, io.n) end
    if r < 0 then fail(r) end
    return nil
  end
end

---@param field integer enum gate_ffi_number
---@return fun(self: table): number|nil
local function number_getter(field)
  field = tonumber(field)
  return function(self)
    local id, serial = split(self)
    local r = api.number(vm, id, serial, field)
    if r == 1 then return io.number end
    if r < 0 then fail(r) end
    return nil
  end
end

---@param name string of the field, for messages
---@param field integer enum gate_ffi_text
local function text_setter(name, field)
  field = tonumber(field)
  return function(self, value)
    if type(value) ~= "string" then
      raise(("req.%s is a string, not a %s"):format(name, type(value)))
    end
    local id, serial = split(self)
    local r = api.text_set(vm, id, serial, field, value, #value)
    if r ~= 1 then fail(r, "req." .. name) end
  end
end

local function check_alive(self)
  local id, serial = split(self)
  local r = api.alive(vm, id, serial)
  if r ~= 1 then fail(r) end
end

local get = {
  method = text_getter(C.GATE_TEXT_METHOD),
  scheme = text_getter(C.GATE_TEXT_SCHEME),
  host = text_getter(C.GATE_TEXT_HOST),
  path = text_getter(C.GATE_TEXT_PATH),
  query = text_getter(C.GATE_TEXT_QUERY),
  target = text_getter(C.GATE_TEXT_TARGET),
  version = text_getter(C.GATE_TEXT_VERSION),
  id = text_getter(C.GATE_TEXT_ID),
  route = text_getter(C.GATE_TEXT_ROUTE),
  tries = number_getter(C.GATE_NUMBER_TRIES),
  bytes_in = number_getter(C.GATE_NUMBER_BYTES_IN),
  bytes_out = number_getter(C.GATE_NUMBER_BYTES_OUT),
}

local get_path = get.path
local port = number_getter(C.GATE_NUMBER_PORT)

--- The port that the client named, or the usual one of the scheme.
function get.port(self)
  local number = port(self)
  if number ~= 0 then return number end
  return get.scheme(self) == "https" and 443 or 80
end

local new_headers = headers.of_request

--- The header fields, edits included.
get.headers = new_headers

--- What scripts keep with a request, by id + 1. The engine clears an entry when its exchange ends.
---@type table<integer, table|false>
M.ctx = {}
local ctx_of = M.ctx

--- Of the request that is being served the engine need not be asked whether it is over. A new
--- table has room for a few fields from the start.
local function get_ctx(self)
  local id = split(self)
  if word(self) ~= io.handle then check_alive(self) end
  local ctx = ctx_of[id + 1]
  if not ctx then
    ctx = table_new(0, 4)
    ctx_of[id + 1] = ctx
  end
  return ctx
end

get.ctx = get_ctx

--- Who asks, the cookies, and the arguments of the query.
get.client, get.cookies, get.args = client.of, cookies.of, args.of

--- How long the parts took so far.
function get.timing(self)
  return timing.new(split(self))
end

--- The fields behind the body, once they came.
function get.trailers(self)
  local id, serial = split(self)
  return trailers.read(id, serial, 0)
end

--- The peer of the present or last try; nil before the first.
function get.peer(self)
  return peer.of(split(self))
end

--- The upstream that the request takes; nil when there is none.
function get.upstream(self)
  return peer.upstream_of(split(self))
end

--- The captures of the route's path, by name; empty before routing.
function get.params(self)
  local id, serial = split(self)
  local values, i = {}, 0
  local r = api.param(vm, id, serial, i)
  while r == 1 do
    values[ffi_string(io.p, io.n)] = ffi_string(io.p2, io.n2)
    i = i + 1
    r = api.param(vm, id, serial, i)
  end
  if r < 0 then fail(r) end
  return values
end

--- "none": this build has no cache.
function get.cache_status(self)
  check_alive(self)
  return "none"
end

--- Why the cache said so.
function get.cache_why(self)
  check_alive(self)
  return "this gateway has no cache"
end

local set = {
  method = text_setter("method", C.GATE_TEXT_METHOD),
  scheme = text_setter("scheme", C.GATE_TEXT_SCHEME),
  host = text_setter("host", C.GATE_TEXT_HOST),
  path = text_setter("path", C.GATE_TEXT_PATH),
  query = text_setter("query", C.GATE_TEXT_QUERY),
}

--- Refuses a method that was called with a dot.
local function own(self, method)
  if not ffi.istype(M.Type, self) then
    raise(("req:%s is called with a colon"):format(method))
  end
end

local methods = {}

--- Reads the whole body, up to max bytes; waits for it.
---@param max integer|string bytes, or a size such as "1m"
---@return string|nil body
---@return { code: string, message: string }|nil err too_large (nothing is lost), closed
function methods.read_body(self, max)
  own(self, "read_body")
  local id, serial = split(self)
  return body.read(id, serial, 0, max)
end

--- Replaces the body that goes up.
---@param bytes string
function methods.set_body(self, bytes)
  own(self, "set_body")
  local id, serial = split(self)
  body.set(id, serial, 0, bytes)
end

--- All names, for messages about misspelt ones.
local NAMES = {}
for name in pairs(get) do NAMES[name] = true end
for name in pairs(methods) do NAMES[name] = true end

-- The first comparisons stand for the table's entries: with a key that is written in the script
-- they cost compiled code nothing, where a look-up would.
function Request.__index(self, key)
  if key == "headers" then return new_headers(self) end
  if key == "ctx" then return get_ctx(self) end
  if key == "path" then return get_path(self) end
  local getter = get[key]
  if getter then return getter(self) end
  local method = methods[key]
  if method then return method end
  raise(strict.missing("req", key, NAMES).message)
end

function Request.__newindex(self, key, value)
  local setter = set[key]
  if setter then return setter(self, value) end
  if NAMES[key] then
    raise(("req.%s is read only"):format(tostring(key)))
  end
  raise(strict.missing("req", key, NAMES).message .. "; a script's own values go into req.ctx")
end

function Request.__tostring()
  return "request"
end

--- The type of request objects.
M.Type = handle.type("request", Request)

local Type, cast = M.Type, ffi.cast

--- The request object of an exchange.
---@param of any uint64_t, as in gate_io
---@return any req
function M.new(of)
  return cast(Type, of)
end

return M
