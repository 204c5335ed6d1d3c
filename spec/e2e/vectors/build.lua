--- Short words for the vectors of data/own_*.lua.

local M = {}

--- A request with a Host: line without version, more fields (each with CRLF), body.
function M.request(line, fields, body)
  return line .. " HTTP/1.1\r\nHost: example.test\r\n" .. (fields or "") .. "\r\n" .. (body or "")
end

function M.get(fields, body) return M.request("GET /a", fields, body) end

function M.post(fields, body) return M.request("POST /a", fields, body) end

--- A request with a chunked body, given as it goes over the wire.
function M.chunked(body) return M.post("Transfer-Encoding: chunked\r\n", body) end

--- A list of vectors with methods that add to it.
local List = {}
List.__index = List

function M.list(proto) return setmetatable({ proto = proto }, List) end

--- `allowed`: tokens, separated by spaces. `more`: other properties.
function List:add(id, class, allowed, bytes, more)
  local vector = { id = id, class = class, tier = 2, bytes = bytes, proto = rawget(self, "proto") }
  vector.allowed = {}
  for token in allowed:gmatch "%S+" do table.insert(vector.allowed, token) end
  for key, value in pairs(more or {}) do vector[key] = value end
  table.insert(self, vector)
end

--- Refused before anything goes up.
function List:refuse(id, class, bytes, allowed)
  self:add(id, class, allowed or "400-close", bytes, { max_upstream_requests = 0 })
end

--- Refused when the head has gone up already: the origin must see a message that is cut off.
function List:cut(id, class, bytes, allowed)
  self:add(id, class, allowed or "400-close", bytes, { upstream_must_see_incomplete = true })
end

return M
