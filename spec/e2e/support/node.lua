-- Programs of tests/node, run by node: clients and servers that are not ours. One that has started
-- is asked by lines of JSON (tests/node/talk.js), ends by its id, and dies with the test run.
local cjson = require "cjson"
local socket = require "socket"
local process = require "e2e.support.process"

local M = { null = cjson.null }

local FOLDER = (os.getenv "MOONGATE_ROOT" or ".") .. "/tests/node/"
local INSTALL = "no npm packages in tests/node: sh core/build/install-deps.sh test"

local slow = (os.getenv "MOONGATE_SANITIZE" or "none") ~= "none" and 4 or 1
M.patience = 60 * slow

local Node = {}
Node.__index = Node

local function read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read "*a"
  file:close()
  return text
end

--- Starts a program, e.g. "grpc_client.js"; `dir` is a folder for its input and output.
function M.start(script, dir)
  local installed = io.open(FOLDER .. "node_modules/.installed.json")
  if not installed then error(INSTALL, 2) end
  installed:close()
  local self = setmetatable({ script = script, asked = 0, answers = {}, at = 1 }, Node)
  local base = ("%s/%s.%d"):format(dir, script, socket.gettime() * 1e6)
  self.output, self.errors = base .. ".out", base .. ".err"
  assert(os.execute("mkfifo -m 600 " .. base .. ".in") == 0)
  -- For reading, too: so neither side waits for the other to open it, and it has no end.
  self.input = assert(io.open(base .. ".in", "r+"))
  self.process = process.start({ "node", FOLDER .. script },
    { stdin = base .. ".in", stdout = self.output, stderr = self.errors })
  return self
end

--- What it wrote to standard error.
function Node:stderr() return read(self.errors) end

-- Takes the answers that have come since.
local function take_answers(self)
  local file = io.open(self.output, "rb")
  if not file then return end
  file:seek("set", self.at - 1)
  local text = file:read "*a"
  file:close()
  for line in text:gmatch "([^\n]*)\n" do
    self.at = self.at + #line + 1
    local answer = cjson.decode(line)
    self.answers[answer.id] = answer
  end
end

--- Asks its handler `what` for something, with a table of options; gives the id of the question.
function Node:tell(what, with)
  self.asked = self.asked + 1
  self.input:write(cjson.encode { id = self.asked, what = what, with = with }, "\n")
  self.input:flush()
  return self.asked
end

--- Waits for the answer to a question and gives its value; an error of the handler is raised.
function Node:answer(id, seconds)
  local by = socket.gettime() + (seconds or M.patience)
  while not self.answers[id] do
    take_answers(self)
    if self.answers[id] then break end
    local status, why = self.process:wait(0)
    if why ~= "running" or socket.gettime() > by then
      error(("%s: no answer, %s\n%s"):format(self.script, tostring(status or why),
        self:stderr()), 2)
    end
    socket.sleep(0.002)
  end
  local answer = self.answers[id]
  self.answers[id] = nil
  if answer.error then error(self.script .. ": " .. answer.error, 2) end
  return answer.value
end

--- Asks and waits for the answer.
function Node:ask(what, with, seconds)
  return self:answer(self:tell(what, with), seconds)
end

function Node:stop()
  self.process:kill()
  if self.input then self.input:close() end
  self.input = nil
end

return M
