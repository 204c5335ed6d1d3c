local json = require "moongate.json"
local schema = require "moongate.schema"

--- Checks a value and returns the result and what was reported.
local function check(kind, value)
  local reports = {}
  local root = schema.spot {
    report = function(spot, parts)
      local path = spot:path()
      for i, key in ipairs(path) do path[i] = tostring(key) end
      parts.path = table.concat(path, ".")
      reports[#reports + 1] = parts
    end,
  }
  return kind:check(value, root:at("option")), reports
end

describe("moongate.schema", function()
  it("normalises scalars", function()
    assert.equal(true, (check(schema.boolean(), true)))
    assert.equal(false, (check(schema.boolean(), false)))
    assert.equal(250, (check(schema.duration(), "250ms")))
    assert.equal(250000, (check(schema.duration { unit = "us" }, 0.25)))
    assert.equal(0, (check(schema.duration { zero = true }, 0)))
    assert.equal(2048, (check(schema.size(), "2k")))
    assert.equal(7, (check(schema.integer(1, 9), 7)))
    assert.equal("x", (check(schema.text(), "x")))
  end)

  it("reports values of the wrong kind with what was expected", function()
    for _, case in ipairs {
      { schema.boolean(), 1 }, { schema.duration(), "x" }, { schema.duration(), 0 },
      { schema.size(1, 5), 6 }, { schema.size(2), 1 }, { schema.integer(1, 9), 10 },
      { schema.integer(1, 9), 1.5 }, { schema.text(), "" }, { schema.text(), "a\n" },
        { schema.func(), {} },
      { schema.cidr(), "x" }, { schema.list(schema.text()), "x" }, { schema.record("r", {}), "x" },
      { schema.map(schema.text(), schema.text()), 5 },
    } do
      local result, reports = check(case[1], case[2])
      assert.is_nil(result)
      assert.equal(1, #reports)
      assert.equal("option", reports[1].name)
      assert.equal(case[1].expected, reports[1].expected)
      assert.truthy(reports[1].message:find("'option': ", 1, true), reports[1].message)
    end
  end)

  it("names the nearest value of an enum, and those of other builds", function()
    local kind = schema.enum({ "round_robin" }, { "maglev" })
    assert.equal("round_robin", (check(kind, "round_robin")))
    local _, reports = check(kind, "rond_robin")
    assert.same({ "rond_robin", "round_robin" }, { reports[1].name, reports[1].nearest })
    _, reports = check(kind, "maglev")
    assert.truthy(reports[1].message:find("not there yet", 1, true))
    _, reports = check(kind, 5)
    assert.equal("one of round_robin", reports[1].expected)
  end)

  it("walks lists", function()
    local kind = schema.list(schema.integer(1, 9), { min = 1 })
    assert.same({ 1, 2 }, (check(kind, { 1, 2 })))
    local result, reports = check(kind, { 1, 99, 3 })
    assert.same({ 1, 3 }, result)
    assert.equal("option.2", reports[1].path)
    result, reports = check(kind, {})
    assert.is_nil(result)
    assert.truthy(reports[1].message:find("it is empty", 1, true))
    result, reports = check(kind, { 1, [5] = 2 })
    assert.is_nil(result)
    assert.truthy(reports[1].message:find("got the key '5'", 1, true))
  end)

  it("walks records, with defaults, required fields and positions", function()
    local kind = schema.record("a thing", {
      [1] = schema.with(schema.text(), { required = true }),
      size = schema.with(schema.size(), { default = 5 }),
      flag = schema.boolean(),
      new = schema.later(),
    })
    assert.same({ "x", size = 5 }, (check(kind, { "x" })))
    assert.same({ "x", size = 1024, flag = false }, (check(kind, { "x", size = "1k", flag = false,
      new = false })))
    assert.same({ "x", size = 5 }, (check(kind, { "x", size = json.null, other = json.null })))
    local _, reports = check(kind, { "x", szie = 1 })
    assert.same({ "option.szie", "szie", "size" }, { reports[1].path, reports[1].name,
      reports[1].nearest })
    _, reports = check(kind, {})
    assert.equal("a thing needs a first value (a string)", reports[1].message)
    _, reports = check(kind, { "x", "y" })
    assert.equal("a thing takes no value without a name here", reports[1].message)
    _, reports = check(kind, { "x", new = {} })
    assert.truthy(reports[1].message:find("'new' is right", 1, true))
    _, reports = check(kind, { "x", [true] = 1, zzzzz = 2 })
    assert.equal(2, #reports)
  end)

  it("does not ask for a field whose misspelt name it saw", function()
    local kind = schema.record("a thing", { servers = schema.with(schema.text(),
      { required = true }) })
    local _, reports = check(kind, { sevrers = "x" })
    assert.equal(1, #reports)
    assert.equal("servers", reports[1].nearest)
  end)

  it("takes names that can be shown", function()
    for _, kind in ipairs { schema.name(), schema.word(9) } do
      assert.equal("\195\169-x", (check(kind, "\195\169-x")))
      for _, bad in ipairs { "", "a\nb", "a\127", "\195", 5 } do
        local result, reports = check(kind, bad)
        assert.is_nil(result)
        assert.truthy(reports[1].message:find("a name expected", 1, true))
      end
    end
    assert.equal("a b", (check(schema.name(), "a b")))
    for _, bad in ipairs { "a b", "0123456789" } do assert.is_nil((check(schema.word(9), bad))) end
  end)

  it("walks maps into sorted pairs", function()
    local kind = schema.map(schema.text(), schema.integer(1, 9))
    assert.same({ { "a", 2 }, { "b", 1 } }, (check(kind, { b = 1, a = 2 })))
    local result, reports = check(kind, { b = 1, a = 0 })
    assert.same({ { "b", 1 } }, result)
    assert.equal("option.a", reports[1].path)
  end)
end)
