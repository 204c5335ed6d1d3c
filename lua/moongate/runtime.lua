--- The runtime half of the `gate` table: what scripts may call besides declarations.

local crypto = require "moongate.crypto"
local decode = require "moongate.json.decode"
local engine = require "moongate.engine"
local env = require "moongate.env"
local errors = require "moongate.errors"
local log = require "moongate.log"
local peer = require "moongate.peer"
local reply = require "moongate.reply"
local retry = require "moongate.retry"
local semaphore = require "moongate.semaphore"
local shared = require "moongate.shared"
local sleep = require "moongate.sleep"
local time = require "moongate.time"
local together = require "moongate.together"
local upstream = require "moongate.declare.upstream"
local view = require "moongate.view"

local M = {}

local io = engine.io

--- `print` of scripts.
M.print = log.print

--- Opens a dictionary, for its declaration.
M.dictionary = shared.open

--- `gate.upstreams.get` of requests.
M.upstream_named = peer.upstream_named

--- Whether a newer generation serves: what goes on for long should come to its end. Legal at any
--- time. Example: `while not gate.exiting() do work() gate.sleep(1) end`.
---@return boolean
local function exiting()
  return io.exiting ~= 0
end

--- The functions that are merged into `gate`.
---@param host { getenv: fun(name: string): string|nil }
---@return table<string, any>
function M.new(host)
  return {
    reply = reply.reply, redirect = reply.redirect, retry = retry.retry,
    spawn = together.spawn, all = together.all, semaphore = semaphore.new,
    sleep = sleep.sleep,
    env = env.new(host.getenv), log = log.new(), crypto = crypto.new(),
    time = time.time, clock = time.clock, exiting = exiting,
  }
end

--- Keeps the metatables of all tables that scripts hold from them.
---@param protect fun(mt: table)
---@param gate table
function M.protect(protect, gate)
  local list = {
    errors.Error, reply.Reply, retry.Retry, shared.Dictionary, upstream.Upstream, decode.Fault,
    debug.getmetatable(gate),
  }
  for _, mt in ipairs(list) do protect(mt) end
  for _, mt in ipairs(view.metatables) do protect(mt) end
  for _, name in ipairs { "on", "log", "crypto", "json", "upstreams" } do
    protect(debug.getmetatable(gate[name]))
  end
end

--- After the load: what the objects of requests need of it.
---@param out table the output of the load
function M.finish(out)
  for _, object in pairs(out.upstreams) do
    peer.upstreams[upstream.ordinal(object)] = object
  end
end

return M
