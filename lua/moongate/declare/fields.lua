--- The names that the script language knows, for "did you mean" and for `moongate check`: what
--- `gate`, `req`, `res` and the other objects have, whether or not this build serves it. A field
--- is `true` (a value), "method" (called with a colon), or a table of its own fields, of which one
--- with `any` has free keys.

local M = {}

--- A table with free keys: ctx, params, trailers. Headers, args and cookies have methods besides.
M.ANY = { any = true }
local ANY = M.ANY
local PAIRS = {
  any = true, methods = { all = true, add = true, has = true, get = true, each = true },
}

--- Splits words into a set of plain fields, added to the given ones.
local function fields(words, others)
  local set = others or {}
  for word in words:gmatch("%S+") do set[word] = set[word] or true end
  return set
end

--- The fields of every kind of object, by the name of the kind.
---@type table<string, table<string, any>>
M.KINDS = {}
local KINDS = M.KINDS

KINDS.tls = fields "version cipher sni alpn subject fingerprint verified"
KINDS.client = fields("ip port peer_ip", { tls = KINDS.tls })
KINDS.upstream = fields("name", {
  servers = "method", add = "method", remove = "method", drain = "method", set_weight = "method",
})
KINDS.peer = fields "address host port weight zone healthy draining active requests latency"

KINDS.req = fields([[method scheme host path port version target query id route tries bytes_in
  bytes_out cache_status cache_why]], {
  args = PAIRS, headers = PAIRS, cookies = PAIRS, params = ANY, ctx = ANY, trailers = ANY,
  client = KINDS.client, upstream = KINDS.upstream, peer = KINDS.peer,
  timing = fields "queue connect upstream_head upstream script total",
  read_body = "method", set_body = "method",
})

KINDS.res = fields("status from", {
  headers = PAIRS, trailers = ANY, cache = fields "ttl grace tags",
  read_body = "method", set_body = "method",
})

KINDS.fault = fields "status code message"
KINDS.hello = fields("ip sni", { alpn = ANY })

KINDS.gate = fields([[listen upstream route routes use cache limits process shared every env tenant
  reply redirect retry sleep spawn all fetch resolve semaphore time clock purge exiting data]], {
  on = fields [[connect certificate request route cache balance request_body store response body
    fault log]],
  upstreams = fields "get",
  log = fields "debug info warn error",
  json = fields "encode decode null array",
  crypto = fields [[sha256 hmac_sha256 hex base64 base64url unhex unbase64 unbase64url equal
    random]],
  metric = fields "counter gauge histogram",
  tcp = fields "connect", udp = ANY, uri = ANY,
  re = fields "match find gsub split",
  ip = fields "within set",
})

--- What the parameters of each hook are, in order.
---@type table<string, string[]>
M.PARAMETERS = {
  connect = { "client" }, certificate = { "hello" },
  request = { "req" }, route = { "req" }, cache = { "req" },
  balance = { "req" }, request_body = { "req" }, store = { "req", "res" },
  response = { "req", "res" }, body = { "req", "res" }, fault = { "req", "fault" },
  log = { "req", "res" }, handler = { "req" }, when = { "req" },
}

return M
