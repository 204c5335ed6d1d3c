-- gate.retry: a response hook that has the request sent once more.
-- covers: flow/retry.c
local t = require "e2e.support"

-- An origin that answers its name, or the status that the path says ("/503").
local function origin(name)
  return t.origin(function(c, req)
    local status = req.target:match "^/(%d%d%d)"
    if status and req.target:find("all") == nil and name == "good" then status = nil end
    c:reply(tonumber(status or 200), name .. ":" .. (req.body or ""), { ["x-up"] = name })
  end)
end

local function gateway(text, options)
  local bad, good = origin "bad", origin "good"
  local g = t.gateway(([[
    gate.listen { "127.0.0.1:0" }
    local bad = gate.upstream("bad", { servers = { "%s" }, %s })
    local good = gate.upstream("good", { servers = { "%s" } })
    gate.route { path = "/", upstream = bad }
  ]]):format(bad.address, options or "", good.address) .. text)
  return g, bad, good
end

local TO_GOOD = [[
  gate.on.response(function(req, res)
    res.headers["x-edit"] = "try " .. req.tries
    req.ctx.n = (req.ctx.n or 0) + 1
    if res.status >= 500 then return gate.retry { upstream = good } end
    res.headers["x-n"] = tostring(req.ctx.n)
  end)
]]

