--- `req.timing`: how long the parts of an exchange took so far, in seconds.

local engine = require "moongate.engine"
local ffi = require "ffi"
local view = require "moongate.view"

local M = {}

local api, vm, io, fail = engine.api, engine.vm, engine.io, engine.fail
local C = ffi.C

local FIELDS = {
  queue = tonumber(C.GATE_NUMBER_TIME_QUEUE),
  connect = tonumber(C.GATE_NUMBER_TIME_CONNECT),
  upstream_head = tonumber(C.GATE_NUMBER_TIME_UPSTREAM_HEAD),
  upstream = tonumber(C.GATE_NUMBER_TIME_UPSTREAM),
  script = tonumber(C.GATE_NUMBER_TIME_SCRIPT),
  total = tonumber(C.GATE_NUMBER_TIME_TOTAL),
}

local make = view.maker("req.timing",
  { "queue", "connect", "upstream_head", "upstream", "script", "total" })

--- The times of now; what did not happen is nil.
---@param id integer
---@param serial integer
---@return table
function M.new(id, serial)
  local values = {}
  for name, field in pairs(FIELDS) do
    local r = api.number(vm, id, serial, field)
    if r < 0 then fail(r) end
    if r == 1 then values[name] = io.number end
  end
  return make(values)
end

return M
