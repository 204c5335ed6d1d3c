--- application/x-www-form-urlencoded text: what a query holds. Pure functions.

local table_new = require "table.new"

local M = {}

local char, byte, format = string.char, string.byte, string.format
local find, gsub, sub = string.find, string.gsub, string.sub

local function decode_escape(hex)
  return char(tonumber(hex, 16))
end

--- Decodes a name or value: '+' is a space, a bad escape stays as it is.
---@param text string
---@return string
local function decode(text)
  if find(text, "+", 1, true) then text = gsub(text, "+", " ") end
  if find(text, "%", 1, true) then text = gsub(text, "%%(%x%x)", decode_escape) end
  return text
end

M.decode = decode

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

--- Walks the pairs of a query in order; what stood undecoded is [from, to] of it. In one pass,
--- and by plain searches, because patterns are not compiled.
---@param query string
---@param put fun(into: table, name: string, value: string, query: string, from: number, to: number)
---@param into table
local function walk(query, put, into)
  local from, equals, n = 1, 0, #query
  while from <= n do
    local stop = find(query, "&", from, true) or n + 1
    if equals < from then equals = find(query, "=", from, true) or n + 1 end
    if equals < stop then
      put(into, decode(sub(query, from, equals - 1)), decode(sub(query, equals + 1, stop - 1)),
        query, from, stop - 1)
    elseif from < stop then
      put(into, decode(sub(query, from, stop - 1)), "", query, from, stop - 1)
    end
    from = stop + 1
  end
end

local function put_pair(list, name, value, query, from, to)
  list[#list + 1] = { name, value, raw = sub(query, from, to) }
end

local function put_first(first, name, value)
  if not first[name] then first[name] = value end
end

--- The pairs of a query in order, decoded. `?a` gives "".
---@param query string
---@return table[] list of { name, value, raw = text } as it stood
function M.parse(query)
  local list = {}
  walk(query, put_pair, list)
  return list
end

--- The first value of each name of a query.
---@param query string
---@return table<string, string>
function M.first(query)
  local first = table_new(0, 8)
  walk(query, put_first, first)
  return first
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
