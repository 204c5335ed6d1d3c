-- What the gateway itself answers to gRPC calls, as the real client of @grpc/grpc-js sees it: from
-- a handler, from faults, at the deadline. Servers here are made by hand, in HTTP/1.
-- covers: flow/grpc.c
local socket = require "socket"
local t = require "e2e.support"
local node = require "e2e.support.node"

local METHOD = "/grpc.testing.TestService/UnaryCall"
local OK, UNKNOWN, DEADLINE_EXCEEDED, PERMISSION_DENIED = 0, 2, 4, 7
local RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 8, 12, 13, 14, 16

--- The head of an answer to a call, from a server that speaks HTTP/1, and its pieces.
local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"
  .. "Transfer-Encoding: chunked\r\n\r\n"
local function chunk(bytes) return ("%x\r\n%s\r\n"):format(#bytes, bytes) end
local function message(bytes) return "\0\0\0\0" .. string.char(#bytes) .. bytes end
local EMPTY = message ""
local function last(trailers) return "0\r\n" .. trailers .. "\r\n" end

describe("gRPC, as the gateway answers it,", function()
  local client, dir

  setup(function()
    dir = t.folder(true)
    client = node.start("grpc_client.js", dir)
  end)

  teardown(function()
    client:stop()
    os.execute("rm -rf " .. dir)
  end)

  after_each(function()
    client:ask "close"
    t.cleanup()
  end)

  local function call(g, options)
    options = options or {}
    options.port = g.port
    return client:ask("unary", options)
  end

  local function gateway(text, options)
    return t.gateway('gate.listen { "127.0.0.1:0", http2 = true }\n' .. text, options)
  end

  --- A gateway in front of servers; its log in JSON.
  local function proxy(servers, options)
    options = options or {}
    options.listen = "http2 = true"
    options.more = 'gate.process { access_log = "stdout", access_format = "json" }\n'
      .. (options.more or "")
    return t.proxy(servers, options)
  end

  local function logged(g, pattern)
    t.wait_for("the line with " .. pattern, function()
      return (g:stdout() .. g:stderr()):find(pattern)
    end)
  end

  it("is the status that stands for a reply", function()
    local g = gateway [[
      gate.route { path = "/*rest", handler = function(req)
        local status = tonumber(req.headers["x-status"])
        return gate.reply(status, req.headers["x-body"])
      end }
    ]]
    local table = { [400] = INTERNAL, [401] = UNAUTHENTICATED, [403] = PERMISSION_DENIED,
      [404] = UNIMPLEMENTED, [429] = UNAVAILABLE, [502] = UNAVAILABLE, [503] = UNAVAILABLE,
      [504] = UNAVAILABLE, [200] = UNKNOWN, [302] = UNKNOWN, [500] = UNKNOWN }
    for status, code in pairs(table) do
      local got = call(g, { metadata = { ["x-status"] = ("%d"):format(status),
        ["x-body"] = "because" } })
      assert.same({ code, "because", 0 }, { got.code, got.details, got.answers }, status)
    end
    assert.equal("Forbidden", call(g, { metadata = { ["x-status"] = "403" } }).details)
  end)

  it("carries any text as its message, and the fields of a reply", function()
    local g = gateway [[
      gate.route { path = "/*rest", handler = function()
        return gate.reply(403, "100% \226\152\186,\n\240\159\152\136\n", { ["x-why"] = "a" })
      end }
    ]]
    local got = call(g)
    assert.equal("100% \226\152\186,\n\240\159\152\136", got.details)
    assert.equal("a", got.trailing["x-why"])
    assert.equal("application/grpc", got.trailing["content-type"])
  end)

  it("leaves a status of gRPC's that a script gives as it is", function()
    local g = gateway [[
      gate.on.response(function(_, res)
        res.headers["grpc-status"], res.headers["content-type"] = "9", "application/grpc"
        res.headers["grpc-message"] = "not yet"
        res.status = 200
        res:set_body("")
      end)
    ]]
    local got = call(g)
    assert.same({ 9, "not yet" }, { got.code, got.details })
  end)

  it("shows hooks the status of HTTP, and no body hook a body", function()
    local g = gateway [[
      gate.process { access_log = "stdout", access_format = "json" }
      gate.use {
        response = function(req, res) res.headers["x-seen"] = res.status .. " " .. res.from end,
        body = function() error("there is no body") end,
      }
    ]]
    local got = call(g)
    assert.same({ UNIMPLEMENTED, "no route takes this request" }, { got.code, got.details })
    assert.equal("404 fault", got.trailing["x-seen"])
    assert.equal(20, #got.trailing["x-request-id"])
    logged(g, '"status":404,"grpc_status":"12",.*"fault":"no_route"')
    assert.equal(1, g:metric 'moongate_requests_total{route="",class="4xx"}')
  end)

  it("takes the answer of a fault hook", function()
    local g = gateway [[
      gate.on.fault(function(req, fault)
        local status = tonumber(req.headers["x-status"])
        return gate.reply(status or fault.status, "sorry: " .. fault.code)
      end)
    ]]
    local got = call(g)
    assert.same({ UNIMPLEMENTED, "sorry: no_route" }, { got.code, got.details })
    assert.equal(PERMISSION_DENIED, call(g, { metadata = { ["x-status"] = "403" } }).code)
  end)

  it("tells faults by their codes", function()
    local o = t.origin(function(c, req)
      if req.headers["x-do"] == "garbage" then c:send "What?\r\n\r\n" else c:close() end
    end)
    local g = gateway(([[
      local o = gate.upstream("o", { servers = { %q } })
      local none = gate.upstream("none", { servers = { "127.0.0.1:%d" } })
      gate.route { path = "%s", headers = { ["x-do"] = "fail" },
        handler = function() error "x" end }
      gate.route { path = "%s", headers = { ["x-do"] = "small" }, upstream = o, max_body = 4 }
      gate.route { path = "%s", headers = { ["x-do"] = "nobody" }, upstream = none }
      gate.route { path = "%s", upstream = o }
      gate.route { path = "/grpc.testing.TestService/EmptyCall", methods = { "GET" }, upstream = o }
    ]]):format(o.address, t.dead_port(), METHOD, METHOD, METHOD, METHOD))
    local table = {
      fail = { UNKNOWN, "a script failed" },
      small = { RESOURCE_EXHAUSTED, "the request body is too large" },
      nobody = { UNAVAILABLE, "the upstream could not be reached" },
      garbage = { INTERNAL, "the upstream's answer is not valid" },
      close = { UNAVAILABLE, "the upstream broke off" },
    }
    for what, want in pairs(table) do
      local got = call(g, { metadata = { ["x-do"] = what }, payload = 10 })
      assert.same(want, { got.code, got.details }, what)
    end
    assert.equal(UNIMPLEMENTED, call(g, { method = "emptyCall" }).code)
  end)

  it("is a status for calls whose head is refused, too", function()
    local g = gateway [[
      gate.process { access_log = "stdout", access_format = "json" }
      gate.route { path = "/*rest", reply = { 200, "" } }
    ]]
    local large, many = {}, {}
    for i = 1, 5 do large["x-" .. i] = ("a"):rep(8000) end
    for i = 1, 101 do many["x-" .. i] = "a" end
    local want = { RESOURCE_EXHAUSTED, "Request Header Fields Too Large", 0 }
    for _, metadata in ipairs { large, many } do
      local got = call(g, { metadata = metadata, payload = 100000 })
      assert.same(want, { got.code, got.details, got.answers })
      assert.equal(20, #got.trailing["x-request-id"])
      client:ask("open", { port = g.port, call = "stream", metadata = metadata })
      got = client:ask("status", { call = "stream" })
      assert.same(want, { got.code, got.details, got.answers })
    end
    local got = client:ask("path", { port = g.port, path = "/a%00" })
    assert.same({ INTERNAL, "Bad Request" }, { got.code, got.details })
    assert.equal(UNKNOWN, call(g).code) -- on the same connection
    logged(g, '"status":431,"grpc_status":"8",.*"why":"head is too large"')
    logged(g, '"status":400,"grpc_status":"13",')
    assert.equal(1, g:metric "moongate_http2_connections_total")
  end)

  it("is a page of HTTP for those who do not call", function()
    local g = gateway ""
    local function curl(options)
      local pipe = io.popen(("curl -s --max-time 60 -w '%%{http_code}' -X POST %s "
        .. "http://127.0.0.1:%d/"):format(options, g.port))
      local text = pipe:read "*a"
      pipe:close()
      return text:match "^404 .*\n404$" ~= nil
    end
    assert.is_true(curl "--http2-prior-knowledge -H 'content-type: application/grpc-web'")
    assert.is_true(curl "--http2-prior-knowledge -H 'content-type: text/plain'")
    assert.is_true(curl "--http1.1 -H 'content-type: application/grpc'")
    assert.is_true(curl "--http2-prior-knowledge --request PUT -H 'content-type: application/grpc'")
    assert.is_false(curl "--http2-prior-knowledge -H 'content-type: application/grpc'")
  end)

  it("passes what a server of HTTP/1 answers, trailers too", function()
    local o = t.origin(function(c)
      c:send(HEAD .. chunk(EMPTY) .. last "grpc-status: 0\r\nx-last: 1\r\n")
    end)
    local g = proxy(o)
    local got = call(g)
    assert.same({ OK, 1, "1" }, { got.code, got.answers, got.trailing["x-last"] })
    logged(g, '"status":200,"grpc_status":"0",')
    assert.equal("application/grpc", o:requests()[1].headers["content-type"])
  end)

  it("ends an answer that breaks off by a status in its trailers", function()
    local o = t.origin(function(c)
      c:send(HEAD .. chunk(EMPTY))
      c:close()
    end)
    local g = proxy(o, { more = [[
      gate.on.log(function(_, res) print("logged as " .. res.trailers["grpc-status"]) end)
    ]] })
    local got = call(g)
    assert.same({ UNAVAILABLE, "the upstream broke off" }, { got.code, got.details })
    assert.equal("application/grpc", got.initial["content-type"])
    logged(g, '"status":200,"grpc_status":"14",.*"fault":"reset"')
    logged(g, "logged as 14")
  end)

  describe("the deadline", function()
    --- A server that answers part of a call, or nothing, and then waits until its link is closed.
    local function sleeper(begin)
      return t.origin(function(c)
        c:send(begin)
        c:receive(1)
        t.write(dir .. "/left", "yes")
      end)
    end

    local function is_left()
      t.wait_for("the end of the link", function() return t.read(dir .. "/left") == "yes" end)
      os.remove(dir .. "/left")
    end

    --- A client sends its call's deadline, and never ends the call by itself.
    local function timeout(value) return { metadata = { ["grpc-timeout"] = value } } end

    local CLOCK = { "--workers", "1", "--test-clock" }

    --- What a call gets whose deadline comes when `ready` says so.
    local function overtaken(g, value, seconds, ready)
      local options = timeout(value)
      options.port = g.port
      local id = client:tell("unary", options)
      t.wait_for("the call", ready)
      g:advance(seconds)
      return client:answer(id)
    end

    it("ends a call that has no answer, and its attempt", function()
      local o = sleeper ""
      local g = proxy(o, { args = CLOCK })
      local got = overtaken(g, "40000m", 41, function() return #o:requests() == 1 end)
      assert.same({ DEADLINE_EXCEEDED, "the deadline of the call is over" },
        { got.code, got.details })
      is_left()
      logged(g, '"status":504,.*"fault":"deadline","why":"grpc%-timeout is over"')
      assert.falsy(g:stderr():find "fault deadline")
    end)

    it("ends an answer that is under way", function()
      local g = proxy(sleeper(HEAD .. chunk(EMPTY)), { args = CLOCK,
        more = 'gate.on.response(function() gate.log.info "the head passes" end)' })
      local got = overtaken(g, "40000000u", 41, function()
        return g:stderr():find "the head passes"
      end)
      assert.same({ DEADLINE_EXCEEDED, "application/grpc" },
        { got.code, got.initial["content-type"] })
      is_left()
      logged(g, '"status":200,.*"fault":"deadline"')
    end)

    it("ends a hook that waits", function()
      local g = gateway [[ gate.on.request(function() gate.sleep(30) end) ]]
      assert.equal(DEADLINE_EXCEEDED, call(g, timeout "20m").code)
    end)

    it("ends hooks that wait while they make an answer, its own too", function()
      local o = t.origin(function(c) c:send(HEAD .. last "grpc-status: 0\r\n") end)
      local mute = sleeper ""
      local function ends(server, hook, code)
        local more = ("gate.on.%s(function() gate.sleep(50) end)"):format(hook)
        local g = proxy(server, { more = more })
        local begin = socket.gettime()
        assert.equal(code, call(g, timeout "50m").code)
        assert.is_true(socket.gettime() - begin < 40)
      end
      ends(o, "response", DEADLINE_EXCEEDED)
      ends(mute, "response", DEADLINE_EXCEEDED)
      ends(mute, "fault", DEADLINE_EXCEEDED)
      ends(("127.0.0.1:%d"):format(t.dead_port()), "fault", UNAVAILABLE) -- the first fault counts
    end)

    it("is no call for a server when it is over before it begins", function()
      local o = t.origin(function(c) c:send(HEAD .. last "grpc-status: 0\r\n") end)
      local g = proxy(o)
      assert.equal(OK, call(g, timeout "30S").code) -- and there is a link
      for _, value in ipairs { "0H", "0m", "00000000n" } do
        assert.equal(DEADLINE_EXCEEDED, call(g, timeout(value)).code)
      end
      assert.equal(1, #o:requests())
    end)

    it("has fault hooks asked, with its own code", function()
      local g = gateway [[
        gate.on.request(function() gate.sleep(30) end)
        gate.on.fault(function(_, fault) return gate.reply(429, fault.code) end)
      ]]
      local got = call(g, timeout "0S")
      assert.same({ UNAVAILABLE, "deadline" }, { got.code, got.details })
    end)

    it("goes up as it came, and is none where it is malformed or far", function()
      local o = t.origin(function(c) c:send(HEAD .. last "grpc-status: 9\r\n") end)
      local g = proxy(o)
      for i, value in ipairs { "5S", "1", "0.1S", "123456789m", "99999999H" } do
        assert.equal(9, call(g, timeout(value)).code)
        assert.equal(value, o:requests()[i].headers["grpc-timeout"])
      end
    end)
  end)
end)
