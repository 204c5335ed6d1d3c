-- What reloads cost: requests that fail or wait while wrk runs at full rate, memory afterwards, the
-- time from a save to serving, and the longest that a reload keeps a worker from its clients.
--   LUA_PATH="lua/?.lua;lua/?/init.lua;spec/?.lua;spec/?/init.lua;;" \
--     MOONGATE_BIN=build/release/moongate luajit tests/bench/bench_reload.lua [SECONDS [RELOADS]]
-- Client, origin and gateway share the machine. Needs wrk and lua-socket. Reloads are ordered on
-- the control socket: a process of `moongate reload` for each would cost as much as the reload
-- itself.
local json = require "moongate.json"
local t = require "e2e.support"

local seconds = tonumber(arg[1] or 30)
local reloads = tonumber(arg[2] or 100)

local function gateway_text(origin, word, lines)
  local parts = { ([[
    gate.listen { "127.0.0.1:0" }
    gate.process { workers = 2, access_log = false }
    local o = gate.upstream("o", { servers = { "%s" }, keepalive = { idle = 256 } })
    gate.route { path = "/word", reply = { 200, "%s" } }
    gate.route { path = "/", upstream = o }
    gate.on.request(function(req) req.headers["x-user"] = "u" .. #req.path end)
    gate.on.response(function(req, res) res.headers["x-seen"] = "1" end)
  ]]):format(origin, word) }
  for i = 1, (lines or 0) do
    parts[#parts + 1] = ('gate.route { path = "/r%d/:id", methods = { "GET" }, upstream = o, '
      .. 'use = { { request = function(req) req.headers["x-n"] = "%d" end } } }'):format(i, i)
  end
  return table.concat(parts, "\n")
end

local function start(text, options)
  options = options or {}
  options.supervised = true
  options.args = options.args or {}
  return t.gateway(text, options)
end

local function rss(g)
  return tonumber(t.read("/proc/" .. g:engine() .. "/status"):match "VmRSS:%s+(%d+)") / 1024
end

--- Starts wrk; a function that waits for it and reads its numbers.
local function wrk(g)
  local out = t.folder() .. "/wrk"
  local p = t.process.start({ "wrk", "-t", "1", "-c", "32", "-d", seconds .. "s", "--latency",
    "http://127.0.0.1:" .. g.port .. "/body" }, { stdout = out, stderr = out })
  return function()
    p:wait(seconds + 30)
    local text = t.read(out)
    local p99, unit = text:match "99%%%s+([%d.]+)(%a+)"
    local scale = ({ us = 0.001, ms = 1, s = 1000 })[unit]
    local failed = tonumber(text:match "Non%-2xx or 3xx responses: (%d+)" or 0)
    for n in (text:match "Socket errors: ([^\n]*)" or ""):gmatch "%d+" do
      failed = failed + tonumber(n)
    end
    return { p99 = tonumber(p99) * scale, failed = failed,
      rate = tonumber(text:match "Requests/sec:%s+([%d.]+)") }
  end
end

local function reload(g)
  local res = g:control("/reload", { method = "POST" })
  assert(res.status == 200, res.body)
end

local function stall(g)
  local worst = 0
  for value in g:control("/metrics").body:gmatch "moongate_reload_stall_seconds{[^}]*} (%S+)" do
    worst = math.max(worst, tonumber(value))
  end
  return worst * 1000
end

local function under_load(origin)
  local g = start(gateway_text(origin, "0"))
  local plain = wrk(g)()
  local before = rss(g)
  local finish = wrk(g)
  local began = t.now()
  for i = 1, reloads do
    while t.now() < began + seconds * (i - 0.5) / reloads do t.sleep(0.005) end
    g:rewrite(gateway_text(origin, tostring(i)))
    reload(g)
  end
  local loaded = finish()
  t.wait_for("one generation", function() return g:status "live_generations" == "1" end)
  t.sleep(1)
  print(("%d reloads in %d s: %d failed requests"):format(reloads, seconds, loaded.failed))
  print(("  p99 %.2f ms, without reloads %.2f ms: %.2f times"):format(loaded.p99, plain.p99,
    loaded.p99 / plain.p99))
  print(("  %.0f requests/s, without %.0f"):format(loaded.rate, plain.rate))
  print(("  RSS %.1f MiB, before %.1f MiB: %+.1f %%"):format(rss(g), before,
    (rss(g) / before - 1) * 100))
  print(("  longest stall of a worker %.3f ms"):format(stall(g)))
  g:stop()
end

--- Median time from a save to its being served, in ms.
local function save_to_serving(g, save)
  local times = {}
  for i = 1, 9 do
    local word = "save" .. i
    save(word)
    local began = t.now()
    t.wait_for(word, function() return g:get("/word").body == word end)
    times[i] = (t.now() - began) * 1000
  end
  table.sort(times)
  return times[5], times[9]
end

local function of_code(origin)
  local g = start(gateway_text(origin, "0", 1000), { watch = true })
  local median, worst = save_to_serving(g, function(word)
    g:rewrite(gateway_text(origin, word, 1000))
  end)
  print(("save to serving, 1,000 lines: median %.0f ms, worst %.0f ms; stall %.3f ms")
    :format(median, worst, stall(g)))
  g:stop()
end

local function routes_of(word)
  local list = { { path = "/word", reply = { 200, word } } }
  for i = 2, 5000 do
    list[i] = { name = "r" .. i, host = "h" .. i % 100 .. ".test", path = "/" .. i .. "/:id",
      upstream = "o" }
  end
  return json.encode(list)
end

local function of_data(origin)
  local g = start(([[
    gate.listen { "127.0.0.1:0" }
    gate.process { workers = 2, access_log = false }
    gate.upstream("o", { servers = { "%s" } })
    gate.routes(gate.data "routes")
    gate.on.request(function(req) req.headers["x-user"] = "u" end)
  ]]):format(origin), { watch = true, files = { ["routes.json"] = routes_of "0" } })
  local median, worst = save_to_serving(g, function(word)
    t.write(g.dir .. "/routes.json", routes_of(word))
  end)
  print(("save to serving, 5,000 routes of data: median %.0f ms, worst %.0f ms; stall %.3f ms")
    :format(median, worst, stall(g)))
  g:stop()
end

local ok, err = pcall(function()
  local origin = start [[
    gate.listen { "127.0.0.1:0" }
    gate.process { workers = 1, access_log = false }
    gate.route { path = "/", reply = { 200, ("x"):rep(1024) } }
  ]]
  local address = "127.0.0.1:" .. origin.port
  under_load(address)
  of_code(address)
  of_data(address)
end)
t.cleanup()
if not ok then error(err, 0) end
