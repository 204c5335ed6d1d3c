-- Canary: a new version gets the requests that ask for it, and a share of all clients.
-- Run it:  CANARY_PERCENT=20 moongate run examples/canary_routing.lua
-- Try it:  curl -i -H 'X-Canary: always' http://127.0.0.1:8080/

local gate = require "moongate"

local function upstream(name, server)
  return gate.upstream(name, { servers = { server } })
end

gate.listen { gate.env("LISTEN", "127.0.0.1:8080") }

local stable = upstream("stable", gate.env("STABLE_SERVER", "127.0.0.1:9001"))
local canary = upstream("canary", gate.env("CANARY_SERVER", "127.0.0.1:9002"))
local share = tonumber(gate.env("CANARY_PERCENT", "10"))

--- A number from 0 to 99, always the same for one client.
local function bucket(req)
  local hash = gate.crypto.sha256(req.cookies.session or req.client.ip)
  return (hash:byte(1) * 256 + hash:byte(2)) % 100
end

--- Whether the canary takes the request: a header says so, then a cookie, then the share.
local function wants_canary(req)
  local asked = req.headers["x-canary"] or req.cookies.canary
  if asked == "always" then return true end
  if asked == "never" then return false end
  return bucket(req) < share
end

gate.route { path = "/", upstream = stable }

gate.use {
  name = "canary",
  on_error = "open", -- after a mistake in here the route's own upstream takes the request
  request = function(req)
    req.ctx.upstream = wants_canary(req) and canary or stable
    return req.ctx.upstream
  end,
  response = function(req, res)
    res.headers["x-version"] = req.ctx.upstream and req.ctx.upstream.name
    -- Whoever asked by header stays there for an hour.
    local asked = req.headers["x-canary"]
    if asked == "always" or asked == "never" then
      res.headers:add("set-cookie", ("canary=%s; Path=/; Max-Age=3600; HttpOnly"):format(asked))
    end
  end,
}
