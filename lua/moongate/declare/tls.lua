--- What declarations say of TLS: `tls = { cert = "file.pem", key = "file.pem" }` of a listener.

local schema = require "moongate.schema"

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
  min_version = schema.with(schema.enum { "1.2", "1.3" }, { default = "1.2" }),
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
    if value.cert == nil and (value.certs == nil or next(value.certs) == nil) then
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

return M
