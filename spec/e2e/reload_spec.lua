-- covers: run/reload.c run/live.c run/builder.c run/resolver.c run/listen_set.c run/wire.c
-- covers: run/broker_local.c admin/route_totals.c exchange/tunnel_seat.c
local t = require "e2e.support"

local CLOCK = { "--workers", "1", "--test-clock" }

local function text(port, word, more)
  return ([[
    gate.listen { "127.0.0.1:%d" }
    gate.route { name = "word", path = "/word", reply = { 200, "%s" } }
    gate.route { name = "slow", path = "/slow", handler = function()
      gate.sleep(50)
      return gate.reply(200, "slow %s")
    end }
    %s
  ]]):format(port, word, word, more or "")
end

local function reload(g)
  return t.run({ "reload", "--socket", g.socket }, { seconds = 4 * t.patience })
end

describe("reload", function()
  after_each(t.cleanup)

  for _, way in ipairs { "command", "signal" } do
    it("serves the new text, by " .. way, function()
      local g = t.gateway(text(0, "one"), { supervised = true, args = { "--workers", "2" } })
      assert.equal("one", g:get("/word").body)
      g:rewrite(text(0, "two"))
      if way == "command" then
        assert.equal("generation 2 serves\n", reload(g).stdout)
      else
        g:signal "HUP"
        t.wait_for("generation 2", function() return g:status "generation" == "2" end)
      end
      for _ = 1, 8 do assert.equal("two", g:get("/word").body) end
      assert.equal("1", g:status "reloads")
    end)
  end

  it("lets requests end on the generation that they began with", function()
    local g = t.gateway(text(0, "one", "gate.process { drain = 55 }"), { args = CLOCK })
    local busy = g:connect()
    busy:send(t.client.request_text "/slow")
    t.wait_for("the request", function() return g:status "requests_active" == "1" end)
    g:rewrite(text(0, "two", "gate.process { drain = 55 }"))
    assert.equal(0, reload(g).status)
    assert.equal("2", g:status "live_generations")
    assert.equal("two", g:get("/word").body)
    g:advance(51)
    assert.equal("slow one", busy:receive_response().body)
    -- The same connection goes on with the new one.
    busy:send(t.client.request_text "/word")
    assert.equal("two", busy:receive_response().body)
    t.wait_for("the old one's end", function() return g:status "live_generations" == "1" end)
  end)

  it("keeps the upstreams of requests that are still under way", function()
    local o = t.origin()
    local function with(name)
      return ([[
        gate.listen { "127.0.0.1:0" }
        gate.process { drain = 55 }
        gate.route { path = "/", upstream = gate.upstream("%s", { servers = { "%s" } }) }
        gate.on.request(function(req) if req.args.s then gate.sleep(tonumber(req.args.s)) end end)
      ]]):format(name, o.address)
    end
    local g = t.gateway(with "before", { args = CLOCK })
    local busy = g:connect()
    busy:send(t.client.request_text "/?s=50")
    t.wait_for("the request", function() return g:status "requests_active" == "1" end)
    g:rewrite(with "after")
    assert.equal(0, reload(g).status)
    g:advance(51)
    assert.equal(200, busy:receive_response().status)
    assert.equal(200, g:get("/").status)
  end)

  it("refuses what is wrong, and changes nothing", function()
    local g = t.gateway(text(0, "one"), { supervised = true })
    g:rewrite(text(0, "two", "gate.rout { path = '/' }"))
    local out = reload(g)
    assert.equal(1, out.status)
    assert.matches("^gateway%.lua:%d+: [^\n]*rout", out.stderr)
    assert.equal("one", g:get("/word").body)
    assert.equal("1", g:status "generation")
    assert.equal("1", g:status "reloads_failed")
    assert.matches("rout", g:status(), 1, true)
    t.wait_for("the log line", function() return g:stderr():find "reload refused" end)
    -- And a file that is gone.
    os.remove(g.file)
    out = reload(g)
    assert.equal(1, out.status)
    assert.matches("No such file or directory", out.stderr, 1, true)
    assert.equal("one", g:get("/word").body)
    g:rewrite(text(0, "three"))
    assert.equal(0, reload(g).status)
    assert.equal("three", g:get("/word").body)
  end)

  it("keeps what all workers have counted of a server", function()
    local wait, go = t.gate()
    local o = t.origin(function(c)
      wait(c)
      c:reply(200, "o")
    end)
    local function declared(options)
      return ([[
        gate.listen { "127.0.0.1:0" }
        gate.route { path = "/", upstream = gate.upstream("o", { servers = { { "%s", %s } } }) }
      ]]):format(o.address, options)
    end
    local g = t.gateway(declared "weight = 1", { args = { "--workers", "3" } })
    local function of_peer(what)
      return g:metric(('moongate_upstream_%s{upstream="o",peer="%s"}'):format(what, o.address))
    end
    local busy = {}
    for i = 1, 12 do
      busy[i] = g:connect()
      busy[i]:send(t.client.request_text "/")
    end
    t.wait_for("the requests", function() return of_peer "active_requests" == 12 end)
    g:rewrite(declared "max_connections = 13")
    assert.equal(0, reload(g).status)
    assert.equal(12, of_peer "active_requests")
    assert.equal(12, of_peer "requests_total")
    busy[13] = g:connect()
    busy[13]:send(t.client.request_text "/")
    t.wait_for("the last place", function() return of_peer "active_requests" == 13 end)
    for _ = 1, 6 do assert.equal(503, g:get("/").status) end -- whoever of them is asked
    go()
    for _, c in ipairs(busy) do assert.equal("o", c:receive_response().body) end
    t.wait_for("their end", function() return of_peer "active_requests" == 0 end)
    assert.equal(13, of_peer "requests_total")
    assert.equal("o", g:get("/").body)
  end)

  it("refuses files that declare something else every time", function()
    local g = t.gateway(text(0, "one"), { args = { "--workers", "2" } })
    g:rewrite [[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/" .. tostring(math.random()), handler = function() end }
    ]]
    local out = reload(g)
    assert.equal(1, out.status)
    assert.matches("declared different things", out.stderr, 1, true)
    assert.equal("one", g:get("/word").body)
  end)

  for _, supervised in ipairs { true, false } do
    it("opens and closes addresses, all or none, supervised: " .. tostring(supervised), function()
      local g = t.gateway(text(0, "one"), { supervised = supervised,
        args = { "--workers", "2" } })
      local first, second = g.port, t.free_port()
      g:rewrite(text(second, "two"))
      assert.equal(0, reload(g).status)
      assert.equal("two", g:get("/word", { port = second }).body)
      t.wait_for("the first address to close", function()
        t.sleep(0.25) -- who comes keeps it open a little longer
        return not t.client.connect(first)
      end)
      -- One of the new addresses is taken: the other is not kept either.
      local taken = t.origin()
      local third = t.free_port()
      g:rewrite(('gate.listen { "127.0.0.1:%d" } gate.listen { "%s" }')
        :format(third, taken.address))
      local out = reload(g)
      assert.equal(1, out.status)
      assert.matches("cannot listen on " .. taken.address:gsub("%p", "%%%0"), out.stderr)
      assert.is_nil((t.client.connect(third)))
      assert.equal("two", g:get("/word", { port = second }).body)
    end)
  end

  it("keeps connections that wait in the queue of an address that goes", function()
    local g = t.gateway(text(0, "one"))
    local waiting = {}
    for i = 1, 20 do waiting[i] = g:connect() end
    g:rewrite(text(t.free_port(), "two"))
    assert.equal(0, reload(g).status)
    for _, c in ipairs(waiting) do
      c:send(t.client.request_text "/word")
      assert.equal("two", c:receive_response().body)
    end
  end)

  it("loses nothing under load", function()
    local g = t.gateway(text(0, "one"), { supervised = true, args = { "--workers", "2" } })
    local stop, clients = g.dir .. "/stop", {}
    for i = 1, 3 do
      clients[i] = t.process.fork(function()
        local c, n = g:connect(), 0
        while t.read(stop) == "" do
          c:send(t.client.request_text "/word")
          local res = assert(c:receive_response())
          assert(res.status == 200)
          n = n + 1
          if n % 50 == 0 then
            c:close()
            c = g:connect()
          end
        end
      end)
    end
    for round = 1, 30 do
      g:rewrite(text(0, "round " .. round, round % 4 == 0 and "oops(" or ""))
      assert.equal(round % 4 == 0 and 1 or 0, reload(g).status)
    end
    t.write(stop, "now")
    for _, client in ipairs(clients) do assert.equal(0, client:wait(t.patience)) end
    assert.is_true(g:metric "moongate_requests_begun_total" > 100)
    t.wait_for("old generations to end", function() return g:status "live_generations" == "1" end)
  end)

  it("counts on over generations", function()
    local g = t.gateway(text(0, "one"))
    g:get "/word"
    assert.equal(0, reload(g).status)
    g:get "/word"
    t.wait_for("both", function()
      return g:metric 'moongate_requests_total{route="word",class="2xx"}' == 2
    end)
  end)

  it("changes what is logged", function()
    local g = t.gateway('gate.process { access_log = "stdout" }\n' .. text(0, "one"))
    g:get "/word?first"
    g:rewrite("gate.process { access_log = false }\n" .. text(0, "two"))
    assert.equal(0, reload(g).status)
    g:get "/word?second"
    g:rewrite(('gate.process { access_log = "%s/file", access_format = "json" }\n')
      :format(g.dir) .. text(0, "three"))
    assert.equal(0, reload(g).status)
    g:get "/word?third"
    g:signal "TERM"
    assert.equal(0, g:wait())
    assert.matches("first", g:stdout(), 1, true)
    assert.is_nil(g:stdout():find "second")
    assert.matches('"target":"/word?third"', t.read(g.dir .. "/file"), 1, true)
  end)

  it("reads again for who asks while another load goes on", function()
    local g = t.gateway(text(0, "one"))
    local function ask()
      local c = t.connect(g.socket)
      c:send "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
      return c
    end
    g:rewrite(text(0, "two", "local from = os.clock() while os.clock() < from + 0.3 do end"))
    local first = ask()
    t.sleep(0.1) -- it has read the file, most likely; the outcome is the same if not
    g:rewrite(text(0, "three"))
    local second = ask()
    assert.equal(200, first:receive_response().status)
    assert.equal('{"ok":true,"message":"generation 3 serves"}\n', second:receive_response().body)
    assert.equal("three", g:get("/word").body)
  end)

  it("resolves names before it serves them", function()
    local o = t.origin()
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", upstream = gate.upstream("o", { servers = { "localhost:%d" } }) }
    ]]):format(o.port))
    assert.equal(200, g:get("/").status)
    assert.matches('upstream="o",peer="127.0.0.1:' .. o.port, g:control("/metrics").body, 1, true)
  end)

  it("changes limits and policies", function()
    local g = t.gateway(text(0, "one", "gate.limits { target_bytes = 1024 }"))
    local long = "/word?" .. ("x"):rep(600)
    assert.equal(200, g:get(long).status)
    g:rewrite(text(0, "two", [[gate.limits { target_bytes = 512 }
      gate.on.response(function(req, res) res.headers["x-policy"] = "new" end)]]))
    assert.equal(0, reload(g).status)
    assert.equal(414, g:get(long).status)
    assert.equal("new", g:get("/word").headers["x-policy"])
  end)

  it("keeps what is known of servers, and connections to them", function()
    local o = t.origin()
    local function with(word)
      return text(0, word, ([[gate.route { path = "/up",
        upstream = gate.upstream("o", { servers = { "%s", "127.0.0.1:1" } }) }]]):format(o.address))
    end
    local g = t.gateway(with "one")
    for _ = 1, 12 do assert.equal(200, g:get("/up").status) end
    local up = 'moongate_upstream_up{upstream="o",peer="127.0.0.1:1"}'
    assert.equal(0, g:metric(up))
    local opened = g:metric "moongate_upstream_connections_opened_total"
    g:rewrite(with "two")
    assert.equal(0, reload(g).status)
    assert.equal(0, g:metric(up))
    assert.equal(200, g:get("/up").status)
    assert.is_true(opened > 0)
    assert.equal(opened, g:metric "moongate_upstream_connections_opened_total")
  end)

  it("waits for connect hooks on the generation that they began with", function()
    local hook = 'gate.on.connect(function() gate.sleep("20s") end)'
    local g = t.gateway(text(0, "one", hook), { args = { "--workers", "1", "--test-clock" } })
    local c = g:connect()
    c:send(t.client.request_text "/word")
    t.wait_for("the hook", function() return g:metric "moongate_hook_calls_total" == 1 end)
    g:rewrite(text(0, "two"))
    assert.equal(0, reload(g).status)
    assert.equal("2", g:status "live_generations")
    g:advance(21)
    assert.equal("two", c:receive_response().body)
    t.wait_for("the old one's end", function() return g:status "live_generations" == "1" end)
  end)

  it("keeps no worker from its clients", function()
    local routes = {}
    for i = 1, 5000 do
      routes[i] = ('{"path": "/%d/:id", "host": "h%d.test", "reply": [200, "x"]}')
        :format(i, i % 100)
    end
    local data = "[" .. table.concat(routes, ",") .. "]"
    local policies = {}
    for i = 1, 200 do
      policies[i] = ('gate.route { path = "/p%d", handler = function() end }'):format(i)
    end
    local source = text(0, "one", 'gate.routes(gate.data "routes") '
      .. table.concat(policies, "\n"))
    --- The longest that a reload kept a worker: of the code, and of data alone.
    local function longest_stall()
      local g = t.gateway(source, { args = { "--workers", "2" },
        files = { ["routes.json"] = data } })
      t.write(g.dir .. "/routes.json", (data:gsub('"x"', '"y"')))
      assert.equal(0, reload(g).status)
      g:rewrite(source .. " -- changed")
      assert.equal(0, reload(g).status)
      t.wait_for("the old ones' end", function() return g:status "live_generations" == "1" end)
      local longest = 0
      for worker = 0, 1 do
        local stall = g:metric(('moongate_reload_stall_seconds{worker="%d"}'):format(worker))
        assert.is_true(stall > 0)
        longest = math.max(longest, stall)
      end
      g:stop()
      return longest
    end
    -- A machine that does other things may stop a worker at any time: once in a while it does not.
    t.wait_for("reloads that nobody feels", function() return longest_stall() < 0.002 * t.slow end)
  end)
