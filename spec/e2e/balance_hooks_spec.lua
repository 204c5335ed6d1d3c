-- Scripts that choose the server: balance hooks, and the function of an upstream.
-- covers: script/ffi_peers.c flow/peers.c
local t = require "e2e.support"

local function origins(n)
  local list, quoted = {}, {}
  for i = 1, n do
    list[i] = t.origin(function(c) c:reply(200, "o" .. i) end)
    quoted[i] = '"' .. list[i].address .. '"'
  end
  return list, table.concat(quoted, ", ")
end

local function gateway(servers, text, upstream_options)
  return t.gateway([[
    gate.listen { "127.0.0.1:0" }
    local up = gate.upstream("o", { servers = { ]] .. servers .. [[ }, ]]
    .. (upstream_options or "") .. [[ })
    gate.route { path = "/", upstream = up }
  ]] .. (text or ""))
end

describe("balance hooks", function()
  after_each(t.cleanup)

  it("choose one of the peers, by object or by address", function()
    local list, servers = origins(3)
    local g = gateway(servers, [[
      gate.on.balance(function(req, peers)
        if req.path == "/third" then return peers[3] end
        if req.path == "/second" then return "]] .. list[2].address .. [[" end
      end)
    ]])
    for _ = 1, 4 do
      assert.equal("o3", g:get("/third").body)
      assert.equal("o2", g:get("/second").body)
    end
    local seen = {}
    for _ = 1, 6 do seen[g:get("/any").body] = true end
    assert.same({ o1 = true, o2 = true, o3 = true }, seen)
  end)

  it("choose a server as it was declared, by an address of it that may take the request", function()
    local o = t.origin(function(c) c:reply(200, "here") end)
    local other = t.origin(function(c) c:reply(200, "there") end)
    local g = gateway(('"localhost:%d", "%s"'):format(o.port, other.address), [[
      gate.on.balance(function(req, peers)
        if req.args.to then return req.args.to end
        for _, p in ipairs(peers) do if p.host ~= "localhost" then return p end end
      end)
    ]])
    for _ = 1, 3 do
      assert.equal("here", g:get("/?to=localhost:" .. o.port).body)
      assert.equal("here", g:get("/?to=LocalHost:" .. o.port).body)
      assert.equal("there", g:get("/").body)
    end
    assert.equal(500, g:get("/?to=localhost").status)
  end)

  it("see what is known of the peers, and which try it is", function()
    local _, servers = origins(1)
    local g = gateway(servers .. ', { "127.0.0.1:1", down = true, weight = 7, zone = "z" }', [[
      gate.on.balance(function(req, peers)
        local a, b = peers.all[1], peers.all[2]
        req.ctx.text = table.concat({ #peers, #peers.all, b.address, b.host, b.port, b.weight,
          b.zone, tostring(b.healthy), tostring(b.draining), a.active, req.tries }, " ")
      end)
      gate.on.response(function(req, res) res.headers["x-seen"] = req.ctx.text end)
    ]])
    assert.equal("1 2 127.0.0.1:1 127.0.0.1 1 7 z true false 0 1", g:get("/").headers["x-seen"])
  end)

  it("see how long servers took to answer, not that others did before them", function()
    local o = t.origin(function(c, req) c:reply(req.target == "/503" and 503 or 200, "o") end)
    local g = gateway(('"%s", "127.0.0.1:%d"'):format(o.address, t.dead_port()), [[
      gate.on.balance(function(req, peers)
        req.ctx.text = (peers.all[1].latency > 0 and "some " or "none ") .. peers.all[2].latency
        return peers[1]
      end)
      gate.on.response(function(req, res) res.headers["x-seen"] = req.ctx.text end)
    ]], 'retry = { on = { "503" } }')
    assert.equal(502, g:get("/503").status) -- answered, and tried again where nobody is
    assert.equal("none 0", g:get("/").headers["x-seen"])
    assert.equal("some 0", g:get("/").headers["x-seen"])
  end)

  it("are asked before each try; those that were tried may not take it again", function()
    local dead = t.dead_port()
    local _, servers = origins(1)
    local g = gateway('"127.0.0.1:' .. dead .. '", ' .. servers, [[
      gate.on.balance(function(req, peers)
        req.ctx.text = (req.ctx.text or "") .. req.tries .. ":" .. #peers .. " "
        return peers[1]
      end)
      gate.on.response(function(req, res) res.headers["x-seen"] = req.ctx.text end)
    ]])
    local res = g:get("/")
    assert.equal("o1", res.body)
    assert.equal("1:2 2:1", res.headers["x-seen"])
  end)

  it("may wait; the first value ends the chain", function()
    local _, servers = origins(2)
    local g = gateway(servers, [[
      gate.on.balance(function(req, peers)
        gate.sleep(0.001)
        if req.path == "/1" then return peers[1] end
      end)
      gate.on.balance(function(req, peers)
        gate.sleep(0.001)
        return peers[2]
      end)
    ]])
    assert.equal("o1", g:get("/1").body)
    assert.equal("o2", g:get("/2").body)
  end)

  it("that name no peer, or something else, fail with a word", function()
    local _, servers = origins(1)
    local g = gateway(servers, [[
      gate.use { name = "b", balance = function(req)
        if req.path == "/nobody" then return "10.0.0.1:1" end
        if req.path == "/number" then return 5 end
      end }
    ]])
    assert.equal(500, g:get("/nobody").status)
    assert.equal(500, g:get("/number").status)
    assert.equal(200, g:get("/").status)
    t.wait_for("the log lines", function()
      local log = g:stderr()
      return log:find "gateway.lua:%d+: the balance hook of policy 'b' returned '10.0.0.1:1'; the "
          .. "upstream has no peer '10.0.0.1:1'"
        and log:find "the balance hook of policy 'b' returned 5; one of the peers, its address or"
    end)
  end)

  it("of an upstream are one function, which the hooks come before", function()
    local _, servers = origins(2)
    local g = gateway(servers, [[
      gate.on.balance(function(req, peers)
        if req.path == "/1" then return peers[1] end
      end)
    ]], [[balance = function(req, peers)
      gate.sleep(0.001)
      if req.path ~= "/nil" then return peers[2] end
    end]])
    assert.equal("o1", g:get("/1").body)
    for _ = 1, 3 do assert.equal("o2", g:get("/").body) end
    local seen = {}
    for _ = 1, 4 do seen[g:get("/nil").body] = true end
    assert.same({ o1 = true, o2 = true }, seen)
  end)
end)
