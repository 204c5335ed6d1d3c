-- covers: run/canary.c run/canary_fit.c admin/report_canary.c
local json = require "moongate.json"
local t = require "e2e.support"
local canary = require "e2e.support.canary"
local text, start, command, try, try_and_wait, tell, verdict, ask, answers, logs, alone =
  canary.text, canary.start, canary.command, canary.try, canary.try_and_wait, canary.tell,
  canary.verdict, canary.ask, canary.answers, canary.logs, canary.alone

describe("canary", function()
  after_each(t.cleanup)

  it("gets its share of requests, on kept and on new connections", function()
    local g = start(text "one")
    assert.equal(2, try(g, text "two", "--canary", "5%"))
    local got = ask(g, 2000)
    assert.is_true(math.abs(got.two - 100) <= 2, "of 2000: " .. got.two)
    assert.equal(2000, got.one + got.two)
    local fresh = 0
    for _ = 1, 200 do fresh = fresh + (g:get("/word").body == "two" and 1 or 0) end
    assert.is_true(math.abs(fresh - 10) <= 3, "of 200: " .. fresh)
    local c = tell(g)
    assert.same({ 2, "runs", false, 5, 60 }, { c.generation, c.state, c.over, c.share, c["for"] })
    assert.equal(2200, c.canary.requests + c.current.requests)
    assert.equal(got.two + fresh, c.canary.requests)
    assert.same({ 2, 1 }, { c.canary.generation, c.current.generation })
  end)

  it("gets half a percent, too, of all workers together", function()
    local g = start(text "one", { supervised = true, args = { "--workers", "2" } })
    try(g, text "two", "--canary", "0.5%")
    local got = 0
    for _ = 1, 8 do got = got + (ask(g, 500).two or 0) end
    assert.is_true(math.abs(got - 20) <= 4, "of 4000: " .. got)
  end)

  it("is promoted when its time is over and nothing has spoken against it", function()
    local g = start(text "one")
    local wait = try_and_wait(g, text "two", "--canary", "50%", "--for", "30s", "--abort-if",
      "errors > 1% or p99 > 5s")
    local got = ask(g, 1100)
    assert.equal("runs", tell(g).state)
    g:advance(31)
    local out = wait()
    assert.equal(0, out.status, out.stderr)
    assert.matches("generation 2 gets 50% of new requests for 30 s\n", out.stdout, 1, true)
    assert.matches("beside generation 1: promoted after 3%d.%d s: no condition held: errors > 1%%, "
      .. "p99 > 5s\n", out.stdout)
    assert.matches(("\n2           %d       0 (0.00%%)  0 (0.00%%)  0 (0.00%%)  "):format(got.two),
      out.stdout, 1, true)
    answers(g, "two")
    alone(g)
    logs(g, "canary: generation 2 gets 50% of new requests for 30 s, beside generation 1; "
      .. "withdrawn if errors > 1%, p99 > 5s")
    logs(g, ("canary promoted, generation 2 serves: no condition held: errors > 1%%, "
      .. "p99 > 5s; generation 2: %d requests, errors 0.00%%, faults 0.00%%, kills 0.00%%, p99 ")
      :format(got.two))
    logs(g, (" ms; generation 1: %d requests, errors 0.00%%, faults "):format(got.one))
    assert.equal("2", g:status "generation")
    assert.equal("1", g:status "reloads")
    assert.equal(1, g:metric 'moongate_canaries_total{verdict="promoted"}')
    assert.equal(0, g:metric "moongate_canary_share")
    -- What served before can come back.
    assert.equal("generation 3 serves, as generation 1 did\n",
      t.run({ "rollback", "--socket", g.socket }).stdout)
    answers(g, "one")
  end)

  it("is withdrawn as soon as a condition holds", function()
    local g = start(text("one", [[gate.route { path = "/x", reply = { 200, "fine" } }]]))
    local wait = try_and_wait(g, text("two", [[gate.route { path = "/x", reply = { 502, "" } }]]),
      "--canary", "50%", "--abort-if", "errors > 1%", "--abort-if", "kills > 0")
    local c = g:connect()
    ask(g, 980, "/word", c)
    local got = ask(g, 60, "/x", c)
    local out = wait()
    assert.equal(1, out.status)
    assert.matches(": withdrawn after %d+%.%d s: errors %d%.%d%d%% %(generation 1: 0%.00%%%), more "
      .. "than the condition errors > 1%% allows\n", out.stdout)
    assert.equal(30, got[502])
    answers(g, "one")
    alone(g)
    assert.equal("1", g:status "generation")
    assert.equal("0", g:status "reloads")
    logs(g, "canary withdrawn, generation 1 serves: errors ")
    assert.equal(1, g:metric 'moongate_canaries_total{verdict="withdrawn"}')
    assert.equal(30, g:metric 'moongate_canary_errors{side="canary"}')
    assert.equal(0, g:metric 'moongate_canary_errors{side="current"}')
    -- It is told of until there is another one.
    local list = t.run { "generations", "--socket", g.socket }
    assert.matches("\ncanary: generation 2 with 50% of new requests, beside generation 1: "
      .. "withdrawn after ", list.stdout, 1, true)
  end)

  -- What a canary does, and by which condition it goes. The one that serves does none of it.
  local bad = {
    { "faults, though the answers are good", "faults > 1%", [[
      gate.use { name = "shaky", on_error = "open", request = function() error "oops" end }]],
      "^faults 100%.00%%" },
    { "errors in log hooks", "faults > 1%", [[gate.on.log(function() error "oops" end)]],
      "^faults 100%.00%%" },
    { "scripts that are stopped, and then in quarantine", "kills > 5", [[
      gate.limits { hook_cpu = "10ms" }
      gate.use { name = "spin", on_error = "open", request = function() while true do end end }]],
      "^kills 5%d%d %(generation 1: 0%)" },
    { "lack of memory", "kills > 5%", [[
      gate.limits { vm_memory = "4m" }
      gate.on.request(function()
        local s = {} while true do s[#s + 1] = ("x"):rep(100000) .. #s end
      end)]], "^kills 100%.00%%" },
    { "hooks that wait", "p99 > 20ms", [[gate.on.request(function() gate.sleep("30ms") end)]],
      "^p99 %d+%.%d%d ms" },
    -- One turn of the loop sees such a request from its first to its last byte.
    { "hooks that take long", "p99 > 6ms", [[gate.on.request(function()
        local by = os.clock() + 0.008 while os.clock() < by do end end)]], "^p99 %d+%.%d%d ms" },
    { "answers that break off", "errors > 1%", [[gate.use { name = "cut", body = function()
        error "in the middle" end }]], "^errors 100%.00%%" },
    -- The last of them may not have failed yet.
    { "tasks beside requests", "faults > 1%", [[gate.on.request(function()
        gate.spawn(function() error "beside" end) end)]], "^faults [19]%d" },
  }

  --- A request on each of the connections, which are made anew when they end.
  local function round(g, conns)
    local request = t.client.request_text "/word"
    for i = 1, 20 do
      conns[i] = conns[i] or g:connect()
      conns[i]:send(request)
    end
    for i = 1, 20 do
      if not conns[i]:receive_response() then conns[i] = nil end
    end
  end

  for _, case in ipairs(bad) do
    local name, condition, more, why = unpack(case)
    it("goes for " .. name, function()
      local limits = more:match "gate%.limits %b{}" or ""
      local g = start(text("one", limits))
      try(g, text("two", more), "--canary", "50%", "--abort-if", condition)
      local conns = {}
      for _ = 1, 52 do round(g, conns) end
      local v = verdict(g)
      assert.equal("withdrawn", v.state)
      assert.matches(why, v.why)
      assert.is_true(v.canary.requests >= 500)
      assert.equal(0, v.current.errors + v.current.faults + v.current.kills)
      answers(g, "one")
    end)
  end

  it("goes for requests that never end", function()
    local function hangs(how)
      return ([[gate.route { path = "/hang", handler = function()
        gate.sleep(%s) return gate.reply(200, "") end }]]):format(how)
    end
    local g = start(text("one", hangs "0"))
    try(g, text("two", hangs "1000"), "--canary", "50%", "--abort-if", "p99 > 300ms")
    for _ = 1, 40 do g:connect():send(t.client.request_text "/hang") end
    ask(g, 1020)
    local v = verdict(g)
    assert.matches("^p99 %d+%.%d%d ms %(generation 1: %d+%.", v.why)
    assert.is_true(math.abs(tonumber(g:status "requests_active") - 20) <= 2)
  end)

  it("is withdrawn without conditions, too, when it is clearly worse", function()
    local g = start(text "one")
    local wait = try_and_wait(g, text("two", [[gate.on.request(function() error "oops" end)]]),
      "--canary", "50%")
    ask(g, 1040)
    local out = wait()
    assert.equal(1, out.status)
    assert.matches("more than the condition errors > +1% allows", out.stdout, 1, true)
  end)

  it("is not judged by what a client does", function()
    local g = start(text "one")
    try(g, text "two", "--canary", "50%", "--abort-if", "errors > 0 or faults > 0 or kills > 0")
    local got = ask(g, 1040, "/none")
    assert.same({ [404] = 1040 }, got)
    for _ = 1, 6 do
      local c = g:connect()
      c:send(t.client.request_text "/slow")
      t.wait_for("the request", function() return g:status "requests_active" == "1" end)
      c:close()
      t.wait_for("its end", function() return g:status "requests_active" == "0" end)
    end
    g:advance(61)
    assert.equal("promoted", verdict(g).state)
  end)

  it("is withdrawn when it has seen too few requests", function()
    local g = start(text "one")
    local wait = try_and_wait(g, text "two", "--canary", "10%")
    local got = ask(g, 400)
    g:advance(61)
    local out = wait()
    assert.equal(1, out.status)
    assert.matches(("it has seen only %d of the 500 requests that a verdict needs"):format(got.two),
      out.stdout, 1, true)
    answers(g, "one")
  end)

  local refused = {
    { "listeners", [[gate.listen { "127.0.0.1:0", trust = { "10.0.0.0/8" } }]],
      "gate.listen differs" },
    { "limits", [[gate.limits { body_bytes = "1m" }]], "gate.limits { body_bytes } differs" },
    { "addresses of outbound", [[gate.limits { outbound = { deny = { "10.0.0.0/8" } } }]],
      "gate.limits { outbound } differs" },
    { "the log", [[gate.process { access_format = "json" }]],
      "gate.process { access_format } differs" },
    { "mistakes", [[gate.route { pth = "/x" }]], "pth" },
  }
  for _, case in ipairs(refused) do
    it("is refused for other " .. case[1], function()
      local g = start(text "one")
      g:rewrite(text("two", case[2]):gsub("gate.process { drain = 25 }", case[1] == "the log" and ""
        or "%0"))
      local out = t.run(command(g, "--canary", "5%"))
      assert.equal(1, out.status)
      assert.matches(case[3], out.stderr, 1, true)
      logs(g, "canary refused, generation 1 goes on: ")
      assert.equal("1", g:status "live_generations")
      assert.same(json.null, tell(g))
      assert.equal(0, g:metric 'moongate_canaries_total{verdict="withdrawn"}')
      answers(g, "one")
    end)
  end

  it("needs files that differ from what serves", function()
    local g = start(text "one")
    local out = t.run(command(g, "--canary", "5%"))
    assert.equal(1, out.status)
    assert.equal("nothing to try: these files serve already\n", out.stderr)
    assert.equal("there has been no canary\n", g:control("/canary",
      { headers = { Accept = "text/plain" } }).body)
  end)

  it("tells mistakes of the command before anything is done", function()
    local g = start(text "one")
    g:rewrite(text "two")
    local mistakes = {
      { { "--canary", "5" }, '--canary "5": expected a share of the requests, such as 5% or 0.5%' },
      { { "--canary", "60%" }, "at most 50%" },
      { { "--canary", "5%", "--for", "soon" }, '--for "soon": expected a time such as 60s or 5m' },
      { { "--canary", "5%", "--abort-if", "errors > 1% and p99 > 5ms" },
        'at "and": expected "or", "," or the end' },
      { { "--for", "60s" }, "reload needs --canary" },
    }
    for _, m in ipairs(mistakes) do
      local out = t.run(command(g, unpack(m[1])))
      assert.equal(1, out.status)
      assert.matches(m[2], out.stderr, 1, true)
    end
    local res = g:control("/canary", { method = "POST", body = '{"share": "60%"}' })
    assert.equal(400, res.status)
    local answer = json.decode(res.body)
    assert.is_false(answer.ok)
    assert.matches('"60%": expected a share of at least', answer.message, 1, true)
    assert.equal("1", g:status "live_generations")
    answers(g, "one")
  end)

  it("goes on when whoever waits for it goes away", function()
    local g = start(text "one")
    local wait, p = try_and_wait(g, text "two", "--canary", "50%")
    p:signal "INT"
    assert.equal(2, wait().why)
    assert.is_true(ask(g, 1100).two > 500)
    g:advance(61)
    assert.equal("promoted", verdict(g).state)
    answers(g, "two")
  end)
end)
