--- HTTP/2 to clients with the clients that people use: curl, nghttp, h2load.
-- covers: session/session_h2.c session/session_h2_request.c session/session_h2_clock.c
local t = require "e2e.support"

--- What a command prints, both streams; it has 60 seconds.
local function shell(command, ...)
  local pipe = io.popen("timeout 60 " .. command:format(...) .. " 2>&1")
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function url(g, path) return ("http://127.0.0.1:%d%s"):format(g.port, path or "/") end

local CURL = "curl -s --http2-prior-knowledge "

--- A gateway in front of an origin that tells what it read.
local function gateway(handler, more, options)
  local o = t.origin(handler or function(c, req)
    c:reply(200, ("%s %s %d"):format(req.method, req.target, #(req.body or "")))
  end)
  local g = t.gateway(([[
    gate.listen { "127.0.0.1:0", http2 = true }
    local o = gate.upstream("o", { servers = { %q }, keepalive = { idle = 256 } })
    %s
    gate.route { path = "/*rest", upstream = o }
  ]]):format(o.address, more or ""), options)
  return g, o
end

--- A file of n bytes that are not all the same; its path and its sum.
local function file_of(n)
  local path = t.folder() .. "/body"
  shell("head -c %d /dev/urandom > %s", n, path)
  return path, shell("sha256sum < %s", path):match "^%x+"
end

describe("HTTP/2", function()
  after_each(t.cleanup)

  it("is what curl is answered with", function()
    local g, o = gateway()
    local text = shell(CURL .. "-i %s", url(g, "/a?b=c"))
    assert.truthy(text:find "^HTTP/2 200 \r\n")
    assert.truthy(text:find "\r\n\r\nGET /a%?b=c 0$")
    assert.equal("2.0 moongate", o:requests()[1].headers.via)
    assert.equal("127.0.0.1:" .. g.port, o:requests()[1].headers.host)
  end)

  it("stands in the log and in req.version", function()
    local g = gateway(nil, [[
      gate.process { access_log = "stdout" }
      gate.route { path = "/version", handler = function(req)
        return gate.reply(200, req.version)
      end }
    ]])
    assert.equal("2.0", shell(CURL .. "%s", url(g, "/version")))
    assert.equal("1.1", shell("curl -s %s", url(g, "/version")))
    t.wait_for("the lines", function()
      local log = g:stdout()
      return log:find('"GET /version HTTP/2.0" 200 3', 1, true)
        and log:find('"GET /version HTTP/1.1" 200 3', 1, true)
    end)
  end)

  it("takes uploads of 10 MiB, byte for byte", function()
    local g = gateway(function(c, req)
      local path = os.tmpname()
      t.write(path, req.body)
      local sum = shell("sha256sum < %s", path):match "^%x+"
      os.remove(path)
      c:reply(200, sum)
    end)
    local path, sum = file_of(10 * 2 ^ 20)
    assert.equal(sum, shell(CURL .. "-T %s %s", path, url(g)))
    -- Without a length.
    assert.equal(sum, shell("cat %s | " .. CURL .. "-T - %s", path, url(g)))
  end)

  it("gives downloads of 20 MiB, byte for byte, beside small answers", function()
    local path, sum = file_of(20 * 2 ^ 20)
    local body = t.read(path)
    local g = gateway(function(c, req) c:reply(200, req.target == "/big" and body or "small") end)
    local text = shell(
      "sh -c '" .. CURL .. "%s | sha256sum & for i in 1 2 3; do " .. CURL .. "%s; done; wait'",
      url(g, "/big"), url(g, "/small"))
    assert.truthy(text:find(sum, 1, true), text)
    assert.truthy(text:find "small")
  end)

  it("runs hooks, on bodies too", function()
    local g = gateway(nil, [[
      gate.on.request(function(req)
        gate.sleep(0.01)
        req.headers["x-hook"] = req.headers["x-in"]
      end)
      gate.on.request_body(function(req, chunk) return chunk .. chunk end)
      gate.on.response(function(req, res) res.headers["X-Out"] = req.client.ip end)
      gate.on.body(function(req, res, chunk) return chunk:upper() end)
    ]])
    local text = shell(CURL .. "-i -H 'x-in: 1' -d hello %s", url(g, "/a"))
    assert.truthy(text:find "\r\nx%-out: 127%.0%.0%.1\r\n", text)
    assert.truthy(text:find "\r\n\r\nPOST /A 10$", text)
  end)

  it("carries trailers and interim answers", function()
    local g = gateway(function(c)
      c:send "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
      c:send "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n"
    end)
    local path = file_of(1000)
    local text = shell("nghttp -v -d %s %s", path, url(g))
    assert.truthy(text:find ":status: 103\n.*link: </a>\n.*:status: 200\n.*x%-sum: 7\n", text)
  end)

  it("answers what is refused, and the connection lives", function()
    local g = gateway(nil, 'gate.limits { target_bytes = "1k" }')
    local text = shell("nghttp -v '%s?%s' %s", url(g), ("a"):rep(2000), url(g))
    assert.truthy(text:find ":status: 414\n", text)
    assert.truthy(text:find ":status: 200\n", text)
    assert.equal(1, g:metric "moongate_http2_connections_total")
    assert.equal(1, g:metric "moongate_requests_bad_total")
  end)

  it("serves HTTP/1 on the same port", function()
    local g = gateway()
    assert.equal("GET / 0", g:get("/").body)
    assert.equal("GET /x 0", shell(CURL .. "%s", url(g, "/x")))
  end)

  it("is chosen by ALPN over TLS", function()
    local dir = t.folder()
    shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
      .. " -keyout %s/k.pem -out %s/c.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost",
      dir, dir)
    local o = t.origin(function(c, req) c:reply(200, req.headers["x-forwarded-proto"]) end)
    local listen = ('http2 = true, tls = { cert = "%s/c.pem", key = "%s/k.pem" }'):format(dir, dir)
    local g = t.proxy(o, { listen = listen })
    local curl = "curl -sk --resolve localhost:%d:127.0.0.1 -w ' %%{http_version}' %s %s"
    local there = ("https://localhost:%d/"):format(g.port)
    assert.equal("https 2", shell(curl, g.port, "--http2", there))
    assert.equal("https 1.1", shell(curl, g.port, "--http1.1", there))
    local load = shell("h2load -n 1000 -c 4 -m 16 https://127.0.0.1:%d/", g.port)
    assert.equal("1000", load:match "(%d+) succeeded")
  end)

  it("stands behind a PROXY header", function()
    local o = t.origin(function(c, req) c:reply(200, req.headers["x-forwarded-for"]) end)
    local listen = 'http2 = true, proxy_protocol = true, trust = { "127.0.0.1" }'
    local g = t.proxy(o, { listen = listen })
    assert.equal("127.0.0.1", shell(CURL .. "--haproxy-protocol %s", url(g)))
  end)

  local function succeeded(text) return tonumber(text:match "(%d+) succeeded") end

  it("serves many streams of many connections", function()
    local g = gateway()
    assert.equal(4000, succeeded(shell("h2load -n 4000 -c 8 -m 32 %s", url(g, "/a"))))
    local path = file_of(100000)
    assert.equal(300, succeeded(shell("h2load -n 300 -c 3 -m 100 -d %s %s", path, url(g))))
    local status = g:status()
    assert.is_true(status ~= nil)
    assert.is_true(g:metric "moongate_http2_connections_total" >= 11)
    assert.equal(0, g:metric "moongate_http2_errors_total")
  end)

  it("loses nothing when the file is loaded anew", function()
    local g = gateway()
    local log = t.folder() .. "/log"
    local load = t.process.start({ "timeout", "60", "h2load", "-n", "20000", "-c", "4", "-m", "8",
      url(g, "/a") }, { stdout = log, stderr = log })
    t.wait_for("requests", function() return g:metric "moongate_requests_begun_total" > 100 end)
    local source, reloads = t.read(g.file), 0
    repeat
      reloads = reloads + 1
      t.write(g.file, source .. "\n-- " .. reloads)
      assert.equal(200, g:control("/reload", { method = "POST" }).status)
    until load:wait(0)
    local text = t.read(log)
    assert.equal(20000, succeeded(text), text)
    assert.truthy(text:find(" 0 failed, 0 errored", 1, true), text)
    assert.is_true(reloads > 1)
  end)

  it("drains: what runs is finished, and the client goes", function()
    local g, o = gateway(function(c)
      c:sleep(1)
      c:reply(200, "done")
    end)
    local command = CURL .. "-w ' %%{http_code}' %s"
    local pipe = io.popen("timeout 60 " .. command:format(url(g, "/slow")))
    t.wait_for("the request", function() return #o:requests() > 0 end)
    g:signal "TERM"
    assert.equal("done 200", pipe:read "*a")
    pipe:close()
    assert.equal(0, g:wait(20))
  end)
end)
