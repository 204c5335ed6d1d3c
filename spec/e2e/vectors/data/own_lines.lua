--- Lines, octets, versions.

local build = require "e2e.vectors.build"
local get, post, request = build.get, build.post, build.request
local v = build.list()

local HOST = "Host: example.test\r\n"

-- bare LF, bare CR, in each place
v:refuse("H1-048", "line/bare-LF", "GET /a HTTP/1.1\nHost: example.test\n\n")
v:refuse("H1-048a", "line/bare-LF", "GET /a HTTP/1.1\nHost: example.test\r\n\r\n")
v:refuse("H1-048b", "line/bare-LF", "GET /a HTTP/1.1\r\nHost: example.test\n\r\n")
v:refuse("H1-048c", "line/bare-LF", "GET /a HTTP/1.1\r\nHost: example.test\r\n\n")
v:refuse("H1-048d", "line/bare-LF", get("X:\n y\r\n"))
v:refuse("H1-048e", "line/bare-LF", get("X: y\nContent-Length: 5\r\n", "hello"))
v:refuse("H1-048f", "line/bare-LF", get("\nX: y\r\n"))
v:refuse("H1-048g", "line/bare-LF", "\nGET /a HTTP/1.1\r\n" .. HOST .. "\r\n")
v:refuse("H1-050", "line/bare-CR", post("X: a\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"))
v:refuse("H1-050a", "line/bare-CR", get("X: a\r\r\n"))
v:refuse("H1-050b", "line/bare-CR", get("X\r: a\r\n"))
v:refuse("H1-050c", "line/bare-CR", "GET /a HTTP/1.1\r" .. HOST .. "\r\n")
v:refuse("H1-050d", "line/bare-CR", "GET /a\r HTTP/1.1\r\n" .. HOST .. "\r\n")
v:refuse("H1-050e", "line/bare-CR", "GET /a HTTP/1.1\r\n" .. HOST .. "\r\r\n")
v:refuse("H1-050f", "line/bare-CR", "GET /a HTTP/1.1\r\n" .. HOST .. "\rX\r\n\r\n")
v:refuse("H1-050g", "line/bare-CR", "\rGET /a HTTP/1.1\r\n" .. HOST .. "\r\n")
v:refuse("H1-050h", "line/bare-CR", get("X: \r\rContent-Length: 5\r\n", "hello"))
v:refuse("H1-050i", "line/bare-CR", "GET /a HTTP/1.1\r\r\n" .. HOST .. "\r\n")

-- folds
v:refuse("H1-052", "line/obs-fold", get("X: a\r\n b\r\n"))
v:refuse("H1-052a", "line/obs-fold", get("X: a\r\n\tb\r\n"))
v:refuse("H1-052b", "line/obs-fold", get("X: a\r\n \r\n"))
v:refuse("H1-052c", "line/obs-fold", get("X:\r\n b\r\n"))
v:refuse("H1-054", "line/obs-fold", post("Transfer-Encoding: chunked\r\n , identity\r\n",
  "0\r\n\r\n"))
v:refuse("H1-054a", "line/obs-fold", "GET /a\r\n HTTP/1.1\r\n" .. HOST .. "\r\n")
v:refuse("H1-054b", "line/obs-fold", "GET /a HTTP/1.1\r\nHost:\r\n example.test\r\n\r\n")
v:refuse("H1-054c", "line/obs-fold", "GET /a HTTP/1.1\r\n" .. HOST .. " \r\n\r\n")

-- octets in values, targets, methods
for code = 0, 31 do
  if code ~= 9 then
    v:refuse("H1-056." .. code, "octets/value", get("X: a" .. string.char(code) .. "b\r\n"))
  end
end
v:refuse("H1-056.127", "octets/value", get("X: a\127b\r\n"))
v:refuse("H1-056.end", "octets/value", get("X: a\0\r\n"))
v:refuse("H1-056.start", "octets/value", get("X:\0a\r\n"))
v:add("H1-056.high", "octets/value", "forwarded-with:X-High", get("X-High: \195\188\t\128\255\r\n"),
  { want_upstream = "\195\188\t\128\255" })
