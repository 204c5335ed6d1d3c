local support = require "spec.support.gateway_load"

describe("gate.process", function()
  it("has defaults", function()
    assert.same({
      workers = 0, log = "stderr", log_level = "info", access_log = "stdout",
        access_format = "combined",
      control = "", drain_ms = 30000,
    }, support.good(support.file()).process)
  end)

  it("takes its options", function()
    local got = support.good(support.file("gate.process { workers = 2, access_log = false, drain "
      .. "= 0,",
      'log = "/var/log/x", log_level = "debug", access_format = "json", control = "/run/c" '
        .. '}')).process
    assert.same({
      workers = 2, log = "/var/log/x", log_level = "debug", access_log = "", access_format = "json",
      control = "/run/c", drain_ms = 0,
    }, got)
    assert.equal(0, support.good(support.file('gate.process { workers = "auto" }')).process.workers)
  end)

  it("refuses what is wrong", function()
    for text, message in pairs {
      ["worker = 2"] = "did you mean 'workers'?", ["workers = 0"] = '"auto" or a number of workers',
      ["workers = 129"] = "got 129 (at most 128)",
      ['log_level = "inof"'] = "did you mean 'info'?",
      ["access_log = true"] = '"stdout", "stderr", a path or false',
      ['access_log = "off"'] = "got 'off' (false is none; a file of that name is './off')",
      ["admin = {}"] = "'admin' is right, but not there yet",
        ['access_format = "common"'] = "one of combined, json",
    } do
      local printed = support.bad(support.file("gate.process { " .. text .. " }"))
      assert.equal(1, #printed)
      assert.truthy(printed[1]:find(message, 1, true), printed[1])
    end
  end)
end)
