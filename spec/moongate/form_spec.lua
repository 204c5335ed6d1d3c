local form = require "moongate.form"

local function pairs_of(query)
  local list = {}
  for i, pair in ipairs(form.parse(query)) do list[i] = pair[1] .. "=" .. pair[2] end
  return table.concat(list, " ")
end

describe("moongate.form", function()
  it("decodes plus and escapes, and leaves bad escapes alone", function()
    assert.equal("a b", form.decode("a+b"))
    assert.equal("A/ä\0", form.decode("%41%2F%C3%a4%00"))
    assert.equal("%", form.decode("%"))
    assert.equal("%4", form.decode("%4"))
    assert.equal("%zz", form.decode("%zz"))
    assert.equal("plain", form.decode("plain"))
  end)

  it("encodes everything but unreserved characters", function()
    assert.equal("aZ09-._~", form.encode("aZ09-._~"))
    assert.equal("a+b%26%3D%2B%25", form.encode("a b&=+%"))
    assert.equal("%00%0D%0A%FF", form.encode("\0\r\n\255"))
  end)

  it("decodes what it has encoded", function()
    for i = 0, 255 do
      assert.equal(string.char(i), form.decode(form.encode(string.char(i))))
    end
  end)

  it("parses names with and without values, in order", function()
    assert.equal("a=1 b= c= a=2", pairs_of("a=1&b=&c&a=2"))
    assert.equal("=v a=b=c", pairs_of("&=v&&a=b=c&"))
    assert.equal("", pairs_of(""))
  end)

  it("finds the first value of each name", function()
    assert.same({ a = "1", b = "", ["c d"] = "=" }, form.first("a=1&b&a=2&&b=3&c+d==&c%20d=x"))
    assert.same({ [""] = "v" }, form.first("=v&="))
    assert.same({}, form.first(""))
    assert.same({}, form.first("&&"))
  end)

  it("agrees on first values with the list", function()
    local pieces = { "a", "b", "=", "&", "%61", "+", "==", "&&" }
    for seed = 1, 500 do
      local query, n = "", seed
      for _ = 1, 8 do
        n = (n * 1103515245 + 12345) % 2147483648
        query = query .. pieces[math.floor(n / 65536) % #pieces + 1]
      end
      local first = {}
      for _, pair in ipairs(form.parse(query)) do first[pair[1]] = first[pair[1]] or pair[2] end
      assert.same(first, form.first(query), query)
    end
  end)

  it("writes unchanged pairs as they stood", function()
    local list = form.parse("a=%41&b&c=+")
    assert.equal("a=%41&b&c=+", form.write(list))
    list[2] = { "n", "x y" }
    assert.equal("a=%41&n=x+y&c=+", form.write(list))
    assert.equal("", form.write({}))
  end)
end)
