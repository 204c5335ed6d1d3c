local tail_calls = require "moongate.declare.tail_calls"

describe("moongate.declare.tail_calls", function()
  local function lines(text)
    return tail_calls.lines(assert(loadstring("return " .. text, "@t.lua"))())
  end

  it("finds the lines of tail calls, of both kinds", function()
    assert.same({ 2 }, lines "function(f)\n return f(1)\n end")
    assert.same({ 2 }, lines "function(f, ...)\n return f(...)\n end")
    assert.same({ 2, 4 }, lines "function(f)\n if f then return f() end\n\n return f.g()\n end")
  end)

  it("leaves out other calls, and those of functions inside", function()
    assert.same({}, lines "function(f)\n f()\n return (f())\n end")
    assert.same({}, lines "function(f)\n return f, f()\n end")
    assert.same({}, lines "function(f)\n return function() return f() end\n end")
    assert.same({}, lines "function() end")
  end)
end)
