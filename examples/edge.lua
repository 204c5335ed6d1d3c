-- Edge: several hosts on one listener, redirects, rewrites, limits, a log of slow requests.
-- Run it:  moongate run examples/edge.lua
-- Try it:  curl -i -H 'Host: shop.test' http://127.0.0.1:8080/whoami/me

local gate = require "moongate"

gate.listen { gate.env("LISTEN", "127.0.0.1:8080"), trust = { "127.0.0.0/8" } }
gate.limits { header_timeout = "5s", body_bytes = "1m", connections_per_ip = 200 }
gate.process { access_format = "json", drain = "20s" }

local shop = gate.upstream("shop", {
  servers = { { gate.env("SHOP_SERVER", "127.0.0.1:9001"), weight = 2, max_connections = 500 } },
  balance = "least_requests",
  timeouts = { connect = "1s", first_byte = "10s" },
  retry = { tries = 2, on = { "connect", "reset", "503" } },
})

-- Redirects take what the path captured, and keep the query.
gate.route { host = "www.shop.test", path = "/*rest", redirect = { "http://shop.test/*rest", 308 } }
gate.route { host = "shop.test", path = "/old/*rest", redirect = "/items/*rest" }

-- The origin knows its items under another path.
gate.route { name = "item", host = "shop.test", path = "/items/:id", methods = { "GET" },
  upstream = shop, rewrite = "/v2/catalogue/:id" }
gate.route { name = "upload", host = "*.shop.test", path = "/upload/", methods = { "PUT", "POST" },
  upstream = shop, max_body = "64k", timeouts = { first_byte = "60s" } }
gate.route { name = "whoami", host = "shop.test", path = "/whoami/:name", handler = function(req)
  return gate.reply(200, { name = req.params.name, ip = req.client.ip, host = req.host })
end }

gate.on.response(function(_, res)
  res.headers["server"] = nil
  res.headers["x-content-type-options"] = "nosniff"
end)

local slow = tonumber(gate.env("SLOW_SECONDS", "1"))

gate.on.log(function(req, res)
  if req.timing.total < slow then return end
  gate.log.warn("slow request", {
    route = req.route or "-", status = res and res.status or 0, seconds = req.timing.total,
    peer = req.peer and req.peer.address or "-",
  })
end)
