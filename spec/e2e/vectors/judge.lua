--- Holds the outcome of a vector against what is allowed.
---
--- allowed, one of which must hold:
---   NNN, NNN-close          the first final answer has this status (and the connection is closed)
---   close                   closed without a byte of an answer
---   100                     a 100 came
---   200-xN                  as many answers 200 as requests were sent
---   200-truncated-close     200, and the connection ended inside the body, visibly
---   upstream-status[-close] the origin's own answer came through
---   forwarded-normalised    one complete, plain request reached the origin, its answer came back
---   forwarded-verbatim      the same, method and target as they were sent
---   forwarded-with:F,...    forwarded-normalised with these fields; forwarded-without:F,...
---   forwarded-host:NAME     forwarded-normalised with this Host
---   forwarded-replaced:F    forwarded-normalised, and F is the client's address alone
--- and all of these that a vector has (one string or a list):
---   forbid_upstream, forbid_response, want_upstream, want_response   bytes, by case
---   max_upstream_requests, max_answers   counts
---   upstream_must_see_incomplete         no complete request came, and what came is cut off
---   target, body            what the origin read, if it read a request
---   expect_body             what the client read
---   policy                  no path that means /admin reaches the origin
---   closes                  true, or "reset": how the client's connection ended
---   gone_within             seconds of the gateway's clock
---   memory_below            bytes that the engine may grow by

local http = require "e2e.vectors.http"

local M = {}

local ADDRESS = "127.0.0.1"

local function list(value)
  if type(value) == "table" then return value end
  return { value }
end

local function has_origin(answer) return http.value(answer, "x-origin") ~= "" end

local function complete_requests(record)
  local n = 0
  for _, request in ipairs(record.requests) do
    if request.complete then n = n + 1 end
  end
  return n
end

--- Whether a message hangs half read on an open connection.
function M.hanging(record)
  for _, request in ipairs(record.requests) do
    if not request.complete and not request.connection.closed then return true end
  end
  return false
end

--- The only request at the origin when it is complete and plain.
local function plain_request(record)
  local request = record.requests[1]
  if #record.requests == 1 and request.complete and #request.odd == 0 then return request end
end

local function each(names, holds)
  for name in names:gmatch "[^,]+" do
    if not holds(name) then return false end
  end
  return true
end

local forwarded = {}

function forwarded.normalised() return true end

function forwarded.verbatim(request, _, vector)
  return vector.bytes:match "^%S+ %S+" == request.method .. " " .. request.target
end

