--- Chains of hooks: for each list of policies one function is written that calls them in order and
--- hands what they return to the engine. Written out, not looped over, so that each chain compiles
--- on its own.

local client = require "moongate.client"
local engine = require "moongate.engine"
local fault = require "moongate.fault"
local ffi = require "ffi"
local hello = require "moongate.hello"
local mistake = require "moongate.declare.mistake"
local nearest = require "moongate.nearest"
local place = require "moongate.declare.place"
local peer = require "moongate.peer"
local piece = require "moongate.piece"
local reply = require "moongate.reply"
local request = require "moongate.request"
local response = require "moongate.response"
local retry = require "moongate.retry"
local upstream = require "moongate.declare.upstream"

local M = {}

local api, vm, io, fail = engine.api, engine.vm, engine.io, engine.fail
local metatable_of, type = debug.getmetatable, type
local Reply, Retry, Upstream = reply.Reply, retry.Retry, upstream.Upstream
local ordinal_of = upstream.ordinal

--- Verdicts (enum gate_verdict_kind).
local CLOSE = 4

--- More policies in one chain than this are called in a loop: a function holds only so many
--- variables.
local WRITTEN_OUT = 40

--- What a value is, for a message.
local function described(value)
  if type(value) == "boolean" or type(value) == "number" then return tostring(value) end
  if type(value) == "string" then return ("'%s'"):format(value:sub(1, 40)) end
  if metatable_of(value) == Upstream then return tostring(value) end
  if metatable_of(value) == Reply then return "a reply" end
  if metatable_of(value) == Retry then return "a retry" end
  if type(value) == "cdata" then return "a " .. tostring(value) end
  return value == nil and "nothing" or "a " .. type(value)
end

--- What a hook may return, by hook, for a message.
local EXPECTED = {
  connect = "false or nothing",
  certificate = "{ cert, key } (PEM text or paths) or nothing",
  request = "gate.reply(...), an upstream or nothing",
  route = "an upstream, the name of a route, gate.reply(...) or nothing",
  response = "gate.reply(...), gate.retry(...) or nothing",
  balance = "one of the peers, its address or nothing",
  balancer = "one of the peers, its address or nothing",
  request_body = "a string, gate.reply(...) or nothing",
  body = "a string or nothing",
  fault = "gate.reply(...) or nothing",
  log = "nothing",
  handler = "gate.reply(...) or an upstream",
}

--- Names of the routes, for a route hook that misspells one. Set when the file has been loaded.
---@type table<string, any>
M.route_names = {}

--- Raises for a return value that is no answer, naming policy and hook; `why` says more than what
--- was expected.
local function refuse(hook, name, fn, value, why)
  local info = debug.getinfo(fn, "S")
  local what = hook == "handler" and "the handler of route"
    or hook == "balancer" and "the balance function of upstream"
    or ("the %s hook of policy"):format(hook)
  local expected = why or EXPECTED[hook] .. " was expected"
  if hook == "route" and type(value) == "string" then
    expected = "there is no route of that name"
      .. mistake.hint(nearest.find(value, M.route_names))
  end
  error(("%s:%d: %s '%s' returned %s; %s"):format(
    info.source:sub(2), info.linedefined, what, name, described(value), expected), 0)
end

local function use_upstream(id, serial, value)
  local r = api.upstream_use(vm, id, serial, ordinal_of(value))
  if r ~= 1 then fail(r) end
end

--- How each hook's return value is judged: true ends the chain. Called for values that are not nil.
local judges = {}

--- A reply answers; an upstream replaces the route's and the chain goes on.
function judges.request(refused, id, serial, value)
  local mt = metatable_of(value)
  if mt == Upstream then
    use_upstream(id, serial, value)
    return false
  end
  if mt ~= Reply then refused(value) end
  reply.apply(id, serial, value)
  return true
end

--- A reply takes the place of the answer.
function judges.fault(refused, id, serial, value)
  if metatable_of(value) ~= Reply then refused(value) end
  reply.apply(id, serial, value)
  return true
end

--- A reply does, too; a retry has the request sent again.
function judges.response(refused, id, serial, value)
  if metatable_of(value) ~= Retry then return judges.fault(refused, id, serial, value) end
  retry.apply(id, serial, value)
  return true
end

--- A peer ends the chain.
function judges.balance(refused, id, serial, value)
  local used, why = peer.use(id, serial, value)
  if not used then refused(value, why) end
  return true
end

