-- TLS to clients, as curl and openssl see it.
-- covers: run/load_tls.c run/terms.c config/config_parse_tls.c tls/staple.c tls/pair.c
-- covers: session/session_choice.c
local t = require "e2e.support"
local pki = require "e2e.support.pki"

local certs -- made once: keys take their time

--- Output of a command, and whether it went well.
local function run(command)
  local pipe = io.popen(command .. " 2>&1; echo \" $?\"")
  local text = pipe:read "*a"
  pipe:close()
  local output, status = text:match "^(.*) (%d+)%s*$"
  return output, status == "0"
end

--- curl, which trusts the authority, to a name that leads to this gateway.
local function curl(g, host, more)
  return run(("curl -sS --max-time 60 --cacert %s --connect-to ::127.0.0.1:%d %s https://%s/")
    :format(certs:path "ca.pem", g.port, more or "", host))
end

--- openssl s_client after a request, with these options.
local function s_client(g, options)
  return run(("printf 'GET / HTTP/1.1\\r\\nHost: a.test\\r\\nConnection: close\\r\\n\\r\\n' | "
    .. "timeout 60 openssl s_client -connect 127.0.0.1:%d -CAfile %s -ign_eof %s")
    :format(g.port, certs:path "ca.pem", options))
end

local function copy(from, to)
  t.write(to, t.read(from))
end

--- A gateway with these options of `tls`, in a folder where a.pem, b.pem and the like are.
local function gateway(tls, options)
  options = options or {}
  options.files = options.files or {}
  for _, name in ipairs { "a", "b", "rsa" } do
    options.files[name .. ".pem"] = t.read(certs:path(name .. ".pem"))
    options.files[name .. ".key"] = t.read(certs:path(name .. ".key"))
  end
  return t.gateway(([[
    gate.listen { "127.0.0.1:0", %s tls = { %s } }
    %s
    gate.route { path = "/", handler = function(req)
      local tls = req.client.tls
      return gate.reply(200, { scheme = req.scheme, port = req.port, version = tls.version,
        cipher = tls.cipher, sni = tls.sni, alpn = tls.alpn, verified = tls.verified,
        subject = tls.subject, fingerprint = tls.fingerprint })
    end }
  ]]):format(options.listen or "", tls, options.more or ""), options)
end

local ONE = 'cert = "a.pem", key = "a.key"'

