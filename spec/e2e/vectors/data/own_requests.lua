--- Host, methods, hop-by-hop fields, upgrades, Expect, pipelines, trust.

local build = require "e2e.vectors.build"
local get, post, request = build.get, build.post, build.request
local v = build.list()

local HOST = "Host: example.test\r\n"
local SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n"

local function with_host(value) return "GET /a HTTP/1.1\r\nHost:" .. value .. "\r\n\r\n" end

-- Host
v:refuse("H1-080", "host/none", "GET /a HTTP/1.1\r\n\r\n")
v:refuse("H1-080a", "host/none", "GET /a HTTP/1.1\r\nHosts: example.test\r\nX-Host: a\r\n\r\n")
v:refuse("H1-080b", "host/none", "GET http://example.test/a HTTP/1.1\r\n\r\n")
v:refuse("H1-080c", "host/none", with_host "")
v:refuse("H1-080d", "host/none", with_host " \t ")
v:refuse("H1-081a", "host/two", "GET /a HTTP/1.1\r\n" .. HOST .. HOST .. "\r\n")
v:refuse("H1-081b", "host/two", "GET /a HTTP/1.1\r\n" .. HOST .. "X: y\r\nhost: evil.test\r\n\r\n")
v:refuse("H1-081c", "host/two", "GET /a HTTP/1.1\r\n" .. HOST .. "Host:\r\n\r\n")
v:refuse("H1-081d", "host/two", "GET /a HTTP/1.0\r\n" .. HOST .. "Host: evil.test\r\n\r\n")
for i, host in ipairs { "a, b", "a,b", "a b", "a/b", "a/b?x#y", "a?x", "a#y", "a@evil", "a:b@evil",
  "@evil",
  "a:99999x", "a:99999", "a:0", "a:65536", "a:-1", "a:+80", "a: 80", "a:80:80", "a:80,b", ":80",
    "exa\tmple",
  "[::1", "::1]", "[::1]x", "[::g]", "[]", "[::1]:x", "[::1]:99999", "::1", "a\\b", "a<b", "a>b",
    "a\"b", "a`b", "a{b",
  "a|b", "a^b", "a[b]", "a%zz", "a%0", "\195\188.test", "a\255", "http://a/", ("a"):rep(256),
    "a%00b", "a%0d%0a",
  "a:80 ; b", "a;b c", "[::1%25eth0]x", "[::1]]", "[v1.x", "a:8 0" } do
  v:refuse("H1-082." .. i, "host/chars", with_host(" " .. host))
end
for i, host in ipairs { "example.test:80", "example.test:65535", "example.test:1", "127.0.0.1",
  "[::1]", "[::1]:80",
  "[2001:DB8::1]", "xn--bcher-kva.test", "under_score.test", "example.test." } do
  v:add("H1-084." .. i, "host/good", "forwarded-host:" .. host:lower(), with_host(" " .. host))
end
v:add("H1-084o", "host/good", "forwarded-host:example.test", with_host("\t example.test \t"))

-- absolute-form
v:refuse("H1-086", "host/absolute", "GET http://example.test/a HTTP/1.1\r\nHost: evil.test\r\n\r\n")
v:refuse("H1-086a", "host/absolute", "GET http://example.test:81/a HTTP/1.1\r\n" .. HOST .. "\r\n")
v:add("H1-086b", "host/absolute", "forwarded-host:example.test",
  request "GET http://example.test/a?b",
  { target = "/a?b" })
v:add("H1-086c", "host/absolute", "forwarded-normalised", request "GET HTTP://EXAMPLE.test:80/a",
  { target = "/a" })
v:add("H1-086d", "host/absolute", "forwarded-normalised", request "GET http://example.test",
  { target = "/" })
v:add("H1-086e", "host/absolute", "forwarded-normalised", request "GET http://example.test?x=y",
  { target = "/?x=y" })
v:refuse("H1-086f", "host/absolute", "GET http://example.test.evil.test/a HTTP/1.1\r\n" .. HOST
  .. "\r\n")
