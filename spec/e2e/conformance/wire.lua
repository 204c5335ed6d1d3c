--- One connection of a client, plain or TLS: bytes out, bytes in, and how it ended. TLS is
--- OpenSSL's, by FFI, over a socket that never blocks.
local ffi = require "ffi"
local socket = require "socket"

ffi.cdef [[
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
const void *TLS_client_method(void);
SSL_CTX *SSL_CTX_new(const void *method);
SSL *SSL_new(SSL_CTX *ctx);
void SSL_free(SSL *ssl);
int SSL_set_fd(SSL *ssl, int fd);
int SSL_set_alpn_protos(SSL *ssl, const unsigned char *protos, unsigned n);
int SSL_connect(SSL *ssl);
int SSL_read(SSL *ssl, void *to, int n);
int SSL_write(SSL *ssl, const void *bytes, int n);
int SSL_get_error(const SSL *ssl, int result);
void ERR_clear_error(void);
ssize_t recv(int fd, void *buf, size_t n, int flags);
ssize_t send(int fd, const void *buf, size_t n, int flags);
]]

local DONTWAIT_NOSIGNAL = 0x4040
local EINTR, EAGAIN, ECONNRESET = 4, 11, 104
local WANT_READ, WANT_WRITE, ZERO_RETURN = 2, 3, 6
local CHUNK = 16384

local M = { patience = 30 }

local chunk = ffi.new("char[?]", CHUNK)
local lib, context -- made when TLS is first used

local Wire = {}
Wire.__index = Wire

--- False when nothing happens for too long.
local function ready(self, to_write)
  local list = { self.sock }
  local r, w = socket.select(not to_write and list or nil, to_write and list or nil, M.patience)
  return r[1] ~= nil or w[1] ~= nil
end

local function connect(port)
  local sock = assert(socket.tcp4())
  sock:settimeout(M.patience)
  assert(sock:connect("127.0.0.1", port))
  sock:setoption("tcp-nodelay", true)
  sock:settimeout(0)
  return setmetatable({ sock = sock }, Wire)
end

--- Repeats an operation of OpenSSL until it is done: its result, or nil and how it failed.
local function repeated(self, operation, ...)
  while true do
    lib.ERR_clear_error()
    local result = operation(self.ssl, ...)
    if result > 0 then return result end
    local errno, why = ffi.errno(), lib.SSL_get_error(self.ssl, result)
    if why == ZERO_RETURN then return nil, "end" end
    if why ~= WANT_READ and why ~= WANT_WRITE then
      return nil, errno == ECONNRESET and "reset" or "cut"
    end
    if not ready(self, why == WANT_WRITE) then return nil, "silence" end
  end
end

--- A connection to 127.0.0.1:port.
M.plain = connect

--- A TLS connection, on which HTTP/2 was agreed. Certificates are of no interest.
function M.tls(port)
  lib = lib or ffi.load "ssl"
  context = context or lib.SSL_CTX_new(lib.TLS_client_method())
  local self = connect(port)
  self.ssl = lib.SSL_new(context)
  lib.SSL_set_fd(self.ssl, self.sock:getfd())
  lib.SSL_set_alpn_protos(self.ssl, "\2h2", 3)
  assert(repeated(self, lib.SSL_connect))
  return self
end

--- Sends all of it, as far as the other side takes it.
function Wire:send(bytes)
  if self.ssl then return repeated(self, lib.SSL_write, bytes, #bytes) end
  local at, p = 0, ffi.cast("const char *", bytes)
  while at < #bytes and ready(self, true) do
    local n = ffi.C.send(self.sock:getfd(), p + at, #bytes - at, DONTWAIT_NOSIGNAL)
    local errno = ffi.errno()
    if n < 0 and errno ~= EAGAIN and errno ~= EINTR then return end
    at = at + math.max(tonumber(n), 0)
  end
end

--- The next bytes; or nil and "end" (in order: over TLS, said by TLS), "reset", "cut" (over TLS:
--- ended without a word), or "silence".
function Wire:receive()
  if self.ssl then
    local n, how = repeated(self, lib.SSL_read, chunk, CHUNK)
    return n and ffi.string(chunk, n), how
  end
  while ready(self) do
    local n = ffi.C.recv(self.sock:getfd(), chunk, CHUNK, DONTWAIT_NOSIGNAL)
    if n > 0 then return ffi.string(chunk, n) end
    if n == 0 then return nil, "end" end
    if ffi.errno() == ECONNRESET then return nil, "reset" end
  end
  return nil, "silence"
end

function Wire:close()
  if self.ssl then lib.SSL_free(self.ssl) end
  self.sock:close()
end

return M
