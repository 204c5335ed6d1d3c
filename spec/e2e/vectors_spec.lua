--- Byte-exact attacks against the real program: each vector as it stands and again with every byte
--- in a segment of its own, two ordinary requests after it, and the same engine to the end.

local judge = require "e2e.vectors.judge"
local Origin = require "e2e.vectors.origin"
local play = require "e2e.vectors.play"
local t = require "e2e.support"

local FILES = {
  "framing", "chunks", "lines", "requests", "paths", "limits", "answers",
  "own_framing", "own_chunks", "own_lines", "own_requests", "own_paths", "own_limits",
  "own_answers",
}

local GATEWAY = [[
gate.listen { "127.0.0.1:0" }
gate.process { access_log = false }
local origin = gate.upstream("origin", { servers = { "127.0.0.1:$ORIGIN" } })
gate.route { path = "/*rest", upstream = origin }
gate.route { path = "/alive", reply = { 200, "yes" } }
gate.route { path = "/filler", reply = { 200, ("x"):rep(65536) } }
gate.route { path = "/small", upstream = origin, max_body = 10 }
gate.route { path = "/echo-header", handler = function(req)
  return gate.reply(200, "x", { ["x-echo"] = req.args.v })
end }
gate.route { path = "/echo-name", handler = function(req)
  return gate.reply(200, "x", { [req.args.v] = "x" })
end }
gate.route { path = "/echo-redirect", handler = function(req) return gate.redirect(req.args.v) end }
gate.route { path = "/echo-up", upstream = origin, use = {
  { request = function(req) req.headers["x-echo"] = req.args.v end },
} }
gate.route { path = "/echo-path", upstream = origin, use = {
  { request = function(req) req.path = req.args.v end },
} }
gate.route { path = "/echo-query", upstream = origin, use = {
  { request = function(req) req.query = req.args.v end },
} }
gate.route { path = "/echo-host", upstream = origin, use = {
  { request = function(req) req.host = req.args.v end },
} }
gate.route { path = "/echo-down", upstream = origin, use = {
  { response = function(req, res) res.headers["x-echo"] = req.args.v end },
} }
gate.on.request(function(req)
  if req.path == "/admin" or req.path:sub(1, 7) == "/admin/" then return gate.reply(403, "no") end
end)
]]

describe("vectors", function()
  local gateway, origin, engine

  setup(function()
    origin = Origin.start()
    gateway = t.gateway((GATEWAY:gsub("$ORIGIN", tostring(origin.port))), {
      supervised = true, args = { "--workers", "1", "--test-clock", "--no-watch" },
    })
    engine = gateway:engine()
  end)

  teardown(function()
    gateway:signal "TERM"
    assert.are.equal(0, gateway:wait(40), gateway:stderr())
    local log = gateway:stderr()
    for _, word in ipairs { "Sanitizer", "runtime error", "assertion", "crash" } do
      assert.is_nil(log:find(word, 1, true), log)
    end
    t.cleanup()
  end)

  local function check(vector, split)
    local outcome, record = play.vector(gateway, origin, vector, split)
    local faults = judge.faults(vector, outcome, record)
    if faults[1] then faults[#faults + 1] = judge.describe(outcome, record) end
    if vector.cache_check then
      local answer = play.clean_answer(gateway, origin, vector)
      local planted = answer:find "evil" or answer:find "victim"
      faults[#faults + 1] = planted and "planted: " .. answer or nil
    end
    for _ = 1, 2 do faults[#faults + 1] = play.control(gateway, origin) end
    if gateway:engine() ~= engine then
      engine = gateway:engine()
      faults[#faults + 1] = "the engine is another one: " .. gateway:stderr():sub(-2000)
    end
    assert(faults[1] == nil, table.concat(faults, "\n"))
  end

  local ids = {}
  for _, file in ipairs(FILES) do
    describe(file, function()
      for _, vector in ipairs(require("e2e.vectors.data." .. file)) do
        assert(not ids[vector.id], "twice: " .. vector.id)
        ids[vector.id] = true
        it(vector.id .. " " .. vector.class, function() check(vector) end)
        if not vector.pace and not vector.no_read and not vector.whole then
          it(vector.id .. " " .. vector.class .. ", byte by byte", function()
            check(vector, true)
          end)
        end
      end
    end)
  end
end)
