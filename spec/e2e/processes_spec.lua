-- covers: run/supervisor.c run/engine.c run/worker.c run/acceptor.c run/control.c run/main.c
-- covers: run/broker_remote.c
local t = require "e2e.support"

local HELLO = [[
gate.listen { "127.0.0.1:0" }
gate.route { path = "/hello", reply = { 200, "hello\n" } }
gate.limits { task_time = 1000 }
gate.route { path = "/slow", handler = function(req)
  gate.sleep(tonumber(req.args.s))
  return gate.reply(200, "slow\n")
end }
]]

describe("processes", function()
  after_each(t.cleanup)

  it("says where it listens, with real ports", function()
    local g = t.gateway(HELLO, { supervised = true, args = { "--workers", "2" } })
    assert.matches("^listening on 127%.0%.0%.1:%d+ %(2 workers, generation 1%)$", g.ready)
    assert.equal("hello\n", g:get("/hello").body)
    assert.equal(1, #g:engines())
  end)

  for _, supervised in ipairs { true, false } do
    it("serves over IPv6 and Unix sockets" .. (supervised and ", supervised" or ""), function()
      local g = t.gateway([[
        gate.listen { "[::1]:0" }
        gate.listen { "unix:]] .. t.folder() .. [[/s", mode = "0600" }
        gate.route { path = "/hello", reply = { 200, "hello\n" } }
      ]], { supervised = supervised })
      local path = g.ready:match "unix:(%S+)"
      assert.equal("hello\n", g:get("/hello", { address = "::1" }).body)
      assert.equal("hello\n", t.client.request(path, "/hello").body)
      assert.is_true((os.rename(path, path)))
      g:signal "TERM"
      assert.equal(0, g:wait())
      -- The file is gone, too.
      assert.is_nil((os.rename(path, path)))
    end)
  end

  it("replaces a socket file that nobody listens on any more", function()
    local path = t.folder() .. "/s"
    local text = [[
      gate.listen { "unix:]] .. path .. [[" }
      gate.route { path = "/hello", reply = { 200, "hello\n" } }
    ]]
    local g = t.gateway(text)
    g:signal "KILL"
    g:wait()
    t.gateway(text)
    assert.equal("hello\n", t.client.request(path, "/hello").body)
  end)

  it("drains: answers what is under way, says close, exits 0", function()
    local g = t.gateway(HELLO, { supervised = true, args = { "--workers", "1", "--test-clock" } })
    local idle, busy = g:connect(), g:connect()
    busy:send(t.client.request_text "/slow?s=20")
    t.wait_for("the request", function() return g:status "requests_active" == "1" end)
    -- Asked again and again, an idle connection lives until an answer says close. It has half a
    -- second for that: who could not ask in time sees the end.
    g:signal "TERM"
    local last
    repeat
      idle:send(t.client.request_text "/hello")
      local res = idle:receive_response()
      last = res and res.headers.connection or "close"
    until last == "close"
    assert.is_true(idle:is_closed())
    t.wait_for("the drain", function() return g:stderr():find "draining" end)
    g:advance(21)
    local res = busy:receive_response()
    assert.equal("slow\n", res.body)
    assert.equal("close", res.headers.connection)
    assert.equal(0, g:wait())
    assert.is_nil((t.client.connect(g.port)))
  end)

  it("cuts what is left after the drain limit", function()
    local g = t.gateway("gate.process { drain = 0.3 }\n" .. HELLO)
    local busy = g:connect()
    busy:send(t.client.request_text "/slow?s=300")
    t.wait_for("the request", function() return g:status "requests_active" == "1" end)
    g:signal "TERM"
    assert.equal(0, g:wait())
    assert.is_nil((busy:receive_response()))
  end)

  for _, supervised in ipairs { true, false } do
    it("ends at once on a second signal, supervised: " .. tostring(supervised), function()
      local g = t.gateway("gate.process { drain = 300 }\n" .. HELLO,
        { supervised = supervised, args = { "--workers", "2" } })
      local busy = g:connect()
      busy:send(t.client.request_text "/slow?s=300")
      t.wait_for("the request", function() return g:status "requests_active" == "1" end)
      g:signal "INT"
      t.wait_for("the drain", function() return g:stderr():find "draining" end)
      g:signal "TERM"
      assert.equal(0, g:wait())
      assert.not_matches("crash", g:stderr())
    end)
  end

  it("goes on without its supervisor, and then ends on SIGTERM", function()
    local g = t.gateway(HELLO, { supervised = true })
    local pid = g:engine()
    g:signal "KILL"
    g:wait()
    t.wait_for("the engine to notice", function()
      return g:stderr():find "the supervisor is gone"
    end)
    assert.equal("hello\n", g:get("/hello").body)
    assert.is_true(t.process.kill(pid, "TERM"))
    t.wait_for("its end", function() return not t.process.kill(pid, "CONT") end)
  end)

  it("leaves signals of the whole group to the supervisor", function()
    local g = t.gateway(HELLO, { supervised = true })
    local pid = g:engine()
    for _, name in ipairs { "TERM", "INT", "QUIT", "HUP", "USR1" } do t.process.kill(pid, name) end
    assert.equal("hello\n", g:get("/hello").body)
    assert.equal(pid, g:engine())
    assert.equal("1", g:status "generation")
  end)

  -- A new engine needs them only when it cannot serve again what served: here its log has no place.
  it("waits with an engine until files that are broken are right again", function()
    local dir = t.folder()
    os.execute("mkdir " .. dir .. "/logs")
    local g = t.gateway(('gate.process { access_log = "%s/logs/access" }\n'):format(dir) .. HELLO,
      { supervised = true })
    os.execute("rm -r " .. dir .. "/logs")
    g:rewrite "gate.lisen {}"
    t.process.kill(g:engine(), "KILL")
    t.wait_for("a second mistake", function()
      return g:stderr():find("lisen.*lisen")
    end)
    local c = g:connect() -- the sockets stay open
    g:rewrite(HELLO)
    c:send(t.client.request_text "/hello")
    assert.equal("hello\n", c:receive_response().body)
  end)

  -- Whichever descriptor of a worker's loop is the one too many.
  it("says that there are not enough descriptors for its workers", function()
    local file = t.file("local gate = require \"moongate\"\n" .. HELLO)
    for limit = 40, 41 do
      local limited = { "sh", "-c", ("ulimit -n %d; exec \"$@\""):format(limit), "sh" }
      local run = t.run({ "run", "--workers", "64", file }, { wrap = limited })
      assert.equal(1, run.status)
      assert.truthy(run.stderr:find(
        "cannot start the workers: Too many open files; raise the limit", 1, true))
    end
  end)

  it("makes room when descriptors run out", function()
    local g = t.gateway(HELLO, { wrap = { "sh", "-c", 'ulimit -n 64; exec "$@"', "sh" } })
    local clients = {}
    for i = 1, 100 do
      clients[i] = g:connect()
      clients[i]:send(t.client.request_text "/hello")
    end
    for i = 1, 100 do
      local res = clients[i]:receive_response()
      -- Over the limit of connections: closed without an answer.
      if res then assert.equal("hello\n", res.body) end
    end
    assert.equal("hello\n", g:get("/hello").body)
    assert.is_true(g:metric "moongate_accept_failures_total" > 0)
    for _, line in ipairs {
      "limits.connections of 64 may need 192 open files, and the limit is 64: raise it (ulimit -n",
      "cannot accept a connection: Too many open files; idle ones are closed to make room (limit",
    } do
      t.wait_for("the log line", function() return g:stderr():find(line, 1, true) end)
    end
  end)
end)
