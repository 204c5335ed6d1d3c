local applied

local engine = require "support.engine" {
  header_check = function(_, _, name) return name:find("bad") and -2 or 1 end,
  reply_begin = function(_, _, _, status, body)
    applied = { status = status, body = body }
    return 1
  end,
  reply_header = function(_, _, _, name, _, value)
    applied[#applied + 1] = name .. ": " .. value
    return 1
  end,
}
engine.leave("not allowed")
local reply = require "moongate.reply"

local function sent(...)
  reply.apply(1, 2, reply.reply(...))
  return applied
end

describe("moongate.reply", function()
  it("is text unless a header says otherwise", function()
    assert.same({ status = 200, body = "x", "content-type: text/plain; charset=utf-8" },
      sent(200, "x"))
    assert.same({ status = 200, body = "x", "Content-Type: a/b" },
      sent(200, "x", { ["Content-Type"] = "a/b" }))
  end)

  it("turns a table into JSON", function()
    assert.same({ status = 201, body = '{"a":[1,2]}', "content-type: application/json" },
      sent(201, { a = { 1, 2 } }))
  end)

  it("has no body and no type where there is none", function()
    assert.same({ status = 404, body = "" }, sent(404))
    assert.same({ status = 204, body = "" }, sent(204, "dropped"))
    assert.same({ status = 304, body = "", "etag: x" }, sent(304, "dropped", { etag = "x" }))
  end)

  it("sends several fields of a name, and numbers", function()
    assert.same({ status = 200, body = "", "a: 1", "a: 2" }, sent(200, nil, { a = { "1", 2 } }))
  end)

  it("redirects", function()
    reply.apply(1, 2, reply.redirect("/x"))
    assert.same({ status = 302, body = "", "location: /x" }, applied)
    reply.apply(1, 2, reply.redirect("/x", 308))
    assert.equal(308, applied.status)
  end)

  it("can be read, but not changed", function()
    local r = reply.reply(200, "x")
    assert.equal(200, r.status)
    assert.equal("x", r.body)
    assert.has_error(function() r.status = 404 end)
    assert.has_error(function() return r.headers end)
    assert.equal(200, r.status)
  end)

  it("refuses what cannot be sent when it is made, not when it is returned", function()
    assert.has_error(function() reply.reply() end)
    assert.has_error(function() reply.reply(99) end)
    assert.has_error(function() reply.reply(200, true) end)
    assert.has_error(function() reply.reply(200, "", { bad = "x" }) end)
    assert.has_error(function() reply.reply(200, "", { a = {} , [1] = "x" }) end)
    assert.has_error(function() reply.reply(200, "", { a = { b = "x" } }) end)
    assert.has_error(function() reply.reply(200, "", { a = { "x", nil, "y" } }) end)
    assert.has_error(function() reply.redirect("/x", 200) end)
  end)
end)
