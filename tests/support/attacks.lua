-- Hooks that try to harm their worker. Each entry: name, class, function(req). What must happen:
--   "cpu"     stopped for its budget
--   "memory"  Lua's "not enough memory", or stopped when it is slow
--   "bound"   ends somehow, about within the budget: with an answer, an error or a stop
-- Nobody else in the same VM may notice any of them.
local gate = require "moongate"

local list = {}
local function cpu(name, fn) list[#list + 1] = { name, "cpu", fn } end
local function memory(name, fn) list[#list + 1] = { name, "memory", fn } end
local function bound(name, fn) list[#list + 1] = { name, "bound", fn } end

local function forever() while true do end end
local function down(n) return 1 + down(n + 1) end
local function with(mt) return setmetatable({}, mt) end

-- Loops ---------------------------------------------------------------------------------------
cpu("while", forever)
cpu("repeat", function() repeat local x = 1 until x == 2 end)
cpu("for over numbers", function() local s = 0 for i = 1, 2 ^ 52 do s = s + i % 7 end return s end)
cpu("for with a step of zero", function() for _ = 1, 2, 0 do end end)
cpu("goto", function() ::top:: goto top end)
cpu("tail calls", function() local f f = function(n) return f(n + 1) end return f(0) end)
cpu("two functions that call each other", function()
  local a, b
  a = function() return b() end
  b = function() return a() end
  a()
end)
cpu("iterator without end", function() for _ in function() return 1 end do end end)
cpu("loop with a call into the library", function(req) while true do local _ = req.path end end)
cpu("loop over the header fields", function(req)
  while true do for _ in req.headers:each() do end end
end)

-- Errors that are caught ----------------------------------------------------------------------
cpu("pcall in a loop", function() while true do pcall(forever) end end)
cpu("pcall of pcall of pcall", function() while true do pcall(pcall, pcall, pcall, forever) end end)
cpu("stack overflow, caught, again", function() while true do pcall(down, 0) end end)
cpu("error with a table, caught, again", function() while true do pcall(error, {}) end end)
cpu("error of a closure, caught, again", function()
  while true do pcall(function() error(function() end) end) end
end)
cpu("xpcall in a loop", function() while true do xpcall(forever, function(e) return e end) end end)
cpu("handler that loops after an error", function() xpcall(function() error "x" end, forever) end)
cpu("handler that loops after the stop", function() xpcall(forever, forever) end)
cpu("handlers within handlers", function()
  local function h() xpcall(forever, function() xpcall(forever, forever) end) end
  while true do xpcall(function() error "x" end, h) end
end)
cpu("handler that raises", function()
  while true do xpcall(function() error "x" end, function() error "y" end) end
end)
cpu("recursion that catches at every level", function()
  local function f(n) pcall(f, n + 1) while n < 3 do end end
  f(0)
end)

-- Coroutines ----------------------------------------------------------------------------------
cpu("loop in a coroutine", function() coroutine.wrap(forever)() end)
cpu("loop thirty coroutines deep", function()
  local function nest(n)
    return coroutine.wrap(function() if n == 0 then forever() else nest(n - 1)() end end)
  end
  nest(30)()
end)
cpu("coroutine that yields for ever", function()
  local co = coroutine.wrap(function() while true do coroutine.yield(1) end end)
  while true do co() end
end)
cpu("coroutines that die, again", function()
  while true do coroutine.resume(coroutine.create(function() error "x" end)) end
end)
cpu("pcall within coroutines within pcall", function()
  while true do pcall(coroutine.wrap(function() pcall(coroutine.wrap(forever)) end)) end
end)
cpu("yield in a metamethod", function()
  local t = with { __index = function() return coroutine.yield() end }
  local co = coroutine.wrap(function() while true do local _ = t.x end end)
  while true do co() end
end)

-- Metamethods ---------------------------------------------------------------------------------
for event in ("__index __call __unm __concat __add __lt __eq __tostring"):gmatch("%S+") do
  cpu("loop in " .. event, function()
    local t = with { [event] = forever }
    local u = setmetatable({}, getmetatable(t))
    if event == "__index" then return t.x end
    if event == "__call" then return t() end
    if event == "__unm" then return -t end
    if event == "__concat" then return t .. "x" end
    if event == "__add" then return t + 1 end
    if event == "__lt" then return t < u end
    if event == "__eq" then return t == u end
    return tostring(t)
  end)
end
cpu("loop in __newindex", function() with { __newindex = forever }.x = 1 end)
cpu("chain of __index", function()
  while true do
    local t = {}
    for _ = 1, 90 do t = with { __index = t } end
    local _ = t.x
  end
end)
cpu("loop in a value that is logged", function() gate.log.info(with { __tostring = forever }) end)

-- Callbacks -----------------------------------------------------------------------------------
cpu("gsub with a callback, again", function()
  while true do (("x"):rep(1000)):gsub(".", function(c) return c end) end
end)
cpu("loop in the callback of gsub", function() ("x"):gsub(".", forever) end)
cpu("gsub with a function of C", function()
  while true do (("x"):rep(100000)):gsub(".", string.upper) end
end)
cpu("gmatch, again", function()
  while true do for _ in (("ab "):rep(100)):gmatch("%w+") do end end
end)
cpu("loop in the comparator of sort", function() table.sort({ 3, 2, 1 }, forever) end)
cpu("sort, again", function()
  local t = {}
  for i = 1, 500 do t[i] = i * 7919 % 500 end
  while true do table.sort(t, function(a, b) return a > b end) end
end)
cpu("load, again", function() while true do load("return function() return 1 end") end end)
cpu("loop in loaded code", function() load("while true do end")() end)

-- The gateway's own functions -----------------------------------------------------------------
cpu("log lines below the level, again", function() while true do gate.log.debug("x") end end)
cpu("replies, again", function() while true do gate.reply(200, "x", { a = "b" }) end end)
cpu("header edits that are refused", function(req)
  while true do pcall(function() req.headers["x-a"] = "b\r\n" end) end
end)
cpu("header edits without end", function(req)
  while true do pcall(function() for i = 1, 1e9 do req.headers:add("x-" .. i % 10, "v") end end) end
end)
cpu("query edits without end", function(req)
  while true do pcall(function() req.args.x = ("y"):rep(500) end) end
end)
cpu("path edits without end", function(req)
  while true do pcall(function() req.path = "/" .. ("y"):rep(4000) end) end
end)
cpu("hashes, again", function()
  local s = ("x"):rep(1e6)
  while true do gate.crypto.sha256(s) end
end)
cpu("random bytes, again", function() while true do gate.crypto.random(65536) end end)
cpu("base64, again", function()
  local s = ("x"):rep(1e5)
  while true do gate.crypto.unbase64(gate.crypto.base64(s)) end
end)
cpu("JSON, again", function()
  while true do gate.json.decode(gate.json.encode { 1, 2, { a = "b" } }) end
end)
cpu("short work between waits", function()
  while true do
    for _ = 1, 3e5 do end
    gate.sleep(0)
  end
end)
cpu("waits within coroutines, without end", function()
  local co = coroutine.wrap(function()
    while true do
      for _ = 1, 1e5 do end
      pcall(gate.sleep, 0)
    end
  end)
  co()
end)

-- Memory --------------------------------------------------------------------------------------
memory("array", function() local t = {} for i = 1, 1e9 do t[i] = i end end)
memory("string that doubles", function() local s = "x" while true do s = s .. s end end)
memory("tables in tables", function() local t = {} while true do t = { t } end end)
memory("closures", function()
  local t = {}
  while true do t[#t + 1] = function() return t end end
end)
memory("coroutines", function()
  local t = {}
  while true do t[#t + 1] = coroutine.create(function() end) end
end)
memory("strings that differ", function()
  local t = {}
  for i = 1, 1e9 do t[i] = "a long string that is different each time " .. i end
end)
memory("values kept with the request", function(req)
  for i = 1, 1e9 do req.ctx[i] = { i } end
end)
memory("one repetition", function() return ("x"):rep(1e9) end)
memory("one concatenation", function()
  local s, t = ("x"):rep(4e6), {}
  for i = 1, 64 do t[i] = s end
  return #table.concat(t)
end)
bound("growth that is caught, again", function()
  local t = {}
  while true do pcall(function() while true do t[#t + 1] = { 1, 2, 3 } end end) end
end)
-- Compiled code that gets no memory, entered from calls within calls.
local function deep(n, grow)
  if n == 0 then grow() else deep(n - 1, grow) end
  return n
end
bound("strings that double, caught in calls, again", function()
  local function grow() local s = "x" while true do s = s .. s end end
  while true do pcall(deep, 5, grow) end
end)
bound("arrays that double, caught in calls, again", function()
  local function grow() local t = {} while true do t[#t + 1] = 1 end end
  while true do pcall(deep, 5, grow) end
end)
bound("big strings, dropped, again", function() while true do local _ = ("x"):rep(1e6) end end)
bound("a format that grows", function()
  local s = "%s"
  while true do s = s:format(s .. s) end
end)

-- Much work in one call of C ------------------------------------------------------------------
bound("pattern that backtracks", function() return (("a"):rep(400)):find("a*a*a*a*a*b") end)
bound("pattern that backtracks, lazily", function()
  return (("a"):rep(400)):match("a-a-a-a-a-b")
end)
bound("pattern with a balance", function() return (("("):rep(1e5)):find("%b()") end)
bound("pattern with a frontier", function() return (("a "):rep(2e5)):find("%f[%w]%w+%s-%f[%d]") end)
bound("pattern with a long set", function()
  return (("a"):rep(1e6)):find("[" .. ("b"):rep(1e5) .. "a]*c")
end)
bound("gsub that backtracks", function() return (("a"):rep(300)):gsub("a*a*a*a*b", "x") end)
bound("gmatch that backtracks", function() for _ in (("a"):rep(300)):gmatch("a*a*a*a*b") do end end)
bound("pattern of captures", function() return (("a"):rep(5e5)):match(("(a-)"):rep(30) .. "b") end)
bound("plain search", function()
  return (("a"):rep(262144)):find(("a"):rep(131072) .. "b", 1, true)
end)
bound("sort of many without a comparator", function()
  local t = {}
  for i = 1, 2e5 do t[i] = i * 7919 % 200003 end
  table.sort(t)
end)
bound("sort with a comparator of C", function()
  local t = {}
  for i = 1, 2e5 do t[i] = i * 7919 % 200003 end
  table.sort(t, math.max)
end)
bound("comparator that lies", function()
  local t = {}
  for i = 1, 1e5 do t[i] = i end
  table.sort(t, function() return true end)
end)
bound("long text to load", function() return load(("a=1 "):rep(3e6)) end)
bound("deep text to load", function()
  return load(("("):rep(1e5) .. "1" .. (")"):rep(1e5))
end)
bound("text of many constants", function()
  local t = {}
  for i = 1, 2e4 do t[i] = "'" .. i .. "'" end
  return load("return {" .. table.concat(t, ",") .. "}")
end)
bound("upper of a long string", function() return #(("x"):rep(1.6e7)):upper() end)
bound("reverse, again", function() local s = ("x"):rep(1.6e7) while true do s = s:reverse() end end)
bound("bytes of a long string", function() return (("x"):rep(1e6)):byte(1, -1) end)
bound("unpack of many", function() return unpack({}, 1, 1e7) end)
bound("number of a long text", function() return tonumber(("9"):rep(1e6)) end)
bound("insert at the head, again", function()
  local t = {}
  for i = 1, 1e6 do t[i] = i end
  while true do table.insert(t, 1, 0) end
end)
bound("next over holes", function()
  local t = {}
  for i = 1, 1e5 do t["k" .. i] = i end
  for i = 1, 1e5 do t["k" .. i] = nil end
  while true do next(t) end
end)
bound("comparison of long strings, again", function()
  local a = ("x"):rep(8e6)
  local b = a .. "y"
  while true do local _ = a < b end
end)
bound("concatenation of many values", function()
  local t = {}
  for i = 1, 3e6 do t[i] = "" end
  while true do table.concat(t) end
end)
bound("JSON that nests", function() return gate.json.decode(("["):rep(1e6)) end)
bound("JSON of a table in itself", function()
  local t = {}
  t.t = t
  return gate.json.encode(t)
end)
bound("reply with a large body", function() return gate.reply(200, ("x"):rep(1.6e7)) end)
bound("hex of a long string", function() return gate.crypto.hex(("x"):rep(4e6)) end)
bound("cookies of a long field", function(req)
  req.headers.cookie = ("a=b; "):rep(10000)
  while true do local _ = req.cookies.zz end
end)
bound("an error whose text is long", function() error(("x"):rep(1.6e7)) end)
bound("an error that is nil", function() error(nil) end)
bound("an error whose tostring loops", function()
  error(setmetatable({}, { __tostring = forever, __index = forever }))
end)
bound("a wait of nobody's", function() return coroutine.yield() end)

-- Met by trying siblings of the others ---------------------------------------------------------
cpu("insertion far before the first", function() table.insert({}, -2 ^ 31 + 2, 1) end)
bound("compilation of a long chain", function()
  for _ = 1, 9 do load("local a = 1 return a" .. (" and a"):rep(40000)) end
end)
bound("recursion through gsub", function()
  local function f() return (("x"):gsub(".", f)) end
  f()
end)
cpu("recursion through gsub, caught, again", function()
  local function f()
    pcall(string.gsub, "x", ".", f)
    return "y"
  end
  while true do f() end
end)
bound("recursion through format", function()
  local o = setmetatable({}, {})
  getmetatable(o).__tostring = function() return ("%s"):format(o) end
  return ("%s"):format(o)
end)
bound("recursion through sort and gsub", function()
  local f
  local function g() ("x"):gsub(".", function() table.sort({ 2, 1 }, f) end) end
  f = function(a, b)
    g()
    return a < b
  end
  g()
end)
bound("coroutines inside each other", function()
  local function f() coroutine.wrap(f)() end
  f()
end)
bound("changes of what scripts share", function(req)
  for _, shared in ipairs { gate, gate.log, string, table, coroutine, req.args } do
    pcall(rawset, shared, 1, forever)
    pcall(table.insert, shared, 1, forever)
    pcall(function() shared.reply = forever end)
    pcall(function() shared.info = forever end)
  end
end)

return list
