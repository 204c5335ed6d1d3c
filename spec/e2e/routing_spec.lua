-- Routes: what matches, which one wins, what each action answers.
-- covers: route/match.c route/lookup.c flow/step_route.c
local json = require "moongate.json"
local t = require "e2e.support"

-- Starts a gateway whose routes name themselves: { name = "x", path = "/x" } answers "x".
local function named(routes)
  return t.gateway(([[
    gate.listen { "127.0.0.1:0" }
    local function route(r)
      r.handler = function(req) return gate.reply(200, { r = req.route, p = req.params }) end
      gate.route(r)
    end
    %s
  ]]):format(routes))
end

-- Name of the route that answers, or the status when none does; second value: its params.
local function winner(g, path, options)
  local res = g:get(path, options)
  if res.status ~= 200 then return res.status, res end
  local answer = json.decode(res.body)
  return answer.r, answer.p
end

describe("routes match", function()
  after_each(t.cleanup)

  it("paths: exact, prefix, captures and rest", function()
    local g = named [[
      route { name = "exact", path = "/a" }
      route { name = "prefix", path = "/p/" }
      route { name = "user", path = "/users/:id" }
      route { name = "post", path = "/users/:id/posts/:post" }
      route { name = "files", path = "/files/*rest" }
    ]]
    local cases = {
      { "/a", "exact" }, { "/a/", 404 }, { "/a?x=/p/", "exact" }, { "/A", 404 },
      { "/p/", "prefix" }, { "/p", 404 }, { "/p/q/r", "prefix" }, { "/px", 404 },
      { "/users/7", "user", { id = "7" } }, { "/users/", 404 }, { "/users/7/", 404 },
      { "/users/7/posts/8", "post", { id = "7", post = "8" } },
      { "/users/a%20b", "user", { id = "a b" } }, { "/users/a%2Fb", "user", { id = "a%2Fb" } },
      { "/files/", "files", { rest = "" } }, { "/files/a/b", "files", { rest = "a/b" } },
      { "/files", 404 }, { "/%61", "exact" }, { "/x/../a", "exact" }, { "//a", "exact" },
      { "/./p/./x", "prefix" },
    }
    for _, case in ipairs(cases) do
      local name, params = winner(g, case[1])
      assert.equal(case[2], name, case[1])
      if case[3] then assert.same(case[3], params) end
    end
  end)

  it("hosts: exact and suffix, whatever case, port and last dot", function()
    local g = named [[
      route { name = "exact", path = "/", host = "Shop.example.com" }
      route { name = "suffix", path = "/", host = "*.example.com" }
      route { name = "deep", path = "/", host = "*.b.example.com" }
      route { name = "any", path = "/" }
    ]]
    local cases = { ["shop.example.com"] = "exact", ["SHOP.EXAMPLE.COM:8443"] = "exact",
      ["x.example.com"] = "suffix", ["x.y.example.com:1"] = "suffix", ["example.com"] = "any",
      ["a.b.example.com"] = "deep", ["notexample.com"] = "any", ["b.example.com"] = "suffix",
      ["shop.example.com."] = "exact", ["X.Example.Com.:80"] = "suffix",
      ["127.0.0.1"] = "any", ["[::1]:80"] = "any" }
    for host, name in pairs(cases) do assert.equal(name, winner(g, "/x", { host = host }), host) end
    -- A target in absolute form names the host.
    assert.equal("exact", winner(g, "http://shop.example.com/x", { host = "shop.example.com" }))
  end)

  it("methods: GET includes HEAD, and other methods get 405 with Allow", function()
    local g = named [[
      route { name = "get", path = "/m", methods = { "GET" } }
      route { name = "post", path = "/m", methods = { "POST", "PUT" } }
      route { name = "own", path = "/own", methods = { "PURGE" } }
    ]]
    assert.equal("get", winner(g, "/m"))
    assert.equal("post", winner(g, "/m", { method = "PUT", body = "" }))
    assert.equal(200, g:get("/m", { method = "HEAD" }).status)
    local status, res = winner(g, "/m", { method = "DELETE" })
    assert.equal(405, status)
    local allow = {}
    for method in res.headers.allow:gmatch "[^, ]+" do allow[method] = true end
    assert.same({ GET = true, HEAD = true, POST = true, PUT = true }, allow)
    assert.equal("own", winner(g, "/own", { method = "PURGE" }))
    assert.equal(405, (winner(g, "/own")))
  end)

  it("headers and query", function()
    local g = named [[
      route { name = "header", path = "/", headers = { ["X-A"] = "1" } }
      route { name = "both", path = "/", headers = { ["x-a"] = "1", ["x-b"] = true } }
      route { name = "query", path = "/", query = { a = "1" } }
      route { name = "present", path = "/", query = { b = true } }
      route { name = "none", path = "/", priority = -1 }
    ]]
    assert.equal("none", winner(g, "/"))
    assert.equal("header", winner(g, "/", { headers = { ["x-A"] = "1" } }))
    assert.equal("none", winner(g, "/", { headers = { ["x-A"] = "2" } }))
    assert.equal("both", winner(g, "/", { headers = { ["X-a"] = "1", ["X-B"] = "" } }))
    assert.equal("query", winner(g, "/?a=1"))
    assert.equal("query", winner(g, "/?z&a=%31"))
    assert.equal("none", winner(g, "/?a=2"))
    assert.equal("none", winner(g, "/?aa=1"))
    assert.equal("present", winner(g, "/?b"))
  end)

  it("when: a function decides last", function()
    local g = named [[
      route { name = "beta", path = "/", when = function(req) return req.args.beta == "yes" end }
      route { name = "slow", path = "/slow",
        when = function(req) gate.sleep(0.01) return req.headers["x-go"] ~= nil end }
      route { name = "main", path = "/" }
    ]]
    assert.equal("beta", winner(g, "/?beta=yes"))
    assert.equal("main", winner(g, "/?beta=no"))
    assert.equal("slow", winner(g, "/slow", { headers = { ["X-Go"] = "1" } }))
    assert.equal("main", winner(g, "/slow"))
  end)

  it("in this order: priority, host, path, matchers, declaration", function()
    local g = named [[
      route { name = "late", path = "/o/" }
      route { name = "second", path = "/o/" }
      route { name = "literal", path = "/u/me" }
      route { name = "capture", path = "/u/:id" }
      route { name = "rest", path = "/u/*all" }
      route { name = "short", path = "/l/" }
      route { name = "long", path = "/l/m/" }
      route { name = "high", path = "/h/", priority = 5 }
      route { name = "exact", path = "/h/x", host = "a.test" }
      route { name = "host", path = "/v/", host = "a.test" }
      route { name = "nohost", path = "/v/deep/er" }
    ]]
    assert.equal("late", winner(g, "/o/x"))
    assert.equal("literal", winner(g, "/u/me"))
    assert.equal("capture", winner(g, "/u/you"))
    assert.equal("rest", winner(g, "/u/a/b"))
    assert.equal("short", winner(g, "/l/x"))
    assert.equal("long", winner(g, "/l/m/x"))
    assert.equal("high", winner(g, "/h/x", { host = "a.test" }))
    assert.equal("host", winner(g, "/v/deep/er", { host = "a.test" }))
    assert.equal("nohost", winner(g, "/v/deep/er"))
  end)
end)

