-- covers: run/kept.c run/live.c run/bury.c run/cli_control.c run/explain.c
-- covers: admin/report_generations.c admin/report_routes.c admin/report_upstreams.c
-- covers: admin/report_top.c
local json = require "moongate.json"
local t = require "e2e.support"

local CLOCK = { "--workers", "1", "--test-clock" }

local function text(word, more)
  return ([[
    gate.listen { "127.0.0.1:0" }
    gate.route { name = "word", path = "/word", reply = { 200, "%s" } }
    gate.route { name = "slow", path = "/slow", handler = function(req)
      local ok, err = gate.sleep(tonumber(req.args.s or 30))
      return gate.reply(200, tostring(ok) .. " " .. (err and err.code or "") .. " %s "
        .. tostring(gate.exiting()))
    end }
    gate.process { drain = 55 }
    %s
  ]]):format(word, word, more or "")
end

local function run(g, ...)
  local args = { ... }
  table.insert(args, 2, "--socket")
  table.insert(args, 3, g.socket)
  return t.run(args, { seconds = 4 * t.patience })
end

local function reload(g, ...)
  g:rewrite(text(...))
  local out = run(g, "reload")
  assert.equal(0, out.status, out.stderr)
end

local function list(g)
  return json.decode(run(g, "generations", "--json").stdout)
end

--- A connection with a request that is inside the gateway.
local function busy(g, path)
  local before = tonumber(g:status "requests")
  local c = g:connect()
  c:send(t.client.request_text(path or "/slow"))
  t.wait_for("the request", function() return tonumber(g:status "requests") > before end)
  return c
end

local function alone(g)
  t.wait_for("old generations to end", function() return g:status "live_generations" == "1" end)
end

