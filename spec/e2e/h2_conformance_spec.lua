--- Conformance of HTTP/2 to clients: each case a connection of its own, plain and over TLS, frame
--- by frame, in one write and in small pieces, against routes that answer in each of the ways there
--- are.
-- covers: http/h2.c http/h2_recv.c http/h2_send.c http/h2_stream.c session/session_h2.c
local Connection = require "e2e.conformance.connection"
local World = require "e2e.conformance.world"
local h2 = require "e2e.vectors.h2"
local pki = require "e2e.support.pki"
local t = require "e2e.support"
local wire = require "e2e.conformance.wire"

wire.patience = t.patience

local GATEWAY = [[
gate.listen { "127.0.0.1:0", http2 = true }
gate.listen { "127.0.0.1:0", http2 = true, tls = { cert = "a.pem", key = "a.key" } }
gate.process { access_log = false }
local origin = gate.upstream("origin", { servers = { %q } })
gate.route { host = "origin.test", path = "/*rest", upstream = origin }
gate.route { host = "reply.test", path = "/*rest", reply = { 200, "an answer" } }
gate.route { host = "handler.test", path = "/*rest", handler = function(req)
  return gate.reply(200, "handled " .. #(req:read_body(1e6) or ""))
end }
]]

local HOSTS = { "origin.test", "reply.test", "handler.test" }
local FILES = { "accepted", "frames", "streams", "settings", "fields" }

local WAYS = {
  { name = "plain", scheme = "http", open = wire.plain, listener = 1 },
  { name = "plain, in one write", scheme = "http", open = wire.plain, listener = 1, joins = true },
  { name = "TLS", scheme = "https", open = wire.tls, listener = 2 },
  { name = "TLS, in small pieces", scheme = "https", open = wire.tls, listener = 2, piece = 3 },
}

-- What is longer goes whole.
local SMALL = 4000

local function cases_of(way, host)
  local world = World.new { authority = host, scheme = way.scheme }
  for _, file in ipairs(FILES) do require("e2e.conformance.data." .. file)(world) end
  return world.cases
end

describe("HTTP/2 conformance", function()
  local gateway, engine

  setup(function()
    local certs = pki.new(t.folder())
    certs:make("a", { names = HOSTS })
    local origin = t.origin(function(c, req) c:reply(200, "from the origin " .. #req.body) end)
    gateway = t.gateway(GATEWAY:format(origin.address), {
      supervised = true,
      files = { ["a.pem"] = t.read(certs:path "a.pem"), ["a.key"] = t.read(certs:path "a.key") },
    })
    engine = gateway:engine()
  end)

  teardown(function()
    assert.equal(engine, gateway:engine(), gateway:stderr())
    t.cleanup()
  end)

  local function open(way) return way.open(gateway.ports[way.listener]) end

  local function send(connection, bytes, way)
    local piece = #bytes < SMALL and way.piece or #bytes
    for at = 1, #bytes, piece do connection.wire:send(bytes:sub(at, at + piece - 1)) end
  end

  --- Bytes are sent, functions wait for something.
  local function take_steps(connection, steps, way)
    local held = ""
    for i, step in ipairs(steps) do
      if type(step) == "function" then
        step(connection)
      else
        held = held .. step
        if not (way.joins and type(steps[i + 1]) == "string") then
          send(connection, held, way)
          held = ""
        end
      end
    end
  end

  local function fault(way, case)
    local connection = Connection.new(open(way))
    connection:shake_hands()
    take_steps(connection, case.steps, way)
    local found = connection:fault(case.allowed)
    connection.wire:close()
    return found
  end

  for _, way in ipairs(WAYS) do
    local by_host = {}
    for i, host in ipairs(HOSTS) do by_host[i] = cases_of(way, host) end
    for number, case in ipairs(by_host[1]) do
      it(way.name .. ", " .. case.name, function()
        for i, host in ipairs(HOSTS) do
          local found = fault(way, by_host[i][number])
          assert(found == nil, host .. ": " .. tostring(found))
        end
      end)
    end

    it(way.name .. ", 3.4: the first frame is SETTINGS", function()
      local connection = Connection.new(open(way))
      connection.wire:send(h2.open())
      assert.is_nil(connection:fault "settings")
      connection.wire:close()
    end)

    it(way.name .. ", 3.4: what is no preface ends the connection", function()
      local connection = open(way)
      connection:send "INVALID CONNECTION PREFACE\r\n\r\n"
      local bytes, how
      repeat bytes, how = connection:receive() until not bytes
      assert.equal("end", how)
      connection:close()
    end)
  end
end)
