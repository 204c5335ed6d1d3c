local support = require "spec.support.gateway_load"

local function listen(tls)
  return 'local gate = require "moongate"\ngate.listen { ":80", tls = {\n' .. tls .. "\n} }"
end

local function good(tls)
  return support.good(listen(tls)).listeners[1].tls
end

describe("tls of a listener", function()
  it("takes one pair, for every name", function()
    assert.same({
      certificates = {
        { cert = "a.pem", key = "a.key", names = {}, fallback = true, ocsp = "" },
      },
      min_version = "1.2", client_ca = "", client_auth = "none",
    }, good 'cert = "a.pem", key = "a.key"')
  end)

  it("takes a pair for each kind of key", function()
    local certificates = good('cert = { "r.pem", "e.pem" }, key = { "r.key", "e.key" },'
      .. 'min_version = "1.3"').certificates
    assert.equal(2, #certificates)
    assert.same({ cert = "e.pem", key = "e.key", names = {}, fallback = true, ocsp = "" },
      certificates[2])
  end)

  it("takes certificates by name", function()
    local tls = good [[min_version = "1.3", certs = {
      { cert = "a.pem", key = "a.key", names = { "A.test", "*.a.test" } },
      { cert = "b.pem", key = "b.key", ocsp = "b.ocsp" } }]]
    assert.same({ { cert = "a.pem", key = "a.key", names = { "a.test", "*.a.test" },
      fallback = false, ocsp = "" },
      { cert = "b.pem", key = "b.key", names = {}, fallback = false, ocsp = "b.ocsp" } },
      tls.certificates)
    assert.equal("1.3", tls.min_version)
  end)

  it("asks clients for certificates", function()
    local one = 'cert = "a", key = "b", client_ca = "ca.pem"'
    assert.equal("ca.pem", good(one).client_ca)
    assert.equal("require", good(one).client_auth)
    assert.equal("request", good(one .. ', client_auth = "request"').client_auth)
    assert.equal("none", good(one .. ', client_auth = "none"').client_auth)
  end)

  it("is plain without it", function()
    assert.is_nil(support.good('local gate = require "moongate"\ngate.listen { ":80" }')
      .listeners[1].tls)
  end)

  it("refuses what is wrong", function()
    for tls, message in pairs {
      ['cert = "a.pem"'] = "gateway.lua:3: tls needs a 'key' for each 'cert' (0 of 1)",
      ['key = "a.pem"'] = "tls needs a 'key' for each 'cert' (0 of 1)",
      ['cert = { "a", "b" }, key = "a"'] = "tls needs a 'key' for each 'cert' (1 of 2)",
      ['certs = {}'] = "tls needs 'cert' and 'key', or 'certs'",
      ['certs = "a.pem"'] = "'certs': a list of: ",
      ['certs = { { cert = "a" } }'] = "a certificate needs 'key'",
      ['cert = 1, key = "a"'] = "'cert': the path of a PEM file, or a list of them expected, got 1",
      ['cert = "a", key = "a",\nclient_auth = "require"'] =
        "gateway.lua:4: 'client_auth': \"require\" needs 'client_ca'",
      ['cert = "a", key = "a", client_auth = "on"'] = "expected one of none, request, require",
      ['crt = "a", key = "a", cert = "a"'] = "tls has no option 'crt'; did you mean 'cert'?",
      ['cert = "a", key = "a", min_version = "1.1"'] =
        "unknown value '1.1', expected one of 1.2",
      ['certs = { { cert = "a", key = "a", names = { "a..b" } } }'] = "item 1 of 'names': a name",
      ['certs = { { cert = "a", key = "a", names = { "x.*.b" } } }'] = "item 1 of 'names': a name",
    } do
      local printed = support.bad(listen(tls))
      assert.equal(1, #printed)
      assert.truthy(printed[1]:find(message, 1, true), printed[1])
    end
  end)
end)
