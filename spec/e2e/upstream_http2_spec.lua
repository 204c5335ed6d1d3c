--- HTTP/2 to servers, against real ones: Moongate itself, node, nghttpx; what goes over a
--- connection, and over how many. What a server does wrong is in upstream_http2_faults_spec.lua.
-- covers: upstream/link_h2.c http/h2_client.c
local t = require "e2e.support"

--- What a command prints, both streams; it has 60 seconds.
local function shell(command, ...)
  local pipe = io.popen("timeout 60 " .. command:format(...) .. " 2>&1")
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function url(g, path) return ("http://127.0.0.1:%d%s"):format(g.port, path or "/") end

local VERSIONS = { ["1.1"] = "curl -s ", ["2.0"] = "curl -s --http2-prior-knowledge " }
local CURL = VERSIONS["2.0"]

--- A gateway that answers by itself, over HTTP/1.1 and HTTP/2: an origin.
local function answering(more)
  return t.gateway(([[
    gate.listen { "127.0.0.1:0", http2 = true }
    local function head(req)
      local list = { req.method .. " " .. req.target .. " " .. req.version }
      for name, value in req.headers:each() do
        list[#list + 1] = name:lower() .. "=" .. tostring(value)
      end
      table.sort(list)
      return table.concat(list, "\n") .. "\n"
    end
    gate.route { path = "/head/*rest", handler = function(req)
      return gate.reply(200, head(req))
    end }
    gate.route { path = "/echo", handler = function(req)
      return gate.reply(200, req:read_body "1m" or "")
    end }
    gate.route { path = "/none", handler = function() return gate.reply(204) end }
    %s
  ]]):format(more or ""))
end

--- A gateway in front of `address`.
local function before(address, upstream, more)
  return t.gateway(([[
    gate.listen { "127.0.0.1:0", http2 = true }
    %s
    gate.route { path = "/*rest", upstream = gate.upstream("o", { servers = { %q }, %s }) }
  ]]):format(more or "", address, upstream or "http2 = true"))
end

local function at(g) return "127.0.0.1:" .. g.port end

describe("HTTP/2 to servers", function()
  after_each(t.cleanup)

  it("goes with either version to clients", function()
    local origin = answering()
    for _, upstream in ipairs { "1.1", "2.0" } do
      local g = before(at(origin), ("http2 = %s"):format(upstream == "2.0"))
      for version, curl in pairs(VERSIONS) do
        local text = shell(curl .. "-i %s", url(g, "/head/a?b=c"))
        assert.truthy(text:find("^HTTP/" .. version:gsub("%.0", "")), text)
        assert.truthy(text:find(("GET /head/a?b=c %s\n"):format(upstream), 1, true), text)
        assert.truthy(text:find("\nhost=" .. at(g) .. "\n", 1, true), text)
        assert.truthy(text:find("via=" .. version .. " moongate", 1, true), text)
        assert.equal("hello", shell(curl .. "-d hello %s", url(g, "/echo")))
        assert.truthy(shell(curl .. "-I %s", url(g, "/head/a")):lower():find "content%-length: %d")
        assert.truthy(shell(curl .. "-i %s", url(g, "/none")):find "^HTTP/%d%.?%d? 204")
      end
      local over_h2 = upstream == "2.0"
      assert.equal(over_h2 and 1 or 0, g:metric "moongate_upstream_http2_connections_total")
      assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
      assert.equal(over_h2 and 8 or 0, g:metric "moongate_upstream_http2_streams_total")
      g:stop()
    end
  end)

  it("leaves out what is of a connection, and says trailers are welcome", function()
    local g = before(at(answering()))
    local c = g:connect()
    c:send("GET /head/x HTTP/1.1\r\nHost: a.test\r\nConnection: x-mine, te\r\nX-Mine: 1\r\n"
      .. "Keep-Alive: 5\r\nTE: gzip, trailers\r\nCookie: a=1; b=2\r\nX-Other: 2\r\n\r\n")
    local body = c:receive_response().body
    assert.truthy(body:find("GET /head/x 2.0\n", 1, true), body)
    assert.truthy(body:find("\nhost=a.test\n", 1, true), body)
    assert.truthy(body:find("\ncookie=a=1; b=2\n", 1, true), body)
    assert.truthy(body:find("\nx-other=2\n", 1, true), body)
    assert.truthy(body:find("\nte=trailers\n", 1, true), body)
    for _, name in ipairs { "connection", "x-mine", "keep-alive", "transfer-encoding" } do
      assert.falsy(body:find("\n" .. name .. "=", 1, true), body)
    end
    c:send "GET /head/x HTTP/1.1\r\nHost: a.test\r\nTE: gzip\r\n\r\n"
    assert.falsy(c:receive_response().body:find("\nte=", 1, true))
  end)

  it("carries large bodies, byte for byte, both ways at once", function()
    local path = t.folder() .. "/body"
    shell("head -c 10000000 /dev/urandom > %s", path)
    local sum = shell("sha256sum < %s", path):match "^%x+"
    local o = t.origin(function(c, req)
      local length = tonumber(req.headers["content-length"])
      c:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      local function pass(piece) c:send(("%x\r\n%s\r\n"):format(#piece, piece)) end
      while length and length > 0 do
        local piece = c:receive(math.min(length, 50000))
        if not piece then return c:close() end
        length = length - #piece
        pass(piece)
      end
      c:send "0\r\n\r\n"
    end, { head_only = true })
    local middle = before(o.address, "http2 = false")
    local g = before(at(middle))
    for _, curl in pairs(VERSIONS) do
      assert.equal(sum, shell(curl .. "-H Expect: -T %s %s | sha256sum", path, url(g)):match "^%x+")
    end
  end)

  it("answers an HTTP/1.0 client, whose end is the end", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    end)
    local g = before(at(before(o.address, "http2 = false")))
    local c = g:connect()
    c:send "GET / HTTP/1.0\r\nHost: a\r\n\r\n"
    local text = c:receive_all()
    assert.truthy(text:find "\r\n\r\nabc$", text)
    assert.falsy(text:lower():find "chunked")
    c = g:connect()
    c:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    local res = c:receive_response()
    assert.equal("chunked", res.headers["transfer-encoding"])
    assert.equal("abc", res.body)
  end)

  it("needs one connection for a hundred requests at once", function()
    local origin = answering()
    local g = before(at(origin))
    local text = shell("h2load -n 2000 -c 1 -m 100 %s", url(g, "/head/a"))
    assert.truthy(text:find("2000 succeeded, 0 failed", 1, true), text)
    assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
    text = shell("h2load -n 3000 -c 3 -m 100 %s", url(g, "/head/a"))
    assert.truthy(text:find("3000 succeeded, 0 failed", 1, true), text)
    assert.is_true(g:metric "moongate_upstream_connections_opened_total" <= 6)
    t.wait_for("the last streams", function()
      return g:metric(('moongate_upstream_streams{upstream="o",peer="%s"}'):format(at(origin))) == 0
    end)
  end)

  it("does not let a client that reads nothing hold up others", function()
    local big = ("x"):rep(4000000)
    local o = t.origin(function(c, req) c:reply(200, req.target == "/big" and big or "small") end)
    local g = before(at(before(o.address, "http2 = false")))
    local slow = {}
    for i = 1, 20 do
      slow[i] = g:connect()
      slow[i]:send "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
    end
    t.wait_for_standstill("the slow ones", function()
      return g:metric "moongate_client_sent_bytes_total"
    end)
    for _ = 1, 5 do assert.equal("small", g:get("/small").body) end
    assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
    for i = 1, 20 do assert.equal(#big, #slow[i]:receive_response().body) end
  end)

  it("carries hooks, and gate.peer and the log see no difference", function()
    local g = before(at(answering()), "http2 = true", [[
      gate.process { access_log = "stdout" }
      gate.on.request_body(function(req, chunk) return chunk:upper() end)
      gate.on.response(function(req, res) res.headers["X-Seen"] = tostring(res.status) end)
    ]])
    local res = g:get("/echo", { method = "POST", body = "hello" })
    assert.equal("HELLO", res.body)
    assert.equal("200", res.headers["x-seen"])
    t.wait_for("the line", function()
      return g:stdout():find('"POST /echo HTTP/1.1" 200 5', 1, true)
    end)
  end)

  it("speaks to nghttpx", function()
    local o = t.origin(function(c, req) c:reply(200, req.target .. (req.body or "")) end)
    local port = t.free_port()
    local dir = t.folder()
    local pid = shell("sh -c 'nghttpx -f\"127.0.0.1,%d;no-tls\" -b\"127.0.0.1,%s\" "
      .. "--conf=/dev/null --log-level=ERROR >%s/log 2>&1 & echo $!'", port,
      o.address:match "%d+$", dir):match "%d+"
    finally(function() os.execute("kill " .. pid) end)
    t.wait_for("nghttpx", function()
      local c = require("socket").connect("127.0.0.1", port)
      return c and c:close()
    end)
    local g = before("127.0.0.1:" .. port)
    for _, curl in pairs(VERSIONS) do
      assert.equal("/abody", shell(curl .. "-d body %s", url(g, "/a")))
    end
    local text = shell("h2load -n 1000 -c 1 -m 50 %s", url(g, "/a"))
    assert.truthy(text:find("1000 succeeded, 0 failed", 1, true), text)
    assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
  end)
end)

-- Trailers, interim answers, upgrades: a server that can do all of it.
local NODE = [[
const http2 = require("http2"), fs = require("fs");
const [key, cert] = process.argv.slice(2);
const server = key
  ? http2.createSecureServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert),
      allowHTTP1: true })
  : http2.createServer();
if (key) server.on("request", (req, res) =>
  res.end(req.httpVersion[0] === "1" ? "old 1.1" : "h2 " + req.headers[":scheme"] + " "));
else server.on("stream", (stream, headers) => {
  const path = headers[":path"];
  if (path === "/hints") stream.additionalHeaders({ ":status": 103, link: "</a>" });
  if (path === "/early") {
    stream.respond({ ":status": 413 });
    return stream.end("too much");
  }
  let body = "", sum = "none";
  stream.on("data", (chunk) => { body += chunk; });
  stream.on("trailers", (t) => { sum = t["x-sum"]; });
  stream.on("end", () => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-back": sum }));
    stream.end("h2 " + headers[":scheme"] + " " + body);
  });
  stream.on("error", () => {});
});
server.on("upgrade", (req, socket) => {
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
    + "Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  socket.on("data", (chunk) => socket.write(chunk));
});
server.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
]]

