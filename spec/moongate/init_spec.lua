local support = require "spec.support.gateway_load"

local file, good, bad, load = support.file, support.good, support.bad, support.load

describe("moongate", function()
  it("takes a gateway file in ten lines", function()
    local config, output = good [[
local gate = require "moongate"

gate.listen { "127.0.0.1:8080" }

local shop = gate.upstream("shop", { servers = { "127.0.0.1:9001", "127.0.0.1:9002" } })

gate.route { path = "/api/", upstream = shop }
gate.route { path = "/hello", reply = { 200, "hello\n" } }

gate.on.request(function(req)
  if req.headers["x-api-key"] ~= gate.env("API_KEY") then return gate.reply(401, "who?\n") end
end)
]]
    assert.equal("127.0.0.1:8080", config.listeners[1].address)
    assert.equal("gateway.lua:3", config.listeners[1].at)
    assert.equal("shop", config.upstreams[1].name)
    assert.equal("127.0.0.1:9002", config.upstreams[1].servers[2].address)
    assert.equal("upstream", config.routes[1].action)
    assert.same({ status = 200, body = "hello\n",
      headers = { { "content-type", "text/plain; charset=utf-8" } } }, config.routes[2].reply)
    assert.same({ 0 }, config.global)
    assert.equal("gateway.lua:10", config.policies[1].name)
    assert.same({ "request" }, config.policies[1].hooks)
    assert.is_function(output.policies[1].request)
    assert.equal("shop", output.upstreams.shop.name)
  end)

  it("emits the same text for the same declarations", function()
    local text = file('gate.route { path = "/", reply = { 200, "x", { b = "1", a = "2" } } }')
    local _, first = good(text)
    local _, second = good(text)
    assert.equal(first.json, second.json)
    assert.truthy(first.json:find('^{"format":1,"global":%[%],"limits":{"body_bytes":%-1,'))
  end)

  it("reports as many mistakes as one load can see, each at its own line", function()
    assert.same({
      "gateway.lua:3: gate.listen has no option 'trst'; did you mean 'trust'?",
      "gateway.lua:5: a server has no option 'wieght'; did you mean 'weight'?",
      "gateway.lua:6: keepalive has no option 'idel'; did you mean 'idle'?",
      "gateway.lua:9: gate.on has no 'requst'; did you mean 'request'?",
    }, bad [[
local gate = require "moongate"
gate.listen { ":8080",
  trst = {} }
gate.upstream("a", { servers = { "a:1",
  { "b:1", wieght = 2 } },
  keepalive = { idel = 3 },
})
gate.route { path = "/", upstream = "a" }
gate.on.requst(function() end)
]])
  end)

  it("gives structured mistakes", function()
    local _, mistakes = bad(file("gate.route {", '  pth = "/x", reply = { 200 } }'))
    local made = mistakes[1]
    assert.equal("gateway.lua", made.file)
    assert.equal(4, made.line)
    assert.equal("pth", made.name)
    assert.equal("path", made.nearest)
    assert.truthy(made.expected:find("one of handler, ", 1, true) or made.expected:find("path", 1,
      true))
  end)

  it("falls back to the line of the call for a table built in code", function()
    assert.same({ "gateway.lua:5: gate.route has no option 'pth'; did you mean 'path'?" },
      bad(file("local t = { reply = { 200 } }", 't.pth = "/x"', "gate.route(t)")))
  end)

  it("keeps the line of a declaration that is a tail call", function()
    assert.same({ "gateway.lua:4: gate.route has no option 'pth'; did you mean 'path'?" },
      bad(file("return gate.route {", '  pth = "/x", reply = { 200 } }')))
  end)

  it("reports mistakes in modules where they are", function()
    assert.same({ "routes.lua:2: gate.route has no option 'pth'; did you mean 'path'?" },
      bad(file('require "routes"'),
        { ["routes.lua"] = 'local gate = require "moongate"\ngate.route { pth = "/", reply = { '
          .. '200 } }' }))
  end)

  it("reports syntax errors and script errors with their line", function()
    local printed, mistakes = bad(file("gate.route {", "  path = = 1", "}"))
    assert.truthy(printed[1]:find("^gateway.lua:4: unexpected symbol near '='"), printed[1])
    assert.equal(4, mistakes[1].line)
    printed = bad(file("local x = nil", "x.y = 1"))
    assert.truthy(printed[1]:find("^gateway.lua:4: attempt to index local 'x'"), printed[1])
    printed = bad(file("error { message = 'mine' }"))
    assert.same({ "gateway.lua: mine" }, printed)
  end)

  describe("the gate table", function()
    it("raises for a misspelt field at the caller's line", function()
      local _, mistakes = bad(file('gate.uptream("a", {})'))
      assert.equal("gateway.lua:3: gate has no 'uptream'; did you mean 'upstream'?",
        tostring(mistakes[1]))
      assert.equal("upstream", mistakes[1].nearest)
      local _, _, gate = good(file())
      local ok, err = pcall(function() return gate.replly end)
      assert.is_false(ok)
      assert.truthy(err:find("init_spec.lua:%d+: gate has no 'replly'; did you mean 'reply'"), err)
    end)

    it("cannot be changed", function()
      assert.same({ "gateway.lua:3: gate cannot be changed (field 'foo')" },
        bad(file("gate.foo = 1")))
    end)

    it("says of what this build lacks that it is right", function()
      for name, call in pairs {
        cache = 'gate.cache { memory = "1m" }', fetch = "gate.fetch 'x'",
      } do
        assert.same({
          ("gateway.lua:3: gate.%s is right, but not there yet in this build"):format(name),
        }, bad(file(call)))
      end
      assert.same({
        "gateway.lua:3: gate.on.store is right, but not there yet in this build",
      }, bad(file("gate.on.store(print)")))
    end)

    it("asks for a dot where a colon stands", function()
      for _, call in ipairs { "listen { ':1' }", "route {}", "routes {}", "upstreams {}",
        "use {}" } do
        local name = call:match("%a+")
        assert.same({ ("gateway.lua:3: gate.%s is called with a dot, not with a "
          .. "colon"):format(name) },
          bad(file("gate:" .. call)))
      end
    end)

    it("loses no argument of a declaration", function()
      for call, said in pairs {
        ["listen({ ':0' }, { ':0' })"] = "gate.listen takes 1 argument, not 2",
        ["upstream('a', { servers = { 'x:1' } }, {})"] = "gate.upstream takes 2 arguments, not 3",
        ["upstreams({}, {})"] = "gate.upstreams takes 1 argument, not 2",
        ["limits({}, nil, 5)"] = "gate.limits takes 1 argument, not 3",
        ["every(1, print, {}, print)"] = "gate.every takes 3 arguments, not 4",
      } do
        assert.same({ "gateway.lua:3: " .. said }, bad(file("gate." .. call)))
      end
      good(file("gate.limits({}, nil)"))
    end)

    it("refuses declarations after the load", function()
      local _, _, gate = good(file())
      for _, declare in ipairs {
        function() gate.listen { ":1" } end, function() gate.route {} end,
          function() gate.data "x" end,
        function() gate.on.request(print) end, function() gate.upstreams {} end,
        function() gate.use {} end, function() gate.limits {} end, function() gate.cache {} end,
      } do
        local ok, err = pcall(declare)
        assert.is_false(ok)
        assert.truthy(err:find("init_spec.lua:%d+: gate%..* legal only while the gateway file "
          .. "loads"), err)
      end
      assert.has_error(function() return gate.on.requst end)
    end)

    it("has the runtime's functions and json", function()
      local _, _, gate = good(file())
      assert.equal(401, gate.reply(401).status)
      assert.equal("{}", gate.json.encode {})
      assert.has_error(function() return gate.json.encod end)
    end)
  end)

  describe("gate.data", function()
    local text = file("gate.upstreams(gate.data 'upstreams')", "gate.routes(gate.data 'routes')")
    local upstreams = '[{"name":"shop","servers":["a:1",{"0":1}]}]'

    it("makes a gateway of three lines", function()
      local config = good(text, {
        ["upstreams.json"] =
          '[{"name":"shop","servers":["127.0.0.1:1"],"balance":"least_requests"}]',
        ["scripts/routes.json"] = '[{"path":"/a/","upstream":"shop","name":null},'
          .. '{"path":"/b","reply":[200,"x"]}]',
      })
      assert.equal("least_requests", config.upstreams[1].balance)
      assert.equal("upstreams.json /0", config.upstreams[1].at)
      assert.equal("shop", config.routes[1].upstream)
      assert.equal("scripts/routes.json /0", config.routes[1].at)
      assert.equal("x", config.routes[2].reply.body)
    end)

    it("reports file and JSON pointer", function()
      local _, mistakes = bad(text, {
        ["upstreams.json"] = '[{"name":"shop","servers":["a:1",{"weight":2}],'
          .. '"keepalive":{"idel":1}}]',
        ["routes.json"] = '[{"path":"/1","upstream":"shop"},{"path":"/2","upstrem":"shop"},'
          .. '{"path":"/3","upstream":"shp"},{"path":"x","upstream":"shop"}]',
      })
      assert.same({
        "routes.json /1/upstrem: gate.route has no option 'upstrem'; did you mean 'upstream'?",
        "routes.json /2/upstream: there is no upstream 'shp'; did you mean 'shop'?",
        "routes.json /3/path: 'path': a path such as \"/a/\", \"/a\", \"/users/:id\" or "
          .. "\"/files/*rest\" "
          .. "expected, got 'x' (a path begins with '/')",
        "upstreams.json /0/keepalive/idel: keepalive has no option 'idel'; did you mean 'idle'?",
        "upstreams.json /0/servers/1: a server needs an address (a server such as "
          .. "\"127.0.0.1:9001\" "
          .. "or \"unix:/path\")",
      }, support.printed(mistakes))
      assert.equal("/1/upstrem", mistakes[1].pointer)
      assert.equal(0, mistakes[1].line)
    end)

    it("reports bad JSON and missing files", function()
      assert.same({
        "gateway.lua:4: there is no data 'routes' (no file routes.json or scripts/routes.json)",
        "upstreams.json:2: JSON line 2 column 1: ',' or ']' expected",
      }, bad(text, { ["upstreams.json"] = "[1\nx]" }))
      assert.same({
        "gateway.lua:3: argument 1 of gate.data: the name of a data file without .json expected, "
          .. "got '../x'",
      }, bad(file("gate.data '../x'")))
    end)

    it("gives plain tables to scripts", function()
      local output = load(file("local d = gate.data 'd'",
        "gate.route { path = d.path, reply = { 200, d.list[2] } }"),
        { ["d.json"] = '{"path":"/x","list":["a","b"]}' })
      assert.equal("b", output.config.routes[1].reply.body)
    end)

    it("takes data by name from the embedding program", function()
      local config = good(file("gate.routes(gate.data 'r')"), nil, {
        data = function(name) return '[{"path":"/' .. name .. '","reply":[204]}]', "given" end,
      })
      assert.equal("/r", config.routes[1].path)
      assert.equal("given /0", config.routes[1].at)
      assert.is_string(upstreams)
    end)
  end)
end)