describe("generations", function()
  after_each(t.cleanup)

  it("are listed with what they hold", function()
    local g = t.gateway(text "one", { args = CLOCK })
    local c = busy(g, "/slow?s=50")
    reload(g, "two")
    local all = list(g).generations
    assert.equal(2, #all)
    assert.same({ 2, "serves", 0 }, { all[1].number, all[1].state, all[1].active })
    assert.same({ 1, "ends", 1 }, { all[2].number, all[2].state, all[2].active })
    assert.is_true(all[1].hash ~= all[2].hash and #all[1].hash == 16)
    assert.is_true(all[2].age >= all[1].age and all[1].memory > 50000)
    local table_text = run(g, "generations").stdout
    assert.matches("^GENERATION  STATE ", table_text)
    assert.matches("\n2           serves  %x+  %d+%.%d s +0 ", table_text)
    assert.matches("rollback can bring back: 1\n", table_text, 1, true)
    g:advance(51)
    assert.equal("true  one true", c:receive_response().body)
    alone(g)
  end)

  it("roll back to what served before, and to any that is kept", function()
    local g = t.gateway(text "one", { supervised = true, args = { "--workers", "2" } })
    assert.matches("no earlier bundle", run(g, "rollback").stderr, 1, true)
    reload(g, "two")
    reload(g, "three")
    assert.equal("generation 4 serves, as generation 2 did\n", run(g, "rollback").stdout)
    assert.equal("two", g:get("/word").body)
    assert.equal("generation 5 serves, as generation 1 did\n", run(g, "rollback", "1").stdout)
    assert.equal("one", g:get("/word").body)
    -- The file still says three.
    assert.equal(0, run(g, "reload").status)
    assert.equal("three", g:get("/word").body)
    local out = run(g, "rollback", "99")
    assert.equal(1, out.status)
    assert.matches("the bundle of that generation is not kept", out.stderr, 1, true)
    assert.equal("three", g:get("/word").body)
  end)

  it("bring modules and data back with the file, whatever the disk says by now", function()
    local source = [[gate.listen { "127.0.0.1:0" }
      gate.route { path = "/word", reply = { 200, require "words" .. gate.data("d").x } }]]
    local g = t.gateway(source, { files = { ["words.lua"] = 'return "old "',
      ["d.json"] = '{"x": "data"}' } })
    t.write(g.dir .. "/words.lua", 'return "new "')
    t.write(g.dir .. "/d.json", '{"x": "text"}')
    assert.equal(0, run(g, "reload").status)
    assert.equal("new text", g:get("/word").body)
    os.remove(g.dir .. "/words.lua")
    os.remove(g.dir .. "/d.json")
    assert.equal(0, run(g, "rollback").status)
    assert.equal("old data", g:get("/word").body)
  end)

  it("have the modules that a function asks for when it is called", function()
    local source = [[gate.listen { "127.0.0.1:0" }
      gate.route { path = "/word", handler = function()
        return gate.reply(200, require("words"):rep(2) .. require "bit".bor(1, 2))
      end }]]
    local g = t.gateway(source, { files = { ["words.lua"] = 'return require "half"',
      ["half.lua"] = 'half = "old" return half' } })
    assert.equal(500, g:get("/word").status)
    t.write(g.dir .. "/half.lua", 'return "new "')
    assert.equal(0, run(g, "reload").status)
    assert.equal("new new 3", g:get("/word").body)
    os.remove(g.dir .. "/half.lua")
    assert.equal("new new 3", g:get("/word").body)
  end)

  it("keep the last five bundles", function()
    local g = t.gateway(text "1")
    for i = 2, 8 do reload(g, tostring(i)) end
    local kept = {}
    for i, k in ipairs(list(g).kept) do kept[i] = k.number end
    assert.same({ 8, 7, 6, 5, 4, 3 }, kept)
    assert.equal(1, run(g, "rollback", "2").status)
    assert.equal(0, run(g, "rollback", "3").status)
    assert.equal("3", g:get("/word").body)
  end)

  it("end the waits of scripts after the drain limit", function()
    local g = t.gateway(text "one", { args = CLOCK })
    local c = busy(g, "/slow?s=59")
    reload(g, "two")
    assert.equal("2", g:status "live_generations")
    g:advance(25)
    assert.equal("2", g:status "live_generations")
    g:advance(31)
    assert.equal("nil exiting one true", c:receive_response().body)
    alone(g)
    -- Those of the generation that serves go on.
    assert.equal("true  two false", g:get("/slow?s=0").body)
  end)

  it("live as long as what was spawned in them", function()
    local g = t.gateway(text("one", [[gate.route { path = "/spawn", handler = function()
      gate.spawn(function() gate.sleep(20) gate.log.info "spawned and done" end)
      return gate.reply(200)
    end }]]), { args = CLOCK })
    assert.equal(200, g:get("/spawn").status)
    reload(g, "two")
    g:advance(10)
    assert.equal("2", g:status "live_generations")
    g:advance(11)
    t.wait_for("its end", function() return g:stderr():find "spawned and done" end)
    alone(g)
  end)

  it("that waits again and again ends, too", function()
    local g = t.gateway(text("one", [[gate.route { path = "/loop", handler = function()
      local n = 0
      repeat n = n + 1 local ok = gate.sleep(59) until not ok and n > 3
      return gate.reply(200, "ended " .. n)
    end }]]), { args = CLOCK })
    local c = busy(g, "/loop")
    reload(g, "two")
    g:advance(56)
    assert.equal("ended 4", c:receive_response().body)
    alone(g)
  end)

  it("are eight at most: the oldest has to end", function()
    local g = t.gateway(text "0")
    local clients = {}
    for i = 1, 9 do
      clients[i] = busy(g)
      reload(g, tostring(i))
    end
    assert.is_true(clients[1]:is_closed())
    t.wait_for("eight", function() return g:status "live_generations" == "8" end)
    t.wait_for("the line", function() return g:stderr():find "generation 1 has to end" end)
    assert.equal("9", g:get("/word").body)
    assert.is_false(clients[9]:is_closed(0))
  end)

  -- AddressSanitizer keeps what is freed for a while.
  local plain = (os.getenv "MOONGATE_SANITIZE" or "none") == "none"
  ;(plain and it or pending)("give their memory back", function()
    local filler = 'local t = {} for i = 1, 30000 do t[i] = { i } end gate.on.request(function() '
      .. 'return t[0] end)'
    local g = t.gateway(text("one", filler))
    local function rss()
      local kb = t.read("/proc/" .. g.process.pid .. "/status"):match "VmRSS:%s+(%d+)"
      return tonumber(kb)
    end
    for i = 1, 5 do reload(g, "warm " .. i, filler) end
    alone(g)
    local before = rss()
    for i = 1, 30 do reload(g, "round " .. i, filler) end
    alone(g)
    -- One VM of this gateway is some 4 MiB: thirty that were kept would be seen.
    t.wait_for("the memory", function() return rss() < before + 15000 end)
  end)
end)

describe("data that changes alone", function()
  after_each(t.cleanup)

  local source = [[
    gate.listen { "127.0.0.1:0" }
    gate.upstreams(gate.data "servers")
    gate.routes(gate.data "routes")
    local n = 0
    gate.route { name = "count", path = "/count", handler = function()
      n = n + 1
      return gate.reply(200, tostring(n))
    end }
    gate.route { name = "to", path = "/to", handler = function(req)
      return gate.upstreams.get(req.args.u) or gate.reply(404, "none")
    end }
    gate.on.response(function(req, res)
      res.headers["x-up"] = req.upstream and req.upstream.name or "-"
      res.headers["x-route"] = req.route
    end)
  ]]

  local function files(servers, routes)
    return { ["servers.json"] = json.encode(servers), ["routes.json"] = json.encode(routes) }
  end

  local function put(g, servers, routes)
    for name, content in pairs(files(servers, routes)) do t.write(g.dir .. "/" .. name, content) end
    local out = run(g, "reload")
    assert.equal(0, out.status, out.stderr)
  end

  it("keeps the VMs", function()
    local o = t.origin(function(c, req) c:reply(200, "origin " .. req.target) end)
    local a = { name = "a", servers = { o.address } }
    local b = { name = "b", servers = { o.address } }
    local c = { name = "c", servers = { o.address } }
    local g = t.gateway(source, { args = { "--workers", "1" }, files = files({ a, b },
      { { path = "/a", upstream = "a" } }) })
    assert.equal("1", g:get("/count").body)
    assert.equal("a", g:get("/a").headers["x-up"])
    assert.equal("b", g:get("/to?u=b").headers["x-up"])
    put(g, { c, b }, { { path = "/x", reply = { 200, "x" } }, { path = "/c", upstream = "c" },
      { path = "/b", upstream = "b" } })
    assert.equal("2", g:status "generation")
    assert.equal("2", g:get("/count").body) -- the same VM
    assert.equal("x", g:get("/x").body)
    assert.equal(404, g:get("/a").status)
    for _, name in ipairs { "b", "c" } do
      assert.equal(name, g:get("/" .. name).headers["x-up"])
      assert.equal("/" .. name, g:get("/" .. name).headers["x-route"])
      local res = g:get("/to?u=" .. name)
      assert.equal(name, res.headers["x-up"])
      assert.equal("origin /to?u=" .. name, res.body)
    end
    assert.equal("none", g:get("/to?u=a").body)
    put(g, { a }, { { path = "/a", upstream = "a" } })
    assert.equal("3", g:get("/count").body)
    assert.equal("a", g:get("/a").headers["x-up"])
    assert.equal("a", g:get("/to?u=a").headers["x-up"])
    alone(g)
    assert.equal(5, g:metric 'moongate_policy_calls_total{policy="to",hook="handler"}')
    assert.equal(3, g:metric 'moongate_policy_calls_total{policy="count",hook="handler"}')
  end)

  it("keeps functions of routes and upstreams", function()
    local o = t.origin()
    local more = ([[
      gate.upstream("code", { servers = { "127.0.0.1:1", "%s" },
        balance = function(req, peers) return peers.all[2] end })
      gate.route { name = "when", path = "/f", upstream = "code",
        when = function(req) return req.args.x == "1" end }
    ]]):format(o.address)
    local g = t.gateway(source .. more, { files = files({}, {}) })
    assert.equal("1", g:get("/count").body)
    put(g, { { name = "n", servers = { o.address } } }, { { path = "/a", reply = { 200, "a" } },
      { path = "/b", upstream = "n" } })
    for _ = 1, 3 do assert.equal("code", g:get("/f?x=1").headers["x-up"]) end
    assert.equal(404, g:get("/f?x=2").status)
    assert.equal(200, g:get("/b").status)
    assert.equal("2", g:get("/count").body)
  end)

  it("keeps them under requests of the older data", function()
    local o = t.origin()
    local up = { name = "a", servers = { o.address } }
    local more = [[
      local go = false
      gate.on.request(function(req)
        while req.args.wait and not go do gate.sleep(0.005) end
        go = go or req.args.go ~= nil
      end)
    ]]
    local g = t.gateway(source .. more, { files = files({ up },
      { { path = "/a", upstream = "a" } }) })
    local c = busy(g, "/a?wait=1")
    put(g, { { name = "z", servers = { o.address } }, up }, { { path = "/z", upstream = "z" },
      { path = "/y", upstream = "a" } })
    assert.equal("2", g:status "live_generations")
    assert.equal("z", g:get("/z?go=1").headers["x-up"])
    local res = c:receive_response()
    assert.same({ 200, "a", "/a" }, { res.status, res.headers["x-up"], res.headers["x-route"] })
    alone(g)
    assert.equal("1", g:get("/count").body)
  end)

  it("makes new VMs when the code has looked at the data", function()
    for _, use in ipairs {
      'local d = gate.data "routes" gate.routes(d)',
      'gate.routes(gate.data "routes") local other = gate.data "routes"',
      'for _, r in ipairs(gate.data "routes") do gate.route(r) end',
    } do
      local g = t.gateway((source:gsub('gate.routes%(gate.data "routes"%)', use)),
        { files = files({}, { { path = "/a", reply = { 200, "a" } } }) })
      assert.equal("1", g:get("/count").body)
      put(g, {}, { { path = "/b", reply = { 200, "b" } } })
      assert.equal("b", g:get("/b").body)
      assert.equal("1", g:get("/count").body, use)
      g:stop()
    end
  end)

  it("makes new VMs when code changes with it, or nothing has", function()
    local g = t.gateway(source, { files = files({}, {}) })
    assert.equal("1", g:get("/count").body)
    assert.equal(0, run(g, "reload").status)
    assert.equal("1", g:get("/count").body)
    t.write(g.dir .. "/routes.json", '[{"path": "/n", "reply": [200, "n"]}]')
    g:rewrite(source .. "\n-- changed")
    assert.equal(0, run(g, "reload").status)
    assert.equal("1", g:get("/count").body)
  end)

  it("makes new VMs once very many names of upstreams have gone", function()
    local o = t.origin(function(c) c:reply(200, "origin") end)
    local function servers(round)
      local all = {}
      for i = 1, 1000 do
        all[i] = { name = ("r%d-%d"):format(round, i), servers = { o.address } }
      end
      return all
    end
    local g = t.gateway(source, { args = { "--workers", "1" }, files = files(servers(0), {}) })
    local before, anew = 0, {}
    for round = 1, 9 do
      put(g, servers(round), {})
      assert.equal("origin", g:get("/to?u=r" .. round .. "-1000").body)
      assert.equal("none", g:get("/to?u=r" .. round - 1 .. "-1000").body)
      local count = tonumber(g:get("/count").body)
      if count <= before then anew[#anew + 1] = round end
      before = count
    end
    -- The fourth change finds 4,000 names, where 3,000 are the most.
    assert.same({ 4, 8 }, anew)
  end)

  it("is refused whole when it is wrong, with file and pointer", function()
    local g = t.gateway(source, { files = files({}, { { path = "/a", reply = { 200, "a" } } }) })
    t.write(g.dir .. "/routes.json", '[{"path": "/b", "upstrem": "x"}, {"path": "c"}]')
    local out = run(g, "reload")
    assert.equal(1, out.status)
    assert.matches("routes.json /0/upstrem: ", out.stderr, 1, true)
    local _, lines = out.stderr:gsub("\n", "")
    assert.is_true(lines > 1)
    t.wait_for("the log line", function() -- has the first of them
      return g:stderr():find("reload refused, generation 1 goes on: routes.json /0", 1, true)
        and g:stderr():find(("(and %d more: see moongate generations)"):format(lines - 1), 1, true)
    end)
    assert.equal("a", g:get("/a").body)
    assert.equal("1", g:get("/count").body)
  end)

  it("comes from --data too", function()
    local other = t.file('[{"path": "/o", "reply": [200, "first"]}]', "other.json")
    local g = t.gateway(source, { args = { "--workers", "1", "--data", "routes=" .. other },
      files = { ["servers.json"] = "[]" }, watch = true })
    assert.equal("1", g:get("/count").body)
    assert.equal("first", g:get("/o").body)
    t.write(other, '[{"path": "/o", "reply": [200, "second"]}]')
    t.wait_for("the change", function() return g:get("/o").body == "second" end)
    assert.equal("2", g:get("/count").body)
  end)
end)

describe("bad files", function()
  after_each(t.cleanup)

  local cases = {
    { "a syntax error", "gate.listen {", "gateway.lua:%d+: " },
    { "an endless loop", "gate.limits { load_time = 0.3 } while true do end",
      "ran longer than load_time" },
    { "a table of a gigabyte", 'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end',
      "gateway.lua.* memory" },
    { "other declarations every time",
      'gate.listen { "127.0.0.1:0" } gate.route { path = "/" .. math.random(), handler = print }',
      "declared different things" },
  }
  for _, case in ipairs(cases) do
    it("with " .. case[1] .. " change nothing", function()
      local g = t.gateway(text "one", { args = { "--workers", "2" } })
      local c = g:connect()
      g:rewrite(case[2])
      local out = t.run({ "reload", "--socket", g.socket }, { seconds = t.patience * 3 })
      assert.equal(1, out.status)
      assert.matches(case[3], out.stderr)
      assert.matches(case[3], run(g, "generations").stdout)
      assert.is_truthy(json.decode(g:status()).last_reload.error:find(case[3]))
      assert.equal("1", g:status "generation")
      c:send(t.client.request_text "/word")
      assert.equal("one", c:receive_response().body)
    end)
  end
end)

describe("a gateway that runs tells", function()
  after_each(t.cleanup)

  it("its routes, and which one wins", function()
    local g = t.gateway(text "one")
    g:get "/word"
    g:get "/word"
    t.wait_for("both", function()
      return g:metric 'moongate_requests_total{route="word",class="2xx"}' == 2
    end)
    -- The file says something else by now.
    g:rewrite "oops"
    local out = run(g, "routes", "--live").stdout
    assert.matches("^ROUTE +HOST +PATH +METHODS +ACTION +REQUESTS +5XX\n", out)
    assert.matches("\nword +%* +/word +%* +reply 200 +2 +0\n", out)
    assert.matches("^word", run(g, "routes", "--live", "GET", "/word").stdout)
    local routes = json.decode(run(g, "routes", "--live", "--json").stdout).routes
    assert.equal(2, #routes)
    assert.equal("/word", routes[1].path == "/slow" and routes[2].path or routes[1].path)
  end)

  it("its upstreams", function()
    local o = t.origin()
    local g = t.gateway(text("one", ([[gate.route { path = "/up",
      upstream = gate.upstream("o", { servers = { "%s", "127.0.0.1:1" } }) }
      gate.upstream("lost", { servers = { "nowhere.invalid:80" } })]]):format(o.address)))
    for _ = 1, 4 do g:get "/up" end
    t.wait_for("the last one's end", function() return g:status "requests_active" == "0" end)
    local out = run(g, "upstreams").stdout
    assert.matches("^UPSTREAM +ADDRESS +STATE +ACTIVE +CONNECTIONS +STREAMS +REQUESTS +FAILURES\n",
      out)
    assert.matches("\no +" .. o.address:gsub("%p", "%%%0") .. " +up +0 +%d+ +0 +4 +0\n", out)
    assert.matches("\no +127%.0%.0%.1:1 +%a[%a ]- +0 +0 +0 +%d+ +[1-9]%d*\n", out)
    local up = json.decode(run(g, "upstreams", "--json").stdout).upstreams
    assert.equal("o", up[1].name)
    local states = {}
    for i, peer in ipairs(up[1].peers) do states[i] = peer.state end
    assert.same({ "up", "up" }, states)
    for _ = 1, 4 do g:get "/up" end
    out = run(g, "upstreams").stdout
    assert.matches("\no +127%.0%.0%.1:1 +left out +0 ", out)
    assert.matches("\nlost +none +no address +%- ", out)
    up = json.decode(run(g, "upstreams", "--json").stdout).upstreams
    assert.equal("left out", up[1].peers[2].state)
  end)

  it("what its hooks cost", function()
    local g = t.gateway(text("one", [[
      gate.use { name = "first", request = function(req)
        if req.args.stop then return gate.reply(200, "stopped") end
      end }
      gate.use { name = "second", request = function(req)
        if req.args.err then error "oops" end
        if req.args.spin then while true do end end
        local x = 0
        for i = 1, tonumber(req.args.work or 0) do x = x + i % 7 end
      end, on_error = "open" }
    ]]), { args = { "--workers", "2" } })
    for _ = 1, 5 do g:get "/word" end
    for _ = 1, 3 do g:get "/word?stop=1" end
    g:get "/word?err=1"
    g:get "/word?spin=1"
    local function metric(name, policy)
      return g:metric(('moongate_policy_%s{policy="%s",hook="request"}'):format(name, policy))
    end
    assert.equal(10, metric("calls_total", "first"))
    assert.equal(7, metric("calls_total", "second"))
    assert.equal(1, metric("errors_total", "second"))
    assert.equal(1, metric("kills_total", "second"))
    assert.equal(0, metric("errors_total", "first"))
    -- The kill took its budget of 50 ms.
    assert.is_true(metric("cpu_seconds_total", "second") >= 0.02)
    local out = run(g, "top")
    assert.equal(0, out.status)
    assert.matches("^WORKER +CPU +REQUESTS/S +CONNECTIONS +VM MEMORY +VM LIMIT\n0 ", out.stdout)
    assert.matches("\nsecond +request +[%d.]+ %% +[%d.]+ +[%d.]+ +[%d.]+ +7 +1 +1 +0\n", out.stdout)
    local top = json.decode(run(g, "top", "--json").stdout)
    assert.equal(2, #top.workers)
    assert.is_true(top.seconds > 0)
    -- The numbers outlive the VMs that counted.
    reload(g, "two")
    alone(g)
    assert.equal(10, metric("calls_total", "first"))
    assert.equal(1, metric("kills_total", "second"))
  end)

  it("what happens between two looks, unless the first was long ago", function()
    local g = t.gateway(text "one", { args = CLOCK })
    local function seconds() return json.decode(g:control("/top").body).seconds end
    g:advance(3000)
    assert.is_true(seconds() >= 3000)
    g:advance(2)
    local since = seconds()
    assert.is_true(since >= 2 and since < 3000)
    g:advance(100)
    assert.is_true(seconds() >= 3102)
  end)

  it("on a terminal what its hooks cost, anew every other second", function()
    local g = t.gateway(text "one")
    local terminal = t.terminal()
    local top = t.process.start({ t.binary, "top", "--socket", g.socket },
      { stdout = terminal.path, stderr = g.dir .. "/top" })
    local function page(n)
      local pages = 0
      for one in (terminal:read() .. "\27[H\27[2J"):gmatch "(.-)\27%[H\27%[2J" do
        pages = pages + 1
        if pages == n and one:find "POLICY.*\n" then return one end
      end
    end
    assert.matches("^WORKER", t.wait_for("the first page", function() return page(1) end))
    g:get "/word"
    t.wait_for("a page with another request", function() return page(2) end)
    local last = t.wait_for("a third page", function() return page(3) end)
    assert.matches("^WORKER +CPU +REQUESTS/S +CONNECTIONS +VM MEMORY +VM LIMIT\r\n0 ", last)
    -- It ends with the gateway.
    g:signal "TERM"
    assert.equal(0, g:wait())
    assert.equal(1, top:wait(t.patience))
    assert.matches("no gateway answers", t.read(g.dir .. "/top"))
  end)

  it("says so when nobody answers", function()
    for _, command in ipairs { "rollback", "generations", "upstreams", "top" } do
      local out = t.run { command, "--socket", "/nowhere/at/all" }
      assert.equal(1, out.status)
      assert.matches("no gateway answers at /nowhere/at/all", out.stderr, 1, true)
    end
  end)
end)
