-- covers: script/bundle.c script/library.c script/ffi_reply.c script/ffi_table.c script/ffi_wait.c
-- covers: flow/step_relay.c script/stack.c
local t = require "e2e.support"

local HEAD = 'gate.listen { "127.0.0.1:0" }\n'

-- The messages of notes that hooks logged (info lines "note: …"), in order.
local function notes(g)
  local list = {}
  for line in g:stderr():gmatch "[^\n]+" do
    list[#list + 1] = line:match "note: ([^\"]-)%s*\"" or line:match "note: (%S+)"
  end
  return list
end

local function wait_notes(g, n)
  return t.wait_for(n .. " notes", function()
    local list = notes(g)
    return #list >= n and list
  end)
end

-- Log lines come a moment after the answer.
local function logged(g, pattern)
  t.wait_for("a log line with " .. pattern, function() return g:stderr():find(pattern) end)
end

local function noting(name, hooks, extra)
  local parts = {}
  for _, hook in ipairs(hooks) do
    parts[#parts + 1] = ('%s = function() gate.log.info "note: %s.%s" end'):format(hook, name, hook)
  end
  return ('{ name = "%s", %s %s }'):format(name, table.concat(parts, ", "), extra or "")
end

local ALL = { "request", "response", "log" }

describe("hooks", function()
  after_each(t.cleanup)

  it("run in the order of an onion", function()
    local g = t.gateway(HEAD .. [[
      gate.use ]] .. noting("a", ALL) .. [[

      gate.use ]] .. noting("b", ALL) .. [[

      gate.route { path = "/", reply = { 200, "x" }, use = { ]] .. noting("c", ALL) .. ", "
      .. noting("d", ALL) .. [[ } }
    ]])
    assert.equal(200, g:get("/").status)
    assert.same({ "a.request", "b.request", "c.request", "d.request", "d.response", "c.response",
      "b.response", "a.response", "d.log", "c.log", "b.log", "a.log" }, wait_notes(g, 12))
  end)

  it("a reply is followed by the response hooks of those before it, and all log hooks", function()
    local g = t.gateway(HEAD .. [[
      gate.use ]] .. noting("a", ALL) .. [[

      gate.use { name = "b", request = function(req)
          if req.path == "/stop" then return gate.reply(401, "no\n") end
        end, response = function(req, res)
          gate.log.info "note: b.response"
          res.headers["x-from"] = res.from
        end }
      gate.use ]] .. noting("c", ALL) .. [[

      gate.route { path = "/stop", reply = { 200, "x" }, use = { ]] .. noting("d", ALL) .. [[ } }
    ]])
    local res = g:get "/stop"
    assert.equal(401, res.status)
    assert.equal("no\n", res.body)
    assert.equal("reply", res.headers["x-from"])
    -- Global hooks come before routing: the route's policies are not those of this request.
    local seen = wait_notes(g, 5)
    assert.same({ "a.request", "b.response", "a.response" }, { seen[1], seen[2], seen[3] })
    assert.same({ "c.log", "a.log" }, { seen[#seen - 1], seen[#seen] })
  end)

  it("log hooks see the answer's head and trailers, whatever came meanwhile", function()
    local o = t.origin(function(c, req)
      c:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Head: " .. req.target
        .. "\r\n\r\n1\r\na\r\n0\r\nX-Trailer: last\r\n\r\n")
    end)
    local g = t.proxy(o, { more = [[
      local ended = 0
      gate.on.log(function(_, res)
        ended = ended + 1
        while ended < 5 do gate.sleep("1ms") end
        gate.log.info("note: " .. res.headers["x-head"] .. "," .. res.trailers["x-trailer"])
      end)
    ]] })
    for i = 1, 5 do assert.equal(200, g:get("/" .. i).status) end
    local seen = wait_notes(g, 5)
    table.sort(seen)
    assert.same({ "/1,last", "/2,last", "/3,last", "/4,last", "/5,last" }, seen)
  end)

  it("a reply of a response hook stands in for the answer", function()
    local g = t.gateway(HEAD .. [[
      gate.use { name = "outer", response = function(req, res)
        res.headers["x-outer"] = res.status .. "," .. res.from end }
      gate.route { path = "/", reply = { 200, "x" }, use = { { response = function(req)
        if req.args.wait then gate.sleep "1ms" end
        return gate.reply(418, { a = 1 }, { ["x-b"] = { "1", "2" } })
      end } } }
    ]])
    local res = g:get "/"
    assert.equal(418, res.status)
    assert.equal('{"a":1}', res.body)
    assert.equal("application/json", res.headers["content-type"])
    assert.equal("1, 2", res.headers["x-b"])
    assert.equal("418,reply", res.headers["x-outer"])
    assert.equal("418,reply", g:get("/?wait").headers["x-outer"])
  end)

  it("request hooks choose upstreams, the last one wins", function()
    local one = t.origin(function(c) c:reply(200, "one") end)
    local two = t.origin(function(c) c:reply(200, "two") end)
    local g = t.gateway(HEAD .. ([[
      local one = gate.upstream("one", { servers = { "%s" } })
      local two = gate.upstream("two", { servers = { "%s" } })
      gate.on.request(function(req) if req.args.one then return one end end)
      gate.on.request(function(req) if req.args.two then return two end end)
      gate.on.response(function(req, res)
        local name = req.upstream and req.upstream.name
        res.headers["x-seen"] = ("%%s %%s %%s"):format(req.route, name,
          res.from)
      end)
      gate.route { name = "r", path = "/r", reply = { 200, "plain" } }
      gate.route { name = "h", path = "/h", handler = function(req) return two end }
    ]]):format(one.address, two.address))
    assert.equal("plain", g:get("/r").body)
    local res = g:get "/r?one"
    assert.equal("one", res.body)
    assert.equal("r one upstream", res.headers["x-seen"])
    assert.equal("two", g:get("/r?one&two").body)
    assert.equal("two", g:get("/h").body)
    res = g:get "/missing?one"
    assert.equal("one", res.body)
    assert.equal("nil one upstream", res.headers["x-seen"])
    assert.equal(404, g:get("/missing").status)
  end)

  it("a route hook stands before the table", function()
    local o = t.origin()
    local g = t.gateway(HEAD .. ([[
      local o = gate.upstream("o", { servers = { "%s" } })
      gate.use { name = "chooser", route = function(req)
        if req.path == "/up" then return o end
        if req.path == "/name" then return "hidden" end
        if req.path == "/reply" then return gate.reply(202, "now") end
        if req.path == "/unknown" then return "hiden" end
        if req.path == "/wrong" then return true end
      end }
      gate.route { name = "hidden", path = "/nobody/asks", reply = { 200, "hidden" } }
      gate.route { path = "/", reply = { 200, "table" } }
    ]]):format(o.address))
    assert.equal("GET /up\n", g:get("/up").body)
    assert.equal("hidden", g:get("/name").body)
    assert.equal(202, g:get("/reply").status)
    assert.equal("table", g:get("/").body)
    assert.equal(500, g:get("/unknown").status)
    logged(g, "hiden")
    assert.equal(500, g:get("/wrong").status)
    logged(g, "route hook of policy 'chooser' returned true")
  end)

  it("a value that is no answer names the policy and the hook", function()
    local g = t.gateway(HEAD .. [[
      gate.use { name = "bad-req", request = function(req)
        if req.path == "/1" then return true end
      end }
      gate.use { name = "bad-res", response = function(req)
        if req.path == "/2" then return "x" end
      end }
      gate.use { name = "bad-log", log = function(req) if req.path == "/3" then return 1 end end }
      gate.route { path = "/4", handler = function() end, name = "empty" }
      gate.route { path = "/", reply = { 200, "x" } }
    ]])
    assert.equal(500, g:get("/1").status)
    assert.equal(500, g:get("/2").status)
    assert.equal(200, g:get("/3").status)
    assert.equal(500, g:get("/4").status)
    logged(g, "request hook of policy 'bad%-req' returned true")
    logged(g, "response hook of policy 'bad%-res' returned 'x'")
    logged(g, "log hook of policy 'bad%-log' returned 1")
    logged(g, "handler of route 'empty' returned nothing")
    logged(g, "gateway.lua:")
    -- What the gateway says itself is plain ASCII: nothing in it is escaped in the log.
    assert.is_nil(g:stderr():find("\\u00", 1, true))
  end)

  it("errors answer 500 with the request's id and no detail", function()
    local g = t.gateway(HEAD .. [[
      gate.on.response(function(req, res) res.headers["x-id"] = req.id end)
      gate.route { path = "/", handler = function(req) error "secret detail" end }
      gate.route { path = "/2", handler = function(req) error("of the caller", 2) end }
    ]])
    local res = g:get "/"
    assert.equal(500, res.status)
    assert.is_nil(res.body:find("secret", 1, true))
    assert.is_truthy(res.body:find(res.headers["x-id"], 1, true))
    logged(g, "gateway.lua:%d+: secret detail")
    g:get "/2"
    logged(g, "script error: gateway.lua:%d+: of the caller")
    logged(g, res.headers["x-id"])
  end)

  it("on_error = open goes on, guards stay closed", function()
    local g = t.gateway(HEAD .. [[
      gate.use { name = "open", on_error = "open", request = function(req)
        req.headers["x-edit"] = "stays"
        if req.path == "/open" then error "x" end
      end, response = function(req) if req.path == "/open" then error "y" end end }
      gate.use { name = "guard", guards = true, on_error = "open", request = function(req)
        if req.path == "/guard" then error "x" end
      end }
      gate.route { path = "/", handler = function(req)
        return gate.reply(200, req.headers["x-edit"]) end }
    ]], { ready = false })
    -- A guard that is open is either refused at load or closed.
    t.wait_for("a start or a refusal", function()
      return g:times_ready() > 0 or g.process:wait(0)
    end)
    if g:times_ready() == 0 then
      logged(g, "guards")
      return
    end
    g:until_ready()
    local res = g:get "/open"
    assert.equal(200, res.status)
    assert.equal("stays", res.body)
    assert.equal(500, g:get("/guard").status)
  end)

  it("fault hooks answer instead of the page, with the fault's code", function()
    local g = t.gateway(HEAD .. ([[
      local dead = gate.upstream("dead", { servers = { "127.0.0.1:%d" } })
      gate.on.fault(function(req, fault)
        if req.args.page then return end
        return gate.reply(fault.status, { code = fault.code, message = fault.message })
      end)
      gate.on.response(function(req, res) res.headers["x-from"] = res.from end)
      gate.route { path = "/dead", upstream = dead }
      gate.route { path = "/post", methods = { "POST" }, max_body = 10,
        handler = function(req) return gate.reply(200, req:read_body(100)) end }
      gate.route { path = "/bad", handler = function() error "x" end }
      gate.route { path = "/spin", handler = function() while true do end end }
    ]]):format(t.dead_port()))
    local function ask(path, options) return g:get(path, options) end
    local res = ask "/nothing"
    assert.equal(404, res.status)
    assert.matches('"code":"no_route"', res.body)
    res = ask "/nothing?page"
    assert.equal(404, res.status)
    assert.equal("fault", res.headers["x-from"])
    res = ask "/post"
    assert.equal(405, res.status)
    assert.matches('"code":"method_not_allowed"', res.body)
    assert.equal("POST", res.headers.allow)
    res = ask "/post?page"
    assert.equal("POST", res.headers.allow)
    assert.matches('"code":"connect"', ask("/dead").body)
    assert.equal(502, ask("/dead").status)
    assert.matches('"code":"script_error"', ask("/bad").body)
    res = ask "/spin"
    assert.equal(503, res.status)
    assert.matches('"code":"script_killed"', res.body)
    res = ask("/post", { method = "POST", body = ("x"):rep(50) })
    assert.equal(413, res.status)
    assert.matches('"code":"too_large"', res.body)
  end)

  it("fault hooks see what fails in policies that were used before theirs", function()
    local g = t.gateway(HEAD .. [[
      gate.limits { hook_cpu = "10ms" }
      gate.use { name = "first",
        request = function(req)
          if req.args.error then error "x" end
          if req.args.spin then while true do end end
        end,
      }
      gate.on.fault(function(req, fault) return gate.reply(fault.status, fault.code) end)
      gate.on.response(function(req, res) res.headers["x-late"] = "yes" end)
      local o = gate.upstream("o", { servers = { { "127.0.0.1:1", down = true } } })
      gate.route { path = "/", upstream = o, use = { {
        request = function(req) if req.args.own then error "z" end end,
        fault = function(req, fault) req.ctx.seen = true end,
      } } }
    ]])
    for what, code in pairs {
      error = "script_error", spin = "script_killed", own = "script_error",
    } do
      local res = g:get("/?" .. what)
      assert.equal(code, res.body)
      -- Response hooks are those of the policies that the request went through.
      assert.equal(what == "own" and "yes" or nil, res.headers["x-late"])
    end
    for _ = 1, 2 do assert.equal("script_killed", g:get("/?spin").body) end
    local res = g:get "/"
    assert.equal("quarantined", res.body)
    assert.equal(503, res.status)
  end)

  it("an error in a response hook of a fault page leaves the built-in page", function()
    local g = t.gateway(HEAD .. [[
      gate.use { name = "f", fault = function() error "in fault" end }
      gate.use { name = "r", response = function(req)
        if req.path == "/r" then error "in response" end
      end }
      gate.route { path = "/r", reply = { 200, "x" } }
    ]])
    assert.equal(404, g:get("/none").status)
    assert.equal(500, g:get("/r").status)
    assert.equal(404, g:get("/none").status)
    logged(g, "in fault")
    logged(g, "in response")
  end)

  it("the log hook runs once, also for 404s, faults and clients that have gone", function()
    local g = t.gateway(HEAD .. [[
      gate.on.log(function(req, res)
        gate.log.info("note: " .. req.path .. "," .. (res and res.status or "none"))
      end)
      gate.route { path = "/ok", reply = { 200, "x" } }
      gate.route { path = "/bad", handler = function() error "x" end }
      gate.route { path = "/slow", handler = function() gate.sleep(5) return gate.reply(200) end }
    ]])
    g:get "/ok"
    g:get "/none"
    g:get "/bad"
    local c = g:connect()
    c:send "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    t.wait_for("the request", function() return tonumber(g:status "requests_active") == 1 end)
    c:close()
    local list = wait_notes(g, 4)
    assert.same({ "/ok,200", "/none,404", "/bad,500" }, { list[1], list[2], list[3] })
    assert.matches("^/slow", list[4])
    g:get "/ok"
    assert.equal(5, #wait_notes(g, 5))
  end)

  it("every hook may wait", function()
    local o = t.origin()
    local g = t.gateway(HEAD .. ([[
      local o = gate.upstream("o", { servers = { "%s" } })
      local function pause(name)
        return function(req)
          local before = gate.clock()
          gate.sleep "5ms"
          if gate.clock() - before < 0.004 then error "too soon" end
          gate.log.info("note: " .. name)
        end
      end
      gate.use { name = "p", connect = pause "connect", request = pause "request",
        route = pause "route",
        response = pause "response", fault = pause "fault", log = pause "log" }
      gate.route { path = "/w", upstream = o, when = function(req)
        gate.sleep(0.005)
        return true
      end }
      gate.route { path = "/h", handler = function() gate.sleep(0) return gate.reply(200, "h") end }
    ]]):format(o.address))
    assert.equal(200, g:get("/w").status)
    assert.same({ "connect", "request", "route", "response", "log" }, wait_notes(g, 5))
    assert.equal("h", g:get("/h").body)
    wait_notes(g, 10) -- its log hook waits too
    assert.equal(404, g:get("/none").status)
    local list = wait_notes(g, 16)
    assert.same({ "connect", "request", "route", "fault", "response", "log" },
      { unpack(list, #list - 5) })
    assert.is_nil(g:stderr():find("too soon", 1, true))
  end)

  it("connect hooks see the client and close it", function()
    local g = t.gateway(HEAD .. [[
      local n = 0
      gate.on.connect(function(client)
        n = n + 1
        if n == 1 then
          gate.log.info(("note: %s,%s,%s,%s"):format(client.ip, client.peer_ip, type(client.port),
            tostring(client.tls)))
          return false
        end
        if n == 2 then error "closed too" end
        if n == 3 then return client.ipp end
      end)
      gate.route { path = "/", reply = { 200, "x" } }
    ]])
    for _ = 1, 3 do
      local c = g:connect()
      c:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
      assert.equal("", (c:receive_all()))
      c:close()
    end
    assert.equal(200, g:get("/").status)
    assert.same({ "127.0.0.1,127.0.0.1,number,nil" }, wait_notes(g, 1))
    logged(g, "'ipp'.*ip")
  end)

  it("when decides, and an error in it is the route's", function()
    local g = t.gateway(HEAD .. [[
      gate.route { name = "w", path = "/a", priority = 5, reply = { 200, "when" },
        when = function(req)
          if req.args.bad then error "in when" end
          return req.args.x == "1"
        end }
      gate.route { name = "p", path = "/a", reply = { 200, "plain" } }
    ]])
    assert.equal("when", g:get("/a?x=1").body)
    assert.equal("plain", g:get("/a?x=2").body)
    assert.equal(500, g:get("/a?bad").status)
    logged(g, "in when")
  end)

  it("replies and redirects", function()
    local g = t.gateway(HEAD .. [[
      gate.on.request(function(req)
        local p = req.path
        if p == "/table" then return gate.reply(200, { list = gate.json.array { 1, 2 } }) end
        if p == "/204" then return gate.reply(204, "dropped") end
        if p == "/304" then return gate.reply(304, { a = 1 }) end
        if p == "/typed" then
          return gate.reply(200, "<p>", { ["Content-Type"] = "text/html", ["x-n"] = 3 })
        end
        if p == "/empty" then return gate.reply(200) end
        if p == "/go" then return gate.redirect "/there?a=1" end
        if p == "/go308" then return gate.redirect("https://x.test/", 308) end
        if p == "/bad1" then return gate.reply(99) end
        if p == "/bad2" then return gate.reply(200, "x", { ["x-a"] = "a\r\nb: c" }) end
        if p == "/bad3" then return gate.reply(200, "x", { ["Content-Length"] = "5" }) end
        if p == "/bad4" then return gate.redirect("/x\r\nSet-Cookie: a=b") end
        if p == "/bad5" then return gate:reply(200) end
        if p == "/bad6" then return gate.reply(200, "x", { ["x a"] = "1" }) end
        if p == "/bad7" then return gate.replay(200) end
      end)
    ]])
    local res = g:get "/table"
    assert.equal('{"list":[1,2]}', res.body)
    assert.equal("application/json", res.headers["content-type"])
    assert.equal("", g:get("/204").body)
    assert.is_nil(g:get("/204").headers["content-type"])
    assert.equal(304, g:get("/304").status)
    res = g:get "/typed"
    assert.equal("text/html", res.headers["content-type"])
    assert.equal("3", res.headers["x-n"])
    assert.equal("0", g:get("/empty").headers["content-length"])
    res = g:get "/go"
    assert.equal(302, res.status)
    assert.equal("/there?a=1", res.headers.location)
    assert.equal(308, g:get("/go308").status)
    for i = 1, 7 do
      res = g:get("/bad" .. i)
      assert.equal(500, res.status, "/bad" .. i)
      assert.is_nil(res.headers["set-cookie"])
    end
    logged(g, "'replay'.*'?reply")
    res = g:get("/table", { method = "HEAD" })
    assert.equal("14", res.headers["content-length"])
  end)

  it("several hooks of many policies run", function()
    local g = t.gateway(HEAD .. [[
      for i = 1, 100 do
        gate.on.request(function(req)
          req.ctx.n = (req.ctx.n or 0) + 1
          if i == 50 then gate.sleep(0.001) end
        end)
      end
      gate.route { path = "/", handler = function(req)
        return gate.reply(200, tostring(req.ctx.n))
      end }
    ]])
    assert.equal("100", g:get("/").body)
    assert.equal("100", g:get("/").body)
  end)
end)
