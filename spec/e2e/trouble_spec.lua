-- What the error log tells the operator of troubles that no single request stands for.
-- covers: flow/server_trouble.c run/log_watch.c
local t = require "e2e.support"

local CLOCK = { "--workers", "1", "--test-clock" }

local function named(name, options)
  return t.origin(function(c) c:reply(200, name) end, options)
end

local function lines(g, text)
  return select(2, g:stderr():gsub(text, ""))
end

local function told(g, ...)
  for _, text in ipairs { ... } do
    t.wait_for(text, function() return g:stderr():find(text, 1, true) end)
  end
end

describe("the error log", function()
  after_each(t.cleanup)

  it("tells of a server that is left out, once, and of its return", function()
    local port = t.free_port()
    local g = t.proxy({ "127.0.0.1:" .. port, named "a" }, { args = CLOCK })
    for _ = 1, 8 do assert.equal("a", g:get("/").body) end
    local server = ('"upstream":"o","server":"127.0.0.1:PORT","peer":"127.0.0.1:PORT"')
      :gsub("PORT", port)
    told(g, '"msg":"server left out for 10 s: connects failed",' .. server
      .. ',"why":"connect: Connection refused"')
    assert.equal(1, lines(g, "server left out"))
    named("b", { port = port })
    g:advance(10)
    for _ = 1, 4 do g:get "/" end
    told(g, '"msg":"server is back",' .. server)
    assert.equal(1, lines(g, "server is back"))
    assert.equal(0, lines(g, '"fault')) -- the other one answered meanwhile
  end)

  it("tells of faults, a few a second, and how many they were", function()
    local g = t.proxy("127.0.0.1:" .. t.free_port(), { args = CLOCK })
    local function count()
      local n = lines(g, '"msg":"fault connect"')
      for more in g:stderr():gmatch "(%d+) faults before that one" do n = n + more end
      return n
    end
    local began, c = t.now(), g:connect()
    c:send(t.client.request_text("/"):rep(50))
    for _ = 1, 50 do assert.equal(502, c:receive_response().status) end
    local most = 10 * (t.now() - began + 1)
    t.wait_for("lines", function() return count() >= 10 end)
    assert.is_true(lines(g, '"msg":"fault connect"') <= most)
    g:advance(2)
    g:get "/"
    t.wait_for("all of them", function() return count() == 51 end)
  end)

  it("tells of a log that cannot be written, once a minute", function()
    local g = t.gateway([[
      gate.process { access_log = "/dev/full" }
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", reply = { 200, "ok" } }
    ]], { args = CLOCK })
    local line = "cannot write log /dev/full: No space left on device; lost lines: 1"
    local function lose()
      local before = g:metric "moongate_log_lines_dropped_total"
      assert.equal(200, g:get("/").status)
      g:advance(2) -- the line is handed over
      t.wait_for("a line to be lost", function()
        return g:metric "moongate_log_lines_dropped_total" > before
      end)
      g:advance(2)
    end
    lose()
    told(g, line)
    lose()
    assert.equal(1, lines(g, "cannot write log"))
    g:advance(60)
    g:advance(1)
    t.wait_for("another line", function() return lines(g, line) == 2 end)
  end)

  it("tells of a log that cannot be opened anew", function()
    local dir = t.folder()
    local g = t.gateway(([[
      gate.process { access_log = "%s/access", log = "%s/error" }
      gate.listen { "127.0.0.1:0" }
    ]]):format(dir, dir), { args = CLOCK })
    for _, name in ipairs { "access", "error" } do
      os.rename(dir .. "/" .. name, dir .. "/" .. name .. ".1")
      os.execute(("mkdir %s/%s"):format(dir, name))
    end
    g:signal "USR1"
    local function found(where, name)
      t.wait_for(name, function()
        g:advance(1)
        return where():find(("cannot open log %s/%s anew: Is a directory; lines still"):format(dir,
          name), 1, true)
      end)
    end
    found(function() return t.read(dir .. "/error.1") end, "access")
    found(function() return g:stderr() end, "error") -- it cannot tell of itself
  end)

  it("tells of connections over the limits", function()
    local g = t.gateway([[
      gate.limits { connections = 2 }
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", reply = { 200, "ok" } }
    ]])
    for _ = 1, 2 do
      local c = g:connect()
      c:send(t.client.request_text "/")
      assert.equal(200, c:receive_response().status)
    end
    assert.is_true(g:connect():is_closed())
    told(g, "a connection of 127.0.0.1 was closed: 2 are open in this worker, its share of "
      .. "limits.connections (2)")
  end)
end)
