-- covers: net/loop.c script/hook.c script/hook_rest.c script/watchdog.c
-- One worker: hooks that stay within their budgets, one after the other, and others in between.
local socket = require "socket"
local t = require "e2e.support"

--- Ten pieces of work, of which each takes most of a budget. `done` counts them.
local N = 10
local HEAD = ([[gate.listen { "127.0.0.1:0" }
gate.limits { hook_cpu = %g }
local done = 0
local function work()
  local from = os.clock()
  while os.clock() - from < %g do end
  done = done + 1
end
gate.route { path = "/done", handler = function() return gate.reply(200, tostring(done)) end }
]]):format(0.04 * t.slow, 0.03 * t.slow)

local function attack(g) g:connect():send(t.client.request_text "/attack") end

--- Many who come at the same time: whoever comes with them may have to wait for all, but one has
--- its answer soon. Returns when that is so.
local function many(g, path)
  local conns = {}
  for i = 1, N do
    local c = g:connect()
    c:send(t.client.request_text(path or "/attack"))
    conns[i] = c.conn
  end
  socket.select(conns, nil, t.patience)
end

--- The longest wait of somebody who asks again and again until so many pieces are done, as part of
--- the time that all took. What `begin` waits for is such a wait, too.
local function longest_part(g, neighbour, begin, n)
  local function ask()
    neighbour:send(t.client.request_text "/done")
    return tonumber(neighbour:receive_response().body)
  end
  local target = ask() + n
  local began, longest = socket.gettime(), 0
  local last = began
  local function waited()
    local now = socket.gettime()
    longest, last = math.max(longest, now - last), now
  end
  begin(g)
  waited()
  repeat
    local done = ask()
    waited()
    assert(last - began < t.patience, "the work was not done")
  until done >= target
  return longest / (last - began)
end

--- A busy machine may hold up anybody for long, so that some tries are allowed. Who has no turn
--- waits for everything in each.
local function others_wait_for_at_most(part, text, begin, n, prepare)
  local g = t.gateway(HEAD .. text)
  local neighbour, best = g:connect(), math.huge
  for _ = 1, 10 do
    if prepare then prepare(g) end
    best = math.min(best, longest_part(g, neighbour, begin, n or N))
    if best < part then break end
  end
  assert.is_true(best < part, ("others waited for %.2f of the work"):format(best))
  assert.not_matches("script stopped", g:stderr())
end

--- Many who ask again as soon as they have an answer, each for the same or for something new, and
--- somebody else who asks meanwhile: how many pieces of work were done for each of his answers.
local CROWD, ASKS = 24, 20
local function pieces_for_an_answer(g, target)
  local neighbour, conns, streams = g:connect(), {}, {}
  local sent = 0
  local function attack_again(c)
    sent = sent + 1
    c:send(t.client.request_text(target:format(sent)))
  end
  local function ask()
    for _, conn in ipairs((socket.select(conns, nil, 0))) do
      streams[conn]:receive_response()
      attack_again(streams[conn])
    end
    neighbour:send(t.client.request_text "/done")
    return tonumber(neighbour:receive_response().body)
  end
  for i = 1, CROWD do
    local c = g:connect()
    conns[i], streams[c.conn] = c.conn, c
    attack_again(c)
  end
  local from = ask()
  for _ = 2, ASKS do ask() end
  return (ask() - from) / ASKS
end

local function chain(hook)
  return ([[
    local use = {}
    for i = 1, 10 do use[i] = { name = "p" .. i, %s = function() work() end } end
    gate.route { path = "/attack", use = use, reply = { 200, "x" } }
  ]]):format(hook)
end

