--- HTTP/2: what RFC 9113 forbids, what HTTP/1 would read differently, and floods. `bytes` is what a
--- client sends after it has connected; see ../h2_judge.lua for what may come of it.

local h2 = require "e2e.vectors.h2"

local frame, open, request = h2.frame, h2.open, h2.request
local END, WHOLE = h2.END, h2.WHOLE
local WRONG = "rst:PROTOCOL_ERROR goaway:PROTOCOL_ERROR 400"
local CALM = "goaway close"

local list = {}

local function add(id, class, allowed, bytes, more)
  local vector = { id = id, class = class, bytes = bytes, allowed = {}, tier = 2 }
  for token in allowed:gmatch "%S+" do table.insert(vector.allowed, token) end
  for key, value in pairs(more or {}) do vector[key] = value end
  list[#list + 1] = vector
end

local function headers(block, flags, id) return frame(h2.HEADERS, flags or END + WHOLE, id or 1,
  block) end

--- One request whose head is not acceptable: nothing of it goes up.
local function head(id, class, block, allowed, tier)
  add(id, class, allowed or WRONG, open(headers(block)), { max_upstream_requests = 0, tier = tier })
end

local function post(more) return headers(request({ [":method"] = "POST" }, more), WHOLE) end
local function data(bytes, flags) return frame(h2.DATA, flags or 0, 1, bytes) end

--- So many streams, each with its frames.
local function each(count, frames)
  local out = {}
  for i = 0, count - 1 do out[#out + 1] = frames(1 + 2 * i) end
  return open(table.concat(out))
end

local function get(id) return headers(request(), nil, id) end

-- What is right.
add("H2-01", "control", "forwarded-normalised", open(get(1)))
add("OH2-02", "control/post", "forwarded-normalised", open(post(), data("hello", END)),
  { body = "hello" })
add("OH2-03", "control/padded", "forwarded-normalised",
  open(post(), frame(h2.DATA, END + 8, 1, "\3hello\0\0\0")), { body = "hello" })
add("OH2-04", "control/unknown frame", "forwarded-normalised", open(frame(0x42, 0xff, 0, "junk"),
  get(1)))
add("OH2-05", "control/te trailers", "forwarded-normalised",
  open(headers(request(nil, { { "te", "trailers" } }))), { forbid_upstream = "te:" })
add("OH2-06", "control/host agrees", "forwarded-normalised",
  open(headers(request(nil, { { "host", "Example.TEST" } }))))
add("OH2-07", "control/host alone", "forwarded-normalised",
  open(headers(request({ [":authority"] = false }, { { "host", "example.test" } }))))
add("OH2-08", "control/crumbs", "forwarded-normalised",
  open(headers(request(nil, { { "cookie", "a=1" }, { "cookie", "b=2" } }))),
  { want_upstream = "cookie: a=1; b=2\r\n" })
add("OH2-09", "control/window 1", "200",
  h2.PREFACE .. frame(h2.SETTINGS, 0, 0, "\0\4" .. h2.u32(1)) .. get(1))

-- Bodies and lengths.
local with_length = function(n) return { { "content-length", n } } end
add("OH2-10", "downgrade/H2.CL", WRONG, open(post(with_length "3"), data("hello", END)),
  { upstream_must_see_incomplete = true })
add("H2-03", "downgrade/H2.CL0", WRONG,
  open(post(with_length "0"), data("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")),
  { forbid_upstream = "/smuggled" })
add("OH2-11", "downgrade/short body", WRONG, open(post(with_length "9"), data("hello", END)),
  { upstream_must_see_incomplete = true })
head("OH2-12", "downgrade/two lengths",
  request(nil, { { "content-length", "1" }, { "content-length", "2" } }))
head("OH2-13", "downgrade/H2.TE", request({ [":method"] = "POST" }, { { "transfer-encoding",
  "chunked" } }), nil, 1)
add("H2-27", "trailer/pseudo", WRONG,
  open(post(), data "hi", headers(h2.block { { ":path", "/x" }, { "content-length", "9" } })),
  { upstream_must_see_incomplete = true, tier = 1 })
add("OH2-14", "trailer/connection", WRONG,
  open(post(), data "hi", headers(h2.block { { "transfer-encoding", "chunked" } })),
  { upstream_must_see_incomplete = true })
add("OH2-15", "trailer/framing", "forwarded-normalised rst:PROTOCOL_ERROR",
  open(post(), data "hi", headers(h2.block { { "host", "evil" }, { "authorization", "evil" } })),
  { forbid_upstream = "evil" })
add("OH2-16", "trailer/not the end", WRONG .. " goaway",
  open(post(), data "hi", headers(h2.block { { "x", "1" } }, WHOLE)),
  { upstream_must_see_incomplete = true })

-- Names and values.
local function with(name, value) return request(nil, { { name, value } }) end
head("H2-05", "downgrade/value-CRLF", with("x", "a\r\nTransfer-Encoding: chunked"), nil, 1)
head("OH2-17", "downgrade/value-LF", with("x", "a\nb: c"), nil, 1)
head("OH2-18", "downgrade/value-NUL", with("x", "a\0b"), nil, 1)
head("H2-07", "downgrade/name-colon", with("x: y\r\nz", "1"), nil, 1)
head("OH2-19", "name/capitals", with("X-Y", "1"))
head("OH2-20", "name/space", with("x y", "1"))
head("H2-25", "name/empty", with("", "v"), nil, 1)
head("OH2-21", "value/space around", with("x", " a "))
head("OH2-22", "hop/connection", with("connection", "keep-alive, x"))
head("OH2-23", "hop/upgrade", with("upgrade", "websocket"))
head("OH2-24", "hop/te", with("te", "gzip"))
head("OH2-25", "hop/proxy-connection", with("proxy-connection", "close"))
add("OH2-26", "hop/http2-settings", "forwarded-normalised", open(headers(with("http2-settings",
  "AAMAAABk"))),
  { forbid_upstream = "AAMAAABk" })
head("OH2-27", "expect/unknown", with("expect", "cake"), "417")

-- Pseudo-fields, and the targets that they make.
local function pseudo(name, value) return request { [name] = value } end
head("H2-09", "downgrade/path-split", pseudo(":path", "/a HTTP/1.1\r\nHost: evil\r\nX: "), nil, 1)
head("OH2-28", "downgrade/path-space", pseudo(":path", "/a b"))
head("H2-11", "downgrade/path-form", pseudo(":path", "a"))
head("OH2-29", "downgrade/path-empty", pseudo(":path", ""))
head("OH2-30", "downgrade/path-absolute", pseudo(":path", "http://evil.test/"))
head("OH2-31", "downgrade/path-star", pseudo(":path", "*"))
head("H2-13", "downgrade/path-fragment", pseudo(":path", "/a#b"))
head("OH2-32", "path/above the root", pseudo(":path", "/../etc/passwd"))
head("OH2-33", "path/admin", pseudo(":path", "/x/%2e%2e/admin"), "403")
head("OH2-34", "path/NUL", pseudo(":path", "/a%00b"))
head("OH2-35", "downgrade/method-split", pseudo(":method", "GET /admin HTTP/1.1\r\nX: "), nil, 1)
head("OH2-36", "downgrade/method-space", pseudo(":method", "GET /b"))
head("OH2-37", "method/unknown", pseudo(":method", "FOO"), "501")
head("OH2-38", "method/trace", pseudo(":method", "TRACE"), "405")
head("H2-29", "method/connect", h2.block { { ":method", "CONNECT" }, { ":authority",
  "127.0.0.1:22" } }, "405")
head("H2-23", "pseudo/protocol", h2.block {
  { ":protocol", "websocket" }, { ":method", "CONNECT" }, { ":scheme", "http" },
  { ":authority", "example.test" }, { ":path", "/a" },
})

-- Extended CONNECT: where it may not be one, and where its head is not what HTTP/1.1 would take.
local function connect(protocol, change, more)
  local fields = { { ":protocol", protocol }, { ":method", "CONNECT" } }
  for _, field in ipairs { { ":scheme", "http" }, { ":authority", "example.test" },
    { ":path", "/a" } } do
    fields[#fields + 1] = { field[1], change and change[field[1]] or field[2] }
  end
  for _, field in ipairs(more or {}) do fields[#fields + 1] = field end
  return h2.block(fields)
end

local function tunnel(id, class, block, allowed, ...)
  add(id, class, allowed, open(headers(block, WHOLE), ...), { max_upstream_requests = 0 })
end

tunnel("OH2-83", "connect/unknown protocol", connect "x", "501")
tunnel("OH2-84", "connect/h2c", connect "h2c", "501")
tunnel("OH2-85", "connect/no token", connect "web socket\r\nX: 1", WRONG)
tunnel("OH2-86", "connect/length", connect("websocket", nil, with_length "5"), WRONG,
  data("hello", END))
tunnel("OH2-87", "connect/upgrade beside it", connect("websocket", nil, { { "upgrade", "h2c" } }),
  WRONG)
tunnel("OH2-88", "connect/path-split", connect("websocket",
  { [":path"] = "/a HTTP/1.1\r\nHost: evil\r\nX: " }), WRONG)
tunnel("OH2-89", "connect/admin", connect("websocket", { [":path"] = "/x/%2e%2e/admin" }), "403")
tunnel("OH2-90", "connect/scheme", connect("websocket", { [":scheme"] = "https" }), WRONG)
tunnel("OH2-91", "connect/host differs", connect("websocket", nil, { { "host", "evil.test" } }),
  WRONG)
tunnel("OH2-92", "connect/GET with a protocol", request(nil, { { ":protocol", "websocket" } }),
  WRONG)
-- The origin answers it as a plain request: no tunnel, and what the client sends is no request.
add("OH2-93", "connect/smuggling", "502", open(headers(connect "websocket", WHOLE),
  data("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", END)),
  { max_upstream_requests = 1, forbid_upstream = "/smuggled" })

head("H2-15", "downgrade/scheme", pseudo(":scheme", "http://evil.test/?"))
head("OH2-39", "downgrade/other scheme", pseudo(":scheme", "https"))
head("H2-17", "host/userinfo", pseudo(":authority", "a@evil.test"))
head("OH2-40", "host/port", pseudo(":authority", "a:99999"))
head("OH2-41", "host/list", pseudo(":authority", "a, b"))
head("OH2-42", "host/differs", with("host", "evil.test"))
head("OH2-43", "host/none", request { [":authority"] = false })
head("H2-19", "pseudo/dup", with(":path", "/b"))
head("OH2-44", "pseudo/late", h2.block {
  { ":method", "GET" }, { ":scheme", "http" }, { "x", "1" }, { ":path", "/a" },
})
head("H2-21", "pseudo/unknown", with(":foo", "1"))
head("OH2-45", "pseudo/status", with(":status", "200"))
head("OH2-46", "pseudo/missing", h2.block { { ":method", "GET" }, { ":path", "/a" } })

-- HPACK.
local big = ("a"):rep(3900)
head("H2-41", "hpack/bomb", request() .. h2.field("x", big, "\64") .. ("\190"):rep(12000), "431", 1)
add("H2-43", "hpack/table-size", "goaway:COMPRESSION_ERROR close",
  open(headers("\63\225\255\255\7" .. request())), { tier = 1, max_upstream_requests = 0 })
add("OH2-47", "hpack/index 0", "goaway:COMPRESSION_ERROR close", open(headers(request() .. "\128")),
  { max_upstream_requests = 0 })
add("OH2-48", "hpack/no such entry", "goaway:COMPRESSION_ERROR close",
  open(headers(request() .. "\255\20")),
  { max_upstream_requests = 0 })
head("OH2-49", "limit/list", request(nil, { { "x", ("a"):rep(6000) }, { "y", ("a"):rep(5000) } })
  .. h2.field("z", big, "\64") .. "\190\190\190\190\190", "431")
do
  local fields, crumbs = {}, {}
  for i = 1, 101 do fields[i] = { "x", "1" } end
  for i = 1, 900 do crumbs[i] = { "cookie", "a=" .. i } end
  head("OH2-50", "limit/count", request(nil, fields), "431")
  add("OH2-51", "limit/crumbs", "431 goaway", open(frame(h2.HEADERS, END, 1, request(nil,
  crumbs):sub(1, 10000)),
    frame(h2.CONTINUATION, WHOLE, 1, request(nil, crumbs):sub(10001))),
    { max_upstream_requests = 0 })
end
head("OH2-52", "limit/target", pseudo(":path", "/" .. ("a"):rep(9000)), "414")

-- Streams and windows.
add("H2-45", "stream/even-id", "goaway:PROTOCOL_ERROR close", open(headers(request(), nil, 2)),
  { max_upstream_requests = 0 })
add("OH2-53", "stream/backwards", "goaway:PROTOCOL_ERROR goaway:STREAM_CLOSED close", open(get(5),
  get(3)))
add("OH2-54", "stream/0", "goaway:PROTOCOL_ERROR close", open(headers(request(), nil, 0)))
add("OH2-55", "stream/data after the end", "goaway rst:STREAM_CLOSED close",
  open(get(1), data("x", END)), { max_upstream_requests = 1 })
add("OH2-56", "stream/data without head", "goaway:PROTOCOL_ERROR close", open(data "x"))
add("OH2-57", "stream/push", "goaway:PROTOCOL_ERROR close", open(frame(5, WHOLE, 1,
  h2.u32(2) .. request())))
add("OH2-58", "stream/depends on itself", "200 rst:PROTOCOL_ERROR goaway:PROTOCOL_ERROR",
  open(headers(h2.u32(1) .. "\0" .. request(), END + WHOLE + 32)))
add("OH2-78", "stream/priority on itself", "goaway:PROTOCOL_ERROR",
  open(frame(h2.PRIORITY, 0, 1, h2.u32(1) .. "\0")))
add("OH2-79", "stream/priority of none", "goaway:PROTOCOL_ERROR",
  open(frame(h2.PRIORITY, 0, 0, h2.u32(1) .. "\0")))
add("OH2-80", "stream/priority of an idle one", "forwarded-normalised",
  open(frame(h2.PRIORITY, 0, 7, h2.u32(5) .. "\0"), get(1)))
add("OH2-81", "stream/behind a reset", "goaway:STREAM_CLOSED",
  open(get(1), frame(h2.RST, 0, 1, h2.u32(8)), data("x", END)), { max_upstream_requests = 1 })
add("OH2-82", "stream/trailers behind a reset", "goaway:STREAM_CLOSED",
  open(post(), frame(h2.RST, 0, 1, h2.u32(8)), headers(h2.block { { "x", "1" } })))
add("OH2-59", "window/0", "goaway:PROTOCOL_ERROR rst:PROTOCOL_ERROR close",
  open(post(), frame(h2.WINDOW, 0, 1, h2.u32(0))), { upstream_must_see_incomplete = true })
add("OH2-60", "window/overflow", "goaway:FLOW_CONTROL_ERROR close", open(frame(h2.WINDOW, 0, 0,
  h2.u32(0x7fffffff))))
add("OH2-62", "frame/too large", "goaway:FRAME_SIZE_ERROR close", open(post(),
  data(("x"):rep(16385))))
add("OH2-63", "frame/settings size", "goaway:FRAME_SIZE_ERROR close", open(frame(h2.SETTINGS, 0,
  0, "12345")))
add("OH2-64", "frame/settings window", "goaway:FLOW_CONTROL_ERROR close",
  open(frame(h2.SETTINGS, 0, 0, "\0\4" .. h2.u32(0x80000000))))
add("OH2-65", "frame/ping size", "goaway:FRAME_SIZE_ERROR close", open(frame(h2.PING, 0, 0,
  "1234")))
add("OH2-66", "frame/padding", "goaway:PROTOCOL_ERROR close", open(post(), frame(h2.DATA, 8, 1,
  "\9x")))
add("OH2-67", "frame/interleaved", "goaway:PROTOCOL_ERROR close",
  open(frame(h2.HEADERS, END, 1, request()), frame(h2.PING, 0, 0, "12345678")),
  { max_upstream_requests = 0 })
add("H2-47", "stream/max", "rst:REFUSED_STREAM goaway",
  each(260, function(id) return headers(request { [":method"] = "POST" }, WHOLE, id) end),
  { tier = 1 })

-- Floods.
add("H2-31", "flood/continuation", CALM,
  open(frame(h2.HEADERS, END, 1, request()), frame(h2.CONTINUATION, 0, 1, h2.field("x-y",
  "0123456")):rep(10000)),
  { tier = 1, max_upstream_requests = 0 })
add("OH2-68", "flood/empty continuation", CALM,
  open(frame(h2.HEADERS, END, 1, request()), frame(h2.CONTINUATION, 0, 1):rep(10000)),
  { max_upstream_requests = 0 })
add("H2-33", "flood/rapid-reset", CALM,
  each(5000, function(id) return get(id) .. frame(h2.RST, 0, id, h2.u32(8)) end), { tier = 1,
  max_upstream_requests = 200 })
add("OH2-69", "flood/made-you-reset-wu0", CALM,
  each(5000, function(id) return get(id) .. frame(h2.WINDOW, 0, id, h2.u32(0)) end), { tier = 1,
  max_upstream_requests = 200 })
add("H2-35", "flood/made-you-reset-wuovf", CALM,
  each(5000, function(id) return get(id) .. frame(h2.WINDOW, 0, id, h2.u32(0x7fffffff)) end),
  { tier = 1, max_upstream_requests = 200 })
add("OH2-70", "flood/made-you-reset-data", CALM,
  each(5000, function(id) return get(id) .. frame(h2.DATA, END, id, "x") end), { tier = 1,
  max_upstream_requests = 200 })
add("OH2-71", "flood/made-you-reset-malformed", CALM,
  each(5000, function(id) return headers(with("X", "1"), nil, id) end),
  { max_upstream_requests = 0 })
add("H2-37", "flood/settings", CALM .. " memory-bounded", open(frame(h2.SETTINGS, 0, 0,
  "\0\3" .. h2.u32(100)):rep(50000)),
  { no_read = true })
add("OH2-72", "flood/settings entries", CALM, open(frame(h2.SETTINGS, 0, 0,
  ("\0\3" .. h2.u32(100)):rep(40))))
add("OH2-73", "flood/ping", CALM .. " memory-bounded", open(frame(h2.PING, 0, 0,
  "12345678"):rep(50000)), { no_read = true })
add("OH2-74", "flood/ping read", CALM, open(frame(h2.PING, 0, 0, "12345678"):rep(70000)))
add("OH2-75", "flood/priority", CALM, open(frame(h2.PRIORITY, 0, 1, h2.u32(0) .. "\0"):rep(90000)))
add("OH2-76", "flood/window", CALM, open(frame(h2.WINDOW, 0, 0, h2.u32(1)):rep(90000)))
add("H2-39", "flood/empty-data", CALM .. " rst", open(post(), data "":rep(50000)),
  { upstream_must_see_incomplete = true })
add("H2-51", "flood/header-list-size", "200 " .. CALM,
  h2.PREFACE .. frame(h2.SETTINGS, 0, 0, "\0\6" .. h2.u32(1)) .. each(2000, get):sub(#open() + 1),
  { max_own_resets = 100 })
add("H2-49", "preface/bad", "close 400 goaway",
  "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" .. frame(h2.SETTINGS, 0, 0))
add("OH2-77", "preface/no settings", CALM, h2.PREFACE .. get(1), { max_upstream_requests = 0 })

return list