for i, target in ipairs { "http://user@example.test/a", "http://user:pw@example.test/a",
  "http://@example.test/a",
  "http://example.test:80@evil.test/a", "http://evil.test#@example.test/a",
    "http://example.test:/a:b@c",
  "http://evil.test\\@example.test/", "http://evil.test?@example.test/" } do
  v:refuse("H1-087." .. i, "host/userinfo", request("GET " .. target))
end
for i, target in ipairs { "gopher://127.0.0.1:6379/", "https://example.test/a",
  "ftp://example.test/a",
  "file:///etc/passwd", "javascript:alert(1)", "ws://example.test/a", "http+unix://%2Ftmp/a",
    "unix:/tmp/a",
  "//example.test/../a", "httpx://example.test/", "http//example.test/a" } do
  v:add("H1-088." .. i, "host/scheme", "400-close forwarded-normalised", request("GET " .. target),
    { forbid_upstream = { "gopher", "ftp:", "file:", "https:", "javascript", "ws:", "unix",
      "httpx" } })
end

-- methods
v:refuse("H1-090", "method/connect", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
  "405-close")
v:refuse("H1-090a", "method/connect", request("CONNECT /a"), "405-close 400-close")
v:refuse("H1-090b", "method/connect", request("CONNECT example.test:443", "Content-Length: 5\r\n",
  "hello"),
  "405-close 400-close")
v:refuse("H1-090c", "method/connect",
  "CONNECT example.test:443 HTTP/1.0\r\n\r\n" .. SMUGGLED, "405-close 400-close")
v:refuse("H1-090d", "method/connect", request("CONNECT http://example.test/a"),
  "405-close 400-close")
v:add("H1-091a", "method/trace", "405 405-close", request("TRACE /a", "Cookie: secret\r\n"),
  { max_upstream_requests = 0, forbid_response = "secret" })
v:add("H1-091b", "method/trace", "405-close 400-close",
  request("TRACE /a", "Content-Length: " .. #SMUGGLED .. "\r\n", SMUGGLED),
  { max_upstream_requests = 0, max_answers = 1 })
v:refuse("H1-091c", "method/trace", request("TRACK /a"), "501-close 405-close 405")
v:add("H1-092", "method/max-forwards", "200 204", request("OPTIONS /a", "Max-Forwards: 0\r\n"),
  { max_upstream_requests = 0 })
v:add("H1-092a", "method/max-forwards", "forwarded-normalised", request("OPTIONS /a",
  "Max-Forwards: 5\r\n"),
  { want_upstream = "Max-Forwards: 4\r\n" })
v:add("H1-092b", "method/max-forwards", "200 204", request("OPTIONS *", "Max-Forwards: 0\r\n"),
  { max_upstream_requests = 0 })
v:refuse("H1-092c", "method/max-forwards", request("OPTIONS /a", "Max-Forwards: -1\r\n"))
v:refuse("H1-092d", "method/max-forwards", request("OPTIONS /a",
  "Max-Forwards: 1\r\nMax-Forwards: 0\r\n"))
v:add("H1-092e", "method/max-forwards", "forwarded-normalised", request("OPTIONS /a",
  "Max-Forwards: 99999999999999\r\n"))

-- hop-by-hop
local protected = { "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Host", "Via" }
v:add("H1-093a", "hop/nominated", "forwarded-with:" .. table.concat(protected, ","),
  get("Connection: " .. table.concat(protected, ", ") .. "\r\n"))
v:add("H1-093b", "hop/nominated", "forwarded-with:Authorization,Cookie,Content-Type,Cache-Control",
  get("Authorization: a\r\nCookie: b\r\nContent-Type: c\r\nCache-Control: no-cache\r\n"
    .. "Connection: authorization, COOKIE,Content-Type , Cache-Control\r\n"))
v:add("H1-093c", "hop/nominated", "forwarded-normalised",
  post("Content-Length: 5\r\nConnection: Content-Length, Transfer-Encoding\r\n", "hello"),
    { body = "hello" })
v:add("H1-093d", "hop/nominated", "forwarded-without:X-Hop,X-Other,Connection",
  get("X-Hop: 1\r\nx-other: 2\r\nConnection: keep-alive, x-hop\r\nConnection: X-Other\r\n"))
v:add("H1-093e", "hop/nominated", "forwarded-with:X-End",
  get("X-End: 1\r\nConnection: keep-alive\r\n"))
v:add("H1-093f", "hop/nominated", "forwarded-with:Range,If-None-Match",
  get("Range: bytes=0-1\r\nIf-None-Match: \"x\"\r\n"))
local hop = "Connection,Keep-Alive,Proxy-Connection,Proxy-Authorization,TE,Upgrade,Proxy,"
  .. "HTTP2-Settings"
v:add("H1-094", "hop/fixed", "forwarded-without:" .. hop,
  get("Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers, gzip\r\n"
    .. "Proxy: evil\r\n"
    .. "Proxy-Authorization: Basic evil\r\nUpgrade: evil\r\nHTTP2-Settings: evil\r\n"
    .. "Connection: TE\r\n"),
  { forbid_upstream = "evil" })
v:add("H1-095a", "hop/fixed", "forwarded-without:" .. hop, get("pRoXy: evil\r\nPROXY: evil\r\n"),
  { forbid_upstream = "evil" })

-- upgrades
v:add("H1-096", "upgrade/h2c", "forwarded-without:Upgrade,HTTP2-Settings,Connection",
  get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    .. "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"),
  { forbid_upstream = { "h2c", "AAMAAABk" } })
