-- covers: script/ffi_exchange.c script/ffi_headers.c script/ffi_body.c script/ffi_crypto.c
-- covers: script/ffi_log.c script/load_errors.c
local json = require "moongate.json"
local t = require "e2e.support"

local HEAD = 'gate.listen { "127.0.0.1:0" }\n'

-- A gateway whose handler answers what `body` returns, with args.
local function answering(body, more, options)
  return t.gateway(HEAD .. (more or "") .. [[

    gate.route { name = "all", path = "/", handler = function(req)
      local function run() ]] .. body .. [[ end
      local value = run()
      return gate.reply(200, type(value) == "table" and value or tostring(value))
    end }
  ]], options)
end

-- The value as the gateway's script saw it.
local function ask(body, path, options)
  local g = answering(body)
  return g:get(path or "/", options).body
end

-- A gateway in front of an echoing origin, with the request hook's text.
local function relaying(hook, more)
  local o = t.origin()
  local g = t.gateway(HEAD .. ([[
    local o = gate.upstream("o", { servers = { "%s" } })
    gate.on.request(function(req) %s end)
    gate.route { path = "/", upstream = o }
    %s
  ]]):format(o.address, hook, more or ""))
  return g, o
end

describe("request object", function()
  after_each(t.cleanup)

  it("has the fields of the request", function()
    local g = answering [[
      return { method = req.method, scheme = req.scheme, host = req.host, path = req.path,
        port = req.port, version = req.version, target = req.target, query = req.query,
        id = req.id, route = req.route, tries = req.tries, bytes_in = req.bytes_in,
        bytes_out = req.bytes_out, ip = req.client.ip, peer_ip = req.client.peer_ip,
        cport = req.client.port, tls = tostring(req.client.tls), status = req.cache_status,
        hh = req.headers.host, peer = tostring(req.peer), up = tostring(req.upstream) }
    ]]
    local res = json.decode(g:get("/a%2Fb//c%20d/../e?x=%31", { host = "Gate.Test:81" }).body)
    assert.equal("GET", res.method)
    assert.equal("http", res.scheme)
    assert.equal("gate.test", res.host:lower())
    assert.equal("Gate.Test:81", res.hh)
    assert.equal(81, res.port)
    assert.equal("/a%2Fb/e", res.path)
    assert.equal("1.1", res.version)
    assert.equal("/a%2Fb//c%20d/../e?x=%31", res.target)
    assert.equal("x=%31", res.query)
    assert.equal("all", res.route)
    assert.equal("127.0.0.1", res.ip)
    assert.equal("127.0.0.1", res.peer_ip)
    assert.is_true(res.cport > 0)
    assert.equal("nil", res.tls)
    assert.equal("nil", res.peer)
    assert.equal("nil", res.up)
    assert.is_true(#res.id > 8)
    assert.equal(0, res.bytes_in)
    assert.equal(0, res.bytes_out)
  end)

  it("writes of path, host, method and query go up", function()
    local g, o = relaying [[
      if req.args.case == "path" then req.path = "/new path/50%/a%2Fb" end
      if req.args.case == "host" then req.host = "other.test"; req.method = "PUT" end
      if req.args.case == "query" then req.query = "z=1" end
      if req.args.case == "none" then req.query = "" end
      if req.args.case == "seen" then req.path = "/a b"; req.headers["x-path"] = req.path end
    ]]
    g:get "/x?case=path"
    g:get "/x?case=host"
    g:get "/x?case=query"
    g:get "/x?case=none"
    g:get "/x/./y/%41?case="
    g:get "/x?case=seen"
    local list = o:requests()
    assert.equal("/new%20path/50%25/a%2Fb?case=path", list[1].target)
    assert.equal("PUT", list[2].method)
    assert.equal("other.test", list[2].headers.host)
    assert.equal("/x?z=1", list[3].target)
    assert.equal("/x", list[4].target)
    assert.equal("/x/y/A?case=", list[5].target)
    assert.equal("/a b", list[6].headers["x-path"])
  end)

  it("a method that a script writes is the server's, not the client's", function()
    local o = t.origin(function(c, req)
      if req.method ~= "HEAD" then return c:reply(200, req.method) end
      c:send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    end)
    for _, more in ipairs { "", "gate.on.body(function(_, _, chunk) return chunk:lower() end)" } do
      local g = t.proxy(o, { listen = "http2 = true", more = [[
        gate.on.request(function(req) req.method = req.args.m end)
        gate.on.response(function(req) if req.args.then_m then req.method = req.args.then_m end end)
      ]] .. more })
      local c = g:connect()
      local function get(path, method)
        c:send(("%s %s HTTP/1.1\r\nHost: a\r\n\r\n"):format(method or "GET", path))
        return assert(c:receive_response(method))
      end
      assert.equal("", get("/?m=HEAD").body)
      assert.equal("", get("/?m=HEAD&then_m=GET").body)
      assert.equal("get", get("/?m=GET", "GET").body:lower())
      assert.equal("get", get("/?m=GET&then_m=HEAD").body:lower())
      assert.equal(200, get("/?m=GET", "HEAD").status)
      assert.equal("post", get("/?m=POST").body:lower())
      local curl = io.popen(("curl -s --http2-prior-knowledge -o /dev/null -w '%%{http_code}' "
        .. "'http://127.0.0.1:%d/?m=HEAD'"):format(g.port))
      assert.equal("200", curl:read "*a")
      assert.is_truthy(curl:close())
    end
  end)

  it("args read and write the query", function()
    local g = answering [[
      local a, out = req.args, {}
      out.x, out.missing, out.empty, out.all = a.x, a.missing, a.e, table.concat(a:all "x", ",")
      out.has = a:has "e"
      out.get = a:get "get"
      local names = {}
      for name, value in a:each() do names[#names + 1] = name .. "=" .. value end
      out.names = table.concat(names, ";")
      a.x = "new value&"
      out.q1 = req.query
      a.e = nil
      a.list = { "1", 2 }
      a:add("list", true)
      out.q2 = req.query
      for name in a:each() do a[name] = nil end
      out.q3 = req.query
      return out
    ]]
    local res = json.decode(g:get("/?x=1%202&e&x=b+c&get=me").body)
    assert.equal("1 2", res.x)
    assert.is_nil(res.missing)
    assert.equal("", res.empty)
    assert.equal("1 2,b c", res.all)
    assert.is_true(res.has)
    assert.equal("me", res.get)
    assert.equal("x=1 2;e=;x=b c;get=me", res.names)
    assert.equal("x=new+value%26&e&get=me", res.q1)
    assert.equal("x=new+value%26&get=me&list=1&list=2&list=true", res.q2)
    assert.equal("", res.q3)
  end)

  it("a list of headers with a bad one changes nothing", function()
    assert.same({ "a", "b" }, json.decode(ask([[
      req.headers["x-l"] = { "a", "b" }
      pcall(function() req.headers["x-l"] = { "c", true } end)
      return gate.json.array(req.headers:all "x-l")
    ]])))
  end)

  it("headers of both sides", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\nx-B: 2\r\nX-a: 3\r\n\r\nok"
    end)
    local g = t.gateway(HEAD .. ([[
      local o = gate.upstream("o", { servers = { "%s" } })
      gate.on.request(function(req)
        local h = req.headers
        h["X-One"] = "1"
        h["x-many"] = { "a", "b" }
        h:add("X-Many", "c")
        h["user-agent"] = nil
        req.ctx.has = tostring(h:has "X-ONE") .. tostring(h:has "user-agent")
      end)
      gate.on.response(function(req, res)
        local names = {}
        for name, value in res.headers:each() do
          names[#names + 1] = name .. "=" .. value
        end
        res.headers["x-names"] = table.concat(names, ";")
        res.headers["x-all"] = table.concat(res.headers:all "x-a", "+")
        res.headers["x-first"] = res.headers["X-A"]
        res.headers["x-none"] = tostring(res.headers.nothing)
        res.headers["x-b"] = nil
        res.headers["x-ctx"] = req.ctx.has
        res.status = 201
      end)
      gate.route { path = "/", upstream = o }
    ]]):format(o.address))
    local res = g:get("/", { headers = { ["User-Agent"] = "me" } })
    assert.equal(201, res.status)
    assert.matches("^X%-A=1;.*x%-B=2;X%-a=3", res.headers["x-names"])
    assert.equal("1+3", res.headers["x-all"])
    assert.equal("1", res.headers["x-first"])
    assert.equal("nil", res.headers["x-none"])
    assert.is_nil(res.headers["x-b"])
    assert.equal("truefalse", res.headers["x-ctx"])
    local up = o:requests()[1].headers
    assert.equal("1", up["x-one"])
    assert.equal("a, b, c", up["x-many"])
    assert.is_nil(up["user-agent"])
  end)

  it("misuse raises at the caller's line and says what to do", function()
    local cases = {
      { 'return req.heders["x"]', "heders.*headers" },
      { "return req.mehtod", "mehtod.*method" },
      { 'req.foo = 1', "foo.*req.ctx" },
      { 'req.target = "/x"', "target is read only" },
      { 'req.headers["x-a"] = "a\\r\\nb: c"', "x%-a" },
      { 'req.headers["x a"] = "1"', "x a" },
      { 'req.headers["x-a"] = "a\\0"', "x%-a" },
      { 'req.headers["content-length"] = "3"', "set_body" },
      { 'req.headers["x-a"] = { a = "1" }', "x%-a.*a list of them" },
      { 'req.headers["x-a"] = { nil, "1" }', "x%-a.*a list of them" },
      { 'for k in pairs(req.headers) do end', "req.headers is walked by .*:each()" },
      { 'local n = #req.headers', "req.headers is walked by .*:each()" },
      { 'for k in pairs(req.args) do end', "req.args is walked by .*:each()" },
      { 'for k in pairs(req.cookies) do end', "req.cookies is walked by .*:each()" },
      { 'req.args.x = { a = 1 }', "'x'.*a list of them" },
      { 'gate.log "x"', "gate.log is no function; it has debug" },
      { 'req.headers["transfer-encoding"] = "chunked"', "transfer%-encoding" },
      { 'req.headers["connection"] = "close"', "connection" },
      { 'req.headers.host = "x"', "req.host" },
      { "req.headers.all('x')", "colon" },
      { 'req.read_body(10)', "colon" },
      { "req:read_body()", "read_body needs" },
      { "req.path = 5", "req.path is a string" },
      { 'req.path = "nope"', "begins with" },
      { 'req.path = "/a\\nb"', "req.path" },
      { 'req.query = "a b"', "req.query" },
      { 'req.host = "a b"', "req.host" },
      { 'req.method = "G T"', "req.method" },
      { 'req.cookies.x = "1"', "read only" },
      { 'req.client.ip = "1"', "read only" },
      { 'return req.client.adress', "adress" },
      { 'return req.timing.totall', "totall.*total" },
      { 'return gate.jsn', "jsn.*json" },
      { 'gate.log.wran "x"', "wran.*warn" },
      { 'return gate.crypto.sha265("x")', "sha265.*sha256" },
      { 'gate.sleep {}', "gate.sleep needs" },
      { 'gate.sleep(-1)', "gate.sleep" },
      { 'gate.route { path = "/x", reply = { 200 } }', "load" },
      { 'new_global = 1', "new_global" },
      { 'gate:time()', "gate.time is called with a dot" },
      { 'gate:clock()', "gate.clock is called with a dot" },
      { 'gate:sleep(1)', "gate.sleep is called with a dot" },
      { 'gate:env "X"', "gate.env is called with a dot" },
      { 'gate:reply(200)', "gate.reply is called with a dot" },
      { 'gate:redirect "/x"', "gate.redirect is called with a dot" },
      { 'gate.json:encode {}', "gate.json.encode is called with a dot" },
      { 'gate.json:decode "1"', "gate.json.decode is called with a dot" },
      { 'gate.crypto:hex "x"', "gate.crypto.hex is called with a dot" },
      { 'gate.log:info "x"', "gate.log.info is called with a dot" },
      { 'setmetatable("", {})', "setmetatable needs a table" },
      { 'gate.upstreams:get "x"', "gate.upstreams.get is called with a dot" },
      { 'gate.upstreams.get(5)', "gate.upstreams.get needs the name of an upstream, not 5" },
      { 'gate.on:log(print)', "gate.on.log is called with a dot" },
      { 'req.args:get()', "req.args:get needs a name" },
      { 'return req.args[true]', "req.args has names" },
      { 'req.cookies:has(5)', "req.cookies:has needs a name" },
      { 'req.args.all "x"', "req.args:all is called with a colon" },
      { 'local x = gate.env "MOONGATE_SPEC_UNSET"', "MOONGATE_SPEC_UNSET" },
    }
    local branches = {}
    for i, case in ipairs(cases) do
      branches[i] = ("if n == %d then\n %s end"):format(i, case[1])
    end
    local g = answering("local n = tonumber(req.args.n)\n" .. table.concat(branches, "\n"))
    for i, case in ipairs(cases) do
      local from = #g:stderr()
      assert.equal(500, g:get("/?n=" .. i).status, case[1])
      local said = t.wait_for("the log line of " .. case[1], function()
        return g:stderr():sub(from + 1):match "^.*\n$"
      end)
      local line = 4 + 2 * i
      assert.matches(case[2], said, 1, false, case[1])
      assert.is_truthy(said:find(("error: gateway.lua:%d:"):format(line), 1, true),
        case[1] .. " not at line " .. line .. ": " .. said)
    end
  end)

  it("misuse in tail position has a line too", function()
    local g = t.gateway(HEAD .. [[
      gate.route { path = "/1", handler = function()
        return gate.reply(99)
      end }
      gate.route { path = "/2", handler = function(req)
        gate.sleep(0)
        return gate.redirect(req)
      end }
      gate.use { request = function(req)
        if req.path == "/3" then return req.headres end
      end }
    ]])
    for i, line in ipairs { 3, 7, 10 } do
      local from = #g:stderr()
      assert.equal(500, g:get("/" .. i).status)
      local said = t.wait_for("the log line", function()
        return g:stderr():sub(from + 1):match "^.*\n$"
      end)
      assert.is_truthy(said:find(("error: gateway.lua:%d:"):format(line), 1, true), said)
    end
  end)

  it("cookies are read", function()
    local res = json.decode(ask([[
      local names = {}
      for name, value in req.cookies:each() do names[#names + 1] = name .. ":" .. value end
      return { a = req.cookies.a, b = req.cookies.b, none = tostring(req.cookies.none),
        each = table.concat(names, " "), get = req.cookies:get "each" }
    ]], "/", { headers = { Cookie = 'a=1; b="two"; a=3; each=4' } }))
    assert.same({ a = "1", b = "two", none = "nil", each = "a:1 b:two a:3 each:4", get = "4" }, res)
  end)

  it("params are the captures; empty before routing", function()
    local g = t.gateway(HEAD .. [[
      gate.on.request(function(req) req.ctx.before = next(req.params) == nil
        req.ctx.route = tostring(req.route) end)
      gate.route { name = "u", path = "/users/:id/*rest", handler = function(req)
        return gate.reply(200, { id = req.params.id, rest = req.params.rest,
          before = req.ctx.before, route = req.ctx.route, now = req.route })
      end }
    ]])
    assert.same({ id = "a b", rest = "x/y", before = true, route = "nil", now = "u" },
      json.decode(g:get("/users/a%20b/x/y").body))
  end)

  it("peer, upstream, tries and timing", function()
    local o = t.origin()
    local g = t.gateway(HEAD .. ([[
      local o = gate.upstream("o", { servers = { { "%s", weight = 7, zone = "z1" } } })
      gate.on.response(function(req, res)
        local p, t = req.peer, req.timing
        for _, name in ipairs {
          "queue", "connect", "upstream_head", "upstream", "script", "total",
        } do
          if type(t[name]) ~= "number" then error("timing." .. name .. " is " .. type(t[name])) end
        end
        res.headers["x-peer"] = table.concat({ p.address, p.host, p.port, p.weight, p.zone,
          tostring(p.healthy), tostring(p.draining), p.active, req.tries, req.upstream.name }, " ")
      end)
      gate.route { path = "/", upstream = o }
    ]]):format(o.address))
    local res = g:get "/"
    assert.equal(("%s 127.0.0.1 %d 7 z1 true false 1 1 o"):format(o.address, o.port),
      res.headers["x-peer"], g:stderr())
  end)

  it("timing says how long hooks took, also of those that do not wait", function()
    local g = t.gateway(HEAD .. [[
      local seen
      gate.on.request(function(req)
        local till = gate.clock() + 0.02
        while gate.clock() < till do end
        req.ctx.inside = req.timing.script
      end)
      gate.on.log(function(req) seen = { req.ctx.inside, req.timing.script, req.timing.total } end)
      gate.route { path = "/", reply = { 200 } }
      gate.route { path = "/seen", handler = function() return gate.reply(200, seen or {}) end }
    ]], { args = { "--workers", "1" } })
    g:get "/"
    local v = t.wait_for("the log hook", function()
      local list = json.decode(g:get("/seen").body)
      return #list == 3 and list
    end)
    for _, seconds in ipairs(v) do assert.is_true(seconds >= 0.02 and seconds < 5, seconds) end
    -- The log hook counts itself, behind the end of what is the total.
    assert.is_true(v[2] >= v[1] and v[3] >= v[1])
  end)

  it("what tells is read only", function()
    local o = t.origin()
    local g = t.gateway(HEAD .. ([[
      local o = gate.upstream("o", { servers = { "%s" } })
      local cases = {
        function(req) req.peer.weight = 1 end, function(req) req.timing.total = 1 end,
        function(req) req.upstream.name = "x" end, function(req) req.client.ip = "x" end,
        function() gate.reply(200).status = 404 end,
      }
      gate.on.connect(function(client)
        local ok = pcall(function() client.ip = "x" end)
        if ok then error("connect's client could be changed") end
      end)
      gate.on.response(function(req, res)
        local n = 0
        for _, case in ipairs(cases) do n = n + (pcall(case, req) and 0 or 1) end
        res.headers["x-refused"] = n
        res.headers["x-named"] = table.concat({ tostring(req), tostring(res), tostring(req.client),
          tostring(req.peer), tostring(req.timing), tostring(req.upstream) }, ", ")
      end)
      gate.route { path = "/", upstream = o }
    ]]):format(o.address))
    local res = g:get "/"
    assert.equal("5", res.headers["x-refused"])
    assert.equal("request, response, client, req.peer, req.timing, upstream 'o'",
      res.headers["x-named"])
    assert.is_nil(g:stderr():find("could be changed", 1, true))
  end)

  it("bodies are read and set, with the framing made right", function()
    local g, o = relaying [[
      local p = req.path
      if p == "/read" then
        local body = req:read_body "1k"
        req.headers["x-read"] = #body .. body
        req.headers["x-again"] = req:read_body(10000)
      elseif p == "/large" then
        local body, err = req:read_body(3)
        local _, again = req:read_body(3)
        req.headers["x-err"] = tostring(body) .. err.code .. again.code .. tostring(err ~= nil)
      elseif p == "/set" then
        req:set_body "replaced"
        req.headers["x-then"] = req:read_body(100)
      elseif p == "/empty" then
        req.headers["x-read"] = "[" .. req:read_body(10) .. "]"
      end
    ]]
    local res = g:get("/read", { method = "POST", body = "hello" })
    assert.equal("POST /read\nhello", res.body)
    res = g:get("/large", { method = "POST", body = ("x"):rep(200000) })
    assert.equal(200000 + #"POST /large\n", #res.body)
    res = g:get("/set", { method = "POST", body = "hello" })
    assert.equal("POST /set\nreplaced", res.body)
    res = g:get("/set")
    assert.equal("GET /set\nreplaced", res.body)
    g:get "/empty"
    local c = g:connect()
    c:send("POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" ..
      "2\r\nhe\r\n1\r\ny\r\n0\r\n\r\n")
    assert.equal("POST /read\nhey", c:receive_response().body)
    local list = o:requests()
    assert.equal("5hello", list[1].headers["x-read"])
    assert.equal("hello", list[1].headers["x-again"])
    assert.equal("niltoo_largetoo_largetrue", list[2].headers["x-err"])
    assert.equal("8", list[3].headers["content-length"])
    assert.equal("replaced", list[3].headers["x-then"])
    assert.equal("[]", list[5].headers["x-read"])
  end)

  it("a body that has gone up is not there any more", function()
    local g = relaying("", [[
      gate.on.log(function(req)
        local body, err = req:read_body(10)
        gate.log.info(("late: %s %s"):format(tostring(body), tostring(err and err.code)))
      end)
    ]])
    assert.equal("POST /x\nhello", g:get("/x", { method = "POST", body = "hello" }).body)
    t.wait_for("the log hook", function()
      return g:stderr():find("late: nil closed", 1, true)
    end)
  end)

  it("answers are read and set too", function()
    local o = t.origin(function(c, req)
      c:reply(200, req.target == "/big" and ("x"):rep(100000) or "plain",
        { ETag = '"e"', ["Content-MD5"] = "zzz" })
    end)
    local g = t.gateway(HEAD .. ([[
      local o = gate.upstream("o", { servers = { "%s" } })
      gate.on.response(function(req, res)
        if req.path == "/big" then
          local body, err = res:read_body "1k"
          res.headers["x-err"] = tostring(body) .. err.code
        elseif req.path == "/up" then
          res:set_body(res:read_body(100):upper() .. "!")
        else
          res:set_body "other"
        end
      end)
      gate.route { path = "/here", reply = { 200, "here" } }
      gate.route { path = "/", upstream = o }
    ]]):format(o.address))
    local res = g:get "/up"
    assert.equal("PLAIN!", res.body)
    assert.equal("6", res.headers["content-length"])
    -- What was said of the old bytes is not true of the new ones.
    assert.equal('W/"e"', res.headers.etag)
    assert.is_nil(res.headers["content-md5"])
    assert.equal("other", g:get("/here").body)
    res = g:get "/big"
    assert.equal(100000, #res.body)
    assert.equal("niltoo_large", res.headers["x-err"])
    assert.equal('"e"', res.headers.etag)
    assert.equal("zzz", res.headers["content-md5"])
    assert.equal("other", g:get("/x").body)
  end)

  it("edits of an answer whose head has left raise", function()
    local g = t.proxy(t.origin(), { more = [[
      local function late(req, res, name)
        local why = {}
        local function try(f)
          local ok, err = pcall(f)
          why[#why + 1] = ok and "done" or err:match ":%d+: (.*)"
        end
        try(function() res.status = 201 end)
        try(function() res.headers["x-a"] = "1" end)
        try(function() res.headers:add("x-a", "1") end)
        try(function() res.headers["x-origin"] = nil end)
        try(function() res:set_body("x") end)
        gate.log.info(name, { why = table.concat(why, "; "), still = res.headers["x-origin"] })
      end
      gate.on.body(function(req, res, chunk, last) if last then late(req, res, "body") end end)
      gate.on.log(function(req, res) late(req, res, "log") end)
    ]] })
    assert.equal(200, g:get("/").status)
    local why = "it is too late: the head was sent to the client"
    local headers = "; header 'x-a': " .. why
    local whole = "res.status: " .. why .. headers .. headers .. "; header 'x-origin': " .. why
      .. "; " .. why
    for _, hook in ipairs { "body", "log" } do
      local line = t.wait_for("the line", function()
        return g:stderr():match('"' .. hook .. '".-\n')
      end)
      assert.is_truthy(line:find(whole, 1, true), line)
      assert.is_truthy(line:find('"still":"yes"', 1, true))
    end
  end)

  it("is over when the request is", function()
    local g = t.gateway(HEAD .. [[
      local kept, kept_headers, kept_client, kept_res
      gate.on.response(function(req, res) kept_res = kept_res or res end)
      gate.route { path = "/keep", handler = function(req)
        kept, kept_headers, kept_client = req, req.headers, req.client
        return gate.reply(200)
      end }
      gate.route { path = "/use", handler = function(req)
        local out = {}
        for i, fn in ipairs {
          function() return kept.path end, function() return kept_headers["x"] end,
          function() return kept_client.ip end, function() kept.path = "/" end,
          function() return kept:read_body(5) end, function() return kept_res.status end,
          function() return kept.ctx.x end, function() return kept.args.x end,
          function() kept_res.status = 300 end, function() kept_res:set_body "x" end,
          function() return kept.timing end, function() return kept.cookies.a end,
        } do
          local ok, err = pcall(fn)
          out[i] = tostring(ok) .. " " .. tostring(err)
        end
        return gate.reply(200, gate.json.array(out))
      end }
    ]])
    g:get "/keep"
    local list = json.decode(g:get("/use").body)
    assert.equal(12, #list)
    for i, said in ipairs(list) do assert.matches("^false .*request is over", said, 1, false, i) end
  end)

  it("ctx is one table per request over all hooks", function()
    local g = t.gateway(HEAD .. [[
      gate.on.request(function(req) req.ctx.a = { n = 1 } gate.sleep(0) end)
      gate.on.response(function(req, res) res.headers["x-a"] = tostring(req.ctx.a.n) end)
      gate.on.log(function(req) gate.log.info("ctx " .. req.ctx.a.n .. req.ctx.h) end)
      gate.route { path = "/", handler = function(req)
        local fresh = req.ctx.h == nil
        req.ctx.a.n = req.ctx.a.n + 1
        req.ctx.h = "h"
        return gate.reply(200, tostring(fresh))
      end }
    ]])
    for _ = 1, 3 do
      local res = g:get "/"
      assert.equal("true", res.body)
      assert.equal("2", res.headers["x-a"])
    end
    t.wait_for("the log hook", function() return g:stderr():find("ctx 2h", 1, true) end)
  end)
end)

describe("library", function()
  after_each(t.cleanup)

  it("json, crypto, env, time, clock", function()
    local g = answering([[
      local c, j, out = gate.crypto, gate.json, {}
      out.sha = c.hex(c.sha256 "abc"):sub(1, 8)
      out.hmac = c.hex(c.hmac_sha256("key", "text")):len()
      out.b64 = c.base64 "a?>" .. c.unbase64(c.base64 "xyz")
      out.url = c.base64url "\255\254\253" .. c.unbase64url(c.base64url "q")
      out.unhex = c.unhex "4142"
      out.bad = tostring(c.unhex "4x")
      out.equal = tostring(c.equal("a", "a")) .. tostring(c.equal("a", "b"))
      out.random = #c.random(16)
      out.json = j.encode { a = j.null, b = j.array {}, c = {} }:len()
      out.big = j.decode "[9007199254740993]"[1]
      local v, err = j.decode "{bad"
      out.err = tostring(v) .. type(err.code) .. type(err.message)
      out.env = gate.env "SPEC_X" .. gate.env("SPEC_UNSET", "default")
      out.time = gate.time()
      local before = gate.clock()
      gate.sleep(0.01)
      out.slept = gate.clock() - before
      out.os = type(os.time()) .. tostring(os.getenv) .. tostring(io) .. tostring(debug)
      return out
    ]], "", { env = { SPEC_X = "set-" } })
    local res = g:get "/"
    assert.equal(200, res.status, g:stderr())
    local v = json.decode(res.body)
    assert.equal("ba7816bf", v.sha)
    assert.equal(64, v.hmac)
    assert.equal("YT8+xyz", v.b64)
    assert.equal("__79q", v.url)
    assert.equal("AB", v.unhex)
    assert.equal("nil", v.bad)
    assert.equal("truefalse", v.equal)
    assert.equal(16, v.random)
    assert.equal("9007199254740993", v.big)
    assert.equal("nilstringstring", v.err)
    assert.equal("set-default", v.env)
    assert.is_true(math.abs(v.time - os.time()) < 5)
    assert.is_true(v.slept >= 0.009)
  end)

  it("log lines carry fields, the request and the policy", function()
    local g = answering [[
      gate.log.debug "hidden"
      gate.log.warn("careful", { user = "u1", n = 5 })
      print("a", 1, nil)
      gate.log.error("two\nlines")
      return "x"
    ]]
    g:get "/"
    t.wait_for("the last line", function() return g:stderr():find "two.-\n" end)
    local line = g:stderr():match '[^\n]*"msg":"careful"[^\n]*'
    local v = json.decode(line)
    assert.equal("warn", v.level)
    assert.equal("u1", v.user)
    assert.is_truthy(v.request)
    assert.is_nil(g:stderr():find("hidden", 1, true))
    assert.matches('"msg":"a\\u00091\\u0009nil"', g:stderr(), 1, true)
    assert.matches('two\\u000alines', g:stderr(), 1, true)
  end)

  it("check reports misspelt fields once, at their lines", function()
    local path = t.file [[
local gate = require "moongate"
gate.listen { "127.0.0.1:0" }
gate.route { path = "/", handler = function(req)
  local x = req.heders["a"]
  return gate.repl(200, req.args.x)
end }
]]
    local res = t.run { "check", path, "--json" }
    assert.equal(1, res.status)
    local all = res.stdout .. res.stderr
    local _, n = all:gsub('"heders"', "")
    local _, m = all:gsub('"repl"', "")
    assert.equal(1, n, all)
    assert.equal(1, m, all)
    assert.matches('"line":4', all)
    assert.matches('"line":5', all)
    local plain = t.run { "check", path }
    assert.equal(1, plain.status)
    assert.matches("gateway.lua:4:", plain.stdout .. plain.stderr)
  end)

  it("load mistakes name the file, the line and the nearest name", function()
    local path = t.file [[
local gate = require "moongate"
gate.listen { "127.0.0.1:0" }
gate.route { path = "/", reply = { 200 },
  upstrem = "x",
}
gate.use { reqest = function() end }
gate.sleep(1)
]]
    local res = t.run { "check", path }
    local all = res.stdout .. res.stderr
    assert.equal(1, res.status)
    assert.matches("gateway.lua:4:.*upstrem.*upstream", all)
    assert.matches("gateway.lua:6:.*reqest.*request", all)
    assert.matches("gateway.lua:7:.*load", all)
  end)
end)
