-- What end-to-end specs share: a gateway of the real binary in a folder of its own, origins, raw
-- clients. Everything that a test starts is gone after `cleanup`; every wait has an end.
--
--   local t = require "e2e.support"
--   after_each(t.cleanup)
--   local g = t.gateway [[ gate.listen { "127.0.0.1:0" } ... ]]
--   assert.equal(200, g:get("/hello").status)
local socket = require "socket"
local client = require "e2e.support.client"
local node = require "e2e.support.node"
local origin = require "e2e.support.origin"
local process = require "e2e.support.process"

local M = { process = process, client = client, echo = origin.echo }

M.binary = os.getenv "MOONGATE_BIN" or "build/debug/moongate"

-- Sanitizers make everything slower; waits end later, nothing else changes.
local slow = (os.getenv "MOONGATE_SANITIZE" or "none") ~= "none" and 4 or 1
M.slow = slow
--- What has not come by then does not come. It is long, for a machine may be busy with other
--- things; only tests that fail wait so long.
M.patience = 30 * slow
client.timeout = M.patience

local started = {} -- everything with :stop()
local folders = {}

--- A folder that is removed after the test, or, a lasting one, by whoever made it.
function M.folder(lasting)
  local pipe = io.popen "mktemp -d /tmp/moongate-spec.XXXXXX"
  local dir = pipe:read "*l"
  pipe:close()
  if not lasting then folders[#folders + 1] = dir end
  return dir
end

--- Ends what was started, newest first, and removes the folders.
function M.cleanup()
  local problem
  for i = #started, 1, -1 do
    local ok, err = pcall(started[i].stop, started[i])
    if not ok then problem = problem or err end
  end
  started = {}
  for _, dir in ipairs(folders) do os.execute("rm -rf " .. dir) end
  folders = {}
  if problem then error(problem, 0) end
end

function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- Content of a file, "" when there is none.
function M.read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read "*a"
  file:close()
  return text
end

--- Asks fn until it gives something true, which is returned; fails after the patience is over.
function M.wait_for(what, fn, seconds)
  local by = socket.gettime() + (seconds or M.patience)
  while true do
    local value = fn()
    if value then return value end
    if socket.gettime() > by then error("never came: " .. what, 2) end
    socket.sleep(0.01)
  end
end

M.sleep = socket.sleep
M.now = socket.gettime

-- So long, and as often: where nobody gets far in a while, they get further in many.
local STANDSTILL, ASKED = 0.4, 15

--- Asks fn until the number that it gives is over 0 and has not changed for a while, also on a
--- machine that does other things; gives that number.
function M.wait_for_standstill(what, fn)
  local last, since, asked
  return M.wait_for(what, function()
    local value, now = fn(), M.now()
    if value ~= last then last, since, asked = value, now, 0 end
    asked = asked + 1
    return value > 0 and now - since > STANDSTILL and asked > ASKED and value
  end)
end

--- Two ends of something that goes on at a word of the test: a function for the origin (or another
--- process), that waits; and one for the test, that lets it go on.
function M.gate()
  local path = M.folder() .. "/go"
  return function(c)
    while M.read(path) == "" do c:sleep(0.005) end
  end, function()
    M.write(path, "go")
  end
end

local function all_free(first, n)
  local bound, ok = {}, true
  for port = first, first + n - 1 do
    local s = socket.bind("127.0.0.1", port)
    bound[#bound + 1] = s
    ok = ok and s ~= nil
  end
  for _, s in ipairs(bound) do s:close() end
  return ok
end

--- The first of n free ports in a row, below those that the system gives to clients.
function M.free_ports(n)
  math.randomseed(process.pid() + socket.gettime() * 1000)
  return M.wait_for("free ports", function()
    local first = math.random(20000, 31000)
    return all_free(first, n) and first
  end)
end

--- A free port of 127.0.0.1, for somebody who cannot take port 0.
function M.free_port()
  return M.free_ports(1)
end

--- A port of 127.0.0.1 where nobody listens, nor can before the test is over.
function M.dead_port()
  local holder = assert(socket.tcp4())
  assert(holder:bind("127.0.0.1", 0))
  local _, port = holder:getsockname()
  started[#started + 1] = { stop = function() holder:close() end }
  return tonumber(port)
end

--- A connection, which is closed after the test: gateways need not drain it.
function M.connect(where, address)
  local c = assert(client.connect(where, address))
  started[#started + 1] = { stop = function() c:close() end }
  return c
end

--- An origin that runs handler(c, req) for each request (the default one echoes).
function M.origin(handler, options)
  local o = origin.start(handler, M.folder(), options)
  started[#started + 1] = o
  return o
end

--- A program of tests/node (support/node.lua); one that outlives a test is made by `node.start`.
function M.node(script)
  local program = node.start(script, M.folder())
  started[#started + 1] = program
  return program
end

--- A terminal that a program may write to (process.lua).
function M.terminal()
  local terminal = process.terminal()
  started[#started + 1] = terminal
  return terminal
end

local Gateway = {}
Gateway.__index = Gateway

function Gateway:stderr() return M.read(self.dir .. "/stderr") end
function Gateway:stdout() return M.read(self.dir .. "/stdout") end
function Gateway:signal(name) self.process:signal(name) end

--- Stops all threads of a gateway without supervisor, until signal CONT.
function Gateway:pause()
  self:signal "STOP"
  M.wait_for("the stop", function() return process.is_stopped(self.process.pid) end)
end

--- Exit status, or nil and why, once it has ended.
function Gateway:wait(seconds) return self.process:wait(seconds or M.patience) end

--- Ids of the engines of a supervisor (one, but for the moment of a restart).
function Gateway:engines() return process.children(self.process.pid) end

function Gateway:engine()
  return M.wait_for("an engine", function() return self:engines()[1] end)
end

local function last_ready_line(self)
  local last
  for line in self:stderr():gmatch "moongate ready: ([^\n]*)\n" do last = line end
  return last
end

--- How often a generation got ready.
function Gateway:times_ready()
  local _, n = self:stderr():gsub("moongate ready: [^\n]*\n", "")
  return n
end

--- Waits for the readiness line and learns the ports from it.
function Gateway:until_ready(times)
  M.wait_for("the readiness line", function()
    if self:times_ready() >= (times or 1) then return true end
    local status, why = self.process:wait(0)
    if why ~= "running" then
      error(("gateway ended with %s:\n%s"):format(tostring(status or why), self:stderr()), 0)
    end
  end)
  self.ready = last_ready_line(self)
  self.ports = {}
  for port in self.ready:gmatch ":(%d+)[, ]" do self.ports[#self.ports + 1] = tonumber(port) end
  self.port = self.ports[1]
  return self
end

-- What a build with sanitizers found, also at its end.
local function check_sanitizers(self)
  local text = self:stderr()
  if text:find "%u%l+Sanitizer:" or text:find "runtime error: " then error(text, 0) end
end

function Gateway:stop()
  if self.process.ended then return check_sanitizers(self) end
  local engines = self:engines()
  self:signal "TERM"
  if not self.process.ended and select(2, self.process:wait(M.patience)) == "running" then
    self.process:kill()
    for _, pid in ipairs(engines) do process.kill(pid, "KILL") end
  end
  check_sanitizers(self)
end

--- A request on a connection of its own. options: headers, method, body, host, port.
function Gateway:get(path, options)
  options = options or {}
  return client.request(options.port or self.port, path, options)
end

function Gateway:connect(port)
  return M.connect(port or self.port)
end

--- What is known of a gateway that does not do what it should: threads, and what it said last.
function Gateway:describe()
  local lines = {}
  local pids = self:engines()
  pids[#pids + 1] = self.process.pid
  for _, pid in ipairs(pids) do
    lines[#lines + 1] = ("process %d\n%s"):format(pid, process.threads(pid))
  end
  local said = self:stderr()
  return table.concat(lines) .. (said:match "moongate crash.*" or said:sub(-2000))
end

--- A request on the control socket, which has an answer.
function Gateway:control(path, options)
  local engines = table.concat(self:engines(), " ")
  local res, err = client.request(self.socket, path, options)
  if res then return res end
  error(("no answer to %s: %s (engine %s)\n%s"):format(path, err, engines, self:describe()), 0)
end

--- /status as text; with a name, that number or word of it.
function Gateway:status(name)
  local body = self:control("/status").body
  if not name then return body end
  return body:match('"' .. name .. '":"?([^,"}%]]+)')
end

--- One sample of /metrics, as a number: metric("moongate_faults_total") or with labels as printed.
function Gateway:metric(name)
  local body = self:control("/metrics").body
  for line in body:gmatch "[^\n]+" do
    local value = line:sub(1, #name + 1) == name .. " " and line:sub(#name + 2)
    if value then return tonumber(value) end
  end
end

--- Moves the clock of a gateway that was started with --test-clock.
function Gateway:advance(seconds)
  local res = self:control("/clock", { method = "POST",
    body = ('{"advance_ms":%d}'):format(seconds * 1000) })
  assert(res.status == 200, res.body)
end

--- Writes another text into the gateway's file.
function Gateway:rewrite(text)
  M.write(self.file, M.prelude .. text)
end

--- Stands before every gateway text, on its first line: mistakes are told with line + 0.
M.prelude = 'local gate = require "moongate" '

local function make(text, options)
  local self = setmetatable({ dir = M.folder() }, Gateway)
  self.file = self.dir .. "/" .. (options.name or "gateway.lua")
  self.socket = self.dir .. "/control"
  for name, content in pairs(options.files or {}) do M.write(self.dir .. "/" .. name, content) end
  if text then self:rewrite(text) end
  return self
end

--- Starts a gateway with this text and waits until it serves. options: args, env, files, name,
-- ready = false (do not wait), supervised = true, watch = true (files), stdout, stderr (paths),
-- socket = false (the default place), wrap (words before the command).
function M.gateway(text, options)
  options = options or {}
  local self = make(text, options)
  local argv = {}
  for _, word in ipairs(options.wrap or {}) do argv[#argv + 1] = word end
  argv[#argv + 1] = M.binary
  argv[#argv + 1] = "run"
  if text then argv[#argv + 1] = self.file end
  if options.socket ~= false then
    argv[#argv + 1] = "--socket"
    argv[#argv + 1] = self.socket
  end
  if not options.supervised then argv[#argv + 1] = "--foreground-engine" end
  if not options.watch then argv[#argv + 1] = "--no-watch" end
  for _, arg in ipairs(options.args or { "--workers", "1" }) do argv[#argv + 1] = arg end
  self.process = process.start(argv, { stdout = options.stdout or self.dir .. "/stdout",
    stderr = options.stderr or self.dir .. "/stderr", env = options.env })
  started[#started + 1] = self
  if options.ready == false then return self end
  return self:until_ready()
end

--- A gateway in front of one upstream "o". servers: an origin, an address, or a list of these and
-- of tables as text. options: as for `gateway`, and pieces of Lua text: listen, upstream, route
-- (what these declarations have more), more (declarations before them).
function M.proxy(servers, options)
  options = options or {}
  if type(servers) ~= "table" or servers.address then servers = { servers } end
  local list = {}
  for i, server in ipairs(servers) do
    local address = type(server) == "table" and server.address or server
    list[i] = address:find "^{" and address or ("%q"):format(address)
  end
  return M.gateway(([[
    gate.listen { "127.0.0.1:0", %s }
    %s
    gate.route { path = "/", upstream = gate.upstream("o", { servers = { %s }, %s }), %s }
  ]]):format(options.listen or "", options.more or "", table.concat(list, ", "),
    options.upstream or "", options.route or ""), options)
end

--- An address of 127.0.0.1 where connects neither succeed nor fail: nobody accepts, and the queue
-- is full.
function M.deaf_address()
  local listener = assert(socket.bind("127.0.0.1", 0, 0))
  local _, port = listener:getsockname()
  local waiting = {}
  for i = 1, 4 do
    waiting[i] = socket.tcp()
    waiting[i]:settimeout(0)
    waiting[i]:connect("127.0.0.1", port)
  end
  started[#started + 1] = {
    stop = function()
      for _, conn in ipairs(waiting) do conn:close() end
      listener:close()
    end,
  }
  return "127.0.0.1:" .. port
end

--- Words before a command that take a privilege of root from it: none when we are not root, nil
-- when it cannot be done here.
function M.without_privilege(name)
  if process.user() ~= 0 then return {} end
  local words = { "setpriv", "--bounding-set=-" .. name, "--inh-caps=-" .. name }
  return os.execute(table.concat(words, " ") .. " true 2>/dev/null") == 0 and words or nil
end

--- Runs a command of the binary to its end: { status, stdout, stderr }. options: env, seconds,
-- wrap (words before the command).
function M.run(args, options)
  options = options or {}
  local dir = M.folder()
  local argv = {}
  for _, word in ipairs(options.wrap or {}) do argv[#argv + 1] = word end
  argv[#argv + 1] = M.binary
  for _, arg in ipairs(args) do argv[#argv + 1] = arg end
  local p = process.start(argv, { stdout = dir .. "/stdout", stderr = dir .. "/stderr",
    env = options.env })
  local status, why = p:wait(options.seconds or M.patience)
  if why == "running" then
    p:kill()
    error("command did not end: " .. table.concat(args, " "), 2)
  end
  return { status = status, signal = why, stdout = M.read(dir .. "/stdout"),
    stderr = M.read(dir .. "/stderr") }
end

--- A gateway file in a folder of its own, for commands that read one.
function M.file(text, name)
  local path = M.folder() .. "/" .. (name or "gateway.lua")
  M.write(path, text)
  return path
end

return M
