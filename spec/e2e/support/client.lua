-- A client of raw bytes: what a test sends is what goes out, what comes back is taken apart here.
local ffi = require "ffi"
local socket = require "socket"
local unix = require "socket.unix"

local M = {}

M.timeout = 30

ffi.cdef "long recv(int fd, void *to, size_t n, int flags);"

local MSG_DONTWAIT, ECONNRESET = 64, 104

local Client = {}
Client.__index = Client

--- A connection to 127.0.0.1:port, to host:port, or to a Unix socket (a path).
function M.connect(where, host)
  local conn
  if type(where) == "string" then
    conn = unix.stream()
  elseif host and host:find ":" then
    conn = socket.tcp6()
  else
    conn = socket.tcp()
  end
  conn:settimeout(M.timeout)
  local ok, err
  if type(where) == "string" then
    ok, err = conn:connect(where)
  else
    ok, err = conn:connect(host or "127.0.0.1", where)
  end
  if not ok then
    conn:close()
    return nil, err
  end
  return setmetatable({ conn = conn, rest = "" }, Client)
end

function Client:send(bytes)
  return self.conn:send(bytes)
end

function Client:close()
  self.conn:close()
end

-- One read of whatever is there; nil and why at the end.
local function more(self)
  local bytes, err, part = self.conn:receive(65536)
  bytes = bytes or part
  if bytes and #bytes > 0 then
    self.rest = self.rest .. bytes
    return true
  end
  return nil, err
end

-- With a short first timeout, so that receive(65536) gives what has come.
local function fill(self)
  self.conn:settimeout(0)
  local ok, err = more(self)
  if not ok and err == "timeout" then
    local ready = socket.select({ self.conn }, nil, M.timeout)
    if #ready == 0 then return nil, "timeout" end
    ok, err = more(self)
    if not ok and err == "timeout" then ok = true end
  end
  self.conn:settimeout(M.timeout)
  return ok, err
end

local function take(self, n)
  local bytes = self.rest:sub(1, n)
  self.rest = self.rest:sub(n + 1)
  return bytes
end

--- Exactly n bytes.
function Client:receive(n)
  while #self.rest < n do
    local ok, err = fill(self)
    if not ok then return nil, err end
  end
  return take(self, n)
end

--- Whether something has come that was not received yet, or the end.
function Client:readable()
  return #self.rest > 0 or #socket.select({ self.conn }, nil, 0) > 0
end

--- Everything up to the end of the connection; the second value says how it ended.
function Client:receive_all()
  local ok, err
  repeat ok, err = fill(self) until not ok
  return take(self, #self.rest), err
end

--- True when the other side has closed, within the seconds.
function Client:is_closed(seconds)
  local by = socket.gettime() + (seconds or M.timeout)
  while socket.gettime() < by do
    local ready = socket.select({ self.conn }, nil, by - socket.gettime())
    if #ready > 0 then
      self.conn:settimeout(0)
      local _, err = more(self)
      self.conn:settimeout(M.timeout)
      if err == "closed" then return true end
    end
  end
  return false
end

--- Waits for the end of the connection: "end" or "reset"; what came before it is dropped.
function Client:how_it_ends()
  local buffer = ffi.new "char[4096]"
  local by = socket.gettime() + M.timeout
  while socket.gettime() < by do
    local ready = socket.select({ self.conn }, nil, by - socket.gettime())
    local n = #ready > 0 and tonumber(ffi.C.recv(self.conn:getfd(), buffer, 4096, MSG_DONTWAIT))
    if n == 0 then return "end" end
    if n and n < 0 and ffi.errno() == ECONNRESET then return "reset" end
  end
  return "neither"
end

--- Ends this side; the other one may still speak.
function Client:shut()
  self.conn:shutdown "send"
end

local function parse_head(text)
  local head = { headers = {}, list = {} }
  local first, lines = text:match "^(.-)\r\n(.*)$"
  head.first = first
  for name, value in lines:gmatch "([^:\r\n]+):[ \t]*([^\r\n]*)\r\n" do
    head.list[#head.list + 1] = { name, value }
    local key = name:lower()
    head.headers[key] = head.headers[key] and head.headers[key] .. ", " .. value or value
  end
  return head
end

M.parse_head = parse_head

--- A head: { first, headers (lower case), list }.
function Client:receive_head()
  while not self.rest:find("\r\n\r\n", 1, true) do
    local ok, err = fill(self)
    if not ok then return nil, err end
  end
  local _, last = self.rest:find("\r\n\r\n", 1, true)
  return parse_head(take(self, last):sub(1, -3))
end

local function receive_line(self)
  while not self.rest:find("\r\n", 1, true) do
    local ok, err = fill(self)
    if not ok then return nil, err end
  end
  local first, last = self.rest:find("\r\n", 1, true)
  local line = take(self, last)
  return line:sub(1, first - 1)
end

local function receive_chunks(self)
  local parts = {}
  while true do
    local line, err = receive_line(self)
    if not line then return nil, err end
    local n = tonumber(line:match "^%x+", 16)
    if n == 0 then break end
    local piece
    piece, err = self:receive(n + 2)
    if not piece then return nil, err end
    parts[#parts + 1] = piece:sub(1, -3)
  end
  local trailers = {}
  while true do
    local line, err = receive_line(self)
    if not line then return nil, err end
    if line == "" then break end
    local name, value = line:match "^([^:]+):[ \t]*(.*)$"
    trailers[name:lower()] = value
  end
  return table.concat(parts), trailers
end

--- A whole response: { status, headers, body, trailers }; `method`: of the request (HEAD: no body).
-- Interim responses are gathered in `infos`.
function Client:receive_response(method)
  local infos = {}
  while true do
    local res, err = self:receive_head()
    if not res then return nil, err end
    res.status = tonumber(res.first:match "^HTTP/1%.%d (%d%d%d)")
    res.infos = infos
    if res.status >= 200 or res.status == 101 then
      return self:receive_body(res, method)
    end
    infos[#infos + 1] = res
  end
end

function Client:receive_body(res, method)
  local err
  if method == "HEAD" or res.status == 204 or res.status == 304 or res.status == 101 then
    res.body = ""
  elseif res.headers["transfer-encoding"] == "chunked" then
    res.body, res.trailers = receive_chunks(self)
    err = res.trailers
  elseif res.headers["content-length"] then
    res.body, err = self:receive(tonumber(res.headers["content-length"]))
  else
    res.body, err = self:receive_all()
  end
  if not res.body then return nil, err end
  return res
end

--- The bytes of a request: { method, headers (table or list of pairs), body }.
function M.request_text(path, options)
  options = options or {}
  local lines = { (options.method or "GET") .. " " .. path .. " HTTP/1.1",
    "Host: " .. (options.host or "gateway.test") }
  for name, value in pairs(options.headers or {}) do lines[#lines + 1] = name .. ": " .. value end
  if options.body then lines[#lines + 1] = "Content-Length: " .. #options.body end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (options.body or "")
end

--- One request on a connection of its own; options as in request_text, and `address`.
function M.request(where, path, options)
  options = options or {}
  local client, err = M.connect(where, options.address)
  if not client then return nil, err end
  client:send(M.request_text(path, options))
  local res
  res, err = client:receive_response(options.method)
  client:close()
  return res, err
end

return M
