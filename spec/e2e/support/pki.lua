-- Certificates for end-to-end specs, made by openssl in a folder of their own.
local process = require "e2e.support.process"

local M = {}

local Pki = {}
Pki.__index = Pki

local function run(command)
  local pipe = io.popen(command .. " 2>&1; echo $?")
  local text = pipe:read "*a"
  pipe:close()
  assert(text:match "(%d+)%s*$" == "0", command .. "\n" .. text)
end

--- Certificates in `dir`. The authority "ca" is there.
function M.new(dir)
  return setmetatable({ dir = dir, serial = process.pid() * 1000 }, Pki):authority "ca"
end

--- Makes NAME.pem and NAME.key of an authority.
function Pki:authority(name)
  run(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
    .. "-subj /CN=%s -keyout %s/%s.key -out %s/%s.pem"):format(
    name, self.dir, name, self.dir, name))
  return self
end

function Pki:path(file)
  return self.dir .. "/" .. file
end

--- Makes NAME.pem and NAME.key, signed by the authority. options: names (a list; "IP:…" for an
-- address), key ("ec" or "rsa"), days (less than 0: it has ended), usage ("clientAuth"), issuer
-- (another authority), subject, revocation (where to ask whether it is still good).
function Pki:make(name, options)
  options = options or {}
  local dir, issuer = self.dir, options.issuer or "ca"
  local key = options.key == "rsa" and "rsa:2048" or "ec -pkeyopt ec_paramgen_curve:P-256"
  local names = {}
  for _, name_or_ip in ipairs(options.names or {}) do
    names[#names + 1] = (name_or_ip:find "^IP:" and "" or "DNS:") .. name_or_ip
  end
  local extensions = "basicConstraints=CA:FALSE\n"
  if #names > 0 then
    extensions = extensions .. "subjectAltName=" .. table.concat(names, ",") .. "\n"
  end
  if options.revocation then
    extensions = extensions .. "authorityInfoAccess=OCSP;URI:" .. options.revocation .. "\n"
  end
  if options.usage then extensions = extensions .. "extendedKeyUsage=" .. options.usage .. "\n" end
  local file = io.open(dir .. "/ext", "w")
  file:write(extensions)
  file:close()
  self.serial = self.serial + 1
  run(("openssl req -newkey %s -nodes -subj '%s' -keyout %s/%s.key -out %s/csr"):format(key,
    options.subject or "/CN=" .. name, dir, name, dir))
  run(("openssl x509 -req -in %s/csr -CA %s/%s.pem -CAkey %s/%s.key -set_serial %d "
    .. "-days %d -extfile %s/ext -out %s/%s.pem"):format(dir, dir, issuer, dir, issuer,
    self.serial, options.days or 30, dir, dir, name))
  return self
end

--- Makes NAME.ocsp, what the authority says of a certificate: good, or revoked.
function Pki:staple(name, revoked)
  local dir = self.dir
  local pipe = io.popen(("openssl x509 -in %s/%s.pem -noout -serial"):format(dir, name))
  local serial = pipe:read "*a":match "=(%x+)"
  pipe:close()
  local index = io.open(dir .. "/index", "w")
  index:write(("%s\t491231235959Z\t%s\t%s\tunknown\t/CN=%s\n"):format(revoked and "R" or "V",
    revoked and "200101000000Z" or "", serial, name))
  index:close()
  run(("openssl ocsp -index %s/index -CA %s/ca.pem -rsigner %s/ca.pem -rkey %s/ca.key -issuer "
    .. "%s/ca.pem -cert %s/%s.pem -respout %s/%s.ocsp -ndays 7"):format(dir, dir, dir, dir, dir,
    dir, name, dir, name))
end

--- Makes the certificates that a gateway file in `dir` names.
function M.named_in(text, dir)
  local self
  for name in text:gmatch 'cert = "([%w_-]+)%.pem"' do
    self = self or M.new(dir)
    self:make(name)
  end
end

return M
