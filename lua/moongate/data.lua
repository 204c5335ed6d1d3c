--- `gate.data(name)`: JSON files as plain tables that remember where they came from, so that a
--- mistake in them is reported as file and JSON pointer (`routes.json /3/upstrem`).

local json = require "moongate.json"

local M = {}

---@class moongate.Origin
---@field file string
---@field pointer string "" for the whole document

--- Where decoded tables came from. Weak: an origin lives as long as its table.
---@type table<table, moongate.Origin>
local origins = setmetatable({}, { __mode = "k" })

--- The JSON pointer of a key under a pointer; list items count from 0 in JSON.
---@param pointer string
---@param key any
---@param holder table the table that has the key
---@return string
function M.pointer(pointer, key, holder)
  if type(key) == "number" and json.is_array(holder) then key = key - 1 end
  key = tostring(key):gsub("~", "~0"):gsub("/", "~1")
  return pointer .. "/" .. key
end

--- Tags a table and every table in it.
---@param value any
---@param file string
---@param pointer string
local function tag(value, file, pointer)
  if type(value) ~= "table" then return end
  origins[value] = { file = file, pointer = pointer }
  for key, inner in pairs(value) do
    tag(inner, file, M.pointer(pointer, key, value))
  end
end

--- Where a table came from, or nil when it came from no data.
---@param value any
---@return moongate.Origin|nil
function M.origin(value)
  return origins[value]
end

--- Decodes a data document and tags its tables.
---@param text string
---@param file string name for messages
---@return any value nil on a fault
---@return { code: string, message: string, line: integer }|nil err
function M.decode(text, file)
  local value, err = json.decode(text)
  if err then return nil, err end
  tag(value, file, "")
  return value
end

--- The files in which data of a name is looked for: as modules are, a dot is a folder.
---@param name string
---@return string[]
function M.files(name)
  local path = name:gsub("%.", "/") .. ".json"
  return { path, "scripts/" .. path }
end

--- The text of data by name, and the file it came from.
---@param host moongate.Host
---@param name string
---@return string|nil text
---@return string file where it came from; the first place looked at when there is none
---@return string|nil err there is a file, and it cannot be read
function M.find(host, name)
  if host.data then
    local text, file, err = host.data(name)
    if text then return text, file or (name .. ".json") end
    if err then return nil, name .. ".json", err end
  end
  local files = M.files(name)
  for _, file in ipairs(files) do
    local text = host.read(file)
    if text then return text, file end
  end
  return nil, files[1]
end

return M
