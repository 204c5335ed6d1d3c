--- Path patterns of routes (`/a/`, `/a`, `/users/:id`, `/files/*rest`) and the templates that use
--- their captures (`rewrite`, `redirect`). Pure functions.

local nearest = require "moongate.nearest"
local utf8 = require "moongate.json.utf8"

local M = {}

---@class moongate.Pattern
---@field prefix boolean whether a path may go on behind it
---@field captures table<string, boolean>

--- What the router has room for (core/route): captures of a path, segments of one, and segments
--- before the last capture but for a rest.
local CAPTURES_MAX, SEGMENTS_MAX, CAPTURE_WITHIN = 16, 1000, 64

---@param segments string[]
---@return string|nil why
local function check_size(segments)
  local captures = 0
  for i, segment in ipairs(segments) do
    local sigil = segment:sub(1, 1)
    if sigil == ":" or i == #segments and (sigil == "*" or segment == "") then
      captures = captures + 1
    end
    if sigil == ":" and i > CAPTURE_WITHIN then
      return ("a capture stands within the first %d segments"):format(CAPTURE_WITHIN)
    end
  end
  if captures > CAPTURES_MAX then return "at most 16 captures, with what is left over" end
  if #segments > SEGMENTS_MAX then return "at most 1000 segments" end
end

---@param segment string
---@param captures table<string, boolean>
---@param last boolean
---@return string|nil why
local function check_segment(segment, captures, last)
  local sigil = segment:sub(1, 1)
  if segment == "." or segment == ".." or segment == "" and not last then
    return ("'%s' never stands in a canonical path"):format(segment == "" and "//" or segment)
  end
  local braced = segment:match("^{([%a_][%w_]*)}$")
  if braced then return ("a capture is written ':%s', not '%s'"):format(braced, segment) end
  if sigil ~= ":" and sigil ~= "*" then
    return segment:find("*", 1, true) and "'*' stands only in '/*name', which takes the rest; "
      .. "a path that ends in '/' is a prefix" or nil
  end
  local name = segment:sub(2)
  if not name:find("^[%a_][%w_]*$") then
    return ("a capture needs a name of letters, digits and underscores: '%s'"):format(segment)
  end
  if sigil == "*" and not last then
    return ("'%s' takes the rest and must come last"):format(segment)
  end
  if captures[name] then return ("the capture '%s' stands twice"):format(name) end
  captures[name] = true
end

--- Reads a path pattern.
---@param path any
---@return moongate.Pattern|nil pattern nil when it is none
---@return string|nil why
function M.parse(path)
  if type(path) ~= "string" then return nil end
  if path:sub(1, 1) ~= "/" then return nil, "a path begins with '/'" end
  if path:find("%c") then return nil, "it holds a control character" end
  if not utf8.is_valid(path) then return nil, "it is no UTF-8" end
  if path:find("[?#]") then return nil, "a path has no '?' or '#'; use `query`" end
  local encoded = path:gsub("%%2F", ""):gsub("%%25", ""):match("%%%x%x")
  if encoded then
    return nil, ("routes match the decoded path, so '%s' never matches"):format(encoded)
  end
  local captures = {}
  local segments = {}
  for segment in (path:sub(2) .. "/"):gmatch("([^/]*)/") do segments[#segments + 1] = segment end
  for i, segment in ipairs(segments) do
    local why = check_segment(segment, captures, i == #segments)
    if why then return nil, why end
  end
  local why = check_size(segments)
  if why then return nil, why end
  return { prefix = path:sub(-1) == "/", captures = captures }
end

--- Checks a template against the pattern whose captures it uses; "*" is what a prefix path left
--- over.
---@param template string
---@param pattern moongate.Pattern
---@return { name: string, expected: string, nearest: string|nil, message: string }|nil mistake
function M.check_template(template, pattern)
  local known = {}
  for name in pairs(pattern.captures) do known[name] = true end
  local path = template:gsub("^%a[%w+.-]*://[^/]*", "")
  for sigil, name in path:gmatch("/([:*])([^/?#]*)") do
    if name == "" and sigil == "*" then
      if not pattern.prefix then
        return {
          name = "*", expected = "a path that ends in '/'",
          message = "'*' is what a prefix path left over, and this path is no prefix",
        }
      end
    elseif not known[name] then
      local near = nearest.find(name, known)
      return {
        name = sigil .. name, expected = "a capture of the path", nearest = near and sigil .. near,
        message = ("the path has no capture '%s'%s"):format(name,
          near and ("; did you mean '" .. near .. "'?") or ""),
      }
    end
  end
end

return M
