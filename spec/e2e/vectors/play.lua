--- Plays a vector: sends its bytes, collects what came back, until there is no more to see.

local http = require "e2e.vectors.http"
local judge = require "e2e.vectors.judge"
local loop = require "e2e.vectors.loop"

local M = {}

-- An outcome counts when nothing has changed for so long.
local QUIET = 0.015
-- What has not come by then does not come.
local PATIENCE = 30
-- Bodies above this size go in segments of 1 kB when every byte should have its own.
local MANY_BYTES = 20000

local PLAIN_GET = "GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n"

--- The bytes of a vector with its generated parts.
function M.bytes(vector)
  local bytes = vector.bytes
  for _, part in ipairs(vector.gen or {}) do
    local unit, plain = part.unit:rep(part.count), part.token:gsub("%p", "%%%0")
    bytes = bytes:gsub(plain, function() return unit end)
  end
  return bytes
end

local function piece_of(bytes, split)
  if not split then return nil end
  return #bytes > MANY_BYTES and 1024 or 1
end

local Outcome = {}
Outcome.__index = Outcome

--- Interim and final answers, read anew only when something came.
function Outcome:answers()
  local raw = #self.pieces == 1 and self.pieces[1] or table.concat(self.pieces)
  self.pieces = { raw }
  if self.read_at ~= #raw or self.read_closed ~= self.closed then
    self.parsed, self.rest = http.answers(raw, self.closed, self.head_at)
    self.read_at, self.read_closed = #raw, self.closed
  end
  return self.parsed, self.rest
end

function Outcome:raw()
  self:answers()
  return self.pieces[1] or ""
end

