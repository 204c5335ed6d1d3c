-- Hooks on bodies: what they may return, framing, order, waiting, codings, failures.
-- covers: flow/hook_filter.c script/ffi_piece.c
local t = require "e2e.support"

local function gateway(text, handler, options)
  local o = t.origin(handler or function(c, req) c:reply(200, req.body or "") end)
  local g = t.gateway([[
    gate.listen { "127.0.0.1:0" }
    local up = gate.upstream("o", { servers = { "]] .. o.address .. [[" } })
    gate.route { path = "/", upstream = up }
  ]] .. text, options)
  return g, o
end

local function post(g, body, headers)
  return g:get("/", { method = "POST", body = body, headers = headers })
end

local function gzip(text)
  local dir = t.folder()
  t.write(dir .. "/plain", text)
  os.execute("gzip -nk " .. dir .. "/plain")
  return t.read(dir .. "/plain.gz")
end

describe("request_body hooks", function()
  after_each(t.cleanup)

  it("change what goes up, and the framing with it", function()
    local g, o = gateway [[
      gate.on.request_body(function(req, chunk, last)
        return chunk:upper() .. (last and "!" or "")
      end)
    ]]
    local res = post(g, "hello", { ["Content-MD5"] = "x", Digest = "y" })
    assert.equal("HELLO!", res.body)
    local head = o:requests()[1].headers
    assert.equal("chunked", head["transfer-encoding"])
    assert.is_nil(head["content-length"])
    assert.is_nil(head["content-md5"])
    assert.is_nil(head.digest)
  end)

  it("cannot set the body that they see, which goes up whole", function()
    local g = gateway [[
      gate.on.request_body(function(req, chunk, last)
        local ok, why = pcall(function() req:set_body("new") end)
        req.ctx.why = tostring(ok) .. " " .. tostring(why)
      end)
      gate.on.response(function(req, res) res.headers["x-why"] = req.ctx.why end)
    ]]
    local body = ("0123456789"):rep(20000)
    local res = post(g, body)
    assert.is_true(res.body == body)
    assert.is_truthy(res.headers["x-why"]:find "^false gateway.lua:%d+: it is too late: the body")
  end)

  it("say in the log when their reply comes behind the head of an answer", function()
    local wait, go = t.gate()
    local o = t.origin(function(c)
      c:send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nea")
      wait(c)
      c:send("rly")
    end, { head_only = true })
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", upstream = gate.upstream("o", { servers = { "%s" } }) }
      gate.on.request_body(function(req, chunk, last)
        if not last then return end
        while not gate.shared("s"):get("go") do gate.sleep(0.005) end
        return gate.reply(400, "late")
      end)
      gate.shared("s", { bytes = "1m" })
      gate.route { path = "/go", handler = function()
        gate.shared("s"):set("go", true)
        return gate.reply(200)
      end }
    ]]):format(o.address))
    local c = g:connect()
    c:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
    local res = c:receive_head()
    assert.is_truthy(res.first:find " 200 ")
    assert.equal(200, g:get("/go").status)
    t.wait_for("the line", function() return g:stderr():find "request_body hook came too late" end)
    go()
    assert.equal("early", c:receive_body(res, "POST").body)
  end)

  it("see every byte of a large body in pieces, the last one once", function()
    local g = gateway [[
      gate.on.request_body(function(req, chunk, last)
        local c = req.ctx
        c.n, c.calls = (c.n or 0) + #chunk, (c.calls or 0) + 1
        c.lasts = (c.lasts or 0) + (last and 1 or 0)
        c.most = math.max(c.most or 0, #chunk)
        return ""
      end)
      gate.on.response(function(req, res)
        local c = req.ctx
        local bounded = c.calls > 10 and c.most <= 65536
        res.headers["x-seen"] = c.n .. " " .. c.lasts .. " " .. tostring(bounded)
      end)
    ]]
    local res = post(g, ("0123456789"):rep(200000))
    assert.equal("2000000 1 true", res.headers["x-seen"])
    assert.equal("", res.body)
  end)

  it("pass a piece on when they return nothing, and each gets what the one before made", function()
    local g = gateway [[
      gate.on.request_body(function(req, chunk) end)
      gate.on.request_body(function(req, chunk) return chunk:gsub("a", "b") .. "" end)
      gate.on.request_body(function(req, chunk) return chunk .. chunk end)
    ]]
    assert.equal("bcbc", post(g, "ac").body)
  end)

  it("may wait, and nothing is lost or out of order", function()
    local g = gateway [[
      gate.on.request_body(function(req, chunk, last)
        gate.sleep(0.001)
        return chunk
      end)
    ]]
    local body = {}
    for i = 1, 40000 do body[i] = ("%06d"):format(i) end
    body = table.concat(body)
    assert.is_true(post(g, body).body == body)
  end)

  it("may answer while nothing of an answer went out", function()
    local g, o = gateway [[
      gate.on.response(function(req, res) res.headers["x-from"] = res.from end)
      gate.on.request_body(function(req, chunk)
        if chunk:find "evil" then return gate.reply(403, "no evil\n") end
      end)
      gate.on.response(function(req, res) res.headers["x-behind"] = "yes" end)
    ]]
    local res = post(g, "some evil here")
    assert.equal(403, res.status)
    assert.equal("no evil\n", res.body)
    assert.equal("reply", res.headers["x-from"])
    assert.is_nil(res.headers["x-behind"])
    assert.equal("good", post(g, "good").body)
    for _, req in ipairs(o:requests()) do assert.is_nil(req.body and req.body:find "evil") end
  end)

  it("are not called for requests without a body", function()
    local g = gateway [[
      gate.on.request_body(function(req) return gate.reply(500, "called") end)
    ]]
    assert.equal(200, g:get("/").status)
  end)

  it("get plain bytes with decode, whatever the client sent", function()
    local g, o = gateway [[
      gate.use { decode = true, request_body = function(req, chunk, last)
        return chunk:upper()
      end }
    ]]
    local res = post(g, gzip "hello", { ["Content-Encoding"] = "gzip" })
    assert.equal("HELLO", res.body)
    assert.is_nil(o:requests()[1].headers["content-encoding"])
    assert.equal(415, post(g, "x", { ["Content-Encoding"] = "zstd" }).status)
    assert.equal(400, post(g, "this is no gzip", { ["Content-Encoding"] = "gzip" }).status)
    assert.equal(400, post(g, gzip("hello"):sub(1, -5), { ["Content-Encoding"] = "gzip" }).status)
  end)

  it("are not fooled by a body that expands without end", function()
    local g = gateway [[
      gate.use { decode = true, request_body = function(req, chunk) return "" end }
    ]]
    local res = post(g, gzip(("\0"):rep(20000000)), { ["Content-Encoding"] = "gzip" })
    assert.equal(413, res.status)
  end)

  it("answer 500 when they fail, and the upstream sees an incomplete message", function()
    local g, o = gateway([[
      gate.on.request_body(function(req, chunk)
        if req.path == "/bad" then error "oops" end
      end)
    ]])
    assert.equal(500, g:get("/bad", { method = "POST", body = "x" }).status)
    assert.equal("y", post(g, "y").body)
    for _, req in ipairs(o:requests()) do assert.not_equal("/bad", req.target) end
  end)

  it("go on as if they had returned nothing where on_error says so", function()
    local g = gateway [[
      gate.use { request_body = function(req, chunk) return chunk .. "1" end }
      gate.use { on_error = "open", request_body = function(req, chunk) error "oops" end }
      gate.use { request_body = function(req, chunk) return chunk .. "2" end }
    ]]
    assert.equal("x12", post(g, "x").body)
  end)

  it("are stopped like all others, at the cost of their own request", function()
    local g = gateway [[
      gate.use { cpu = "20ms", request_body = function(req, chunk)
        while req.path == "/loop" do end
      end }
    ]]
    assert.equal(503, g:get("/loop", { method = "POST", body = "x" }).status)
    assert.equal("y", post(g, "y").body)
  end)

  it("pass a body once, also when the first server cannot be reached", function()
    local dead = t.dead_port()
    local o = t.origin(function(c, req) c:reply(200, req.body) end)
    local g = t.gateway([[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", upstream = gate.upstream("o", {
        servers = { "127.0.0.1:]] .. dead .. [[", "]] .. o.address .. [[" } }) }
      gate.on.request_body(function(req, chunk)
        if chunk == "" then return end
        req.ctx.calls = (req.ctx.calls or 0) + 1
        return chunk .. req.ctx.calls
      end)
    ]])
    for _ = 1, 4 do assert.equal("x1", post(g, "x").body) end
  end)

  it("see what set_body set", function()
    local g = gateway [[
      gate.on.request(function(req) req:set_body("new") end)
      gate.on.request_body(function(req, chunk) return "<" .. chunk .. ">" end)
    ]]
    assert.equal("<new>", post(g, "old").body)
  end)