describe("routes answer", function()
  after_each(t.cleanup)

  it("with a reply of text or JSON", function()
    local g = t.gateway [[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/text", reply = { 201, "made\n", { ["X-A"] = "b" } } }
      gate.route { path = "/json", reply = { 200, { a = { 1, 2 } } } }
      gate.route { path = "/none", reply = { 204 } }
      gate.route { path = "/type", reply = { 200, "<p>", { ["content-type"] = "text/html" } } }
      gate.route { path = "/bytes", reply = { 200, "GIF\0\255\195\n", { ["x-a"] = "\255" } } }
    ]]
    local res = g:get "/text"
    assert.equal(201, res.status)
    assert.equal("made\n", res.body)
    assert.equal("b", res.headers["x-a"])
    assert.equal("text/plain; charset=utf-8", res.headers["content-type"])
    res = g:get "/json"
    assert.equal("application/json", res.headers["content-type"])
    assert.same({ a = { 1, 2 } }, json.decode(res.body))
    res = g:get "/none"
    assert.equal(204, res.status)
    assert.is_nil(res.headers["content-length"])
    assert.equal("text/html", g:get("/type").headers["content-type"])
    res = g:get "/bytes"
    assert.equal("GIF\0\255\195\n", res.body)
    assert.equal("\255", res.headers["x-a"])
    local head = g:get("/text", { method = "HEAD" })
    assert.equal("5", head.headers["content-length"])
    assert.is_nil(g:get("/nowhere").headers["x-a"])
  end)

  it("with what gate.reply or gate.redirect gave", function()
    local g = t.gateway [[
      gate.listen { "127.0.0.1:0" }
      local made = gate.reply(201, "\0\255\n", { ["X-A"] = { "b", "c" } })
      gate.route { path = "/text", reply = made }
      gate.route { path = "/again", reply = made }
      gate.route { path = "/json", reply = gate.reply(200, { a = { 1, 2 } }) }
      gate.route { path = "/none", reply = gate.reply(204, "dropped") }
      gate.route { path = "/away", reply = gate.redirect("/x", 308) }
    ]]
    for _, path in ipairs { "/text", "/again" } do
      local res = g:get(path)
      assert.equal(201, res.status)
      assert.equal("\0\255\n", res.body)
      assert.equal("b, c", res.headers["x-a"])
      assert.equal("text/plain; charset=utf-8", res.headers["content-type"])
    end
    local res = g:get "/json"
    assert.equal("application/json", res.headers["content-type"])
    assert.same({ a = { 1, 2 } }, json.decode(res.body))
    res = g:get "/none"
    assert.equal(204, res.status)
    assert.is_nil(res.headers["content-type"])
    res = g:get "/away"
    assert.equal(308, res.status)
    assert.is_nil(res.headers["content-type"])
    assert.equal("/x", res.headers.location)
  end)

  it("with a handler's reply or upstream", function()
    local o = t.origin()
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      local o = gate.upstream("o", { servers = { "%s" } })
      gate.route { path = "/h/:what", handler = function(req)
        if req.params.what == "up" then return o end
        if req.params.what == "away" then return gate.redirect("/x", 307) end
        return gate.reply(200, { what = req.params.what })
      end }
    ]]):format(o.address))
    assert.equal("GET /h/up?q\n", g:get("/h/up?q").body)
    assert.same({ what = "me" }, json.decode(g:get("/h/me").body))
    local res = g:get "/h/away"
    assert.equal(307, res.status)
    assert.equal("/x", res.headers.location)
  end)

  it("with redirects that take captures and keep the query", function()
    local g = t.gateway [[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/old", redirect = "/new" }
      gate.route { path = "/tree/", redirect = "/wood/*" }
      gate.route { path = "/u/:id", redirect = "/users/:id" }
      gate.route { path = "/f/*rest", redirect = "https://files.test/*rest" }
      gate.route { host = "www.x.test", redirect = "http://x.test/*" }
    ]]
    local cases = { ["/old"] = "/new", ["/old?a=1"] = "/new?a=1", ["/tree/a/b"] = "/wood/a/b",
      ["/tree/"] = "/wood/", ["/u/7?x"] = "/users/7?x",
      ["/f/a%20b/c"] = "https://files.test/a%20b/c",
      ["/f/a%3Fb?c"] = "https://files.test/a%3Fb?c" }
    for path, location in pairs(cases) do
      local res = g:get(path)
      assert.equal(302, res.status)
      assert.equal(location, res.headers.location, path)
    end
    -- A route without a path leaves the whole path over.
    assert.equal("http://x.test/q/w?e",
      g:get("/q/w?e", { host = "www.x.test" }).headers.location)
  end)

  it("through rewrites that take captures and keep the query", function()
    local o = t.origin()
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      gate.upstream("o", { servers = { "%s" } })
      local o = gate.upstreams.get "o"
      gate.route { path = "/api/", upstream = o, rewrite = "/v2/*" }
      gate.route { path = "/users/:id", upstream = o, rewrite = "/people/:id/show" }
      gate.route { path = "/files/*rest", upstream = o, rewrite = "/*rest" }
      gate.route { path = "/fix", upstream = o, rewrite = "/fixed" }
    ]]):format(o.address))
    local cases = { ["/api/x/y?q=1"] = "/v2/x/y?q=1", ["/api/"] = "/v2/", ["/fix?"] = "/fixed?",
      ["/users/a%20b"] = "/people/a%20b/show", ["/files/a/b?z"] = "/a/b?z", ["/files/"] = "/",
      ["/users/a%2Fb"] = "/people/a%2Fb/show" }
    for path, up in pairs(cases) do assert.equal("GET " .. up .. "\n", g:get(path).body, path) end
  end)

  it("through rewrites of paths that hooks set before, but not of those set behind", function()
    local g = t.proxy(t.origin(), { route = [[path = "/api/", rewrite = "/v2/*", use = { {
      request = function(req) if req.args.own then req.path = "/own" end end,
    } }]], more = [[
      gate.on.request(function(req) req.path = req.path:gsub("^/old/", "/api/") end)
    ]] })
    assert.equal("GET /v2/x\n", g:get("/old/x").body)
    assert.equal("GET /v2/x\n", g:get("/api/x").body)
    assert.equal("GET /own?own\n", g:get("/old/x?own").body)
  end)
