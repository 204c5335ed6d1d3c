-- The gateway of examples/quickstart.sh, and the three lines that it prints.
local t = require "e2e.support"

local root = os.getenv "MOONGATE_ROOT" or "."

describe("quickstart", function()
  after_each(t.cleanup)

  local function start()
    local port = t.free_ports(3)
    return t.gateway(nil, { args = { root .. "/examples/demo.lua" }, env = { PORT = port } })
  end

  it("goes to one origin, then to the other", function()
    local g = start()
    local first, second = g:get("/"), g:get("/")
    assert.equal(("origin 127.0.0.1:%d got GET /\n"):format(g.ports[2]), first.body)
    assert.equal(("origin 127.0.0.1:%d got GET /\n"):format(g.ports[3]), second.body)
    assert.equal("127.0.0.1:" .. g.ports[2], first.headers["x-served-by"])
  end)

  it("answers by itself, and asks for a key", function()
    local g = start()
    local res = g:get "/hello/moon"
    assert.equal("hello, moon\n", res.body)
    assert.equal("the gateway", res.headers["x-served-by"])
    assert.equal(401, g:get("/private").status)
    assert.equal(200, g:get("/private", { headers = { ["X-Key"] = "tides" } }).status)
  end)

  it("prints three lines of curl, each on its own", function()
    local n = 0
    for line in t.read(root .. "/examples/quickstart.sh"):gmatch "[^\n]+" do
      if line:find "^curl .*http://127%.0%.0%.1:%$PORT/" then n = n + 1 end
    end
    assert.equal(3, n)
  end)
end)
