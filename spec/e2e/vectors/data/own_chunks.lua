--- Chunked bodies.

local build = require "e2e.vectors.build"
local chunked = build.chunked
local v = build.list()

local END = "\r\n0\r\n\r\n"

-- sizes
for i, size in ipairs { "FFFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFF", "8000000000000005",
  "10000000000000000",
  "00000000000000005", ("0"):rep(200) .. "5", "0x5", "0X5", "-1", "-5", "+5", "5h", "g", "5,",
    "5 5",
  " 5", "\t5", "5\t", "5\11", "5\0", "5_", "'5'", "5.0", "\194\1785", "5:", "5=" } do
  v:cut("H1-030." .. i, "chunk/size", chunked(size .. "\r\nhello" .. END), "400-close 413-close")
end
v:cut("H1-032", "chunk/size-last", chunked("5\r\nhello\r\n00000000000000000\r\n\r\n"))
v:cut("H1-032a", "chunk/size-last", chunked("5\r\nhello\r\n0 \r\n\r\n"))
v:cut("H1-032b", "chunk/size-last", chunked("5\r\nhello\r\n-0\r\n\r\n"))
v:cut("H1-032c", "chunk/size-last", chunked("5\r\nhello\r\n0x0\r\n\r\n"))
v:cut("H1-034", "chunk/size-empty", chunked("5\r\nhello\r\n\r\n\r\n"))
v:cut("H1-034a", "chunk/size-empty", chunked(";a=b\r\nhello" .. END))
v:add("H1-036", "chunk/size", "forwarded-normalised", chunked("0000000000000005\r\nhello" .. END),
  { body = "hello", forbid_upstream = "00000005" })
v:add("H1-036a", "chunk/size", "forwarded-normalised",
  chunked("a\r\nabcdefghij\r\nA\r\nklmnopqrst\r\n01\r\nu" .. END),
    { body = "abcdefghijklmnopqrstu" })
v:add("H1-036b", "chunk/size", "forwarded-normalised", chunked("0\r\n\r\n"), { body = "" })
v:add("H1-036c", "chunk/size", "forwarded-normalised", chunked("000\r\n\r\n"), { body = "" })
-- the body that looks like an end, or like a request
v:add("H1-036d", "chunk/size", "forwarded-normalised",
  chunked("7\r\n0\r\n\r\n\r\n" .. END), { body = "0\r\n\r\n\r\n", max_answers = 1 })
v:add("H1-036e", "chunk/many", "forwarded-normalised", chunked("@@X@@0\r\n\r\n"),
  { body = ("a"):rep(2000), gen = { { token = "@@X@@", unit = "1\r\na\r\n", count = 2000 } } })

-- extensions are dropped
for i, extension in ipairs { ";a=b", ";a", ";a=b;c=d", ';a="b c"', ';a="\\"x"', ";a=b;c", ";",
  ";;" } do
  v:add("H1-038." .. i, "chunk/ext", "forwarded-normalised 400-close",
    chunked("5" .. extension .. "\r\nhello" .. END), { forbid_upstream = "\r\n5;" })
end
v:add("H1-038.legal", "chunk/ext", "forwarded-normalised 400-close",
  chunked("5;name=value\r\nhello\r\n0;last=1\r\n\r\n"),
  { body = "hello", forbid_upstream = { "name", "last" } })
for i, extension in ipairs { ";a\nX", ";a=b\n", ";a\rX", ";a\r\r", ";a\0", ";a=\"\r\n\"", ";a\1",
  ";\n",
  ";a\127", ";a\11b" } do
  v:cut("H1-038a." .. i, "chunk/ext", chunked("5" .. extension .. "\r\nhello" .. END))
