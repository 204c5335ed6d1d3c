--- Answers of an untrusted origin.

local build = require "e2e.vectors.build"
local v = build.list "h1-upstream"

local function ok(fields, body) return "HTTP/1.1 200 OK\r\n" .. fields .. "\r\n" .. (body or "") end

local function bad(id, class, bytes, more) v:add(id, class, "502", bytes, more) end

local EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"

-- framing
bad("UP-01a", "resp/CL+TE", ok("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"))
bad("UP-01b", "resp/CL+TE", ok("Content-Length: 0\r\nTransfer-Encoding: \r\n"))
bad("UP-02", "resp/CL-conflict", ok("Content-Length: 2\r\nContent-Length: 3\r\n", "okX"))
bad("UP-02a", "resp/CL-conflict", ok("Content-Length: 2\r\nX: y\r\ncontent-length: 0\r\n", "ok"))
for i, length in ipairs { "+2", "-1", "2x", "0x2", "2 2", "2, 3", "", "2.0", "18446744073709551618",
  "99999999999999999999999", "\"2\"", "2;", "2\11", "\0112" } do
  bad("UP-03." .. i, "resp/CL-bad", ok("Content-Length: " .. length .. "\r\n", "ok"))
end
for i, coding in ipairs { "gzip", "identity", "chunked, gzip", "gzip, chunked", "xchunked",
  "chunked, chunked", "",
  "chunked\11", "\"chunked\"", ",chunked", "chunked;a=b", "x" } do
  bad("UP-15." .. i, "resp/TE", ok("Transfer-Encoding: " .. coding .. "\r\n",
    "2\r\nok\r\n0\r\n\r\n"),
    { upstream_closes = true })
end
bad("UP-15d", "resp/TE", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
  "0\r\n\r\n"))
bad("UP-15e", "resp/TE-1.0",
  "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
  { upstream_closes = true })
v:add("UP-16", "resp/TE-tab", "200 502", ok("Transfer-Encoding: chunked\t\r\n",
  "2\r\nok\r\n0\r\n\r\n"),
  { expect_body = "ok" })
v:add("UP-16a", "resp/TE-case", "200", ok("Transfer-Encoding: Chunked \r\n",
  "2;a=b\r\nok\r\n0\r\n\r\n"),
  { expect_body = "ok", forbid_response = "a=b" })