describe("others have their turn", function()
  after_each(t.cleanup)

  for _, hook in ipairs { "request", "response", "log", "body" } do
    it("between the " .. hook .. " hooks of one request", function()
      others_wait_for_at_most(0.6, chain(hook), attack)
    end)
  end

  it("between hooks of one chain that wait", function()
    others_wait_for_at_most(0.6, [[
      local use = {}
      for i = 1, 10 do
        use[i] = { name = "p" .. i, request = function()
          if i % 3 == 1 then gate.sleep(0.001) end
          work()
        end }
      end
      gate.route { path = "/attack", use = use, reply = { 200, "x" } }
    ]], attack)
  end)

  it("between hooks of more policies than are written out", function()
    others_wait_for_at_most(0.6, [[
      local use = {}
      for i = 1, 50 do
        use[i] = { name = "p" .. i, request = function() if i % 5 == 0 then work() end end }
      end
      gate.route { path = "/attack", use = use, reply = { 200, "x" } }
    ]], attack)
  end)

  it("between compiled hooks that work in functions of the library alone", function()
    others_wait_for_at_most(0.6, [[
      gate.limits { vm_memory = "256m" }
      local size = 10
      local use = {}
      for i = 1, 10 do
        use[i] = { name = "p" .. i, request = function()
          local s = ("x"):rep(size)
          s = s:reverse():upper():lower():reverse():upper():lower():reverse():upper():lower()
          s = s:reverse():upper():lower():reverse():upper():lower():reverse():upper():lower()
          done = done + 1
          size = #s
        end }
      end
      gate.route { path = "/attack", use = use, reply = { 200, "x" } }
      gate.route { path = "/size/:n", handler = function(req)
        size = tonumber(req.params.n)
        return gate.reply(200, "x")
      end }
    ]], attack, N, function(g)
      assert.equal("x", g:get("/size/10").body)
      for _ = 1, 100 do g:get "/attack" end
      assert.equal("x", g:get("/size/1000000").body)
    end)
  end)

  it("between the steps of one request", function()
    others_wait_for_at_most(0.6, [[
      gate.route { path = "/attack", reply = { 200, "x" },
        use = { { request = work, response = work, body = work, log = work } } }
    ]], attack, 4)
  end)

  it("between the pieces of one body", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.1 200 OK\r\nContent-Length: 163840\r\n\r\n"
      for _ = 1, 10 do c:send(("x"):rep(16384)) end
    end)
    others_wait_for_at_most(0.6, ([[
      gate.route { path = "/attack", upstream = gate.upstream("up", { servers = { "%s" } }),
        use = { { body = function() work() end } } }
    ]]):format(o.address), attack, 4)
  end)

  it("between requests that come at the same time", function()
    others_wait_for_at_most(0.6, [[
      gate.route { path = "/attack", handler = function()
        work()
        return gate.reply(200, "x")
      end }
    ]], many)
  end)

  it("between requests of one connection", function()
    others_wait_for_at_most(0.6, [[
      gate.route { path = "/attack", handler = function()
        work()
        return gate.reply(200, "x")
      end }
    ]], function(g) g:connect():send(t.client.request_text("/attack"):rep(N)) end)
  end)

  it("between requests that waited for the same", function()
    others_wait_for_at_most(0.6, [[
      gate.route { path = "/attack", handler = function()
        gate.sleep(0.05)
        work()
        return gate.reply(200, "x")
      end }
    ]], many)
  end)

  it("between new connections", function()
    others_wait_for_at_most(0.6, [[
      local first = true
      gate.on.connect(function()
        if not first then work() end
        first = false
      end)
    ]], function(g) many(g, "/done") end)
  end)

  it("between background tasks", function()
    others_wait_for_at_most(0.6, [[
      gate.route { path = "/attack", handler = function()
        for _ = 1, 10 do gate.spawn(work) end
        return gate.reply(200, "x")
      end }
    ]], attack)
  end)

  it("between background tasks that waited for the same", function()
    others_wait_for_at_most(0.6, [[
      gate.route { path = "/attack", handler = function()
        for _ = 1, 10 do gate.spawn(function() gate.sleep(0.02) work() end) end
        return gate.reply(200, "x")
      end }
    ]], attack)
  end)

  for what, case in pairs {
    ["for the same"] = { "/attack", [[
      gate.route { path = "/attack", handler = function()
        work()
        return gate.reply(200, "x")
      end }
    ]] },
    ["for something new"] = { "/attack/%d", [[
      gate.route { path = "/attack/*rest", handler = function()
        work()
        return gate.reply(200, "x")
      end }
    ]] },
    ["in the hooks of all"] = { "/attack", [[
      gate.on.request(function(req) if req.path == "/attack" then work() end end)
      gate.route { path = "/attack", reply = { 200, "x" } }
    ]] },
    ["behind a wait"] = { "/attack", [[
      gate.route { path = "/attack", handler = function()
        gate.sleep(0.001)
        work()
        return gate.reply(200, "x")
      end }
    ]] },
    ["in parts"] = { "/attack", [[
      gate.route { path = "/attack", handler = function()
        gate.all { work }
        return gate.reply(200, "x")
      end }
    ]] },
  } do
    it("between many who ask again, " .. what, function()
      local g, best = t.gateway(HEAD .. case[2]), math.huge
      for _ = 1, 5 do
        best = math.min(best, pieces_for_an_answer(g, case[1]))
        if best < 0.8 then break end
      end
      assert.is_true(best < 0.8, ("%.1f pieces of work for an answer"):format(best))
      assert.not_matches("script stopped", g:stderr())
    end)
  end

  it("between ticks", function()
    others_wait_for_at_most(0.6, [[
      local left = 0
      for _ = 1, 10 do
        gate.every(0.02, function()
          if left > 0 then
            left = left - 1
            work()
          end
        end)
      end
      gate.route { path = "/attack", handler = function()
        left = 10
        return gate.reply(200, "x")
      end }
    ]], attack)
  end)
end)
