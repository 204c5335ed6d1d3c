local support = require "spec.support.gateway_load"

local function route(text)
  return support.file('local shop = gate.upstream("shop", { servers = { "a:1" } })',
    "gate.route {", text, "}",
    "return shop")
end

local function first(text)
  return support.good(route(text)).routes[1]
end

describe("gate.route", function()
  it("fills in every default", function()
    assert.same({
      name = "", host = "", path = "/a", methods = {}, headers = {}, query = {}, when = false,
      priority = 0, action = "upstream", upstream = "shop", rewrite = "", use = {}, timeouts = {},
      max_body = -1, upgrade = { "websocket" }, at = "gateway.lua:4",
    }, first 'path = "/a", upstream = shop')
  end)

  it("takes its matchers", function()
    local got = first [[upstream = "shop", name = "n", host = "*.Example.COM:8080", path = "/u/:id",
      methods = { "GET", "POST" }, headers = { ["X-B"] = "v", ["x-a"] = true },
        query = { b = true, a = "1" },
      when = function() return true end, priority = -3]]
    assert.equal("n", got.name)
    assert.equal("*.example.com", got.host)
    assert.same({ "GET", "POST" }, got.methods)
    local json = require "moongate.json"
    assert.same({ { "x-a", json.null }, { "x-b", "v" } }, got.headers)
    assert.same({ { "a", "1" }, { "b", json.null } }, got.query)
    assert.is_true(got.when)
    assert.equal(-3, got.priority)
  end)

  it("takes its options", function()
    local got = first [[path = "/a/", upstream = shop, rewrite = "/b/*", timeouts = { read = "5s" },
      max_body = "1m", upgrade = { "WebSocket", "x" }, cache = false]]
    assert.equal("/b/*", got.rewrite)
    assert.same({ read_ms = 5000 }, got.timeouts)
    assert.equal(1048576, got.max_body)
    assert.same({ "websocket", "x" }, got.upgrade)
    assert.same({}, first('upstream = shop, upgrade = false').upgrade)
    assert.is_nil(first('upstream = shop, client_cert = false').client_cert)
  end)

  it("keeps functions by ordinal", function()
    local _, output = support.good(support.file('gate.route { path = "/0", reply = { 204 } }',
      'gate.route { path = "/1", handler = function() return 1 end }',
      'gate.route { path = "/2", handler = function() return 2 end, when = function() return 3 '
        .. 'end }'))
    assert.equal(1, output.routes.handler[1]())
    assert.equal(2, output.routes.handler[2]())
    assert.equal(3, output.routes.when[2]())
    assert.is_nil(output.routes.handler[0])
    assert.equal("handler", output.config.routes[2].action)
  end)

  describe("reply", function()
    local function reply(text)
      return first("reply = " .. text).reply
    end

    it("is text, JSON or nothing", function()
      assert.same({ status = 200, body = "x", headers = {
        { "content-type", "text/plain; charset=utf-8" } } }, reply '{ 200, "x" }')
      assert.same({ status = 200, body = '{"a":[1]}', headers = {
        { "content-type", "application/json" } } }, reply "{ 200, { a = { 1 } } }")
      assert.same({ status = 204, body = "", headers = {} }, reply '{ 204, "dropped" }')
      assert.same({ status = 404, body = "", headers = {} }, reply "{ status = 404 }")
    end)

    it("takes headers, sorted, of which a content type replaces its own", function()
      local got = reply [[{ 200, "x", { x = { "1", "2" }, ["Content-Type"] = "text/html",
        ["retry-after"] = 5 } }]]
      assert.same({ { "Content-Type", "text/html" }, { "retry-after", "5" }, { "x", "1" },
        { "x", "2" } }, got.headers)
      got = reply '{ status = 200, body = "x", headers = { ["content-type"] = "a/b" } }'
      assert.same({ { "content-type", "a/b" } }, got.headers)
    end)

    it("refuses what is no answer", function()
      for text, message in pairs {
        ["{ 99 }"] = "a whole number from 200 to 599", ["{}"] = "a reply needs a status",
        ['{ "200" }'] = "a whole number", ['"x"'] = "a reply such as",
          ["{ 200, print }"] = "a string, or a table",
        ['{ 200, "x", { ["a b"] = "1" } }'] = "a header name",
          ['{ 200, { print } }'] = "no JSON form",
        ['{ 200, "x", { ["content-length"] = "1" } }'] = "the gateway writes it",
        ['{ 200, "x", { x = "a\\nb" } }'] = "no line ends",
          ["{ statsu = 200 }"] = "did you mean 'status'?",
      } do
        local printed = support.bad(route("reply = " .. text))
        assert.truthy(printed[1]:find(message, 1, true), printed[1])
      end
    end)
  end)

  it("takes redirects", function()
    assert.same({ to = "/new/*rest", status = 302 },
      first('path = "/old/*rest", redirect = "/new/*rest"').redirect)
    assert.same({ to = "https://x.example/:id", status = 301 },
      first('path = "/u/:id", redirect = { "https://x.example/:id", 301 }').redirect)
    assert.same({ to = "/n", status = 308 },
      first('redirect = { to = "/n", status = 308 }').redirect)
  end)

  it("refuses what is wrong, at its line", function()
    for text, message in pairs {
      ['path = "/a"'] = "gateway.lua:4: a route needs exactly one of upstream, reply, handler, "
        .. "redirect",
      ["upstream = shop,\nreply = { 200 }"] = "gateway.lua:6: a route has exactly one of "
        .. "upstream, reply, "
        .. "handler, redirect; this one has upstream and reply",
      ["upstream = shop,\nclient_cert = true"] = "gateway.lua:6: 'client_cert' needs a listener "
        .. "whose 'tls' has 'client_ca'",
      ["upstream = shop, client_cert = 1"] = "'client_cert': true or false",
      ['upstream = "a:80"'] = "there is no upstream 'a:80'; gate.upstream(name, { servers = ",
      ['upstream = "shp"'] = "gateway.lua:5: there is no upstream 'shp'; did you mean 'shop'?",
      ["upstream = {}"] = "what gate.upstream gave, or its name",
        ["upstrem = shop"] = "did you mean 'upstream'?",
      ['upstream = shop, path = "a"'] = "a path begins with '/'",
      ['upstream = shop,\nmethods = {\n"GET", "GTE" }'] = "gateway.lua:7: unknown method 'GTE'; "
        .. "did you mean 'GET'?",
      ['upstream = shop, methods = "GET"'] = "'methods': a list",
        ["upstream = shop, methods = {}"] = "it is empty",
      ['upstream = shop, methods = { "get" }'] = "did you mean 'GET'?",
      ['upstream = shop, host = "a b"'] = "a host such as",
        ['upstream = shop, host = "a.*.b"'] = "a host such as",
      ['upstream = shop, headers = { ["a b"] = true }'] = "a header name",
      ["upstream = shop, headers = { a = false }"] = "true (present) or a string",
      ["upstream = shop, when = true"] = "'when': a function",
        ['upstream = shop, priority = "1"'] = "a whole number",
      ["upstream = shop, cache = true"] = "'cache' is right, but not there yet",
      ['upstream = shop, path = "/:id",\nrewrite = "/:ix"'] =
        "gateway.lua:6: 'rewrite': the path has no capture 'ix'; did you mean 'id'?",
      ['upstream = shop, rewrite = "/a?b"'] = "the query is kept",
      ['redirect = "/new#top"'] = "the query would come behind the '#'",
      ['redirect = "new"'] = 'a path or an "http(s)://" URL',
        ['redirect = "//evil"'] = "a path or an",
      ['redirect = { "/a", 200 }'] = "301, 302, 303, 307 or 308",
        ["redirect = {}"] = "needs a target",
      ['redirect = setmetatable({}, { declared = true })'] = "'redirect' takes a target; an answer",
      ["upstream = shop, max_body = -1"] = "a size",
        ["upstream = shop, timeouts = { rad = 1 }"] = "did you mean 'read'?",
      ["upstream = shop, upgrade = true"] = "false, or a list",
        ['upstream = shop, upgrade = { "h2c" }'] = "never tunnelled",
      ['upstream = shop, use = { "cors" }'] = "ready-made policies are not there yet",
      ["upstream = shop, use = { {\nrequst = print } }"] = "gateway.lua:6: a policy has no "
        .. "option 'requst'",
      ["upstream = shop, use = { { connect = print } }"] = "the hook 'connect' runs before a "
        .. "route is chosen",
      ["upstream = shop, use = { { route = print } }"] = "the hook 'route' runs before",
      ['upstream = shop, name = ""'] = "it is empty",
        ["upstream = shop, 5"] = "takes no value without a name here",
    } do
      local printed = support.bad(route(text))
      assert.equal(1, #printed, table.concat(printed, "\n"))
      assert.truthy(printed[1]:find(message, 1, true), printed[1])
    end
  end)

  it("refuses a name that was used", function()
    assert.same({ "gateway.lua:4: the route name 'a' is used twice (first at gateway.lua:3)" },
      support.bad(support.file('gate.route { name = "a", reply = { 200 } }',
        'gate.route { name = "a", reply = { 200 } }')))
  end)

  it("may name an upstream that comes later", function()
    assert.equal("late", support.good(support.file('gate.route { upstream = "late" }',
      'gate.upstream("late", { servers = { "a:1" } })')).routes[1].upstream)
  end)
end)

describe("gate.routes", function()
  it("takes a list and nothing else", function()
    local config = support.good(support.file("gate.routes {", '{ path = "/a", reply = { 200 } },',
      '{ path = "/b", reply = { 200 } } }'))
    assert.equal("gateway.lua:4", config.routes[1].at)
    assert.equal("gateway.lua:5", config.routes[2].at)
    assert.same({ "gateway.lua:4: gate.routes takes a list of routes, got the key 'path'" },
      support.bad(support.file("gate.routes {", 'path = "/a" }')))
    assert.same({
      "gateway.lua:3: argument 1 of gate.routes: a list of routes expected, got nothing",
    }, support.bad(support.file("gate.routes()")))
  end)
end)
