local support = require "spec.support.gateway_load"

local file, good, bad = support.file, support.good, support.bad

describe("policies", function()
  it("are tables of hooks", function()
    local config,
      output = good(file('gate.use { name = "x", request = print, log = error, on_error = "open",',
      '  guards = true, cpu = "20ms" }'))
    assert.same({ name = "x", hooks = { "request", "log" }, on_error = "open", guards = true,
      decode = false, cpu_us = 20000 },
      config.policies[1])
    assert.equal(print, output.policies[1].request)
    assert.equal(error, output.policies[1].log)
    assert.same({ 0 }, config.global)
  end)

  it("are named by their place, and keep the order of use", function()
    local config = good(file("gate.on.log(print)", "gate.use {", "  request = print }",
      "gate.route { reply = { 200 }, use = {", "  { response = print } } }",
        "gate.on.fault(print)"))
    local names = {}
    for i, policy in ipairs(config.policies) do names[i] = policy.name end
    assert.same({ "gateway.lua:3", "gateway.lua:4", "gateway.lua:7", "gateway.lua:8" }, names)
    assert.same({ 0, 1, 3 }, config.global)
    assert.same({ 2 }, config.routes[1].use)
  end)

  it("are one policy however often they are used", function()
    local config = good(file("local p = { request = print }", "gate.use(p)",
      "gate.route { path = '/a', reply = { 200 }, use = { p } }",
      "gate.route { path = '/b', reply = { 200 }, use = { p, { log = print } } }"))
    assert.equal(2, #config.policies)
    assert.same({ 0 }, config.global)
    assert.same({ 0 }, config.routes[1].use)
    assert.same({ 0, 1 }, config.routes[2].use)
  end)

  it("refuse what is wrong", function()
    for text, message in pairs {
      ["gate.use {\nrequst = print }"] = "gateway.lua:4: a policy has no option 'requst'; did "
        .. "you mean 'request'?",
      ["gate.use {}"] = "a policy without hooks does nothing",
        ["gate.use(5)"] = "a policy: a table of hooks",
      ['gate.use "cors"'] = "policy 'cors': ready-made policies are not there yet",
      ["gate.use { request = 5 }"] = "'request': a function expected, got 5",
      ["gate.use { store = print, request = print }"] = "'store' is right, but not there yet",
      ["gate.use { decode = 1, body = print }"] = "'decode': true or false expected, got 1",
      ['gate.use { on_error = "opne", log = print }'] = "did you mean 'open'?",
      ["gate.use { cpu = 7200, log = print }"] = "at most 3600 seconds",
      ["gate.on.request(5)"] = "argument 1 of gate.on.request: a function expected, got 5",
      ["gate.on.request(print, print)"] = "gateway.lua:3: gate.on.request takes 1 argument, not 2",
      ["gate.use({ log = print }, { log = print })"] = "gate.use takes 1 argument, not 2",
      ["gate.on('request', print)"] = "gate.on is no function: gate.on.request(function(req)",
      ["gate.on.request = print"] =
        "a hook is declared by a call: gate.on.request(function(...) ... end)",
      ["gate.on.foo = print"] = "a hook is declared by a call",
      ["gate.on.cache(print)"] = "gate.on.cache is right, but not there yet",
      ["gate.on.access(print)"] = "gate.on has no 'access'; expected one of connect, certificate, ",
      ["gate.on.reqest(print)"] = "gateway.lua:3: gate.on has no 'reqest'; did you mean 'request'?",
    } do
      local printed = bad(file(text))
      assert.equal(1, #printed, table.concat(printed, "\n"))
      assert.truthy(printed[1]:find(message, 1, true), printed[1])
    end
  end)

  it("come ready-made by name, with options", function()
    local given
    local host = {
      policies = { "limit", "cors" },
      require = function(module)
        assert.equal("moongate.policy.limit", module)
        return function(options)
          given = options
          return { name = "limit", request = print }
        end
      end,
    }
    local config = good(file('gate.route { reply = { 200 }, use = { { "limit", rate = 5 } } }'),
      nil, host)
    assert.same({ rate = 5 }, given)
    assert.equal("limit", config.policies[1].name)
    good(file('gate.use "limit"'), nil, host)
    assert.same({}, given)
    local printed = bad(file('gate.use "limt"'), nil, host)
    assert.truthy(printed[1]:find("no ready-made policy 'limt'; did you mean 'limit'?; expected "
      .. "one of limit, cors",
      1, true), printed[1])
    host.require = function() return function() error("rate is missing", 0) end end
    assert.same({ "gateway.lua:3: policy 'limit': rate is missing" },
      bad(file('gate.use "limit"'), nil, host))
  end)
end)
