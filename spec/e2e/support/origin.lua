-- Origins: servers behind a gateway, each a forked process that runs the test's own function for
-- every request, many connections at a time. What they were asked is written to a file.
local socket = require "socket"
local unix = require "socket.unix"
local client = require "e2e.support.client"
local process = require "e2e.support.process"

local M = {}

local Conn = {}
Conn.__index = Conn

-- Runs inside a coroutine of the child; yields what it waits for.
local function wait_readable(self)
  return coroutine.yield(self.conn)
end

function Conn:sleep(seconds)
  coroutine.yield(nil, socket.gettime() + seconds)
end

function Conn:close()
  if self.conn then self.conn:close() end
  self.conn = nil
end

--- Closes with a reset.
function Conn:reset()
  self.conn:setoption("linger", { on = true, timeout = 0 })
  self:close()
end

function Conn:send(bytes)
  local at = 1
  while self.conn and at <= #bytes do
    local last, err, part = self.conn:send(bytes, at)
    at = (last or part or at - 1) + 1
    if err == "timeout" then
      coroutine.yield(nil, socket.gettime() + 0.001)
    elseif err then
      self:close()
    end
  end
end

local function fill(self)
  while self.conn do
    local bytes, err, part = self.conn:receive(65536)
    bytes = bytes or part
    if #bytes > 0 then
      self.rest = self.rest .. bytes
      return true
    end
    if err ~= "timeout" then return false end
    wait_readable(self)
  end
  return false
end

--- More bytes of the request's body as they come; nil at the end of the connection.
function Conn:receive(n)
  while #self.rest < n do
    if not fill(self) then return nil end
  end
  local bytes = self.rest:sub(1, n)
  self.rest = self.rest:sub(n + 1)
  return bytes
end

function Conn:receive_until(mark)
  while not self.rest:find(mark, 1, true) do
    if not fill(self) then return nil end
  end
  local _, last = self.rest:find(mark, 1, true)
  return self:receive(last)
end

