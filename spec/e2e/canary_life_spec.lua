-- covers: run/wish.c run/live_upstreams.c run/live_oldest.c
local json = require "moongate.json"
local t = require "e2e.support"
local canary = require "e2e.support.canary"
local text, start, command, try, try_and_wait, tell, verdict, ask, answers, logs, reload, alone =
  canary.text, canary.start, canary.command, canary.try, canary.try_and_wait, canary.tell,
  canary.verdict, canary.ask, canary.answers, canary.logs, canary.reload, canary.alone

describe("a canary", function()
  after_each(t.cleanup)

  describe("that is replaced", function()
    it("by a reload of its own files lets them serve", function()
      local g = start(text "one")
      local wait = try_and_wait(g, text "two", "--canary", "5%")
      assert.equal("generation 3 serves\n", reload(g).stdout)
      local out = wait()
      assert.equal(1, out.status)
      assert.matches("withdrawn after %d+%.%d s: replaced by a reload\n", out.stdout)
      answers(g, "two")
      alone(g)
    end)

    it("by a signal, too", function()
      local g = start(text "one")
      try(g, text "two", "--canary", "5%")
      g:rewrite(text "three")
      g:signal "HUP"
      t.wait_for("generation 3", function() return g:status "generation" == "3" end)
      assert.equal("replaced by a reload", verdict(g).why)
      answers(g, "three")
    end)

    it("by a rollback is withdrawn, and nothing more", function()
      local g = start(text "zero")
      g:rewrite(text "one")
      assert.equal(0, reload(g).status)
      try(g, text "two", "--canary", "5%")
      local out = t.run { "rollback", "--socket", g.socket }
      assert.equal("the canary is withdrawn, generation 2 serves\n", out.stdout)
      assert.equal("rolled back", verdict(g).why)
      answers(g, "one")
      try(g, nil, "--canary", "5%")
      out = t.run { "rollback", "--socket", g.socket, "1" }
      assert.equal("generation 5 serves, as generation 1 did\n", out.stdout)
      answers(g, "zero")
      alone(g)
    end)

    it("by another one tells its own client", function()
      local g = start(text "one")
      local wait = try_and_wait(g, text "two", "--canary", "5%")
      assert.equal(3, try(g, text "three", "--canary", "50%"))
      local out = wait()
      assert.equal(1, out.status)
      -- Whether it looked before the next one had come, or behind it.
      assert.matches(out.stderr == "" and "replaced by a canary" or "no verdict: another canary",
        out.stdout .. out.stderr, 1, true)
      logs(g, "canary withdrawn, generation 1 serves: replaced by a canary")
      assert.is_nil(ask(g, 100).two)
      assert.equal("runs", tell(g).state)
    end)

    it("by a reload that is refused is withdrawn all the same", function()
      local g = start(text "one")
      try(g, text "two", "--canary", "5%")
      g:rewrite "oops("
      assert.equal(1, reload(g).status)
      assert.equal("replaced by a reload", verdict(g).why)
      answers(g, "one")
    end)
  end)

  describe("beside a watcher", function()
    --- A canary of files that a watcher has not seen yet: it waits until they are quiet.
    local function try_watched(g, source)
      return t.wait_for("a canary", function()
        g:rewrite(source)
        local res = g:control("/canary", { method = "POST", body = '{"share": "50%"}' })
        if res.status == 200 then return true end
        assert.matches("Files are watched, so that a save serves at once; with run --no-watch",
          res.body, 1, true)
        g:rewrite(text "one")
        t.wait_for("one", function() return g:get("/word").body == "one" end)
      end)
    end

    it("needs --no-watch, and says so", function()
      local g = start(text "one", { watch = true })
      g:rewrite(text "two")
      t.wait_for("two", function() return g:get("/word").body == "two" end)
      local out = t.run(command(g, "--canary", "5%"))
      assert.equal(1, out.status)
      assert.matches("Files are watched, so that a save serves at once; with run --no-watch it "
        .. "waits for a canary", out.stderr, 1, true)
    end)

    it("does not come to serve because its files are touched, on trial or withdrawn", function()
      local g = start(text "one", { watch = true })
      try_watched(g, text "two")
      local function touch()
        local _, before = g:stderr():gsub("the files were touched", "")
        g:rewrite(text "two")
        t.wait_for("the watcher", function()
          return select(2, g:stderr():gsub("the files were touched", "")) > before
        end)
      end
      touch()
      assert.equal("runs", tell(g).state)
      assert.equal(0, t.run({ "rollback", "--socket", g.socket }).status)
      assert.equal("withdrawn", verdict(g).state)
      touch()
      answers(g, "one")
      assert.equal(0, reload(g).status)
      answers(g, "two")
    end)

    it("is replaced by another save, but not by one that is wrong", function()
      local g = start(text "one", { watch = true })
      try_watched(g, text "two")
      g:rewrite "oops("
      t.wait_for("the refusal", function() return g:stderr():find "reload refused" end)
      assert.equal("runs", tell(g).state)
      g:rewrite(text "three")
      t.wait_for("three", function() return g:get("/word").body == "three" end)
      assert.equal("replaced by a change of the files", verdict(g).why)
      answers(g, "three")
    end)

    it("is withdrawn when its files are put back", function()
      local g = start(text "one", { watch = true })
      try_watched(g, text "two")
      g:rewrite(text "one")
      assert.equal("the files are again what serves", verdict(g).why)
      answers(g, "one")
    end)
  end)

  local function origin(name)
    return t.origin(function(c) c:reply(200, name) end)
  end

  local function with_upstream(o, more)
    return ([[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", upstream = gate.upstream("o", { servers = { "%s" } }) }
      gate.on.response(function(req, res) res.headers["x-up"] = req.upstream.name end)
      %s
    ]]):format(o.address, more or "")
  end

  it("has servers of its own under the same upstream's name", function()
    local a, b = origin "a", origin "b"
    local g = start(with_upstream(a))
    assert.same({ a = 20 }, ask(g, 20))
    try(g, with_upstream(b, [[
      gate.route { path = "/more", upstream = gate.upstream("more", { servers = { "]] .. a.address
      .. [[" } }) }]]), "--canary", "50%")
    local got = ask(g, 200)
    assert.is_true(math.abs(got.a - 100) <= 2 and got.a + got.b == 200)
    assert.equal(got.b, #b:requests())
    for _ = 1, 4 do assert.equal("o", g:get("/word").headers["x-up"]) end
    assert.is_true(g:metric(('moongate_upstream_requests_total{upstream="o (canary)",peer="%s"}')
      :format(b.address)) >= got.b)
    assert.equal(0, t.run({ "rollback", "--socket", g.socket }).status)
    verdict(g)
    assert.same({ a = 40 }, ask(g, 40))
    alone(g)
    t.wait_for("the canary's servers to go", function()
      return not g:control("/upstreams").body:find(b.address, 1, true)
    end)
  end)

  it("keeps its servers when it is promoted, under the upstream's own name", function()
    local a, b = origin "a", origin "b"
    local g = start(with_upstream(a))
    try(g, with_upstream(b), "--canary", "50%")
    ask(g, 1040)
    local seen = #b:requests()
    g:advance(61)
    assert.equal("promoted", verdict(g).state)
    assert.same({ b = 100 }, ask(g, 100))
    alone(g)
    local metric = 'moongate_upstream_requests_total{upstream="o",peer="%s"}'
    assert.equal(100, g:metric(metric:format(b.address)))
    assert.is_nil(g:metric(metric:format(a.address)))
    assert.is_nil(g:metric(('moongate_upstream_up{upstream="o (canary)",peer="%s"}')
      :format(b.address)))
    assert.equal(seen + 100, #b:requests())
  end)

  it("has VMs of its own, also when only data has changed", function()
    local source = [[
      gate.listen { "127.0.0.1:0" }
      gate.routes(gate.data "routes")
      local n = 0
      gate.route { name = "count", path = "/count", handler = function()
        n = n + 1
        return gate.reply(200, tostring(n))
      end }
    ]]
    local g = start(source, { files = { ["routes.json"] = '[{"path":"/x","reply":[200,"one"]}]' } })
    assert.equal("1", g:get("/count").body)
    t.write(g.dir .. "/routes.json", '[{"path":"/x","reply":[200,"two"]}]')
    try(g, nil, "--canary", "50%")
    local counts = ask(g, 40, "/count")
    assert.same({ 1, nil }, { counts["1"], counts["25"] })
    local got = ask(g, 1040, "/x")
    assert.is_true(got.one > 500 and got.two > 500)
    g:advance(61)
    assert.equal("promoted", verdict(g).state)
    assert.same({ two = 20 }, ask(g, 20, "/x"))
  end)

  it("runs no timers and no connect hooks before it serves", function()
    local more = [[
      gate.every("1s", function() gate.log.info "tick of %s" end)
      gate.every("1s", function() gate.log.info "tock of %s" end)
      gate.on.connect(function() gate.log.info "connect of %s" end)
    ]]
    local g = start(text("one", more:format("one", "one", "one")))
    try(g, text("two", more:format("two", "two", "two")), "--canary", "50%", "--for", "60s")
    local function count(what) return select(2, g:stderr():gsub(what, "")) end
    for i = 1, 3 do
      g:advance(1.1)
      t.wait_for("a tick", function() return count "tick of one" >= i end)
    end
    ask(g, 1040)
    assert.equal(0, count "t[io]ck of two" + count "connect of two")
    t.wait_for("a connect hook", function() return count "connect of one" >= 1 end)
    g:advance(61)
    assert.equal("promoted", verdict(g).state)
    local before
    for i = 1, 3 do
      g:advance(1.1)
      t.wait_for("a tick", function() return count "tick of two" >= i end)
      before = before or count "t[io]ck of one"
    end
    assert.equal(before, count "t[io]ck of one")
    g:get "/word"
    t.wait_for("a connect hook", function() return count "connect of two" >= 1 end)
  end)

  it("that is withdrawn ends its requests as an old generation does", function()
    local g = start(text "one")
    try(g, text "two", "--canary", "50%")
    local conns = {}
    for i = 1, 4 do
      conns[i] = g:connect()
      conns[i]:send(t.client.request_text "/slow?s=45")
    end
    t.wait_for("the requests", function() return g:status "requests_active" == "4" end)
    local list = json.decode(g:control("/generations").body).generations
    assert.same({ 2, "canary", 50 }, { list[1].number, list[1].state, list[1].share })
    assert.equal(4, list[1].active + list[2].active)
    local table_text = t.run({ "generations", "--socket", g.socket }).stdout
    assert.matches("\n2           canary 50%%  %x+ ", table_text)
    assert.matches("judged once generation 2 has had 500 requests", table_text, 1, true)
    assert.equal(0, t.run({ "rollback", "--socket", g.socket }).status)
    verdict(g)
    assert.equal("2", g:status "live_generations")
    g:advance(26)
    -- Those of the canary hear that it is over; the others wait on.
    t.wait_for("the canary's requests", function()
      return tonumber(g:status "requests_active") <= 3
    end)
    alone(g)
    g:advance(20)
    local seen = {}
    for i = 1, 4 do seen[conns[i]:receive_response().body] = true end
    assert.same({ ["one true false"] = true, ["two nil true"] = true }, seen)
  end)

  it("loses no request, whatever comes of it", function()
    local a = t.origin()
    local function source(word)
      return with_upstream(a, ([[gate.on.request(function(req)
        req.headers["x-word"] = "%s"
        gate.sleep(0.001)
      end)]]):format(word))
    end
    local g = start(source "0", { supervised = true, args = { "--workers", "2" } })
    for i = 1, 6 do
      try(g, source(tostring(i)), "--canary", "50%", "--for", "2s", "--abort-if",
        "kills > 0")
      local conns, good = {}, 0
      local decided, ended = false, false
      while not ended do
        for k = 1, 10 do
          conns[k] = conns[k] or g:connect()
          conns[k]:send(t.client.request_text "/x")
        end
        if not decided and good >= 200 then
          if i % 2 == 0 then
            assert.equal(0, t.run({ "rollback", "--socket", g.socket }).status)
          else
            g:advance(3)
          end
          decided = true
        end
        for k = 1, 10 do
          assert.equal(200, conns[k]:receive_response().status)
          good = good + 1
        end
        ended = decided and tell(g).over
      end
    end
    assert.equal(0, g:metric "moongate_faults_total")
    alone(g)
  end)

  it("ends with the gateway", function()
    local g = start(text "one", { supervised = true, args = { "--workers", "2" } })
    local wait = try_and_wait(g, text "two", "--canary", "50%")
    local conns = {}
    for i = 1, 6 do
      conns[i] = g:connect()
      conns[i]:send(t.client.request_text "/slow?s=20")
    end
    t.wait_for("the requests", function() return g:status "requests_active" == "6" end)
    g:signal "TERM"
    t.wait_for("the drain", function() return g:stderr():find "draining" end)
    g:advance(21)
    for i = 1, 6 do
      assert.matches("^%a+ true true$", conns[i]:receive_response().body)
    end
    assert.equal(0, g:wait())
    local out = wait()
    assert.equal(1, out.status)
    assert.matches("no verdict: the gateway has ended", out.stderr, 1, true)
  end)

  it("never pushes out what serves, however many were withdrawn", function()
    local g = start(text "keep")
    local conns = {}
    for i = 1, 7 do
      try(g, text("canary " .. i), "--canary", "50%")
      for _ = 1, 4 do
        local c = g:connect()
        c:send(t.client.request_text "/slow?s=45")
        conns[#conns + 1] = c
      end
      t.wait_for("the requests", function()
        return tonumber(g:status "requests_active") == 4 * i
      end)
      assert.equal(0, t.run({ "rollback", "--socket", g.socket }).status)
      verdict(g)
    end
    try(g, text "canary 8", "--canary", "50%")
    logs(g, "generation 2 has to end")
    assert.is_nil(g:stderr():find "generation 1 has to end")
    assert.equal(0, t.run({ "rollback", "--socket", g.socket }).status)
    verdict(g)
    answers(g, "keep")
    assert.is_false(conns[1]:is_closed(0) and conns[2]:is_closed(0) and conns[3]:is_closed(0)
      and conns[4]:is_closed(0))
  end)
end)
