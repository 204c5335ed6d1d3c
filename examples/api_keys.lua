-- Access control: an API behind keys; the gateway knows their hashes, never the keys.
-- Run it:  API_KEY_HASHES=$(printf secret | sha256sum) moongate run examples/api_keys.lua
-- Try it:  curl -i -H 'X-Api-Key: secret' http://127.0.0.1:8080/api/items

local gate = require "moongate"

gate.listen { gate.env("LISTEN", "127.0.0.1:8080") }

local api = gate.upstream("api", { servers = { gate.env("API_SERVER", "127.0.0.1:9001") } })

-- Hexadecimal SHA-256 of the keys. Read at load, so that a gateway without keys does not start.
local known = {}
for hash in gate.env("API_KEY_HASHES"):gmatch(("%x"):rep(64)) do known[hash:lower()] = true end
if not next(known) then error "API_KEY_HASHES: expected SHA-256 sums of keys" end

--- The short name of a key: enough to tell keys apart in a log, of no use to anybody else.
local function name_of(key)
  local hash = gate.crypto.hex(gate.crypto.sha256(key))
  return known[hash] and hash:sub(1, 8)
end

local keys = {
  name = "api keys",
  guards = true, -- an error in here always refuses the request
  request = function(req)
    local who = name_of(req.headers["x-api-key"] or "")
    if not who then
      return gate.reply(401, { error = "a valid X-Api-Key is needed" },
        { ["www-authenticate"] = "ApiKey" })
    end
    req.headers["x-api-key"] = nil -- the origin needs no secrets
    req.headers["x-caller"] = who
  end,
}

gate.route { path = "/api/", upstream = api, use = { keys } }
gate.route { path = "/health", reply = { 200, { ok = true } } }

-- What the gateway answers by itself is JSON, like the answers of the API.
gate.on.fault(function(req, fault)
  return gate.reply(fault.status, { error = fault.message, code = fault.code, request = req.id })
end)