--- A route by name, an upstream or a reply ends the chain.
function judges.route(refused, id, serial, value)
  if type(value) ~= "string" then
    judges.request(refused, id, serial, value)
    return true
  end
  if api.route_find(vm, id, serial, value, #value) ~= 1 then refused(value) end
  return true
end

--- Strings are pieces and never come here.
judges.request_body = judges.fault

--- false closes the connection.
function judges.connect(refused, _, _, value)
  if value ~= false then refused(value) end
  io.verdict = CLOSE
  return true
end

--- A certificate and its key end the chain.
function judges.certificate(refused, _, _, value)
  if type(value) ~= "table" then refused(value) end
  local cert, key = rawget(value, "cert"), rawget(value, "key")
  if type(cert) ~= "string" or type(key) ~= "string" then refused(value) end
  local r = api.certificate_use(vm, cert, #cert, key, #key)
  if r ~= 1 then fail(r) end
  return true
end

--- Nothing may be returned.
function judges.log(refused, _, _, value)
  refused(value)
end

--- Nothing but a string.
judges.body = judges.log

--- How a chain's function makes what its hooks get, as text.
local FIRST = {
  connect = "client(io)",
  certificate = "hello(io)",
}
local SECOND = {
  balance = "peers(id, serial)",
  body = "cast(Response, io.handle)",
  response = "cast(Response, io.handle)",
  log = "response(id, serial)",
  fault = "fault(id, serial)",
}

local HEAD = [[
local io, judge, refused, client, Request, Response, response, fault, fns, cast, take, put,
  type, peers, hello = ...
%s
return function()
  local start, id, serial = io.start, io.id, io.serial
  local first, second = %s, %s
]]

--- The entry before which it returns is in quarantine, or others have to have their turn first; the
--- engine decides what that means.
local STOP = [[
    if io.stop_at[0] <= %d then
      io.start = -%d
      return
    end
    io.at = %d
]]

--- The first one is not even begun with when it is the one.
local FIRST_ENTRY = "  if start == 1 then\n"
local ENTRY = "  if start <= %d then\n" .. STOP

local CALL = [[
    local v = f%d(first, second)
    if v ~= nil and judge(refused, id, serial, v) then return end
  end
]]

--- The same for body hooks: each gets what the one before it made of the piece.
local PIECE_TAKE = "  local chunk, last = take()\n"

local PIECE_CALL = [[
    local v = f%d(%s, chunk, last)
    if type(v) == "string" then
      chunk = v
      put(v)
    elseif v ~= nil and judge(refused, id, serial, v) then
      return
    end
  end
]]

--- The same for so many hooks that they are called in a loop.
local EACH = "  for i = start, #fns do\n" .. STOP:gsub("%%d", "i")

local PIECE_LOOP = EACH .. [[
    local v = fns[i](%s, chunk, last)
    if type(v) == "string" then
      chunk = v
      put(v)
    elseif v ~= nil and judge(refused, id, serial, v) then
      return
    end
  end
]]

--- What a body hook gets before the piece.
local PIECE_ARGS = { request_body = "first", body = "first, second" }

local LOOP = EACH .. [[
    local v = fns[i](first, second)
    if v ~= nil and judge(refused, id, serial, v) then return end
  end
]]

--- The text of the function of a chain of n policies.
---@param hook string
---@param n integer
---@return string
function M.source(hook, n)
  local locals, calls = {}, {}
  local args = PIECE_ARGS[hook]
  if n > WRITTEN_OUT then
    calls[1] = args and PIECE_LOOP:format(args) or LOOP
  else
    for i = 1, n do
      locals[i] = ("local f%d = fns[%d]"):format(i, i)
      calls[i] = (i == 1 and FIRST_ENTRY or ENTRY:format(i, i, i, i))
        .. (args and PIECE_CALL:format(i, args) or CALL:format(i))
    end
  end
  if args then table.insert(calls, 1, PIECE_TAKE) end
  local first = FIRST[hook] or "cast(Request, io.handle)"
  return HEAD:format(table.concat(locals, " "), first, SECOND[hook] or "nil")
    .. table.concat(calls) .. "end\n"
end

--- Makes the function that runs a chain of one hook.
---@param hook string
---@param fns function[] the policies' functions, in the order of calls
---@param names string[] the policies' names
---@return fun(start: integer, a: any, b: any, c: any)
function M.chain(hook, fns, names)
  local function refused(value, why)
    refuse(hook, names[io.at], fns[io.at], value, why)
  end
  local made = assert(loadstring(M.source(hook, #fns), "=hooks"))
  local run = made(io, judges[hook], refused, client.connecting, request.Type, response.Type,
    response.of, fault.of, fns, ffi.cast, piece.take, piece.put, type, peer.list,
    hello.of)
  place.calls_hooks(run, function() return fns[io.at] end)
  return run
end

--- Makes the function that asks a route's `when`.
---@param fn fun(req: table): any
function M.when(fn)
  local function run()
    io.truth = fn(request.new(io.handle)) and 1 or 0
  end
  place.calls_hooks(run, function() return fn end)
  return run
end

--- Makes the function that asks an upstream's own balance function.
---@param fn fun(req: table, peers: table[]): any
---@param name string of the upstream, for messages
function M.balancer(fn, name)
  local function refused(value, why)
    refuse("balancer", name, fn, value, why)
  end
  local function run()
    local id, serial = io.id, io.serial
    local v = fn(request.new(io.handle), peer.list(id, serial))
    if v ~= nil then judges.balance(refused, id, serial, v) end
  end
  place.calls_hooks(run, function() return fn end)
  return run
end

--- Makes the function that runs a route's handler.
---@param fn fun(req: table): any
---@param route string its name, for messages
function M.handler(fn, route)
  local function refused(value)
    refuse("handler", route, fn, value)
  end
  local function run()
    local id, serial = io.id, io.serial
    local v = fn(request.new(io.handle))
    if v == nil then refused(nil) end
    judges.request(refused, id, serial, v)
  end
  place.calls_hooks(run, function() return fn end)
  return run
end

return M
