--- What the specs of WebSocket share: an origin and clients that are not ours (package ws, run by
--- node), and a gateway with the ways between them.
local node = require "e2e.support.node"
local pki = require "e2e.support.pki"
local t = require "e2e.support"

local M = {}

local GATEWAY = [[
gate.listen { "127.0.0.1:0", http2 = true }
gate.listen { "127.0.0.1:0", http2 = true, tls = { cert = "$CERT.pem", key = "$CERT.key" } }
gate.process { access_log = "stdout", access_format = "json", drain = $DRAIN }
local o = gate.upstream("o", { servers = { "127.0.0.1:$PORT" } })
local o2 = gate.upstream("o2", { servers = { "127.0.0.1:$2PORT" }, http2 = true })
local plain2 = gate.upstream("plain2", { servers = { "127.0.0.1:$2PLAIN" }, http2 = true })
gate.on.request(function(req)
  local user = req.path:find "^/auth/" and req.headers.authorization
  if user == false or req.path:find "^/auth/" and user ~= "Bearer x" then
    return gate.reply(401, "who are you?", { ["WWW-Authenticate"] = "Bearer" })
  end
  if req.path:find "^/always/" then return gate.reply(200, "fine") end
  req.headers["x-hook"] = ("%s %s %s %d"):format(req.method, req.headers.upgrade, req.version,
    #(req.headers["sec-websocket-key"] or ""))
end)
gate.on.response(function(req, res)
  if req.path:find "^/turned/" then res.status = 403 end
  res.headers["x-status"] = tostring(res.status)
end)
gate.route { path = "/none/*rest", upgrade = false, upstream = o }
gate.route { path = "/*rest", upstream = o }
gate.route { path = "/up2/*rest", upstream = o2 }
gate.route { path = "/plain2/*rest", upstream = plain2 }
]]

-- Which listener each way of talking uses.
local TRANSPORTS = { h1 = 1, h1s = 2, h2 = 1, h2s = 2 }

local dir, certs, ports

--- Starts M.server and M.client, which outlive a test.
function M.start()
  dir = t.folder(true)
  certs = pki.new(dir):make("localhost", { names = { "localhost" } })
  M.server = node.start("ws_server.js", dir)
  M.client = node.start("ws_client.js", dir)
  ports = M.server:ask "listen"
end

function M.stop()
  M.client:stop()
  M.server:stop()
  os.execute("rm -rf " .. dir)
end

--- Forgets what earlier tests have left.
function M.forget()
  M.client:ask "closeSessions"
  M.server:ask "forget"
end

--- A gateway before the origin; options as of t.gateway, `more` text, and `drain` (seconds).
function M.gateway(options)
  local text = GATEWAY:gsub("$CERT", dir .. "/localhost"):gsub("$PORT", tostring(ports.port))
    :gsub("$2PORT", tostring(ports.port2)):gsub("$2PLAIN", tostring(ports.plain2))
    :gsub("$DRAIN", tostring(options and options.drain or 0.5))
  return t.gateway(text .. (options and options.more or ""), options)
end

--- Where a client goes to: a path through gateway g, and more options of ws_open.js.
function M.to(g, transport, path, more)
  local where = { transport = transport, port = g.ports[TRANSPORTS[transport]], path = path,
    ca = certs:path "ca.pem" }
  for name, value in pairs(more or {}) do where[name] = value end
  return where
end

--- The ends that the server has seen, once there are n of them and nothing is open.
function M.ends(n)
  return t.wait_for("ends at the server", function()
    local seen = M.server:ask "seen"
    return #seen.ends >= n and seen.open == 0 and seen.ends
  end)
end

return M