end)

describe("declarations as data", function()
  after_each(t.cleanup)

  local GATEWAY = [[
    gate.listen { "127.0.0.1:0" }; gate.upstreams(gate.data "upstreams")
    gate.routes(gate.data "routes")
  ]]

  it("make a whole gateway of three lines", function()
    local o = t.origin()
    local up = ('{ "shop": { "servers": ["%s"] } }'):format(o.address)
    local routes = '[{ "name": "hello", "path": "/hello", "reply": [200, "hi"] },' ..
      '{ "path": "/api/", "upstream": "shop", "rewrite": "/v2/*" }]'
    local g = t.gateway(GATEWAY, { files = { ["upstreams.json"] = up, ["routes.json"] = routes } })
    assert.equal("hi", g:get("/hello").body)
    assert.equal("GET /v2/x\n", g:get("/api/x").body)
    g:stop()
    local args = { "--workers", "1", "--data", "upstreams=" .. t.file(up, "a.json"),
      "--data", "routes=" .. t.file(routes, "b.json") }
    g = t.gateway(GATEWAY, { args = args })
    assert.equal("GET /v2/y\n", g:get("/api/y").body)
  end)

  it("are told with file and pointer when they are wrong", function()
    local file = t.file('local gate = require "moongate"\n' .. GATEWAY)
    local dir = file:match "^(.*)/"
    t.write(dir .. "/upstreams.json", '{ "shop": { "servers": ["127.0.0.1:1"] } }')
    t.write(dir .. "/routes.json",
      '[{ "path": "/a", "reply": [200] }, { "path": "/b", "upstrem": "shop" }]')
    local out = t.run { "check", file }
    assert.equal(1, out.status)
    local text = out.stdout .. out.stderr
    assert.matches("routes.json /1/upstrem", text, 1, true)
    assert.matches("upstream", text, 1, true)
    t.write(dir .. "/routes.json", '[{ "path": "/b", "upstream": "shpo" }]')
    out = t.run { "check", file }
    assert.equal(1, out.status)
    assert.matches("routes.json /0/upstream", out.stdout .. out.stderr, 1, true)
    assert.matches("shop", out.stdout .. out.stderr, 1, true)
  end)
end)

