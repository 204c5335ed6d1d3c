--- Reads HTTP/1 answers strictly, as a client that trusts nobody.

local M = {}

--- Fields as { name, value } from the lines of a head without its first line.
local function fields_of(block)
  local fields = {}
  for line in block:gmatch "[^\r\n]+" do
    local name, value = line:match "^([^:]*):[ \t]*(.-)[ \t]*$"
    fields[#fields + 1] = { name = name or line, value = value or "" }
  end
  return fields
end

--- All values of a field, names without case.
function M.values(message, name)
  local found = {}
  for _, field in ipairs(message.fields) do
    if field.name:lower() == name:lower() then found[#found + 1] = field.value end
  end
  return found
end

function M.value(message, name) return table.concat(M.values(message, name), ",") end

--- A chunked body at `at`: content, where the message ends, whether it ended properly.
local function chunks(raw, at)
  local body = {}
  while true do
    local size, stop = raw:match("^(%x+)[^\r\n]*\r\n()", at)
    if not size then return table.concat(body), #raw + 1, false end
    local n = tonumber(size, 16)
    if n == 0 then
      local trailers = raw:match("^\r\n()", stop) or raw:match("\r\n\r\n()", stop)
      return table.concat(body), trailers or #raw + 1, trailers ~= nil
    end
    body[#body + 1] = raw:sub(stop, stop + n - 1)
    at = stop + n + 2
    if raw:sub(stop + n, at - 1) ~= "\r\n" then return table.concat(body), #raw + 1, false end
  end
end

local function bodiless(status) return status < 200 or status == 204 or status == 304 end

local function read_body(answer, raw, at, closed)
  local length = M.value(answer, "content-length")
  if M.value(answer, "transfer-encoding"):lower() == "chunked" then
    answer.body, at, answer.complete = chunks(raw, at)
  elseif length:match "^%d+$" then
    answer.body = raw:sub(at, at + tonumber(length) - 1)
    answer.complete = #answer.body == tonumber(length)
    at = at + tonumber(length)
  else
    answer.body, at, answer.complete = raw:sub(at), #raw + 1, closed == "eof"
  end
  return at
end

--- The answers in raw, and what is left that is none. closed: nil, "eof" or "reset". The final
--- answer number `head_at` is to a HEAD.
function M.answers(raw, closed, head_at)
  local answers, at, finals = {}, 1, 0
  while at <= #raw do
    local line, block, after = raw:match("^(HTTP/1%.[01] %d%d%d [^\r\n]*)(.-)\r\n\r\n()", at)
    if not line then return answers, raw:sub(at) end
    local answer = { status = tonumber(line:match " (%d%d%d)"), line = line, body = "" }
    answer.fields = fields_of(block)
    answer.complete, at = true, after
    answers[#answers + 1] = answer
    if answer.status == 101 then
      answer.body = raw:sub(at)
      return answers, ""
    end
    if answer.status >= 200 then finals = finals + 1 end
    if not bodiless(answer.status) and finals ~= head_at then
      at = read_body(answer, raw, at, closed)
    end
    if not answer.complete then return answers, "" end
  end
  return answers, ""
end

return M