end)

describe("body hooks", function()
  after_each(t.cleanup)

  local UPPER = [[
    gate.on.body(function(req, res, chunk, last) return chunk:upper() .. (last and "." or "") end)
  ]]

  it("change what comes down; length and digests go, the ETag turns weak", function()
    local g = gateway(UPPER, function(c)
      c:reply(200, "hello", { ETag = '"v1"', Digest = "sha-256=x", ["Content-MD5"] = "y" })
    end)
    local res = g:get("/")
    assert.equal("HELLO.", res.body)
    assert.equal("chunked", res.headers["transfer-encoding"])
    assert.is_nil(res.headers["content-length"])
    assert.is_nil(res.headers.digest)
    assert.is_nil(res.headers["content-md5"])
    assert.equal('W/"v1"', res.headers.etag)
  end)

  it("run in the reverse order of use", function()
    local g = gateway([[
      gate.on.body(function(req, res, chunk) return chunk .. "1" end)
      gate.on.body(function(req, res, chunk) return chunk .. "2" end)
    ]], function(c) c:reply(200, "x") end)
    assert.equal("x21", g:get("/").body)
  end)

  it("are called once for an empty answer, and not for HEAD, 204, 304 and 206", function()
    local g = gateway(UPPER, function(c, req)
      local status = tonumber(req.target:match "%d+")
      if req.method == "HEAD" then
        c:send 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n'
      elseif status == 204 or status == 304 then
        c:send("HTTP/1.1 " .. status .. " X\r\n\r\n")
      else
        c:reply(status or 200, status and "part" or "")
      end
    end)
    assert.equal(".", g:get("/").body)
    assert.equal("part", g:get("/206").body)
    assert.equal(204, g:get("/204").status)
    assert.equal(304, g:get("/304").status)
    local res = g:get("/", { method = "HEAD" })
    assert.is_nil(res.headers["content-length"])
    assert.equal('W/"a"', res.headers.etag)
  end)

  it("see replies and fault pages, too", function()
    local g = gateway([[
      gate.route { path = "/reply", reply = { 200, "hi" } }
      gate.route { path = "/dead", upstream = gate.upstream("dead", {
        servers = { "127.0.0.1:]] .. t.dead_port() .. [[" } }) }
    ]] .. UPPER)
    assert.equal("HI.", g:get("/reply").body)
    local res = g:get("/dead")
    assert.equal(502, res.status)
    assert.truthy(res.body:find "502 BAD GATEWAY\nREQUEST ID: ")
  end)

  it("may wait in every piece of a long answer to a slow client", function()
    local body = ("abcdefghij"):rep(60000)
    local g = gateway([[
      gate.on.body(function(req, res, chunk, last)
        gate.sleep(0.001)
        return chunk:upper()
      end)
    ]], function(c) c:reply(200, body) end)
    assert.is_true(g:get("/").body == body:upper())
  end)

  it("keep back-pressure: a client that does not read stops the hooks", function()
    local g = gateway([[
      local calls = 0
      gate.on.body(function(req) if req.path == "/" then calls = calls + 1 end end)
      gate.route { path = "/calls", handler = function()
        return gate.reply(200, tostring(calls))
      end }
    ]], function(c)
      c:send "HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n"
      for _ = 1, 500 do c:send(("x"):rep(100000)) end
    end)
    local c = g:connect()
    c:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal(200, tonumber(c:receive_head().first:match " (%d+) "))
    local calls = t.wait_for_standstill("the hooks to rest", function()
      return tonumber(g:get("/calls").body)
    end)
    assert.is_true(calls < 700, calls)
    c:close()
  end)

  it("get plain bytes with decode, and the client what it takes", function()
    local g, o = gateway([[
      gate.use { decode = true, body = function(req, res, chunk) return chunk:upper() end }
    ]], function(c, req)
      local coding = req.target == "/zstd" and "zstd" or req.target == "/bad" and "gzip"
        or req.headers["accept-encoding"]:match "gzip"
      c:reply(200, coding == "gzip" and req.target ~= "/bad" and gzip "hello" or "hello",
        { ["Content-Encoding"] = coding })
    end)
    local res = g:get("/", { headers = { ["Accept-Encoding"] = "zstd, gzip;q=0.5, *;q=0.1" } })
    assert.equal("HELLO", res.body)
    assert.is_nil(res.headers["content-encoding"])
    assert.equal("gzip;q=0.5", o:requests()[1].headers["accept-encoding"])
    assert.equal("HELLO", g:get("/", { headers = { ["Accept-Encoding"] = "zstd" } }).body)
    assert.equal("identity", o:requests()[2].headers["accept-encoding"])
    assert.equal(502, g:get("/zstd").status)
  end)

  it("cut the answer when they fail behind the head", function()
    local g = gateway([[
      gate.on.body(function(req, res, chunk) error "oops" end)
    ]], function(c) c:reply(200, "hello") end)
    local c = g:connect()
    c:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    local bytes = c:receive_all()
    assert.is_nil(bytes:find "\r\n0\r\n\r\n")
    assert.is_nil(bytes:find "hello")
    t.wait_for("the log line", function() return g:stderr():find "oops" end)
  end)

  it("refuse what is no string, by policy and hook", function()
    local g = gateway([[
      gate.use { name = "wrong", body = function() return 5 end }
    ]], function(c) c:reply(200, "hello") end)
    local c = g:connect()
    c:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    c:receive_all()
    t.wait_for("the log line", function()
      return g:stderr():find "the body hook of policy 'wrong' returned 5; a string or nothing was"
    end)
  end)

  it("may make much more of a piece than it was, but not without end", function()
    local g = gateway([[
      gate.limits { vm_memory = "256m", hook_cpu = "10s" }
      gate.on.body(function(req, res, chunk, last)
        return ("x"):rep(req.path == "/much" and 3000000 or 17 * 1024 * 1024)
      end)
    ]], function(c) c:reply(200, "h") end)
    assert.equal(3000000, #g:get("/much").body)
    local c = g:connect()
    c:send "GET /more HTTP/1.1\r\nHost: x\r\n\r\n"
    c:receive_all()
    t.wait_for("the log line", function() return g:stderr():find "too many or too large" end)
  end)

  it("see the trailers with the last piece", function()
    local g = gateway([[
      gate.on.body(function(req, res, chunk, last)
        if last then return chunk .. tostring(res.trailers and res.trailers["x-sum"]) end
      end)
    ]], function(c)
      c:send "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n"
    end)
    local res = g:get("/")
    assert.equal("hi7", res.body)
    assert.equal("7", res.trailers["x-sum"])
  end)
end)
