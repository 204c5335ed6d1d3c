--- The only server behind the gateway: keeps every byte that reaches it, reads it strictly (what
--- would be read differently by another server is an oddity), and answers as a vector's script says
--- or by path: /probe/ID echoes ID, /c may be stored and shows what must not be in a key, /account
--- is private to its cookie, /big is 64 MiB, /reject-early answers before it reads the body.

local http = require "e2e.vectors.http"
local loop = require "e2e.vectors.loop"

local TOKEN = "^[!#$%%&'*+.^_`|~%w-]+$"
local TARGET = "^[%w!$&'()*+,;=:@%%/?._~|\\^`{}%[%]\"<>-]+$"
local BIG = 64 * 1024 * 1024

local Connection = {}
Connection.__index = Connection

local Origin = {}
Origin.__index = Origin

--- Starts to listen; its `port` is where.
local function start()
  local origin = setmetatable({ opened = 0 }, Origin)
  origin:record {}
  origin.port = loop.listen(function(sock)
    local connection = setmetatable({ origin = origin, sock = sock, buffer = "" }, Connection)
    origin.opened = origin.opened + 1
    connection:serve()
  end)
  return origin
end

--- From now on all that comes belongs to this record. `script`: bytes to answer with instead of
--- an own answer; `closes`: close after it ("reset": with a reset); `early`: answer when the head
--- is there; `late`: more bytes a little later; `piece`: so many bytes a segment.
function Origin:record(record)
  record.requests, record.bytes = {}, {}
  self.current = record
  return record
end

local function begin(self, record)
  local request = { connection = self, fields = {}, body = "", odd = {}, complete = false }
  request.method, request.target, request.version = "", "", ""
  record.requests[#record.requests + 1] = request
  self.request, self.record = request, record
end

local GONE = {}

function Connection:fill()
  local data = loop.receive(self.sock)
  if not data then error(GONE, 0) end
  local record = self.origin.current
  local pieces = record.bytes[self] or {}
  record.bytes[self] = pieces
  pieces[#pieces + 1] = data
  if not self.request then begin(self, record) end
  self.buffer = self.buffer .. data
end

function Connection:odd(text)
  table.insert(self.request.odd, text)
end

--- A line without its end; a bare LF ends one too, but is odd.
function Connection:line()
  while not self.buffer:find("\n", 1, true) do self:fill() end
  local line, rest = self.buffer:match "^([^\n]*)\n(.*)$"
  self.buffer = rest
  if line:sub(-1) ~= "\r" then
    self:odd "line ended by a bare LF"
    return line
  end
  return line:sub(1, -2)
end

function Connection:take(n)
  local pieces, have = { self.buffer }, #self.buffer
  while have < n do
    self.buffer = ""
    self:fill()
    pieces[#pieces + 1], have = self.buffer, have + #self.buffer
  end
  local all = table.concat(pieces)
  self.buffer = all:sub(n + 1)
  return all:sub(1, n)
end

function Connection:field_lines()
  local fields = {}
  while true do
    local line = self:line()
    if line == "" then return fields end
    local name, value = line:match "^([^:]*):(.*)$"
    if line:match "^[ \t]" then
      self:odd "folded line"
    elseif not name or not name:match(TOKEN) then
      self:odd "bad field name"
    end
    value = value or ""
    if value:find "[%z\1-\8\10-\31\127]" then self:odd "control byte in a value" end
    fields[#fields + 1] = { name = name or line, value = value:match "^[ \t]*(.-)[ \t]*$" }
  end
end

function Connection:head()
  if self.buffer == "" then self:fill() end
  if not self.request then begin(self, self.origin.current) end
  local request = self.request
  local method, target, version = self:line():match "^([^ ]+) ([^ ]+) (HTTP/1%.[01])$"
  request.method, request.target, request.version = method or "", target or "", version or ""
  if not method or not method:match(TOKEN) then self:odd "bad request line" end
  if not request.target:match(TARGET) then self:odd "bad target" end
  request.fields = self:field_lines()
  if #http.values(request, "host") ~= 1 then self:odd "not one Host" end
  request.path = request.target:gsub("%?.*", "")
  return request
end

function Connection:chunks()
  local body = {}
  while true do
    local size = self:line():match "^(%x+)$"
    if not size or #size > 16 then
      self:odd "bad chunk line"
      error(GONE, 0)
    end
    local n = tonumber(size, 16)
    if n == 0 then break end
    body[#body + 1] = self:take(n)
    if self:take(2) ~= "\r\n" then
      self:odd "chunk without CRLF"
      error(GONE, 0)
    end
  end
  self.request.trailers = self:field_lines()
  self.request.body = table.concat(body)
end

function Connection:body()
  local request = self.request
  local codings = http.values(request, "transfer-encoding")
  local lengths = http.values(request, "content-length")
  if #codings + #lengths > 1 then self:odd "more than one framing field" end
  if codings[1] then
    if codings[1] ~= "chunked" or request.version == "HTTP/1.0" then self:odd "bad coding" end
    self:chunks()
  elseif lengths[1] then
    if not lengths[1]:match "^%d+$" then
      self:odd "bad length"
      error(GONE, 0)
    end
    request.body = self:take(tonumber(lengths[1]))
  end
end

local function reflected(request)
  local seen = { request.body }
  for _, name in ipairs { "x-forwarded-host", "forwarded", "x-original-url",
    "x-http-method-override" } do
    seen[#seen + 1] = http.value(request, name)
  end
  return table.concat(seen, "|") .. "\n"
end

local function send_late(self, bytes)
  loop.sleep(0.01)
  if not self.closed then loop.send(self.sock, bytes) end
end

function Connection:answer(record, request, scripted)
  if scripted then
    local sent = loop.send(self.sock, record.script, record.piece)
    if record.late then loop.spawn(send_late, self, record.late) end
    return sent
  end
  local status, body, more = "200 OK", "origin\n", ""
  if request.path:match "^/probe/" then
    body = request.path:sub(8)
  elseif request.path == "/reject-early" then
    status = "403 Forbidden"
  elseif request.path == "/c" then
    body, more = reflected(request), "Cache-Control: public, max-age=1\r\n"
  elseif request.path:match "^/account" then
    body = "account of " .. http.value(request, "cookie") .. "\n"
  elseif request.path == "/big" then
    body = ("x"):rep(BIG)
  end
  local head = ("HTTP/1.1 %s\r\nX-Origin: yes\r\nContent-Type: text/plain\r\n"
    .. "%sContent-Length: %d\r\n\r\n")
    :format(status, more, #body)
  if request.method == "HEAD" then body = "" end
  return loop.send(self.sock, head .. body)
end

--- Reads and answers one request. False when the origin is to close.
function Connection:exchange()
  local request = self:head()
  local record = self.record
  local scripted = record.script ~= nil and not request.path:match "^/probe/"
  local early = scripted and record.early or request.path == "/reject-early"
  if early then self:answer(record, request, scripted) end
  self:body()
  request.complete = true
  if not early then self:answer(record, request, scripted) end
  if scripted and record.closes then
    loop.sleep(0.02) -- the end comes as an event of its own
    if record.closes == "reset" then self.sock:setoption("linger", { on = true, timeout = 0 }) end
    return false
  end
  return not http.value(request, "connection"):lower():find "close"
end

function Connection:serve()
  local ok, err = pcall(function()
    while self:exchange() do self.request = nil end
  end)
  self.closed = true
  loop.forget(self.sock)
  self.sock:close()
  if not ok and err ~= GONE then error(err, 0) end
end

return { start = start }
