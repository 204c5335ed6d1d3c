-- What a shared dictionary answers to a script. Each entry: name, class, function that raises when
-- something is wrong.
local gate = require "moongate"

local d = gate.shared("checks", { bytes = "64k" })
gate.shared("large", { bytes = "1m" })
d:set("at load", 1)

local list = {}
local function check(name, fn)
  list[#list + 1] = { name, "check", function() d:flush() fn() end }
end

local function fails(pattern, fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "it did not fail")
  assert(tostring(err):find(pattern, 1, true), tostring(err))
  assert(tostring(err):find("^checks.lua:%d+: "), tostring(err))
end

local function is(a, b)
  if a ~= b then error(("%s, not %s"):format(tostring(a), tostring(b)), 2) end
end

--- A nil and an error with this code.
local function refused(code, value, err)
  is(value, nil)
  is(err.code, code)
  is(#tostring(err) > 0, true)
end

check("get and set", function()
  is(d:get("x"), nil)
  for _, v in ipairs { 1, -0.5, 2 ^ 60, math.huge, "", "text", ("x"):rep(3000), "a\0b\255" } do
    is(d:set("x", v), true) is(d:get("x"), v)
  end
  is(d:set("x", true), true) is(d:get("x"), true)
  is(d:set("x", false), true) is(d:get("x"), false)
  is(d:set("", 1), true) is(d:get(""), 1)
  local nan = d:set("nan", 0 / 0) and d:get("nan")
  is(nan ~= nan, true)
  is(tostring(d), "dictionary 'checks'")
end)

check("what is read again", function()
  for _, v in ipairs { "text", 1, true, false, ("x"):rep(1000) } do
    d:set("k", v)
    for _ = 1, 3 do is(d:get("k"), v) end
    d:set("other", 1)
    is(d:get("k"), v)
    is(d:delete("k"), true)
    for _ = 1, 3 do is(d:get("k"), nil) end
  end
  d:set("n", 1)
  for i = 2, 300 do
    is(d:get("n"), i - 1)
    is(d:incr("n"), i)
  end
  d:set("k", 1, 0.02)
  is(d:get("k"), 1) is(d:get("k"), 1)
  gate.sleep(0.03)
  is(d:get("k"), nil)
  -- More keys than an object keeps.
  d:flush()
  for i = 1, 400 do d:set("k" .. i, i) end
  local other = gate.shared("large")
  for i = 1, 3000 do other:set("k" .. i, i) end
  for _ = 1, 40 do
    for i = 1, 3000 do is(other:get("k" .. i), i) end
  end
end)

check("the same object by name", function()
  is(gate.shared("checks"), d)
  fails("there is no dictionary 'check'; did you mean 'checks'?", function()
    gate.shared("check")
  end)
  fails("legal only while the gateway file loads", function()
    gate.shared("x", { bytes = "1m" })
  end)
  fails("needs the name of a dictionary, not a nil", function() gate.shared() end)
end)

check("add, replace, delete", function()
  is(d:replace("k", 1), false) is(d:add("k", 1), true) is(d:add("k", 2), false) is(d:get("k"), 1)
  is(d:replace("k", "two"), true) is(d:get("k"), "two")
  is(d:delete("k"), true) is(d:delete("k"), false) is(d:get("k"), nil)
end)

check("incr", function()
  refused("not_found", d:incr("n"))
  refused("not_found", d:incr("n", 1))
  is(d:incr("n", 1, 0), 1) is(d:incr("n", 2.5, 7), 3.5)
  is(d:incr("n"), 4.5) is(d:incr("n", -5), -0.5)
  d:set("s", "5")
  refused("not_a_number", d:incr("s", 1, 0))
  is(d:incr("t", 1, 0, 100), 1)
  local left = d:ttl("t")
  is(left > 99 and left <= 100, true)
  is(d:incr("t", 1, 0, 1000), 2)
  is(d:ttl("t") <= left, true)
end)

check("cas", function()
  is(d:cas("k", 1, 2), false) is(d:cas("k", nil, 1), true) is(d:cas("k", nil, 2), false)
  is(d:cas("k", 2, 3), false) is(d:cas("k", 1, "one"), true) is(d:cas("k", "one", true), true)
  is(d:cas("k", true, false), true) is(d:cas("k", true, 1), false) is(d:get("k"), false)
end)

check("ttl", function()
  is(d:ttl("k"), nil)
  d:set("k", 1) is(d:ttl("k"), math.huge)
  d:set("k", 1, "1h")
  is(d:ttl("k") > 3599 and d:ttl("k") <= 3600, true)
  d:set("k", 1, 0) is(d:get("k"), nil)
  d:set("k", 1, 1e300) is(d:ttl("k"), math.huge)
  d:set("k", 1, 0.02) is(d:get("k"), 1)
  gate.sleep(0.03)
  is(d:get("k"), nil) is(d:ttl("k"), nil) is(d:add("k", 2), true)
end)

check("keys", function()
  is(#d:keys(), 0)
  local wanted = {}
  for i = 1, 300 do
    d:set("key " .. i, i)
    wanted["key " .. i] = true
  end
  d:set("ended", 1, 0)
  is(#d:keys(10), 10) is(#d:keys(0), 0)
  local keys = d:keys()
  is(#keys, 300)
  for _, key in ipairs(keys) do
    is(wanted[key], true)
    wanted[key] = nil
  end
end)

check("flush", function()
  for i = 1, 200 do d:set("key " .. i, i) end
  d:flush()
  is(#d:keys(), 0) is(d:get("key 7"), nil) is(d:set("key 7", 1), true)
end)

check("full", function()
  local text, n = ("x"):rep(1000), 0
  local ok, err
  repeat
    n = n + 1
    ok, err = d:set("key " .. n, text)
  until not ok
  is(n > 20, true)
  refused("full", ok, err)
  refused("full", d:add("other", text))
  is(d:get("key 1"), text)
  -- What ends makes room, what does not stays.
  d:delete("key 1")
  is(d:set("ends", text:sub(1, 900), 100), true)
  is(d:set("key 1", text:sub(1, 900)), true)
  is(d:get("ends"), nil)
end)

check("long keys and values", function()
  local long = ("k"):rep(4096)
  is(d:set(long, 1), true) is(d:get(long), 1)
  long = long .. "k"
  is(d:get(long), nil) is(d:delete(long), false) is(d:ttl(long), nil)
  refused("full", d:set(long, 1)) refused("full", d:incr(long, 1, 0))
  refused("full", d:cas(long, nil, 1))
  refused("full", d:fetch(long, 1, function() return 1 end))
  refused("full", d:set("k", ("v"):rep(64 * 1024)))
  local _, err = d:set("k", ("v"):rep(64 * 1024))
  is(err.message, "the value is longer than the dictionary takes")
  refused("full", d:cas("k", nil, ("v"):rep(64 * 1024)))
  _, err = d:cas("k", nil, ("v"):rep(64 * 1024))
  is(err.message, "the value is longer than the dictionary takes")
  is(d:get("k"), nil)
end)

check("misuse", function()
  fails("a key is a string, not a number", function() d:get(1) end)
  fails("d:set: a key is a string, not a nil", function() d:set() end)
  fails("called with a colon: d:get(...)", function() d.get("k") end)
  fails("called with a colon: d:keys(...)", function() d.keys(10) end)
  fails("called with a colon: d:flush(...)", function() d.flush() end)
  fails("values are strings, numbers and booleans, not a table", function() d:set("k", {}) end)
  fails("values are strings, numbers and booleans, not a nil", function() d:set("k", nil) end)
  fails("values are strings, numbers and booleans, not a nil", function() d:cas("k", 1, nil) end)
  fails("a ttl is a number", function() d:set("k", 1, -1) end)
  fails("a ttl is a number", function() d:set("k", 1, "soon") end)
  fails("a ttl is a number", function() d:set("k", 1, 0 / 0) end)
  fails("d:incr: by is a number", function() d:incr("k", "1") end)
  fails("d:incr: init is a number", function() d:incr("k", 1, "0") end)
  fails("d:keys: max is a number", function() d:keys("all") end)
  fails("a dictionary has no 'gett'; did you mean 'get'?", function() d:gett("k") end)
  fails("d:set(key, value)", function() d.x = 1 end)
  fails("d:fetch needs a function", function() d:fetch("k", 1) end)
  fails("a ttl is a number", function() d:fetch("k", {}, print) end)
  is(getmetatable(d), nil)
  is(pcall(setmetatable, d, {}), false)
end)

check("what is inside is out of reach", function()
  local own = gate.shared("checks")
  own:set("k", 1)
  is(own:get("k"), 1)
  is(next(own), nil) is(rawget(own, 1), nil)
  is(pcall(rawset, own, 1, 99), false) is(pcall(table.insert, own, 99), false)
  is(pcall(function() own[1] = 99 end), false)
  is(own:get("k"), 1)
end)

check("fetch", function()
  local calls = 0
  local function make()
    calls = calls + 1
    return "made"
  end
  is(d:fetch("k", 10, make), "made") is(d:fetch("k", 10, make), "made") is(calls, 1)
  is(d:ttl("k") <= 10, true)
  is(d:fetch("f", nil, function() return false end), false)
  is(d:fetch("f", nil, error), false) is(d:ttl("f"), math.huge)
  is(d:fetch("n", 1, function() gate.sleep(0.001) return 5 end), 5) is(d:get("n"), 5)
end)

check("fetch that fails", function()
  local mine = { code = "mine" }
  local value, err = d:fetch("k", 1, function() return nil, mine end)
  is(value, nil) is(err, mine)
  value, err = d:fetch("k", 1, function() return nil, "text" end)
  is(value, nil) is(err.code, "failed") is(err.message, "text")
  value, err = d:fetch("k", 1, function() end)
  is(value, nil) is(err, nil)
  fails("went wrong", d.fetch, d, "k", 1, function() error "went wrong" end)
  fails("returned a table", function() d:fetch("k", 1, function() return {} end) end)
  fails("waits for its own result", function()
    d:fetch("k", 1, function() return d:fetch("k", 1, print) end)
  end)
  is(d:get("k"), nil)
  is(d:fetch("k", 1, function() return 1 end), 1)
end)

check("fetch of what cannot be kept", function()
  local long = ("v"):rep(64 * 1024)
  local value, err = d:fetch("k", 1, function() return long end)
  is(value, long) is(err.code, "full") is(d:get("k"), nil)
end)

check("fetch where nothing can wait", function()
  local co = coroutine.wrap(function()
    return d:fetch("k", 1, function() gate.sleep(0) return 1 end)
  end)
  is(co(), 1)
  -- Inside a callback of C nobody can wait; the flight does not stay behind.
  local ok = pcall(string.gsub, "x", "x", function()
    return d:fetch("g", 1, function() gate.sleep(0) return 1 end)
  end)
  is(ok, false)
  is(d:fetch("g", 1, function() return 2 end), 2)
end)

return list