for i, octet in ipairs { "\0", "\1", "\t", "\11", "\27", "\127", "\128", "\255", "\195\188", "\r",
  "\n" } do
  v:refuse("H1-058." .. i, "octets/target", request("GET /a" .. octet .. "b"))
  v:refuse("H1-058q." .. i, "octets/target", request("GET /a?q=" .. octet .. "b"))
end

-- methods
v:refuse("H1-060", "line/method", request("FOO /"), "501-close")
v:refuse("H1-060a", "line/method", request("Get /"), "501-close 400-close")
v:refuse("H1-060b", "line/method", request("get /a"), "501-close 400-close")
for i, method in ipairs { "G@T", "GET:", "GE(T", "", "G\0T", "\255GET", "GET,", "G/T", "{}" } do
  v:refuse("H1-060m." .. i, "line/method", request(method .. " /a"), "400-close 501-close")
end
v:refuse("H1-062", "line/method-long", request("@@X@@ /"),
  "400-close 501-close 431-close 414-close")
v[#v].gen = { { token = "@@X@@", unit = "A", count = 65536 } }
v:refuse("H1-062a", "line/method-long", "@@X@@", "400-close 501-close 431-close 414-close")
v[#v].gen = { { token = "@@X@@", unit = "A", count = 65536 } }

-- request lines
for i, line in ipairs { "GET  /a HTTP/1.1", "GET /a  HTTP/1.1", "GET /a HTTP/1.1 ",
  " GET /a HTTP/1.1",
  "GET /a\tHTTP/1.1", "GET\t/a HTTP/1.1", "GET HTTP/1.1", "GET  HTTP/1.1", "GET /a", "GET",
    "/a HTTP/1.1",
  "GET /a HTTP/1.1 HTTP/1.1", "GET /a b c HTTP/1.1", "GET /a HTTP/1.1\t", "GET /a HTTP /1.1",
  "GET /a http/1.1", "GET /a HTTP/11", "GET /a HTTP/1.", "GET /a HTTP/.1", "GET /a HTTP/1",
    "GET /a HTTP/1.11",
  "GET /a HTTP/01.1", "GET /a HTTP/+1.1", "GET /a HTTP/1.1;", "GET /a HTTP/1,1", "GET /a HTTP1.1",
  "GET /a HTTPS/1.1", "GET /a XHTTP/1.1", "GET /a HTTP/1.1\11", "GET /a \0HTTP/1.1",
    "GET /a HTTP/1.\1781",
  "GET /a ICE/1.0", "DESCRIBE /a RTSP/1.0", "OPTIONS * RTSP/1.0", "SOURCE /a ICE/1.0",
    "GET /a HTCPCP/1.0",
  "SIP/2.0 200 OK", "HTTP/1.1 200 OK", "GET /a SHTTP/1.1" } do
  v:refuse("H1-063." .. i, "line/request-line", line .. "\r\n" .. HOST .. "\r\n",
    "400-close 501-close 505-close")
end

-- targets
for i, target in ipairs { "a", "a/b", "?a", "#a", "/a#", "/a?b#c", "*a", "/a%", "/a%4", "/a%zz",
  "/a%0", "/a%%41",
  "/a%00", "/%7f", "/a%0a", "/a%0d%0aX:y", "/a%1f", "example.test", "example.test:80", "http:/a",
    "http:///a",
  "http://", "http:example.test/a", "//", "\\a", "/a\\b", "/a<b", "/a>b", "/a\"b", "/a`b", "/a{b",
    "/a}b",
  "/a|b", "/a^b", "http://example.test:x/a", "http://example.test:0/a",
    "http://example.test:65536/a",
  "http://[::1/a", "http://exa mple.test/a", "http://example.test\\@evil.test/a" } do
  v:add("H1-064." .. i, "line/target", "400-close 400 403 404 forwarded-normalised",
    request("GET " .. target), { forbid_upstream = { "#", "evil", "%00" } })
end
for i, target in ipairs { "a", "a/b", "?a", "#a", "/a#", "/a?b#c", "*a", "/a%", "/a%4", "/a%zz",
  "/a%00",
  "/a%0a", "/a%0d%0aX:y", "example.test", "http:/a", "http:///a", "http://", "\\a", "/a\\b", "*",
    "/a%5cb",
  "http:example.test/a" } do
  v:refuse("H1-064r." .. i, "line/target", request("GET " .. target))
end
v:refuse("H1-066", "line/target-8bit", request("GET /\255"))
v:refuse("H1-066a", "line/target-8bit", request("GET /a?\195\188"))
v:refuse("H1-068", "line/target-long", request("GET /@@X@@"), "414-close 431-close")
v[#v].gen = { { token = "@@X@@", unit = "a", count = 1048576 } }
v:refuse("H1-068a", "line/target-long", request("GET /@@X@@"), "414-close")
v[#v].gen = { { token = "@@X@@", unit = "a", count = 8192 } }
v:add("H1-068b", "line/target-long", "forwarded-verbatim", request("GET /" .. ("a"):rep(8191)))
v:refuse("H1-068c", "line/target-long", request("GET /a?@@X@@"), "414-close")
v[#v].gen = { { token = "@@X@@", unit = "b", count = 9000 } }
v:refuse("H1-070", "line/star", request("OPTIONS *a"))
v:refuse("H1-070a", "line/star", request("POST *", "Content-Length: 0\r\n"))
v:refuse("H1-070b", "line/star", request("HEAD *"))
v:add("H1-070c", "line/star", "upstream-status 200 204", request("OPTIONS *"), { target = "*" })

-- versions
v:refuse("H1-072", "version/0.9", "GET /a HTTP/0.9\r\n" .. HOST .. "Content-Length: 5\r\n\r\nhello",
  "400-close 505-close")
v:refuse("H1-072a", "version/0.9", "GET /a\r\n" .. HOST .. "Content-Length: 5\r\n\r\nhello")
v:refuse("H1-072b", "version/0.9", "GET /a\r\n\r\n", "400-close")
v:refuse("H1-072c", "version/0.9", "GET http://example.test/a\r\n\r\n", "400-close")
for i, version in ipairs { "2.0", "3.0", "9.9", "2.1" } do
  v:refuse("H1-074." .. i, "version/major", "GET /a HTTP/" .. version .. "\r\n" .. HOST .. "\r\n",
    "505-close")
end
for i, version in ipairs { "1.2", "1.9" } do
  v:refuse("H1-076." .. i, "version/minor", "GET /a HTTP/" .. version .. "\r\n" .. HOST .. "\r\n",
    "505-close 400-close")
end
v:add("H1-078", "version/1.0", "upstream-status", "GET /a HTTP/1.0\r\n" .. HOST
  .. "Connection: keep-alive\r\n\r\n", { max_upstream_requests = 1,
    want_upstream = "HTTP/1.1\r\n" })
v:add("H1-078a", "version/1.0", "upstream-status-close", "GET /a HTTP/1.0\r\n" .. HOST .. "\r\n",
  { want_upstream = "HTTP/1.1\r\n" })
v:add("H1-078b", "version/1.0", "upstream-status-close", "GET /a HTTP/1.0\r\n\r\n",
  { want_upstream = "Host: " })
v:add("H1-078c", "version/1.0", "upstream-status-close", "GET /a HTTP/1.0\r\n" .. HOST .. "\r\n"
  .. "GET /smuggled HTTP/1.0\r\n\r\n", { max_upstream_requests = 1, forbid_upstream = "/smuggled" })
v:add("H1-078d", "version/1.0", "upstream-status-close", "GET /a HTTP/1.0\r\n" .. HOST
  .. "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", { forbid_response = " 100 " })
v:add("H1-079a", "version/tls", "400-close close",
  "\22\3\1\0\200\1\0\0\196\3\3" .. ("\0"):rep(194), { max_upstream_requests = 0 })

return v
