--- Units and small notations of the script language: durations, sizes, addresses, address blocks.
--- Pure functions; every one is legal at load and later.

local M = {}

local match, lower = string.match, string.lower

local SECONDS = { us = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600, d = 86400 }
local BYTES = { [""] = 1, k = 1024, m = 1024 ^ 2, g = 1024 ^ 3, t = 1024 ^ 4 }

local function finite(n)
  return n == n and n ~= math.huge and n ~= -math.huge
end

--- A duration in seconds: a number of seconds or a string such as "50ms", "2m", "1.5h", "1d".
---@param value any
---@return number|nil seconds nil when the value is no duration
function M.seconds(value)
  if type(value) == "number" then
    return finite(value) and value >= 0 and value or nil
  end
  if type(value) ~= "string" then return nil end
  local digits, unit = match(value, "^(%d+%.?%d*)(%a+)$")
  local scale = unit and SECONDS[unit]
  return scale and tonumber(digits) * scale
end

--- A duration in milliseconds, rounded up to a whole one: `units.ms "2m"` is 120000.
---@param value any
---@return integer|nil
function M.ms(value)
  local seconds = M.seconds(value)
  -- The subtraction keeps 0.05 * 1000 = 50.000000000000004 at 50.
  return seconds and math.ceil(seconds * 1000 - 1e-6)
end

--- A duration in microseconds, rounded up to a whole one.
---@param value any
---@return integer|nil
function M.us(value)
  local seconds = M.seconds(value)
  return seconds and math.ceil(seconds * 1e6 - 1e-3)
end

--- A size in bytes: a whole number or a string such as "64m" (units k, m, g, t of 1024).
---@param value any
---@return integer|nil
function M.bytes(value)
  if type(value) == "number" then
    return value >= 0 and value % 1 == 0 and value <= 2 ^ 53 and value or nil
  end
  if type(value) ~= "string" then return nil end
  local digits, unit = match(value, "^(%d+%.?%d*)(%a?)$")
  local scale = unit and BYTES[lower(unit)]
  local bytes = scale and tonumber(digits) * scale
  return bytes and bytes % 1 == 0 and bytes <= 2 ^ 53 and bytes or nil
end

---@param text string
---@return boolean
local function is_ipv4(text)
  local a, b, c, d = match(text, "^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$")
  if not a then return false end
  for _, part in ipairs { a, b, c, d } do
    if tonumber(part) > 255 or (#part > 1 and part:sub(1, 1) == "0") then return false end
  end
  return true
end

--- Groups of 16 bits in a colon-separated piece of an IPv6 address, or nil when one is malformed.
--- A dotted IPv4 tail counts two and is legal only at the very end.
---@param text string
---@param last boolean whether the piece ends the address
---@return integer|nil
local function ipv6_groups(text, last)
  if text == "" then return 0 end
  local pieces = {}
  for piece in (text .. ":"):gmatch("([^:]*):") do pieces[#pieces + 1] = piece end
  local count = #pieces
  if last and is_ipv4(pieces[count]) then
    pieces[count] = "0"
    count = count + 1
  end
  for _, piece in ipairs(pieces) do
    if not match(piece, "^%x%x?%x?%x?$") then return nil end
  end
  return count
end

---@param text string
---@return boolean
local function is_ipv6(text)
  if #text > 45 or not text:find(":", 1, true) then return false end
  local gap = text:find("::", 1, true)
  if not gap then return ipv6_groups(text, true) == 8 end
  local head, tail = text:sub(1, gap - 1), text:sub(gap + 2)
  if tail:find("::", 1, true) or tail:sub(1, 1) == ":" then return false end
  local before, after = ipv6_groups(head, false), ipv6_groups(tail, true)
  return before ~= nil and after ~= nil and before + after <= 7
end

--- The kind of an IP address: "ipv4", "ipv6" or nil when the text is none.
---@param text any
---@return "ipv4"|"ipv6"|nil
function M.ip_kind(text)
  if type(text) ~= "string" then return nil end
  if is_ipv4(text) then return "ipv4" end
  return is_ipv6(text) and "ipv6" or nil
end

--- Whether the value is an address block ("10.0.0.0/8", "fe80::/10") or a lone address.
---@param value any
---@return boolean
function M.is_cidr(value)
  if type(value) ~= "string" then return false end
  local address, prefix = match(value, "^([^/]+)/(%d%d?%d?)$")
  local kind = M.ip_kind(address or value)
  if not kind then return false end
  return prefix == nil or tonumber(prefix) <= (kind == "ipv4" and 32 or 128)
end

--- Whether the text is a host name: letters, digits, hyphens and underscores in dotted labels.
---@param text any
---@return boolean
function M.is_hostname(text)
  if type(text) ~= "string" or text == "" or #text > 253 then return false end
  if match(text, "^[%d.]+$") then return is_ipv4(text) end
  for label in (text .. "."):gmatch("([^.]*)%.") do
    if #label > 63 or not match(label, "^[%w_]") or not match(label, "^[%w_-]*[%w_]$") then
      return false
    end
  end
  return true
end

--- The longest path that fits a Unix socket address.
local UNIX_PATH_MAX = 107

---@class moongate.Address
---@field kind "tcp"|"unix"
---@field host string "" stands for every local address
---@field port integer|nil nil for Unix sockets
---@field path string|nil

---@param path string
---@return moongate.Address|nil, string|nil
local function unix_address(path)
  if path:sub(1, 1) ~= "/" then
    return nil, 'a Unix socket is written "unix:/path"'
  end
  if #path > UNIX_PATH_MAX then
    return nil, "the path of a Unix socket has at most " .. UNIX_PATH_MAX .. " bytes"
  end
  if path:find("%c") then return nil, "a path has no control characters" end
  return { kind = "unix", host = "", path = path }
end

--- An address taken apart: "host:port", ":port", "[::1]:port" or "unix:/path".
---@param value any
---@return moongate.Address|nil address
---@return string|nil why what is wrong when it is no address
function M.address(value)
  if type(value) ~= "string" then return nil, "an address is a string" end
  local path = match(value, "^unix:(.*)$")
  if path then return unix_address(path) end
  if value:find("://", 1, true) then return nil, "an address has no scheme" end
  local host, port = match(value, "^%[([^%]]*)%]:(%d+)$")
  if host then
    if not is_ipv6(host) then return nil, "'" .. host .. "' is no IPv6 address" end
  else
    host, port = match(value, "^([^:]*):(%d+)$")
    if not host and is_ipv6(value) then
      return nil, 'an IPv6 address stands in brackets: "[' .. value .. ']:port"'
    end
    if not host then return nil, "the port is missing" end
    if host ~= "" and not M.is_hostname(host) then
      return nil, "'" .. host .. "' is no host name"
    end
  end
  if #port > 5 or tonumber(port) > 65535 then return nil, "a port is at most 65535" end
  return { kind = "tcp", host = lower(host), port = tonumber(port) }
end

return M
