local data = require "moongate.data"

describe("moongate.data", function()
  it("remembers where tables came from", function()
    local t = data.decode('[{"a":{"b/c":{}}}]', "x.json")
    assert.same({ file = "x.json", pointer = "" }, data.origin(t))
    assert.equal("/0", data.origin(t[1]).pointer)
    assert.equal("/0/a/b~1c", data.origin(t[1].a["b/c"]).pointer)
    assert.is_nil(data.origin({}))
    assert.is_nil(data.origin("x"))
  end)

  it("gives faults back", function()
    local value, err = data.decode("[", "x.json")
    assert.is_nil(value)
    assert.equal("json", err.code)
  end)

  it("looks where modules are looked for", function()
    assert.same({ "a/b.json", "scripts/a/b.json" }, data.files "a.b")
    local read = {}
    local host = { read = function(name) read[#read + 1] = name end }
    local text, file = data.find(host, "routes")
    assert.is_nil(text)
    assert.equal("routes.json", file)
    assert.same({ "routes.json", "scripts/routes.json" }, read)
  end)

  it("prefers what the embedding program supplies", function()
    local host = {
      read = function() return "[1]" end,
      data = function(name) if name == "a" then return "[2]", "supplied" end end,
    }
    assert.same({ "[2]", "supplied" }, { data.find(host, "a") })
    assert.same({ "[1]", "b.json" }, { data.find(host, "b") })
  end)
end)
