local query

local engine = require "support.engine" {}
engine.api.text = function() return engine.leave(query) end
engine.api.text_set = function(_, _, _, _, value) query = value return 1 end
local args = require "moongate.args"

describe("moongate.args", function()
  local a

  before_each(function()
    query = "x=1&y=2&x=3"
    a = args.of(1)
  end)

  it("reads first and all values", function()
    assert.equal("1", a.x)
    assert.is_nil(a.z)
    assert.same({ "1", "3" }, a:all("x"))
    assert.is_true(a:has("y"))
    assert.is_function(a.all)
    query = "all=1"
    assert.equal("1", a:get("all"))
  end)

  it("writes at once, where the first one stood", function()
    a.x = "a b"
    assert.equal("x=a+b&y=2", query)
    a.y = { "1", "2" }
    assert.equal("x=a+b&y=1&y=2", query)
    a.x = nil
    assert.equal("y=1&y=2", query)
    a.new = true
    assert.equal("y=1&y=2&new=true", query)
  end)

  it("sees a query that has changed since", function()
    assert.equal("1", a.x)
    query = "x=9"
    assert.equal("9", a.x)
    assert.is_nil(a.y)
    assert.same({ "9" }, a:all("x"))
    a.x = "10"
    assert.equal("10", a.x)
  end)

  it("may be changed while it is walked", function()
    for name in a:each() do a[name] = nil end
    assert.equal("", query)
  end)

  it("replaces in a list without touching others", function()
    local list = { { "a", "1" }, { "b", "2" }, { "a", "3" } }
    assert.same({ { "a", "9" }, { "b", "2" } }, args.replaced(list, "a", { "9" }))
    assert.same({ { "b", "2" } }, args.replaced(list, "a", {}))
    assert.same({ { "a", "1" }, { "b", "2" }, { "a", "3" }, { "c", "4" } },
      args.replaced(list, "c", { "4" }))
    assert.equal(3, #list)
  end)

  it("refuses what is no text", function()
    assert.has_error(function() a.x = function() end end)
    assert.has_error(function() a[9] = "x" end)
  end)
end)
