local units = require "moongate.units"

describe("moongate.units", function()
  it("reads durations", function()
    for text, ms in pairs {
      ["50ms"] = 50, ["2m"] = 120000, ["1h"] = 3600000, ["1d"] = 86400000, ["1.5s"] = 1500,
      ["1us"] = 1,
    } do
      assert.equal(ms, units.ms(text), text)
    end
    assert.equal(50, units.ms(0.05))
    assert.equal(60000, units.ms(60))
    assert.equal(0, units.ms(0))
    assert.equal(50000, units.us("50ms"))
    assert.equal(0.25, units.seconds("250ms"))
  end)

  it("refuses what is no duration", function()
    for _, bad in ipairs { "5", "ms", "-1s", "1 s", "1y", "1m30s", "", -1, 0 / 0, 1 / 0, true } do
      assert.is_nil(units.ms(bad), tostring(bad))
    end
    assert.is_nil(units.ms(nil))
    assert.is_nil(units.ms({}))
  end)

  it("reads sizes", function()
    for text, bytes in pairs { ["64m"] = 67108864, ["8k"] = 8192, ["1g"] = 1073741824, ["12"] = 12,
      ["8K"] = 8192, ["1.5k"] = 1536 } do
      assert.equal(bytes, units.bytes(text), text)
    end
    assert.equal(1000, units.bytes(1000))
    for _, bad in ipairs { "64mb", "m", "-1", "1.0001k", 1.5, -1, 1 / 0, true } do
      assert.is_nil(units.bytes(bad), tostring(bad))
    end
  end)

  it("knows address blocks", function()
    for _, good in ipairs { "10.0.0.0/8", "1.2.3.4", "255.255.255.255/32", "::1", "fe80::/10", "::",
      "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "2001:db8::1/128" } do
      assert.is_true(units.is_cidr(good), good)
    end
    for _, bad in ipairs { "10.0.0.0/33", "256.1.1.1", "1.2.3", "01.2.3.4", "fe80::/129", "1::2::3",
      ":::", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1.2.3.4:5", "x", "", "1.2.3.4/",
      "unix:", 5 } do
      assert.is_false(units.is_cidr(bad), tostring(bad))
    end
  end)

  it("takes addresses apart", function()
    assert.same({ kind = "tcp", host = "127.0.0.1", port = 80 }, units.address "127.0.0.1:80")
    assert.same({ kind = "tcp", host = "", port = 0 }, units.address ":0")
    assert.same({ kind = "tcp", host = "::1", port = 80 }, units.address "[::1]:80")
    assert.same({ kind = "tcp", host = "a.example", port = 80 }, units.address "A.example:80")
    assert.same({ kind = "unix", host = "", path = "/run/x" }, units.address "unix:/run/x")
  end)

  it("says what is wrong with an address", function()
    for bad, why in pairs {
      ["localhost"] = "port is missing", ["a:99999"] = "at most 65535", ["::1:80"] = "brackets",
      ["http://a:1"] = "no scheme", ["a b:1"] = "no host name", ["[x]:1"] = "no IPv6 address",
      ["unix:x"] = "unix:/path", ["unix:/" .. ("x"):rep(200)] = "at most 107",
      ["1.2.3.400:1"] = "no host name", ["-a:1"] = "no host name",
    } do
      local address, reason = units.address(bad)
      assert.is_nil(address, bad)
      assert.truthy(reason:find(why, 1, true), bad .. ": " .. reason)
    end
    assert.is_nil((units.address(80)))
  end)
end)