-- answers without a body
for i, status in ipairs { "204 No Content", "304 Not Modified" } do
  for k, framing in ipairs { "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "" } do
    v:add(("UP-04.%d%d"):format(i, k), "resp/bodiless", status:sub(1, 3) .. " 502",
      "HTTP/1.1 " .. status .. "\r\n" .. framing .. "\r\n" .. EVIL,
      { forbid_response = { "EVIL", "Transfer-Encoding" }, max_answers = 1 })
  end
end
v:add("UP-04h", "resp/HEAD", "200", ok("Content-Length: 5\r\n", "EVIL!"),
  { client_request = "HEAD /a HTTP/1.1\r\nHost: example.test\r\n\r\n", forbid_response = "EVIL",
    max_answers = 1 })
v:add("UP-04i", "resp/HEAD", "200", ok("Transfer-Encoding: chunked\r\n", "5\r\nEVIL!\r\n0\r\n\r\n"),
  { client_request = "HEAD /a HTTP/1.1\r\nHost: example.test\r\n\r\n", forbid_response = "EVIL",
    max_answers = 1 })
v:add("UP-05a", "resp/205", "205 502", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")

-- interim answers
v:add("UP-06", "resp/103", "200", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
  .. ok("Content-Length: 2\r\n", "ok"), { expect_body = "ok",
    want_response = "HTTP/1.1 103 Early Hints\r\n" })
bad("UP-06a", "resp/100-CL", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" .. EVIL)
bad("UP-06b", "resp/100-TE",
  "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" .. EVIL)
v:add("UP-06c", "resp/100-unasked", "200", "HTTP/1.1 100 Continue\r\n\r\n"
  .. ok("Content-Length: 2\r\n", "ok"),
  { expect_body = "ok" })
v:add("UP-06d", "resp/103-1.0", "200", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
  .. ok("Content-Length: 2\r\n", "ok"),
  { expect_body = "ok", forbid_response = " 103 ",
    client_request = "GET /a HTTP/1.0\r\nHost: example.test\r\n\r\n" })
bad("UP-08", "resp/1xx-flood", "@@X@@" .. ok("Content-Length: 2\r\n", "ok"),
  { gen = { { token = "@@X@@", unit = "HTTP/1.1 103 Early Hints\r\n\r\n", count = 10000 } } })
v:add("UP-08a", "resp/1xx-flood", "200", "@@X@@" .. ok("Content-Length: 2\r\n", "ok"),
  { gen = { { token = "@@X@@", unit = "HTTP/1.1 103 Early Hints\r\n\r\n", count = 8 } },
    expect_body = "ok" })
bad("UP-08b", "resp/1xx-flood", "@@X@@" .. ok("Content-Length: 2\r\n", "ok"),
  { gen = { { token = "@@X@@", unit = "HTTP/1.1 103 Early Hints\r\n\r\n", count = 9 } } })
bad("UP-08c", "resp/1xx-cut", "HTTP/1.1 103 Early Hints\r\n\r\n", { upstream_closes = true })
bad("UP-09a", "resp/101-unasked", "HTTP/1.1 101 Switching Protocols\r\n\r\nraw",
  { forbid_response = "raw" })
bad("UP-09b", "resp/101-other",
  "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nraw",
  { forbid_response = "raw",
    client_request = "GET /a HTTP/1.1\r\nHost: example.test\r\nConnection: Upgrade\r\n"
    .. "Upgrade: h2c\r\n\r\n" })
bad("UP-09c", "resp/101-1.0",
  "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nraw",
  { forbid_response = "raw",
    client_request = "GET /a HTTP/1.0\r\nHost: example.test\r\nConnection: Upgrade\r\n"
    .. "Upgrade: websocket\r\n\r\n" })
v:add("UP-09d", "resp/101-asked", "101",
  "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nraw",
  { want_response = "raw",
    client_request = "GET /a HTTP/1.1\r\nHost: example.test\r\nConnection: Upgrade\r\n"
    .. "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" })

-- more than one answer
v:add("UP-10", "resp/extra", "200", ok("Content-Length: 2\r\n", "ok" .. EVIL),
  { expect_body = "ok", forbid_response = "EVIL", max_answers = 1 })
v:add("UP-10a", "resp/extra", "200", ok("Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"
  .. EVIL),
  { expect_body = "ok", forbid_response = "EVIL", max_answers = 1 })
v:add("UP-10b", "resp/extra", "200", ok("Content-Length: 0\r\n", EVIL),
  { expect_body = "", forbid_response = "EVIL", max_answers = 1 })
v:add("UP-10c", "resp/extra", "200", ok("Content-Length: 2\r\n", "ok\r\n\r\n"),
  { expect_body = "ok", max_answers = 1 })

-- cut off
local cut = { upstream_closes = true, forbid_response = "\r\n0\r\n\r\n" }
local CUT = "200-truncated-close 502"
v:add("UP-12", "resp/truncated", CUT,
  ok("Cache-Control: public, max-age=60\r\nContent-Length: 10\r\n", "he"), cut)
v:add("UP-12a", "resp/truncated", CUT, ok("Content-Length: 1\r\n"), cut)
for i, body in ipairs { "", "5", "5\r\n", "5\r\nhe", "5\r\nhello", "5\r\nhello\r\n",
  "5\r\nhello\r\n0",
  "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\n\r", "5\r\nhello\r\n0\r\nX: y\r\n" } do
  v:add("UP-13." .. i, "resp/truncated", CUT, ok("Transfer-Encoding: chunked\r\n", body), cut)
end
for i, body in ipairs { "g\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
  "5\nhello\r\n0\r\n\r\n",
  "5\r\nhelloXX0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "-1\r\n\r\n",
  "5\r\nhello\r\n0\n\n", "5\r\nhello\r\n0\r\nX : y\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n",
  "5\rXhello\r\n0\r\n\r\n", "5\r\nhello\r\n\r\n" } do
  v:add("UP-14." .. i, "resp/chunk-bad", CUT, ok("Transfer-Encoding: chunked\r\n", body),
    { forbid_response = "\r\n0\r\n\r\n" })
end
v:add("UP-14t", "resp/until-end", "200", ok("", "all of it"), { upstream_closes = true,
  expect_body = "all of it" })
for i, head in ipairs { "H", "HTTP/1.1", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Le",
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r" } do
  bad("UP-29." .. i, "resp/head-cut", head, { upstream_closes = true })
end

-- status lines
for i, line in ipairs { "HTTP/1.1 20 OK", "HTTP/1.1 2 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 000 OK",
  "HTTP/1.1 099 OK",
  "HTTP/1.1 600 OK", "HTTP/1.1 999 OK", "HTTP/1.1 ", "HTTP/1.1", "HTTP/1.1 OK", "HTTP/1.1 2x0 OK",
    "HTTP/1.1 -20 OK",
  "HTTP/1.1 +200 OK", "HTTP/1.1  200 OK", " HTTP/1.1 200 OK", "HTTP/1.1\t200 OK",
    "HTTP/1.1 200\tOK", "HTTP/2.0 200 OK",
  "HTTP/0.9 200 OK", "HTTP/1.2 200 OK", "HTTP/1.11 200 OK", "HTTP/11 200 OK", "http/1.1 200 OK",
    "ICY 200 OK",
  "RTSP/1.0 200 OK", "XHTTP/1.1 200 OK", "HTTP/1.1 200OK", "HTTP/1.1 200\11OK", "GET /a HTTP/1.1",
    "200 OK", "" } do
  bad("UP-17." .. i, "resp/status-line", line .. "\r\nContent-Length: 2\r\n\r\nok")
end
v:add("UP-18", "resp/status-000", "502", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n")
v:add("UP-18a", "resp/reason-none", "200", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
  { expect_body = "ok" })
v:add("UP-18b", "resp/reason-none", "200", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
  { expect_body = "ok" })
for i, reason in ipairs { "a\0b", "a\27[31mb", "a\127", "a\1", "a\11" } do
  v:add("UP-20." .. i, "resp/reason", "200 502", "HTTP/1.1 200 " .. reason
    .. "\r\nContent-Length: 2\r\n\r\nok",
    { forbid_response = reason })
end
v:add("UP-20r", "resp/reason", "200 502",
  "HTTP/1.1 200 <script>\195\188\r\nContent-Length: 2\r\n\r\nok", { forbid_response = "<script>" })
bad("UP-20c", "resp/reason", "HTTP/1.1 200 a\rSet-Cookie: evil\r\nContent-Length: 2\r\n\r\nok",
  { forbid_response = "evil" })
bad("UP-22", "resp/0.9", "hello\r\n", { upstream_closes = true, forbid_response = "hello" })
bad("UP-22a", "resp/0.9", "<html>hello</html>", { upstream_closes = true,
  forbid_response = "hello" })
bad("UP-22b", "resp/0.9", "\r\n\r\n\r\n" .. EVIL)
v:add("UP-22c", "resp/1.0", "200", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
  { expect_body = "ok" })

-- lines and octets
for i, line in ipairs { "X: a\r\n b", "X:\r\n b", "X: a\nSet-Cookie: evil", "X: \rSet-Cookie: evil",
  "X: a\rSet-Cookie: evil", "X : a", "X Y: a", ": a", "X", "X: a\0b", "X: \1", "X: \127",
    "\195\188: a", " X: a",
  "Content-Length : 2", "X(: a", "\tX: a" } do
  bad("UP-24." .. i, "resp/field", ok(line .. "\r\nContent-Length: 2\r\n", "ok"),
    { forbid_response = "evil" })
end
bad("UP-24n", "resp/bare-LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
bad("UP-24o", "resp/bare-LF", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok")
v:add("UP-24p", "resp/octets", "200", ok("X: \195\188\255\r\nContent-Length: 2\r\n", "ok"),
  { want_response = "\195\188\255" })
bad("UP-26", "resp/flood", ok("@@X@@", "ok"), { gen = { { token = "@@X@@", unit = "a: b\r\n",
  count = 2000 } } })
bad("UP-26a", "resp/flood", ok("X: @@X@@\r\n", "ok"), { gen = { { token = "@@X@@", unit = "a",
  count = 200000 } } })
bad("UP-26b", "resp/flood", "@@X@@", { gen = { { token = "@@X@@", unit = "a", count = 300000 } } })
bad("UP-26c", "resp/flood", "HTTP/1.1 200 @@X@@\r\n\r\n", { gen = { { token = "@@X@@", unit = "a",
  count = 300000 } } })

for i, unit in ipairs { "a: b\r\n", "X: " .. ("a"):rep(5000) .. "\r\n" } do
  v:add("UP-26t." .. i, "resp/trailer-flood", "200-truncated-close 502 200",
    ok("Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n@@X@@\r\n"),
    { gen = { { token = "@@X@@", unit = unit, count = 2000 } }, forbid_response = { "a: b",
      "X: a" } })
end

-- hop-by-hop fields
v:add("UP-27a", "resp/hop", "200",
  ok("Connection: X-Hop, Content-Length, Cache-Control\r\nX-Hop: evil\r\n"
    .. "Keep-Alive: evil\r\nProxy-Connection: evil\r\n"
    .. "Upgrade: evil\r\nTE: evil\r\nTrailer: X\r\nSet-Cookie: a=b\r\n"
    .. "Cache-Control: private\r\nContent-Length: 2\r\n", "ok"),
  { expect_body = "ok", forbid_response = "evil", want_response = { "a=b", "private" } })

-- an answer before the upload has ended
local function upload(length) return "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: "
  .. length .. "\r\n\r\n" end
v:add("UP-28", "resp/early", "413-close",
  "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno",
  { early = true, client_request = upload(1000000) .. ("b"):rep(200000), max_answers = 1 })
v:add("UP-28a", "resp/early", "413-close 413",
  "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno",
  { early = true, client_request = upload(1000) .. ("b"):rep(1000), max_answers = 1 })
v:add("UP-28b", "resp/early", "401-close",
  "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
  { early = true, upstream_closes = true, client_request = upload(1000000) .. ("b"):rep(10000),
    max_answers = 1 })
-- closed without a byte
v:add("UP-30", "resp/closed", "502", "", { upstream_closes = true, client_request = upload(5)
  .. "hello" })

-- The next request of the same client gets its own answer, whatever was on the link before.
local TWO = "GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n"
  .. "GET /probe/next HTTP/1.1\r\nHost: example.test\r\n\r\n"
for i, answer in ipairs { ok("Content-Length: 2\r\n", "ok" .. EVIL), ok("Content-Length: 0\r\n",
  EVIL),
  "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n" .. EVIL,
  "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n" .. EVIL,
  ok("Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n" .. EVIL), "HTTP/1.1 000 OK\r\n\r\n"
    .. EVIL,
  ok("Content-Length: 2\r\n", "ok\r\n") } do
  v:add("UP-10n." .. i, "resp/next", "200 204 304 502", answer,
    { client_request = TWO, whole = true, forbid_response = "EVIL", want_response = "next",
      max_answers = 2 })
end
-- What comes on an idle link is never anybody's answer.
for i, late in ipairs { EVIL, "\r\n",
  "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nEVIL", "x",
  "HTTP/1.1 103 Early Hints\r\n\r\n" } do
  v:add("UP-10l." .. i, "resp/late", "200", ok("Content-Length: 2\r\n", "ok"),
    { late = late, expect_body = "ok", forbid_response = "EVIL" })
end

-- cut off so that an old client sees it too; a reset is no end
v:add("UP-12o", "resp/truncated-1.0", "200-truncated-close 502",
  ok("Transfer-Encoding: chunked\r\n", "5\r\nhe"),
  { upstream_closes = true, closes = "reset",
    client_request = "GET /a HTTP/1.0\r\nHost: example.test\r\n\r\n" })
v:add("UP-12r", "resp/reset", "200-truncated-close 502", ok("", "until the end"),
  { upstream_closes = "reset" })
v:add("UP-12s", "resp/reset", "200-truncated-close 502", ok("Content-Length: 10\r\n", "hello"),
  { upstream_closes = "reset" })
bad("UP-12t", "resp/reset", "", { upstream_closes = "reset" })

-- trailers
v:add("UP-46", "resp/trailer", "200", ok("Transfer-Encoding: chunked\r\n",
  "2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\nSet-Cookie: evil\r\nTransfer-Encoding: evil\r\n"
    .. "Location: evil\r\nSet-Cookie2: evil\r\nAuthentication-Info: evil\r\n"
    .. "Connection: evil\r\nCache-Control: evil\r\nContent-Encoding: evil\r\n"
    .. "WWW-Authenticate: evil\r\nVary: evil\r\nServer: evil\r\nX-Forwarded-For: evil\r\n\r\n"),
  { expect_body = "ok", forbid_response = "evil", want_response = "X-Sum: 1\r\n" })
for i, trailer in ipairs { "X : 1\r\n", " X: 1\r\n", "X: a\r\n evil: b\r\n", ": 1\r\n",
  "X Y: 1\r\n",
  "X: a\nevil: b\r\n", "X: a\revil: b\r\n", "X: a\0b\r\n" } do
  v:add("UP-46." .. i, "resp/trailer-syntax", "200-truncated-close 502",
    ok("Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n" .. trailer .. "\r\n"),
      { forbid_response = "evil" })
end

-- tunnels: only what was asked for
local ASK = "GET /a HTTP/1.1\r\nHost: example.test\r\nConnection: Upgrade\r\n"
  .. "Upgrade: websocket\r\n\r\n"
for i, fields in ipairs { "", "Upgrade: websocket\r\n", "Connection: upgrade\r\n",
  "Connection: upgrade\r\nUpgrade: other\r\n", "Connection: upgrade\r\nUpgrade: h2c\r\n",
  "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n",
  "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n",
  "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n" } do
  bad("UP-09t." .. i, "resp/101-other", "HTTP/1.1 101 Switching Protocols\r\n" .. fields
    .. "\r\nraw",
    { client_request = ASK, forbid_response = "raw" })
end
v:add("UP-09u", "resp/101-refused", "403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
  { client_request = ASK .. "raw bytes\r\n\r\n", forbid_response = "HTTP/1.1 101",
    want_response = "400 Bad Request" })

return v
