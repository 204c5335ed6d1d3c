return {
  -- CL+TE in one request. RFC 9112 6.1/6.3: may reject, or strip CL and close; core policy is
  -- reject
  {
    id = "H1-001", tier = 1, class = "smuggling/CL.TE",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 13\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smug",
    allowed = { "400-close" },
    forbid_upstream = "/smug",
  },
  -- two TE lines, chunked not last
  {
    id = "H1-003", tier = 1, class = "smuggling/TE.TE",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n"
      .. "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    allowed = { "400-close", "501-close" },
  },
  -- chunked applied twice is forbidden by RFC 9112 6.1
  {
    id = "H1-005", tier = 1, class = "smuggling/TE.TE",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked, chunked\r\n"
      .. "\r\n0\r\n\r\n",
    allowed = { "400-close", "501-close" },
  },
  -- VT before the coding name
  {
    id = "H1-007", tier = 2, class = "smuggling/TE.TE",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding:\11chunked\r\n\r\n"
      .. "0\r\n\r\n",
    allowed = { "400-close", "501-close" },
  },
  -- underscore twin of a framing header must be dropped or refused (CGI-style upstreams fold _
  -- into -)
  {
    id = "H1-009", tier = 1, class = "smuggling/TE.TE",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer_Encoding: chunked\r\n"
      .. "Content-Length: 5\r\n\r\n0\r\n\r\n",
    allowed = { "400", "400-close", "forwarded-without:Transfer_Encoding" },
    forbid_upstream = "Transfer_Encoding",
  },
  -- empty TE beside CL: present-but-empty TE must not be skipped (llhttp 8.1 does not raise the
  -- TE flag here)
  {
    id = "H1-011", tier = 1, class = "smuggling/TE-empty",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: \r\n"
      .. "Content-Length: 5\r\n\r\nhello",
    allowed = { "400-close", "501-close" },
  },
  -- conflicting CL: RFC 9112 6.3 unrecoverable, 400+close
  {
    id = "H1-013", tier = 1, class = "smuggling/dup-CL",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 5\r\n"
      .. "Content-Length: 6\r\n\r\nhello!",
    allowed = { "400-close" },
    max_upstream_requests = 0,
  },
  -- identical CL list
  {
    id = "H1-015", tier = 2, class = "smuggling/CL-list",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 5, 5\r\n\r\nhello",
    allowed = { "400-close", "forwarded-normalised" },
  },
  -- hex
  {
    id = "H1-017", tier = 2, class = "smuggling/CL-syntax",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 0x5\r\n\r\nhello",
    allowed = { "400-close" },
  },
  -- 2^64+5 must not wrap to 5
  {
    id = "H1-019", tier = 1, class = "smuggling/CL-overflow",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 18446744073709551621\r\n"
      .. "\r\nhello",
    allowed = { "400-close", "413-close" },
  },
  -- GET with body: the body must be relayed as body or refused; never parsed as a second
  -- request, never left on the upstream connection
  {
    id = "H1-021", tier = 1, class = "smuggling/CL.0",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 46\r\n\r\n"
      .. "GET /smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "forwarded-normalised", "400-close", "413-close" },
    max_upstream_requests = 1,
  },
  -- space-led line after Host = fold of Host; must not vanish
  {
    id = "H1-023", tier = 1, class = "smuggling/0.CL",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\n Content-Length: 5\r\n\r\nhello",
    allowed = { "400-close" },
  },
  -- tab before colon
  {
    id = "H1-025", tier = 2, class = "smuggling/CL-name",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length\t: 5\r\n\r\nhello",
    allowed = { "400-close" },
  },
  -- empty field name
  {
    id = "H1-027", tier = 1, class = "smuggling/name",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\n: empty\r\n\r\n",
    allowed = { "400-close" },
  },
  -- non-token octet in field name
  {
    id = "H1-029", tier = 2, class = "smuggling/name",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\nX-\233: 1\r\n\r\n",
    allowed = { "400-close" },
  },
}
