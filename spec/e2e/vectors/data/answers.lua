return {
  -- 502, never cached, upstream connection closed (RFC 9112 6.3 would also let TE win; the
  -- policy is 502)
  {
    id = "UP-01", tier = 1, class = "resp/CL+TE", proto = "h1-upstream",
    bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
      .. "\r\n",
    allowed = { "502" },
  },
  -- bad CL
  {
    id = "UP-03", tier = 2, class = "resp/CL-bad", proto = "h1-upstream",
    bytes = "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    allowed = { "502" },
  },
  -- likewise 304
  {
    id = "UP-05", tier = 1, class = "resp/304-CL", proto = "h1-upstream",
    bytes = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\n"
      .. "Content-Length: 4\r\n\r\nEVIL",
    allowed = { "304", "502" },
    forbid_response = "EVIL",
  },
  -- 1xx has no body
  {
    id = "UP-07", tier = 1, class = "resp/100-CL", proto = "h1-upstream",
    bytes = "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\n"
      .. "Content-Length: 2\r\n\r\nok",
    allowed = { "200", "502" },
  },
  -- 101 to a request that asked for no upgrade: 502, no tunnel
  {
    id = "UP-09", tier = 1, class = "resp/101-unasked", proto = "h1-upstream",
    bytes = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw",
    allowed = { "502" },
    forbid_response = "raw",
  },
  -- as 10
  {
    id = "UP-11", tier = 1, class = "resp/extra-garbage", proto = "h1-upstream",
    bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokGARBAGE",
    allowed = { "200" },
    forbid_response = "GARBAGE",
  },
  -- no last-chunk: must not synthesise one
  {
    id = "UP-13", tier = 1, class = "resp/truncated-chunk", proto = "h1-upstream",
    bytes = "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\n5\r\nhe",
    allowed = { "200-truncated-close", "502" },
    forbid_response = "\r\n0\r\n\r\n",
    upstream_closes = true,
  },
  -- unknown final coding: 502 preferred to read-to-EOF
  {
    id = "UP-15", tier = 2, class = "resp/TE-not-last", proto = "h1-upstream",
    bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    allowed = { "502" },
    upstream_closes = true,
  },
  -- llhttp 8.1 accepts
  {
    id = "UP-17", tier = 2, class = "resp/status-2digit", proto = "h1-upstream",
    bytes = "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    allowed = { "502" },
  },
  -- no code at all; llhttp 8.1 accepts with status 0
  {
    id = "UP-19", tier = 2, class = "resp/status-none", proto = "h1-upstream",
    bytes = "HTTP/1.1 \r\nContent-Length: 0\r\n\r\n",
    allowed = { "502" },
  },
  -- bad version
  {
    id = "UP-21", tier = 2, class = "resp/version", proto = "h1-upstream",
    bytes = "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    allowed = { "502", "200" },
  },
  -- replace fold by SP or 502 (RFC 9112 5.2)
  {
    id = "UP-23", tier = 2, class = "resp/obs-fold", proto = "h1-upstream",
    bytes = "HTTP/1.1 200 OK\r\nX: a\r\n Set-Cookie: s=1\r\nContent-Length: 2\r\n\r\nok",
    allowed = { "200", "502" },
    forbid_response = "\r\n Set",
  },
  -- bare CR
  {
    id = "UP-25", tier = 1, class = "resp/bare-CR", proto = "h1-upstream",
    bytes = "HTTP/1.1 200 OK\r\nX: \rSet-Cookie: s=evil\r\nContent-Length: 2\r\n\r\nok",
    allowed = { "502" },
    forbid_response = "\rSet",
  },
  -- hop-by-hop removed; Connection may not delete end-to-end fields
  {
    id = "UP-27", tier = 2, class = "resp/hop", proto = "h1-upstream",
    bytes = "HTTP/1.1 200 OK\r\nConnection: close, Set-Cookie\r\nKeep-Alive: 1\r\n"
      .. "Proxy-Authenticate: x\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok",
    allowed = { "200" },
    forbid_response = "h2c",
  },
  -- upstream closes without a byte: 502; retried only if idempotent and budget allows
  {
    id = "UP-29", tier = 1, class = "resp/reset-before-status", proto = "h1-upstream",
    bytes = "",
    allowed = { "502" },
    upstream_closes = true,
  },
}
