return {
  -- two Host lines MUST 400
  {
    id = "H1-081", tier = 1, class = "host/two",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\nHost: evil.test\r\n\r\n",
    allowed = { "400-close", "400" },
    max_upstream_requests = 0,
  },
  -- URI delimiters in Host
  {
    id = "H1-083", tier = 1, class = "host/chars",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test/evil?x#y\r\n\r\n",
    allowed = { "400-close", "400" },
    max_upstream_requests = 0,
  },
  -- bad port
  {
    id = "H1-085", tier = 2, class = "host/port",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test:99999x\r\n\r\n",
    allowed = { "400-close", "400" },
    max_upstream_requests = 0,
  },
  -- userinfo in absolute-form
  {
    id = "H1-087", tier = 2, class = "host/abs-userinfo",
    bytes = "GET http://example.test@evil.test/a HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "400" },
    max_upstream_requests = 0,
  },
  -- tab in Host
  {
    id = "H1-089", tier = 2, class = "host/ctl",
    bytes = "GET /a HTTP/1.1\r\nHost: exa\tmple.test\r\n\r\n",
    allowed = { "400-close", "400" },
    max_upstream_requests = 0,
  },
  -- TRACE off by default; never echo cookies
  {
    id = "H1-091", tier = 1, class = "method/trace",
    bytes = "TRACE /a HTTP/1.1\r\nHost: example.test\r\nCookie: s=1\r\nMax-Forwards: 0\r\n\r\n",
    allowed = { "405", "501", "405-close", "400-close" },
    forbid_response = "s=1",
    max_upstream_requests = 0,
  },
  -- Connection must not delete proxy-added, end-to-end or pseudo fields; allow-list the
  -- nominations
  {
    id = "H1-093", tier = 1, class = "hop/connection-xff",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\nX-Forwarded-For: 6.6.6.6\r\n"
      .. "Connection: close, X-Forwarded-For, X-Real-IP, Authorization, Cookie, Host\r\n\r\n",
    allowed = { "forwarded-with:X-Forwarded-For", "400", "400-close" },
  },
  -- httpoxy CVE-2016-5385 family
  {
    id = "H1-095", tier = 1, class = "hop/proxy-header",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\nProxy: http://evil.test/\r\n\r\n",
    allowed = { "forwarded-without:Proxy", "400" },
    forbid_upstream = "evil.test",
  },
  -- if upstream answers anything but 101 no tunnel may open; trailing bytes are a pipelined
  -- request under full policy
  {
    id = "H1-097", tier = 1, class = "upgrade/ws-fake",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\nConnection: Upgrade\r\n"
      .. "Upgrade: websocket\r\nSec-WebSocket-Version: 777\r\n"
      .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nGET /smuggled HTTP/1.1\r\n"
      .. "Host: example.test\r\n\r\n",
    allowed = { "upstream-status", "426", "400", "400-close" },
  },
  -- client waits and never sends the body: proxy (or, through it, the origin, which answers a
  -- relayed Expect with 100) sends 100 within 1 s, or a final status comes; no hang past the
  -- body timeout
  {
    id = "H1-099", tier = 1, class = "expect/continue",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nExpect: 100-continue\r\n"
      .. "Content-Length: 5\r\n\r\n",
    allowed = { "100", "417", "413-close", "408-close", "502", "504", "502-close", "504-close" },
  },
  -- upstream answers final before body: body must be drained or connection closed on both sides;
  -- the bytes of the body may never become a request (/smuggled is not a request of this client)
  {
    id = "H1-101", tier = 1, class = "expect/early-final",
    bytes = "POST /reject-early HTTP/1.1\r\nHost: example.test\r\nExpect: 100-continue\r\n"
      .. "Content-Length: 46\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "upstream-status-close", "upstream-status", "forwarded-normalised", "417",
      "400-close" },
    max_upstream_requests = 1,
    max_answers = 1,
  },
  -- 100 pipelined GETs: answers in order, bounded look-ahead
  {
    id = "H1-123", tier = 2, class = "pipeline/100",
    bytes = "@@X@@",
    allowed = { "200-xN" },
    gen = { { token = "@@X@@", unit = "GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n",
      count = 100 } },
  },
  -- PROXY header on a listener that does not expect it
  {
    id = "H1-125", tier = 1, class = "trust/proxy-protocol",
    bytes = "PROXY TCP4 6.6.6.6 10.0.0.1 1 2\r\nGET /a HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "501-close", "close" },
    forbid_upstream = "6.6.6.6",
  },
  -- peer not in trusted set: client values replaced, not appended
  {
    id = "H1-127", tier = 2, class = "trust/xff",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\nX-Forwarded-For: 127.0.0.1\r\n"
      .. "X-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n",
    allowed = { "forwarded-replaced:X-Forwarded-For" },
  },
  -- a script copies the decoded query into a response header: the setter must raise, never emit
  -- a new line
  {
    id = "H1-129", tier = 2, class = "script/split",
    bytes = "GET /echo-header?v=a%0d%0aSet-Cookie:%20s=evil HTTP/1.1\r\nHost: example.test\r\n"
      .. "\r\n",
    allowed = { "500", "502", "200" },
    forbid_response = "\r\nSet-Cookie: s=evil",
  },
}
