local source = require "moongate.source"

local function texts(text)
  local list = {}
  for i, token in ipairs(source.tokens(text)) do list[i] = token.kind .. " " .. token.text end
  list[#list] = nil
  return list
end

describe("moongate.source", function()
  describe("tokens", function()
    it("tells kinds apart", function()
      assert.same({ "keyword local", "name x", "op =", "number 1", "op ..", 'string a"b' },
        texts [[local x = 1 .. "a\"b"]])
      assert.same({ "name a", "op ~=", "name b", "op ...", "op ::", "name l", "op ::" },
        texts "a~=b...::l::")
    end)

    it("reads numbers", function()
      for _, number in ipairs { "1", "1.5", ".5", "0x1F", "1e10", "1e-5", "3.", "10LL", "0x1p4",
        "1i" } do
        assert.same({ "number " .. number }, texts(number))
      end
      assert.same({ "number 1", "op -", "number 2" }, texts "1-2")
      assert.same({ "number 0xE", "op +", "number 1" }, texts "0xE+1")
    end)

    it("reads strings", function()
      assert.same({ "string a\nb" }, texts [["a\nb"]])
      assert.same({ "string a" }, texts [['a']])
      assert.same({ "string A" }, texts [["\65"]])
      assert.same({ "string a]b" }, texts "[==[\na]b]==]")
      assert.same({ "string a'b" }, texts [["a'b"]])
    end)

    it("skips comments of every length, and a first line for the shell", function()
      assert.same({ "name a", "name b" }, texts "#!/bin/x\na -- c\n--[[ d\ne ]] b --[==[ x ]] ]==]")
    end)

    it("counts lines", function()
      local tokens = source.tokens "a\n--[[\n\n]] b\n[[x\n\n]] c"
      assert.equal(1, tokens.lines[1])
      assert.equal(4, tokens.lines[2])
      assert.equal(5, tokens.lines[3])
      assert.equal(7, tokens.lines[4])
    end)

    it("ends at what is no Lua", function()
      assert.same({ "name a" }, texts 'a "unfinished')
      assert.same({ "name a" }, texts "a --[[ unfinished")
      assert.equal("eof", source.tokens("")[1].kind)
    end)
  end)

  describe("find", function()
    local function find(text, line, callee, path)
      return source.find(source.tokens(text), line, callee, path)
    end

    it("finds keys of every form", function()
      local text = 'f {\n  a = 1,\n  ["b-c"] = 2;\n  [7] = 3,\n  "x",\n  { "y" },\n}'
      assert.equal(2, find(text, 1, "f", { 1, "a" }))
      assert.equal(3, find(text, 1, "f", { 1, "b-c" }))
      assert.equal(4, find(text, 1, "f", { 1, 7 }))
      assert.equal(5, find(text, 1, "f", { 1, 1 }))
      assert.equal(6, find(text, 1, "f", { 1, 2, 1 }))
      assert.is_nil(find(text, 1, "f", { 1, "z" }))
      assert.is_nil(find(text, 1, "f", { 1, "a", "b" }))
    end)

    it("goes past functions and nested tables", function()
      local text = [[
f("name", {
  a = function(x) if x then return { b = 1 } end while x do x = nil end end,
  c = { d = (function() repeat local e = 1 until true end)() , e = 1 },
  b = g { b = 2 } .. h("b", { b = 3 }),
  k = {
    [ [=[long]=] ] = 1,
    deep = 2 },
})]]
      assert.equal(2, find(text, 1, "f", { 2, "a" }))
      assert.equal(4, find(text, 1, "f", { 2, "b" }))
      assert.equal(3, find(text, 1, "f", { 2, "c", "e" }))
      assert.equal(6, find(text, 1, "f", { 2, "k", "long" }))
      assert.equal(7, find(text, 1, "f", { 2, "k", "deep" }))
      assert.equal(1, find(text, 1, "f", { 1 }))
      assert.is_nil(find(text, 1, "f", { 3 }))
    end)

    it("sees through a plain variable", function()
      local text = "local o = {\n a = 1 }\nlocal p = { o = o }\nf(o)\nf(p)\nf(q)"
      assert.equal(2, find(text, 4, "f", { 1, "a" }))
      assert.equal(2, find(text, 5, "f", { 1, "o", "a" }))
      assert.is_nil(find(text, 6, "f", { 1, "a" }))
    end)

    it("chooses the call by its name and line", function()
      local text = "g { a = 1 } f {\n a = 2 }\nh {\n a = 3 }"
      assert.equal(2, find(text, 1, "f", { 1, "a" }))
      assert.equal(1, find(text, 1, "g", { 1, "a" }))
      assert.equal(4, find(text, 0, "h", { 1, "a" }))
      assert.equal(4, find(text, 3, "alias", { 1, "a" }))
    end)

    it("survives text that ends early", function()
      for _, text in ipairs { "f {", "f { a", "f { a =", "f { [", "f { [1] =", "f(", "f(a,",
        "f { ) }",
        "f { a = ( }", "f { [x }" } do
        assert.has_no_error(function() find(text, 1, "f", { 1, "zz" }) end)
        assert.has_no_error(function() find(text, 1, "f", { 2, "zz" }) end)
      end
    end)
  end)
end)
