-- covers: run/control_admin.c admin/server.c admin/api.c admin/report_status.c
-- covers: admin/report_metrics.c
local json = require "moongate.json"
local t = require "e2e.support"

local TEXT = [[
gate.listen { "127.0.0.1:0" }
gate.route { name = "hello", path = "/hello", reply = { 200, "hello\n" } }
gate.route { name = "bad", path = "/bad", handler = function() error "oops" end }
gate.route { name = "spin", path = "/spin", handler = function() while true do end end }
]]

describe("control socket", function()
  after_each(t.cleanup)

  it("is for its owner alone, and goes with the gateway", function()
    local g = t.gateway(TEXT)
    local pipe = io.popen("stat -c %a " .. g.socket)
    assert.equal("600\n", pipe:read "*a")
    pipe:close()
    g:signal "TERM"
    g:wait()
    assert.is_nil(io.open(g.socket))
  end)

  it("tells the status", function()
    local g = t.gateway(TEXT, { args = { "--workers", "2" } })
    for _ = 1, 3 do g:get "/hello" end
    local status = t.wait_for("three ended requests", function()
      local s = json.decode(g:status())
      return s.requests == 3 and s.connections == 0 and s
    end)
    assert.equal(1, status.generation)
    assert.equal(2, #status.workers)
    assert.is_true(status.workers[1].alive and status.workers[2].alive)
    assert.equal(3, status.connections_accepted)
    assert.equal(0, status.requests_active)
    assert.is_false(status.draining)
    assert.same({ "127.0.0.1:" .. g.port }, status.listening)
    assert.equal(0, status.reloads)
    assert.is_true(status.uptime >= 0)
  end)

  it("tells metrics by route, peer and reason", function()
    local o = t.origin()
    local g = t.gateway(([[
      local o = gate.upstream("o", { servers = { "%s" } })
      gate.route { name = "up", path = "/up", upstream = o }
    ]]):format(o.address) .. TEXT)
    g:get "/hello"
    g:get "/hello"
    g:get "/none"
    g:get "/bad"
    g:get "/spin"
    g:get "/up"
    local c = g:connect()
    c:send "GET / HTTP/1.1\r\n\r\n"
    assert.equal(400, c:receive_response().status)
    assert.is_true(c:is_closed())
    c = g:connect()
    c:send "GET / HTTP/2.0\r\nHost: x\r\n\r\n"
    assert.equal(505, c:receive_response().status)
    assert.is_true(c:is_closed())
    t.wait_for("closed connections", function()
      return g:metric "moongate_client_connections" == 0
    end)
    local expected = {
      ['moongate_requests_total{route="hello",class="2xx"}'] = 2,
      ['moongate_requests_total{route="",class="4xx"}'] = 2, -- no route, and a refused head
      ['moongate_requests_total{route="",class="5xx"}'] = 1,
      ['moongate_requests_total{route="bad",class="5xx"}'] = 1,
      ['moongate_requests_total{route="spin",class="5xx"}'] = 1,
      ['moongate_requests_total{route="up",class="2xx"}'] = 1,
      ['moongate_upstream_requests_total{upstream="o",peer="' .. o.address .. '"}'] = 1,
      ['moongate_upstream_up{upstream="o",peer="' .. o.address .. '"}'] = 1,
      ['moongate_connections_closed_total{reason="bad_request"}'] = 2,
      moongate_requests_bad_total = 2,
      moongate_hook_errors_total = 1,
      moongate_hook_kills_total = 1,
      moongate_log_lines_dropped_total = 0,
      moongate_generation = 1,
    }
    for name, value in pairs(expected) do assert.equal(value, g:metric(name), name) end
    assert.is_true(g:metric 'moongate_vm_memory_bytes{worker="0"}' > 10000)
  end)

  it("gives metrics that a parser can read", function()
    local body = t.gateway(TEXT):control("/metrics").body
    local seen, family = {}, nil
    for line in body:gmatch "[^\n]+" do
      local name = line:match "^# TYPE (%S+) %l+$"
      if name then
        assert.is_nil(seen[name], "twice: " .. name)
        seen[name] = true
        family = name
      elseif line:sub(1, 1) ~= "#" then
        assert.equal(family, line:match "^([%w_]+)[%s{]")
        assert.matches(" %d+%.?%d*$", line)
      else
        assert.matches("^# HELP %S+ %S", line)
      end
    end
    assert.equal("\n", body:sub(-1))
  end)

  it("refuses what it does not know", function()
    local g = t.gateway(TEXT)
    assert.equal(404, g:control("/nothing").status)
    local res = g:control("/reload")
    assert.equal(405, res.status)
    assert.equal("POST", res.headers.allow)
    assert.equal(405, g:control("/status", { method = "POST" }).status)
    assert.equal(409, g:control("/clock", { method = "POST", body = '{"advance_ms":1}' }).status)
    assert.equal(413, g:control("/clock", { method = "POST", body = ("x"):rep(2000) }).status)
    local c = g:connect(g.socket)
    c:send "nonsense\r\n\r\n"
    assert.equal(400, c:receive_response().status)
    c = g:connect(g.socket)
    c:send("GET /" .. ("a"):rep(9000))
    assert.is_true(c:receive_response().status >= 400)
    assert.equal(200, g:control("/status").status)
  end)

  it("takes a request byte by byte", function()
    local g = t.gateway(TEXT, { args = { "--test-clock" } })
    local c = g:connect(g.socket)
    for byte in ("POST /clock HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{\"advance_ms\": 1}")
      :gmatch "." do
      c:send(byte)
    end
    assert.equal(200, c:receive_response().status)
  end)

  it("moves the test clock of every worker", function()
    local g = t.gateway([[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/hour", handler = function()
        gate.sleep(3600)
        return gate.reply(200, "late\n")
      end }
    ]], { args = { "--test-clock", "--workers", "2" } })
    local c = g:connect()
    c:send(t.client.request_text "/hour")
    t.wait_for("the request", function() return g:status "requests_active" == "1" end)
    local res = g:control("/clock", { method = "POST", body = '{"advance_ms": 59000}' })
    assert.equal(200, res.status)
    -- A task may take a minute by default: it is over before its sleep is.
    g:control("/clock", { method = "POST", body = '{"advance_ms": 3600000}' })
    assert.equal(503, c:receive_response().status)
    assert.equal(400, g:control("/clock", { method = "POST", body = "{}" }).status)
  end)

  it("is left out when its place is taken, with a warning", function()
    local dir = t.folder()
    local first = t.gateway(TEXT, { socket = false, env = { XDG_RUNTIME_DIR = dir } })
    local file = first.file
    local second = t.gateway(nil, { socket = false, env = { XDG_RUNTIME_DIR = dir },
      args = { file } })
    assert.equal("hello\n", second:get("/hello").body)
    t.wait_for("the warning", function()
      return second:stderr():find("cannot listen on control socket", 1, true)
    end)
  end)

  it("must be had where it was asked for", function()
    local out = t.run { "run", t.file 'require("moongate").listen { "127.0.0.1:0" }', "--socket",
      "/nowhere/at/all" }
    assert.equal(2, out.status)
    assert.matches("moongate: cannot listen on control socket /nowhere/at/all", out.stderr, 1, true)
  end)
end)