for i, token in ipairs { "h2c, websocket", "websocket, h2c", "h2c,websocket", "H2C", "h2", "h2c/1",
  "\"websocket\"",
  "websocket/13", "websocketx", "web socket", "TLS/1.0", "foo", "" } do
  v:add("H1-096." .. i, "upgrade/other", "forwarded-normalised 400-close",
    get("Connection: Upgrade\r\nUpgrade: " .. token .. "\r\n"), { forbid_upstream = { "h2c", "H2C",
      "TLS", "foo" } })
end
v:add("H1-097a", "upgrade/ws-fake", "upstream-status",
  get("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), { max_upstream_requests = 1 })
v:add("H1-097b", "upgrade/ws-body", "upstream-status 400-close",
  post("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: " .. #SMUGGLED .. "\r\n",
    SMUGGLED),
  { max_upstream_requests = 1, max_answers = 1 })
v:add("H1-097c", "upgrade/ws-1.0", "upstream-status-close 400-close", "GET /a HTTP/1.0\r\n" .. HOST
  .. "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", { forbid_upstream = "websocket" })
v:add("H1-097d", "upgrade/unsaid", "forwarded-without:Upgrade", get("Upgrade: websocket\r\n"))
v:add("H1-098", "upgrade/other", "forwarded-without:Upgrade",
  get("Connection: upgrade\r\nUpgrade: IRC/6.9, RTA/x11\r\n"), { forbid_upstream = "IRC" })

-- Expect
v:refuse("H1-100", "expect/unknown", post("Expect: y 100-continue\r\nContent-Length: 5\r\n",
  "hello"), "417-close")
for i, value in ipairs { "100-continue, x", "200-ok", "100-continuex", "x=y", "100 continue", "",
  "100-continue;q=1",
  "\"100-continue\"" } do
  v:refuse("H1-100." .. i, "expect/unknown", post("Expect: " .. value
    .. "\r\nContent-Length: 5\r\n", "hello"),
    "417-close")
end
v:refuse("H1-100g", "expect/unknown", get("Expect: something\r\n"), "417-close")
v:refuse("H1-100h", "expect/unknown",
  post("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 5\r\n", "hello"), "417-close")
v:add("H1-099a", "expect/continue", "100", post("Expect: 100-Continue\r\nContent-Length: 5\r\n"),
  { want_response = "HTTP/1.1 100 Continue\r\n\r\n" })
v:add("H1-099b", "expect/sent", "forwarded-without:Expect",
  post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"), { body = "hello" })
v:add("H1-099c", "expect/no-body", "forwarded-normalised", get("Expect: 100-continue\r\n"),
  { forbid_response = " 100 " })
v:add("H1-101a", "expect/early-final", "upstream-status-close",
  request("POST /reject-early", "Content-Length: 200000\r\n", "@@X@@" .. SMUGGLED),
  { upstream_must_see_incomplete = true, max_answers = 1,
    gen = { { token = "@@X@@", unit = "x", count = 200000 - #SMUGGLED - 50000 } } })
v:add("H1-101b", "expect/early-final", "upstream-status-close upstream-status",
  request("POST /reject-early", "Transfer-Encoding: chunked\r\n", ("%x\r\n%s\r\n0\r\n\r\n")
    :format(#SMUGGLED, SMUGGLED)), { max_upstream_requests = 1, max_answers = 1 })

-- pipelines and what follows a close
v:add("H1-124", "pipeline/after-close", "upstream-status-close", get("Connection: close\r\n",
  SMUGGLED),
  { max_answers = 1, max_upstream_requests = 1, forbid_upstream = "/smuggled" })
v:add("H1-124a", "pipeline/after-close", "upstream-status-close", get("Connection: x, CLOSE\t\r\n",
  SMUGGLED),
  { max_answers = 1, max_upstream_requests = 1, forbid_upstream = "/smuggled" })
v:add("H1-124b", "pipeline/after-close", "upstream-status-close",
  get("Connection: keep-alive\r\nConnection: close\r\n", SMUGGLED),
  { max_answers = 1, max_upstream_requests = 1, forbid_upstream = "/smuggled" })
v:refuse("H1-124c", "pipeline/after-refusal", get("X Y: 1\r\n", SMUGGLED))
v[#v].max_answers, v[#v].forbid_upstream = 1, "/smuggled"
v:refuse("H1-124d", "pipeline/after-refusal", request("FOO /a", "Content-Length: 4\r\n", SMUGGLED),
  "501-close")
v[#v].max_answers, v[#v].forbid_upstream = 1, "/smuggled"
v:add("H1-124e", "pipeline/second-bad", "200", get("", "GET /b HTTP/1.1\r\nHost : x\r\n\r\n"
  .. SMUGGLED),
  { max_answers = 2, max_upstream_requests = 1, forbid_upstream = { "/b", "/smuggled" },
    want_response = "400 Bad Request" })
v:add("H1-123a", "pipeline/mixed", "200", get("", request("HEAD /a")
  .. post("Content-Length: 5\r\n", "hello")
  .. build.chunked("5\r\nhello\r\n0\r\n\r\n") .. get("Connection: close\r\n")),
  { max_upstream_requests = 5, max_answers = 5, head_at = 2, want_upstream = { "HEAD /a",
    "POST /a" } })

-- what may stand before a request
v:add("H1-119a", "limit/leading-crlf", "200", "\r\n" .. get(""), { max_upstream_requests = 1 })
v:refuse("H1-119b", "limit/leading-crlf", "\r\n\r\n" .. get(""))
v:refuse("H1-119c", "limit/leading-crlf", "\r" .. get(""))
v:refuse("H1-119d", "limit/leading-crlf", "\n" .. get(""))
v:refuse("H1-119e", "limit/leading-crlf", "\0" .. get(""))
v:refuse("H1-119f", "limit/leading-crlf", "\r\n\t" .. get(""))
v:add("H1-119g", "limit/crlf-between", "200", post("Content-Length: 5\r\n", "hello\r\n" .. get("")),
  { max_upstream_requests = 2, max_answers = 2 })

-- trust
v:refuse("H1-125a", "trust/proxy-protocol", "PROXY UNKNOWN\r\n" .. get(""),
  "400-close 501-close close")
v:refuse("H1-126", "trust/proxy-protocol",
  "\r\n\r\n\0\r\nQUIT\n\33\17\0\12\6\6\6\6\10\0\0\1\0\1\0\2" .. get(""),
  "400-close 501-close close")
v:add("H1-127a", "trust/xff", "forwarded-replaced:X-Forwarded-For",
  get("x-forwarded-for: 1.1.1.1, 127.0.0.1\r\nX-FORWARDED-FOR: 2.2.2.2\r\n"
    .. "X-Forwarded-Host: evil\r\n"
    .. "X-Forwarded-Port: 6666\r\nX-Forwarded-Proto: evil\r\nForwarded: for=evil\r\n"
    .. "X-Real-IP: evil\r\n"
    .. "X-Original-URL: /evil\r\nX-Rewrite-URL: /evil\r\nX-HTTP-Method-Override: evil\r\n"
    .. "X-Host: fine\r\n"),
  { forbid_upstream = { "1.1.1.1", "2.2.2.2", "evil", "6666" } })
v:add("H1-127b", "trust/via", "forwarded-normalised", get("Via: 1.0 fred\r\n"),
  { want_upstream = "1.1 " })

-- what a log line holds
v:add("H1-128", "trust/log", "forwarded-normalised",
  get("User-Agent: a\"b\\c\t\195\188%s%n\r\nReferer: \" - \"\r\n"),
    { want_upstream = "a\"b\\c\t\195\188%s%n" })

-- what scripts may set
v:add("H1-130", "script/split", "500 500-close 400 400-close",
  request("GET /echo-header?v=a%0dSet-Cookie:%20s=evil"),
    { forbid_response = "Set-Cookie: s=evil" })
v:add("H1-130a", "script/split", "500 500-close 400 400-close",
  request("GET /echo-header?v=a%0aSet-Cookie:%20s=evil"),
    { forbid_response = "Set-Cookie: s=evil" })
v:add("H1-130b", "script/split", "500 500-close 400 400-close", request("GET /echo-header?v=a%00b"))
v:add("H1-130c", "script/split", "200", request("GET /echo-header?v=a%20b"),
  { want_response = "a b" })
-- Each place where a script may put text: what is not clean raises there, or goes as text.
local sinks = { "header", "name", "redirect", "up", "path", "query", "host", "down" }
for _, sink in ipairs(sinks) do
  for i, text in ipairs { "%0d%0aevil:%201", "%0aevil:%201", "%0devil:%201", "a%00evil:%201",
    "%7fevil:%201",
    "a%0d%0a%0d%0aGET%20/evil%20HTTP/1.1%0d%0a%0d%0a" } do
    v:add(("H1-130.%s%d"):format(sink, i), "script/split",
      "500 500-close 400 400-close 502 forwarded-normalised",
      request(("GET /echo-%s?v=/a%s"):format(sink, text)),
      { forbid_response = { "\nevil", "\revil", "\0evil" }, max_answers = 1,
        max_upstream_requests = 1,
        forbid_upstream = { "\nevil", "\revil", "\0evil", "\127evil", "\nGET /evil" } })
  end
end
v:add("H1-130.space", "script/split", "500 500-close 400 400-close forwarded-normalised",
  request("GET /echo-path?v=/a%20HTTP/1.1"), { forbid_upstream = "/a HTTP/1.1" })
v:add("H1-130.query", "script/split", "500 500-close 400 400-close forwarded-normalised",
  request("GET /echo-query?v=a%20HTTP/1.1"), { forbid_upstream = "?a HTTP/1.1" })
v:add("H1-130.fragment", "script/split", "500 500-close 400 400-close forwarded-normalised",
  request("GET /echo-query?v=a%23b"), { forbid_upstream = "#" })
v:add("H1-130.dots", "script/split", "500 500-close 400 400-close 403 forwarded-normalised",
  request("GET /echo-path?v=/a/../../b"), { forbid_upstream = " /a/../../b" })

return v
