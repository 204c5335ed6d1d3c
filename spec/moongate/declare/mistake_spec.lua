local mistake = require "moongate.declare.mistake"

describe("moongate.declare.mistake", function()
  it("is one line", function()
    local made = mistake.new({ file = "g.lua", line = 3 }, { message = "got 'a\nb\0\t'" })
    assert.equal("g.lua:3: got 'a\\nb\\000\\t'", tostring(made))
  end)

  it("prints as file:line, as file and pointer, or as file", function()
    local function printed(place) return tostring(mistake.new(place, { message = "m" })) end
    assert.equal("a.lua:3: m", printed { file = "a.lua", line = 3 })
    assert.equal("a.json /3/x: m", printed { file = "a.json", pointer = "/3/x" })
    assert.equal("a.lua: m", printed { file = "a.lua" })
  end)

  it("is made of an error value", function()
    local made = mistake.from_error("a/b.lua:12: it broke", "g.lua")
    assert.equal("a/b.lua", made.file)
    assert.equal(12, made.line)
    assert.equal("it broke", made.message)
    assert.equal("g.lua: no position", tostring(mistake.from_error("no position", "g.lua")))
    assert.equal("g.lua: m", tostring(mistake.from_error({ code = "x", message = "m" }, "g.lua")))
    assert.equal(made, mistake.from_error(made, "g.lua"))
  end)

  it("merges lists, sorted and each once", function()
    local function at(file, line, message) return mistake.new({ file = file, line = line },
      { message = message }) end
    local merged = mistake.merge({ at("b", 1, "x"), at("a", 2, "x") }, { at("a", 1, "y"), at("b",
      1, "x") })
    local printed = {}
    for i, made in ipairs(merged) do printed[i] = tostring(made) end
    assert.same({ "a:1: y", "a:2: x", "b:1: x" }, printed)
  end)
end)
