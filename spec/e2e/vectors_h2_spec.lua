--- Attacks over HTTP/2 against the real program, each as it stands and again in small pieces; an
--- ordinary request after it, over HTTP/2 and over HTTP/1, and the same engine to the end.
-- covers: http/h2_head.c http/h2_recv.c http/h2_flood.c session/session_h2.c

local Origin = require "e2e.vectors.origin"
local h2_judge = require "e2e.vectors.h2_judge"
local play = require "e2e.vectors.play"
local t = require "e2e.support"
local vectors = require "e2e.vectors.data.h2"

local GATEWAY = [[
gate.listen { "127.0.0.1:0", http2 = true }
gate.process { access_log = false }
local origin = gate.upstream("origin", { servers = { "127.0.0.1:$ORIGIN" } })
gate.route { path = "/*rest", upstream = origin }
gate.on.request(function(req)
  if req.path == "/admin" or req.path:sub(1, 7) == "/admin/" then return gate.reply(403, "no") end
end)
]]

-- Floods go whole, and others in pieces of a few bytes.
local SMALL = 4000

describe("HTTP/2 vectors", function()
  local gateway, origin, engine

  setup(function()
    origin = Origin.start()
    gateway = t.gateway((GATEWAY:gsub("$ORIGIN", tostring(origin.port))), {
      supervised = true, args = { "--workers", "2", "--no-watch" },
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

  local function check(vector, piece)
    local faults = h2_judge.faults(gateway, origin, vector, piece)
    faults[#faults + 1] = h2_judge.control(gateway, origin)
    faults[#faults + 1] = play.control(gateway, origin)
    if gateway:engine() ~= engine then
      engine = gateway:engine()
      faults[#faults + 1] = "the engine is another one: " .. gateway:stderr():sub(-2000)
    end
    assert(faults[1] == nil, table.concat(faults, "\n"))
  end

  local ids = {}
  for _, vector in ipairs(vectors) do
    assert(not ids[vector.id], "twice: " .. vector.id)
    ids[vector.id] = true
    it(vector.id .. " " .. vector.class, function() check(vector) end)
    if #vector.bytes < SMALL and not vector.whole then
      it(vector.id .. " " .. vector.class .. ", in small pieces", function() check(vector, 3) end)
    end
  end

  it("are counted", function()
    for _, name in ipairs { "connections", "errors", "floods", "resets_sent", "resets_received" } do
      assert.is_true(gateway:metric("moongate_http2_" .. name .. "_total") > 0, name)
    end
    assert.is_true(gateway:metric "moongate_http2_streams_refused_total" > 0)
    for _, reason in ipairs { "http2_error", "http2_flood" } do
      local name = 'moongate_connections_closed_total{reason="' .. reason .. '"}'
      assert.is_true(gateway:metric(name) > 0, name)
    end
  end)
end)
