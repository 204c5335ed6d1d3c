return {
  -- encoded dots; a deny rule on /admin must hold
  {
    id = "H1-103", tier = 1, class = "path",
    bytes = "GET /pub/%2e%2e/admin HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400", "400-close", "403", "404", "forwarded-normalised" },
    forbid_upstream = "%2e%2e",
    policy = "deny prefix /admin",
  },
  -- empty first segment: rules must match /admin or 400; a deny rule on /admin must hold
  {
    id = "H1-105", tier = 1, class = "path",
    bytes = "GET //admin HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400", "400-close", "403", "404", "forwarded-normalised", "forwarded-verbatim" },
    policy = "deny prefix /admin",
  },
  -- encoded NUL: 400; a deny rule on /admin must hold
  {
    id = "H1-107", tier = 2, class = "path",
    bytes = "GET /pub/%00/admin HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400", "400-close", "403", "404", "forwarded-normalised" },
    forbid_upstream = "%00",
    policy = "deny prefix /admin",
  },
  -- double encoding: decode once only; a deny rule on /admin must hold
  {
    id = "H1-109", tier = 2, class = "path",
    bytes = "GET /pub/%252e%252e/admin HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400", "400-close", "403", "404", "forwarded-normalised", "forwarded-verbatim" },
    policy = "deny prefix /admin",
  },
  -- climbs above root: 400; a deny rule on /admin must hold
  {
    id = "H1-111", tier = 1, class = "path",
    bytes = "GET /../../etc/passwd HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400", "400-close", "403", "404", "forwarded-normalised" },
    forbid_upstream = "../",
    policy = "deny prefix /admin",
  },
  -- untrusted client: unkeyed override fields removed
  {
    id = "H1-113", tier = 1, class = "cache/unkeyed",
    bytes = "GET /c HTTP/1.1\r\nHost: example.test\r\nX-Forwarded-Host: evil.test\r\n"
      .. "X-Original-URL: /admin\r\nX-HTTP-Method-Override: DELETE\r\n"
      .. "Forwarded: host=evil.test\r\n\r\n",
    allowed = { "forwarded-without:X-Forwarded-Host", "200" },
    forbid_upstream = "evil.test",
    cache_check = "clean GET must not see evil.test",
  },
  -- key uses lower-case host + effective port; unknown ports must not mint cached redirects
  {
    id = "H1-115", tier = 2, class = "cache/host-case",
    bytes = "GET /c HTTP/1.1\r\nHost: EXAMPLE.test:80\r\n\r\n",
    allowed = { "200", "forwarded-normalised", "400" },
  },
}
