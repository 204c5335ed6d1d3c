require "support.engine"()
local errors = require "moongate.errors"

describe("moongate.errors", function()
  it("are printable and carry a code", function()
    local err = errors.new("timeout", "it took too long")
    assert.equal("timeout", err.code)
    assert.equal("it took too long", tostring(err))
    assert.equal("x: it took too long", "x: " .. err)
  end)

  it("stand for the engine's codes", function()
    assert.equal("too_large", errors.of_code(6).code)
    assert.equal("timeout", errors.of_code(7).code)
    assert.equal("closed", errors.of_code(3).code)
  end)
end)
