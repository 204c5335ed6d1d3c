local check = require "moongate.check"

--- What is reported of lines behind the one that requires moongate (line 1).
local function reports(...)
  local text = 'local gate = require "moongate"\n' .. table.concat({ ... }, "\n")
  assert(loadstring(text))
  local list = {}
  for i, made in ipairs(check.check(text, "g.lua")) do list[i] = tostring(made) end
  return list
end

local function one(expected, ...)
  assert.same({ expected }, reports(...))
end

local function none(...)
  assert.same({}, reports(...))
end

describe("moongate.check", function()
  it("reports misspelt fields of gate", function()
    one("g.lua:2: gate has no 'rout'; did you mean 'route'?", "gate.rout {}")
    one("g.lua:2: gate.log has no 'inf'; did you mean 'info'?", "gate.log.inf 'x'")
    one("g.lua:2: gate.upstreams has no 'gt'; did you mean 'get'?", "gate.upstreams.gt('x')")
    one("g.lua:2: gate.crypto has no 'sha265'; did you mean 'sha256'?",
      "local f = gate.crypto.sha265")
    one("g.lua:3: gate has no 'replly'; did you mean 'reply'?", "local function f()",
      "return gate.replly() end")
    one("g.lua:2: gate.route is called with a dot, not with a colon", "gate:route {}")
    one("g.lua:2: gate has no 'rout'; did you mean 'route'?", "gate['rout'] {}")
  end)

  it("reports misspelt fields of what hooks are given, by position", function()
    one("g.lua:2: req has no 'heders'; did you mean 'headers'?",
      "gate.on.request(function(r) return r.heders.x end)")
    one("g.lua:2: res has no 'staus'; did you mean 'status'?",
      "gate.on.response(function(_, res) res.staus = 5 end)")
    one("g.lua:2: fault has no 'sttus'; did you mean 'status'?",
      "gate.on.fault(function(req, fault) return req.path .. fault.sttus end)")
    one("g.lua:2: client has no 'pi'; did you mean 'ip'?",
      "gate.on.connect(function(c) return c.pi == '' end)")
    one("g.lua:2: req.client.tls has no 'vrsion'; did you mean 'version'?",
      "gate.on.log(function(req) return req.client.tls.vrsion end)")
    one("g.lua:2: req has no 'metod'; did you mean 'method'?",
      "gate.on.log(function(req) return req['metod'] end)")
  end)

  it("knows functions in routes and policies whatever their parameters are called", function()
    one("g.lua:2: req has no 'pth'; did you mean 'path'?",
      "gate.route { handler = function(r) return r.pth end }")
    one("g.lua:2: res has no 'stats'; did you mean 'status'?",
      "gate.use({ response = function(a, b) b.stats = 1 end })")
    one("g.lua:2: req has no 'pth'; did you mean 'path'?",
      "gate.route { use = { { request = function(r) return r.pth end } }, reply = { 200 } }")
    none("local t = { handler = function(r) return r.pth end }")
    none("local app = {}", "app.use { request = function(r) return r.pth end }")
    none("local t = { use = { { request = function(r) return r.pth end } } }")
  end)

  it("follows other names of an object or a part of it", function()
    one("g.lua:3: req has no 'pth'; did you mean 'path'?", "gate.on.request(function(req)",
      "local r = req return r.pth end)")
    one("g.lua:3: req.client has no 'pi'; did you mean 'ip'?", "gate.on.request(function(req)",
      "local c = req.client; return c.pi == 1 end)")
    one("g.lua:2: gate.log has no 'wran'; did you mean 'warn'?",
      "local log = gate.log log.wran 'x'")
    none("gate.on.request(function(req) local r = req and req.ctx return r.pth end)")
    none("gate.on.request(function(req) local r = req.ctx.x return r.pth end)")
    none("gate.on.request(function(req) local p = req.path == '/' return p.pth end)")
    none("gate.on.request(function(req) local req = req.ctx return req.pth end)")
    none("local r = gate")
  end)

  it("reports misspelt methods of headers, args and cookies", function()
    one("g.lua:2: req.headers has no 'ech'; did you mean 'each'?",
      "gate.on.log(function(req) req.headers:ech() end)")
    one("g.lua:2: res.headers has no 'al'; did you mean 'all'?",
      "gate.on.log(function(req, res) res.headers:al 'x' end)")
    none("gate.on.log(function(req) return req.headers:all 'x', req.args.al, req.cookies.gt end)")
  end)

  it("says what the gate it is given does not have yet", function()
    local text = "local gate = require 'moongate'\nlocal function f() gate.fetch 'x' end"
    assert.equal("g.lua:2: gate.fetch is right, but not there yet in this build",
      tostring(check.check(text, "g.lua", { reply = print })[1]))
    assert.same({}, check.check(text, "g.lua"))
    assert.same({}, check.check(text, "g.lua", { fetch = print }))
  end)

  it("reports dots and colons in the wrong place", function()
    one("g.lua:2: req.read_body is called with a colon: req:read_body(...)",
      "gate.on.request(function(req) return req.read_body(5) end)")
    one("g.lua:2: req.path is no method", "gate.on.request(function(req) return req:path() end)")
  end)

  it("finds hooks in policies, routes and modules", function()
    one("g.lua:2: req has no 'pth'; did you mean 'path'?",
      "gate.use { request = function(req) return req.pth end }")
    one("g.lua:2: req has no 'pth'; did you mean 'path'?",
      "gate.route { when = function(req) return req.pth end, reply = { 200 } }")
    one("g.lua:3: req has no 'pth'; did you mean 'path'?", "local M = {}",
      "function M.request(req) return req.pth end")
    one("g.lua:3: req has no 'pth'; did you mean 'path'?", "local M = {}",
      "M.request = function(req) return req.pth end")
    one("g.lua:2: req has no 'pth'; did you mean 'path'?",
      "local function auth(req) return req.pth end",
      "gate.on.request(auth)")
    one("g.lua:2: req has no 'pth'; did you mean 'path'?",
      "local auth = function(req) return req.pth end",
      "gate.use { request = auth }")
    one("g.lua:3: req has no 'pth'; did you mean 'path'?", "gate.on.request(function(req)",
      "local function inner() return req.pth end return inner() end)")
  end)

  it("accepts every field that there is", function()
    none("gate.on.log(function(req, res)",
      "local _ = req.method, req.scheme, req.host, req.path, req.port, req.version, req.target, "
        .. "req.query, req.id",
      "_ = req.headers.anything.x, req.args.y, req.cookies.z, req.params.p, req.ctx.user.name, "
        .. "req.trailers",
      "_ = req.client.ip, req.client.tls.sni, req.upstream.name, req.peer.address, "
        .. "req.timing.total, req.tries",
      "_ = req.bytes_in + req.bytes_out, req.cache_status, req.cache_why, req.route, res.from, "
        .. "res.status",
      "_ = req:read_body(5), req:set_body 'x', req.args:all 'x', req.headers:each(), "
        .. "req.path:sub(1, 2)",
      "res.cache = false; res.cache.ttl = 5; res.headers['x'] = nil; req.upstream:servers()",
      "_ = gate.json.null, gate.crypto.hex 'x', gate.fetch 'x', gate.re.match('a', 'b'), "
        .. "gate.exiting()",
      "gate.log.info('x', { a = 1 }); return gate.upstreams { } end)")
  end)

  it("leaves alone what it cannot trace", function()
    none("local client = { request = function(opts) return opts.url end }", "return client.reqest")
    none("local req = { foo = 1 }", "return req.foo")
    none("gate.on.request(function(req) local req = {} return req.foo end)")
    none("gate.on.request(function(req) for _, req in ipairs {} do print(req.foo) end end)")
    none("gate.on.request(function(req) req = {} return req.foo end)")
    none("gate.on.request(function(req) local x req, x = {}, 1 return req.foo, x end)")
    none("gate.on.request(function(req) repeat local req = {} until req.foo end)")
    none("gate.on.request(function(req) local f = function(req) return req.foo end return f(req) "
      .. "end)")
    none("gate.on.request(function(req) return { req = 1, req.path, x = { req = 2 } } end)")
    none("local function f(gate) return gate.foo end", "return f")
    none("local t = { gate = { foo = 1 } }", "return t.gate.foo, t.gate.foo")
    none("function gate_foo(x) return x.gate end")
    none("local M = {} function M:request(req) return req.foo end")
    none("return require('moongate.x').foo")
  end)

  it("keeps scopes apart", function()
    one("g.lua:5: req has no 'two'", "gate.on.request(function(req)",
      "  do local req = {} print(req.one) end",
      "  if req then local req = 1 print(req) elseif req.path then local req = {} req.x = 1 else "
        .. "print(1) end",
      "  while true do local req = {} req.y = 1 break end for req = 1, 2 do print(req.z) end "
        .. "print(req.two)",
      "end)")
  end)

  it("survives what is no Lua", function()
    for _, text in ipairs { "", "local", "gate.", "function", "function(", "end end end", ") } ]",
      "for", "until",
      'local gate = require "moongate" gate', 'local gate = require "moongate" gate.',
        "local gate = require",
      'local gate = require("moongate', "gate.on.request(function(" } do
      assert.has_no_error(function() check.check(text, "g.lua") end)
    end
  end)
end)
