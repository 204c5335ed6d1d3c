-- gRPC through the gateway, with the real client and server of @grpc/grpc-js: the cases of gRPC's
-- interoperability tests, in clear and with TLS, and what a gateway in between must not get wrong.
-- covers: flow/grpc.c
local t = require "e2e.support"
local node = require "e2e.support.node"
local pki = require "e2e.support.pki"

local OK, CANCELLED, DEADLINE_EXCEEDED, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 0, 1, 4, 7, 8
local INTERNAL, UNAVAILABLE = 13, 14

local CASES = { "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong",
  "empty_stream", "custom_metadata", "status_code_and_message", "special_status_message",
  "unimplemented_method", "unimplemented_service", "cancel_after_begin",
  "cancel_after_first_response", "timeout_on_sleeping_server" }

describe("gRPC", function()
  local client, server, dir, port
  local opened = 0

  setup(function()
    dir = t.folder(true)
    client = node.start("grpc_client.js", dir)
    server = node.start("grpc_server.js", dir)
    port = server:ask("listen").port
  end)

  teardown(function()
    client:stop()
    server:stop()
    os.execute("rm -rf " .. dir)
  end)

  after_each(function()
    client:ask "close"
    t.cleanup()
  end)

  --- A gateway in front of that server, or of another one. options: of the route and the upstream.
  local function gateway(options)
    options = options or {}
    return t.gateway(([[
      gate.listen { "127.0.0.1:%d", http2 = true, %s }
      gate.process { access_log = "stdout", access_format = "json" }
      %s
      gate.route { path = "/*rest", %s upstream = gate.upstream("o", {
        servers = { "127.0.0.1:%d" }, http2 = true, %s }) }
    ]]):format(options.own_port or 0, options.listen or "", options.more or "",
      options.route or "", options.port or port, options.upstream or ""), options)
  end

  --- Opens a stream both ways, and says how to go on with it.
  local function open(g, options)
    options = options or {}
    opened = opened + 1
    options.port, options.call = g.port, ("stream %d"):format(opened)
    options.metadata = options.metadata or {}
    options.metadata["x-call"] = options.call
    client:ask("open", options)
    local function on(what)
      return function(with)
        with = with or {}
        with.call = options.call
        return client:ask(what, with)
      end
    end
    local stream = { name = options.call, send = on "send", receive = on "receive",
      finish = on "end", cancel = on "cancel", status = on "status" }
    function stream.ping(size)
      stream.send { sizes = { size } }
      return stream.receive()
    end
    return stream
  end

  it("knows all the cases that are run", function()
    assert.same(CASES, client:ask "names")
  end)

  for _, name in ipairs(CASES) do
    it("passes " .. name, function()
      client:ask("run", { name = name, port = gateway().port })
    end)
  end

  it("passes all of them through hooks of bodies, which see no body where there is none", function()
    local g = gateway { more = [[
      gate.use { decode = true,
        request_body = function(_, chunk) return chunk end,
        body = function(_, res, chunk)
          gate.sleep("1ms")
          if res.headers["grpc-status"] then error "not for an answer that is all head" end
          return chunk
        end }
    ]] }
    for _, name in ipairs(CASES) do
      client:ask("run", { name = name, port = g.port })
    end
    assert.falsy(g:stderr():find "all head")
  end)

  it("passes all of them with TLS on both sides", function()
    local certs = pki.new(dir)
    certs:make("a", { names = { "a.test" } })
    local pair = { cert = certs:path "a.pem", key = certs:path "a.key" }
    local g = gateway {
      listen = ("tls = { cert = %q, key = %q }"):format(pair.cert, pair.key),
      port = t.node("grpc_server.js"):ask("listen", { tls = pair }).port,
      upstream = ('tls = { ca = %q, server_name = "a.test" }'):format(certs:path "ca.pem"),
    }
    for _, name in ipairs(CASES) do
      client:ask("run", { name = name, port = g.port, tls = certs:path "ca.pem" })
    end
  end)

  it("carries many calls at once, and large ones", function()
    local g = gateway()
    assert.same({ ["0"] = 500 },
      client:ask("burst", { port = g.port, n = 500, size = 1000, payload = 1000 }))
    assert.same({ ["0"] = 8 },
      client:ask("burst", { port = g.port, n = 8, size = 1000000, payload = 1000000 }))
    local got = client:ask("unary", { port = g.port, size = 16777216, payload = 16777216 })
    assert.same({ OK, { 16777216 } }, { got.code, got.sizes })
  end)

  it("carries messages as they were compressed", function()
    local g = gateway { more = [[
      gate.on.log(function(req) gate.log.info(("%s %d"):format(req.headers["grpc-encoding"],
        req.bytes_in)) end)
    ]] }
    for compression, name in ipairs { "deflate", "gzip" } do
      local got = client:ask("unary", { port = g.port, compression = compression, size = 314159,
        payload = 271828 })
      assert.same({ OK, { 314159 } }, { got.code, got.sizes })
      t.wait_for("the log hook", function()
        local bytes = g:stderr():match(name .. " (%d+)")
        return bytes and tonumber(bytes) < 5000
      end)
    end
  end)

  it("carries large metadata both ways", function()
    local g = gateway()
    local large = ("v"):rep(20000)
    local got = client:ask("unary", { port = g.port, metadata = {
      ["x-grpc-test-echo-initial"] = large } })
    assert.same({ OK, large }, { got.code, got.initial["x-grpc-test-echo-initial"] })
  end)

  it("goes on when the file is loaded anew", function()
    local g = gateway()
    local streams = {}
    for i = 1, 10 do streams[i] = open(g) end
    for size = 1, 5 do
      for _, stream in ipairs(streams) do assert.equal(size, stream.ping(size)) end
      t.write(g.file, t.read(g.file) .. "-- changed\n")
      local res = g:control("/reload", { method = "POST" })
      assert.matches(("generation %d serves"):format(size + 1), res.body, 1, true)
      assert.equal(OK, client:ask("unary", { port = g.port }).code)
    end
    for _, stream in ipairs(streams) do
      stream.finish()
      assert.equal(OK, stream.status().code)
    end
    assert.equal("1", g:status "connections_accepted")
  end)

  it("passes each message in the turn it came, both ways at once", function()
    local stream = open(gateway())
    for size = 1, 20 do assert.equal(size, stream.ping(size)) end
    stream.send { sizes = { 100000, 1 }, payload = 100000 }
    stream.send { sizes = { 2 } }
    assert.same({ 100000, 1, 2 }, { stream.receive(), stream.receive(), stream.receive() })
    stream.finish()
    assert.equal(OK, stream.status().code)
  end)

  it("is not held to the limits of bodies, but to those of its route", function()
    local g = gateway { more = 'gate.limits { body_bytes = "1k" }' }
    assert.equal(OK, client:ask("unary", { port = g.port, payload = 100000 }).code)
    g = gateway { route = 'max_body = "1k",' }
    assert.equal(OK, client:ask("unary", { port = g.port, payload = 500 }).code)
    assert.equal(RESOURCE_EXHAUSTED, client:ask("unary", { port = g.port, payload = 5000 }).code)
  end)

  it("may be silent for long", function()
    local g = gateway { args = { "--workers", "1", "--test-clock" } }
    local stream = open(g)
    assert.equal(5, stream.ping(5))
    for _ = 1, 40 do g:advance(90) end
    assert.equal(6, stream.ping(6))
    stream.finish()
    assert.equal(OK, stream.status().code)
    assert.equal(0, g:metric "moongate_faults_total")
  end)

  it("is not silent for longer than it is told to be", function()
    local g = gateway { args = { "--workers", "1", "--test-clock" },
      upstream = "timeouts = { read = 30 }" }
    local stream = open(g)
    assert.equal(5, stream.ping(5))
    g:advance(20)
    assert.equal(6, stream.ping(6))
    g:advance(31)
    local got = stream.status()
    assert.same({ DEADLINE_EXCEEDED, "the upstream's answer stopped" }, { got.code, got.details })
  end)

  it("is a request like any other for a server of HTTP/1", function()
    local o = t.origin(function(c) c:receive(1) end, { head_only = true })
    local g = t.proxy(o, { listen = "http2 = true", args = { "--workers", "1", "--test-clock" },
      more = 'gate.limits { body_bytes = "1k" }' })
    local stream = open(g)
    stream.send { payload = 500 }
    t.wait_for("the request", function() return #o:requests() == 1 end)
    t.wait_for("the end of patience", function()
      g:advance(5)
      return g:metric "moongate_faults_total" == 1
    end)
    assert.same({ DEADLINE_EXCEEDED, "the request body came too slowly" },
      { stream.status().code, stream.status().details })
    assert.equal(RESOURCE_EXHAUSTED, client:ask("unary", { port = g.port, payload = 5000 }).code)
  end)

  it("is a request like any other from a client of HTTP/1", function()
    local g = gateway()
    local c = g:connect()
    local empty = "\0\0\0\0\0"
    local head = "POST /grpc.testing.TestService/%s HTTP/1.1\r\nHost: a.test\r\n"
      .. "Content-Type: application/grpc\r\nContent-Length: 5\r\n\r\n"
    c:send(head:format "EmptyCall" .. empty)
    local res = c:receive_response()
    assert.same({ 200, empty, "0" }, { res.status, res.body, res.trailers["grpc-status"] })
    c:send(head:format "UnimplementedCall" .. empty)
    res = c:receive_response()
    assert.same({ 200, "", "12" }, { res.status, res.body, res.headers["grpc-status"] })
    g = gateway { route = "max_body = 1," }
    c = g:connect()
    c:send(head:format "EmptyCall" .. empty)
    assert.equal(413, c:receive_response().status)
  end)

  describe("that ends early", function()
    local MANY = 100000

    local function is_cancelled(name)
      t.wait_for("the cancellation", function()
        for _, call in ipairs(server:ask("seen").cancelled) do
          if call == name then return true end
        end
      end)
    end

    it("is cancelled when its generation has to end, and the client told", function()
      local g = gateway()
      local streams = {}
      for i = 1, 9 do
        streams[i] = open(g)
        assert.equal(1, streams[i].ping(1))
        t.write(g.file, t.read(g.file) .. ("-- %d\n"):format(i))
        assert.equal(0, t.run({ "reload", "--socket", g.socket }).status)
      end
      local got = streams[1].status()
      assert.same({ UNAVAILABLE, "the gateway is at its limit" }, { got.code, got.details })
      is_cancelled(streams[1].name)
      assert.equal(2, streams[9].ping(2))
      for i = 2, 9 do streams[i].cancel() end
    end)

    it("is cancelled at the server when the client cancels", function()
      local g = gateway()
      local stream = open(g, { answers = MANY })
      assert.equal(1, stream.receive())
      stream.cancel()
      assert.equal(CANCELLED, stream.status().code)
      is_cancelled(stream.name)
      -- The connection to the server carries on.
      assert.equal(OK, client:ask("unary", { port = g.port }).code)
      assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
    end)

    it("does not end the connection, however often", function()
      local g = gateway()
      assert.same({ ["0"] = 250 }, client:ask("cancel_some", { port = g.port, n = 250 }))
      t.wait_for("the last reset", function()
        return g:metric "moongate_http2_resets_received_total" == 250
      end)
      assert.equal("1", g:status "connections_accepted")
    end)

    it("is cancelled at the server when the client has gone", function()
      local g = gateway()
      local other = t.node "grpc_client.js"
      other:ask("open", { port = g.port, call = "lost", answers = MANY,
        metadata = { ["x-call"] = "lost" } })
      assert.equal(1, other:ask("receive", { call = "lost" }))
      other:stop()
      is_cancelled "lost"
    end)

    it("is cancelled at the server when the deadline is over", function()
      local g = gateway { args = { "--workers", "1", "--test-clock" } }
      local stream = open(g, { answers = MANY, metadata = { ["grpc-timeout"] = "1000S" } })
      assert.equal(1, stream.receive())
      g:advance(1001)
      assert.equal(DEADLINE_EXCEEDED, stream.status().code)
      is_cancelled(stream.name)
    end)

    it("is the client's own when it watches its deadline", function()
      local stream = open(gateway(), { deadline_ms = 100 })
      assert.equal(DEADLINE_EXCEEDED, stream.status().code)
    end)

    it("tells the client that the server was cut", function()
      local other = t.node "grpc_server.js"
      local stream = open(gateway { port = other:ask("listen").port })
      assert.equal(1, stream.ping(1))
      other:ask "cut"
      local got = stream.status()
      assert.is_true(got.code == UNAVAILABLE or got.code == CANCELLED, got.code)
    end)
  end)

  --- What HTTP/2 says of a stream that a server resets, and what that is for a client of gRPC.
  local RESETS = { [2] = INTERNAL, [7] = UNAVAILABLE, [8] = CANCELLED, [11] = RESOURCE_EXHAUSTED,
    [12] = PERMISSION_DENIED }

  it("tells why the server reset the stream, before an answer and amid one", function()
    local other = t.node "h2_resets.js"
    local g = gateway { port = other:ask("listen").port }
    for code, status in pairs(RESETS) do
      for _, after in ipairs { "nothing", "head", "message" } do
        other:ask("behave", { code = code, after = after })
        local got = client:ask("unary", { port = g.port })
        assert.same({ status, "the upstream broke off" }, { got.code, got.details }, code .. after)
      end
    end
  end)

  it("loses no call of a server that is stopped in order", function()
    local other = t.node "grpc_server.js"
    local at = other:ask("listen").port
    local g = gateway { port = at }
    local stream = open(g)
    assert.equal(1, stream.ping(1))
    local stopped = other:tell "shutdown"
    assert.equal(2, stream.ping(2))
    local next_one = t.node "grpc_server.js"
    t.wait_for("the port", function()
      return pcall(next_one.ask, next_one, "listen", { port = at })
    end)
    assert.equal(OK, client:ask("unary", { port = g.port }).code)
    stream.finish()
    assert.equal(OK, stream.status().code)
    other:answer(stopped)
  end)

  it("loses no call of a gateway that is stopped in order", function()
    local at = t.free_port()
    local g = gateway { own_port = at }
    local stream = open(g)
    assert.equal(1, stream.ping(1))
    g:signal "TERM"
    t.wait_for("the drain", function() return g:stderr():find "draining" end)
    local next_one = gateway { own_port = at }
    for i = 1, 10 do
      local got = client:ask("unary", { port = at, size = i, wait_for_ready = true })
      assert.same({ OK, { i } }, { got.code, got.sizes })
    end
    assert.equal(2, stream.ping(2))
    stream.finish()
    assert.equal(OK, stream.status().code)
    assert.equal(0, g:wait())
    t.wait_for("the count", function()
      return next_one:metric 'moongate_requests_total{route="/*rest",class="2xx"}' == 10
    end)
  end)
end)
