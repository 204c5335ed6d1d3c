local modules = require "moongate.modules"

describe("moongate.modules", function()
  local files, env, gate, host

  before_each(function()
    files, gate = {}, { name = "gate" }
    env = setmetatable({ require = modules.require, error = error }, { __index = _G })
    host = {
      module = function(name)
        local path = name:gsub("%.", "/") .. ".lua"
        if files[path] then return path, files[path] end
      end,
      native = function(name)
        if name == "geo" then return { of = "the program" } end
      end,
      library = function(name)
        if name == "moongate.policy.cors" then
          return loadstring("return { gate = gate, name = ... }")
        end
        if name == "moongate.secret" then return loadstring("return 1") end
      end,
    }
    modules.begin(host, env, gate)
  end)

  it("runs each module once, in the sandbox", function()
    files["a/b.lua"] = "n = (n or 0) + 1 return { n = n, name = ... }"
    local m = modules.require("a.b")
    assert.same({ n = 1, name = "a.b" }, m)
    assert.equal(m, modules.require("a.b"))
    assert.equal(1, env.n)
    assert.is_nil(rawget(_G, "n"))
  end)

  it("takes functions of the program before files", function()
    files["geo.lua"] = "return { of = 'the file' }"
    assert.equal("the program", modules.require("geo").of)
    assert.equal(modules.require("geo"), modules.require("geo"))
  end)

  it("gives LuaJIT's own modules to those who trust", function()
    assert.has_error(function() modules.require("ffi") end)
    modules.begin({ module = function() end, native = function() end }, env, gate, true)
    assert.equal(require "ffi", modules.require("ffi"))
    assert.equal(require "table.new", modules.require("table.new"))
    assert.equal(io, modules.require("io"))
    assert.equal(gate, modules.require("moongate"))
  end)

  it("gives the gate table, and true for a module that returns nothing", function()
    assert.equal(gate, modules.require("moongate"))
    files["quiet.lua"] = "local x = 1"
    assert.is_true(modules.require("quiet"))
    files["no.lua"] = "return false"
    assert.is_false(modules.require("no"))
  end)

  it("finds ready-made policies, and nothing else of the library", function()
    local policy = modules.require("moongate.policy.cors")
    assert.equal(gate, policy.gate)
    assert.has_error(function() modules.require("moongate.secret") end)
  end)

  it("reports broken, missing and circular modules", function()
    files["bad.lua"] = "return {"
    files["raise.lua"] = "error('inside', 0)"
    files["x.lua"] = "require 'y'"
    files["y.lua"] = "require 'x'"
    local _, err = pcall(modules.require, "bad")
    assert.is_truthy(err:find("^bad.lua:1:"))
    assert.has_error(function() modules.require("raise") end, "inside")
    assert.is_false((pcall(modules.require, "x")))
    assert.has_error(function() modules.require({}) end)
    _, err = pcall(modules.require, "none")
    assert.is_truthy(err:find("there is no module 'none' %(no file none.lua beside"))
  end)

  it("can be tried again after a failure", function()
    files["m.lua"] = "error('x')"
    assert.is_false((pcall(modules.require, "m")))
    files["m.lua"] = "return 1"
    assert.equal(1, modules.require("m"))
  end)

  it("know the line of misuse in the last call of a file", function()
    env.raise = require("moongate.declare.place").raise
    files["m.lua"] = "\n\nreturn raise 'no'"
    files["n.lua"] = "require 'quiet'\nreturn raise 'no'"
    files["quiet.lua"] = "return 1"
    assert.equal("m.lua:3: no", select(2, pcall(modules.require, "m")))
    assert.equal("n.lua:2: no", select(2, pcall(modules.require, "n")))
  end)

  it("reads nothing after the load", function()
    files["a.lua"], files["b.lua"] = "return 'a'", "return 'b'"
    modules.require("a")
    modules.finish()
    assert.equal("a", modules.require("a"))
    local _, err = pcall(modules.require, "b")
    assert.is_truthy(err:find("require it at the top of the file"))
  end)

  it("reads what the files name in a require, for when it is asked for", function()
    files["main.lua"] = "return function() return require('a'), require \"lost\" end"
    files["a.lua"] = "n = (n or 0) + 1 return { n, (require 'b') }"
    files["b.lua"] = "return {"
    modules.compile("main.lua", files["main.lua"])
    modules.finish()
    assert.is_nil(env.n)
    files["a.lua"] = "return 'changed'"
    local _, err = pcall(modules.require, "a")
    assert.matches("^b%.lua:1:", err)
    assert.equal(1, env.n)
    _, err = pcall(modules.require, "lost")
    assert.matches("there is no module 'lost'", err, 1, true)
  end)

  it("runs such a module once", function()
    files["a.lua"] = "n = (n or 0) + 1 return { n }"
    modules.compile("main.lua", "local lazy = function() return require 'a', require 'geo' end")
    modules.finish()
    local a = modules.require("a")
    assert.same({ 1 }, a)
    assert.equal(a, modules.require("a"))
    assert.equal("the program", modules.require("geo").of)
  end)

  it("gives the libraries of scripts, behind files of their names", function()
    env.bit = require "bit"
    modules.begin(host, env, gate)
    assert.equal(env.bit, modules.require("bit"))
    modules.begin(host, env, gate)
    files["bit.lua"] = "return 'a file'"
    assert.equal("a file", modules.require("bit"))
    modules.begin(host, env, gate)
    modules.finish()
    assert.equal(env.bit, modules.require("bit"))
  end)

  it("takes text only, and skips a first line for the shell", function()
    assert.is_function((modules.compile("a.lua", "#!/usr/bin/moongate\nreturn 1")))
    assert.is_nil((modules.compile("a.lua", string.dump(function() end))))
    assert.equal(2, #modules.files())
  end)

  it("knows which words stand in the files", function()
    modules.compile("a.lua", "return 'some timing'")
    assert.is_true(modules.mention("timing"))
    assert.is_false(modules.mention("timings"))
  end)
end)
