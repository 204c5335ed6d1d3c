--- What cases of conformance are written with: frames of a client that asks one target, and a list
--- that cases are added to.
local connection = require "e2e.conformance.connection"
local h2 = require "e2e.vectors.h2"

local M = {}

local World = {}
World.__index = World

--- target: authority, scheme.
function M.new(target)
  return setmetatable({ target = target, cases = {} }, World)
end

--- A case: the section of RFC 9113 or another one that it is about, what happens, what may come of
--- it (connection.lua), and its steps: bytes of one write each, and functions that wait.
function World:add(section, name, allowed, ...)
  self.cases[#self.cases + 1] = {
    name = section .. ": " .. name, allowed = allowed, steps = { ... },
  }
end

--- The header block of a request for the target; `change` by name, and more fields.
function World:block(change, more)
  local with = { [":authority"] = self.target.authority, [":scheme"] = self.target.scheme,
    [":path"] = "/" }
  for name, value in pairs(change or {}) do with[name] = value end
  return h2.request(with, more)
end

--- HEADERS with any block.
function World:headers(block, flags, id)
  return h2.frame(h2.HEADERS, flags or h2.END + h2.WHOLE, id or 1, block)
end

--- A whole GET.
function World:get(id) return self:headers(self:block(), nil, id) end

--- A GET whose body is to come.
function World:open(id) return self:headers(self:block(), h2.WHOLE, id) end

--- The head of a POST whose body is to come.
function World:post(more)
  return self:headers(self:block({ [":method"] = "POST" }, more), h2.WHOLE)
end

--- Body bytes on stream 1.
function World:data(bytes, flags) return h2.frame(h2.DATA, flags or 0, 1, bytes) end

--- One setting.
function World:setting(id, value)
  return h2.frame(h2.SETTINGS, 0, 0, string.char(0, id) .. h2.u32(value))
end

World.WINDOW_SETTING = 4

function World:window(id, n) return h2.frame(h2.WINDOW, 0, id, h2.u32(n)) end

function World:reset(id, code) return h2.frame(h2.RST, 0, id, h2.u32(code or 8)) end

--- PRIORITY, as RFC 7540 had it.
function World:priority(id, on, weight)
  return h2.frame(h2.PRIORITY, 0, id, h2.u32(on) .. string.char(weight or 255))
end

function World:ping() return h2.frame(h2.PING, 0, 0, connection.MARK) end

--- The rest of a header block.
function World:continuation(block, flags, id)
  return h2.frame(h2.CONTINUATION, flags or h2.WHOLE, id or 1, block)
end

--- A field of 4,000 bytes, as part of a block.
World.LARGE = h2.field("x-large", ("x"):rep(4000))

return M