describe("TLS to clients", function()
  local dir
  setup(function()
    dir = t.folder(true)
    certs = pki.new(dir)
    certs:make("a", { names = { "a.test" } })
    certs:make("b", { names = { "b.test", "*.b.test" } })
    certs:make("rsa", { names = { "a.test" }, key = "rsa" })
  end)
  teardown(function() os.execute("rm -rf " .. dir) end)
  after_each(t.cleanup)

  it("serves both versions, and tells scripts what was agreed", function()
    local g = gateway(ONE)
    local body = assert(curl(g, "a.test"))
    assert.truthy(body:find('"version":"1.3"', 1, true), body)
    assert.truthy(body:find('"cipher":"TLS_AES_128_GCM_SHA256"', 1, true), body)
    assert.truthy(body:find('"sni":"a.test"', 1, true), body)
    assert.truthy(body:find('"alpn":"http/1.1"', 1, true), body)
    assert.truthy(body:find('"scheme":"https"', 1, true), body)
    assert.truthy(body:find('"port":443', 1, true), body)
    body = curl(g, "a.test", "--tls-max 1.2 --no-alpn")
    assert.truthy(body:find('"version":"1.2"', 1, true), body)
    assert.truthy(body:find('"cipher":"ECDHE-ECDSA-AES128-GCM-SHA256"', 1, true), body)
    assert.falsy(body:find('"alpn"', 1, true))
    assert.equal(2, g:metric "moongate_tls_handshakes_total")
  end)

  it("says https to servers", function()
    local o = t.origin(function(c, req)
      c:reply(200, tostring(req.headers["x-forwarded-proto"]) .. " " .. req.headers.forwarded)
    end)
    local g = t.proxy(o, { listen = "tls = { " .. ONE .. " }", upstream = 'forwarded = "both"',
      files = { ["a.pem"] = t.read(certs:path "a.pem"), ["a.key"] = t.read(certs:path "a.key") } })
    assert.truthy(curl(g, "a.test"):find("^https .*proto=https"))
  end)

  it("moves large bodies both ways", function()
    local o = t.origin(function(c, req) c:reply(200, req.body) end)
    local g = t.proxy(o, { listen = "tls = { " .. ONE .. " }",
      files = { ["a.pem"] = t.read(certs:path "a.pem"), ["a.key"] = t.read(certs:path "a.key") } })
    local file = dir .. "/upload"
    t.write(file, ("0123456789abcdef"):rep(256 * 1024))
    local _, ok = curl(g, "a.test", "--data-binary @" .. file .. " -o " .. file .. ".back")
    assert.is_true(ok)
    assert.is_true(t.read(file) == t.read(file .. ".back"))
  end)

  it("answers plain HTTP once, with a 400", function()
    local g = gateway(ONE)
    local c = g:connect()
    c:send "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
    local bytes = c:receive_all()
    assert.truthy(bytes:find "^HTTP/1.1 400 ")
    t.wait_for("the close", function()
      return g:metric 'moongate_connections_closed_total{reason="tls_plain_http"}' == 1
    end)
    t.wait_for("the line", function() return g:stderr():find "plain HTTP came instead of TLS" end)
    t.wait_for("the access line", function() return g:stdout():find '" 400 ' end)
  end)

  it("chooses the certificate by name", function()
    local g = gateway('certs = { { cert = "b.pem", key = "b.key" } }, ' .. ONE)
    for _, host in ipairs { "a.test", "b.test", "x.b.test" } do
      local body, ok = curl(g, host)
      assert.is_true(ok, body)
    end
    local output = curl(g, "c.test")
    assert.truthy(output:find "no alternative certificate subject name", output)
  end)

  it("answers 421 for a host that another certificate is for", function()
    for _, listen in ipairs { "", "http2 = true," } do
      local g = gateway('certs = { { cert = "b.pem", key = "b.key" } }, ' .. ONE,
        { listen = listen })
      local status = "-o /dev/null -w '%{http_version} %{http_code}' -H 'Host: "
      local version = listen == "" and "1.1 " or "2 "
      assert.equal(version .. "421", (curl(g, "a.test", status .. "B.test:443'")))
      assert.equal(version .. "421", (curl(g, "b.test", status .. "a.test'")))
      assert.equal(version .. "200", (curl(g, "b.test", status .. "x.b.test'")))
      assert.equal(version .. "200", (curl(g, "a.test", status .. "nobody.test'")))
      assert.equal(version .. "421", (curl(g, "a.test", status .. "b.test' -k")))
      t.wait_for("the access line", function() return g:stdout():find '" 421 ' end)
    end
  end)

  it("refuses unknown names where no certificate is for all", function()
    local g = gateway 'certs = { { cert = "b.pem", key = "b.key" } }'
    assert.is_true(select(2, curl(g, "b.test")))
    local output, ok = curl(g, "a.test")
    assert.is_false(ok)
    assert.truthy(output:find "unrecognized name", output)
    t.wait_for("the count", function()
      return g:metric 'moongate_connections_closed_total{reason="tls_name"}' == 1
    end)
  end)

  it("serves RSA and ECDSA for one name", function()
    local g = gateway 'cert = { "rsa.pem", "a.pem" }, key = { "rsa.key", "a.key" }'
    local body = curl(g, "a.test", "--tls-max 1.2 --ciphers ECDHE-RSA-AES128-GCM-SHA256")
    assert.truthy(body:find("ECDHE-RSA-AES128-GCM-SHA256", 1, true), body)
    body = curl(g, "a.test", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256")
    assert.truthy(body:find("ECDHE-ECDSA-AES128-GCM-SHA256", 1, true), body)
  end)

  it("resumes sessions, and no other host's", function()
    local g = gateway('certs = { { cert = "b.pem", key = "b.key" } }, ' .. ONE)
    for _, version in ipairs { "-tls1_3", "-tls1_2" } do
      local session = dir .. "/session"
      s_client(g, version .. " -servername a.test -sess_out " .. session)
      assert.truthy(s_client(g, version .. " -servername a.test -sess_in " .. session)
        :find "\nReused, ")
      assert.truthy(s_client(g, version .. " -servername b.test -sess_in " .. session)
        :find "\nNew, ")
    end
    assert.equal(2, g:metric "moongate_tls_resumed_total")
  end)

  it("resumes sessions after a reload, at any worker", function()
    local g = gateway(ONE, { args = { "--workers", "2" } })
    local session = dir .. "/session"
    s_client(g, "-servername a.test -sess_out " .. session)
    assert.equal(200, g:control("/reload", { method = "POST" }).status)
    for _ = 1, 6 do
      assert.truthy(s_client(g, "-tls1_3 -servername a.test -sess_in " .. session
        .. " -sess_out " .. session):find "\nReused, ")
    end
  end)

  it("demands certificates of clients, and tells scripts whose they are", function()
    certs:make("client", { usage = "clientAuth", subject = "/O=org/CN=me" })
    local files = { ["ca.pem"] = t.read(certs:path "ca.pem") }
    local g = gateway(ONE .. ', client_ca = "ca.pem"', { files = files })
    local mine = ("--cert %s --key %s"):format(certs:path "client.pem", certs:path "client.key")
    local body, ok = curl(g, "a.test", mine)
    assert.is_true(ok, body)
    assert.truthy(body:find('"verified":true', 1, true), body)
    assert.truthy(body:find('"subject":"CN=me,O=org"', 1, true), body)
    local digest = run(("openssl x509 -in %s -noout -fingerprint -sha256")
      :format(certs:path "client.pem")):match("=([%x:]+)"):gsub(":", ""):lower()
    assert.truthy(body:find('"fingerprint":"' .. digest .. '"', 1, true), body)
    assert.is_false(select(2, curl(g, "a.test")))
    t.wait_for("the count", function()
      return g:metric 'moongate_connections_closed_total{reason="tls_client_cert"}' == 1
    end)
  end)

  it("asks for certificates without demanding them", function()
    local files = { ["ca.pem"] = t.read(certs:path "ca.pem") }
    local g = gateway(ONE .. ', client_ca = "ca.pem", client_auth = "request"', { files = files })
    local body = curl(g, "a.test")
    assert.truthy(body:find('"verified":false', 1, true), body)
    assert.falsy(body:find('"subject"', 1, true), body)
    run(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other "
      .. "-keyout %s/other.key -out %s/other.pem"):format(dir, dir))
    body = curl(g, "a.test", ("--cert %s/other.pem --key %s/other.key"):format(dir, dir))
    assert.truthy(body:find('"verified":false', 1, true), body)
    assert.truthy(body:find('"subject":"CN=other"', 1, true), body)
  end)

  it("demands certificates for some routes, over both versions of HTTP", function()
    certs:make("client", { usage = "clientAuth" }):make("old", { days = -1 })
    local files = { ["ca.pem"] = t.read(certs:path "ca.pem") }
    local g = gateway(ONE .. ', client_ca = "ca.pem", client_auth = "request"', { files = files,
      listen = "http2 = true,", more = [[
        gate.listen { "127.0.0.1:0" }
        gate.route { path = "/mine", reply = { 200, "mine" }, client_cert = true }
        gate.route { path = "/logged", reply = { 200, "never" }, client_cert = true,
          use = { { request = function() gate.log "info" "the route's own hooks ran" end } } }
        gate.on.fault(function(req, fault) return gate.reply(fault.status, fault.code) end)
      ]] })
    local with = ("--cert %s --key %s"):format(certs:path "client.pem", certs:path "client.key")
    for _, version in ipairs { "--http1.1 ", "--http2 " } do
      local function mine(more)
        return (run(("curl -sS --max-time 60 --cacert %s --connect-to ::127.0.0.1:%d %s %s "
          .. "-w ' %%{http_code}' https://a.test/mine"):format(certs:path "ca.pem", g.port, version,
          more or "")))
      end
      assert.equal("mine 200", mine(with))
      assert.equal("client_cert 403", mine())
      assert.equal("client_cert 403", mine(("--cert %s --key %s"):format(certs:path "old.pem",
        certs:path "old.key")))
      assert.is_true(select(2, curl(g, "a.test", version)))
    end
    assert.equal(403, g:get("/mine", { port = g.ports[2] }).status)
    assert.equal(403, g:get("/logged", { port = g.ports[2] }).status)
    assert.falsy(g:stderr():find "own hooks ran")
  end)

  it("staples what the authority says of a certificate", function()
    certs:staple "a"
    local files = { ["a.ocsp"] = t.read(certs:path "a.ocsp") }
    local g = gateway(ONE .. ', ocsp = "a.ocsp", certs = { { cert = "b.pem", key = "b.key" } }',
      { files = files })
    local output = s_client(g, "-status -servername a.test")
    assert.truthy(output:find "OCSP Response Status: successful", output)
    assert.truthy(output:find "Cert Status: good", output)
    assert.truthy(s_client(g, "-status -servername b.test"):find "OCSP response: no response sent")
    assert.falsy(s_client(g, "-servername a.test"):find "OCSP Response Status")
  end)

  it("comes behind a PROXY header", function()
    local g = gateway(ONE, { listen = 'proxy_protocol = true, trust = { "127.0.0.1/32" },' })
    local body, ok = curl(g, "a.test", "--haproxy-protocol")
    assert.is_true(ok, body)
    assert.is_false(select(2, curl(g, "a.test")))
  end)

  it("carries tunnels, and ends them in order", function()
    local o = t.origin(function(c)
      c:send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
        .. "Upgrade: websocket\r\n\r\n")
      c:send(("x"):rep(300000) .. "the end")
      c:close()
    end)
    local g = t.proxy(o, { listen = "tls = { " .. ONE .. " }",
      files = { ["a.pem"] = t.read(certs:path "a.pem"), ["a.key"] = t.read(certs:path "a.key") } })
    local output = run(("printf 'GET / HTTP/1.1\\r\\nHost: a.test\\r\\n"
      .. "Connection: upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n' "
      .. "| timeout 60 openssl s_client -quiet -ign_eof -connect 127.0.0.1:%d "
      .. "-servername a.test"):format(g.port))
    assert.truthy(output:find("101 Switching", 1, true))
    assert.truthy(output:find("xthe end", 1, true))
    assert.falsy(output:find("unexpected eof", 1, true), output:sub(-300))
  end)

  it("ends handshakes that take too long", function()
    local g = gateway(ONE, { args = { "--workers", "1", "--test-clock" },
      more = "gate.limits { handshake_timeout = 3 }" })
    local silent, slow = g:connect(), g:connect()
    slow:send "\22\3\1\2"
    t.wait_for("both", function() return g:status "connections" == "2" end)
    g:advance(4)
    assert.equal("", (silent:receive_all()))
    assert.equal("", (slow:receive_all()))
    t.wait_for("the count", function()
      return g:metric 'moongate_connections_closed_total{reason="tls_timeout"}' == 2
    end)
    assert.is_true(select(2, curl(g, "a.test")))
  end)

  it("says with whom handshakes failed and why, a line a second", function()
    local g = gateway(ONE, { args = { "--workers", "1", "--test-clock" } })
    local function fail(times)
      for _ = 1, times do
        local c = g:connect()
        c:send "no TLS\0"
        assert.is_true(c:is_closed())
      end
    end
    local function lines(text) return select(2, g:stderr():gsub(text, "")) end
    g:advance(1)
    fail(50)
    t.wait_for("a line", function() return lines "a TLS handshake failed" > 0 end)
    assert.truthy(g:stderr():find('"client":"127.0.0.1","listener":"127.0.0.1:0",'
      .. '"why":"what came is no TLS"', 1, true))
    g:advance(2)
    fail(1)
    t.wait_for("all of them", function()
      local told = lines "a TLS handshake failed"
      for n in g:stderr():gmatch "(%d+) TLS handshakes failed before that one" do
        told = told + n
      end
      return told == 51
    end)
    assert.is_true(lines "a TLS handshake failed" < 51)
    assert.equal(51, g:metric "moongate_tls_handshake_failures_total")
  end)
