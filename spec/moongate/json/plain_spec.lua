local plain = require "moongate.json.plain"

describe("moongate.json.plain", function()
  it("skips what stands for itself, at most eight bytes", function()
    assert.equal(1, plain.skip("", 1))
    assert.equal(4, plain.skip("abc", 1))
    assert.equal(9, plain.skip("abcdefghij", 1))
    assert.equal(11, plain.skip("abcdefghij", 9))
    for _, other in ipairs { '"', "\\", "\n", "\0", "\31", "\128", "\255" } do
      for n = 0, 7 do assert.equal(n + 1, plain.skip(("x"):rep(n) .. other .. "yyyyyyyy", 1)) end
    end
    assert.equal(3, plain.skip("\127 ", 1))
  end)
end)
