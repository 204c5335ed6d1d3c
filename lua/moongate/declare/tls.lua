--- What declarations say of TLS: `tls = { cert = "file.pem", key = "file.pem" }` of a listener,
--- `tls = true` or `tls = { ca = "file.pem" }` of an upstream.

local schema = require "moongate.schema"
local units = require "moongate.units"

local M = {}

local PATH = schema.text "the path of a PEM file"

--- One path, or one for each kind of key (RSA and ECDSA).
local PATHS = schema.by_kind({
  string = {
    expected = PATH.expected,
    check = function(_, value, spot)
      local path = PATH:check(value, spot)
      return path and { path }
    end,
  },
  table = schema.list(PATH, { min = 1 }),
}, "the path of a PEM file, or a list of them")

--- A name of certificates: "example.com", or "*.example.com" for one label more.
local NAME = schema.custom('a name such as "example.com" or "*.example.com"', function(value)
  if type(value) ~= "string" or #value > 253 then return nil end
  local name = value:lower()
  local rest = name:match "^%*%.(.+)$" or name
  for label in (rest .. "."):gmatch "([^.]*)%." do
    if not label:find "^[%w_-]+$" then return nil end
  end
  return name
end)

local MIN_VERSION = schema.with(schema.enum { "1.2", "1.3" }, { default = "1.2" })

local CERTIFICATE = schema.record("a certificate", {
  cert = schema.with(PATH, { required = true }),
  key = schema.with(PATH, { required = true }),
  names = schema.list(NAME, { min = 1 }),
  ocsp = PATH,
})

local SERVER = schema.record("tls", {
  cert = PATHS,
  key = PATHS,
  ocsp = PATHS,
  certs = schema.with(schema.list(CERTIFICATE), { default = {} }),
  client_ca = PATH,
  client_auth = schema.enum { "none", "request", "require" },
  min_version = MIN_VERSION,
})

