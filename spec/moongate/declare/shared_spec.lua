local support = require "spec.support.gateway_load"

local bad, file, good = support.bad, support.file, support.good

describe("gate.shared, declared", function()
  it("emits name and size", function()
    assert.same({
      { name = "a", bytes = 1048576, at = "gateway.lua:3" },
      { name = "b", bytes = 67108864, at = "gateway.lua:4" },
    }, good(file('gate.shared("a", { bytes = "1m" })', 'gate.shared("b", {})')).shared)
    assert.same({}, good(file()).shared)
  end)

  it("gives the same object by name, then and later", function()
    local config, _, gate = good(file('local a = gate.shared("a", { bytes = 65536 })',
      'assert(gate.shared("a") == a)'))
    assert.equal(1, #config.shared)
    assert.equal(65536, gate.shared("a").bytes)
    assert.has_error(function() gate.shared("b", {}) end)
  end)

  it("refuses what is wrong", function()
    for line, message in pairs {
      ['gate.shared("a", { byte = 1 })'] = "gateway.lua:3: gate.shared has no option 'byte'; did "
        .. "you mean 'bytes'?",
      ['gate.shared("a", { bytes = "15k" })'] = "at least 16384",
      ['gate.shared("a", { bytes = "65g" })'] = "at most",
      ['gate.shared("a", 5)'] = "gateway.lua:3:",
      ['gate.shared("a b", {})'] = "a name has no spaces",
      ['gate.shared(("x"):rep(65), {})'] = "a name has 1 to 64 bytes",
      ['gate.shared({}, {})'] = "a name expected",
      ['gate.shared("a", {}) gate.shared("a", {})'] = "declared twice (first at gateway.lua:3)",
      ['gate.shared("aa", {}) gate.shared("ab")'] = "there is no dictionary 'ab'; did you mean "
        .. "'aa'?",
      ['gate.shared()'] = "gateway.lua:3: gate.shared needs the name of a dictionary, not a nil",
      ['gate.shared("none", {})'] = "the dictionary 'none' cannot be made (system error 24)",
      ['gate:shared("a", {})'] = "gate.shared is called with a dot, not with a colon",
    } do
      local printed = bad(file(line))
      assert.equal(1, #printed)
      assert.truthy(printed[1]:find(message, 1, true), line .. ": " .. printed[1])
    end
  end)
end)
