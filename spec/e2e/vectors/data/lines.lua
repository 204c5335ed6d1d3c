return {
  -- LF inside a value introducing TE
  {
    id = "H1-049", tier = 1, class = "line/bare-LF-smuggle",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n"
      .. "0\r\n\r\n",
    allowed = { "400-close" },
  },
  -- CVE-2023-30589: empty value then CR ends the header in llhttp < 8.1.1
  {
    id = "H1-051", tier = 1, class = "line/empty-CR",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nX-Abc: \rxTransfer-Encoding: chunked\r\n"
      .. "\r\n1\r\nA\r\n0\r\n\r\n",
    allowed = { "400-close" },
    max_upstream_requests = 0,
  },
  -- folded TE (CVE-2022-32215 / CVE-2024-27982 family)
  {
    id = "H1-053", tier = 1, class = "line/obs-fold-TE",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding:\r\n chunked\r\n\r\n"
      .. "0\r\n\r\n",
    allowed = { "400-close" },
    max_upstream_requests = 0,
  },
  -- NUL in value: RFC 9110 5.5
  {
    id = "H1-055", tier = 1, class = "octets/NUL",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\nX: a\0b\r\n\r\n",
    allowed = { "400-close" },
    max_upstream_requests = 0,
  },
  -- NUL in target
  {
    id = "H1-057", tier = 1, class = "octets/NUL-target",
    bytes = "GET /a\0b HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close" },
  },
  -- methods are case-sensitive; must not be upper-cased to GET
  {
    id = "H1-059", tier = 2, class = "line/method",
    bytes = "get / HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "405", "501", "501-close", "400", "forwarded-verbatim" },
    forbid_upstream = "GET /",
  },
  -- non-token method
  {
    id = "H1-061", tier = 2, class = "line/method",
    bytes = "A@B / HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "501-close" },
  },
  -- SP in target
  {
    id = "H1-063", tier = 1, class = "line/target",
    bytes = "GET /a b HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close" },
  },
  -- fragment in target
  {
    id = "H1-065", tier = 1, class = "line/target",
    bytes = "GET /a#frag HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "400" },
    forbid_upstream = "#",
  },
  -- tabs as separators
  {
    id = "H1-067", tier = 2, class = "line/target-tab",
    bytes = "GET\t/a\tHTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "501-close" },
  },
  -- asterisk-form is for OPTIONS only
  {
    id = "H1-069", tier = 2, class = "line/star",
    bytes = "GET * HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "400" },
  },
  -- HTTP/0.9 simple request must be refused
  {
    id = "H1-071", tier = 2, class = "version/0.9",
    bytes = "GET /a\r\n",
    allowed = { "400-close", "505-close", "408-close", "close" },
    max_upstream_requests = 0,
  },
  -- 2.0 on h1; llhttp 8.1 accepts
  {
    id = "H1-073", tier = 1, class = "version/2.0",
    bytes = "GET /a HTTP/2.0\r\nHost: example.test\r\n\r\n",
    allowed = { "505-close", "400-close" },
    max_upstream_requests = 0,
  },
  -- junk after version
  {
    id = "H1-075", tier = 2, class = "version/bad",
    bytes = "GET /a HTTP/1.1x\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "505-close" },
  },
  -- 1.0 with no Host is legal; connection closes after; upstream sees 1.1 with a Host chosen by
  -- config
  {
    id = "H1-077", tier = 2, class = "version/1.0",
    bytes = "GET /a HTTP/1.0\r\n\r\n",
    allowed = { "200", "400-close", "forwarded-normalised" },
  },
  -- llhttp accepts RTSP/ and ICE/
  {
    id = "H1-079", tier = 1, class = "version/rtsp",
    bytes = "OPTIONS / RTSP/1.0\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "505-close" },
    max_upstream_requests = 0,
  },
}
