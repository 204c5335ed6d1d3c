--- HTTP/2 with the clients that people use, beyond the ordinary request (http2_spec.lua): many
--- streams over TLS, node, what is agreed and what is not, priorities, a drain.
local pki = require "e2e.support.pki"
local t = require "e2e.support"

--- What a command prints, both streams; it has 60 seconds.
local function shell(command, ...)
  local pipe = io.popen("timeout 60 " .. command:format(...) .. " 2>&1")
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- Drives all that it was given, and says in lines what came of it.
local NODE = [[
const http2 = require("http2");
const [origin, ca] = process.argv.slice(2);
const client = http2.connect(origin, ca ? { ca: require("fs").readFileSync(ca) } : {});
const say = (...words) => console.log(...words);
client.on("goaway", (code, last) => say("goaway", code, last));
client.on("error", (error) => say("error", error.message));
client.on("close", () => say("closed"));

function ask(headers, body) {
  return new Promise((resolve) => {
    const request = client.request(headers, { endStream: body === undefined });
    let text = "", head, trailers = {};
    request.on("response", (h) => { head = h; });
    request.on("trailers", (h) => { trailers = h; });
    request.on("data", (chunk) => { text += chunk; });
    request.on("error", (error) => resolve({ error: error.code }));
    request.on("close", () => head && resolve({ status: head[":status"], text, trailers }));
    if (body !== undefined) request.end(body);
  });
}

async function all() {
  const many = await Promise.all(Array.from({ length: 100 }, (_, i) =>
    ask({ ":path": "/" + i, priority: "u=" + i % 8 })));
  say("answers", many.filter((a, i) => a.status === 200 && a.text === "GET /" + i).length);
  const body = Buffer.alloc(300000, "x");
  const posted = await ask({ ":method": "POST", ":path": "/up" }, body);
  say("upload", posted.status, posted.text);
  const trailers = await ask({ ":path": "/trailers" });
  say("trailers", trailers.trailers["x-sum"]);
  const gone = client.request({ ":path": "/never" });
  await new Promise((resolve) => { gone.on("close", resolve); gone.close(8); });
  say("cancelled", gone.rstCode);
  await new Promise((resolve) => client.ping((error) => { say("ping", !error); resolve(); }));
  client.settings({ initialWindowSize: 10 });
  say("after", (await ask({ ":path": "/small/window" })).text);
  client.close();
}
all();
]]

local function handler(c, req)
  if req.target == "/never" then return c:sleep(60) end
  if req.target == "/trailers" then
    return c:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
      .. "2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n")
  end
  local body = req.body ~= "" and " " .. #req.body or ""
  c:reply(200, req.method .. " " .. req.target .. body)
end

local it_with_node = os.execute "command -v node >/dev/null" == 0 and it or pending