local function read_chunks(self)
  local parts = {}
  while true do
    local line = self:receive_until "\r\n"
    if not line then return nil end
    local n = tonumber(line:match "^%x+", 16)
    if n == 0 then break end
    local piece = self:receive(n + 2)
    if not piece then return nil end
    parts[#parts + 1] = piece:sub(1, -3)
  end
  if not self:receive_until "\r\n" then return nil end
  return table.concat(parts)
end

--- The head of the next request: { method, target, headers, list }.
function Conn:receive_head()
  local text = self:receive_until "\r\n\r\n"
  if not text then return nil end
  local req = client.parse_head(text:sub(1, -3))
  req.raw = text
  req.method, req.target = req.first:match "^(%S+) (%S+)"
  return req
end

function Conn:receive_body(req)
  if req.headers["transfer-encoding"] then
    req.body = read_chunks(self)
  else
    req.body = self:receive(tonumber(req.headers["content-length"] or 0))
  end
  return req.body
end

--- A response with Content-Length; headers is a table of names to values.
function Conn:reply(status, body, headers)
  local lines = { ("HTTP/1.1 %d X\r\nContent-Length: %d\r\n"):format(status, #body) }
  for name, value in pairs(headers or {}) do lines[#lines + 1] = name .. ": " .. value .. "\r\n" end
  self:send(table.concat(lines) .. "\r\n" .. body)
end

-- What it was asked, for the test: one record after the other, each behind its length.
local function note(path, req)
  local file = io.open(path, "ab")
  local text = req.raw .. (req.body or "")
  file:write(("%d\n"):format(#text), text)
  file:close()
end

local function serve(conn, handler, log, options)
  local c = setmetatable({ conn = conn, rest = "" }, Conn)
  local whole = not options.head_only
  conn:settimeout(0)
  if options.raw then
    handler(c)
    c:close()
  end
  while c.conn do
    local req = c:receive_head()
    if not req or (whole and not c:receive_body(req)) then break end
    note(log, req)
    handler(c, req)
  end
  c:close()
end

-- Resumes one connection's coroutine and notes what it waits for.
local function step(tasks, task)
  local ok, readable, at = coroutine.resume(task.co)
  if not ok then io.stderr:write("origin: ", tostring(readable), "\n") end
  task.readable, task.at = nil, nil
  if coroutine.status(task.co) == "dead" then
    tasks[task] = nil
  else
    task.readable, task.at = readable, at
  end
end

local function turn(listener, tasks, accept)
  local reads, by_conn, next_at = { listener }, {}, nil
  local now = socket.gettime()
  for task in pairs(tasks) do
    if task.readable then
      reads[#reads + 1] = task.readable
      by_conn[task.readable] = task
    end
    if task.at and (not next_at or task.at < next_at) then next_at = task.at end
  end
  local ready = socket.select(reads, nil, next_at and math.max(0, next_at - now) or nil)
  for _, conn in ipairs(ready) do
    if conn == listener then
      local fresh = listener:accept()
      if fresh then accept(fresh) end
    elseif tasks[by_conn[conn]] then
      step(tasks, by_conn[conn])
    end
  end
  now = socket.gettime()
  local due = {}
  for task in pairs(tasks) do
    if task.at and task.at <= now then due[#due + 1] = task end
  end
  for _, task in ipairs(due) do step(tasks, task) end
end

local function run(listener, handler, log, options)
  local tasks = {}
  listener:settimeout(0)
  local function accept(conn)
    if not options.path then conn:setoption("tcp-nodelay", true) end
    local task = { co = coroutine.create(function()
      serve(conn, handler, log, options)
    end) }
    tasks[task] = true
    step(tasks, task)
  end
  while true do turn(listener, tasks, accept) end
end

local Origin = {}
Origin.__index = Origin

--- Requests that came so far: { method, target, headers, list, body, raw }.
function Origin:requests()
  local list = {}
  local file = io.open(self.log, "rb")
  if not file then return list end
  while true do
    local n = file:read "*n"
    if not n then break end
    file:read(1)
    local text = file:read(n)
    if not text or #text < n then break end
    local _, last = text:find("\r\n\r\n", 1, true)
    local req = client.parse_head(text:sub(1, last - 2))
    req.raw = text:sub(1, last)
    req.body = text:sub(last + 1)
    req.method, req.target = req.first:match "^(%S+) (%S+)"
    list[#list + 1] = req
  end
  file:close()
  return list
end

function Origin:stop()
  self.process:kill()
end

--- What an origin answers unless it is told otherwise: the request's own line and body.
function M.echo(c, req)
  local body = req.method .. " " .. req.target .. "\n" .. (req.body or "")
  c:reply(200, body, { ["X-Origin"] = "yes" })
end

-- The listening socket, its address as a server of an upstream, its port.
local function listen(options)
  if options.path then
    local listener = unix.stream()
    assert(listener:bind(options.path))
    assert(listener:listen(512))
    return listener, "unix:" .. options.path
  end
  local host = options.host or "127.0.0.1"
  local listener = assert(socket.bind(host, options.port or 0, 512))
  local _, port = listener:getsockname()
  return listener, (host:find ":" and "[%s]:%s" or "%s:%s"):format(host, port), tonumber(port)
end

--- Starts an origin on a free port of 127.0.0.1. handler(c, req) runs for each request; options
-- { port, head_only = true: the handler reads the body itself, raw = true: it gets each connection
-- once, as it comes, host, path: of a Unix socket }.
function M.start(handler, dir, options)
  options = options or {}
  local listener, address, port = listen(options)
  local self = setmetatable({ port = port, address = address,
    log = ("%s/origin.%s.log"):format(dir, port or "unix") }, Origin)
  self.process = process.fork(function()
    run(listener, handler or M.echo, self.log, options)
  end)
  listener:close()
  return self
end

return M
