local engine = require "support.engine" {}
local cookies = require "moongate.cookies"

local function parsed(field)
  local list = {}
  for i, pair in ipairs(cookies.parse(field)) do list[i] = pair[1] .. "=" .. pair[2] end
  return table.concat(list, "|")
end

describe("moongate.cookies", function()
  it("parses pairs in order, with or without spaces", function()
    assert.equal("a=1|b=2|a=3", parsed("a=1; b=2;a=3"))
    assert.equal("a=1|b=x y", parsed("  a = 1 ;  b = x y  "))
  end)

  it("takes quotes off, and keeps what is inside", function()
    assert.equal('a=x|b=""|c="x', parsed('a="x"; b=""""; c="x'))
  end)

  it("leaves out what is no pair", function()
    assert.equal("b=1", parsed("a; =x; ; b=1"))
    assert.equal("", parsed(""))
    assert.equal("a=", parsed("a="))
    assert.equal("a=b=c", parsed("a=b=c"))
  end)

  it("takes all Cookie fields as one, and sees what has changed", function()
    local fields, i
    engine.api.header_next = function()
      i = i and i + 1 or 1
      engine.kept = fields[i]
      if not fields[i] then i = nil return 0 end
      engine.io.p2, engine.io.n2 = fields[i], #fields[i]
      return 1
    end
    local c = cookies.of(1)
    fields = { "a=1; b=2", "", "a=3" }
    assert.equal("1", c.a)
    assert.equal("2", c.b)
    assert.same({ "1", "3" }, c:all "a")
    fields = { "a=9" }
    assert.equal("9", c.a)
    assert.is_nil(c.b)
    fields = {}
    assert.is_nil(c.a)
    assert.is_nil(c:each()())
  end)

  it("is read only", function()
    local c = cookies.of(1)
    for _, change in ipairs { function() c.a = "1" end, function() c:add("a", "1") end } do
      local ok, err = pcall(change)
      assert.is_false(ok)
      assert.truthy(err:find("is read only; set req.headers.cookie", 1, true), err)
    end
    local ok, err = pcall(c.get, "a")
    assert.is_false(ok)
    assert.truthy(err:find("req.cookies:get is called with a colon, not with a dot", 1, true), err)
  end)
end)
