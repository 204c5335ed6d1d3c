local env = require "moongate.env"

describe("moongate.env", function()
  it("answers the variable, the default, or raises", function()
    local get = env.new(function(name) return name == "SET" and "value" or nil end)
    assert.equal("value", get("SET"))
    assert.equal("value", get("SET", "default"))
    assert.equal("default", get("UNSET", "default"))
    assert.is_nil(get("UNSET", nil))
    assert.has_error(function() get("UNSET") end,
      "the environment variable UNSET is not set, and there is no default")
    assert.has_error(function() get(1) end)
  end)

  it("reads each variable once", function()
    local reads = 0
    local get = env.new(function() reads = reads + 1 return "v" .. reads end)
    assert.equal("v1", get("A"))
    assert.equal("v1", get("A"))
    assert.equal(1, reads)
  end)
end)
