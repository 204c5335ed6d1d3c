--- TLS to clients as testssl.sh sees it, in front of an application that sends what a good one
--- does. There is no list of findings that do not count.
-- covers: tls/context.c
local cjson = require "cjson"
local pki = require "e2e.support.pki"
local t = require "e2e.support"

describe("testssl.sh", function()
  after_each(t.cleanup)

  it("finds nothing above LOW, by default", function()
    local certs = pki.new(t.folder())
    local files, revocation = {}, "http://ca.test/"
    certs:make("ec", { names = { "a.test" }, days = 90, revocation = revocation })
    certs:make("rsa", { names = { "a.test" }, days = 90, revocation = revocation, key = "rsa" })
    for _, name in ipairs { "ec.pem", "ec.key", "rsa.pem", "rsa.key" } do
      files[name] = t.read(certs:path(name))
    end
    local o = t.origin(function(c)
      c:reply(200, "<!doctype html><title>A shop</title><p>Welcome.", {
        ["Content-Type"] = "text/html; charset=utf-8",
        ["Content-Security-Policy"] = "default-src 'self'",
        ["Referrer-Policy"] = "no-referrer",
        ["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains",
        ["X-Content-Type-Options"] = "nosniff",
        ["X-Frame-Options"] = "DENY",
      })
    end)
    local g = t.proxy(o, { files = files, listen = [[http2 = true,
      tls = { cert = { "ec.pem", "rsa.pem" }, key = { "ec.key", "rsa.key" } }]] })

    local report, output = g.dir .. "/report.json", g.dir .. "/testssl"
    os.execute(("timeout %d testssl --quiet --color 0 --warnings off --nodns none --ip 127.0.0.1 "
      .. "--add-ca %s --jsonfile %s a.test:%d </dev/null >%s 2>&1"):format(t.patience * 25,
      certs:path "ca.pem", report, g.port, output))

    local ok, findings = pcall(cjson.decode, t.read(report))
    assert.is_true(ok, t.read(output))
    local looked_at, above = {}, {}
    for _, finding in ipairs(findings) do
      local severity = finding.severity
      looked_at[finding.id] = true
      if severity ~= "OK" and severity ~= "INFO" and severity ~= "LOW" then
        above[#above + 1] = ("%s %s: %s"):format(severity, finding.id, finding.finding)
      end
    end
    assert.same({}, above)
    -- It came to its end, and did not take the gateway for something else than HTTP.
    for _, id in ipairs { "TLS1_3", "ALPN_HTTP2", "cert_trust <cert#2>", "HSTS_time",
      "X-Content-Type-Options", "heartbleed", "secure_client_renego", "RC4", "scanTime" } do
      if not looked_at[id] then above[#above + 1] = id .. " was not looked at" end
    end
    assert.same({}, above)
  end)
end)
