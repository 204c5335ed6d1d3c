--- Chains of hooks: for each list of policies one function is written that calls them in order and
--- hands what they return to the engine. Written out, not looped over, so that each chain compiles
--- on its own.

local client = require "moongate.client"
local engine = require "moongate.engine"
local fault = require "moongate.fault"
local reply = require "moongate.reply"
local request = require "moongate.request"
local response = require "moongate.response"
local upstream = require "moongate.declare.upstream"

local M = {}

local api, vm, io, fail = engine.api, engine.vm, engine.io, engine.fail
local metatable_of, type, rawget = debug.getmetatable, type, rawget
local Reply, Upstream = reply.Reply, upstream.Upstream

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
  return value == nil and "nothing" or "a " .. type(value)
end

--- What a hook may return, by hook, for a message.
local EXPECTED = {
  connect = "false or nothing",
  request = "gate.reply(…), an upstream or nothing",
  route = "an upstream, the name of a route, gate.reply(…) or nothing",
  response = "gate.reply(…) or nothing",
  fault = "gate.reply(…) or nothing",
  log = "nothing",
  handler = "gate.reply(…) or an upstream",
}

--- Raises for a return value that is no answer, naming policy and hook.
local function refuse(hook, name, fn, value)
  local info = debug.getinfo(fn, "S")
  local what = hook == "handler" and "the handler of route"
    or ("the %s hook of policy"):format(hook)
  error(("%s:%d: %s '%s' returned %s; %s was expected"):format(
    info.source:sub(2), info.linedefined, what, name, described(value), EXPECTED[hook]), 0)
end

local function use_upstream(id, serial, value)
  local r = api.upstream_use(vm, id, serial, rawget(value, "ordinal"))
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
function judges.response(refused, id, serial, value)
  if metatable_of(value) ~= Reply then refused(value) end
  reply.apply(id, serial, value)
  return true
end

judges.fault = judges.response

--- A route by name, an upstream or a reply ends the chain.
function judges.route(refused, id, serial, value)
  if type(value) ~= "string" then
    judges.request(refused, id, serial, value)
    return true
  end
  if api.route_find(vm, id, serial, value, #value) ~= 1 then
    error(("there is no route named '%s'"):format(value), 0)
  end
  return true
end

--- false closes the connection.
function judges.connect(refused, _, _, value)
  if value ~= false then refused(value) end
  io.verdict = CLOSE
  return true
end

--- Nothing may be returned.
function judges.log(refused, _, _, value)
  refused(value)
end

--- How a chain's function makes what its hooks get, as text. Objects of requests are made anew for
--- each call: where nothing keeps one, compiled code never makes it at all.
local FIRST = {
  connect = "client(io)",
}
local SECOND = {
  response = "setmetatable({ id, serial }, Response)",
  log = "response(id, serial)",
  fault = "fault(id, serial)",
}

local HEAD = [[
local io, judge, refused, client, Request, Response, response, fault, fns, setmetatable = ...
%s
return function()
  local start, id, serial = io.start, io.id, io.serial
  local first, second = %s, %s
]]

local CALL = [[
  if start <= %d then
    io.at = %d
    local v = f%d(first, second)
    if v ~= nil and judge(refused, id, serial, v) then return end
  end
]]

local LOOP = [[
  for i = start, #fns do
    io.at = i
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
  if n > WRITTEN_OUT then
    calls[1] = LOOP
  else
    for i = 1, n do
      locals[i] = ("local f%d = fns[%d]"):format(i, i)
      calls[i] = CALL:format(i, i, i)
    end
  end
  local first = FIRST[hook] or "setmetatable({ id, serial }, Request)"
  return HEAD:format(table.concat(locals, " "), first, SECOND[hook] or "nil")
    .. table.concat(calls) .. "end\n"
end

--- Makes the function that runs a chain of one hook.
---@param hook string
---@param fns function[] the policies' functions, in the order of calls
---@param names string[] the policies' names
---@return fun(start: integer, a: any, b: any, c: any)
function M.chain(hook, fns, names)
  local function refused(value)
    refuse(hook, names[io.at], fns[io.at], value)
  end
  local made = assert(loadstring(M.source(hook, #fns), "=hooks"))
  return made(io, judges[hook], refused, client.connecting, request.Request, response.Response,
    response.of, fault.of, fns, setmetatable)
end

--- Makes the function that asks a route's `when`.
---@param fn fun(req: table): any
function M.when(fn)
  return function()
    io.truth = fn(request.new(io.id, io.serial)) and 1 or 0
  end
end

--- Makes the function that runs a route's handler.
---@param fn fun(req: table): any
---@param route string its name, for messages
function M.handler(fn, route)
  local function refused(value)
    refuse("handler", route, fn, value)
  end
  return function()
    local id, serial = io.id, io.serial
    local v = fn(request.new(id, serial))
    if v == nil then refused(nil) end
    judges.request(refused, id, serial, v)
  end
end

return M