describe("moongate routes", function()
  after_each(t.cleanup)

  local FILE = [[
local gate = require "moongate"
gate.listen { "127.0.0.1:0" }
gate.route { name = "any", path = "/", reply = { 200 } }
gate.route { name = "mine", path = "/u/me", methods = { "GET" }, reply = { 200 } }
gate.route { name = "user", path = "/u/:id", host = "*.a.test", reply = { 200 } }
gate.route { name = "beta", path = "/b", when = function() return false end, reply = { 200 } }
gate.route { name = "form", path = "/f", methods = { "POST" }, priority = 2, reply = { 200 } }
]]

  local function ask(method, url)
    local out = t.run { "routes", t.file(FILE), method, url }
    assert.equal(0, out.status)
    return out.stdout
  end

  it("names the winner, its captures and why the others lost", function()
    local text = ask("GET", "http://x.a.test/u/7?y=1")
    assert.matches("^user", text)
    assert.matches('id = "7"', text, 1, true)
    assert.matches("then any [^\n]*host", text)
    assert.matches("^mine", ask("GET", "http://other.test/u/me"))
    assert.matches("^user", ask("GET", "http://x.a.test:8080/u/me"))
    assert.matches("^any", ask("DELETE", "/u/me"))
    assert.matches("not mine [^\n]*GET", ask("DELETE", "/u/me"))
  end)

  it("says when a function decides", function()
    assert.matches("^beta[^\n]*depends on when", ask("GET", "/b"))
  end)
end)
