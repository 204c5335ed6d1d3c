local utf8 = require "moongate.json.utf8"

local function width(s)
  return utf8.width(s, 1, s:byte())
end

describe("moongate.json.utf8", function()
  it("measures valid sequences", function()
    assert.equal(2, width "\195\169")
    assert.equal(3, width "\226\130\172")
    assert.equal(4, width "\240\159\140\153")
    assert.equal(3, width "\237\159\191")
    assert.equal(4, width "\244\143\191\191")
  end)

  it("knows what is none", function()
    for _, bad in ipairs { "\128", "\192\128", "\193\191", "\195", "\195x", "\224\128\128",
      "\226\130",
      "\237\160\128", "\240\128\128\128", "\244\144\128\128", "\245\128\128\128", "\255" } do
      assert.equal(0, width(bad))
    end
  end)

  it("tells texts that are valid all through", function()
    for _, good in ipairs { "", "a", "\195\169", "a\195\169b\226\130\172\240\159\140\153c" } do
      assert.is_true(utf8.is_valid(good))
    end
    for _, bad in ipairs { "\255", "a\195", "\195\169\169", "\226\130b", "ab\237\160\128" } do
      assert.is_false(utf8.is_valid(bad))
    end
  end)

  it("writes code points", function()
    for _, code in ipairs { 0x24, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF } do
      local s = utf8.char(code)
      assert.equal(#s, code < 128 and 1 or width(s))
    end
    assert.equal("\226\130\172", utf8.char(0x20AC))
  end)
end)
