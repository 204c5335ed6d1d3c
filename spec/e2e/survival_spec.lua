-- What an engine serves that comes after a crash: what its predecessor served.
-- covers: run/heir.c run/given_up.c run/memory.c
local json = require "moongate.json"
local pki = require "e2e.support.pki"
local canary = require "e2e.support.canary"
local t = require "e2e.support"

local function text(word, more)
  return ([[
    gate.listen { "127.0.0.1:0" }
    gate.route { name = "word", path = "/word", reply = { 200, "%s" } }
    %s
  ]]):format(word, more or "")
end

local function start(source, options)
  options = options or {}
  options.supervised = true
  options.args = options.args or { "--workers", "2" }
  return t.gateway(source, options)
end

local function run(g, ...)
  local args = { ... }
  table.insert(args, 2, "--socket")
  table.insert(args, 3, g.socket)
  return t.run(args, { seconds = 4 * t.patience })
end

local function reload(g, source, ...)
  if source then g:rewrite(source) end
  local out = run(g, "reload", ...)
  if out.status ~= 0 then error(out.stderr, 2) end
end

--- The engine dies, the next one serves.
local function crash(g)
  local times = g:times_ready()
  t.process.kill(g:engine(), "KILL")
  g:until_ready(times + 1)
end

--- The engine dies; `change` happens while there is none.
local function crash_and(g, change)
  local times, pid = g:times_ready(), g:engine()
  g:signal "STOP"
  t.wait_for("the stop", function() return t.process.is_stopped(g.process.pid) end)
  t.process.kill(pid, "KILL")
  change()
  g:signal "CONT"
  g:until_ready(times + 1)
end

local function logs(g, what)
  t.wait_for("the line: " .. what, function() return g:stderr():find(what, 1, true) end)
end

local function answers(g, word)
  for _ = 1, 20 do
    local body = g:get("/word").body
    if body ~= word then error(("%s answers, not %s"):format(body, word), 2) end
  end
end

local function becomes(g, word)
  t.wait_for(word, function() return g:get("/word").body == word end)
end

local function list(g) return json.decode(run(g, "generations", "--json").stdout) end

