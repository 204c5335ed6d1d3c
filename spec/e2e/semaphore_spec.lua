-- gate.semaphore: how many may do something at a time.
-- covers: script/semaphore.c script/ffi_semaphore.c
local t = require "e2e.support"

local function gateway(text, options)
  options = options or { args = { "--workers", "1" } }
  return t.gateway([[
    gate.listen { "127.0.0.1:0" }
    local slots = gate.semaphore(2)
    gate.route { path = "/free", handler = function()
      return gate.reply(200, tostring(slots:free()))
    end }
  ]] .. text, options)
end

local function free(g)
  return g:get("/free").body
end

local function wait_free(g, n)
  t.wait_for(n .. " free permits", function() return free(g) == tostring(n) end)
end

--- Sends a request and does not wait for what comes.
local function begin(g, path)
  local c = g:connect()
  c:send(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n"):format(path))
  return c
end

describe("gate.semaphore", function()
  after_each(t.cleanup)

  it("lets so many in; the others wait in the order of arrival", function()
    local g = gateway [[
      local here, inside, most, order, go = 0, 0, 0, {}, false
      gate.route { path = "/work/:n", handler = function(req)
        here = here + 1
        slots:acquire()
        inside = inside + 1
        most = math.max(most, inside)
        order[#order + 1] = req.params.n
        while not go do gate.sleep(0.005) end
        inside = inside - 1
        slots:release()
        return gate.reply(200, "done")
      end }
      gate.route { path = "/here", handler = function() return gate.reply(200, tostring(here)) end }
      gate.route { path = "/go", handler = function() go = true return gate.reply(200) end }
      gate.route { path = "/seen", handler = function()
        return gate.reply(200, most .. " " .. table.concat(order))
      end }
    ]]
    local clients = {}
    for n = 1, 7 do
      clients[n] = begin(g, "/work/" .. n)
      t.wait_for("the request", function() return g:get("/here").body == tostring(n) end)
    end
    assert.equal("0", free(g))
    g:get "/go"
    for n = 1, 7 do assert.equal("done", clients[n]:receive_response().body) end
    assert.equal("2 1234567", g:get("/seen").body)
    assert.equal("2", free(g))
  end)

  it("says when the time was not enough, and how many are free", function()
    local g = gateway [[
      gate.route { path = "/", handler = function()
        local a, b = slots:acquire(), slots:acquire("1s")
        local began = gate.clock()
        local none, err = slots:acquire(0)
        local later, err2 = slots:acquire(0.02)
        local took = gate.clock() - began
        local seen = slots:free()
        slots:release()
        return gate.reply(200, table.concat({ tostring(a), tostring(b), tostring(none), err.code,
          tostring(later), err2.code, tostring(took >= 0.02), seen, slots:free() }, " "))
      end }
    ]]
    assert.equal("true true nil timeout nil timeout true 0 1", g:get("/").body)
    assert.equal("2", free(g))
  end)

  it("is held from hook to hook, and given back with the request", function()
    local g = gateway [[
      gate.use { name = "p",
        request = function(req) if req.path ~= "/free" then slots:acquire() end end,
        log = function(req) if req.path == "/keeps" then slots:release() end end,
      }
      local function handler() return gate.reply(200, tostring(slots:free())) end
      gate.route { path = "/keeps", handler = handler }
      gate.route { path = "/forgets", handler = handler }
    ]]
    for _ = 1, 5 do
      assert.equal("1", g:get("/keeps").body)
      assert.equal("1", g:get("/forgets").body)
    end
    wait_free(g, 2)
  end)

  it("is given back by who is stopped, fails or leaves", function()
    local g = gateway([[
      gate.limits { hook_cpu = "20ms", task_time = 50 }
      gate.on.request(function(req)
        if req.path == "/free" then return end
        slots:acquire()
        if req.path == "/error" then error "oops" end
        if req.path == "/loop" then while true do end end
        gate.sleep(100)
      end)
      gate.route { path = "/", reply = { 200 } }
    ]], { args = { "--workers", "1", "--test-clock" } })
    assert.equal(500, g:get("/error").status)
    assert.equal(503, g:get("/loop").status)
    local a, b, c = begin(g, "/wait"), begin(g, "/wait"), begin(g, "/wait")
    wait_free(g, 0)
    a:close()
    b:close()
    c:close()
    wait_free(g, 2)
    local late = begin(g, "/late")
    wait_free(g, 1)
    g:advance(51)
    assert.equal(503, late:receive_response().status)
    wait_free(g, 2)
  end)

  it("belongs to the task that a request spawned, and to the caller of gate.all", function()
    local g = gateway [[
      gate.route { path = "/spawn", handler = function()
        gate.spawn(function() slots:acquire() gate.log.info "has it" end)
        return gate.reply(200)
      end }
      gate.route { path = "/all", handler = function()
        gate.all { function() slots:acquire() end, function() slots:acquire() end }
        local inside = slots:free()
        slots:release()
        return gate.reply(200, inside .. " " .. slots:free())
      end }
    ]]
    g:get("/spawn")
    t.wait_for("the task", function() return g:stderr():find "has it" end)
    wait_free(g, 2)
    assert.equal("0 1", g:get("/all").body)
    wait_free(g, 2)
  end)

  it("may be made by a request, and goes with the last who uses it", function()
    local g = gateway [[
      gate.route { path = "/", handler = function()
        for i = 1, 2000 do
          local s = gate.semaphore(1)
          s:acquire()
          if i % 2 == 0 then s:release() end
        end
        return gate.reply(200, "fine")
      end }
      gate.limits { hook_cpu = "5s" }
    ]]
    for _ = 1, 3 do assert.equal("fine", g:get("/").body) end
  end)

  it("works for the connect hook", function()
    local g = gateway [[
      gate.on.connect(function() slots:acquire() gate.sleep(0) end)
    ]]
    for _ = 1, 5 do assert.equal("2", free(g)) end
  end)

  it("says what it needs", function()
    local g = gateway [[
      local tries = {
        function() gate.semaphore(0) end,
        function() gate.semaphore "x" end,
        function() slots.acquire() end,
        function() slots:acquire "soon" end,
        function() slots:release() end,
        function() slots:relase() end,
        function() slots.x = 1 end,
      }
      gate.route { path = "/try/:n", handler = function(req)
        local _, err = pcall(tries[tonumber(req.params.n)])
        return gate.reply(200, err)
      end }
    ]]
    for n, words in ipairs {
      "gate.semaphore needs a whole number of 1 or more, not 0",
      "gate.semaphore needs a whole number of 1 or more, not a string",
      "call it as semaphore:acquire%(%)", "needs a time %(seconds", "this request has no permit",
      "did you mean 'release'", "semaphore.x is read only",
    } do
      local body = g:get("/try/" .. n).body
      assert.truthy(body:find(words), body)
      assert.truthy(body:find "^gateway.lua:%d+: ", body)
    end
  end)

  it("cannot be waited for at load", function()
    local g = gateway("slots:acquire()", { ready = false })
    assert.equal(1, g:wait())
    assert.truthy(g:stderr():find "not possible while the gateway file loads", g:stderr())
  end)
end)