end)

describe("the certificate hook", function()
  local dir
  setup(function()
    dir = t.folder(true)
    certs = pki.new(dir)
    certs:make("a", { names = { "a.test" } }):make("b", { names = { "b.test" } })
    certs:make("c", { names = { "c.test", "d.test" } }):make "rsa"
  end)
  teardown(function() os.execute("rm -rf " .. dir) end)
  after_each(t.cleanup)

  --- With the fallback certificate a; `hook` is the body of the function.
  local function asking(hook, options)
    options = options or {}
    options.files = {
      ["c.pem"] = t.read(certs:path "c.pem"), ["c.key"] = t.read(certs:path "c.key"),
      ["text.lua"] = ("return { cert = %q, key = %q }"):format(t.read(certs:path "b.pem"),
        t.read(certs:path "b.key")),
    }
    options.more = ([[
      %s
      gate.use { name = "chooser", %s certificate = function(hello)
        %s
      end }
    ]]):format(options.before or "", options.policy or "", hook)
    return gateway(ONE, options)
  end

  it("chooses by name, as text or by path, and may wait", function()
    local g = asking([[
      gate.sleep(0.01)
      if hello.sni == "b.test" then return text end
      if hello.sni == "c.test" then return { cert = "c.pem", key = "c.key" } end
      if hello.sni == "d.test" then return { cert = dir .. "/c.pem", key = dir .. "/c.key" } end
    ]], { before = ('local text, dir = require "text", %q'):format(dir) })
    for _, host in ipairs { "a.test", "b.test", "c.test", "d.test" } do
      local body, ok = curl(g, host)
      assert.is_true(ok, body)
      assert.truthy(body:find('"sni":"' .. host .. '"', 1, true), body)
      assert.is_true(select(2, curl(g, host, "--tls-max 1.2")))
    end
    assert.equal(8, g:metric 'moongate_policy_calls_total{policy="chooser",hook="certificate"}')
  end)

  it("is told who asks for what", function()
    local g = asking([[
      seen:set("hello", ("%s|%s|%s"):format(hello.ip, hello.sni,
        table.concat(hello.alpn, ",")))
    ]], { before = 'local seen = gate.shared("seen", { bytes = "1m" })\n'
      .. 'gate.route { path = "/seen", handler = function() '
      .. 'return gate.reply(200, seen:get "hello") end }' })
    local body = run(("curl -sS --max-time 60 --cacert %s --connect-to ::127.0.0.1:%d "
      .. "https://a.test/seen"):format(certs:path "ca.pem", g.port))
    assert.truthy(body:find("^127.0.0.1|a.test|.*http/1.1$"), body)
    s_client(g, "-noservername")
    assert.is_true(select(2, curl(g, "a.test")))
  end)

  it("closes the handshake when it fails, or goes on where that is declared", function()
    for policy, served in pairs { [""] = false, ['on_error = "open",'] = true } do
      for _, hook in ipairs { 'error "no"', "while true do end", "return 7",
        'return { cert = "x" }', 'return { cert = "none.pem", key = "a.key" }',
        'local all = {} while true do all[#all + 1] = ("x"):rep(2 ^ 20) .. #all end' } do
        local g = asking(hook, { policy = policy })
        assert.equal(served, (select(2, curl(g, "a.test"))), hook)
        if not served then
          t.wait_for("the count", function()
            return g:metric 'moongate_connections_closed_total{reason="tls_hook"}' == 1
          end)
        end
      end
    end
  end)

  it("never tells a key, and closes when its choice cannot be used", function()
    local g = asking([[
      return { cert = text.cert, key = hello.sni == "b.test" and "none.key" or text.cert }
    ]], { before = 'local text = require "text"' })
    assert.is_false(select(2, curl(g, "a.test")))
    assert.is_false(select(2, curl(g, "b.test")))
    t.wait_for("the words", function()
      return g:stderr():find("cannot be used: cannot read the key none.key", 1, true)
    end)
    assert.truthy(g:stderr():find("there is no private key in (PEM text)", 1, true))
    assert.falsy(g:stderr():find("BEGIN", 1, true))
  end)

  -- The handshake of b.test waits; time is moved until its hook has had what it may have.
  local function slow(options)
    options.args = { "--workers", "1", "--test-clock" }
    options.before = "gate.limits { handshake_timeout = 40 }"
    local g = asking([[if hello.sni == "b.test" then gate.sleep(100) end]], options)
    local pipe = io.popen(("timeout 60 openssl s_client -connect 127.0.0.1:%d -servername b.test "
      .. "2>&1 </dev/null"):format(g.port))
    t.wait_for("the hook", function()
      return g:metric 'moongate_policy_calls_total{policy="chooser",hook="certificate"}' == 1
    end)
    assert.is_true(select(2, curl(g, "a.test")))
    g:advance(31)
    local text = pipe:read "*a"
    pipe:close()
    t.wait_for("a word", function()
      return g:stderr():find("stopped: the handshake cannot wait any longer", 1, true)
    end)
    return g, text
  end

  it("is stopped before the handshake ends, and holds nobody up", function()
    local g, text = slow {}
    assert.truthy(text:find "no peer certificate available", text)
    t.wait_for("the count", function()
      return g:metric 'moongate_connections_closed_total{reason="tls_hook"}' == 1
    end)
  end)

  it("leaves what `gate.listen` says when it is stopped, where that is declared", function()
    local g, text = slow { policy = 'on_error = "open",' }
    assert.truthy(text:find "subject=CN = a\n", text)
    assert.equal(0, g:metric "moongate_tls_handshake_failures_total")
  end)

  it("belongs to the gateway, not to a route", function()
    local file = t.file [[
      local gate = require "moongate"
      gate.listen { ":0" }
      gate.route { path = "/", reply = { 200 }, use = { { certificate = function() end } } }
    ]]
    local result = t.run { "check", file }
    assert.truthy(result.stderr:find "hook .certificate. runs before a route", result.stderr)
  end)
end)

