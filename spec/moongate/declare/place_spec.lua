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

  it("raises at that place", function()
    local ok, err = pcall(loadstring("local place = ...\n\nplace.raise 'no'", "@user.lua"), place)
    assert.is_false(ok)
    assert.equal("user.lua:3: no", err)
  end)
end)
