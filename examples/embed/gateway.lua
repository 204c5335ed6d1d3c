-- The nearest of some towns. It runs inside embed.c, which gives it two things: a module whose
-- function is written in C, and the towns, which lie in the program's memory.
-- Try: curl 'http://127.0.0.1:PORT/nearest?lat=48.1&lon=11.6'
local gate = require "moongate"
local geo = require "geo"

local towns = gate.data "towns"

gate.listen { "127.0.0.1:0" }

gate.route { path = "/nearest", handler = function(req)
  local lat, lon = tonumber(req.args.lat), tonumber(req.args.lon)
  if not (lat and lon) then return gate.reply(400, "lat and lon are needed\n") end
  local name, least
  for _, town in ipairs(towns) do
    local km = geo.distance(lat, lon, town.lat, town.lon)
    if not least or km < least then name, least = town.name, km end
  end
  return gate.reply(200, ("%s, %.1f km\n"):format(name, least))
end }