describe("gate.retry", function()
  after_each(t.cleanup)

  it("sends the request to another upstream; ctx stays, edits do not", function()
    local g, bad, good = gateway(TO_GOOD)
    local res = g:get("/503", { method = "POST", body = "hello" })
    assert.equal(200, res.status)
    assert.equal("good:hello", res.body)
    assert.equal("good", res.headers["x-up"])
    assert.equal("try 2", res.headers["x-edit"])
    assert.equal("2", res.headers["x-n"])
    assert.equal(1, #bad:requests())
    assert.equal(1, #good:requests())
  end)

  it("tries another server of the same upstream", function()
    local n = 0
    local a = t.origin(function(c) c:reply(503, "a") end)
    local b = t.origin(function(c) c:reply(200, "b") end)
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", upstream = gate.upstream("u", { servers = { "%s", "%s" } }) }
      gate.on.response(function(req, res)
        if res.status == 503 then return gate.retry {} end
      end)
    ]]):format(a.address, b.address))
    for _ = 1, 6 do n = n + (g:get("/").body == "b" and 1 or 0) end
    assert.equal(6, n)
  end)

  it("is bounded by retry.tries, and says so", function()
    local g, bad, good = gateway((TO_GOOD:gsub("{ upstream = good }", "{ upstream = bad }")))
    local res = g:get("/503/all")
    assert.equal(503, res.status)
    assert.equal("bad:", res.body)
    assert.equal(0, #good:requests())
    assert.is_true(#bad:requests() <= 2)
    t.wait_for("the log line", function()
      return g:stderr():find "gate.retry: all tries of retry.tries are used up"
    end)
  end)

  it("that is not possible is as if the hook had returned nothing", function()
    local o = t.origin()
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      local function seen(name)
        return { name = name, response = function(req, res)
          res.headers:add("x-seen", name)
          if name == "asks" then return gate.retry() end
          if name == "waits" then gate.sleep(0) end
          if name == "replies" and req.args.reply then return gate.reply(200, "other") end
        end, body = function(req, res, chunk) return name == "asks" and chunk:upper() or nil end }
      end
      gate.use(seen "outer")
      gate.use(seen "waits")
      gate.use(seen "replies")
      gate.use(seen "asks")
      gate.route { path = "/", upstream = gate.upstream("u", { servers = { "%s" },
        retry = { tries = 2 } }), use = { seen "route" } }
      gate.route { path = "/here", reply = { 200, "here" } }
    ]]):format(o.address))
    local res = g:get "/"
    assert.equal("route, asks, replies, waits, outer", res.headers["x-seen"])
    assert.equal("GET /\n", res.body)
    assert.equal(2, #o:requests())
    assert.equal("asks, replies, waits, outer", g:get("/here").headers["x-seen"])
    -- A reply behind it is as any other.
    res = g:get "/?reply"
    assert.equal("waits, outer", res.headers["x-seen"])
    assert.equal("other", res.body)
  end)

  it("works on a fault page, too", function()
    local _, good = origin "bad", origin "good"
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      local good = gate.upstream("good", { servers = { "%s" } })
      gate.route { path = "/", upstream = gate.upstream("dead", { servers = { "127.0.0.1:%d" } }) }
    ]]):format(good.address, t.dead_port()) .. TO_GOOD)
    local res = g:get("/", { method = "POST", body = "x" })
    assert.equal(200, res.status)
    assert.equal("good:x", res.body)
  end)

  it("needs a body that can be sent again", function()
    local g = gateway(TO_GOOD)
    local res = g:get("/503", { method = "POST", body = ("x"):rep(200000) })
    assert.equal(503, res.status)
    t.wait_for("the log line", function()
      return g:stderr():find "gate.retry: the request body is gone; read_body keeps it"
    end)
  end)

  it("sends a large body again that read_body has read", function()
    local g = gateway([[
      gate.on.request(function(req) req:read_body("1m") end)
    ]] .. TO_GOOD)
    local body = ("x"):rep(200000)
    local res = g:get("/503", { method = "POST", body = body })
    assert.equal(200, res.status)
    assert.is_true(res.body == "good:" .. body)
  end)

  -- The first server answers before it has the body, and then reads it.
  local function early(more)
    local first = t.origin(function(c, req)
      c:send("HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n:\r\n")
      local body = c:receive_body(req) or "cut"
      c:send(("%x\r\n%s\r\n0\r\n\r\n"):format(#body, body))
    end, { head_only = true })
    local good = origin "good"
    local g = t.gateway(([[
      gate.listen { "127.0.0.1:0" }
      local s = gate.shared("s", { bytes = "1m" })
      local good = gate.upstream("good", { servers = { "%s" } })
      gate.route { path = "/", upstream = gate.upstream("early", { servers = { "%s" } }) }
      gate.route { path = "/is-set", handler = function()
        return gate.reply(s:get "set" and 200 or 404)
      end }
    ]]):format(good.address, first.address) .. more)
    local c = g:connect()
    c:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    t.wait_for("the hook", function() return g:get("/is-set").status == 200 end)
    c:send("world")
    return c:receive_response("POST").body
  end

  it("sends the body that was set for it, though another is on its way", function()
    local retry = [[
      gate.on.response(function(req, res)
        if res.status ~= 503 then return end
        req:set_body("new")
        s:set("set", true)
        gate.sleep(0.05)
        return gate.retry { upstream = good }
      end)
    ]]
    assert.equal("good:new", early(retry))
    assert.equal("good:new", early(retry .. [[
      gate.on.request_body(function(req, chunk) return chunk:upper() end)
    ]]))
  end)

  it("alone sends a body that a response hook sets", function()
    assert.equal(":helloworld", early [[
      gate.on.response(function(req, res)
        if res.status ~= 503 then return end
        req:set_body("new")
        s:set("set", true)
      end)
    ]])
  end)

  it("may be decided behind a wait, and by what the body says", function()
    local g = gateway([[
      gate.on.response(function(req, res)
        gate.sleep(0.001)
        if res:read_body("1k") == "bad:" then return gate.retry { upstream = good } end
      end)
    ]])
    assert.equal("good:", g:get("/").body)
  end)

  it("takes only what it knows", function()
    local g = gateway([[
      gate.on.response(function(req, res)
        if req.path == "/key" then return gate.retry { upstraem = good } end
        if req.path == "/name" then return gate.retry { upstream = "good" } end
        if req.path == "/type" then return gate.retry("good") end
        if req.path == "/bare" then return gate.retry(good) end
      end)
      gate.on.request(function(req)
        if req.path == "/request" then return gate.retry() end
      end)
    ]])
    for _, path in ipairs { "/key", "/name", "/type", "/bare", "/request" } do
      assert.equal(500, g:get(path).status)
    end
    t.wait_for("the log lines", function()
      local log = g:stderr()
      return log:find "did you mean 'upstream'" and log:find "'upstream' is an upstream"
        and log:find "takes a table of options, not a string"
        and log:find("options: gate.retry { upstream = ... }", 1, true)
        and log:find "returned a retry; gate.reply"
    end)
  end)
end)
