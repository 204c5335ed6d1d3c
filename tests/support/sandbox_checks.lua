-- What scripts see and what they do not. Each entry: name, class, function(req) that raises when
-- something is wrong.
local gate = require "moongate"

local list = {}
local function check(name, fn) list[#list + 1] = { name, "check", fn } end

local function fails(pattern, fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "it did not fail")
  assert(tostring(err):find(pattern, 1, true), tostring(err))
end

check("exactly these globals", function()
  for name in ([[assert error ipairs next pairs pcall xpcall select tonumber tostring type unpack
    rawequal rawget rawset setmetatable getmetatable require load print]]):gmatch("%S+") do
    assert(type(load("return " .. name)()) == "function", name)
  end
  for name in ("bit coroutine math string table os"):gmatch("%S+") do
    assert(type(load("return " .. name)()) == "table", name)
  end
  for name in ([[_G _VERSION collectgarbage debug dofile ffi getfenv gcinfo io jit loadfile
    loadstring module newproxy package setfenv gate arg]]):gmatch("%S+") do
    assert(load("return " .. name)() == nil, name)
  end
end)

check("library tables without their dangers", function()
  for name in ("execute exit getenv remove rename setlocale tmpname"):gmatch("%S+") do
    assert(os[name] == nil, name)
  end
  assert(string.dump == nil and (""):rep(1) == "" and ("").dump == nil)
  assert(string.gfind == nil and table.new == nil and table.clear == nil)
  assert(os.time() > 1e9 and os.clock() >= 0 and os.date("!%Y", 0) == "1970")
  assert(bit.band(7, 3) == 3 and math.floor(1.5) == 1)
end)

check("libraries cannot be changed", function()
  fails("string.rep cannot be set", function() string.rep = nil end)
  fails("os.execute cannot be set", function() os.execute = print end)
  assert(getmetatable(string) == nil and getmetatable(os) == nil)
  fails("protected", setmetatable, string, {})
end)

check("no globals of one's own", function()
  fails("checks.lua:", function() leak = 1 end) -- luacheck: ignore
  fails("global 'leak' cannot be set", load("leak = 1"))
  fails("global 'leak' cannot be set", load("function leak() end"))
  assert(load("return leak")() == nil)
end)

check("metatables of strings stay hidden", function()
  assert(getmetatable("") == nil and getmetatable(1) == nil and getmetatable(print) == nil)
  local mt = {}
  assert(getmetatable(setmetatable({}, mt)) == mt)
  assert(getmetatable(setmetatable({}, { __metatable = "locked" })) == "locked")
  fails("protected metatable", setmetatable, setmetatable({}, { __metatable = 1 }), {})
end)

check("metatables of the gateway's objects stay hidden", function(req)
  for _, object in ipairs { req, req.headers, req.args, req.cookies, req.client, gate, gate.log,
    gate.crypto, gate.on, gate.json, gate.reply(200) } do
    assert(getmetatable(object) == nil, tostring(object))
    fails("protected", setmetatable, object, {})
  end
end)

check("tostring is Lua's own", function()
  for _, value in ipairs { 0, 1, 999, 1000, -1, 1.5, 2^31, 2^53, 1e300, "x", true } do
    assert(tostring(value) == ("%s"):format(value), ("%s"):format(value))
  end
  assert(tostring(nil) == "nil" and tostring(1 / 0) == "inf" and tostring(0 / 0):find "nan")
  assert(tostring(setmetatable({}, { __tostring = function() return "t" end })) == "t")
  assert(tostring(5, 6) == "5")
  fails("value expected", function() tostring() end)
end)

check("load takes text, in the sandbox, and not too much", function()
  assert(load("return 1 + 1")() == 2)
  assert(load("return io")() == nil)
  local fn, err = load("\27LJ")
  assert(fn == nil and err:find("bytecode"))
  fn, err = load(function() return "return 1" end)
  assert(fn == nil and err:find("text"))
  fn, err = load((" "):rep(300000))
  assert(fn == nil and err:find("256 KiB"))
  fn, err = load("x x", "name")
  assert(fn == nil and err:find("name"), err)
end)

check("require finds nothing of the library's inside", function()
  for name in ([[ffi jit io debug package string.buffer table.new moongate.boot moongate.engine
    moongate.sandbox moongate.json]]):gmatch("%S+") do
    fails("module '" .. name .. "' was not read", require, name)
  end
  for _, name in ipairs { "", "..", "../etc/passwd", "/etc/passwd", "a//b", ("x"):rep(999),
    "a\0" } do
    fails("was not read", require, name)
  end
  fails("needs the name of a module", require)
  assert(require "moongate" == gate and require "os" == os and require "bit" == bit)
end)

check("xpcall calls its handler, after the fact", function()
  local ok, a, b = xpcall(function(x, y) return x + y, "b" end, print, 1, 2)
  assert(ok and a == 3 and b == "b")
  local failed, message = xpcall(function() error("x", 0) end, function(e) return e .. "!" end)
  assert(failed == false and message == "x!")
  failed, message = xpcall(error, function() error("again", 0) end)
  assert(failed == false and message == "again")
  fails("a function was expected", xpcall, print)
end)

check("sort compares as Lua does", function()
  local t = { 3, 1, 2 }
  table.sort(t)
  assert(t[1] == 1 and t[2] == 2 and t[3] == 3)
  table.sort(t, function(a, b) return a > b end)
  assert(t[1] == 3)
  fails("a function was expected", table.sort, t, 1)
  fails("attempt to compare", table.sort, { 1, "a" })
end)

check("coroutines", function()
  assert(coroutine.running() == nil)
  fails("outside a coroutine", coroutine.yield)
  local co = coroutine.create(function(a)
    assert(coroutine.running() ~= nil)
    local b = coroutine.yield(a + 1)
    gate.sleep(0)
    local c = coroutine.yield(b + 1)
    error("end" .. c, 0)
  end)
  local ok, v = coroutine.resume(co, 1)
  assert(ok and v == 2 and coroutine.status(co) == "suspended")
  ok, v = coroutine.resume(co, 5)
  assert(ok and v == 6)
  ok, v = coroutine.resume(co, "!")
  assert(not ok and v == "end!" and coroutine.status(co) == "dead")
  fails("x", coroutine.wrap(function() error("x", 0) end))
end)

check("a wait several coroutines deep", function()
  local function nest(n)
    return coroutine.wrap(function()
      if n == 0 then gate.sleep(0.001) return "deep" end
      return nest(n - 1)()
    end)
  end
  assert(nest(10)() == "deep")
end)

check("a wait inside pcall, xpcall, metamethods and iterators", function()
  local function wait(v) gate.sleep(0) return v end
  assert(select(2, pcall(wait, 1)) == 1)
  assert(select(2, xpcall(wait, print, 2)) == 2)
  assert(setmetatable({}, { __index = function(_, k) return wait(k) end }).x == "x")
  for v in function(_, k) return wait(not k and 1 or nil) end do assert(v == 1) end
end)

check("a coroutine that waits can only be resumed by the gateway", function()
  local inner
  local outer = coroutine.create(function()
    inner = coroutine.running()
    gate.sleep(0.001)
    return "done"
  end)
  -- Resumed from within: it is not suspended. Afterwards it is dead.
  local ok, v = coroutine.resume(outer)
  assert(ok and v == "done" and coroutine.status(inner) == "dead")
end)

check("a wait where nothing can yield is an error, and leaves nothing behind", function()
  fails("yield across", string.gsub, "x", "x", function() gate.sleep(0.001) end)
  fails("yield across", table.sort, { 2, 1 }, function() gate.sleep(0.001) end)
  local began = gate.clock()
  gate.sleep(0.02)
  assert(gate.clock() - began >= 0.019)
end)

check("random numbers", function()
  local a, b = math.random(), math.random()
  assert(a ~= b and a >= 0 and a < 1)
end)

check("environment variables are secrets with defaults", function()
  assert(gate.env("MOONGATE_NO_SUCH_VARIABLE", "d") == "d")
  assert(gate.env("MOONGATE_NO_SUCH_VARIABLE", nil) == nil)
  fails("MOONGATE_NO_SUCH_VARIABLE is not set", gate.env, "MOONGATE_NO_SUCH_VARIABLE")
  fails("needs the name", gate.env)
end)

check("crypto", function()
  local c = gate.crypto
  assert(c.hex(c.sha256("abc")) ==
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  assert(c.hex(c.sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  assert(c.hex(c.sha256(("a"):rep(1e6))) ==
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  assert(c.hex(c.hmac_sha256("Jefe", "what do ya want for nothing?")) ==
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
  local long = "Test Using Larger Than Block-Size Key - Hash Key First"
  assert(c.hex(c.hmac_sha256(("\170"):rep(131), long)) ==
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
  assert(#c.hmac_sha256("", "") == 32 and c.hmac_sha256("", "") ~= c.hmac_sha256("k", ""))
  assert(c.equal("abc", "abc") and not c.equal("abc", "abd") and not c.equal("a", "ab"))
  local text = ("x"):rep(2e5)
  assert(c.equal(text, text) and not c.equal(text, text:sub(2) .. "y"))
  assert(#c.random(0) == 0 and #c.random(32) == 32 and c.random(16) ~= c.random(16))
  fails("from 0 to 65536", c.random, 65537)
  fails("needs a string", c.sha256, {})
  fails("did you mean 'sha256'", function() return c.sha265 end)
end)

return list
