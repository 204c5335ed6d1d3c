local lines, level

require "support.engine" {
  log_on = function(_, l) lines.fields = {} return l >= level and 1 or 0 end,
  log_field = function(_, key, value, n)
    assert(n == #value)
    table.insert(lines.fields, key .. "=" .. value)
    return 1
  end,
  log_write = function(_, l, text)
    table.insert(lines, l .. " " .. text .. " " .. table.concat(lines.fields, ","))
  end,
}
local log = require "moongate.log"

describe("moongate.log", function()
  before_each(function() lines, level = { fields = {} }, 1 end)

  it("writes lines of each level, with sorted fields", function()
    local l = log.new()
    l.debug("not this")
    l.info("a")
    l.warn("b", { z = 1, a = true })
    l.error("c", {})
    assert.same({ "1 a ", "2 b a=true,z=1", "3 c " }, { unpack(lines) })
  end)

  it("prints all values in one line", function()
    log.print("a", nil, 1, false)
    assert.equal("1 a\tnil\t1\tfalse ", lines[1])
  end)

  it("cuts what is too long", function()
    log.new().info(("x"):rep(100000), { f = ("y"):rep(100000) })
    assert.is_true(#lines[1] < 20000)
  end)

  it("says what is wrong with a call", function()
    local l = log.new()
    assert.has_error(function() l:info("x") end,
      "gate.log.info is called with a dot, not with a colon")
    assert.has_error(function() l.info("x", "y") end)
    assert.has_error(function() return l.wran end)
  end)

  it("survives a value whose tostring logs", function()
    local l = log.new()
    local value = setmetatable({}, {
      __tostring = function() l.info("inner", { q = 1 }) return "t" end,
    })
    l.info("outer", { v = value })
    assert.same({ "1 inner q=1", "1 outer v=t" }, { unpack(lines) })
  end)
end)
