local json = require "moongate.json"

describe("moongate.json", function()
  describe("encode", function()
    it("writes every kind of value", function()
      assert.equal('{"ok":true}', json.encode { ok = true })
      assert.equal("[1,2,[3,{}],false,null]", json.encode { 1, 2, { 3, {} }, false, json.null })
      assert.equal('"x"', json.encode "x")
      assert.equal("null", json.encode(nil))
      assert.equal("null", json.encode(json.null))
    end)

    it("takes {} for an object, and array() for an array", function()
      assert.equal("{}", json.encode {})
      assert.equal("[]", json.encode(json.array {}))
      assert.equal("[]", json.encode(json.array()))
      assert.equal('{"a":[]}', json.encode { a = json.array {} })
    end)

    it("escapes what must be", function()
      assert.equal([["\"\\\n\t\r\b\f\u0000\u001f/"]], json.encode "\"\\\n\t\r\b\f\0\31/")
      assert.equal([["0123456789\"0123456789"]], json.encode '0123456789"0123456789')
      assert.equal('"\195\169\240\159\140\153\127"', json.encode "\195\169\240\159\140\153\127")
      assert.equal([[{"a\nb":1}]], json.encode { ["a\nb"] = 1 })
    end)

    it("replaces bytes that are no UTF-8", function()
      assert.equal([["a\ufffdb"]], json.encode "a\255b")
      assert.equal([["\ufffd\ufffd"]], json.encode "\192\128")
      assert.equal([["\ufffd\ufffd\ufffd"]], json.encode "\237\160\128")
      assert.equal([["\ufffd"]], json.encode "\195")
    end)

    it("writes numbers so that they come back", function()
      for number, text in pairs {
        [0] = "0", [-1] = "-1", [1e14] = "100000000000000", [2 ^ 53] = "9007199254740992",
        [-2 ^ 53] = "-9007199254740992", [0.1] = "0.1", [1 / 3] = "0.3333333333333333",
        [1e300] = "1e+300", [123456789012] = "123456789012",
        [9166104484131770] = "9166104484131770.0",
        [1e20] = "1e+20", [0.1 + 0.2] = "0.30000000000000004",
      } do
        assert.equal(text, json.encode(number))
        assert.equal(number, json.decode(text))
      end
      assert.equal("0", json.encode(-0))
    end)

    it("raises misuse at the caller's line", function()
      local function message(value)
        local ok, err = pcall(function() return (json.encode(value)) end)
        assert.is_false(ok)
        return err
      end
      local loop = {}
      loop.loop = loop
      for _, case in ipairs {
        { loop, "deeper than 1000" }, { { print }, "a function has no JSON form" },
        { 0 / 0, "no number" }, { { 1 / 0 }, "no number" }, { { 1, nil, 3 }, "holes" },
        { { 1, x = 2 }, "no JSON array" }, { { [true] = 1 }, "string keys" },
        { { [5] = 1 }, "string keys" }, { coroutine.create(print), "a thread" },
      } do
        local text = message(case[1])
        assert.truthy(text:find("json_spec.lua:%d+: gate.json.encode: "), text)
        assert.truthy(text:find(case[2], 1, true), text)
      end
    end)

    it("accepts lists that Lua keeps out of order", function()
      local list = {}
      for i = 20, 1, -1 do list[i] = i end
      assert.equal("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]", json.encode(list))
      local mixed = { x = 1 }
      mixed[1] = 1
      assert.has_error(function() json.encode(mixed) end)
    end)

    it("is not disturbed by a call within a call, or by one that failed", function()
      pcall(json.encode, { "half", print })
      assert.equal("[1]", json.encode { 1 })
      local big = ("x"):rep(200000)
      assert.equal(#big + 2, #json.encode(big))
      assert.equal("[2]", json.encode { 2 })
    end)

    it("does not call metamethods", function()
      local t = setmetatable({ a = 1 }, { __index = error, __pairs = error, __len = error })
      assert.equal('{"a":1}', json.encode(t))
    end)
  end)

  describe("canonical", function()
    it("sorts keys at every level", function()
      local t = { b = 1, a = { d = { 1, 2 }, c = json.array {} }, [""] = json.null }
      assert.equal('{"":null,"a":{"c":[],"d":[1,2]},"b":1}', json.canonical(t))
    end)

    it("keeps bytes that are no UTF-8 when it is asked to", function()
      assert.equal('"\\u0000\\ufffd\195\188\\ufffd\\n"', json.canonical "\0\255\195\188\195\n")
      assert.equal('"\\u0000\255\195\188\195\\n"', json.canonical("\0\255\195\188\195\n", true))
    end)
  end)

  describe("decode", function()
    it("reads every kind of value", function()
      assert.same({ 1, "a", true, false }, json.decode '[1,"a",true,false]')
      assert.same({ a = { b = { "c" } } }, json.decode ' { "a" : { "b" : [ "c" ] } } ')
      assert.equal(json.null, json.decode "null")
      assert.equal(json.null, json.decode('{"a":null}').a)
      assert.equal("", json.decode '""')
      assert.equal(false, json.decode "false")
      assert.same({}, json.decode "{}")
    end)

    it("remembers arrays, so that text goes round", function()
      for _, text in ipairs { "[]", "{}", "[[],{}]", '{"a":[],"b":{}}', "[1,[2,[3]],null]" } do
        assert.equal(text, json.canonical(json.decode(text)))
      end
    end)

    it("reads numbers", function()
      for text, number in pairs {
        ["0"] = 0, ["-5"] = -5, ["1.5"] = 1.5, ["1e3"] = 1000, ["1E-2"] = 0.01, ["2.5e+1"] = 25,
        ["123456789012345"] = 123456789012345, ["0.1"] = 0.1, ["1e-400"] = 0,
        ["5e-05"] = 5e-5, ["-1.05e+007"] = -1.05e7, ["-0.25"] = -0.25,
        ["3.141592653589793238"] = 3.141592653589793, ["0.000001"] = 1e-6,
          ["1234.5678"] = 1234.5678,
      } do
        assert.equal(number, json.decode(text), text)
        assert.equal(number, json.decode("[" .. text .. "]")[1], text)
      end
      assert.equal(-math.huge, 1 / json.decode "-0")
    end)

    it("gives integers over 2^53 as strings", function()
      assert.equal(9007199254740992, json.decode "9007199254740992")
      assert.equal("9007199254740993", json.decode "9007199254740993")
      assert.equal("-9007199254740993", json.decode "-9007199254740993")
      assert.equal("18446744073709551615", json.decode "18446744073709551615")
      assert.same({ id = "12345678901234567890" }, json.decode '{"id":12345678901234567890}')
      assert.equal(1e20, json.decode "1e20")
    end)

    it("reads strings", function()
      assert.equal('"\\/\b\f\n\r\t', json.decode [["\"\\\/\b\f\n\r\t"]])
      assert.equal("A\195\169\226\130\172\240\159\140\153",
        json.decode [["\u0041\u00e9\u20AC\ud83c\udf19"]])
      assert.equal("\195\169\226\130\172\240\159\140\153",
        json.decode '"\195\169\226\130\172\240\159\140\153"')
      assert.equal("\0", json.decode [["\u0000"]])
      for n = 0, 40 do
        local text = ("abcdefgh"):rep(5):sub(1, n)
        assert.equal(text, json.decode('"' .. text .. '"'))
        assert.equal(text .. "\n" .. text, json.decode('"' .. text .. "\\n" .. text .. '"'))
      end
    end)

    it("takes the last of equal keys", function()
      assert.same({ a = 2 }, json.decode '{"a":1,"a":2}')
    end)

    it("refuses everything else, and says where", function()
      for _, case in ipairs {
        { "", "where a value is expected" }, { " ", "where a value is expected" },
        { "[1,]", "a value expected" }, { "[,1]", "a value expected" }, { "[1 2]", "',' or ']'" },
        { "[1", "the text ends" }, { "[", "where a value is expected" }, { "]",
          "a value expected" },
        { "{", "a key" }, { '{"a"', "':'" }, { '{"a":', "a value" }, { '{"a":1', "',' or '}'" },
        { '{"a":1,}', "a key" }, { "{a:1}", "a key" }, { '{"a" 1}', "':'" }, { "{'a':1}", "a key" },
        { "1 2", "nothing may follow" }, { "{}x", "nothing may follow" }, { "01", "leading zero" },
        { "-01", "leading zero" }, { "-", "digits" }, { "1.", "digits" }, { ".5", "a value" },
        { "1e", "digits" }, { "1e+", "digits" }, { "+1", "a value" }, { "1e999", "out of range" },
        { "-1e999", "out of range" }, { "0x10", "nothing may follow" }, { "NaN", "a value" },
        { "nul", "a value" }, { "truex", "nothing may follow" }, { "True", "a value" },
        { '"a', "ends inside a string" }, { '"\\x"', "unknown escape" }, { '"\\',
          "unknown escape" },
        { '"\\u12g4"', "four hex digits" }, { '"\\u12', "four hex digits" }, { '"\\ud800"',
          "surrogate" },
        { '"\\ud800\\u0041"', "surrogate" }, { '"\\udc00"', "surrogate" }, { '"a\nb"', "control" },
        { '"\0"', "control" }, { '"\255"', "UTF-8" }, { '"\192\128"', "UTF-8" }, { '"\195"',
          "UTF-8" },
        { '"\237\160\128"', "UTF-8" }, { "// x\n1", "a value" }, { "[1}", "',' or ']'" },
        { '{"a":1]', "',' or '}'" }, { "\239\187\191{}", "a value" }, { "1.5.5",
          "nothing may follow" },
      } do
        local value, err = json.decode(case[1])
        assert.is_nil(value, case[1])
        assert.equal("json", err.code)
        assert.truthy(err.message:find(case[2], 1, true), case[1] .. ": " .. err.message)
        assert.equal(err.message, tostring(err))
      end
    end)

    it("names line and column", function()
      local _, err = json.decode '{\n  "a": 1,\n  "b": x\n}'
      assert.equal("JSON line 3 column 8: a value expected", err.message)
      assert.equal(3, err.line)
    end)

    it("bounds the depth", function()
      assert.is_table(json.decode(("["):rep(1000) .. ("]"):rep(1000)))
      local value, err = json.decode(("["):rep(1001) .. ("]"):rep(1001))
      assert.is_nil(value)
      assert.truthy(err.message:find("deeper than 1000", 1, true))
      value, err = json.decode(('{"a":'):rep(1001))
      assert.is_nil(value)
      assert.truthy(err.message:find("deeper than 1000", 1, true))
    end)

    it("raises for what is no string", function()
      local ok, err = pcall(function() return (json.decode(5)) end)
      assert.is_false(ok)
      assert.truthy(err:find("json_spec.lua:%d+: gate.json.decode takes a string, got number"), err)
    end)

    it("comes round with random documents", function()
      math.randomseed(7)
      local function random(depth)
        local kind = math.random(depth > 4 and 4 or 6)
        if kind == 1 then return math.random(-1e9, 1e9) end
        if kind == 2 then return math.random() end
        if kind == 3 then return math.random() > 0.5 end
        if kind == 4 then
          local bytes = {}
          for i = 1, math.random(0, 20) do bytes[i] = string.char(math.random(0, 127)) end
          return table.concat(bytes)
        end
        local t = kind == 5 and json.array {} or {}
        for i = 1, math.random(0, 6) do t[kind == 5 and i or ("k" .. i)] = random(depth + 1) end
        return t
      end
      for _ = 1, 300 do
        local value = random(0)
        local text = json.canonical(value)
        assert.same(value, json.decode(text))
        assert.equal(text, json.canonical(json.decode(text)))
      end
    end)
  end)

  describe("array", function()
    it("refuses what is no plain table", function()
      assert.has_error(function() json.array "x" end)
      assert.has_error(function() json.array(setmetatable({}, {})) end)
      local list = json.array { 1 }
      assert.equal(list, json.array(list))
      assert.is_true(json.is_array(list))
      assert.is_false(json.is_array({}))
      assert.is_false(json.is_array("x"))
    end)
  end)
end)