--- The address of a node server.
local function node(...)
  local dir = t.folder()
  t.write(dir .. "/server.js", NODE)
  local process = require("e2e.support.process").start(
    { "node", dir .. "/server.js", ... }, { stdout = dir .. "/out", stderr = dir .. "/err" })
  finally(function() process:kill() end)
  local port
  t.wait_for("node", function()
    port = t.read(dir .. "/out"):match "port (%d+)"
    return port
  end)
  return "127.0.0.1:" .. port
end

local UPGRADE = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
  .. "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

describe("HTTP/2 to node", function()
  after_each(t.cleanup)

  it("carries trailers both ways", function()
    local c = before(node()):connect()
    c:send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
      .. "2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n")
    local res = c:receive_response()
    assert.equal("h2 http hi", res.body)
    assert.equal("7", res.trailers["x-back"])
  end)

  it("passes interim answers on", function()
    local g = before(node())
    local text = shell(CURL .. "-v %s", url(g, "/hints"))
    assert.truthy(text:find("< HTTP/2 103", 1, true), text)
    assert.truthy(text:find("< link: </a>", 1, true), text)
    assert.truthy(text:find("h2 http ", 1, true), text)
  end)

  it("takes an answer that comes before the end of the request", function()
    local g = before(node())
    local c = g:connect()
    c:send "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome"
    local res = c:receive_response()
    assert.equal(413, res.status)
    assert.equal("too much", res.body)
    assert.truthy(g:get("/b").body:find("^h2 http "))
    assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
  end)

  it("does not switch protocols where the server does not", function()
    local g = before(node(), nil,
      'gate.process { access_log = "stdout", access_format = "json" }')
    local c = g:connect()
    c:send(UPGRADE)
    assert.equal(502, c:receive_response().status)
    t.wait_for("the line", function()
      return g:stdout():find("the upstream takes no extended CONNECT", 1, true)
    end)
  end)

  it("agrees on it by ALPN, where both can", function()
    local p = require("e2e.support.pki").new(t.folder())
    p:make("o", { names = { "o.test" } })
    local address = node(p:path "o.key", p:path "o.pem")
    local options = ('tls = { ca = %q, server_name = "o.test" }, http2 = %%s'):format(
      p:path "ca.pem")
    for http2, body in pairs {
      ["true"] = "h2 https ", ['"auto"'] = "h2 https ", ["false"] = "old 1.1",
    } do
      local g = before(address, options:format(http2))
      for _ = 1, 3 do assert.equal(body, g:get("/a").body) end
      assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
      g:stop()
    end
    local g = before(address, options:format '"auto"')
    local c = g:connect()
    c:send(UPGRADE)
    assert.equal(101, c:receive_response().status)
    c:send "hello"
    assert.equal("hello", c:receive(5))
    assert.equal("h2 https ", g:get("/a").body)
  end)
end)
