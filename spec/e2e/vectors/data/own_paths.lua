--- Paths and what a cache might take from them.

local build = require "e2e.vectors.build"
local get, request = build.get, build.request
local v = build.list()

-- Paths that are the denied /admin however they are spelt.
for i, path in ipairs { "/pub/../admin", "/pub/..//admin", "/pub/./../admin/x", "/./admin",
  "//admin", "///admin//",
  "/%61dmin", "/%61%64%6d%69%6e", "/pub/%2E%2E/admin", "/pub/.%2e/admin", "/pub/%2e./admin",
    "/%2e/admin",
  "/pub/a/../../admin/b", "/pub/%2e%2e//%61dmin?x", "/admin?a=/../b", "/admin/.",
    "/admin/..//admin", "//%2e//admin",
  "http://example.test/pub/../admin", "http://example.test//admin",
    "http://example.test/%61dmin" } do
  v:add("H1-102." .. i, "path/deny", "403", request("GET " .. path),
    { max_upstream_requests = 0, policy = "deny prefix /admin" })
end
-- Refused.
for i, path in ipairs { "/pub\\..\\admin", "/pub/..\\admin", "/pub/%5c../admin", "/pub/%5C",
  "/%00", "/admin%00",
  "/%zz", "/%", "/a%2", "/a%g0", "/..", "/../", "/../admin", "/%2e%2e/admin", "/pub/../../admin",
    "/./../etc",
  "/%2e%2e", "/a/../..", "/%0a", "/%0d", "/%1f", "/%7f", "/%09", "/%u0041" } do
  v:refuse("H1-104." .. i, "path/refused", request("GET " .. path))
end
-- One canonical form goes up.
local canonical = {
  { "/a/./b", "/a/b" }, { "/a//b", "/a/b" }, { "/%7euser", "/~user" }, { "/%41", "/A" },
    { "/a%2fb", "/a%2Fb" },
  { "/a/..%2fb", "/a/..%2Fb" }, { "/a%2f..%2fb", "/a%2F..%2Fb" }, { "/a/b/..", "/a/" }, { "/a/b/.",
    "/a/b/" },
  { "/a/..", "/" }, { "/a;x=1/b", "/a;x=1/b" }, { "/pub/..;/admin", "/pub/..;/admin" },
    { "/a%252e", "/a%252e" },
  { "/%252e%252e/admin", "/%252e%252e/admin" }, { "/a%c3%bc", "/a%C3%BC" }, { "/a?b=/../%2e%2e/c",
    "/a?b=/../%2e%2e/c" },
  { "/a?", "/a?" }, { "/a%20b", "/a%20b" }, { "/a+b", "/a+b" }, { "/a/...", "/a/..." }, { "/a/.b",
    "/a/.b" },
  { "/a??b", "/a??b" }, { "/a:b@c", "/a:b@c" }, { "/a!$&'()*+,=", "/a!$&'()*+,=" }, { "/%3Fa",
    "/%3Fa" },
  { "/%23a", "/%23a" }, { "//a//b//", "/a/b/" }, { "/a%2F", "/a%2F" },
}
for i, pair in ipairs(canonical) do
  v:add("H1-106." .. i, "path/canonical", "forwarded-normalised", request("GET " .. pair[1]),
    { target = pair[2] })
end

-- requests with a body, overrides, suffixes
v:add("H1-112", "cache/fat-get", "forwarded-normalised",
  request("GET /c", "Content-Length: 4\r\n", "evil"), { body = "evil", cache_check = "evil" })
v:add("H1-113a", "cache/override",
  "forwarded-without:X-HTTP-Method-Override,X-Original-URL,X-Rewrite-URL",
  request("GET /c",
    "X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /evil\r\nX-Rewrite-URL: /evil\r\n"),
  { cache_check = "evil", forbid_upstream = "evil" })
for i, path in ipairs { "/account;a.css", "/account/..%2fstatic/a.css", "/account%3ba.css",
  "/account/a.css" } do
  v:add("H1-114." .. i, "cache/deception", "upstream-status", request("GET " .. path,
    "Cookie: victim\r\n"),
    { cache_check = "victim" })
end
v:add("H1-114n", "cache/deception", "400-close", request("GET /account%0Aa.css",
  "Cookie: victim\r\n"),
  { max_upstream_requests = 0, cache_check = "victim" })
v:add("H1-116", "cache/ranges", "upstream-status 400-close 431-close 416",
  get("Range: bytes=@@X@@0-0\r\n"),
  { gen = { { token = "@@X@@", unit = "0-0,", count = 2000 } } })
-- more than 16 ranges are none: the whole is cheaper than what they cut it into
for i, ranges in ipairs { "bytes=0-1", "bytes=-1", "bytes=" .. ("0-0,"):rep(15) .. "0-0" } do
  v:add("H1-116a." .. i, "cache/ranges-few", "forwarded-with:Range",
    get("Range: " .. ranges .. "\r\n"))
end
for i, fields in ipairs { "Range: bytes=" .. ("0-0,"):rep(16) .. "0-0\r\n",
  ("Range: bytes=" .. ("0-0,"):rep(8) .. "0-0\r\n"):rep(2),
  "range:bytes=" .. ("0-,"):rep(1300) .. "-1\r\n", ("Range: bytes=0-0\r\n"):rep(17) } do
  v:add("H1-116b." .. i, "cache/ranges-many", "forwarded-without:Range", get(fields))
end

return v