end
v:cut("H1-039a", "chunk/ext-flood", chunked("1;@@X@@\r\na" .. END), "400-close 413-close")
v[#v].gen = { { token = "@@X@@", unit = "a", count = 300 } }
v:cut("H1-039b", "chunk/ext-flood", chunked("@@X@@0\r\n\r\n"), "400-close 413-close")
v[#v].gen = { { token = "@@X@@", unit = "1;" .. ("a"):rep(200) .. "\r\na\r\n", count = 200 } }
v:cut("H1-039c", "chunk/ext-flood", chunked("5\r\nhello\r\n0;@@X@@\r\n\r\n"), "400-close 413-close")
v[#v].gen = { { token = "@@X@@", unit = "a", count = 100000 } }

-- line ends
v:cut("H1-040", "chunk/bare-LF", chunked("5\nhello\r\n0\r\n\r\n"))
v:cut("H1-040a", "chunk/bare-LF", chunked("5\r\nhello\r\n0\n\n"))
v:cut("H1-040b", "chunk/bare-LF", chunked("5\r\nhello\r\n0\r\n\n"))
v:cut("H1-040c", "chunk/bare-LF", chunked("5\r\nhello\r\n0\n\r\n"))
v:cut("H1-040d", "chunk/bare-CR", chunked("5\rhello\r\n0\r\n\r\n"))
v:cut("H1-040e", "chunk/bare-CR", chunked("5\r\r\nhello\r\n0\r\n\r\n"))
v:cut("H1-040f", "chunk/bare-CR", chunked("5\r\nhello\r\n0\rX\n\r\n"))
v:cut("H1-042", "chunk/data-end", chunked("5\r\nhelloXX0\r\n\r\n"))
v:cut("H1-042a", "chunk/data-end", chunked("5\r\nhello0\r\n\r\n"))
v:cut("H1-042b", "chunk/data-end", chunked("5\r\nhello\r0\r\n\r\n"))
v:cut("H1-042c", "chunk/data-end", chunked("5\r\nhello\rX0\r\n\r\n"))
v:cut("H1-042d", "chunk/data-end", chunked("5\r\nhello!\r\n0\r\n\r\n"))
v:cut("H1-042e", "chunk/data-end", chunked("5\r\nhello\n\r0\r\n\r\n"))
v:cut("H1-042f", "chunk/data-end", chunked("5\r\nhello \r\n0\r\n\r\n"))
v:cut("H1-044", "chunk/data-end", chunked("0\r\nX\r\n5\r\nhello\r\n0\r\n\r\n"))
v:cut("H1-044a", "chunk/bare-CR", chunked("5\r\nhello\r\n0\r\n\rX"))

-- trailers
v:add("H1-045a", "chunk/trailer", "forwarded-normalised",
  chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\nAuthorization: evil1\r\nCookie: evil2\r\nHost: evil3\r\n"
    .. "Content-Length: 77\r\nX-Forwarded-For: evil4\r\nForwarded: for=evil5\r\n"
    .. "Connection: evil6\r\n"
    .. "Set-Cookie: evil7\r\nContent-Encoding: evil8\r\nTE: evil9\r\nUpgrade: evil10\r\n"
    .. "Proxy-Authorization: evil11\r\nX-Real-IP: evil12\r\nTrailer: evil13\r\nVia: evil14\r\n"
    .. "Cache-Control: evil15\r\nExpect: evil16\r\nRange: evil17\r\nX-Forwarded-Host: evil18\r\n"
    .. "Keep-Alive: evil19\r\nProxy: evil20\r\nContent-Type: evil21\r\nMax-Forwards: evil22\r\n"
    .. "X_Forwarded_For: evil23\r\n\r\n"),
  { body = "hello", forbid_upstream = { "evil", "77" } })
v:add("H1-045c", "chunk/trailer", "forwarded-normalised",
  chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\nTrue-Client-IP: evil1\r\nClient-IP: evil2\r\n"
    .. "X-Host: evil3\r\nX-Forwarded: evil4\r\nForwarded-For: evil5\r\n"
    .. "X-Method-Override: evil6\r\nCookie2: evil7\r\nX-Auth-Token: evil8\r\n"
    .. "X-Authorization: evil9\r\nX-Api-Key: evil10\r\nAuthentication-Info: evil11\r\n"
    .. "X-Client-IP: evil12\r\nFront-End-Https: evil13\r\n\r\n"),
  { body = "hello", forbid_upstream = "evil", want_upstream = "X-Sum: 1" })
for i, trailer in ipairs { "X : 1\r\n", " X: 1\r\n", "X: a\r\n b\r\n", ": 1\r\n", "X Y: 1\r\n",
  "X\r\n",
  "X: a\0b\r\n", "X: a\nY: b\r\n", "X: a\rY: b\r\n", "X: \127\r\n", "\tX: 1\r\n", "X: 1\n" } do
  v:cut("H1-045b." .. i, "chunk/trailer-syntax", chunked("5\r\nhello\r\n0\r\n" .. trailer
    .. "\r\n"))
end
v:cut("H1-046", "chunk/trailer-flood", chunked("5\r\nhello\r\n0\r\n@@X@@\r\n"),
  "400-close 431-close 413-close")
v[#v].gen = { { token = "@@X@@", unit = "a: b\r\n", count = 2000 } }
v:cut("H1-046a", "chunk/trailer-flood", chunked("5\r\nhello\r\n0\r\nX: @@X@@\r\n\r\n"),
  "400-close 431-close 413-close")
v[#v].gen = { { token = "@@X@@", unit = "a", count = 100000 } }
v:add("H1-046b", "chunk/trailer-flood", "upstream-status 400-close 431-close",
  chunked("5\r\nhello\r\n0\r\n@@X@@\r\n"),
  { gen = { { token = "@@X@@", unit = "a: b\r\n", count = 90 } } })

-- cut off by the client
for i, body in ipairs { "", "5", "5\r", "5\r\n", "5\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0",
  "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\n\r", "5\r\nhello\r\n0\r\nX: 1\r\n" } do
  v:cut("H1-047." .. i, "chunk/truncated", chunked(body), "400-close 408-close close")
  v[#v].half_close = true
end

return v
