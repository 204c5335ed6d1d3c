-- The statuses that the gateway gives by itself: each with a small body, the request's id, and a
-- prompt close where the connection is done. covers: flow/fault.c exchange/fault.c
local t = require "e2e.support"

local GATEWAY = [[
  gate.listen { "127.0.0.1:0" }
  gate.limits { header_bytes = "2k", target_bytes = 200 }
  gate.on.fault(function(_, fault) gate.log.info("fault " .. fault.code) end)
  gate.upstream("refusing", { servers = { "127.0.0.1:%d" } })
  gate.upstream("down", { servers = { { "127.0.0.1:1", down = true } } })
  gate.upstream("nameless", { servers = { "no-such-name.invalid:80" } })
  local origin = { "127.0.0.1:%d" }
  gate.upstream("o", { servers = origin })
  gate.upstream("silent", { servers = origin, timeouts = { first_byte = 0.2 } })
  gate.route { path = "/get", methods = { "GET" }, reply = { 200, "ok" } }
  gate.route { path = "/small", max_body = 5, upstream = "o" }
  gate.route { path = "/refused", upstream = "refusing" }
  gate.route { path = "/down", upstream = "down" }
  gate.route { path = "/nameless", upstream = "nameless" }
  gate.route { path = "/o/*rest", upstream = "o" }
  gate.route { path = "/o/silent", upstream = "silent" }
  gate.route { path = "/raise", handler = function() error("inside") end }
  gate.route { path = "/loop", handler = function() while true do end end }
]]

local H = "Host: a\r\n"
local CLOSES, STAYS = true, false

-- Bytes, status, whether the connection ends, fault code (of those that have one).
local cases = {
  { "GET / HTTP/1.1\r\n\r\n", 400, CLOSES },
  { "GET /\1 HTTP/1.1\r\n" .. H .. "\r\n", 400, CLOSES },
  { "POST /get HTTP/1.1\r\n" .. H .. "Content-Length: x\r\n\r\n", 400, CLOSES },
  { "POST /o/ HTTP/1.1\r\n" .. H .. "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, CLOSES },
  { "GET /none HTTP/1.1\r\n" .. H .. "\r\n", 404, STAYS, "no_route" },
  { "PUT /get HTTP/1.1\r\n" .. H .. "\r\n", 405, STAYS, "method_not_allowed" },
  { "CONNECT a:1 HTTP/1.1\r\n" .. H .. "\r\n", 405, CLOSES },
  { "TRACE / HTTP/1.1\r\n" .. H .. "\r\n", 405, CLOSES },
  { "POST /small HTTP/1.1\r\n" .. H .. "Content-Length: 6\r\n\r\nabcdef", 413, CLOSES,
    "too_large" },
  { "GET /" .. ("a"):rep(300) .. " HTTP/1.1\r\n" .. H .. "\r\n", 414, CLOSES },
  { "GET /get HTTP/1.1\r\n" .. H .. "Expect: x\r\n\r\n", 417, CLOSES },
  { "GET /get HTTP/1.1\r\n" .. H .. "X: " .. ("a"):rep(3000) .. "\r\n\r\n", 431, CLOSES },
  { "GET /raise HTTP/1.1\r\n" .. H .. "\r\n", 500, STAYS, "script_error" },
  { "FOO /get HTTP/1.1\r\n" .. H .. "\r\n", 501, CLOSES },
  { "POST /o/ HTTP/1.1\r\n" .. H .. "Transfer-Encoding: gzip\r\n\r\n", 501, CLOSES },
  { "POST /o/ HTTP/1.1\r\n" .. H .. "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501,
    CLOSES },
  { "POST /o/ HTTP/1.1\r\n" .. H .. "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400,
    CLOSES },
  { "GET /refused HTTP/1.1\r\n" .. H .. "\r\n", 502, STAYS, "connect" },
  { "GET /nameless HTTP/1.1\r\n" .. H .. "\r\n", 502, STAYS, "resolve" },
  { "GET /o/reset HTTP/1.1\r\n" .. H .. "\r\n", 502, STAYS, "reset" },
  { "GET /o/junk HTTP/1.1\r\n" .. H .. "\r\n", 502, STAYS, "protocol" },
  { "GET /down HTTP/1.1\r\n" .. H .. "\r\n", 503, STAYS, "no_peer" },
  { "GET /loop HTTP/1.1\r\n" .. H .. "\r\n", 503, STAYS, "script_killed" },
  { "GET /o/silent HTTP/1.1\r\n" .. H .. "\r\n", 504, STAYS, "first_byte_timeout" },
  { "GET /get HTTP/2.0\r\n" .. H .. "\r\n", 505, CLOSES },
}

local function origin()
  return t.origin(function(c, req)
    if req.target == "/o/reset" then
      c:reset()
    elseif req.target == "/o/junk" then
      c:send "SSH-2.0-x\r\n\r\n"
    else
      c:receive(1)
    end
  end)
end

describe("statuses of the gateway's own", function()
  after_each(t.cleanup)

  it("have a small body with the request's id, and close where the connection is done", function()
    local g = t.gateway(GATEWAY:format(t.dead_port(), origin().port))
    local seen = {}
    for _, case in ipairs(cases) do
      local bytes, status, closes, code = unpack(case, 1, 4)
      local name = bytes:match "^[^\r]*":sub(1, 60)
      local before = #g:stderr()
      local c = g:connect()
      c:send(bytes)
      local res = assert(c:receive_response(), name)
      assert.equal(status, res.status, name)
      local id = assert(res.headers["x-request-id"], name)
      assert.is_nil(seen[id], name)
      seen[id] = true
      assert.matches("text/plain", res.headers["content-type"], 1, true)
      assert.matches(("^%d [%%a -]+\nrequest id: %s\n$"):format(status, id), res.body)
      assert.equal(closes and "close" or nil, res.headers.connection, name)
      if closes then
        assert.equal("end", c:how_it_ends(), name)
      else
        c:send("GET /get HTTP/1.1\r\n" .. H .. "\r\n")
        assert.equal("ok", c:receive_response().body, name)
      end
      if code then
        t.wait_for("fault " .. code, function()
          return g:stderr():sub(before + 1):find("fault " .. code, 1, true)
        end)
      end
    end
  end)

  it("say Allow with 405, and Retry-After with 503", function()
    local g = t.gateway(GATEWAY:format(t.dead_port(), 1))
    assert.equal("GET, HEAD", g:get("/get", { method = "PUT" }).headers.allow)
    assert.matches("GET, HEAD, POST", g:get("/get", { method = "TRACE" }).headers.allow)
    assert.equal("1", g:get("/down").headers["retry-after"])
  end)

  it("are in the access log, with why", function()
    local g = t.gateway('gate.process { access_format = "json" }' ..
      GATEWAY:format(t.dead_port(), origin().port))
    for _, case in ipairs(cases) do
      local c = g:connect()
      c:send(case[1])
      c:receive_response()
      c:close()
    end
    t.wait_for("the lines", function() return select(2, g:stdout():gsub("\n", "")) == #cases end)
    local lines = {}
    for line in g:stdout():gmatch "[^\n]+" do lines[#lines + 1] = line end
    for i, case in ipairs(cases) do
      assert.matches('"status":' .. case[2], lines[i], 1, true)
      assert.matches('"fault":"' .. (case[4] or "bad_request"), lines[i], 1, true)
      assert.matches('"why":"%a', lines[i])
    end
  end)
end)
