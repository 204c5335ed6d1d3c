-- What req and res answer, on the exchange that tests/support/script_rig.c makes. Each entry: name,
-- class, function(req, res) that raises when something is wrong.
local gate = require "moongate"

local list = {}
local function check(name, fn) list[#list + 1] = { name, "check", fn } end

local function fails(pattern, fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "it did not fail")
  assert(tostring(err):find(pattern, 1, true), tostring(err))
end

local function is(a, b)
  if a ~= b then error(("%s, not %s"):format(tostring(a), tostring(b)), 2) end
end

check("fields of the request", function(req)
  is(req.method, "GET") is(req.scheme, "http") is(req.host, "shop.example") is(req.port, 8080)
  is(req.path, "/a/b") is(req.query, "x=1&y=2&x=3") is(req.target, "/a/b?x=1&y=2&x=3")
  is(req.version, "1.1") is(req.route, "first") is(#req.id > 8, true) is(req.tries, 0)
  is(req.bytes_in, 0) is(req.bytes_out, 0) is(req.cache_status, "none")
  is(type(req.cache_why), "string") is(req.params.name, "b") is(req.params.other, nil)
  is(req.upstream.name, "o") is(req.peer, nil) is(next(req.trailers), nil)
  is(tostring(req), "request")
end)

check("fields that can be set", function(req)
  req.method = "POST" is(req.method, "POST")
  req.scheme = "https" is(req.scheme, "https")
  req.scheme = "http" is(req.scheme, "http")
  req.host = "Other.Example" is(req.host, "other.example")
  req.path = "/x y/%2F" is(req.path, "/x y/%2F")
  req.path = "/100%" is(req.path, "/100%25")
  req.query = "a=b" is(req.query, "a=b")
  req.query = "" is(req.query, "")
end)

check("values that are refused", function(req)
  fails("checks.lua:", function() req.path = "x" end)
  fails("begins with '/'", function() req.path = "x" end)
  fails("req.path is a string, not a number", function() req.path = 1 end)
  fails("req.path", function() req.path = "/a\0b" end)
  fails("token", function() req.method = "GE T" end)
  fails("CONNECT", function() req.method = "CONNECT" end)
  fails("http or https", function() req.scheme = "ftp" end)
  fails("host", function() req.host = "a b" end)
  fails("no port", function() req.host = "a:80" end)
  fails("req.query", function() req.query = "a b\r\n" end)
  fails("longer than", function() req.query = ("x"):rep(10000) end)
  fails("longer than", function() req.args.x = ("x"):rep(10000) end)
end)

check("upstreams by name", function()
  is(gate.upstreams.get("o").name, "o") is(gate.upstreams.get "nothing", nil)
end)

check("misspelt and read-only fields", function(req, res)
  fails("req has no 'pth'; did you mean 'path'?", function() return req.pth end)
  fails("did you mean 'headers'?", function() return req.header end)
  fails("own values go into req.ctx", function() req.user = 1 end)
  fails("req.id is read only", function() req.id = "x" end)
  fails("req.params is read only", function() req.params = {} end)
  fails("res has no 'stauts'; did you mean 'status'?", function() return res.stauts end)
  fails("did you mean 'status'?", function() res.stauts = 1 end)
  fails("res.from is read only", function() res.from = "x" end)
  fails("res.cache is right, but not there yet", function() return res.cache end)
  fails("client has no 'addr'", function() return req.client.addr end)
  fails("client.ip is read only", function() req.client.ip = "x" end)
  fails("req.timing has no 'totl'; did you mean 'total'?", function() return req.timing.totl end)
  fails("gate has no 'relpy'; did you mean 'reply'?", function() return gate.relpy end)
  fails("gate.log has no 'warning'", function() return gate.log.warning end)
end)

check("dot and colon", function(req, res)
  fails("req:read_body is called with a colon", function() req.read_body(10) end)
  fails("res:set_body is called with a colon", function() res.set_body("x") end)
  fails("headers:add is called with a colon", function() req.headers.add("a", "b") end)
  fails("req.args:all is called with a colon", function() req.args.all("a") end)
  fails("req.cookies:each is called with a colon", function() req.cookies.each() end)
  fails("req.headers is a field, not a function", function() req:headers() end)
  fails("req.args is a field, not a function", function() req:args() end)
  fails("with a dot", function() gate:reply(200) end)
  fails("with a dot", function() gate.log:info("x") end)
end)

check("headers: reading", function(req)
  local h = req.headers
  is(h["X-User"], "alice") is(h["x-user"], "alice") is(h["X-USER"], "alice")
  is(h.accept, "text/html")
  is(h["nothing"], nil) is(h:get("accept"), "text/html") is(h:get("all"), nil)
  is(h:has("Cookie"), true) is(h:has("x"), false) is(h.host, "shop.example:8080")
  is(table.concat(h:all("ACCEPT"), "|"), "text/html|*/*") is(#h:all("x"), 0)
  local names = {}
  for name, value in h:each() do names[#names + 1] = name .. "=" .. value end
  is(names[1], "Host=shop.example:8080") is(names[2], "X-User=alice") is(#names, 7)
  fails("a header name is a string, not a number", function() return h[9] end)
  fails("a header name is a string, not a nil", function() return h:get() end)
end)

check("headers: writing", function(req, res)
  for _, h in ipairs { req.headers, res.headers } do
    h["X-New"] = "1" is(h["x-new"], "1")
    h["x-new"] = 2 is(h["X-NEW"], "2")
    h["X-New"] = { "a", "b" } is(table.concat(h:all "x-new", ","), "a,b")
    h:add("x-new", "c") is(#h:all "x-new", 3)
    h["X-NEW"] = nil is(h["x-new"], nil)
    h["x-trim"] = "  v \t" is(h["x-trim"], "v")
  end
  req.headers.accept = nil
  is(#req.headers:all "accept", 0)
  req.headers.Accept = "x"
  is(table.concat(req.headers:all "accept"), "x")
  is(res.headers["content-type"], "text/plain")
end)

check("headers: what is refused", function(req, res)
  for _, bad in ipairs { "a\r\nb: c", "a\nb", "a\rb", "a\0b", "a\127", "\1" } do
    fails("header 'x-a'", function() req.headers["x-a"] = bad end)
    fails("header 'x-a'", function() res.headers:add("x-a", bad) end)
    fails("header 'x-a'", function() gate.reply(200, "", { ["x-a"] = bad }) end)
  end
  for _, bad in ipairs { "", "a b", "a:", "a\r\n", "\228", ("n"):rep(257) } do
    fails("header name is a token", function() req.headers[bad] = "v" end)
  end
  fails("a string was expected, not a boolean", function() req.headers.x = true end)
  for _, name in ipairs { "Content-Length", "transfer-encoding", "Connection", "upgrade", "TE",
    "Keep-Alive", "Trailer" } do
    fails("header '" .. name .. "'", function() req.headers[name] = "x" end)
    fails("header '" .. name .. "'", function() res.headers[name] = "x" end)
    fails("header '" .. name .. "'", function() gate.reply(200, "", { [name] = "x" }) end)
  end
  fails("req.host", function() req.headers.host = "x" end)
  fails("res:set_body", function() res.headers["content-length"] = "1" end)
end)

check("headers: too many changes", function(req)
  fails("too many or too large changes", function()
    for i = 1, 1e5 do req.headers["x-" .. i] = "v" end
  end)
end)

check("args", function(req)
  local a = req.args
  is(a.x, "1") is(a.y, "2") is(a.z, nil) is(table.concat(a:all "x", ","), "1,3") is(a:has "y", true)
  a.y = nil is(req.query, "x=1&x=3")
  a.x = "a b&c" is(req.query, "x=a+b%26c") is(a.x, "a b&c")
  a.n = 5 a.t = true is(req.query, "x=a+b%26c&n=5&t=true")
  a.x = { "1", "2" } is(req.query, "x=1&x=2&n=5&t=true")
  a:add("x", "3") is(table.concat(a:all "x"), "123") is(a:get "x", "1")
  local seen = {}
  for name, value in a:each() do seen[#seen + 1] = name .. value end
  is(table.concat(seen, " "), "x1 x2 n5 ttrue x3")
  req.query = "a&b=&c=%41%zz&=v" is(a.a, "") is(a.b, "") is(a.c, "A%zz") is(a[""], "v")
  for name in req.args:each() do a[name] = nil end
  is(req.query, "")
  fails("argument 'x'", function() a.x = {} a.x = print end)
  fails("the name of an argument is a string, not a number", function() a[1] = "v" end)
  fails("the name of an argument is a string, not a number", function() a[1] = nil end)
end)

check("cookies", function(req)
  local c = req.cookies
  is(c.a, "1") is(c.b, "two") is(c.nothing, nil) is(c:get "all", "x") is(c:has "a", true)
  is(type(c.all), "function") is(#c:all "a", 1)
  local n = 0
  for _ in c:each() do n = n + 1 end
  is(n, 3)
  req.headers.cookie = nil
  is(c.a, nil)
  fails("read only", function() c.a = "x" end)
end)

check("client, timing", function(req)
  is(req.client.ip, "192.0.2.7") is(req.client.peer_ip, "127.0.0.1") is(req.client.port, 5000)
  is(req.client.tls, nil)
  is(req.timing.total >= 0, true) is(req.timing.connect, nil)
end)

check("ctx", function(req)
  req.ctx.a = 1
  gate.sleep(0.001)
  is(req.ctx.a, 1) is(req.ctx.b, nil)
  for i = 1, 100 do req.ctx[i] = i end
  is(#req.ctx, 100)
  fails("read only", function() req.ctx = {} end)
end)

check("response", function(_, res)
  is(res.status, 200) is(res.from, "upstream") is(next(res.trailers), nil)
  res.status = 404
  is(res.status, 404)
  for _, bad in ipairs { 99, 100, 600, 200.5, "200", true } do
    fails("from 200 to 599", function() res.status = bad end)
  end
end)

check("replies", function()
  local r = gate.reply(200, "x")
  is(tostring(r), "reply 200")
  fails("only returned", function() return r.nothing end)
  fails("cannot be changed", function() r.nothing = 1 end)
  for _, bad in ipairs { 99, 199, 600, 200.5, "200" } do
    fails("needs a status from 200 to 599", gate.reply, bad)
  end
  fails("the body of a reply", gate.reply, 200, true)
  fails("the headers of a reply are a table", gate.reply, 200, "", "x")
  fails("table of name = value", gate.reply, 200, "", { "x" })
  fails("a string was expected", gate.reply, 200, "", { x = true })
  fails("the status of a redirect", gate.redirect, "/x", 200)
  fails("needs a URL", gate.redirect)
  fails("header 'location'", gate.redirect, "/a\r\nb")
end)

check("bodies without a stream", function(req, res)
  fails("needs the most bytes", function() req:read_body() end)
  fails("needs the most bytes", function() req:read_body("x") end)
  fails("a body is a string", function() res:set_body({}) end)
end)

check("tampering is caught by the engine", function()
  local r = gate.reply(200, "x", { a = "b" })
  rawget(r, 3)[1][2] = "a\r\nb" -- its headers
  is(pcall(function() return r end), true)
end)

check("nothing lies behind an object", function(req, res)
  local objects = { req, res, req.headers, res.headers, req.args, req.client, req.cookies }
  for _, object in ipairs(objects) do
    is(type(object), "table")
    fails("table expected", rawset, object, 1, 2)
    fails("table expected", rawget, object, 1)
    fails("table expected", next, object)
    fails("arithmetic", function() return object + 1 end)
    fails("", function() object[1] = object end)
    fails("", function() return object[0] end)
  end
  for _, object in ipairs { req, res, req.client } do
    fails("'__pairs'", function() for _ in pairs(object) do end end)
    fails("length", function() return #object end)
  end
  for _, object in ipairs { req.headers, res.headers, req.args, req.cookies } do
    fails(":each() do'", function() for _ in pairs(object) do end end)
    fails(":each() do'", function() return #object end)
  end
  fails("req has no '1'", function() return req[1] end)
  fails("req has no '1'", function() req[1] = 2 end)
  fails("res has no '-1'", function() return res[-1] end)
  is(req == req, true) is(req == nil, false) is(req == "req", false)
  is(tostring(req) .. tostring(res) .. tostring(req.headers), "requestresponsereq.headers")
  is(tostring(req.args) .. tostring(req.client) .. tostring(req.cookies),
    "req.argsclientreq.cookies")
end)

-- Compiled code gets there too.
check("numbers are no names, however often", function(req)
  for i = 1, 200 do
    fails("a header name is a string, not a number", function() return req.headers[i] end)
    fails("req has no '" .. i .. "'", function() return req[i] end)
  end
end)

check("sleep", function()
  for _, bad in ipairs { -1, 0 / 0, "x", true } do fails("gate.sleep", gate.sleep, bad) end
  local began = gate.clock()
  gate.sleep("5ms") gate.sleep(0.005)
  is(gate.clock() - began >= 0.0095, true)
  is(gate.time() > 1.6e9, true)
end)

check("log", function()
  gate.log.info("text", { b = 1, a = "x\n" })
  gate.log.error({})
  print("a", nil, 1)
  fails("fields of a log line are a table", gate.log.info, "x", "y")
end)

return list
