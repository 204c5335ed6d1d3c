local slept

local engine = require "support.engine" {
  sleep = function(_, seconds)
    if seconds < 0 then return -2 end
    slept = seconds
    return slept == 99 and -4 or 0
  end,
}
engine.leave("a time is a number that is not negative")
local sleep = require "moongate.sleep"

-- What waits yields.
local function run(...)
  slept = nil
  local co = coroutine.create(sleep.sleep)
  return coroutine.resume(co, ...)
end

describe("moongate.sleep", function()
  it("takes seconds and texts", function()
    assert.is_true((run(0.5)))
    assert.equal(0.5, slept)
    assert.is_true((run("50ms")))
    assert.equal(0.05, slept)
    assert.is_true((run("2m")))
    assert.equal(120, slept)
  end)

  it("refuses the rest", function()
    for _, bad in ipairs { "x", {}, true, -1 } do assert.is_false((run(bad))) end
    assert.is_truthy(select(2, run("5q")):find("'5q' is no time", 1, true))
    local _, err = run(99)
    assert.is_truthy(err:find("not possible while the gateway file loads"))
  end)
end)
