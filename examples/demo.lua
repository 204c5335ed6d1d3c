-- A gateway in front of two origins, which it serves itself, so that nothing else is needed.
-- Run:  sh examples/quickstart.sh        (or: PORT=8080 moongate run examples/demo.lua)
-- Try:  curl http://127.0.0.1:8080/                                 one origin, then the other
--       curl http://127.0.0.1:8080/hello/moon                       answered by the gateway
--       curl -i -H "X-Key: tides" http://127.0.0.1:8080/private     without the key: 401
local gate = require "moongate"

local port = tonumber(gate.env("PORT", "8080"))
local origins = { "127.0.0.1:" .. port + 1, "127.0.0.1:" .. port + 2 }

gate.process { workers = 1 } -- each worker counts its own turns; here they shall be plain to see
gate.listen { "127.0.0.1:" .. port }

-- The gateway: two servers in turn, a key for one path, a header on every answer.
local demo = gate.upstream("demo", { servers = origins, host = "peer" })

gate.route { name = "gateway", path = "/", upstream = demo }

gate.route {
  name = "hello",
  path = "/hello/:name",
  handler = function(req)
    return gate.reply(200, "hello, " .. req.params.name .. "\n")
  end,
}

gate.on.request(function(req)
  if req.path == "/private" and req.headers["x-key"] ~= "tides" then
    return gate.reply(401, "the key is: tides\n")
  end
end)

gate.on.response(function(req, res)
  res.headers["x-served-by"] = req.peer and req.peer.address or "the gateway"
end)

-- The origins: any HTTP servers could stand here. These take 20 ms, during which others are served.
local is_origin = {}
for _, address in ipairs(origins) do
  gate.listen { address }
  is_origin[address] = true
end

gate.route {
  name = "origin",
  path = "/",
  priority = 1,
  when = function(req)
    return is_origin[req.headers.host] or false
  end,
  handler = function(req)
    gate.sleep("20ms")
    return gate.reply(200, ("origin %s got %s %s\n"):format(req.headers.host, req.method, req.path))
  end,
}