end)

describe("reload and tunnels", function()
  after_each(t.cleanup)

  --- An origin that switches protocols, then sends back what it gets.
  local function echo()
    return t.origin(function(c, req)
      c:send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: "
        .. req.headers.upgrade .. "\r\n\r\n")
      while true do
        local line = c:receive_until "\n"
        if not line then return end
        c:send(line)
      end
    end)
  end

  local function with(o, word, more)
    return text(0, word, ([[gate.route { name = "tunnel", path = "/t",
      upstream = gate.upstream("%s", { servers = { "%s" } }) } %s]]):format(word, o.address,
      more or ""))
  end

  local function open(g)
    local c = g:connect()
    c:send("GET /t HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert.equal(101, c:receive_response().status)
    return c
  end

  local function say(c, words)
    c:send(words .. "\n")
    assert.equal(words .. "\n", c:receive(#words + 1))
  end

  it("lets the generation go, and counts and logs the tunnel all the same", function()
    local o = echo()
    local head = 'gate.process { access_log = "stdout", access_format = "json" } '
    local hook = 'gate.on.request(function(req) req.ctx.x = 1 end)'
    local g = t.gateway(head .. with(o, "one", hook))
    local c = open(g)
    say(c, "before")
    g:rewrite(head .. with(o, "two", hook))
    assert.equal(0, reload(g).status)
    t.wait_for("the old one's end", function() return g:status "live_generations" == "1" end)
    say(c, "after")
    c:close()
    t.wait_for("the count", function()
      return g:metric 'moongate_requests_total{route="tunnel",class="1xx"}' == 1
    end)
    t.wait_for("the line", function()
      return g:stdout():find('"route":"tunnel","upstream":"one"', 1, true)
    end)
  end)

  it("keeps it for the log hook", function()
    local o = echo()
    local function logging(word)
      return with(o, word, ([[gate.on.log(function(req, res)
        gate.log.info("end of " .. req.route .. " in %s", { status = res.status })
      end)]]):format(word))
    end
    local g = t.gateway(logging "one")
    local c = open(g)
    for i = 1, 9 do
      g:rewrite(logging("w" .. i))
      assert.equal(0, reload(g).status)
    end
    t.wait_for("those between", function() return g:status "live_generations" == "2" end)
    say(c, "still here")
    c:close()
    t.wait_for("the hook", function()
      return g:stderr():find("end of tunnel in one", 1, true)
    end)
    t.wait_for("the old one's end", function() return g:status "live_generations" == "1" end)
  end)
end)
