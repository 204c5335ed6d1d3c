--- The two actions of a route that need no script: `reply = { 200, "hello\n" }` and
--- `redirect = "/new/*rest"`.

local http = require "moongate.declare.http"
local json = require "moongate.json"
local schema = require "moongate.schema"

local M = {}

local HEADER_NAME = schema.custom("a header name", function(value)
  if not http.is_token(value) then return nil end
  if http.FRAMING[value:lower()] then return nil, "the gateway writes it" end
  return value
end)

local HEADER_VALUE = schema.custom("a header value or a list of them", function(value)
  if type(value) == "number" then value = ("%.14g"):format(value) end
  local list = type(value) == "table" and value or { value }
  for _, one in ipairs(list) do
    if not http.is_header_value(one) then return nil, "no line ends or other controls" end
  end
  if #list > 0 then return list end
end)

local BODY = schema.custom("a string, or a table for JSON", function(value)
  if type(value) == "string" then return { text = value, kind = "text/plain; charset=utf-8" } end
  if type(value) ~= "table" then return nil end
  local ok, text = pcall(json.canonical, value)
  if not ok then return nil, tostring(text) end
  return { text = text, kind = "application/json" }
end)

local STATUS = schema.integer(200, 599)
local HEADERS = schema.map(HEADER_NAME, HEADER_VALUE)

local REPLY = schema.record("reply", {
  [1] = STATUS, [2] = BODY, [3] = HEADERS, status = STATUS, body = BODY, headers = HEADERS,
})

--- The headers of a reply as pairs, with its content type unless one was given.
local function header_pairs(given, body)
  local list, typed = {}, false
  for _, field in ipairs(given or {}) do
    typed = typed or field[1]:lower() == "content-type"
    for _, value in ipairs(field[2]) do list[#list + 1] = { field[1], value } end
  end
  if body and not typed then table.insert(list, 1, { "content-type", body.kind }) end
  return list
end

--- The type of `reply`: status, body and headers by position as in `gate.reply`, or by name; or
--- what `gate.reply` gave, which has judged it.
---@type moongate.Type
M.REPLY = {
  expected = 'a reply such as { 200, "hello\\n" }',
  check = function(self, value, spot)
    if type(value) ~= "table" then return spot:unexpected(value, self.expected) end
    local mt = debug.getmetatable(value)
    local declared = mt and rawget(mt, "declared")
    if declared then return declared(value) end
    local given, meant = REPLY:check(value, spot)
    local status = given.status or given[1]
    if not status then
      if value.status == nil and value[1] == nil and not meant.status then
        spot:fail {
          name = "status", expected = STATUS.expected, message = "a reply needs a status",
        }
      end
      return nil
    end
    local body = given.body or given[2]
    if status == 204 or status == 304 then body = nil end
    return {
      status = status, body = body and body.text or "",
      headers = header_pairs(given.headers or given[3], body),
    }
  end,
}

local TARGET = schema.custom('a path or an "http(s)://" URL', function(value)
  if type(value) ~= "string" then return nil end
  if value:find("[%c%s]") then return nil, "it holds a space or a control character" end
  if value:find("#", 1, true) then
    return nil, "the query would come behind the '#'; a handler can say gate.redirect"
  end
  if value:find("^/") and not value:find("^//") then return value end
  if value:find("^https?://[^/]") then return value end
end)

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

local REDIRECT_STATUS = schema.custom("301, 302, 303, 307 or 308", function(value)
  if REDIRECTS[value] then return value end
end)

local REDIRECT = schema.record("redirect", {
  [1] = TARGET, [2] = REDIRECT_STATUS, to = TARGET, status = REDIRECT_STATUS,
})

--- The type of `redirect`: a target, or `{ target, status }`, or the same by name.
---@type moongate.Type
M.REDIRECT = {
  expected = 'a target such as "/new/*rest", or { target, status }',
  check = function(self, value, spot)
    if type(value) == "string" then
      local to = TARGET:check(value, spot)
      return to and { to = to, status = 302 }
    end
    if type(value) ~= "table" then return spot:unexpected(value, self.expected) end
    local mt = debug.getmetatable(value)
    if mt and rawget(mt, "declared") then
      return spot:fail {
        name = "redirect", expected = "reply",
        message = "'redirect' takes a target; an answer, as gate.redirect gives one, is a 'reply'",
      }
    end
    local given, meant = REDIRECT:check(value, spot)
    if value[1] == nil and value.to == nil and not meant.to then
      spot:fail { name = "to", expected = TARGET.expected, message = "a redirect needs a target" }
    end
    local to = given.to or given[1]
    return to and { to = to, status = given.status or given[2] or 302 }
  end,
}

return M
