-- covers: run/memory.c run/supervisor.c
local t = require "e2e.support"

--- A gateway whose dictionary can be asked from outside: /get?k=, /set?k=&v=&ttl=, /incr?k=&ttl= …
local function text(more, bytes)
  return ([[
    gate.listen { "127.0.0.1:0" }
    gate.limits { task_time = "100s" }
    local d = gate.shared("d", { bytes = "%s" })
    local vm = gate.crypto.hex(gate.crypto.random(8))
    local ops = {
      vm = function() return vm end,
      get = function(a) return d:get(a.k) end,
      set = function(a) return d:set(a.k, a.v, tonumber(a.ttl)) end,
      incr = function(a) return d:incr(a.k, 1, 0, tonumber(a.ttl)) end,
      ttl = function(a) return d:ttl(a.k) end,
      count = function() return #d:keys(1e9) end,
    }
    gate.route { path = "/:op", handler = function(req)
      local value, err = ops[req.params.op](req.args)
      return gate.reply(200, tostring(value) .. (err and " " .. err.code or ""))
    end }
    %s
  ]]):format(bytes or "1m", more or "")
end

local function ask(g, path)
  local res = g:get(path)
  assert.equal(200, res.status)
  return res.body
end

local function reload(g)
  return t.run { "reload", "--socket", g.socket }
end

