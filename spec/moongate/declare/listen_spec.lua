local support = require "spec.support.gateway_load"

local function listen(options)
  return 'local gate = require "moongate"\ngate.listen {\n' .. options .. "\n}"
end

describe("gate.listen", function()
  it("takes addresses and fills in what was not given", function()
    for _, address in ipairs { ":8080", "127.0.0.1:0", "[::1]:80", "localhost:80",
      "unix:/run/x.sock" } do
      local config = support.good(listen(("%q"):format(address)))
      assert.same({
        address = address, trust = {}, mode = -1, backlog = 0, half_close = false, http2 = false,
        proxy_protocol = false,
        at = "gateway.lua:2",
      }, config.listeners[1])
    end
  end)

  it("takes its options", function()
    local listener = support.good(listen [["unix:/x", mode = "0660", backlog = 9, half_close = true,
      trust = { "10.0.0.0/8", "::1", "unix:" }, http2 = true]]).listeners[1]
    assert.equal(432, listener.mode)
    assert.equal(9, listener.backlog)
    assert.is_true(listener.half_close)
    assert.is_true(listener.http2)
    assert.is_nil(support.good(listen '":80", tls = false').listeners[1].tls)
    assert.same({ "10.0.0.0/8", "::1", "unix:" }, listener.trust)
  end)

  it("refuses what is wrong", function()
    for options, message in pairs {
      ['"8080"'] = "gateway.lua:3: value 1 of gate.listen: an address such",
        [""] = "gate.listen needs a first value",
      ['"example.com:80"'] = "a listener's host is an IP address or localhost",
      ['":80", mode = "0660"'] = "'mode' is for Unix sockets",
      ['"unix:/x", mode = 660'] = "octal permissions",
        ['":80",\nbacklog = 0'] = "gateway.lua:4: 'backlog': a whole",
      ['":80", trust = { "10.0.0.0/99" }'] = "item 1 of 'trust': an address block",
      ['":80", trust = "10.0.0.0/9"'] = "'trust': a list",
      ['":80", ":81"'] = "gate.listen takes no value without a name here",
      ['":80",\n\ntls = {}'] = "gateway.lua:5: tls needs 'cert' and 'key', or 'certs'",
      ['":80",\nproxy_protocol = true'] = "gateway.lua:4: 'proxy_protocol' needs 'trust'",
    } do
      local printed = support.bad(listen(options))
      assert.equal(1, #printed)
      assert.truthy(printed[1]:find(message, 1, true), printed[1])
    end
  end)

  it("refuses an address that was declared, but for port 0", function()
    local text = 'local gate = require "moongate"\ngate.listen { ":1" }\ngate.listen { ":1" }'
    assert.same({ "gateway.lua:3: the address :1 is declared twice (first at gateway.lua:2)" },
      support.bad(text))
    assert.equal(2, #support.good((text:gsub(":1", ":0"))).listeners)
  end)

  it("refuses addresses that overlap", function()
    local text = 'local gate = require "moongate"\ngate.listen { "%s" }\ngate.listen { "%s" }'
    for a, b in pairs { [":80"] = "127.0.0.1:80", ["[::]:80"] = "0.0.0.0:80", ["[::1]:80"] = ":80",
      ["0.0.0.0:80"] = "127.0.0.1:80", ["127.0.0.2:80"] = "0.0.0.0:80" } do
      assert.same({ ("gateway.lua:3: the address %s overlaps with %s (at gateway.lua:2)"):format(b,
        a) }, support.bad(text:format(a, b)))
    end
    for a, b in pairs { [":80"] = ":81", ["127.0.0.1:80"] = "127.0.0.2:80", ["unix:/a"] = ":80",
      ["[::1]:80"] = "0.0.0.0:80", ["[::1]:81"] = "[::2]:81" } do
      assert.equal(2, #support.good(text:format(a, b)).listeners)
    end
  end)

  it("goes on behind an address that is none", function()
    local printed = support.bad('local gate = require "moongate"\n'
      .. 'gate.listen { "80" }\ngate.listen { ":80" }\ngate.listen { ":80" }')
    assert.equal(2, #printed)
    assert.truthy(printed[1]:find("gateway.lua:2: value 1 of gate.listen: an address", 1, true),
      printed[1])
    assert.equal("gateway.lua:4: the address :80 is declared twice (first at gateway.lua:3)",
      printed[2])
  end)

  it("refuses what is no table", function()
    local printed = support.bad 'local gate = require "moongate"\ngate.listen ":80"'
    assert.equal("gateway.lua:2: argument 1 of gate.listen: a table of options expected, got ':80'",
      printed[1])
  end)
end)
