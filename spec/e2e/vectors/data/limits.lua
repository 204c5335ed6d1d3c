return {
  -- 2 000 fields
  {
    id = "H1-117", tier = 1, class = "limit/header-count",
    bytes = "GET /a HTTP/1.1\r\nHost: example.test\r\n@@X@@\r\n",
    allowed = { "431-close", "400-close" },
    gen = { { token = "@@X@@", unit = "a: b\r\n", count = 2000 } },
  },
  -- 1 MiB of CRLF before a request: llhttp skips them silently, so count them
  {
    id = "H1-119", tier = 1, class = "limit/leading-crlf",
    bytes = "@@X@@GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n",
    allowed = { "400-close", "close", "200" },
    gen = { { token = "@@X@@", unit = "\r\n", count = 524288 } },
  },
  -- 1 byte each 5 s: minimum rate
  {
    id = "H1-121", tier = 2, class = "slow/body",
    bytes = "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 100000\r\n\r\n",
    allowed = { "408-close", "close" },
    pace = { bytes = 1, every_s = 5 },
  },
}
