return {
  -- 2^64+5 wraps to 5 in naive parsers
  {
    id = "H1-031", tier = 1, class = "chunk/size-overflow",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "10000000000000005\r\nhello\r\n0\r\n\r\n",
    allowed = { "400-close", "413-close" },
    upstream_must_see_incomplete = true,
  },
  -- trailing SP; if forwarded it must be re-framed
  {
    id = "H1-033", tier = 1, class = "chunk/size-syntax",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\n"
      .. "hello\r\n0\r\n\r\n",
    allowed = { "400-close", "forwarded-normalised" },
    forbid_upstream = "5 \r\n",
  },
  -- empty size
  {
    id = "H1-035", tier = 2, class = "chunk/size-syntax",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"
      .. "hello\r\n0\r\n\r\n",
    allowed = { "400-close" },
    upstream_must_see_incomplete = true,
  },
  -- bare LF in extension (funky chunks, CVE-2025-22871 family)
  {
    id = "H1-037", tier = 1, class = "chunk/ext",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "5;a\nX\r\nhello\r\n0\r\n\r\n",
    allowed = { "400-close" },
    upstream_must_see_incomplete = true,
  },
  -- 1 MiB extension: bounded memory; reject over 256 B recommended (CVE-2024-22019)
  {
    id = "H1-039", tier = 1, class = "chunk/ext-flood",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "1;@@X@@\r\na\r\n0\r\n\r\n",
    allowed = { "400-close", "413-close", "forwarded-normalised" },
    gen = { { token = "@@X@@", unit = "a", count = 1048576 } },
  },
  -- CR + any byte after size: accepted by llhttp 8.1 loose build
  {
    id = "H1-041", tier = 1, class = "chunk/bare-CR",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "5\rXhello\r\n0\r\n\r\n",
    allowed = { "400-close" },
    upstream_must_see_incomplete = true,
  },
  -- bare LF after chunk data
  {
    id = "H1-043", tier = 1, class = "chunk/data-end",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"
      .. "hello\n0\r\n\r\n",
    allowed = { "400-close" },
    upstream_must_see_incomplete = true,
  },
  -- framing/routing trailers must be dropped and never merged into headers (RFC 9110 6.5.1)
  {
    id = "H1-045", tier = 1, class = "chunk/trailer",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"
      .. "hello\r\n0\r\nTransfer-Encoding: identity\r\nContent-Length: 7\r\n"
      .. "Host: evil.test\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
    allowed = { "forwarded-normalised", "400-close" },
    forbid_upstream = "evil.test",
  },
  -- client half-closes mid-chunk; upstream must not see a complete message
  {
    id = "H1-047", tier = 1, class = "chunk/truncated",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"
      .. "hel",
    allowed = { "400-close", "408-close", "close" },
    half_close = true,
    upstream_must_see_incomplete = true,
  },
}
