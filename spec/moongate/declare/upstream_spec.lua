local support = require "spec.support.gateway_load"
local upstream = require "moongate.declare.upstream"

local function options(text)
  return support.file('local u = gate.upstream("shop", {', text, "})")
end

describe("gate.upstream", function()
  it("fills in every default", function()
    local config = support.good(options 'servers = { "a:1" }')
    assert.same({
      name = "shop", balance = "round_robin", host = "client", forwarded = "x",
      proxy_protocol = "none", http2 = "never",
      servers = { { address = "a:1", weight = 1, max_connections = 0, backup = false, zone = "",
        down = false } },
      keepalive = { idle = 64, idle_timeout_ms = 60000, max_requests = 0, max_age_ms = 0 },
      timeouts = { connect_ms = 5000, send_ms = 60000, total_ms = 0 },
      retry = { tries = 2, on = { "connect", "reset" }, budget_percent = 20 },
      at = "gateway.lua:3",
    }, config.upstreams[1])
  end)

  it("takes its options", function()
    local got = support.good(options [[
      servers = { { "[::1]:9", weight = 3, backup = true, zone = "b", down = true,
        max_connections = 5 },
        "unix:/run/a" },
      balance = "least_requests", host = "name", forwarded = "none",
      proxy_protocol = "v2", http2 = "auto",
      keepalive = { idle = 0, idle_timeout = "5s", max_requests = 10, max_age = "1m" },
      timeouts = { connect = 0.5, total = "2m", send = 0, read = "10s" },
      retry = { tries = 1, on = { "timeout", "503", 429 }, budget = 0.5 },
    ]]).upstreams[1]
    assert.same({ address = "[::1]:9", weight = 3, backup = true, zone = "b", down = true,
      max_connections = 5 }, got.servers[1])
    assert.equal("unix:/run/a", got.servers[2].address)
    assert.equal("v2", got.proxy_protocol)
    assert.equal("auto", got.http2)
    assert.same({ idle = 0, idle_timeout_ms = 5000, max_requests = 10, max_age_ms = 60000 },
      got.keepalive)
    assert.equal(500, got.timeouts.connect_ms)
    assert.equal(120000, got.timeouts.total_ms)
    assert.equal(10000, got.timeouts.read_ms)
    assert.is_nil(got.timeouts.first_byte_ms)
    assert.equal(0, got.timeouts.send_ms)
    assert.same({ tries = 1, on = { "timeout", "503", "429" }, budget_percent = 50 }, got.retry)
  end)

  it("says TLS with all its options, or none", function()
    local function tls(text)
      return support.good(options('servers = { "a:1", "[::1]:2" }, ' .. text)).upstreams[1].tls
    end
    local defaults = { verify = true, ca = "", server_name = "", cert = "", key = "",
      min_version = "1.2", alpn = { "http/1.1" } }
    assert.is_nil(tls "tls = false")
    assert.same(defaults, tls "tls = true")
    assert.same(defaults, tls "tls = {}")
    assert.same({ verify = true, ca = "ca.pem", server_name = "origin.test", cert = "c.pem",
      key = "c.key", min_version = "1.3", alpn = {} },
      tls [[tls = { ca = "ca.pem", server_name = "Origin.test", cert = "c.pem", key = "c.key",
        min_version = "1.3", alpn = {} }]])
    assert.equal("::1", tls('tls = { server_name = "::1" }').server_name)
    assert.is_false(tls("tls = { verify = false }").verify)
    assert.equal("b", support.good(options [[servers = { "unix:/a" },
      tls = { server_name = "b" }]]).upstreams[1].tls.server_name)
    assert.is_false(support.good(options [[servers = { "unix:/a" },
      tls = { verify = false }]]).upstreams[1].tls.verify)
  end)

  it("says by http2 or by tls.alpn what is offered", function()
    local function offered(text)
      local u = support.good(options('servers = { "a:1" }, ' .. text)).upstreams[1]
      return u.http2, u.tls and table.concat(u.tls.alpn, " ")
    end
    assert.same({ "never", "http/1.1" }, { offered "tls = true" })
    assert.same({ "always", "h2" }, { offered "tls = true, http2 = true" })
    assert.same({ "auto", "h2 http/1.1" }, { offered 'tls = true, http2 = "auto"' })
    assert.same({ "always", "h2" }, { offered 'tls = { alpn = { "h2" } }' })
    assert.same({ "auto", "http/1.1 h2" }, { offered 'tls = { alpn = { "http/1.1", "h2" } }' })
    assert.same({ "never", "x" }, { offered 'tls = { alpn = { "x" } }, http2 = false' })
    assert.same({ "always" }, { offered "http2 = true" })
  end)

  it("refuses what is wrong, at its line", function()
    local servers = 'servers = { "a:1" },\n'
    for text, message in pairs {
      [""] = "gate.upstream needs 'servers'", ["servers = {}"] = "it is empty",
      [servers .. 'http2 = "yes"'] = [[gateway.lua:5: 'http2': true, false or "auto" expected]],
      ['sevrers = { "a:1" }'] = "gateway.lua:4: gate.upstream has no option 'sevrers'; did you "
        .. "mean 'servers'?",
      ['servers = { "a" }'] = "the port is missing",
        ['servers = { ":80" }'] = "the host is missing",
      ['servers = { "a:0" }'] = "port 0", ['servers = { "http://a:1" }'] = "no scheme",
      ['servers = { "a:1",\n5 }'] = "gateway.lua:5: item 2 of 'servers'",
      ['servers = { { "a:1", weight = 0 } }'] = "'weight': a whole number from 1 to 65535 "
        .. "expected, got 0",
      ['servers = { x = "a:1" }'] = "a list expected, got the key 'x'",
      [servers .. 'balance = "rond_robin"'] = "did you mean 'round_robin'?",
      [servers .. 'balance = "maglev"'] = "gateway.lua:5: 'maglev' is right, but not there yet",
      [servers .. "max_connections = 5"] = "'max_connections' is right, but not there yet",
      [servers .. "keepalive = { warm = 3 }"] = "gateway.lua:5: 'warm' is right, but not there yet",
      [servers .. "health = {}"] = "'health' is right, but not there yet",
      [servers .. "tls = 5"] = "gateway.lua:5: 'tls': true, or a table of options expected, got 5",
      [servers .. 'tls = { crt = "a" }'] = "tls has no option 'crt'; did you mean 'cert'?",
      [servers .. 'tls = {\ncert = "a" }'] = "gateway.lua:6: 'cert' needs 'key'",
      [servers .. 'tls = { key = "a" }'] = "'key' needs 'cert'",
      [servers .. 'tls = { verify = false, ca = "a" }'] = "'verify = false' believes everybody",
      [servers .. 'tls = { server_name = "a b" }'] = "'server_name': a host name such as",
      [servers .. 'tls = { server_name = "10.0.0.0/8" }'] = "'server_name': a host name such as",
      [servers .. 'http2 = true, tls = { alpn = { "h2", "http/1.1" } }'] = "gateway.lua:5: "
        .. "'http2' and 'tls.alpn' contradict each other",
      [servers .. 'http2 = false, tls = { alpn = { "h2" } }'] = "contradict each other",
      [servers .. 'tls = { alpn = { "" } }'] = "the name of a protocol (ALPN) expected",
      [servers .. 'tls = { min_version = "1.1" }'] = "unknown value '1.1', expected one of 1.2",
      ['servers = { "unix:/a" },\ntls = true'] = "gateway.lua:5: 'tls' needs 'server_name'",
      [servers
        .. "timeouts = { conect = 1 }"] = "timeouts has no option 'conect'; did you mean "
          .. "'connect'?",
      [servers .. "timeouts = { connect = 0 }"] = "it must be more than 0",
      [servers .. 'timeouts = { connect = "5 s" }'] = "a time (seconds, or a string",
      [servers .. 'retry = { on = { "conect" } }'] = "did you mean 'connect'?",
      [servers .. 'retry = { on = { "200" } }'] = "a status such as",
      [servers .. "retry = { on = { 50.3 } }"] = "a status such as",
      [servers .. "retry = { on = { true } }"] = "connect, reset, timeout or a status such as",
      [servers .. "retry = { budget = 20 }"] = "a share from 0 to 1",
      [servers .. 'host = "peeer"'] = "did you mean 'peer'?",
    } do
      local printed = support.bad(options(text))
      assert.equal(1, #printed, table.concat(printed, "\n"))
      assert.truthy(printed[1]:find(message, 1, true), printed[1])
    end
  end)

  it("refuses bad and repeated names", function()
    local printed = support.bad(support.file('gate.upstream("", { servers = { "a:1" } })',
      'gate.upstream("a b", { servers = { "a:1" } })', 'gate.upstream({ servers = { "a:1" } })',
      'gate.upstream("x", { servers = { "a:1" } })', 'gate.upstream("x", { servers = { "a:1" } })'))
    assert.equal(5, #printed)
    assert.truthy(printed[1]:find("1 to 128 bytes", 1, true))
    assert.truthy(printed[2]:find("no spaces", 1, true))
    assert.equal("gateway.lua:7: the upstream 'x' is declared twice (first at gateway.lua:6)",
      printed[5])
  end)

  it("gives objects with a name, and nothing to change", function()
    local _, output = support.good(options 'servers = { "a:1" }')
    local object = output.upstreams.shop
    assert.equal(upstream.Upstream, getmetatable(object))
    assert.equal("upstream 'shop'", tostring(object))
    assert.equal("shop", object.name)
    assert.equal(0, upstream.ordinal(object))
    local ok, err = pcall(function() return object.nmae end)
    assert.is_false(ok)
    assert.truthy(err:find("upstream 'shop' has no 'nmae'; did you mean 'name'?", 1, true), err)
    assert.has_error(function() object.weight = 1 end)
    assert.has_error(function() object.name = "other" end)
    assert.equal("shop", object.name)
    ok, err = pcall(function() return object:servers() end)
    assert.is_false(ok)
    assert.truthy(err:find("not there yet", 1, true), err)
  end)
end)

describe("gate.upstreams", function()
  it("takes servers whose address stands by name, as JSON needs it", function()
    local config = support.good([[local gate = require "moongate"
gate.upstreams(gate.data "u")]],
      { ["u.json"] = '{"o":{"servers":[{"address":"a:1","weight":2},"b:1"]}}' })
    assert.equal("a:1", config.upstreams[1].servers[1].address)
    assert.equal(2, config.upstreams[1].servers[1].weight)
    assert.equal("b:1", config.upstreams[1].servers[2].address)
    assert.same({ "gateway.lua:3: a server has no option 'adress'; did you mean 'address'?" },
      support.bad(support.file('gate.upstream("o", { servers = { { adress = "a:1" } } })')))
  end)

  it("declares a list, or a table of names", function()
    local config = support.good(support.file('gate.upstreams { { name = "b", servers = { "b:1" } '
      .. '},',
      '  { name = "a", servers = { "a:1" } } }'))
    assert.equal("b", config.upstreams[1].name)
    assert.equal("gateway.lua:4", config.upstreams[2].at)
    config = support.good(support.file('gate.upstreams { b = { servers = { "b:1" } },',
      '  a = { servers = { "a:1" } } }'))
    assert.equal("a", config.upstreams[1].name)
    assert.equal("b", config.upstreams[2].name)
  end)

  it("gets one by name", function()
    local _, _, gate = support.good(support.file('gate.upstream("a", { servers = { "a:1" } })',
      'assert(gate.upstreams.get("a").name == "a" and gate.upstreams.get("b") == nil)'))
    assert.equal("a", gate.upstreams.get("a").name)
    local ok, err = pcall(function() return gate.upstreams.gte end)
    assert.is_false(ok)
    assert.truthy(err:find("did you mean 'get'?", 1, true), err)
  end)

  it("refuses what is wrong", function()
    assert.same({
      "gateway.lua:3: an upstream needs 'name' (a name)",
      "gateway.lua:4: an upstream has no option 'sevrers'; did you mean 'servers'?",
    }, support.bad(support.file('gate.upstreams { { servers = { "b:1" } },',
      '  { name = "a", sevrers = { "a:1" } } }')))
    assert.same({
      "gateway.lua:3: argument 1 of gate.upstreams: a list of upstreams expected, got 5",
    }, support.bad(support.file("gate.upstreams(5)")))
  end)
end)
