--- What TLS to clients offers and what it refuses, as a scanner would find out: versions, suites,
--- groups, signatures, renegotiation, tickets; and what is no handshake at all.
-- covers: tls/context.c
local pki = require "e2e.support.pki"
local t = require "e2e.support"

describe("TLS to clients, by default", function()
  local certs, g

  setup(function()
    certs = pki.new(t.folder(true))
    certs:make("a", { names = { "a.test" } }):make("rsa", { names = { "a.test" }, key = "rsa" })
    local files = {}
    for _, name in ipairs { "a.pem", "a.key", "rsa.pem", "rsa.key" } do
      files[name] = t.read(certs:path(name))
    end
    g = t.gateway([[
      local both = { cert = { "a.pem", "rsa.pem" }, key = { "a.key", "rsa.key" } }
      gate.listen { "127.0.0.1:0", http2 = true, tls = both }
      both.min_version = "1.3"
      gate.listen { "127.0.0.1:0", tls = both }
      gate.route { path = "/", reply = { 200, "served" } }
    ]], { files = files })
  end)

  teardown(function()
    t.cleanup()
    os.execute("rm -rf " .. certs.dir)
  end)

  --- What openssl s_client says of a connection.
  local function s_client(options, input, port)
    local pipe = io.popen(("printf '%s' | timeout 60 openssl s_client -connect 127.0.0.1:%d "
      .. "-CAfile %s -servername a.test %s 2>&1"):format(input or "", port or g.port,
      certs:path "ca.pem", options))
    local text = pipe:read "*a"
    pipe:close()
    return text
  end

  local function refused(options, alert)
    local text = s_client(options)
    assert.truthy(text:find(alert or "alert handshake failure", 1, true), options .. "\n" .. text)
  end

  local function agreed(options, what)
    local text = s_client(options)
    assert.truthy(text:find(what, 1, true), options .. "\n" .. text)
  end

  it("speaks 1.2 and 1.3, and nothing older", function()
    agreed("-tls1_2", "New, TLSv1.2")
    agreed("-tls1_3", "New, TLSv1.3")
    refused("-tls1_1 -cipher ALL@SECLEVEL=0", "alert protocol version")
    refused("-tls1 -cipher ALL@SECLEVEL=0", "alert protocol version")
  end)

  it("speaks 1.3 alone where that is declared", function()
    assert.truthy(s_client("-tls1_3", nil, g.ports[2]):find "New, TLSv1.3")
    assert.truthy(s_client("-tls1_2", nil, g.ports[2]):find "alert protocol version")
  end)

  it("refuses a client that has fallen back", function()
    refused("-tls1_2 -fallback_scsv", "alert inappropriate fallback")
    agreed("-fallback_scsv", "New, TLSv1.3")
  end)

  it("has no suites but ECDHE with AEAD", function()
    for _, suite in ipairs { "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
      "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
      "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305" } do
      agreed("-tls1_2 -cipher " .. suite, "Cipher is " .. suite)
    end
    -- All the others at once; then by family, for a list that says what is refused.
    refused "-tls1_2 -cipher ALL:COMPLEMENTOFALL:!ECDHE+AESGCM:!ECDHE+CHACHA20@SECLEVEL=0"
    for _, family in ipairs { "kRSA", "DHE", "AES+SHA", "CAMELLIA", "ARIA", "AESCCM", "eNULL",
      "aNULL" } do
      refused(("-tls1_2 -cipher %s:!ECDHE+AESGCM:!ECDHE+CHACHA20:@SECLEVEL=0"):format(family))
    end
    refused "-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"
  end)

  it("chooses, but for clients without AES in hardware", function()
    agreed("-tls1_2 -cipher ECDHE+AES256:ECDHE+AES128", "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256")
    agreed("-tls1_2 -cipher ECDHE+CHACHA20:ECDHE+AES128", "Cipher is ECDHE-ECDSA-CHACHA20-POLY1305")
    agreed("-ciphersuites TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
      "Cipher is TLS_AES_128_GCM_SHA256")
    agreed("-ciphersuites TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
      "Cipher is TLS_CHACHA20_POLY1305_SHA256")
  end)

  it("has three groups", function()
    for _, version in ipairs { "-tls1_2", "-tls1_3" } do
      agreed(version .. " -groups X25519", "Server Temp Key: X25519, 253 bits")
      agreed(version .. " -groups P-256", "Server Temp Key: ECDH, prime256v1, 256 bits")
      agreed(version .. " -groups P-384", "Server Temp Key: ECDH, secp384r1, 384 bits")
      agreed(version .. " -groups P-521:P-384:X25519", "Server Temp Key: X25519")
      refused(version .. " -groups P-521:X448")
    end
    refused "-tls1_2 -groups secp224r1:brainpoolP256r1 -cipher ALL@SECLEVEL=0"
    refused "-tls1_3 -groups ffdhe2048"
  end)

  it("signs nothing with SHA-1", function()
    refused("-tls1_2 -sigalgs RSA+SHA1:ECDSA+SHA1 -cipher ALL@SECLEVEL=0")
    agreed("-tls1_2 -sigalgs RSA+SHA256", "Peer signature type: RSA")
    agreed("-sigalgs ECDSA+SHA256", "Peer signature type: ECDSA")
    agreed("-sigalgs RSA-PSS+SHA256", "Peer signature type: RSA-PSS")
  end)

  it("lets nobody renegotiate", function()
    local text = s_client("-tls1_2", "R\\n")
    assert.truthy(text:find("Secure Renegotiation IS supported", 1, true), text)
    assert.truthy(text:find("RENEGOTIATING", 1, true), text)
    assert.truthy(text:find("no renegotiation", 1, true), text)
  end)

  it("compresses nothing, and binds the master secret", function()
    local text = s_client "-tls1_2 -comp"
    assert.truthy(text:find("Compression: NONE", 1, true))
    assert.truthy(text:find("Extended master secret: yes", 1, true))
  end)

  it("gives one ticket for eight hours, and takes no early data", function()
    local session = certs:path "session"
    for _, version in ipairs { "-tls1_2", "-tls1_3" } do
      local text = s_client(version .. " -ign_eof -alpn http/1.1 -sess_out " .. session,
        "GET / HTTP/1.1\\r\\nHost: a.test\\r\\nConnection: close\\r\\n\\r\\n")
      assert.truthy(text:find("served", 1, true), text)
      assert.truthy(text:find("ticket lifetime hint: 28800 (seconds)", 1, true), text)
      assert.equal(version == "-tls1_3" and 1 or 0,
        select(2, text:gsub("Post%-Handshake New Session Ticket", "")))
    end
    t.write(certs:path "early", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    agreed("-tls1_3 -sess_in " .. session .. " -early_data " .. certs:path "early",
      "Early data was not sent")
  end)

  -- Nothing of this may take more than its connection.
  local function failures() return g:metric "moongate_tls_handshake_failures_total" end
  local function u16(n) return string.char(math.floor(n / 256) % 256, n % 256) end
  local function record(kind, bytes) return string.char(kind) .. "\3\1" .. u16(#bytes) .. bytes end

  it("ends what is no handshake", function()
    local n = failures()
    for name, bytes in pairs {
      ["zeros"] = ("\0"):rep(100),
      ["an SSLv2 hello"] = "\128\46\1\0\2\0\21\0\0\0\16" .. ("\1"):rep(40),
      ["a record that is too large"] = "\22\3\1\255\255" .. ("x"):rep(5000),
      ["a hello of 200 KiB"] = record(22, "\1\3\32\0" .. ("\3"):rep(16380)),
      ["a hello that is cut"] = record(22, "\1\0\0\4\3\3\1\1"),
      ["a hello without suites"] = record(22, "\1\0\0\42\3\3" .. ("r"):rep(32) .. "\0\0\0\1\0\0\0"
        .. "\0"),
      ["lengths that lie"] = record(22, "\1\0\0\60\3\3" .. ("r"):rep(32) .. "\255"
        .. ("s"):rep(25)),
      ["another handshake message"] = record(22, "\2\0\0\38" .. ("h"):rep(38)),
      ["data"] = record(23, ("x"):rep(100)),
      ["a heartbeat"] = record(24, "\1\64\0"),
      ["a change of ciphers"] = record(20, "\1"),
    } do
      local c = g:connect()
      c:send(bytes)
      assert.truthy(c:is_closed(), name)
      c:close()
      n = n + 1
      t.wait_for("the count of " .. name, function() return failures() == n end)
    end
    agreed("-tls1_3", "New, TLSv1.3")
  end)

  it("does not listen for ever to alerts and empty records", function()
    local before = failures()
    for _, bytes in ipairs { record(21, "\1\90"):rep(2000), record(22, ""):rep(2000) } do
      local c = g:connect()
      c:send(bytes)
      assert.truthy(c:is_closed())
      c:close()
    end
    t.wait_for("the count", function() return failures() == before + 2 end)
  end)
end)
