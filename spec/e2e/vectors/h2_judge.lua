--- Plays HTTP/2 vectors and holds the outcome against what is allowed.
---
--- allowed, one of which must hold:
---   NNN                     the first final answer has this status
---   rst[:CODE], goaway[:CODE]   such a frame came
---   close                   the connection was closed
---   memory-bounded          the engine grew by less than 32 MiB
---   forwarded-normalised    one complete, plain request reached the origin, its answer came back
--- and all of these that a vector has:
---   max_upstream_requests, max_own_resets    counts; the second without REFUSED_STREAM
---   forbid_upstream, want_upstream           bytes
---   upstream_must_see_incomplete             no complete request came, and what came is cut off
---   body                                     what the origin read

local h2 = require "e2e.vectors.h2"
local judge = require "e2e.vectors.judge"
local loop = require "e2e.vectors.loop"
local play = require "e2e.vectors.play"

local M = {}

local QUIET, PATIENCE = 0.02, 30

local function memory(gateway)
  local statm = io.open("/proc/" .. gateway:engine() .. "/statm")
  local pages = statm:read("*a"):match "^%d+ (%d+)"
  statm:close()
  return tonumber(pages) * 4096
end

--- The first final status on any stream, lowest id first.
local function first_status(seen)
  local ids = {}
  for id in pairs(seen.streams) do ids[#ids + 1] = id end
  table.sort(ids)
  for _, id in ipairs(ids) do
    for _, status in ipairs(seen.streams[id].statuses) do
      if status >= 200 then return status, seen.streams[id] end
    end
  end
  return nil
end

local function has(codes, code)
  if not code then return codes[1] ~= nil end
  for _, name in ipairs(codes) do
    if name == code then return true end
  end
  return false
end

local function plain(record)
  local request = record.requests[1]
  return #record.requests == 1 and request.complete and #request.odd == 0
end

local function holds(token, outcome, record)
  local seen = outcome.seen
  local kind, code = token:match "^(%a+):?([%u_%d]*)$"
  if kind == "rst" then return has(seen.resets, code ~= "" and code or nil) end
  if kind == "goaway" then return has(seen.goaways, code ~= "" and code or nil) end
  if token == "close" then return outcome.closed ~= nil end
  if token == "memory-bounded" then return outcome.growth < 32 * 2 ^ 20 end
  local status, stream = first_status(seen)
  if token == "forwarded-normalised" then
    return status == 200 and stream.ended and plain(record)
  end
  return status == tonumber(token)
end

local function allowed(vector, outcome, record)
  for _, token in ipairs(vector.allowed) do
    if holds(token, outcome, record) then return token end
  end
  return nil
end

local checks = {}

function checks.max_upstream_requests(max, _, record)
  if #record.requests > max then return #record.requests .. " requests at the origin" end
end

function checks.max_own_resets(max, outcome)
  local n = 0
  for _, code in ipairs(outcome.seen.resets) do
    if code ~= "REFUSED_STREAM" then n = n + 1 end
  end
  if n > max then return n .. " resets" end
end

local function upstream_has(record, bytes)
  for _, pieces in pairs(record.bytes) do
    if table.concat(pieces):lower():find(bytes:lower(), 1, true) then return true end
  end
  return false
end

function checks.forbid_upstream(bytes, _, record)
  if upstream_has(record, bytes) then return ("%q occurs upstream"):format(bytes) end
end

function checks.want_upstream(bytes, _, record)
  if not upstream_has(record, bytes) then return ("%q is missing upstream"):format(bytes) end
end

function checks.upstream_must_see_incomplete(_, _, record)
  for _, request in ipairs(record.requests) do
    if request.complete then return "a complete request reached the origin" end
  end
  if judge.hanging(record) then return "an incomplete request was left on an open connection" end
end

function checks.body(body, _, record)
  local read = record.requests[1].body
  if read ~= body then return ("the origin read %q"):format(read) end
end

--- A condition that holds when an allowed outcome stands still.
local function settled(vector, state, record)
  local last, since = nil, 0
  return function()
    local sign = state.size .. tostring(state.closed) .. tostring(state.sent) .. #record.requests
    if sign ~= last then last, since = sign, loop.now() end
    if loop.now() - since < QUIET then return false end
    state.seen = h2.read(table.concat(state.pieces))
    return allowed(vector, state, record) ~= nil and not judge.hanging(record)
  end
end

--- Plays one vector; what is wrong with its outcome, a list of texts.
function M.faults(gateway, origin, vector, piece)
  local record = origin:record {}
  local state = { pieces = {}, size = 0, seen = h2.read "", growth = 0 }
  local before = memory(gateway)
  local sock = loop.connect(gateway.port, vector.no_read and 4096)
  loop.spawn(function()
    loop.send(sock, vector.bytes, piece)
    state.sent = true
  end)
  if vector.no_read then
    loop.run(function() return false end, 0.3)
    state.growth = memory(gateway) - before
  end
  loop.spawn(loop.receive_all, sock, state)
  loop.run(settled(vector, state, record), PATIENCE)
  loop.forget(sock)
  sock:close()
  loop.run(function() return not judge.hanging(record) end, PATIENCE)
  play.rest(gateway)
  local faults = {}
  if not allowed(vector, state, record) then
    faults[1] = "not one of " .. table.concat(vector.allowed, ", ")
  end
  for name, check in pairs(checks) do
    if vector[name] ~= nil then faults[#faults + 1] = check(vector[name], state, record) end
  end
  if faults[1] then
    local form = "got status %s, resets %s, goaways %s, %s; origin saw %d requests"
    local resets = table.concat(state.seen.resets, " "):sub(1, 200)
    faults[#faults + 1] = form:format(tostring((first_status(state.seen))), resets,
      table.concat(state.seen.goaways, " "), state.closed or "open", #record.requests)
  end
  return faults
end

local controls = 0

--- An ordinary request on a fresh connection. nil, or what is wrong with its answer.
function M.control(gateway, origin)
  controls = controls + 1
  local name = "q" .. controls
  local faults = M.faults(gateway, origin, {
    allowed = { "forwarded-normalised" },
    bytes = h2.open(h2.frame(h2.HEADERS, h2.END + h2.WHOLE, 1,
      h2.request { [":path"] = "/probe/" .. name })),
  })
  return faults[1] and "control request: " .. table.concat(faults, "; ") or nil
end

return M
