--- Limits and slow clients (SECURITY.md section H). Times are of the gateway's clock.

local build = require "e2e.vectors.build"
local get, post, request = build.get, build.post, build.request
local v = build.list()

local function part(unit, count) return { { token = "@@X@@", unit = unit, count = count } } end

v:add("H1-117a", "limit/header-count", "upstream-status", get("@@X@@"), { gen = part("a: b\r\n",
  99) })
v:refuse("H1-117b", "limit/header-count", get("@@X@@"), "431-close")
v[#v].gen = part("a: b\r\n", 100)
v:refuse("H1-118", "limit/header-bytes", get("X: @@X@@\r\n"), "431-close")
v[#v].gen = part("a", 65536)
v:refuse("H1-118a", "limit/header-bytes", get("@@X@@: a\r\n"), "431-close")
v[#v].gen = part("a", 40000)
v:refuse("H1-118b", "limit/header-bytes", get("@@X@@"), "431-close")
v[#v].gen = part("X: " .. ("a"):rep(600) .. "\r\n", 60)
v:refuse("H1-118c", "limit/header-bytes", "GET /a HTTP/1.1\r\nHost: @@X@@\r\n\r\n",
  "431-close 400-close")
v[#v].gen = part("a", 40000)
v:add("H1-118d", "limit/header-bytes", "upstream-status", get("X: @@X@@\r\n"), { gen = part("a",
  30000) })
v:refuse("H1-118e", "limit/header-bytes", get("X: @@X@@"), "431-close")
v[#v].gen = part("a", 200000)
-- memory does not grow with what is refused
v:refuse("H1-118f", "limit/header-bytes", get("@@X@@"), "431-close")
v[#v].gen = part("X: a\r\n", 500000)

-- slow heads: gone within 20 s whatever trickles
v:add("H1-120", "slow/head", "408-close close", "GET /a HTTP/1.1\r\nHost: example.test\r\nX: a",
  { pace = { bytes = 1, every_s = 2 }, gone_within = 20, max_upstream_requests = 0 })
v:add("H1-120a", "slow/head", "408-close close", "GET /a HTTP/1.1\r\nHost: exa",
  { pace = { bytes = 100, every_s = 5 }, gone_within = 20, max_upstream_requests = 0 })
v:add("H1-120b", "slow/nothing", "408-close close", "", { pace = { bytes = 0, every_s = 5 },
  gone_within = 65 })
v:add("H1-120c", "slow/crlf", "408-close close 400-close", "\r\n",
  { pace = { bytes = 0, every_s = 5 }, gone_within = 65 })
-- slow bodies
v:add("H1-121a", "slow/body", "408-close close", post("Content-Length: 100000\r\n"),
  { pace = { bytes = 1, every_s = 1 }, gone_within = 20, upstream_must_see_incomplete = true })
v:add("H1-121b", "slow/body", "408-close close", post("Content-Length: 100000\r\n"),
  { pace = { bytes = 0, every_s = 1 }, gone_within = 20, upstream_must_see_incomplete = true })
v:add("H1-121c", "slow/body", "408-close close", post("Content-Length: 1000000\r\n"),
  { pace = { bytes = 300, every_s = 1 }, gone_within = 40, upstream_must_see_incomplete = true })
v:add("H1-121d", "slow/body-enough", "upstream-status", post("Content-Length: 60000\r\n"),
  { pace = { bytes = 1000, every_s = 1, limit = 60 }, max_upstream_requests = 1 })
v:add("H1-121e", "slow/chunks", "408-close close 400-close", post("Transfer-Encoding: chunked\r\n"),
  { pace = { bytes = 0, every_s = 1 }, gone_within = 20, upstream_must_see_incomplete = true })
v:add("H1-121f", "slow/expect", "408-close", post("Expect: 100-continue\r\nContent-Length: 5\r\n"),
  { pace = { bytes = 0, every_s = 1 }, gone_within = 20, upstream_must_see_incomplete = true })
-- slow readers: cut after 30 s without a byte taken, and little is kept for them meanwhile
v:add("H1-122", "slow/read", "200-truncated-close", request("GET /big"),
  { no_read = 45, memory_below = 8 * 1024 * 1024 })

return v
