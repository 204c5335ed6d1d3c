--- `gate.log`: lines in the error log, with the request's id and the policy's name added by the
--- engine.

local engine = require "moongate.engine"
local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"

local M = {}

local api, vm = engine.api, engine.vm

--- A line is cut at 8 KiB; nothing longer needs to be looked at.
local LONGEST = 8192

local function short(value)
  local text = tostring(value)
  if #text > LONGEST then text = text:sub(1, LONGEST) end
  return text
end

--- Whether JSON has it as it is, without quotes.
local function is_literal(value)
  return type(value) == "boolean" or (type(value) == "number" and value - value == 0)
end

--- The keys of a table of fields, in order.
local function keys_of(fields)
  local keys = {}
  for key in pairs(fields) do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b) return a < b end)
  return keys
end

--- Writes one line.
---@param level integer 0 debug to 3 error
---@param message any
---@param fields? table<string, any>
local function write(level, message, fields)
  if api.log_on(vm, level) == 0 then return end
  local text, kept, literal = short(message), {}, {}
  if fields ~= nil then
    if type(fields) ~= "table" then
      place.raise(("the fields of a log line are a table, not a %s"):format(type(fields)))
    end
    -- Values are made first: their tostring may run code that logs too.
    local keys = keys_of(fields)
    for i, key in ipairs(keys) do
      local value = fields[key]
      kept[i], literal[i] = short(value), is_literal(value) and 1 or 0
    end
    api.log_on(vm, level)
    for i, key in ipairs(keys) do api.log_field(vm, key, kept[i], #kept[i], literal[i]) end
  end
  api.log_write(vm, level, text)
end

--- `print` of scripts: an info line of all values.
function M.print(...)
  local parts = { ... }
  for i = 1, select("#", ...) do parts[i] = tostring(parts[i]) end
  write(1, table.concat(parts, "\t"))
end

--- Makes `gate.log`.
---@return table<string, fun(message: any, fields?: table)>
function M.new()
  local log = {}
  for i, name in ipairs { "debug", "info", "warn", "error" } do
    log[name] = function(message, fields)
      if message == log then
        place.misuse("gate.log." .. name, "a message", message)
      end
      write(i - 1, message, fields)
    end
  end
  return strict.table(log, "gate.log")
end

return M