describe("clients of HTTP/2", function()
  local certs

  setup(function()
    certs = pki.new(t.folder(true))
    certs:make("a", { names = { "localhost" } })
    certs:make("rsa", { names = { "localhost" }, key = "rsa" })
  end)
  teardown(function() os.execute("rm -rf " .. certs.dir) end)
  after_each(t.cleanup)

  --- In front of an origin: plain on the first port, TLS on the second one.
  local function gateway(h, options)
    local o = t.origin(h or handler)
    options = options or {}
    options.files = {}
    for _, name in ipairs { "a.pem", "a.key", "rsa.pem", "rsa.key" } do
      options.files[name] = t.read(certs:path(name))
    end
    return t.gateway(([[
      gate.listen { "127.0.0.1:0", http2 = true }
      gate.listen { "127.0.0.1:0", http2 = true,
        tls = { cert = { "a.pem", "rsa.pem" }, key = { "a.key", "rsa.key" } } }
      gate.listen { "127.0.0.1:0", tls = { cert = "a.pem", key = "a.key" } }
      gate.process { access_log = false }
      local o = gate.upstream("o", { servers = { %q }, keepalive = { idle = 256 } })
      gate.route { path = "/*rest", upstream = o }
    ]]):format(o.address), options), o
  end

  local function succeeded(text) return tonumber(text:match "(%d+) succeeded") end

  it("may have many connections with many streams, over TLS too", function()
    local g = gateway()
    for i, scheme in ipairs { "http", "https" } do
      local url = ("%s://localhost:%d/a"):format(scheme, g.ports[i])
      assert.equal(5120, succeeded(shell("h2load -n 5120 -c 16 -m 32 %s", url)))
      assert.equal(2000, succeeded(shell("h2load -n 2000 -c 2 -m 100 %s", url)))
      assert.equal(200, succeeded(shell("h2load -n 200 -c 100 -m 1 %s", url)))
    end
    assert.equal(0, g:metric "moongate_http2_errors_total")
    assert.equal(0, g:metric "moongate_http2_streams_refused_total")
  end)

  local function node(g, ca)
    local script = g.dir .. "/client.js"
    t.write(script, NODE)
    return shell("node %s %s://localhost:%d %s", script, ca and "https" or "http",
      g.ports[ca and 2 or 1], ca or "")
  end

  local function expect_node(text)
    assert.equal(table.concat({ "answers 100", "upload 200 POST /up 300000", "trailers 7",
      "cancelled 8", "ping true", "after GET /small/window", "closed", "" }, "\n"), text)
  end

  it_with_node("may be node", function()
    local g = gateway()
    expect_node(node(g))
  end)

  it_with_node("may be node over TLS", function()
    local g = gateway()
    expect_node(node(g, certs:path "ca.pem"))
  end)

  it("agree on a protocol by ALPN", function()
    local g = gateway()
    local function agreed(offer, listener)
      return shell("openssl s_client -connect 127.0.0.1:%d -alpn %s </dev/null",
        g.ports[listener or 2], offer)
    end
    assert.truthy(agreed("h2"):find "ALPN protocol: h2\n")
    assert.truthy(agreed("http/1.1,h2"):find "ALPN protocol: h2\n")
    assert.truthy(agreed("http/1.1"):find "ALPN protocol: http/1.1\n")
    assert.truthy(agreed("h2,http/1.1", 3):find "ALPN protocol: http/1.1\n")
    for _, none in ipairs { agreed "spdy/3", agreed("h2", 3), agreed "h3,h2c" } do
      assert.truthy(none:find "alert no application protocol", none)
    end
    t.wait_for("the count", function()
      return g:metric 'moongate_connections_closed_total{reason="tls_alpn"}' == 3
    end)
  end)

  it("that would upgrade to h2c are answered in HTTP/1.1", function()
    local g, o = gateway()
    local text = shell("curl -s -i --http2 http://127.0.0.1:%d/a", g.ports[1])
    assert.truthy(text:find "^HTTP/1.1 200 ", text)
    local asked = o:requests()[1].headers
    assert.is_nil(asked.upgrade)
    assert.is_nil(asked["http2-settings"])
  end)

  it("may prefer one answer to another", function()
    local g, o = gateway()
    local text = shell("curl -s --http2-prior-knowledge -H 'priority: u=1, i' "
      .. "http://127.0.0.1:%d/a", g.ports[1])
    assert.equal("GET /a", text)
    assert.equal("u=1, i", o:requests()[1].headers.priority)
    assert.truthy(shell("nghttp -v http://127.0.0.1:%d/a", g.ports[1])
      :find("NO_RFC7540_PRIORITIES(0x09):1", 1, true))
  end)

  it("that still send may be answered, with a body or without", function()
    local body = t.folder() .. "/body"
    t.write(body, ("x"):rep(3000))
    local g = t.gateway [[
      gate.listen { "127.0.0.1:0", http2 = true }
      gate.route { path = "/", reply = { 204 } }
      gate.route { path = "/empty", reply = { 200, "" } }
      gate.route { path = "/body", reply = { 200, "text" }, use = { { body = function() end } } }
    ]]
    for _, path in ipairs { "", "empty", "body" } do
      for _ = 1, 15 do
        local text = shell("timeout 60 curl -s -o /dev/null -w '%%{http_code}' "
          .. "--http2-prior-knowledge --data-binary @%s http://127.0.0.1:%d/%s", body, g.ports[1],
          path)
        assert.equal(path == "" and "204" or "200", text)
      end
    end
  end)

  it("are told twice of a drain, and have their answers", function()
    local log, go = t.folder() .. "/log", t.folder() .. "/go"
    local g, o = gateway(function(c)
      while t.read(go) == "" do c:sleep(0.02) end
      c:reply(200, "done")
    end)
    local function told() return select(2, t.read(log):gsub("recv GOAWAY frame", "")) end
    t.process.start({ "timeout", "60", "nghttp", "-v", "-m", "5",
      ("http://127.0.0.1:%d/a"):format(g.ports[1]) }, { stdout = log })
    t.wait_for("the requests", function() return #o:requests() == 5 end)
    g:signal "TERM"
    t.wait_for("both", function() return told() == 2 end)
    t.write(go, "go")
    assert.equal(0, g:wait(20))
    t.wait_for("the answers", function()
      return select(2, t.read(log):gsub("done", "")) == 5
    end)
    local text, last, highest = t.read(log), {}, 0
    for id, code in text:gmatch "recv GOAWAY frame.-last_stream_id=(%d+), error_code=(%S+)%(" do
      last[#last + 1] = id .. " " .. code
    end
    for id in text:gmatch "send HEADERS frame <length=%d+, flags=0x%x+, stream_id=(%d+)>" do
      highest = math.max(highest, tonumber(id))
    end
    assert.same({ 2 ^ 31 - 1 .. " NO_ERROR", highest .. " NO_ERROR" }, last, text)
  end)
end)
