--- Limits and slow clients. Times are of the gateway's clock.

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

-- bodies above the route's limit
v:refuse("H1-019m", "limit/body", request("POST /small", "Content-Length: 11\r\n", "hello hello"),
  "413-close")
v:refuse("H1-019n", "limit/body", request("POST /small", "Content-Length: 999999999999\r\n",
  "hello"),
  "413-close")
v:refuse("H1-019o", "limit/body",
  request("POST /small", "Expect: 100-continue\r\nContent-Length: 11\r\n"), "413-close")
v[#v].forbid_response = " 100 "
v:cut("H1-019p", "limit/body",
  request("POST /small", "Transfer-Encoding: chunked\r\n",
    "6\r\nhello \r\n5\r\nhello\r\n0\r\n\r\n"), "413-close")
v:cut("H1-019q", "limit/body", request("POST /small", "Transfer-Encoding: chunked\r\n",
  "fffffffff\r\n@@X@@"),
  "413-close")
v[#v].gen = part("a", 30000)
v:add("H1-019r", "limit/body", "forwarded-normalised",
  request("POST /small", "Content-Length: 10\r\n", "hello hell"), { body = "hello hell" })
-- an answer is not lost although much more was sent
v:refuse("H1-117r", "limit/unread", get("X Y: 1\r\n", "@@X@@"))
v[#v].gen = part("a", 50000)
v:cut("H1-031r", "limit/unread", build.chunked("zz\r\n@@X@@"))
v[#v].gen = part("a", 50000)

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
v:add("H1-121d", "slow/body-enough", "upstream-status", post("Content-Length: 30000\r\n"),
  { pace = { bytes = 1000, every_s = 1, limit = 60 }, max_upstream_requests = 1 })
v:add("H1-121e", "slow/chunks", "408-close close 400-close", post("Transfer-Encoding: chunked\r\n"),
  { pace = { bytes = 0, every_s = 1 }, gone_within = 20, upstream_must_see_incomplete = true })
v:add("H1-121f", "slow/expect", "408-close", post("Expect: 100-continue\r\nContent-Length: 5\r\n"),
  { pace = { bytes = 0, every_s = 1 }, gone_within = 20, upstream_must_see_incomplete = true })
-- slow readers: cut after 30 s without a byte taken, and little is kept for them meanwhile
v:add("H1-122", "slow/read", "200-truncated-close", request("GET /big"),
  { no_read = 45, memory_below = 8 * 1024 * 1024 })
v:add("H1-122a", "slow/read-pipelined", "200 200-truncated-close", "@@X@@",
  { no_read = 45, memory_below = 8 * 1024 * 1024, closes = true,
    gen = part(request("GET /filler"), 1000) })
v:add("H1-122b", "slow/read-upload", "200-truncated-close close 200 408-close",
  request("POST /big", "Content-Length: 100000000\r\n", "@@X@@"),
  { no_read = 45, memory_below = 8 * 1024 * 1024, closes = true, gen = part("a", 20000000) })
-- a connection that is kept, and not used
v:add("H1-120d", "slow/idle", "upstream-status-close", get(""),
  { pace = { bytes = 0, every_s = 5 }, gone_within = 65, closes = true })
v:add("H1-120e", "slow/second-head", "200", get("", "GET /a HT"),
  { pace = { bytes = 1, every_s = 2, whole = true }, gone_within = 20, closes = true,
    max_upstream_requests = 1 })

return v
