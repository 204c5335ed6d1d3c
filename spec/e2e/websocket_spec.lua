--- WebSocket with clients and an origin that are not ours (package ws), over HTTP/1.1 and HTTP/2
--- (RFC 8441), each plain and over TLS, to an origin that speaks the one or the other. What tunnels
--- do in general is in tunnels_spec.lua.
-- covers: flow/upgrade.c flow/step_relay.c http/h2_stream.c http/h2_connect.c
local cases = require "e2e.websocket.cases"
local rig = require "e2e.websocket.rig"
local t = require "e2e.support"

--- The cases on one way; each path begins with `prefix`.
local function over(transport, prefix, ...)
  local lists = { ... }
  describe("over " .. transport .. prefix, function()
    local g
    local function where(path, more) return rig.to(g, transport, prefix .. path, more) end
    local function running() return g end

    setup(function() g = rig.gateway() end)
    before_each(rig.forget)
    teardown(t.cleanup)

    for _, list in ipairs(lists) do
      for _, case in ipairs(list) do
        it(case[1], function() case[2](where, running) end)
      end
    end
  end)
end

describe("WebSocket", function()
  setup(rig.start)
  teardown(rig.stop)

  for _, transport in ipairs { "h1", "h1s", "h2", "h2s" } do
    over(transport, "", cases.messages, cases.handshakes, cases.crowds, cases.deaths)
  end
  for _, transport in ipairs { "h1", "h2" } do
    over(transport, "/up2", cases.messages, cases.handshakes_up2, cases.crowds, cases.deaths)
  end
end)