describe("certificates that change", function()
  local dir
  setup(function()
    dir = t.folder(true)
    certs = pki.new(dir)
    certs:make("a", { names = { "a.test" } }):make("b", { names = { "a.test" } }):make "rsa"
    certs:make("c", { names = { "a.test" } })
  end)
  teardown(function() os.execute("rm -rf " .. dir) end)
  after_each(t.cleanup)

  local function serial(g)
    return (s_client(g, "-servername a.test"):match "BEGIN CERTIFICATE%-+\n(.-)%-+END")
  end

  -- With state in the scripts' VM, which only new certificates do not take away.
  local function watched()
    return gateway(ONE, { watch = true, more = [[
      local n = 0
      gate.route { path = "/count", handler = function()
        n = n + 1
        return gate.reply(200, tostring(n))
      end }
    ]] })
  end

  local function count(g)
    return (run(("curl -sS --max-time 60 --cacert %s --connect-to ::127.0.0.1:%d "
      .. "https://a.test/count"):format(certs:path "ca.pem", g.port)))
  end

  it("are swapped in one step, and scripts keep their state", function()
    local g = watched()
    local before = serial(g)
    assert.equal("1", count(g))
    copy(dir .. "/c.pem", g.dir .. "/a.pem")
    copy(dir .. "/c.key", g.dir .. "/a.key")
    t.wait_for("the new one", function() return serial(g) ~= before end)
    assert.equal("2", count(g))
    t.wait_for("the line", function() return g:stderr():find "generation %d+ serves" end)
  end)

  it("keep the old pair when the new one is bad, and say why", function()
    local g = watched()
    local before = serial(g)
    copy(dir .. "/c.pem", g.dir .. "/a.pem")
    t.wait_for("the refusal", function()
      return g:stderr():find("the key a.key does not belong to the certificate a.pem", 1, true)
    end)
    t.wait_for("the line", function()
      return g:stderr():find "reload refused, generation 1 goes on: gateway.lua:1: 'tls'"
    end)
    assert.equal(before, serial(g))
    os.remove(g.dir .. "/a.pem")
    t.wait_for("the second refusal", function()
      return g:stderr():find("cannot read the certificate a.pem: No such file", 1, true)
    end)
    assert.equal(before, serial(g))
    copy(dir .. "/c.pem", g.dir .. "/a.pem")
    copy(dir .. "/c.key", g.dir .. "/a.key")
    t.wait_for("the new one", function() return serial(g) ~= before end)
  end)

  it("do not touch connections that are there", function()
    local g = watched()
    local log = dir .. "/long"
    local before = serial(g)
    local pipe = io.popen(("openssl s_client -connect 127.0.0.1:%d -servername a.test -quiet "
      .. ">%s 2>&1"):format(g.port, log), "w")
    pipe:write "GET /count HTTP/1.1\r\nHost: a.test\r\n\r\n"
    pipe:flush()
    t.wait_for("an answer", function() return t.read(log):find "HTTP/1.1 200" end)
    copy(dir .. "/c.pem", g.dir .. "/a.pem")
    copy(dir .. "/c.key", g.dir .. "/a.key")
    t.wait_for("the new one", function() return serial(g) ~= before end)
    pipe:write "GET /count HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
    pipe:close()
    assert.equal(2, select(2, t.read(log):gsub("HTTP/1.1 200", "")))
  end)
end)

