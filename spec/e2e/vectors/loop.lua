--- One thread, many sockets: coroutines that wait for bytes, driven by poll(2). The client of a
--- vector and the origin behind the gateway run side by side in it.

local ffi = require "ffi"
local socket = require "socket"

ffi.cdef [[
struct pollfd { int fd; short events; short revents; };
int poll(struct pollfd *fds, unsigned long n, int timeout);
ssize_t recv(int fd, void *buf, size_t n, int flags);
ssize_t send(int fd, const void *buf, size_t n, int flags);
]]

local C = ffi.C
local POLLIN, POLLOUT = 1, 4
local DONTWAIT_NOSIGNAL = 0x4040
local EINTR, EAGAIN = 4, 11
local CHUNK = 65536

local M = { now = socket.gettime }

local chunk = ffi.new("char[?]", CHUNK)
local tasks = {} -- coroutine → { fd?, events?, at? } that it waits for

local function resume(task)
  tasks[task] = nil
  local ok, wish = coroutine.resume(task)
  if not ok then error(debug.traceback(task, wish), 0) end
  if coroutine.status(task) ~= "dead" then tasks[task] = wish end
end

--- Runs fn in a coroutine of the loop, at once until it waits.
function M.spawn(fn, ...)
  local args, n = { ... }, select("#", ...)
  local task = coroutine.create(function() fn(unpack(args, 1, n)) end)
  resume(task)
  return task
end

--- Forgets the tasks that wait for a socket, before it is closed.
function M.forget(sock)
  for task, wish in pairs(tasks) do
    if wish.fd == sock:getfd() then tasks[task] = nil end
  end
end

local function poll(timeout)
  local order, n, now = {}, 0, M.now()
  for task, wish in pairs(tasks) do
    if wish.fd then
      n = n + 1
      order[n] = task
    elseif wish.at then
      timeout = math.max(0, math.min(timeout, wish.at - now))
    end
  end
  local fds = ffi.new("struct pollfd[?]", n + 1)
  for i = 1, n do
    fds[i - 1].fd, fds[i - 1].events = tasks[order[i]].fd, tasks[order[i]].events
  end
  if C.poll(fds, n, math.ceil(timeout * 1000)) < 0 then return {} end
  local ready = {}
  for i = 1, n do
    if fds[i - 1].revents ~= 0 then ready[#ready + 1] = order[i] end
  end
  now = M.now()
  for task, wish in pairs(tasks) do
    if wish.at and wish.at <= now then ready[#ready + 1] = task end
  end
  return ready
end

--- Lets the tasks run until done() holds or `timeout` seconds are over; says whether it holds.
function M.run(done, timeout)
  local stop_at = M.now() + timeout
  while not done() do
    local left = stop_at - M.now()
    if left <= 0 then return false end
    for _, task in ipairs(poll(math.min(left, 0.01))) do
      if tasks[task] then resume(task) end
    end
  end
  return true
end

--- Lets the tasks run as long as one of them can.
function M.exhaust()
  local ready
  repeat
    ready = poll(0)
    for _, task in ipairs(ready) do
      if tasks[task] then resume(task) end
    end
  until #ready == 0
end

function M.sleep(seconds) coroutine.yield { at = M.now() + seconds } end

local function wait(sock, events) coroutine.yield { fd = sock:getfd(), events = events } end

--- Waits for bytes. nil, "eof" at the end; nil, "reset" when the connection broke.
function M.receive(sock)
  while true do
    wait(sock, POLLIN)
    local n = C.recv(sock:getfd(), chunk, CHUNK, DONTWAIT_NOSIGNAL)
    if n > 0 then return ffi.string(chunk, n) end
    if n == 0 then return nil, "eof" end
    local e = ffi.errno()
    if e ~= EAGAIN and e ~= EINTR then return nil, "reset" end
  end
end

--- Sends all of data, `piece` bytes a segment. False when the other side is gone.
function M.send(sock, data, piece)
  local at, p = 0, ffi.cast("const char *", data)
  while at < #data do
    wait(sock, POLLOUT)
    local n = C.send(sock:getfd(), p + at, math.min(piece or CHUNK, #data - at), DONTWAIT_NOSIGNAL)
    if n >= 0 then
      at = at + tonumber(n)
    else
      local e = ffi.errno()
      if e ~= EAGAIN and e ~= EINTR then return false end
    end
  end
  return true
end

local function accept_task(listener, serve)
  while true do
    wait(listener, POLLIN)
    local sock = listener:accept()
    if sock then
      sock:settimeout(0)
      sock:setoption("tcp-nodelay", true)
      M.spawn(serve, sock)
    end
  end
end

--- Listens on a free port of 127.0.0.1; serve(sock) runs for each connection. Returns the port.
function M.listen(serve)
  local listener = assert(socket.bind("127.0.0.1", 0, 1024))
  listener:settimeout(0)
  M.spawn(accept_task, listener, serve)
  local _, port = listener:getsockname()
  return tonumber(port)
end

--- A connection to 127.0.0.1:port. `window`: size of the receive buffer.
function M.connect(port, window)
  local sock = assert(socket.tcp4())
  if window then assert(sock:setoption("recv-buffer-size", window)) end
  sock:settimeout(30)
  assert(sock:connect("127.0.0.1", port))
  sock:setoption("tcp-nodelay", true)
  sock:settimeout(0)
  return sock
end

--- Notes all that comes in a table: `pieces`, their `size`, and how it was `closed`.
function M.receive_all(sock, into)
  while true do
    local data, how = M.receive(sock)
    if not data then
      into.closed = how
      return
    end
    into.pieces[#into.pieces + 1] = data
    into.size = into.size + #data
  end
end

return M