--- A connection to each of the workers.
local function connection_of_each(g, workers)
  local by_vm, list = {}, {}
  t.wait_for("a connection to each worker", function()
    local c = g:connect()
    c:send(t.client.request_text "/vm")
    local vm = c:receive_response().body
    if by_vm[vm] then return c:close() end
    by_vm[vm] = true
    list[#list + 1] = c
    return #list == workers
  end)
  return list
end

local TWO = { args = { "--workers", "2" } }
local TWO_CLOCK = { args = { "--workers", "2", "--test-clock" } }

--- So many requests are under way: each has got to where it waits, for nothing else stops it.
local function all_wait(g, n)
  t.wait_for("requests", function() return g:status "requests_active" == tostring(n) end)
end

describe("gate.shared", function()
  after_each(t.cleanup)

  it("is one for all workers", function()
    local g = t.gateway(text(), TWO)
    local a, b = unpack(connection_of_each(g, 2))
    for i = 1, 10 do
      local c = i % 2 == 0 and a or b
      c:send(t.client.request_text "/incr?k=n")
      assert.equal(tostring(i), c:receive_response().body)
    end
    local function on(c, path)
      c:send(t.client.request_text(path))
      return c:receive_response().body
    end
    for i = 1, 10 do
      -- What one has read it does not take for new when the other has changed it.
      on(i % 2 == 0 and a or b, "/set?k=v&v=" .. i)
      for _ = 1, 2 do
        assert.equal(tostring(i), on(a, "/get?k=v"))
        assert.equal(tostring(i), on(b, "/get?k=v"))
      end
    end
  end)

  it("survives reloads, of its own size", function()
    local g = t.gateway(text(), TWO)
    ask(g, "/set?k=a&v=hello")
    g:rewrite(text "gate.route { path = '/new', reply = { 200, 'new' } }")
    assert.equal(0, reload(g).status)
    assert.equal("new", ask(g, "/new"))
    assert.equal("hello", ask(g, "/get?k=a"))
    -- A file that is refused changes nothing.
    g:rewrite(text("gate.lisen {}", "2m"))
    assert.equal(1, reload(g).status)
    assert.equal("hello", ask(g, "/get?k=a"))
    assert.equal(1048576, g:metric 'moongate_shared_limit_bytes{dictionary="d"}')
    -- Another size begins anew.
    g:rewrite(text("", "2m"))
    assert.equal(0, reload(g).status)
    assert.equal("nil", ask(g, "/get?k=a"))
    t.wait_for("the old one's end", function()
      return g:metric 'moongate_shared_limit_bytes{dictionary="d"}' == 2097152
    end)
  end)

  it("survives engines that are killed amid changes", function()
    local g = t.gateway(text [[
      gate.route { path = "/storm", handler = function()
        for i = 1, 1e9 do
          local k = "storm " .. math.random(200)
          d:set(k, k .. (":"):rep(math.random(300)) .. k, 5)
          if i % 50 == 0 then gate.sleep(0) end
        end
      end }
      gate.route { path = "/look", handler = function()
        for _, k in ipairs(d:keys()) do
          local v = d:get(k)
          if k:find "^storm" and v and not (v:find("^" .. k) and v:find(k .. "$")) then
            return gate.reply(200, "torn: " .. k)
          end
        end
        return gate.reply(200, "whole")
      end }
    ]], { supervised = true, args = { "--workers", "2" } })
    local lost = 0
    for round = 1, 8 do
      if ask(g, "/get?k=kept") == "nil" then lost = lost + 1 end
      ask(g, "/set?k=kept&v=x")
      local before = tonumber(ask(g, "/incr?k=n"))
      for _ = 1, 2 do g:connect():send(t.client.request_text "/storm") end
      t.wait_for("a storm", function() return tonumber(ask(g, "/count")) > 50 end)
      t.process.kill(g:engine(), "KILL")
      g:until_ready(round + 1)
      assert.equal("whole", ask(g, "/look"))
      local after = tonumber(ask(g, "/incr?k=n"))
      assert.is_true(after == before + 1 or after == 1)
    end
    -- All was lost in those rounds, and only those, in which the engine died amid a change.
    local drops = g:metric 'moongate_shared_drops_total{dictionary="d"}'
    assert.is_true(lost <= drops + 1)
  end)

  it("is let go by the supervisor when the file has it no more", function()
    local g = t.gateway(text(), { supervised = true, args = { "--workers", "1" } })
    ask(g, "/set?k=a&v=hello")
    local function pieces()
      local pipe = io.popen(("ls -l /proc/%d/fd 2>/dev/null | grep -c memfd:moongate-shared")
        :format(g.process.pid))
      local n = tonumber(pipe:read "*a")
      pipe:close()
      return n
    end
    t.wait_for("the supervisor to have it", function() return pieces() == 1 end)
    g:rewrite [[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", reply = { 200, "x" } }
    ]]
    assert.equal(0, reload(g).status)
    t.wait_for("the supervisor to let it go", function() return pieces() == 0 end)
  end)

  it("ends keys by the gateway's clock", function()
    local g = t.gateway(text(), { args = { "--workers", "1", "--test-clock" } })
    ask(g, "/set?k=a&v=x&ttl=60")
    ask(g, "/incr?k=n&ttl=100")
    g:advance(30)
    assert.equal("x", ask(g, "/get?k=a"))
    assert.is_true(tonumber(ask(g, "/ttl?k=a")) <= 30)
    g:advance(31)
    assert.equal("nil", ask(g, "/get?k=a"))
    assert.equal("nil", ask(g, "/ttl?k=a"))
    -- The ttl of an incr counts from the making.
    assert.equal("2", ask(g, "/incr?k=n&ttl=100"))
    g:advance(50)
    assert.equal("1", ask(g, "/incr?k=n&ttl=100"))
  end)

  it("lets the oldest-expiring go when it is full, counts them, and then says so", function()
    local g = t.gateway(text([[
      gate.route { path = "/fill", handler = function(req)
        local n, ttl, value = tonumber(req.args.n), tonumber(req.args.ttl), ("x"):rep(200)
        for i = 1, n do
          local ok, err = d:set(req.args.name .. i, value, ttl and ttl - i)
          if not ok then return gate.reply(200, err.code .. " " .. i) end
        end
        return gate.reply(200, "all")
      end }
    ]], "64k"))
    assert.equal("all", ask(g, "/fill?name=a&n=100&ttl=1000"))
    assert.equal(0, g:metric 'moongate_shared_evictions_total{dictionary="d"}')
    assert.equal("all", ask(g, "/fill?name=b&n=150&ttl=5000"))
    local evicted = g:metric 'moongate_shared_evictions_total{dictionary="d"}'
    assert.is_true(evicted > 10 and evicted < 90)
    assert.equal(250 - evicted, tonumber(ask(g, "/count")))
    assert.equal(250 - evicted, g:metric 'moongate_shared_entries{dictionary="d"}')
    -- The later ones of a end earlier.
    for i = 1, 100 do
      assert.equal(i > 100 - evicted, ask(g, "/get?k=a" .. i) == "nil")
    end
    assert.not_equal("nil", ask(g, "/get?k=b1"))
    -- What never ends pushes out all that does, and then nothing goes any more.
    local said = ask(g, "/fill?name=c&n=1000")
    assert.matches("^full %d+$", said)
    local n = tonumber(said:match "%d+") - 1
    assert.equal(n, tonumber(ask(g, "/count")))
    assert.not_equal("nil", ask(g, "/get?k=c1"))
    assert.equal("nil full", ask(g, "/set?k=new&v=" .. ("y"):rep(200)))
    assert.is_true(g:metric 'moongate_shared_bytes{dictionary="d"}' <= 65536)
    assert.equal(65536, g:metric 'moongate_shared_limit_bytes{dictionary="d"}')
  end)

  local FETCH = [[
    gate.route { path = "/fetch/:key", handler = function(req)
      local value, err = d:fetch(req.params.key, 60, function()
        local n = d:incr("calls")
        gate.sleep(tonumber(req.args.s))
        if req.args.spin == "yes" and n == 1 then while true do end end
        if req.args.text then return nil, req.args.text end
        if req.args.fail then return nil, { code = "down", message = req.args.fail } end
        return vm .. " " .. n
      end)
      return gate.reply(200, value or err.code .. ": " .. err.message)
    end }
    d:add("calls", 0)
  ]]

  it("fetches once over all workers", function()
    local g = t.gateway(text(FETCH), TWO_CLOCK)
    local clients = connection_of_each(g, 2)
    for _ = 1, 6 do clients[#clients + 1] = g:connect() end
    for _, c in ipairs(clients) do c:send(t.client.request_text "/fetch/k?s=50") end
    all_wait(g, 8)
    g:advance(51)
    local value
    for _, c in ipairs(clients) do
      local body = c:receive_response().body
      value = value or body
      assert.equal(value, body)
    end
    assert.matches(" 1$", value)
    assert.equal("1", ask(g, "/get?k=calls"))
    assert.equal(value, ask(g, "/fetch/k?s=0"))
  end)

  it("hands a fetch over when the client who led goes, to another worker too", function()
    local g = t.gateway(text(FETCH), TWO)
    local a, b = unpack(connection_of_each(g, 2))
    a:send(t.client.request_text "/fetch/k?s=90")
    t.wait_for("the first call", function() return ask(g, "/get?k=calls") == "1" end)
    b:send(t.client.request_text "/fetch/k?s=0")
    all_wait(g, 2)
    a:close()
    assert.matches(" 2$", b:receive_response().body)
    assert.matches(" 2$", ask(g, "/fetch/k?s=0"))
  end)

  it("hands a fetch over when the task that led is killed", function()
    local g = t.gateway(text(FETCH), TWO_CLOCK)
    local a, b = unpack(connection_of_each(g, 2))
    a:send(t.client.request_text "/fetch/k?s=50&spin=yes")
    t.wait_for("the first call", function() return ask(g, "/get?k=calls") == "1" end)
    b:send(t.client.request_text "/fetch/k?s=0")
    all_wait(g, 2)
    g:advance(51)
    assert.equal(503, a:receive_response().status)
    assert.matches(" 2$", b:receive_response().body)
  end)

  it("gives an error to all who wait, and does not keep it", function()
    local g = t.gateway(text(FETCH), TWO_CLOCK)
    local clients = connection_of_each(g, 2)
    for _, c in ipairs(clients) do c:send(t.client.request_text "/fetch/k?s=50&fail=gone") end
    all_wait(g, 2)
    g:advance(51)
    for _, c in ipairs(clients) do assert.equal("down: gone", c:receive_response().body) end
    assert.equal("failed: no", ask(g, "/fetch/text?s=0&text=no"))
    assert.equal("2", ask(g, "/get?k=calls"))
    assert.matches(" 3$", ask(g, "/fetch/k?s=0"))
  end)

  it("reports misuse where it stands", function()
    local function mistakes(line)
      local file = t.file('local gate = require "moongate"\ngate.listen { "127.0.0.1:0" }\n'
        .. line)
      local res = t.run { "check", file }
      assert.equal(1, res.status)
      return res.stderr .. res.stdout
    end
    assert.matches("gateway.lua:3: gate.shared has no option 'byte'; did you mean 'bytes'?",
      mistakes 'gate.shared("x", { byte = "1m" })', 1, true)
    assert.matches("gateway.lua:3: .*at least 16384", mistakes 'gate.shared("x", { bytes = "1k" })')
    assert.matches("declared twice %(first at gateway.lua:3%)",
      mistakes 'gate.shared("x", {}) gate.shared("x", {})')
    assert.matches("there is no dictionary 'x'", mistakes 'gate.shared "x"')
    assert.matches("gateway.lua:3: this waits, which is not possible while the gateway file loads",
      mistakes 'gate.shared("x", {}):fetch("k", 1, print)')
    local g = t.gateway(text [[
      gate.route { path = "/bad", handler = function() d:set("k", {}) end }
    ]])
    assert.equal(500, g:get("/bad").status)
    t.wait_for("the log line", function()
      return g:stderr():find "gateway.lua:%d+: d:set: values are strings, numbers and booleans"
    end)
  end)
end)
