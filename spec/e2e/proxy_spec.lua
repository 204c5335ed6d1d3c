-- Requests and responses on their way through the gateway: what passes, in which order, and what
-- becomes of the connections. covers: flow/step_relay.c session/session_stream.c
local t = require "e2e.support"

local request = t.client.request_text

-- A client that speaks raw bytes: sends them, gives the response.
local function ask(g, bytes, method)
  local c = g:connect()
  c:send(bytes)
  return c:receive_response(method), c
end

describe("interim responses", function()
  after_each(t.cleanup)

  it("pass to clients that know them; a 100 of the origin does not", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.1 100 Continue\r\n\r\n"
      c:send "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n"
      c:send "HTTP/1.1 102 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    end)
    local g = t.proxy(o)
    local res = g:get "/"
    assert.equal("ok", res.body)
    assert.equal(2, #res.infos)
    assert.equal(103, res.infos[1].status)
    assert.equal("</a.css>", res.infos[1].headers.link)
    assert.is_nil(res.infos[1].headers["x-hop"])
    assert.equal(102, res.infos[2].status)
    res = ask(g, "GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert.equal("ok", res.body)
    assert.equal(0, #res.infos)
  end)
end)

describe("Expect: 100-continue", function()
  after_each(t.cleanup)

  it("is answered when the upload is first wanted, and not passed on", function()
    local o = t.origin()
    local g = t.proxy(o)
    local c = g:connect()
    c:send "POST /up HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
    assert.equal("HTTP/1.1 100 Continue", c:receive_head().first)
    c:send "hello"
    assert.equal("POST /up\nhello", c:receive_response().body)
    assert.is_nil(o:requests()[1].headers.expect)
    c:send(request "/next") -- the connection goes on
    assert.equal("GET /next\n", c:receive_response().body)
  end)

  it("is answered when a script reads the body", function()
    local g = t.gateway [[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/read", handler = function(req)
        return gate.reply(200, req:read_body("1k"))
      end }
    ]]
    local c = g:connect()
    c:send "POST /read HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    assert.equal("HTTP/1.1 100 Continue", c:receive_head().first)
    c:send "hello"
    assert.equal("hello", c:receive_response().body)
  end)

  it("gets the final answer instead when nobody wants the body, and the connection ends", function()
    local g = t.proxy(t.origin(), { more = [[
      gate.on.request(function() return gate.reply(401, "who?\n") end)
    ]] })
    local c = g:connect()
    c:send "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    local res = c:receive_response()
    assert.equal(401, res.status)
    assert.equal(0, #res.infos)
    assert.equal("close", res.headers.connection)
    assert.equal("end", c:how_it_ends())
  end)

  it("is not answered once the body is there, nor to HTTP/1.0", function()
    local g = t.proxy(t.origin())
    local res = ask(g,
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
    assert.equal("POST /\nhello", res.body)
    assert.equal(0, #res.infos)
    local c = g:connect()
    c:send "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    t.wait_for("the request", function() return g:status "requests_active" == "1" end)
    c:send "hello"
    assert.matches("^HTTP/1.1 200 OK\r\n", (c:receive_all()))
  end)

  it("with anything else gets 417", function()
    local o = t.origin()
    local g = t.proxy(o)
    local res, c = ask(g, request("/", { headers = { Expect = "200-ok" } }))
    assert.equal(417, res.status)
    assert.equal("end", c:how_it_ends())
    assert.equal(0, #o:requests())
  end)
end)

describe("trailers", function()
  after_each(t.cleanup)

  -- Reads a chunked body of one chunk and gives its trailer block.
  local function trailer_block(c)
    c:receive_until "0\r\n"
    local block = ""
    repeat
      local line = c:receive_until "\r\n"
      block = block .. line
    until line == "\r\n"
    return block
  end

  it("pass both ways, without what belongs into heads", function()
    local o = t.origin(function(c)
      local block = trailer_block(c)
      c:send(("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n"):format(
        #block, block))
      c:send "0\r\nX-Sum: 1\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nServer-Timing: db\r\n\r\n"
    end, { head_only = true })
    local g = t.proxy(o)
    local c = g:connect()
    for _ = 1, 2 do
      c:send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n" ..
        "X-Digest: q\r\nHost: evil\r\nAuthorization: x\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n")
      local res = c:receive_response()
      assert.equal("X-Digest: q\r\n\r\n", res.body)
      assert.same({ ["x-sum"] = "1", ["server-timing"] = "db" }, res.trailers)
    end
    assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
  end)

  it("are announced to whom they go", function()
    local o = t.origin(function(c, req)
      c:send("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nX-Told: " .. req.headers.trailer ..
        "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n")
    end)
    local c = t.proxy(o):connect()
    c:send("POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-A, X-B\r\n" ..
      "Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: 1\r\n\r\n")
    local res = c:receive_response()
    assert.equal("X-A, X-B", res.headers["x-told"])
    assert.equal("X-Sum", res.headers.trailer)
    assert.same({ ["x-sum"] = "1" }, res.trailers)
  end)

  it("have no place in an answer to HTTP/1.0", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"
    end)
    local c = t.proxy(o):connect()
    c:send "GET / HTTP/1.0\r\nHost: a\r\n\r\n"
    assert.matches("\r\n\r\nok$", (c:receive_all()))
  end)

  it("may be as large as a head", function()
    local o = t.origin(function(c)
      local block = trailer_block(c)
      c:send(("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%05d\r\n0\r\n%s"):format(
        #block, block))
    end, { head_only = true })
    local g = t.proxy(o)
    local block = "X-A: " .. ("a"):rep(14000) .. "\r\nX-B: " .. ("b"):rep(14000) .. "\r\n\r\n"
    local res = ask(g, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" ..
      "3\r\nabc\r\n0\r\n" .. block)
    assert.equal(("%05d"):format(#block), res.body)
    assert.equal(("b"):rep(14000), res.trailers["x-b"])
  end)

  it("that are not valid break the response, and the connection is not used again", function()
    local wait, go = t.gate()
    local o = t.origin(function(c, req)
      local head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
      local trailers = "0\r\n" .. ("X-A: 1\r\n"):rep(150) .. "\r\n"
      if req.target == "/at-once" then
        c:send(head .. trailers)
      else
        c:send(head)
        wait(c)
        c:send(trailers)
      end
    end)
    local g = t.proxy(o, { more = 'gate.process { access_format = "json" }' })
    assert.equal(502, g:get("/at-once").status)
    local c = g:connect()
    c:send(request "/late")
    assert.equal("HTTP/1.1 200 OK", c:receive_head().first)
    assert.equal("2\r\nok\r\n", c:receive(7))
    go()
    assert.equal("", (c:receive_all()))
    t.wait_for("the closes", function()
      return g:metric "moongate_upstream_connections_closed_total" == 2
    end)
    t.wait_for("the lines", function() return select(2, g:stdout():gsub("\n", "")) == 2 end)
    assert.equal(2, select(2, g:stdout():gsub('"fault":"protocol"', "")))
  end)

  it("of a request that are not valid get 431 and never reach the origin as complete", function()
    local o = t.origin()
    local g = t.proxy(o)
    local res, c = ask(g, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" ..
      "3\r\nabc\r\n0\r\n" .. ("X-A: 1\r\n"):rep(150) .. "\r\n")
    assert.equal(431, res.status)
    assert.equal("end", c:how_it_ends())
    assert.equal(0, #o:requests())
  end)
end)

describe("responses without a body", function()
  after_each(t.cleanup)

  it("keep their framing fields and the connections", function()
    local o = t.origin(function(c, req)
      if req.method == "HEAD" then
        c:send "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n"
      elseif req.target == "/304" then
        c:send "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"a\"\r\n\r\n"
      elseif req.target == "/204" then
        c:send "HTTP/1.1 204 No Content\r\n\r\n"
      else
        c:reply(200, "ok")
      end
    end)
    local g = t.proxy(o)
    local c = g:connect()
    c:send(request("/", { method = "HEAD" }))
    local res = c:receive_response "HEAD"
    assert.equal("1234", res.headers["content-length"])
    c:send(request "/304")
    res = c:receive_response()
    assert.equal(304, res.status)
    assert.equal("77", res.headers["content-length"])
    assert.equal('"a"', res.headers.etag)
    c:send(request "/204")
    res = c:receive_response()
    assert.equal(204, res.status)
    assert.is_nil(res.headers["content-length"])
    assert.is_nil(res.headers["transfer-encoding"])
    c:send(request "/")
    assert.equal("ok", c:receive_response().body)
    assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
  end)

  it("answer HEAD for pages of the gateway too", function()
    local g = t.proxy("127.0.0.1:" .. t.dead_port())
    local c = g:connect()
    for _ = 1, 2 do
      c:send(request("/", { method = "HEAD" }))
      local res = c:receive_response "HEAD"
      assert.equal(502, res.status)
      assert.is_true(tonumber(res.headers["content-length"]) > 0)
    end
  end)
end)

describe("HTTP/1.0 clients", function()
  after_each(t.cleanup)

  local function chunked(c)
    c:send "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
  end

  it("get plain bodies and the end of the connection", function()
    local o = t.origin(chunked)
    local c = t.proxy(o):connect()
    c:send "GET / HTTP/1.0\r\n\r\n"
    local text = c:receive_all()
    assert.matches("^HTTP/1.1 200 OK\r\n.*Connection: close\r\n\r\nok$", text)
    assert.is_nil(text:find "Transfer%-Encoding")
    assert.equal("HTTP/1.1", o:requests()[1].first:match "HTTP.*")
    assert.equal(o.address, o:requests()[1].headers.host)
  end)

  it("keep the connection when they ask and the length is known", function()
    local g = t.proxy(t.origin())
    local c = g:connect()
    for _ = 1, 3 do
      c:send "GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
      local res = c:receive_response()
      assert.equal("GET /a\n", res.body)
      assert.equal("keep-alive", res.headers.connection)
    end
    c:send "GET /a HTTP/1.0\r\nHost: a\r\n\r\n"
    assert.equal("close", c:receive_response().headers.connection)
    assert.equal("end", c:how_it_ends())
  end)

  it("lose the connection when the length is not known, though they ask", function()
    local c = t.proxy(t.origin(chunked)):connect()
    c:send "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
    assert.matches("Connection: close\r\n\r\nok$", (c:receive_all()))
  end)
end)

describe("HTTP/1.0 origins", function()
  after_each(t.cleanup)

  it("are understood, and their bodies end with the connection", function()
    local o = t.origin(function(c)
      c:send "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end"
      c:close()
    end)
    local g = t.proxy(o)
    local c = g:connect()
    for _ = 1, 2 do
      c:send(request "/")
      local res = c:receive_response()
      assert.equal("until the end", res.body)
      assert.equal("chunked", res.headers["transfer-encoding"])
    end
    assert.equal(2, g:metric "moongate_upstream_connections_opened_total")
  end)
end)

describe("connections", function()
  after_each(t.cleanup)

  it("take pipelined requests and answer them in order", function()
    local o = t.origin(function(c, req)
      if req.target == "/1" then c:sleep(0.1) end
      t.echo(c, req)
    end)
    local c = t.proxy(o):connect()
    c:send(request "/1" .. request("/2", { method = "POST", body = "two" }) .. request "/3")
    assert.equal("GET /1\n", c:receive_response().body)
    assert.equal("POST /2\ntwo", c:receive_response().body)
    assert.equal("GET /3\n", c:receive_response().body)
  end)

  it("are kept on both sides", function()
    local g = t.proxy(t.origin())
    local c = g:connect()
    for i = 1, 20 do
      c:send(request("/" .. i))
      local res = c:receive_response()
      assert.equal("GET /" .. i .. "\n", res.body)
      assert.is_nil(res.headers.connection)
    end
    assert.equal(1, g:metric "moongate_upstream_connections_opened_total")
    assert.equal(19, g:metric "moongate_upstream_connections_reused_total")
  end)

  it("end on one side alone", function()
    local o = t.origin(function(c, req)
      local close = req.target == "/close"
      c:reply(200, "ok", { Connection = close and "close" or "keep-alive" })
      if close then c:close() end
    end)
    local g = t.proxy(o)
    local c = g:connect()
    c:send(request "/close")
    assert.is_nil(c:receive_response().headers.connection)
    c:send(request("/", { headers = { Connection = "close" } }))
    assert.equal("close", c:receive_response().headers.connection)
    assert.equal("end", c:how_it_ends())
    assert.equal("ok", g:get("/").body) -- on the connection that the last client left behind
    assert.equal(2, g:metric "moongate_upstream_connections_opened_total")
  end)

  it("of a client that leaves are logged as 499, and the origin's is closed", function()
    local o = t.origin(function(c)
      c:sleep(30)
    end)
    local g = t.proxy(o)
    local c = g:connect()
    c:send(request "/slow")
    t.wait_for("the request", function() return #o:requests() == 1 end)
    c:close()
    t.wait_for("the line", function() return g:stdout():find '"GET /slow HTTP/1.1" 499 0' end)
    t.wait_for("the close", function()
      return g:metric "moongate_upstream_connections_closed_total" == 1
    end)
  end)
end)

describe("early answers", function()
  after_each(t.cleanup)

  --- What a client sends on is dropped for a second, and not answered with a reset.
  local function drops_for_a_second(c, begun)
    local how = c:how_it_ends()
    assert.is_true(how == "end" or t.now() - begun > 1, how)
  end

  local function early(c)
    c:send "HTTP/1.1 413 X\r\nContent-Length: 9\r\n\r\ntoo much\n"
    c:sleep(0.2)
    c:close()
  end

  for name, headers in pairs {
    length = "Content-Length: 40000", chunked = "Transfer-Encoding: chunked",
  } do
    it("reach a client that still uploads, with " .. name, function()
      local g = t.proxy(t.origin(early, { head_only = true }))
      local c, begun = g:connect(), t.now()
      c:send("POST / HTTP/1.1\r\nHost: a\r\n" .. headers .. "\r\n\r\n1000\r\n" .. ("x"):rep(2000))
      local res = c:receive_response()
      assert.equal(413, res.status)
      assert.equal("too much\n", res.body)
      assert.equal("close", res.headers.connection)
      for _ = 1, 2 do
        c:send(("x"):rep(20000))
        drops_for_a_second(c, begun)
      end
      t.wait_for("the close", function()
        return g:metric 'moongate_connections_closed_total{reason="early_answer"}' == 1
      end)
    end)
  end

  for name, body in pairs {
    length = "Content-Length: 5\r\n\r\nhello",
    chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  } do
    it("of the gateway's own keep the connection when the upload is over, with " .. name, function()
      local g = t.gateway [[
        gate.listen { "127.0.0.1:0" }
        gate.on.log(function(req) print(("%s had %d bytes"):format(req.path, req.bytes_in)) end)
        gate.route { path = "/reply", reply = { 200, "ok" } }
        gate.route { path = "/handler", handler = function() return gate.reply(401, "no") end }
        gate.route { path = "/error", handler = function() error "oh" end }
      ]]
      local c = g:connect()
      for path, status in pairs { reply = 200, handler = 401, error = 500, nowhere = 404 } do
        c:send("POST /" .. path .. " HTTP/1.1\r\nHost: a\r\n" .. body
          .. "GET /reply HTTP/1.1\r\nHost: a\r\n\r\n")
        local res = c:receive_response()
        assert.equal(status, res.status)
        assert.is_nil(res.headers.connection)
        assert.equal("ok", c:receive_response().body)
        t.wait_for("the log hook", function()
          return g:stderr():find("/" .. path .. " had 5 bytes", 1, true)
        end)
      end
    end)
  end

  it("of the gateway's own close when the upload is not over, or not to be believed", function()
    local g = t.gateway [[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", reply = { 200, "ok" } }
    ]]
    for _, body in ipairs {
      "Content-Length: 6\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\n5x\r\nhello\r\n0\r\n\r\n",
    } do
      local c, begun = g:connect(), t.now()
      c:send("POST / HTTP/1.1\r\nHost: a\r\n" .. body)
      local res = c:receive_response()
      assert.equal("close", res.headers.connection, body)
      c:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      drops_for_a_second(c, begun)
    end
  end)

  it("that say nothing of closing end the upstream connection too", function()
    local o = t.origin(function(c)
      c:reply(200, "early")
      c:sleep(30)
    end, { head_only = true })
    local g = t.proxy(o)
    local c = g:connect()
    c:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\nxxx"
    assert.equal("early", c:receive_response().body)
    t.wait_for("the close", function()
      return g:metric "moongate_upstream_connections_closed_total" == 1
    end)
  end)

  it("can be read after an upload that went on regardless", function()
    local g = t.proxy(t.origin(), { more = "gate.limits { body_bytes = 1000 }" })
    local c = g:connect()
    c:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
    for _ = 1, 80 do c:send(("x"):rep(100000)) end -- much of it is cut, some may fail
    local res = c:receive_response()
    assert.equal(413, res.status)
    assert.matches("request id", res.body)
  end)

  it("are whole, however large they are", function()
    local body = ("0123456789abcdef"):rep(65536)
    local o = t.origin(function(c)
      c:reply(200, body)
      c:sleep(1)
      c:close()
    end, { head_only = true })
    local g = t.proxy(o)
    local c = g:connect()
    c:send "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\nxxx"
    assert.equal(body, c:receive_response().body)
    assert.equal("end", c:how_it_ends())
  end)
end)

describe("Date and Server", function()
  after_each(t.cleanup)

  it("are the origin's; Date is added where there is none, Server never", function()
    local o = t.origin(function(c, req)
      c:reply(200, "ok", req.target == "/dated"
        and { Date = "Thu, 01 Jan 1970 00:00:00 GMT", Server = "origin/1" } or {})
    end)
    local g = t.proxy(o, { more = 'gate.route { path = "/own", reply = { 200, "own" } }' })
    local res = g:get "/dated"
    assert.equal("Thu, 01 Jan 1970 00:00:00 GMT", res.headers.date)
    assert.equal("origin/1", res.headers.server)
    for _, path in ipairs { "/", "/own" } do
      res = g:get(path)
      assert.matches("^%a%a%a, %d%d %a%a%a 2%d%d%d %d%d:%d%d:%d%d GMT$", res.headers.date)
      assert.is_nil(res.headers.server)
    end
  end)
end)
