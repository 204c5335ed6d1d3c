local gateway = require "support.gateway_load"

local ROUTES = '[{"path": "/a", "reply": [200, "a"]}]'
local OTHER = '[{"path": "/b", "reply": [200, "b"]}, {"path": "/c", "reply": [200, "c"]}]'
local HEAD = 'local gate = require "moongate"\n'

--- Whether two loads of a file, with other data each, come to the same code.
local function same(text, options)
  options = options or {}
  local function code(routes)
    local _, output = gateway.good(HEAD .. text, {
      ["routes.json"] = routes, ["servers.json"] = options.servers or "[]",
    }, options.host)
    return output.code
  end
  local from, to = code(options.from or ROUTES), code(options.to or OTHER)
  return from ~= "" and from == to
end

describe("data handed over", function()
  it("is no code where it goes straight to routes or upstreams", function()
    assert.is_true(same 'gate.routes(gate.data "routes")')
    assert.is_true(same 'gate.routes(gate.data("routes"))')
    assert.is_true(same 'gate.routes (\n  gate.data [[routes]]\n)')
    assert.is_true(same 'local x = 1; gate.routes(gate.data "routes") gate.listen { ":1" }')
    assert.is_true(same('gate.upstreams(gate.data "routes")', {
      from = '[{"name": "a", "servers": ["127.0.0.1:1"]}]',
      to = '[{"name": "b", "servers": ["127.0.0.1:1"]}]',
    }))
  end)

  it("is code wherever something else may have looked at it", function()
    for _, text in ipairs {
      'local d = gate.data "routes" gate.routes(d)',
      'gate.routes(gate.data "routes") local other = gate.data "routes"',
      'local d = gate.data "routes"',
      'local function data(n) return (gate.data(n)) end gate.routes(data "routes")',
      'local data = gate.data gate.routes(data "routes")',
      'gate.routes((gate.data "routes"))',
      'for _, r in ipairs(gate.data "routes") do gate.route(r) end',
      [[local real = gate
        local gate = setmetatable({ data = function(n) local d = real.data(n) return d end },
          { __index = real })
        gate.routes(gate.data "routes")]],
    } do
      assert.is_false(same(text), text)
    end
  end)

  it("leaves the rest of the file to be compared", function()
    local function code(more)
      local text = HEAD .. 'gate.routes(gate.data "routes") ' .. more
      return select(2, gateway.good(text, { ["routes.json"] = ROUTES })).code
    end
    assert.equal(code "", code " -- a remark")
    assert.not_equal(code "", code 'gate.route { path = "/x", reply = { 200, "x" } }')
    assert.not_equal(code "", code 'gate.limits { target_bytes = 1000 }')
    assert.not_equal(code "", code 'gate.on.request(function() end)')
  end)

  it("counts what the file has asked about upstreams", function()
    local text = 'gate.upstreams(gate.data "routes") local x = gate.upstreams.get "a"'
    local function named(name)
      return ('[{"name": "%s", "servers": ["127.0.0.1:1"]}]'):format(name)
    end
    assert.is_true(same(text, { from = named "a", to = (named("a"):gsub(":1", ":2")) }))
    assert.is_false(same(text, { from = named "a", to = named "b" }))
  end)

  it("is code where its routes use policies: options may have changed", function()
    local host = {
      policies = { "tag" },
      require = function()
        return function() return { name = "tag", request = function() end } end
      end,
    }
    local function using(path, use)
      return ('[{"path": "%s", "reply": [200, "x"], "use": [%s]}]'):format(path, use)
    end
    local function same_with(from, to)
      return same('gate.routes(gate.data "routes")', { from = from, to = to, host = host })
    end
    assert.is_true(same_with(using("/a", '"tag"'), using("/b", '"tag"')))
    assert.is_false(same_with(using("/a", '"tag"'), using("/a", '["tag", 1]')))
    assert.is_false(same_with(using("/a", '"tag"'), ROUTES))
  end)
end)
