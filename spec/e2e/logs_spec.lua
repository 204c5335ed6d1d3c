-- covers: flow/access_log.c base/log_writer.c
local json = require "moongate.json"
local t = require "e2e.support"

local ROUTES = [[
gate.listen { "127.0.0.1:0" }
gate.route { name = "hello", path = "/hello", reply = { 200, "hello\n" } }
gate.route { name = "log", path = "/log", handler = function()
  local fields = { n = "1", half = 0.5, big = 1e20, yes = true, far = math.huge, changed = 1 }
  fields.changing = setmetatable({}, { __tostring = function()
    fields.changed = '1,"forged":1'
    return "so"
  end })
  gate.log.warn("from a script\n\27[31m", fields)
  return gate.reply(200, "ok")
end }
]]

local function access(g, n)
  return t.wait_for("access lines", function()
    local lines = {}
    for line in g:stdout():gmatch "[^\n]+" do lines[#lines + 1] = line end
    return #lines >= n and lines
  end)
end

describe("logs", function()
  after_each(t.cleanup)

  it("write a combined line for each request", function()
    local g = t.gateway('gate.process { access_log = "stdout" }\n' .. ROUTES)
    g:get("/hello?a=1", { headers = { ["User-Agent"] = 'x"\\\255', Referer = "http://r/" } })
    g:get "/none"
    local lines = access(g, 2)
    assert.matches('^127%.0%.0%.1 %- %- %[%d%d/%u%l%l/%d%d%d%d:%d%d:%d%d:%d%d %+0000%] ' ..
      '"GET /hello%?a=1 HTTP/1%.1" 200 6 "http://r/" "x\\x22\\x5c\\xff"$', lines[1])
    assert.matches('"GET /none HTTP/1%.1" 404 %d+ "%-" "%-"$', lines[2])
  end)

  it("write JSON", function()
    local o = t.origin()
    local g = t.gateway(([[
      gate.process { access_log = "stdout", access_format = "json" }
      local o = gate.upstream("o", { servers = { "%s" } })
      gate.route { name = "up", path = "/up", upstream = o }
    ]]):format(o.address) .. ROUTES)
    g:get "/up?q"
    local line = json.decode(access(g, 1)[1])
    assert.equal("GET", line.method)
    assert.equal("/up?q", line.target)
    assert.equal("gateway.test", line.host)
    assert.equal(200, line.status)
    assert.equal("up", line.route)
    assert.equal("o", line.upstream)
    assert.equal(o.address, line.peer)
    assert.equal(1, line.tries)
    assert.is_true(line.total > 0 and line.first_byte > 0)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", line.time)
  end)

  it("tell in JSON how long hooks took", function()
    local g = t.gateway([[
      gate.process { access_log = "stdout", access_format = "json" }
      gate.on.request(function()
        local till = gate.clock() + 0.02
        while gate.clock() < till do end
      end)
    ]] .. ROUTES)
    g:get "/hello"
    local line = json.decode(access(g, 1)[1])
    assert.is_true(line.script >= 0.02 and line.total >= line.script, line.script)
  end)

  it("note heads that made no request", function()
    local g = t.gateway('gate.process { access_log = "stdout" }\n' .. ROUTES)
    local c = g:connect()
    c:send "GET /\1 HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal(400, c:receive_response().status)
    assert.matches('" 400 %d+ ', access(g, 1)[1])
    assert.is_nil(g:stdout():find("\1", 1, true))
  end)

  it("go nowhere when they are switched off", function()
    local g = t.gateway("gate.process { access_log = false }\n" .. ROUTES)
    g:get "/hello"
    g:signal "TERM"
    g:wait()
    assert.equal("", g:stdout())
  end)

  it("take what scripts say, as JSON where there is no terminal", function()
    local g = t.gateway(ROUTES)
    g:get "/log"
    local line = t.wait_for("the line", function()
      return g:stderr():match "[^\n]*from a script[^\n]*"
    end)
    local entry = json.decode(line)
    assert.equal("warn", entry.level)
    assert.equal("from a script\n\27[31m", entry.msg)
    assert.same({ "1", 0.5, 1e20, true, "inf", 1, "so" },
      { entry.n, entry.half, entry.big, entry.yes, entry.far, entry.changed, entry.changing })
    assert.is_nil(entry.forged)
  end)

  it("name a request as its error page does: faults, scripts and traces", function()
    local g = t.gateway([[
      gate.listen { "127.0.0.1:0", trust = { "127.0.0.0/8" } }
      local dead = gate.upstream("dead", { servers = { "127.0.0.1:1" } })
      gate.route { path = "/dead", upstream = dead }
      gate.route { path = "/error", handler = function() error "oh" end }
    ]])
    local function line_of(msg, id)
      for line in g:stderr():gmatch "[^\n]+" do
        if line:find(msg, 1, true) and line:find(id, 1, true) then return line end
      end
    end
    for path, word in pairs { ["/dead"] = "fault connect", ["/error"] = "script error" } do
      local res = g:get(path, { headers = { ["X-Moongate-Trace"] = "1" } })
      local id = res.headers["x-request-id"]
      for _, msg in ipairs { word, '"msg":"trace"' } do
        local line = t.wait_for(msg, function() return line_of(msg, id) end)
        assert.equal(id, json.decode(line).request)
      end
    end
  end)

  it("trace a request step by step, when a trusted source asks or at level debug", function()
    local function steps(trust, level)
      local g = t.gateway(([[
        gate.process { log_level = %q }
        gate.listen { "127.0.0.1:0", trust = { %s } }
        gate.route { path = "/hello", reply = { 200, "hello\n" } }
      ]]):format(level, trust))
      g:get("/hello", { headers = level ~= "debug" and { ["X-Moongate-Trace"] = "1" } or nil })
      g:signal "TERM"
      g:wait()
      local line = g:stderr():match '[^\n]*"msg":"trace"[^\n]*'
      return line and json.decode(line).steps
    end
    local function assert_traced(text)
      assert.matches("^begin%+%d+%.%d+ms:GET /hello from 127%.0%.0%.1 admit%+%d", text)
      assert.matches(" route%+%d+%.%d+ms:ok .* log%+%d+%.%d+ms:ok$", text)
    end
    assert_traced(steps('"127.0.0.0/8"', "info"))
    assert_traced(steps('"127.0.0.0/8"', "error"))
    assert_traced(steps("", "debug"))
    assert.is_nil(steps("", "info"))
  end)

  it("are opened anew on SIGUSR1, and no line is lost", function()
    local dir = t.folder()
    local g = t.gateway(([[
      gate.process { access_log = "%s/access", log = "%s/error" }
    ]]):format(dir, dir) .. ROUTES, { supervised = true, args = { "--workers", "2" } })
    local n = 0
    local function some()
      for _ = 1, 20 do
        g:get("/hello?" .. n)
        n = n + 1
      end
    end
    some()
    os.rename(dir .. "/access", dir .. "/access.1")
    os.rename(dir .. "/error", dir .. "/error.1")
    some()
    g:signal "USR1"
    t.wait_for("new files", function()
      return io.open(dir .. "/access") and io.open(dir .. "/error")
    end)
    some()
    g:signal "TERM"
    assert.equal(0, g:wait())
    local all = t.read(dir .. "/access.1") .. t.read(dir .. "/access")
    for i = 0, n - 1 do
      assert.is_truthy(all:find("/hello?" .. i .. " ", 1, true), "lost: " .. i)
    end
    assert.matches("draining", t.read(dir .. "/error"), 1, true)
  end)

  it("never hold a request up: a stuck pipe loses lines, which are counted", function()
    local dir = t.folder()
    os.execute("mkfifo " .. dir .. "/pipe")
    -- Opened for reading and writing, so that the gateway's open does not fail; nobody reads.
    local hold = io.open(dir .. "/pipe", "r+")
    local g = t.gateway(([[ gate.process { access_log = "%s/pipe" }
    ]]):format(dir) .. ROUTES)
    local agent = ("x"):rep(900)
    local c = g:connect()
    local text = t.client.request_text("/hello", { headers = { ["User-Agent"] = agent } })
    for _ = 1, 150 do
      c:send(text:rep(20))
      for _ = 1, 20 do assert.equal(200, c:receive_response().status) end
    end
    t.wait_for("dropped lines", function()
      return g:metric "moongate_log_lines_dropped_total" > 0
    end)
    assert.is_true(tonumber(g:status "log_lines_dropped") > 0)
    assert.equal(200, g:get("/hello").status)
    hold:close()
    g:signal "TERM"
    assert.equal(0, g:wait())
  end)

  it("must be openable", function()
    local out = t.run { "run", t.file [[
      local gate = require "moongate"
      gate.process { access_log = "/nowhere/at/all" }
      gate.listen { "127.0.0.1:0" }
    ]], "--foreground-engine" }
    assert.equal(1, out.status)
    assert.matches("cannot open log /nowhere/at/all: No such file", out.stderr, 1, true)
  end)
end)
