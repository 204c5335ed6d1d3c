local strict = require "moongate.declare.strict"

describe("moongate.declare.strict", function()
  it("raises for fields that are not there, with the nearest name", function()
    local t = strict.table({ route = 1, listen = 2 }, "gate")
    assert.equal(1, t.route)
    local ok, err = pcall(function() return t.rout end)
    assert.is_false(ok)
    assert.truthy(err:find("strict_spec.lua:%d+: gate has no 'rout'; did you mean 'route'%?$"), err)
    ok, err = pcall(function() t.other = 1 end)
    assert.is_false(ok)
    assert.truthy(err:find("gate cannot be changed (field 'other')", 1, true), err)
    assert.has_error(function() return t[1] end)
  end)

  it("tells what a build lacks from what does not exist", function()
    local t = strict.table({ route = 1 }, "gate", { names = { route = true, fetch = true } })
    local ok, err = pcall(function() return t.fetch end)
    assert.is_false(ok)
    assert.truthy(err:find("gate.fetch is right, but not there yet in this build",
      1, true), err)
    assert.equal("x", strict.missing("res", "x", { y = true }, { x = true }).name)
    assert.is_nil(strict.missing("res", "x", { y = true }, { x = true }).nearest)
  end)

  it("can be called, and raise in another way", function()
    local raised
    local t = strict.table({}, "t", {
      call = function(_, a) return a + 1 end, raise = function(parts) raised = parts end,
    })
    assert.equal(3, t(2))
    assert.is_nil(t.x)
    assert.equal("x", raised.name)
    local ok, err = pcall(strict.table({ warn = 1, info = 2 }, "gate.log"), "x")
    assert.is_false(ok)
    assert.truthy(err:find("gate.log is no function; it has info, warn", 1, true), err)
  end)
end)