forwarded["with"] = function(request, names)
  return each(names, function(name) return #http.values(request, name) > 0 end)
end

function forwarded.without(request, names)
  return each(names, function(name) return #http.values(request, name) == 0 end)
end

function forwarded.host(request, name) return http.value(request, "host"):lower() == name end

function forwarded.replaced(request, name)
  local lies = { ["x-real-ip"] = ADDRESS, ["x-forwarded-proto"] = "http" }
  for field, truth in pairs(lies) do
    local said = http.value(request, field)
    if said ~= "" and said ~= truth then return false end
  end
  return http.value(request, name) == ADDRESS
end

local function count_of(vector)
  local n = 0
  for _, part in ipairs(vector.gen) do n = n + part.count end
  return n
end

local function all_200(finals, n)
  for _, answer in ipairs(finals) do
    if answer.status ~= 200 or not answer.complete then return false end
  end
  return #finals == n
end

local whole = {
  close = function(_, outcome) return outcome.closed and outcome.size == 0 end,
  ["100"] = function(_, outcome)
    local first = outcome:answers()[1]
    return first and first.status == 100
  end,
  ["200-xN"] = function(vector, outcome) return all_200(outcome:finals(), count_of(vector)) end,
  ["200-truncated-close"] = function(_, outcome)
    local first = outcome:finals()[1]
    return first and first.status == 200 and not first.complete and outcome.closed
  end,
}

--- Whether one entry of `allowed` describes the outcome.
local function holds(token, vector, outcome, record)
  if whole[token] then return whole[token](vector, outcome, record) end
  local finals = outcome:finals()
  local first = finals[1]
  if not first or not first.complete then return false end
  local closed = outcome.closed and #finals == 1
  local status, close = token:match "^(%d%d%d)(.*)$"
  if status then return first.status == tonumber(status) and (close == "" or closed) end
  if not has_origin(first) and vector.proto ~= "h1-upstream" then return false end
  if token == "upstream-status" then return true end
  if token == "upstream-status-close" then return closed end
  local kind, what = token:match "^forwarded%-(%a+):?(.*)$"
  local request = plain_request(record)
  return request ~= nil and assert(forwarded[kind], token)(request, what, vector)
end

--- The entry of `allowed` that holds, or nil.
function M.allowed(vector, outcome, record)
  for _, token in ipairs(vector.allowed) do
    if holds(token, vector, outcome, record) then return token end
  end
  return nil
end

--- Whether a path is /admin or below when unreserved escapes, dots and empty segments are resolved.
local function means_admin(path)
  local segments = {}
  path = path:gsub("%%(%x%x)", function(hex)
    local char = string.char(tonumber(hex, 16))
    return char:match "[%w._~-]"
  end)
  for segment in path:gmatch "[^/]+" do
    if segment == ".." then
      table.remove(segments)
    elseif segment ~= "." then
      segments[#segments + 1] = segment
    end
  end
  return segments[1] == "admin"
end

local checks = {}

local function occurs(bytes, pieces)
  for _, piece in ipairs(pieces) do
    if piece:find(bytes, 1, true) then return true end
  end
  return false
end

local function raw_of(record)
  local all = {}
  for _, pieces in pairs(record.bytes) do all[#all + 1] = table.concat(pieces) end
  return all
end

local function bytes_check(name, wanted, side)
  checks[name] = function(value, outcome, record)
    local pieces = side == "upstream" and raw_of(record) or { outcome:raw() }
    for _, bytes in ipairs(list(value)) do
      if occurs(bytes, pieces) ~= wanted then
        return ("%s %q: %s"):format(name, bytes, wanted and "missing" or "occurs")
      end
    end
  end
end

bytes_check("forbid_upstream", false, "upstream")
bytes_check("forbid_response", false, "client")
bytes_check("want_upstream", true, "upstream")
bytes_check("want_response", true, "client")

function checks.max_upstream_requests(max, _, record)
  local n = complete_requests(record)
  if n > max then return ("%d requests at the origin"):format(n) end
  if max == 0 and #record.requests > 0 then return "bytes of the request reached the origin" end
end

function checks.max_answers(max, outcome)
  if #outcome:finals() > max then return #outcome:finals() .. " answers" end
end

function checks.upstream_must_see_incomplete(_, _, record)
  if complete_requests(record) > 0 then return "a complete request reached the origin" end
  if M.hanging(record) then return "an incomplete request was left on an open connection" end
end

function checks.target(target, _, record)
  local request = record.requests[1]
  if request and request.target ~= target then return "target " .. request.target end
end

function checks.body(body, _, record)
  local request = record.requests[1]
  if request and request.body ~= body then return ("the origin read %q"):format(request.body) end
end

function checks.expect_body(body, outcome)
  local first = outcome:finals()[1]
  if first and first.status == 200 and first.body ~= body then
    return ("the client read %q"):format(first.body)
  end
end

function checks.policy(_, _, record)
  for _, request in ipairs(record.requests) do
    if means_admin(request.target:gsub("%?.*", "")) then return "/admin reached the origin" end
  end
end

function checks.closes(how, outcome)
  if not outcome.closed or how == "reset" and outcome.closed ~= how then
    return "the connection: " .. (outcome.closed or "open")
  end
end

function checks.gone_within(seconds, outcome)
  if outcome.clock > seconds then return ("gone after %d s"):format(outcome.clock) end
end

function checks.memory_below(bytes, outcome)
  if outcome.growth > bytes then return ("memory grew by %d bytes"):format(outcome.growth) end
end

--- What an error page of the gateway's own must have.
local function own_error(vector, outcome)
  local first = outcome:finals()[1]
  local id = first and http.value(first, "x-request-id")
  if not first or first.status < 400 or id == "" or not first.complete then return nil end
  if outcome.head_at ~= 1 and not first.body:find(id, 1, true) then
    return "an error page without the request's id"
  end
  local old = vector.bytes:match "^[^\r]* HTTP/1%.0\r"
  if outcome.closed and not old and not http.value(first, "connection"):find "close" then
    return "an error answer before a close lacks Connection: close"
  end
end

--- What is wrong with an outcome: a list of texts, empty when all is well.
function M.faults(vector, outcome, record)
  local faults = {}
  if not M.allowed(vector, outcome, record) then
    faults[1] = "not one of " .. table.concat(vector.allowed, ", ")
  end
  for name, check in pairs(checks) do
    if vector[name] ~= nil then faults[#faults + 1] = check(vector[name], outcome, record) end
  end
  faults[#faults + 1] = own_error(vector, outcome)
  local _, rest = outcome:answers()
  if rest and rest ~= "" then faults[#faults + 1] = ("no answer: %q"):format(rest:sub(1, 60)) end
  return faults
end

--- An outcome in one line, for the report.
function M.describe(outcome, record)
  local seen = {}
  for _, request in ipairs(record.requests) do
    seen[#seen + 1] = ("%s %s%s%s"):format(request.method, request.target:sub(1, 60),
      request.complete and "" or " (incomplete)", table.concat(request.odd, "; "))
  end
  return ("got %q%s, origin saw %s"):format(outcome:raw():sub(1, 300),
    outcome.closed and " closed (" .. outcome.closed .. ")" or ", open",
    #seen > 0 and table.concat(seen, "; ") or "nothing")
end

return M
