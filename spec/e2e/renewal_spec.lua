-- covers: run/renewal.c run/publish.c
-- VMs that stay full of what modules keep, and are replaced.
local json = require "moongate.json"
local t = require "e2e.support"
local canary = require "e2e.support.canary"
local pki = require "e2e.support.pki"

local MIB = 1024 * 1024
local CAP = 16 * MIB

local function text(more)
  return ([[
    gate.limits { vm_memory = "16m" }
    gate.process { drain = 1 }
    local kept, serial = {}, 0
    local function keep(n)
      for _ = 1, n do
        serial = serial + 1 -- equal strings would be one
        kept[#kept + 1] = serial .. ("x"):rep(65500)
      end
    end
    gate.route { path = "/keep", handler = function()
      keep(3)
      return gate.reply(200, tostring(#kept))
    end }
    gate.route { path = "/kept", handler = function() return gate.reply(200, tostring(#kept)) end }
    %s
  ]]):format(more or 'gate.listen { "127.0.0.1:0" }')
end

local function memory(g, worker)
  return g:metric(('moongate_vm_memory_bytes{worker="%d"}'):format(worker or 0))
end

--- Requests until a VM is full of what was kept, or was replaced already; all are answered.
local function fill(g)
  local before = g:status "generation"
  repeat
    assert.equal(200, g:get("/keep").status, g:stderr())
  until math.max(memory(g, 0), memory(g, 1) or 0) > CAP * 0.93 or g:status "generation" ~= before
end

--- The generation that serves, once requests in a row have seen that number.
local function ask_until(g, number)
  t.wait_for("generation " .. number, function()
    assert.equal(200, g:get("/kept").status, g:stderr())
    return g:status "generation" == tostring(number)
  end)
end

--- Moves the clock by a second and lets workers do what has come due, again and again.
local function pass(g, seconds)
  for _ = 1, seconds do
    g:advance(1)
    for _ = 1, 3 do assert.equal(200, g:get("/kept").status, g:stderr()) end
  end
end

--- The log has these words so often, sooner or later.
local function told(g, times, words)
  t.wait_for(words, function() return select(2, g:stderr():gsub(words, "")) == times end)
end

describe("a VM that stays full", function()
  after_each(t.cleanup)

  it("is replaced, and no request fails", function()
    local g = t.gateway(text(), { args = { "--workers", "2" }, supervised = true })
    g:rewrite "this is no Lua"
    fill(g)
    ask_until(g, 2)
    assert.is_true(tonumber(g:get("/kept").body) < 10)
    for worker = 0, 1 do assert.is_true(memory(g, worker) < CAP / 2) end
    assert.equal(1, g:metric "moongate_vm_renewals_total")
    assert.equal(0, g:metric 'moongate_reloads_total{result="ok"}')
    assert.equal(0, g:metric "moongate_hook_nomem_total")
    told(g, 1, "worker [01]: its scripts keep 1%d%.%d of 16%.0 MiB "
      .. "%(vm_memory%) for long, [^\n]*all workers get fresh VMs, [^\n]*not again within 60 s")
    told(g, 1, "generation 2 serves, as generation 1 did")
    assert.matches("stayed full (vm_memory): 1 times\n",
      t.run({ "generations", "--socket", g.socket }).stdout, 1, true)
    assert.equal(CAP, json.decode(g:control("/top").body).workers[1].vm_limit)
    t.wait_for("the end of the old one", function() return g:status "live_generations" == "1" end)
  end)

  it("is replaced once a minute, and less often when it is full again before that", function()
    local g = t.gateway(text(), { args = { "--workers", "1", "--test-clock" } })
    fill(g)
    pass(g, 4)
    ask_until(g, 2)
    fill(g)
    pass(g, 20)
    assert.equal("2", g:status "generation")
    told(g, 1, "workers get fresh VMs in %d+ s if that stays so")
    pass(g, 60)
    ask_until(g, 3)
    told(g, 1, "not again within 120 s")
    pass(g, 130)
    assert.equal("3", g:status "generation")
    fill(g)
    pass(g, 4)
    ask_until(g, 4)
    told(g, 2, "not again within 60 s")
    assert.equal(3, g:metric "moongate_vm_renewals_total")
  end)

  it("stays when the file itself needs that much", function()
    local g = t.gateway(text 'gate.listen { "127.0.0.1:0" } keep(230)',
      { args = { "--workers", "1", "--test-clock" } })
    assert.is_true(memory(g) > CAP * 0.9)
    pass(g, 100)
    told(g, 1, "the file itself needs so much, and a fresh VM would be as full: raise vm_memory")
    assert.equal("1", g:status "generation")
    assert.equal(0, g:metric "moongate_vm_renewals_total")
  end)

  it("waits for the end of a canary", function()
    local g = t.gateway(text(), { args = { "--workers", "1", "--test-clock" } })
    canary.try(g, text [[gate.listen { "127.0.0.1:0" }
      gate.route { path = "/new", reply = { 200, "" } }]], "--canary", "1%", "--for", "1h")
    fill(g)
    pass(g, 40)
    assert.equal("1", g:status "generation")
    assert.equal("runs", canary.tell(g).state)
    assert.equal(0, t.run({ "rollback", "--socket", g.socket }).status)
    pass(g, 16)
    ask_until(g, 3)
  end)

  it("keeps certificates whose files are gone", function()
    local certs = pki.new(t.folder())
    certs:make("a", { names = { "a.test" } })
    local files = {}
    for _, name in ipairs { "a.pem", "a.key", "ca.pem" } do
      files[name] = t.read(certs:path(name))
    end
    local g = t.gateway(text [[gate.listen { "127.0.0.1:0" }
      gate.listen { "127.0.0.1:0", tls = { cert = "a.pem", key = "a.key" } }
      gate.upstream("o", { servers = { "127.0.0.1:1" }, tls = { ca = "ca.pem" } })
    ]], { files = files })
    for name in pairs(files) do os.remove(g.dir .. "/" .. name) end
    fill(g)
    ask_until(g, 2)
    assert.equal(0, os.execute(("curl -sS --max-time 60 -o /dev/null --cacert %s --connect-to "
      .. "::127.0.0.1:%d https://a.test/kept"):format(certs:path "ca.pem", g.ports[2])))
  end)
end)