function Outcome:finals()
  local finals = {}
  for _, answer in ipairs((self:answers())) do
    if answer.status == 101 or answer.status >= 200 then finals[#finals + 1] = answer end
  end
  return finals
end

local function outcome_of(bytes, head_at)
  head_at = head_at or (bytes:match "^HEAD " and 1)
  return setmetatable({ pieces = {}, size = 0, head_at = head_at }, Outcome)
end

local function write_task(sock, bytes, piece, half_close, outcome)
  loop.send(sock, bytes, piece)
  if half_close then sock:shutdown "send" end
  outcome.sent = true
end

--- Waits until nothing is under way any more in the gateway, and the origin has all of it: none of
--- it may be taken for a part of what comes next.
function M.rest(gateway)
  loop.run(function() return gateway:status "requests_active" == "0" end, PATIENCE)
  loop.exhaust()
end

--- Something that is another when anything has moved.
local function signature(outcome, record)
  local size, complete = 0, 0
  for _, pieces in pairs(record.bytes) do
    for _, piece in ipairs(pieces) do size = size + #piece end
  end
  for _, request in ipairs(record.requests) do
    if request.complete then complete = complete + 1 end
    if request.connection.closed then complete = complete + 1000 end
  end
  return ("%d %s %s %d %d"):format(outcome.size, tostring(outcome.closed), tostring(outcome.sent),
    size, complete)
end

--- A condition that holds when an allowed outcome stands still.
local function settled(vector, outcome, record)
  local last, since, judged = nil, 0, nil
  return function()
    local now, sign = loop.now(), signature(outcome, record)
    if sign ~= last then last, since = sign, now end
    -- To a closed connection nothing more comes; what came to the origin late, the control sees.
    local quiet = outcome.closed and not vector.upstream_must_see_incomplete and 0 or QUIET
    if now - since < quiet or judged == sign then return false end
    judged = sign
    local held = judge.allowed(vector, outcome, record)
    if held == "100" then return true end
    return held ~= nil and not judge.hanging(record)
      and #judge.faults(vector, outcome, record) == 0
  end
end

--- Moves the gateway's clock. What came due is done before its only worker answers again.
function M.advance(gateway, seconds)
  gateway:advance(seconds)
  assert(gateway:get("/alive").status == 200)
end

--- Resident memory of the engine, in bytes.
local function memory(gateway)
  local statm = io.open("/proc/" .. gateway:engine() .. "/statm")
  local pages = statm:read("*a"):match "^%d+ (%d+)"
  statm:close()
  return tonumber(pages) * 4096
end

--- The slow client of `pace`: so many bytes, then the clock moves. A whole head goes at once.
local function paced(gateway, sock, bytes, pace, outcome)
  local at, whole = 1, pace.whole or bytes:match "\r\n\r\n$"
  local function send(piece)
    loop.spawn(loop.send, sock, piece)
    loop.run(function() return outcome.closed end, 0.03)
  end
  if whole then send(bytes) end
  outcome.clock = 0
  while not outcome.closed and outcome.clock < (pace.limit or 100) do
    local piece = not whole and bytes:sub(at, at + pace.bytes - 1)
    at = at + pace.bytes
    if not piece or piece == "" then piece = ("x"):rep(pace.bytes) end
    if pace.bytes > 0 then send(piece) end
    if not outcome.closed then
      M.advance(gateway, pace.every_s)
      outcome.clock = outcome.clock + pace.every_s
      loop.run(function() return outcome.closed end, QUIET)
    end
  end
end

--- A client that reads nothing while the clock moves; then it looks what it has got.
local function stalled(gateway, sock, vector, outcome, bytes)
  local before = memory(gateway)
  loop.spawn(write_task, sock, bytes, nil, false, outcome)
  loop.run(function() return false end, 0.3)
  outcome.growth = memory(gateway) - before
  outcome.clock = 0
  while outcome.clock < vector.no_read do
    M.advance(gateway, 5)
    outcome.clock = outcome.clock + 5
    loop.run(function() return false end, 0.03)
  end
  loop.spawn(loop.receive_all, sock, outcome)
  loop.run(function() return outcome.closed end, vector.closes and PATIENCE or 2)
end

--- The request that draws the answers of an upstream vector, or the vector's own bytes.
local function client_bytes(vector)
  if vector.proto == "h1-upstream" then return vector.client_request or PLAIN_GET end
  return M.bytes(vector)
end

local function record_of(vector, split)
  if vector.proto ~= "h1-upstream" then return {} end
  local script = M.bytes(vector)
  return {
    script = script, closes = vector.upstream_closes, early = vector.early, late = vector.late,
    piece = piece_of(script, split),
  }
end

--- Plays one vector; the outcome and the origin's record.
function M.vector(gateway, origin, vector, split)
  local record = origin:record(record_of(vector, split))
  local bytes = client_bytes(vector)
  local outcome = outcome_of(bytes, vector.head_at)
  local sock = loop.connect(gateway.port, vector.no_read and 4096)
  if vector.no_read then
    stalled(gateway, sock, vector, outcome, bytes)
  else
    loop.spawn(loop.receive_all, sock, outcome)
  end
  if vector.pace then
    paced(gateway, sock, bytes, vector.pace, outcome)
  elseif not vector.no_read then
    loop.spawn(write_task, sock, bytes, piece_of(bytes, split), vector.half_close, outcome)
    loop.run(settled(vector, outcome, record), PATIENCE)
  end
  loop.forget(sock)
  sock:close()
  if vector.late then loop.run(function() return false end, 0.03) end
  loop.run(function() return not judge.hanging(record) end, PATIENCE)
  M.rest(gateway)
  return outcome, record
end

local controls = 0

--- An ordinary request on a fresh connection. nil, or what is wrong with its answer.
function M.control(gateway, origin)
  local record = origin:record {}
  controls = controls + 1
  local name = ("p%d"):format(controls)
  local bytes = ("GET /probe/%s HTTP/1.1\r\nHost: example.test\r\n\r\n"):format(name)
  local outcome = outcome_of(bytes)
  local sock = loop.connect(gateway.port)
  loop.spawn(loop.receive_all, sock, outcome)
  loop.spawn(write_task, sock, bytes, nil, false, outcome)
  loop.run(function()
    local first = outcome:finals()[1]
    return outcome.closed or first and first.complete
  end, PATIENCE)
  loop.forget(sock)
  sock:close()
  local answer = outcome:finals()[1]
  if not answer or answer.status ~= 200 or answer.body ~= name then
    return ("control request: %q"):format(outcome:raw())
  end
  if #record.requests ~= 1 or record.requests[1].odd[1] then
    return "control request: it reached the origin in another shape"
  end
  return nil
end

--- A clean request for the target of a vector that tried to plant something.
function M.clean_answer(gateway, origin, vector)
  origin:record {}
  local target = vector.bytes:match "^%S+ (%S+)"
  local bytes = ("GET %s HTTP/1.1\r\nHost: example.test\r\n\r\n"):format(target)
  local outcome = outcome_of(bytes)
  local sock = loop.connect(gateway.port)
  loop.spawn(loop.receive_all, sock, outcome)
  loop.spawn(write_task, sock, bytes, nil, false, outcome)
  loop.run(function() return outcome:finals()[1] end, PATIENCE)
  loop.forget(sock)
  sock:close()
  return outcome:raw()
end

return M