describe("after a crash", function()
  after_each(t.cleanup)

  describe("of an engine whose files were broken meanwhile", function()
    it("serves what served, and says again why not the files", function()
      local g = start(text "one", { watch = true })
      g:rewrite "oops("
      logs(g, "reload refused")
      crash(g)
      answers(g, "one")
      logs(g, "generation 1 serves again, from memory; the files on disk have been written since")
      t.wait_for("a second refusal", function()
        return g:stderr():find "reload refused.-reload refused, generation 1 goes on: gateway"
      end)
      assert.matches("the last reload was refused:\ngateway.lua:1: ", run(g, "generations").stdout,
        1, true)
      answers(g, "one")
      g:rewrite(text "two")
      becomes(g, "two")
      assert.equal("2", g:status "generation")
    end)

    it("leaves them alone when nobody watches them", function()
      local g = start(text "one")
      g:rewrite "oops("
      assert.equal(1, run(g, "reload").status)
      crash(g)
      answers(g, "one")
      logs(g, "generation 1 serves again, from memory; the files on disk have been written since, "
        .. "and wait for a reload")
      reload(g, text "two")
      answers(g, "two")
    end)

    it("again and again", function()
      local g = start(text "one")
      for i = 1, 3 do
        g:rewrite "oops("
        crash(g)
        answers(g, i == 1 and "one" or "new " .. i - 1)
        reload(g, text("new " .. i))
      end
      crash(g)
      answers(g, "new 3")
      assert.equal("4", g:status "generation")
    end)
  end)

  describe("of a canary", function()
    it("serves what served beside it, for all requests", function()
      local g = start(text "one")
      g:rewrite(text "two")
      assert.equal(0, run(g, "reload", "--detach", "--canary", "50%").status)
      becomes(g, "two")
      crash(g)
      answers(g, "one")
      logs(g, "generation 1 serves again, from memory; the canary, generation 2, has ended with "
        .. "its engine; the files on disk have been written since, and wait for a reload")
      assert.equal("1", g:status "generation")
      reload(g)
      answers(g, "two")
      -- No number is given twice.
      assert.equal("3", g:status "generation")
    end)

    it("does not let its files serve by themselves", function()
      local g = start(text "one", { watch = true })
      t.wait_for("a canary", function()
        g:rewrite(text "two")
        if run(g, "reload", "--detach", "--canary", "50%").status == 0 then return true end
        g:rewrite(text "one")
        becomes(g, "one")
      end)
      local serves = g:status "generation"
      crash(g)
      logs(g, "the files were touched, and are those of the canary")
      answers(g, "one")
      assert.equal(serves, g:status "generation")
      crash(g)
      answers(g, "one")
      reload(g)
      answers(g, "two")
      -- They serve by now, and are given up no more.
      crash(g)
      answers(g, "two")
    end)

    it("that was promoted serves on", function()
      local g = start(text "one", { args = { "--workers", "1", "--test-clock" } })
      g:rewrite(text "two")
      assert.equal(0, run(g, "reload", "--detach", "--canary", "50%").status)
      canary.ask(g, 1500)
      g:advance(61)
      logs(g, "canary promoted")
      crash(g)
      answers(g, "two")
      assert.equal("2", g:status "generation")
      assert.not_matches("written since", g:stderr())
    end)
  end)

  describe("behind a rollback", function()
    it("serves what was brought back", function()
      local g = start(text "one")
      reload(g, text "two")
      assert.equal(0, run(g, "rollback").status)
      crash(g)
      answers(g, "one")
      assert.equal("3", g:status "generation")
      assert.same({ 3, 1 }, { list(g).generations[1].number, list(g).generations[1].from })
      reload(g)
      answers(g, "two")
    end)

    it("does not let the files serve that were left, until they say something else", function()
      local g = start(text "one", { watch = true })
      g:rewrite(text "two")
      becomes(g, "two")
      assert.equal(0, run(g, "rollback").status)
      answers(g, "one")
      crash(g)
      logs(g, "the files were touched, and are those that a rollback left")
      answers(g, "one")
      g:rewrite(text "three")
      becomes(g, "three")
      -- What was left once may be meant by now.
      g:rewrite(text "two")
      becomes(g, "two")
    end)

    it("can still roll back", function()
      local g = start(text "one")
      reload(g, text "two")
      reload(g, text "three")
      crash(g)
      local kept = {}
      for i, k in ipairs(list(g).kept) do kept[i] = k.number end
      assert.same({ 3, 2, 1 }, kept)
      assert.equal("generation 4 serves, as generation 2 did\n", run(g, "rollback").stdout)
      crash(g)
      answers(g, "two")
      assert.equal("generation 5 serves, as generation 1 did\n", run(g, "rollback", "1").stdout)
      answers(g, "one")
    end)
  end)

  it("takes up files that were changed while no engine ran", function()
    local g = start(text "one", { watch = true })
    crash_and(g, function() g:rewrite(text "two") end)
    becomes(g, "two")
    assert.equal("2", g:status "generation")
    crash(g)
    answers(g, "two")
  end)

  it("does an order to reload that came while no engine ran", function()
    local g = start(text "one")
    crash_and(g, function()
      g:rewrite(text "two")
      g:signal "HUP"
    end)
    becomes(g, "two")
    -- Once is enough.
    g:rewrite(text "three")
    crash(g)
    answers(g, "two")
  end)

  it("has modules and data, whatever the disk says by now", function()
    local source = [[gate.listen { "127.0.0.1:0" }
      gate.routes(gate.data "routes")
      local word = require "words" .. gate.data("d").x .. gate.data("named").x
      gate.route { path = "/word", handler = function() return gate.reply(200, word) end }]]
    local named = t.file('{"x": " named"}', "named.json")
    local g = start(source, { watch = true,
      args = { "--workers", "2", "--data", "named=" .. named },
      files = { ["words.lua"] = 'return "old "', ["d.json"] = '{"x": "data"}',
        ["routes.json"] = '[{"path": "/data", "reply": [200, "old"]}]' } })
    answers(g, "old data named")
    t.write(g.dir .. "/routes.json", '[{"path": "/data", "reply": [200, "new"]}]')
    t.wait_for("new data", function() return g:get("/data").body == "new" end)
    for _, name in ipairs { "words.lua", "d.json", "routes.json" } do
      os.remove(g.dir .. "/" .. name)
    end
    logs(g, "reload refused")
    crash(g)
    answers(g, "old data named")
    assert.equal("new", g:get("/data").body)
    -- A change of data alone is one for this engine, too.
    t.write(g.dir .. "/words.lua", 'return "old "')
    t.write(g.dir .. "/d.json", '{"x": "data"}')
    t.write(g.dir .. "/routes.json", '[{"path": "/data", "reply": [200, "newest"]}]')
    t.wait_for("newest data", function() return g:get("/data").body == "newest" end)
    t.wait_for_standstill("all saves", function() return tonumber(g:status "reloads") end)
  end)

  it("follows symbolic links that were turned meanwhile", function()
    local store = t.folder()
    local function put(version, source)
      os.execute(("mkdir -p %s/%s"):format(store, version))
      t.write(store .. "/" .. version .. "/gateway.lua", t.prelude .. source)
    end
    local function point(version)
      os.execute(("ln -sfn %s %s/tmp && mv -T %s/tmp %s/current"):format(version, store, store,
        store))
    end
    put("v1", text "v1")
    put("v2", text "v2")
    put("broken", "oops(")
    point "v1"
    local g = start(nil, { watch = true,
      args = { store .. "/current/gateway.lua", "--workers", "1" } })
    crash_and(g, function() point "v2" end)
    becomes(g, "v2")
    point "broken"
    logs(g, "reload refused")
    crash(g)
    answers(g, "v2")
    point "v1"
    becomes(g, "v1")
  end)

  describe("beside a listener with TLS", function()
    local certs, dir

    setup(function()
      dir = t.folder(true)
      certs = pki.new(dir)
      certs:make("a", { names = { "a.test" } }):make("b", { names = { "b.test" } })
    end)

    teardown(function() os.execute("rm -rf " .. dir) end)

    --- Whether the certificate is good for that name.
    local function is_for(g, host)
      local command = "curl -sf -o /dev/null --max-time 60 --cacert %s --connect-to "
        .. "::127.0.0.1:%d https://%s/ 2>/dev/null"
      return os.execute(command:format(certs:path "ca.pem", g.port, host)) == 0
    end

    local function put(g, name)
      for _, kind in ipairs { ".key", ".pem" } do
        t.write(g.dir .. "/x" .. kind, t.read(certs:path(name .. kind)))
      end
    end

    local function tls_text(word)
      return ([[
        gate.listen { "127.0.0.1:0", tls = { cert = "x.pem", key = "x.key" } }
        gate.route { path = "/", reply = { 200, "%s" } }
      ]]):format(word)
    end

    local function start_tls(watch)
      local files = { ["x.pem"] = t.read(certs:path "a.pem"),
        ["x.key"] = t.read(certs:path "a.key") }
      return start(tls_text "one", { watch = watch, files = files })
    end

    it("has the certificates that served when those on disk are broken", function()
      local g = start_tls(true)
      t.write(g.dir .. "/x.key", "broken")
      logs(g, "reload refused")
      crash(g)
      assert.is_true(is_for(g, "a.test"))
      put(g, "b")
      t.wait_for("b", function() return is_for(g, "b.test") end)
      -- Nothing but certificates has changed, and they are kept all the same.
      t.write(g.dir .. "/x.key", "broken")
      crash(g)
      assert.is_true(is_for(g, "b.test"))
      t.wait_for("the refusal", function() return g:status "reloads_failed" == "1" end)
    end)

    it("takes up certificates that were renewed while no engine ran", function()
      local g = start_tls(true)
      crash_and(g, function() put(g, "b") end)
      t.wait_for("b", function() return is_for(g, "b.test") end)
    end)

    it("resumes the sessions of its clients", function()
      local g = start_tls()
      local session = g.dir .. "/session"
      local function shake(option)
        local request = "GET / HTTP/1.1\\r\\nHost: a.test\\r\\nConnection: close\\r\\n\\r\\n"
        local pipe = io.popen(("printf '%s' | timeout 60 openssl s_client -connect 127.0.0.1:%d "
          .. "-ign_eof -servername a.test %s %s 2>&1"):format(request, g.port, option, session))
        local output = pipe:read "*a"
        pipe:close()
        return output
      end
      shake "-sess_out"
      crash(g)
      assert.matches("\nReused, ", shake "-sess_in")
      crash(g)
      assert.matches("\nReused, ", shake "-sess_in")
    end)

    it("has certificates of today behind a rollback", function()
      local g = start_tls()
      reload(g, tls_text "two")
      put(g, "b")
      assert.equal(0, run(g, "rollback").status)
      assert.is_true(is_for(g, "b.test"))
      t.write(g.dir .. "/x.key", "broken")
      crash(g)
      assert.is_true(is_for(g, "b.test"))
    end)
  end)

  it("tells the truth about its generation", function()
    local g = start(text "one")
    reload(g, text "two")
    local before = list(g).generations[1]
    t.wait_for("some age", function() return list(g).generations[1].age > before.age + 0.3 end)
    crash(g)
    local after = list(g).generations
    assert.equal(1, #after)
    assert.same({ 2, before.hash, "serves" }, { after[1].number, after[1].hash, after[1].state })
    assert.is_true(after[1].age > before.age + 0.3)
    assert.not_matches("written since", g:stderr())
  end)

  it("serves something whole however a reload is cut", function()
    local g = start(text "v0", { args = { "--workers", "1" } })
    local serves = 0
    for i = 1, 12 do
      if i % 4 == 0 then -- so many crashes in a row are forgiven
        t.wait_for("a while", function() return g:metric "moongate_uptime_seconds" > 1.2 end)
      end
      g:rewrite(text("v" .. i))
      g:signal "HUP"
      t.sleep(0.005 * i)
      crash(g)
      local now = tonumber(g:get("/word").body:match "^v(%d+)$")
      -- An order that the dead engine had not heard is done by this one, sooner or later.
      assert.is_true(serves <= now and now <= i)
      serves = now
    end
    assert.not_matches("cannot serve again", g:stderr())
    assert.not_matches("refused", g:stderr())
  end)

  it("falls back to the files when what served cannot be loaded", function()
    local dir = t.folder()
    os.execute("mkdir " .. dir .. "/logs")
    local g = start(text("one", ('gate.process { access_log = "%s/logs/access" }'):format(dir)))
    os.execute("rm -r " .. dir .. "/logs")
    g:rewrite(text "two")
    crash(g)
    answers(g, "two")
    logs(g, "generation 1 cannot serve again, and the files are read: cannot open log")
    assert.equal("2", g:status "generation")
    -- The next one has something to serve again.
    g:rewrite "oops("
    crash(g)
    answers(g, "two")
  end)

  it("backs off when what serves is what crashes", function()
    local g = start(text "one", { args = { "--workers", "1", "--trust" } })
    g:rewrite(text("two", [[
      local ffi = require "ffi"
      ffi.cdef "int kill(int pid, int sig); int getpid(void);"
      gate.every(0.02, function() ffi.C.kill(ffi.C.getpid(), 9) end)
    ]]))
    g:signal "HUP"
    logs(g, "another one starts in 200 ms")
    logs(g, "generation 2 serves again, from memory")
  end)
end)
