local place = require "moongate.declare.place"

describe("moongate.declare.place", function()
  it("finds the nearest frame of the user's code", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local at = place.caller()
    assert.equal(line, at.line)
    assert.truthy(at.file:find("place_spec.lua", 1, true))
  end)

  it("looks further when a file is not accepted", function()
    local chunk = loadstring("local place = ...\nlocal at = place.caller(function(file) "
      .. "return file == 'user.lua' end)\nreturn at", "@user.lua")
    assert.same({ file = "user.lua", line = 2 }, chunk(place))
    assert.is_nil(place.caller(function() return false end))
  end)

  it("does not take code without a file for the user's", function()
    local chunk = loadstring("local place = ...\nlocal at = place.caller()\nreturn at", "=(load)")
    local at = chunk(place)
    assert.truthy(at.file:find("place_spec.lua", 1, true))
  end)

  it("finds the place of a hook's tail call, which leaves no frame", function()
    -- The hook's chunk is the user's, what calls it is not.
    local function raised(text)
      local hook = assert(loadstring("local place = ...\n" .. text, "@user.lua"))(place)
      local run = loadstring("local hook = ...\nreturn function() hook() end", "=hooks")(hook)
      place.calls_hooks(run, function() return hook end)
      local co = coroutine.create(run)
      return select(2, coroutine.resume(co))
    end
    assert.equal("user.lua:4: no", raised "return function()\n\nreturn place.raise 'no'\nend")
    -- Of several calls nobody knows which it was.
    assert.equal("user.lua:2: no", raised [[return function()
      if not place then return error() end
      return place.raise 'no'
    end]])
  end)

  it("says what was misused", function()
    local function said(...) return select(2, pcall(place.misuse, ...)):gsub("^.-: ", "") end
    local strict = require("moongate.declare.strict").table({}, "gate.x")
    assert.equal("gate.x.f needs a string, not a boolean", said("gate.x.f", "a string", true))
    assert.equal("gate.x.f needs a string, not nothing", said("gate.x.f", "a string", nil))
    assert.equal("gate.x.f needs a string, not 5", said("gate.x.f", "a string", 5))
    assert.equal("gate.x.f needs a string, not a table", said("gate.x.f", "a string", {}))
    assert.equal("gate.x.f is called with a dot, not with a colon",
      said("gate.x.f", "a string", strict))
  end)

  it("raises at that place", function()
    local ok, err = pcall(loadstring("local place = ...\n\nplace.raise 'no'", "@user.lua"), place)
    assert.is_false(ok)
    assert.equal("user.lua:3: no", err)
  end)
end)
