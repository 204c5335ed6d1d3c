require "support.engine"()
local sandbox = require "moongate.sandbox"

describe("moongate.sandbox", function()
  local strings, env

  setup(function()
    strings = debug.getmetatable("").__index
    env = sandbox.new { print = print, require = require }
  end)

  teardown(function() debug.getmetatable("").__index = strings end)

  it("has what is documented and nothing else", function()
    local names = {}
    for name in pairs(env) do names[#names + 1] = name end
    table.sort(names)
    assert.equal("assert bit coroutine error getmetatable ipairs load math next os pairs pcall "
      .. "print rawequal rawget rawset require select setmetatable string table tonumber tostring "
      .. "type unpack xpcall", table.concat(names, " "))
  end)

  it("hides dangerous functions of libraries", function()
    assert.is_nil(env.string.dump)
    assert.is_nil(env.os.execute)
    assert.is_nil(env.table.new)
    assert.is_function(env.string.rep)
    assert.is_nil(debug.getmetatable("").__index.dump)
  end)

  it("has all other functions of the libraries", function()
    for _, library in ipairs { "coroutine", "math", "bit" } do
      for name in pairs(require(library)) do
        assert.is_not_nil(env[library][name], library .. "." .. name)
      end
    end
    for name in ("concat foreach foreachi getn insert maxn move remove sort"):gmatch("%S+") do
      assert.is_function(env.table[name], name)
    end
    assert.is_false(env.coroutine.isyieldable())
    assert.is_true(env.coroutine.wrap(function() return env.coroutine.isyieldable() end)())
  end)

  it("refuses globals and changes of libraries", function()
    assert.has_error(function() env.x = 1 end)
    assert.has_error(function() env.string.rep = 1 end)
  end)

  it("changes tables that are no script's own by no function", function()
    for _, change in ipairs { "rawset", "insert", "remove", "sort" } do
      local fn = env[change] or env.table[change]
      local ok, err = pcall(fn, env.string, 1, 2)
      assert.is_false(ok)
      assert.matches("belongs to the gateway", err)
    end
    local own = env.rawset({ 1 }, "x", 2)
    env.table.insert(own, 3)
    env.table.insert(own, 1, 0)
    assert.equal(3, env.table.remove(own))
    assert.same({ 0, 1, x = 2 }, own)
  end)

  it("raises with the place of the level that was asked for", function()
    local function raised(text)
      local chunk = setfenv(assert(loadstring(text, "@u.lua")), env)
      return select(2, pcall(chunk))
    end
    assert.equal("u.lua:2: x", raised "\nerror('x')")
    assert.equal("u.lua:3: x", raised "local function f()\n error('x', 2) end\nf()")
    assert.equal("x", raised "error('x', 0)")
    assert.same({ 1 }, raised "error({ 1 })")
    assert.is_nil((raised "error()"))
  end)

  it("keeps protected metatables", function()
    local mt = { __index = {} }
    sandbox.protect(mt)
    local object = setmetatable({}, mt)
    assert.is_nil(env.getmetatable(object))
    assert.is_nil(env.getmetatable("x"))
    assert.has_error(function() env.setmetatable(object, {}) end)
    local own = {}
    assert.equal(own, env.getmetatable(env.setmetatable({}, own)))
  end)

  it("loads text into itself", function()
    assert.equal(env.string, env.load("return string")())
    assert.is_nil(env.load("return io")())
    assert.is_nil((env.load("\27")))
    assert.is_nil((env.load(("x"):rep(262145))))
    assert.is_nil((env.load(42)))
  end)

  it("loads text into an environment of the caller's", function()
    local own = { a = 5 }
    assert.equal(5, env.load("b = a return a", "x", "t", own)())
    assert.same({ a = 5, b = 5 }, own)
    assert.equal(env.string, env.load("return string", nil, "bt")())
    local fn, err = env.load("return 1", "x", "b")
    assert.is_nil(fn)
    assert.matches("mode 'b'", err, 1, true)
    assert.has_error(function() env.load("return 1", "x", "t", 5) end)
  end)

  it("tells mistakes in loaded text at its own lines", function()
    local function raised(name, text)
      return select(2, pcall(assert(env.load(text or "\nerror('x')", name))))
    end
    assert.equal("(load):2: x", raised())
    assert.equal("rules:2: x", raised "=rules")
    assert.equal("a/rules.lua:2: x", raised "@a/rules.lua")
    assert.equal('[string "first..."]:2: x', raised "first\nsecond")
    assert.equal(('[string "%s..."]:2: x'):format(("n"):rep(45)), raised(("n"):rep(46)))
    assert.equal("rules:1: setmetatable needs a table, not a string",
      raised("=rules", "setmetatable('', {})"))
  end)

  it("gives the rest to those who trust, but not hooks", function()
    local trusting = sandbox.new { print = print, require = require, trust = true }
    assert.equal(io, trusting.io)
    assert.is_function(trusting.debug.getinfo)
    assert.is_nil(trusting.debug.sethook)
    assert.equal(trusting, trusting._G)
    assert.equal(os.getenv, trusting.os.getenv)
    assert.equal(string.dump, trusting.string.dump)
    -- What stands between scripts and the engine stays.
    assert.not_equal(table.sort, trusting.table.sort)
    assert.not_equal(coroutine.resume, trusting.coroutine.resume)
    assert.has_error(function() trusting.os.x = 1 end)
    assert.has_error(function() trusting.x = 1 end)
  end)
end)
