local support = require "spec.support.gateway_load"

local function limits(text)
  return support.file("gate.limits {", text, "}")
end

describe("gate.limits", function()
  it("has defaults that are safe on the open internet", function()
    assert.same({
      header_bytes = 32768, header_count = 100, target_bytes = 8192, body_bytes = -1,
        connections = 0,
      connections_per_ip = 0, handshakes = 1000, handshake_timeout_ms = 5000,
      header_timeout_ms = 10000, idle_timeout_ms = 60000, body_rate = 500,
      write_stall_ms = 30000, hook_cpu_us = 50000, task_time_ms = 60000, vm_memory = 67108864,
      load_time_ms = 5000, underscores = "drop", encoded_slash = "keep", merge_slashes = true,
      outbound_allow = {}, outbound_deny = { "169.254.0.0/16", "fe80::/10" },
    }, support.good(support.file()).limits)
  end)

  it("takes each, and several calls together", function()
    local got = support.good(support.file('gate.limits { header_bytes = "16k", merge_slashes = '
      .. 'false }',
      'gate.limits { hook_cpu = "5ms", idle_timeout = 5, outbound = { deny = {}, allow = { '
        .. '"10.0.0.0/8" } } }',
      'gate.limits { underscores = "keep", encoded_slash = "reject", body_bytes = "10m", '
        .. 'connections_per_ip = 5 }'))
      .limits
    assert.equal(16384, got.header_bytes)
    assert.is_false(got.merge_slashes)
    assert.equal(5000, got.hook_cpu_us)
    assert.equal(5000, got.idle_timeout_ms)
    assert.same({}, got.outbound_deny)
    assert.same({ "10.0.0.0/8" }, got.outbound_allow)
    assert.equal("keep", got.underscores)
    assert.equal("reject", got.encoded_slash)
    assert.equal(10485760, got.body_bytes)
    assert.equal(5, got.connections_per_ip)
  end)

  it("bounds the load that declares it", function()
    local seen = {}
    support.good(support.file('gate.limits { load_time = 2 }', 'gate.limits { vm_memory = "8m" }'),
      nil, { bound_load = function(ms, memory) seen[#seen + 1] = { ms, memory } end })
    assert.same({ { 2000, nil }, { 2000, 8388608 } }, seen)
  end)

  it("refuses what is wrong", function()
    for text, message in pairs {
      ["header_byte = 1"] = "gateway.lua:4: gate.limits has no option 'header_byte'; did you "
        .. "mean 'header_bytes'?",
      ["header_bytes = 5"] = "at least 1024", ['underscores = "kep"'] = "did you mean 'keep'?",
      ['idle_timeout = "1 minute"'] = "a time", ["idle_timeout = 1e9"] = "at most 2592000 seconds",
      ['connections = "many"'] = "a whole number from 1", ["vm_memory = 1000"] = "at least 4194304",
      ['body_rate = "1t"'] = "at most 2147483648", ["body_bytes = 2 ^ 60"] = "a size",
      ["load_time = 0.001"] = "at least 0.01 seconds",
      ['outbound = { alow = {} }'] = "outbound has no option 'alow'; did you mean 'allow'?",
    } do
      local printed = support.bad(limits(text))
      assert.equal(1, #printed)
      assert.truthy(printed[1]:find(message, 1, true), printed[1])
    end
  end)
end)
