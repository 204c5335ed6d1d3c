--- Framing of requests.

local build = require "e2e.vectors.build"
local get, post, request = build.get, build.post, build.request
local v = build.list()

local CHUNKS = "5\r\nhello\r\n0\r\n\r\n"
local SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n"

-- both, in either order, equal or not, in any case, with a request behind
v:refuse("H1-002", "smuggling/TE.CL",
  post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5\r\nhello\r\n0\r\n\r\n"))
v:refuse("H1-002a", "smuggling/TE.CL",
  post("Content-Length: 15\r\ntransfer-encoding: CHUNKED\r\n", CHUNKS))
v:refuse("H1-002b", "smuggling/TE.CL",
  get("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n" .. SMUGGLED))
v:refuse("H1-002c", "smuggling/TE.CL",
  post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello"), "400-close 501-close")

-- codings
local codings = {
  "xchunked", '"chunked"', "gzip, chunked", "chunked, identity", "identity, chunked", "identity",
  "gzip", "chunked;q=1", "chunked; a=b", "chunked,", ",chunked", ", chunked", "chunked, ,",
  ",", "chunke", "chunkedx", "chunked chunked", "ch\11unked", "chunked\11", "\160chunked",
  "x, chunked", "trailers, chunked", "(chunked)", "chunked\12", "nothing/at=all",
}
for i, coding in ipairs(codings) do
  v:refuse("H1-004." .. i, "smuggling/TE.TE", post("Transfer-Encoding: " .. coding .. "\r\n",
    CHUNKS),
    "400-close 501-close")
end
v:refuse("H1-006", "smuggling/TE.TE",
  post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", CHUNKS), "400-close 501-close")
v:refuse("H1-006a", "smuggling/TE.TE",
  post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKS), "400-close")
v:refuse("H1-006b", "smuggling/TE.TE",
  post("Transfer-Encoding: \r\nTransfer-Encoding: chunked\r\n", CHUNKS), "400-close")
v:refuse("H1-006c", "smuggling/TE.TE",
  post("Transfer-Encoding: chunked\r\nX: y\r\ntransfer-encoding: gzip\r\n", CHUNKS),
  "400-close 501-close")
v:add("H1-008", "smuggling/TE.TE", "forwarded-normalised",
  post("Transfer-Encoding: Chunked\r\n", CHUNKS), { body = "hello" })
-- a TAB behind the value is legal, but not to every server
v:add("H1-008a", "smuggling/TE.TE", "forwarded-normalised 400-close",
  post("TRANSFER-ENCODING:\t chunked \t\r\n", CHUNKS), { body = "hello" })

-- Transfer-Encoding in 1.0
v:refuse("H1-010", "smuggling/TE-1.0",
  "POST /a HTTP/1.0\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n" .. CHUNKS)
v:refuse("H1-010a", "smuggling/TE-1.0", "POST /a HTTP/1.0\r\nHost: example.test\r\n"
  .. "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 15\r\n\r\n" .. CHUNKS)
v:refuse("H1-012", "smuggling/TE-empty", post("Transfer-Encoding:\r\n", CHUNKS))
v:refuse("H1-012a", "smuggling/TE-empty", get("Transfer-Encoding: \t \r\n"))
v:refuse("H1-012b", "smuggling/TE-empty",
  post("Content-Length: 5\r\nTransfer-Encoding:\r\n", "hello"))

-- twins with an underscore, other spellings
v:add("H1-009a", "smuggling/underscore", "forwarded-without:Content_Length",
  post("Content_Length: 40\r\nContent-Length: 5\r\n", "hello"),
  { forbid_upstream = "Content_Length", body = "hello" })
v:add("H1-009b", "smuggling/underscore", "forwarded-without:X_Forwarded_For",
  get("X_Forwarded_For: 6.6.6.6\r\n_: 1\r\nAB_: 2\r\n"), { forbid_upstream = { "6.6.6.6", "_:" } })

-- Content-Length
v:refuse("H1-014", "smuggling/dup-CL", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"))
v:refuse("H1-014a", "smuggling/dup-CL", post("Content-Length: 5\r\ncontent-length: 0\r\n", "hello"))
local lengths = {
  "+5", "-5", "5 5", "5,5", "5, 6", "5;", "5.0", "5e0", "0x5", "05x", "five", "'5'", '"5"', "5\0",
  "5\11", "\0115", ",5", "5,", "1_0", "\194\178", "5 6", "5\t5",
}
for i, length in ipairs(lengths) do
  v:refuse("H1-016." .. i, "smuggling/CL-syntax", post("Content-Length: " .. length .. "\r\n",
    "hello"))
end
v:add("H1-018", "smuggling/CL-syntax", "forwarded-normalised 400-close",
  post("Content-Length: 00000005\r\n", "hello"), { body = "hello" })
v:add("H1-018a", "smuggling/CL-syntax", "forwarded-normalised 400-close",
  post("Content-Length: \t5 \t\r\n", "hello"), { body = "hello" })
for i, length in ipairs { "9223372036854775808", "18446744073709551615", "18446744073709551616",
  "9999999999999999999", "1000000000000000000", ("9"):rep(40), ("0"):rep(30) .. "5" } do
  v:refuse("H1-019." .. i, "smuggling/CL-overflow", post("Content-Length: " .. length .. "\r\n",
    "hello"),
    "400-close 413-close")
end
v:refuse("H1-020", "smuggling/CL-empty", post("Content-Length:\r\n", "hello"))
v:refuse("H1-020a", "smuggling/CL-empty", post("Content-Length: \r\nContent-Length: 5\r\n",
  "hello"))
v:refuse("H1-020b", "smuggling/CL-empty", get("Content-Length:  \t\r\n"))

-- a body where one side may expect none
v:add("H1-021a", "smuggling/CL.0", "forwarded-normalised",
  request("DELETE /a", "Content-Length: " .. #SMUGGLED .. "\r\n", SMUGGLED),
  { max_upstream_requests = 1, body = SMUGGLED })
v:add("H1-021b", "smuggling/CL.0", "forwarded-normalised",
  request("OPTIONS /a", "Content-Length: " .. #SMUGGLED .. "\r\n", SMUGGLED),
  { max_upstream_requests = 1, body = SMUGGLED })
v:add("H1-021c", "smuggling/CL.0", "forwarded-normalised",
  get("Transfer-Encoding: chunked\r\n", ("%x\r\n%s\r\n0\r\n\r\n"):format(#SMUGGLED, SMUGGLED)),
  { max_upstream_requests = 1, body = SMUGGLED })
v:add("H1-021d", "smuggling/CL.0", "200",
  request("HEAD /a", "Content-Length: " .. #SMUGGLED .. "\r\n", SMUGGLED),
  { max_upstream_requests = 1, body = SMUGGLED })
-- a body that is never sent whole: no complete message, and no second request in it
v:cut("H1-021e", "smuggling/CL.0", post("Content-Length: 500\r\n", SMUGGLED),
  "408-close close 400-close")
v[#v].half_close = true
v:add("H1-021f", "smuggling/0.CL", "forwarded-normalised",
  post("Content-Length: 0\r\n"), { body = "", want_upstream = "Content-Length: 0\r\n" })
v:add("H1-021g", "smuggling/0.CL", "forwarded-normalised", post(""),
  { body = "", want_upstream = "Content-Length: 0\r\n" })

-- folds that hide a length
v:refuse("H1-022", "smuggling/fold-CL", post("Content-Length:\r\n 46\r\n", SMUGGLED))
v:refuse("H1-022a", "smuggling/fold-CL", post("Content-Length:\r\n\t5\r\n", "hello"))
v:refuse("H1-022b", "smuggling/fold-CL", post("Content-Length: \r\n 5\r\n", "hello"))
v:refuse("H1-022c", "smuggling/fold-CL", post("Content-Length: 1\r\n 5\r\n", "hello"))
v:refuse("H1-022d", "smuggling/fold-CL", post("X: y\r\n Content-Length: 5\r\n", "hello"))
v:refuse("H1-022e", "smuggling/fold-CL", post("X: y\r\n\tTransfer-Encoding: chunked\r\n", CHUNKS))

-- names
for i, line in ipairs { "Content-Length : 5", "Content-Length\t : 5", " Content-Length: 5",
  "\tContent-Length: 5", "Content-Length\11: 5", "Content-Length\0: 5", "Content-Length",
  "Content Length: 5", "Content-Length:5:5", "Content\226\128\144Length: 5 ",
    "Transfer-Encoding : chunked",
  "Transfer-Encoding\t: chunked", "Transfer-Encoding\11: chunked", "Transfer-Encoding\0: chunked",
  "Transfer-Encoding", "Transfer Encoding: chunked" } do
  v:refuse("H1-024." .. i, "smuggling/name", post(line .. "\r\n", "5\r\nhello\r\n0\r\n\r\n"))
end
for i, name in ipairs { "X Y", "", " ", "X(Y)", "X,Y", "X;Y", "X/Y", "X@Y", "X[Y", "X]", "X{Y}",
  "X=Y",
  "X?Y", "X\"Y", "X\\Y", "X<", "X>", "\128", "X\255", "X\127", "X\1", "X\0Y", "X\tY",
    "\195\188" } do
  v:refuse("H1-026." .. i, "smuggling/name", get(name .. ": 1\r\n"))
end
v:refuse("H1-028", "smuggling/name", get("X-Y\r\n"))
v:refuse("H1-028a", "smuggling/name", get("\r\r\n"))
v:refuse("H1-028b", "smuggling/name", get("no colon here\r\n"))
v:refuse("H1-028c", "smuggling/name", get("GET /b HTTP/1.1\r\n"))
v:add("H1-028d", "smuggling/name", "forwarded-with:!#$%&'*+.^`|~-9aZ",
  get("!#$%&'*+.^`|~-9aZ: 1\r\n"))
-- the first line after the request line
v:refuse("H1-028e", "smuggling/name", "GET /a HTTP/1.1\r\n Host: example.test\r\n\r\n")
v:refuse("H1-028f", "smuggling/name", "GET /a HTTP/1.1\r\n: x\r\nHost: example.test\r\n\r\n")
v:refuse("H1-028g", "smuggling/name", "GET /a HTTP/1.1\r\nHost : example.test\r\n\r\n")

return v
