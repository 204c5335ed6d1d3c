local support = require "spec.support.gateway_load"

local bad, file, good = support.bad, support.file, support.good

describe("gate.every, declared", function()
  it("emits period and workers", function()
    assert.same({
      { period_ms = 10000, on_all = false, at = "gateway.lua:3" },
      { period_ms = 50, on_all = true, at = "gateway.lua:4" },
    }, good(file('gate.every("10s", print)', 'gate.every(0.05, print, { on = "all" })')).timers)
    assert.same({}, good(file()).timers)
  end)

  it("refuses what is wrong", function()
    for line, message in pairs {
      ["gate.every(0, print)"] = "(it must be more than 0)",
      ["gate.every('x', print)"] = "a time (seconds",
      ["gate.every(1, 5)"] = "gateway.lua:3: argument 2 of gate.every: a function expected, got 5",
      ["gate.every(1)"] = "a function expected",
      ["gate.every(1, print, { on = 'al' })"] = "did you mean 'all'",
      ["gate.every(1, print, { no = 'all' })"] = "no option 'no'",
      ["gate:every(1, print)"] = "gate.every is called with a dot, not with a colon",
    } do
      local printed = bad(file(line))
      assert.equal(1, #printed)
      assert.truthy(printed[1]:find(message, 1, true), line .. ": " .. printed[1])
    end
  end)
end)
