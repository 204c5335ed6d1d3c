-- Processes of a test: started with files for their output, ended by their id, never left behind.
local ffi = require "ffi"
local socket = require "socket"

ffi.cdef [[
int fork(void);
int execvp(const char *file, char *const argv[]);
int kill(int pid, int sig);
int waitpid(int pid, int *status, int options);
int open(const char *path, int flags, ...);
int dup2(int from, int to);
int close(int fd);
void _exit(int status);
int setenv(const char *name, const char *value, int overwrite);
int getpid(void);
unsigned getuid(void);
int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int symlink(const char *target, const char *path);
int posix_openpt(int flags);
int grantpt(int fd);
int unlockpt(int fd);
char *ptsname(int fd);
long read(int fd, void *to, size_t n);
]]

local M = {}
local C = ffi.C

M.signals = { HUP = 1, INT = 2, QUIT = 3, KILL = 9, USR1 = 10, SEGV = 11, TERM = 15, STOP = 19,
  CONT = 18 }

local WNOHANG = 1
local O_CREAT_WRITE = 64 + 1 + 512 -- O_CREAT | O_WRONLY | O_TRUNC
local PR_SET_PDEATHSIG = 1
local O_RDWR, O_NOCTTY, O_NONBLOCK = 2, 256, 2048

local Process = {}
Process.__index = Process

-- The test run must not leave anything behind, however it ends.
local function die_with_parent()
  C.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
end

local function redirect(path, fd, flags)
  local file = C.open(path, flags or O_CREAT_WRITE, ffi.cast("int", 420))
  C.dup2(file, fd)
  C.close(file)
end

--- Forks; the child runs fn and never returns.
function M.fork(fn)
  io.stdout:flush()
  local pid = C.fork()
  if pid == 0 then
    die_with_parent()
    local ok, err = pcall(fn)
    if not ok then io.stderr:write("child: ", tostring(err), "\n") end
    C._exit(ok and 0 or 70)
  end
  return setmetatable({ pid = pid }, Process)
end

--- Starts a program: argv, and { stdin = path (of a pipe), stdout = path, stderr = path, env = {},
-- dies = false }.
function M.start(argv, options)
  options = options or {}
  io.stdout:flush()
  local pid = C.fork()
  if pid == 0 then
    if options.dies ~= false then die_with_parent() end
    if options.stdin then redirect(options.stdin, 0, O_RDWR) end
    redirect(options.stdout or "/dev/null", 1)
    redirect(options.stderr or "/dev/null", 2)
    for name, value in pairs(options.env or {}) do C.setenv(name, tostring(value), 1) end
    local args = ffi.new("const char *[?]", #argv + 1)
    for i, arg in ipairs(argv) do args[i - 1] = arg end
    args[#argv] = nil
    C.execvp(argv[1], ffi.cast("char *const *", args))
    C._exit(127)
  end
  return setmetatable({ pid = pid }, Process)
end

local function decode(status)
  local sig = bit.band(status, 0x7f)
  if sig ~= 0 then return nil, sig end
  return bit.band(bit.rshift(status, 8), 0xff)
end

--- Exit status, or nil and the signal; nil, "running" when it has not ended within the seconds.
function Process:wait(seconds)
  local status = ffi.new "int[1]"
  local by = socket.gettime() + (seconds or 0)
  while not self.ended do
    if C.waitpid(self.pid, status, WNOHANG) == self.pid then
      self.ended = { decode(status[0]) }
      break
    end
    if socket.gettime() >= by then return nil, "running" end
    socket.sleep(0.005)
  end
  return self.ended[1], self.ended[2]
end

function Process:signal(name)
  if not self.ended then C.kill(self.pid, M.signals[name]) end
end

--- Ends it for good.
function Process:kill()
  self:signal "KILL"
  self:wait(30)
end

--- Sends a signal to any process that a test knows the id of.
function M.kill(pid, name)
  return C.kill(pid, M.signals[name]) == 0
end

local Terminal = {}
Terminal.__index = Terminal

--- A terminal: `path` is where a program writes, `read` gives what it has written so far.
function M.terminal()
  local fd = C.posix_openpt(O_RDWR + O_NOCTTY + O_NONBLOCK)
  assert(fd >= 0 and C.grantpt(fd) == 0 and C.unlockpt(fd) == 0, "no terminal")
  return setmetatable({ fd = fd, path = ffi.string(C.ptsname(fd)), text = "" }, Terminal)
end

function Terminal:read()
  local buffer = ffi.new "char[4096]"
  local n = C.read(self.fd, buffer, 4096)
  while n > 0 do
    self.text = self.text .. ffi.string(buffer, n)
    n = C.read(self.fd, buffer, 4096)
  end
  return self.text
end

function Terminal:stop()
  C.close(self.fd)
end

--- This process.
function M.pid()
  return C.getpid()
end

--- The user that runs this.
function M.user()
  return C.getuid()
end

--- Whether every thread of a process has stopped (signal STOP).
function M.is_stopped(pid)
  local pipe = io.popen(("cat /proc/%d/task/*/stat"):format(pid))
  local stopped, n = true, 0
  for line in pipe:lines() do
    n = n + 1
    stopped = stopped and line:find "^%d+ %(.*%) T " ~= nil
  end
  pipe:close()
  return stopped and n > 0
end

--- The threads of a process, a line each: name, state, where it sleeps in the kernel.
function M.threads(pid)
  local pipe = io.popen(("cd /proc/%d/task 2>/dev/null && for t in *; do echo $t $(cat $t/comm) "
    .. "$(grep State $t/status) $(cat $t/wchan); done"):format(pid))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

--- Children of a process.
function M.children(pid)
  local list = {}
  local file = io.open(("/proc/%d/task/%d/children"):format(pid, pid))
  if not file then return list end
  for child in file:read("*a"):gmatch "%d+" do list[#list + 1] = tonumber(child) end
  file:close()
  return list
end

return M