describe("certificates that cannot be used", function()
  local dir
  setup(function()
    dir = t.folder(true)
    certs = pki.new(dir)
    certs:make("a"):make("b"):make("rsa", { key = "rsa" })
  end)
  teardown(function() os.execute("rm -rf " .. dir) end)
  after_each(t.cleanup)

  it("are served when they have ended, with a warning each day and a metric", function()
    certs:make("a", { names = { "a.test" }, days = -1 })
    local g = gateway(ONE, { args = { "--workers", "1", "--test-clock" } })
    local function warned(n)
      local _, times = g:stderr():gsub("the certificate a.pem %(127.0.0.1:0%) has ended", "")
      return times == n
    end
    t.wait_for("a warning", function() return warned(1) end)
    assert.is_true(select(2, curl(g, "a.test", "-k")))
    local name = 'moongate_certificate_end_seconds{listener="127.0.0.1:0",certificate="a.pem"}'
    assert.is_true(g:metric(name) < os.time())
    for _ = 1, 25 do g:advance(3600) end
    t.wait_for("another one", function() return warned(2) end)
    certs:make("a", { names = { "a.test" } })
  end)

  it("are load errors with file, line and cause", function()
    certs:staple("a", true)
    certs:staple "b"
    certs:staple "rsa"
    t.write(dir .. "/long.ocsp", t.read(dir .. "/rsa.ocsp") .. "\0")
    copy(dir .. "/a.pem", dir .. "/alone.pem")
    for tls, message in pairs {
      ['cert = "none.pem", key = "a.key"'] =
        "gateway.lua:2: 'tls': cannot read the certificate none.pem: No such file or directory",
      ['cert = "a.pem", key = "none.key"'] =
        "gateway.lua:2: 'tls': cannot read the key none.key: No such file or directory",
      ['cert = "a.pem", key = "b.key"'] =
        "gateway.lua:2: 'tls': the key b.key does not belong to the certificate a.pem",
      ['cert = "a.pem", key = "a.key", ocsp = "a.ocsp"'] = "gateway.lua:2: 'tls': the OCSP "
        .. "response a.ocsp for a.pem does not say that the certificate is good",
      ['cert = "a.pem", key = "a.key", ocsp = "b.ocsp"'] = "says nothing of this certificate",
      ['cert = "a.pem", key = "a.key", ocsp = "b.key"'] = "b.key for a.pem is no OCSP response",
      ['cert = "rsa.pem", key = "rsa.key", ocsp = "long.ocsp"'] =
        "the OCSP response long.ocsp for rsa.pem has bytes behind its end",
      ['cert = "a.pem", key = "a.key", client_ca = "none.pem"'] =
        "gateway.lua:2: 'tls': cannot read the authorities of clients none.pem",
      ['cert = "a.pem", key = "a.pem"'] = "gateway.lua:2: 'tls': there is no private key in a.pem",
    } do
      t.write(dir .. "/gateway.lua", 'local gate = require "moongate"\ngate.listen { ":0", tls = { '
        .. tls .. ' } }\ngate.route { path = "/", reply = { 200 } }\n')
      local result = t.run { "check", dir .. "/gateway.lua" }
      assert.equal(1, result.status)
      assert.truthy(result.stderr:find(message, 1, true), result.stderr)
    end
  end)
end)
