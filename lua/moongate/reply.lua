--- `gate.reply` and `gate.redirect`: answers as values, which a hook returns.

local engine = require "moongate.engine"
local json = require "moongate.json"
local place = require "moongate.declare.place"
local written = require "moongate.text"

local M = {}

local api, vm = engine.api, engine.vm
local raise = place.raise
local setmetatable, type, pairs, ipairs, tostring = setmetatable, type, pairs, ipairs, tostring

--- Places in the object, so that assigning to a field of it is seen. Headers are a list of
--- { name, value } or false, the kind is the content type to add or false.
local STATUS, BODY, HEADERS, KIND = 1, 2, 3, 4

---@class moongate.Reply
---@field status integer
---@field body string
local Reply = {}

--- The metatable of replies: tells one from any other table.
M.Reply = Reply

function Reply.__index(self, key)
  if key == "status" then return self[STATUS] end
  if key == "body" then return self[BODY] end
  raise(("a reply has no field '%s'; it is made by gate.reply and only returned")
    :format(tostring(key)))
end

function Reply.__newindex()
  raise("a reply cannot be changed; make another with gate.reply")
end

function Reply.__tostring(self)
  return "reply " .. self[STATUS]
end

--- What a route's `reply` says of one that was made here (declare/answer.lua).
---@param self moongate.Reply
---@return { status: integer, body: string, headers: string[][] }
function Reply.declared(self)
  local headers = {}
  if self[KIND] then headers[1] = { "content-type", self[KIND] } end
  for _, field in ipairs(self[HEADERS] or {}) do headers[#headers + 1] = field end
  return { status = self[STATUS], body = self[BODY], headers = headers }
end

local function add_field(list, name, value)
  if type(value) == "number" then value = tostring(value) end
  if type(value) ~= "string" then
    raise(("header '%s': a string was expected, not a %s"):format(name, type(value)))
  end
  local r = api.header_check(vm, 1, name, #name, value, #value)
  if r ~= 1 then engine.fail(r, "header '" .. name .. "'") end
  list[#list + 1] = { name, value }
end

--- The headers of a reply as a list of pairs, checked; and whether one is Content-Type.
local function header_list(headers)
  local list, typed = {}, false
  for name, value in pairs(headers) do
    if type(name) ~= "string" then
      raise("the headers of a reply are a table of name = value")
    end
    typed = typed or name:lower() == "content-type"
    if written.is_ragged(value) then
      raise(("header '%s': a string or a list of them was expected"):format(name))
    end
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      add_field(list, name, one)
    end
  end
  return list, typed
end

local function body_text(body)
  if body == nil then return "", nil end
  if type(body) == "string" then return body, "text/plain; charset=utf-8" end
  if type(body) ~= "table" then
    raise(("the body of a reply is a string, or a table for JSON, not a %s"):format(type(body)))
  end
  return json.encode(body), "application/json"
end

--- An answer, for a hook or handler to return. A string body is text/plain unless a header says
--- otherwise, a table becomes JSON; 204 and 304 have none. Legal at load and later.
--- Example: `return gate.reply(401, "who are you?\n")`.
---@param status integer 200 to 599
---@param body? string|table
---@param headers? table<string, string|number|string[]>
---@return moongate.Reply
function M.reply(status, body, headers)
  if type(status) ~= "number" or status < 200 or status > 599 or status % 1 ~= 0 then
    place.misuse("gate.reply", "a status from 200 to 599", status)
  end
  if headers ~= nil and type(headers) ~= "table" then
    raise(("the headers of a reply are a table, not a %s"):format(type(headers)))
  end
  local text, kind = body_text(body)
  local list, typed
  if headers then
    list, typed = header_list(headers)
  end
  if status == 204 or status == 304 then text, kind = "", nil end
  return setmetatable({ status, text, list or false, not typed and kind or false }, Reply)
end

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

--- An answer that sends the client elsewhere. Legal at load and later.
---@param url string
---@param status? integer 301, 302 (default), 303, 307 or 308
---@return moongate.Reply
function M.redirect(url, status)
  if type(url) ~= "string" then
    place.misuse("gate.redirect", "a URL", url)
  end
  status = status or 302
  if not REDIRECTS[status] then
    raise("the status of a redirect is 301, 302, 303, 307 or 308, not " .. tostring(status))
  end
  return M.reply(status, nil, { location = url })
end

--- Makes a reply the answer of an exchange.
---@param id integer
---@param serial integer
---@param reply moongate.Reply
function M.apply(id, serial, reply)
  local body = reply[BODY]
  local r = api.reply_begin(vm, id, serial, reply[STATUS], body, #body)
  if r ~= 1 then engine.fail(r) end
  local kind = reply[KIND]
  if kind then api.reply_header(vm, id, serial, "content-type", 12, kind, #kind) end
  local headers = reply[HEADERS]
  if not headers then return end
  for _, field in ipairs(headers) do
    r = api.reply_header(vm, id, serial, field[1], #field[1], field[2], #field[2])
    if r ~= 1 then engine.fail(r) end
  end
end

return M