--- Reports what is wrong with `cert` and `key` together.
local function check_pairs(spot, given, value)
  local certs, keys = given.cert or {}, given.key or {}
  if #certs == #keys then return true end
  -- What is no path was reported already.
  if (value.cert ~= nil and #certs == 0) or (value.key ~= nil and #keys == 0) then return false end
  local lacks, has = "key", "cert"
  if #certs < #keys then lacks, has = has, lacks end
  spot:at(has, value):fail {
    name = lacks, expected = PATH.expected,
    message = ("tls needs a 'key' for each 'cert' (%d of %d)"):format(
      #certs < #keys and #certs or #keys, #certs < #keys and #keys or #certs),
  }
  return false
end

--- What is demanded of clients: whoever names authorities wants them asked, unless told otherwise.
local function client_auth(spot, given, value)
  local auth = given.client_auth or (given.client_ca and "require") or "none"
  if auth ~= "none" and value.client_ca == nil then
    return spot:at("client_auth", value):fail {
      name = "client_auth", expected = PATH.expected,
      message = ("'client_auth': \"%s\" needs 'client_ca', the authorities to believe")
        :format(auth),
    }
  end
  return auth
end

--- The type of a listener's `tls`: `{ certificates, … }`. Certificates of `cert` and
--- `key` come first: they are for clients that ask for no name, or for one that no other has.
---@type moongate.Type
M.SERVER = {
  expected = "a table of options",
  check = function(_, value, spot)
    if value == false then return nil end -- plain: what `tls = has_certificate and { … }` may give
    local given = SERVER:check(value, spot)
    if not given or not check_pairs(spot, given, value) then return nil end
    local certificates = {}
    for i, cert in ipairs(given.cert or {}) do
      certificates[i] = {
        cert = cert, key = given.key[i], names = {}, fallback = true,
        ocsp = given.ocsp and given.ocsp[i] or "",
      }
    end
    for _, one in ipairs(given.certs) do
      certificates[#certificates + 1] = {
        cert = one.cert, key = one.key, names = one.names or {}, fallback = false,
        ocsp = one.ocsp or "",
      }
    end
    local certs = value.certs
    if value.cert == nil and (certs == nil or type(certs) == "table" and next(certs) == nil) then
      return spot:fail {
        name = "cert", expected = PATH.expected,
        message = "tls needs 'cert' and 'key', or 'certs'",
      }
    end
    local auth = client_auth(spot, given, value)
    return auth and {
      certificates = certificates, min_version = given.min_version,
      client_ca = given.client_ca or "", client_auth = auth,
    }
  end,
}

-- To servers --------------------------------------------------------------------------------------

--- What a server is called: a host name, or the text of an address.
local SERVER_NAME = schema.custom('a host name such as "origin.example", or an address',
  function(value)
    if type(value) ~= "string" or #value > 253 then return nil end
    if units.is_hostname(value) or units.ip_kind(value) then
      return value:lower()
    end
  end)

local PROTOCOL = schema.custom("the name of a protocol (ALPN)", function(value)
  if type(value) == "string" and value ~= "" and #value <= 255 then return value end
end)

local CLIENT = schema.record("tls", {
  verify = schema.with(schema.boolean(), { default = true }),
  ca = PATH,
  server_name = SERVER_NAME,
  cert = PATH,
  key = PATH,
  min_version = MIN_VERSION,
  alpn = schema.list(PROTOCOL),
})

--- Reports what is wrong with two options together.
local function check_client(spot, given, value)
  if (value.cert == nil) ~= (value.key == nil) then
    local has, lacks = "cert", "key"
    if value.cert == nil then has, lacks = lacks, has end
    return spot:at(has, value):fail {
      name = lacks, expected = PATH.expected,
      message = ("'%s' needs '%s': a certificate and its key"):format(has, lacks),
    }
  end
  if given.verify == false and value.ca ~= nil then
    return spot:at("ca", value):fail {
      name = "ca", expected = "verify = true",
      message = "'ca' says whom to believe, but 'verify = false' believes everybody",
    }
  end
  return given
end

--- The type of an upstream's `tls`: true, false, or options. Normalised to all options, or false.
---@type moongate.Type
M.CLIENT = {
  expected = "true, or a table of options",
  check = function(self, value, spot)
    if value == false then return false end
    if value == true then value = {} end
    if type(value) ~= "table" then return spot:unexpected(value, self.expected) end
    local given = CLIENT:check(value, spot)
    return given and check_client(spot, given, value)
  end,
}

--- What an upstream with each choice of `http2` offers by ALPN.
local OFFERED = { never = { "http/1.1" }, always = { "h2" }, auto = { "h2", "http/1.1" } }

--- The choice of `http2` that a list of protocols stands for.
local function implied(alpn)
  local has = {}
  for _, name in ipairs(alpn) do has[name] = true end
  if not has.h2 then return "never" end
  return has["http/1.1"] and "auto" or "always"
end

--- Settles what an upstream offers by ALPN, and so whether it speaks HTTP/2: either of `http2` and
--- `tls.alpn` says it for the other. False: they contradict each other.
---@param options table
---@return boolean
function M.settle_protocols(options)
  local tls = options.tls
  local alpn = tls and tls.alpn
  if alpn then
    options.http2 = options.http2 or implied(alpn)
    return options.http2 == implied(alpn)
  end
  options.http2 = options.http2 or "never"
  if tls then tls.alpn = OFFERED[options.http2] end
  return true
end

--- Whether servers can be told from others who have good certificates: one at a Unix socket has no
--- name of its own.
---@param options table
---@return boolean
function M.names_servers(options)
  local tls = options.tls
  if not tls or not tls.verify or tls.server_name then return true end
  for _, server in ipairs(options.servers or {}) do
    if server[1] and server[1]:find "^unix:" then return false end
  end
  return true
end

return M
