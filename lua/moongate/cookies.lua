--- `req.cookies`: what the Cookie fields of a request say. Read only.

local engine = require "moongate.engine"
local ffi = require "ffi"
local handle = require "moongate.handle"
local pair_list = require "moongate.pair_list"
local place = require "moongate.declare.place"

local M = {}

local api, vm, io, fail, raise = engine.api, engine.vm, engine.io, engine.fail, place.raise

local byte, find, sub, ffi_string = string.byte, string.find, string.sub, ffi.string
local split = handle.split

local SPACE, TAB, QUOTE = 32, 9, 34

--- Without the space around it.
---@param text string
---@return string
local function trimmed(text)
  local from, to = 1, #text
  while from <= to and (byte(text, from) == SPACE or byte(text, from) == TAB) do from = from + 1 end
  while to >= from and (byte(text, to) == SPACE or byte(text, to) == TAB) do to = to - 1 end
  return sub(text, from, to)
end

---@param text string
---@return string
local function unquoted(text)
  if #text > 1 and byte(text, 1) == QUOTE and byte(text, -1) == QUOTE then
    return sub(text, 2, -2)
  end
  return text
end

--- The pairs of a Cookie field, in order. A value in quotes loses them. No patterns: they are not
--- compiled.
---@param field string
---@return table[] list of { name, value }
function M.parse(field)
  local list, from, equals = {}, 1, 0
  while from <= #field do
    local stop = find(field, ";", from, true) or #field + 1
    if equals < from then equals = find(field, "=", from, true) or #field + 1 end
    if equals < stop then
      local name = trimmed(sub(field, from, equals - 1))
      local value = unquoted(trimmed(sub(field, equals + 1, stop - 1)))
      if name ~= "" then list[#list + 1] = { name, value } end
    end
    from = stop + 1
  end
  return list
end

--- All Cookie fields as one.
local function text_of(self)
  local id, serial = split(self)
  local text = ""
  io.cursor_i, io.cursor_edits = 0, 0
  local r = api.header_next(vm, id, serial, 0, "cookie", 6)
  while r == 1 do
    local field = ffi_string(io.p2, io.n2)
    text = text == "" and field or text .. ";" .. field
    r = api.header_next(vm, id, serial, 0, "cookie", 6)
  end
  if r < 0 then fail(r) end
  return text
end

--- The fields that were parsed last, as in args.lua.
local last = { text = "", list = {}, first = {} }

---@return { list: table[], first: table<string, string> } pairs { name, value }, first values
local function parsed_of(self)
  local text, parsed = text_of(self), last
  if text ~= parsed.text then
    local list = M.parse(text)
    parsed = { text = text, list = list, first = pair_list.first(list) }
    last = parsed
  end
  return parsed
end

local function list_of(self) return parsed_of(self).list end
local function first_of(self) return parsed_of(self).first end

local Cookies = pair_list.class("req.cookies", list_of, first_of)

local function refuse(_, name)
  raise(("req.cookies.%s is read only; set req.headers.cookie, or add a set-cookie to res.headers")
    :format(tostring(name)))
end

Cookies.add, Cookies.__newindex = refuse, refuse

--- The cookies of the request of an object's exchange.
M.of = pair_list.define("cookies", Cookies)

return M
