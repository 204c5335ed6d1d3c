local view = require "moongate.view"

describe("moongate.view", function()
  local make = view.maker("req.timing", { "total", "connect" })

  it("answers values, and nil for those that are not there", function()
    local v = make { total = 1 }
    assert.equal(1, v.total)
    assert.is_nil(v.connect)
    assert.equal("req.timing", tostring(v))
  end)

  it("raises for misspelt fields and writes", function()
    local v = make { total = 1 }
    assert.has_error(function() return v.totl end,
      "req.timing has no 'totl'; did you mean 'total'?")
    assert.has_error(function() v.connect = 1 end, "req.timing.connect is read only")
    assert.has_error(function() v.total = 2 end, "req.timing.total is read only")
    assert.equal(1, v.total)
  end)
end)
