--- application/x-www-form-urlencoded text: what a query holds. Pure functions.

local M = {}

local char, byte, format = string.char, string.byte, string.format

local function decode_escape(hex)
  return char(tonumber(hex, 16))
end

--- Decodes a name or value: '+' is a space, a bad escape stays as it is.
---@param text string
---@return string
function M.decode(text)
  if not text:find("[+%%]") then return text end
  return (text:gsub("+", " "):gsub("%%(%x%x)", decode_escape))
end

local function encode_byte(c)
  if c == " " then return "+" end
  return format("%%%02X", byte(c))
end

--- Encodes a name or value.
---@param text string
---@return string
function M.encode(text)
  return (text:gsub("[^%w%-._~]", encode_byte))
end

--- The pairs of a query in order, decoded. `?a` gives "".
---@param query string
---@return table[] list of { name, value, raw = text } as it stood
function M.parse(query)
  local list = {}
  for raw in query:gmatch("[^&]+") do
    local at = raw:find("=", 1, true)
    local name = at and raw:sub(1, at - 1) or raw
    local value = at and raw:sub(at + 1) or ""
    list[#list + 1] = { M.decode(name), M.decode(value), raw = raw }
  end
  return list
end

--- Pairs as a query; those that were parsed and not changed stand as they stood.
---@param list table[]
---@return string
function M.write(list)
  local parts = {}
  for i, pair in ipairs(list) do
    parts[i] = pair.raw or (M.encode(pair[1]) .. "=" .. M.encode(pair[2]))
  end
  return table.concat(parts, "&")
end

return M
