-- The examples of the pages are whole enough to run: each loads, serves, and no hook in it fails.
local t = require "e2e.support"
local pki = require "e2e.support.pki"

local root = os.getenv "MOONGATE_ROOT" or "."

-- What examples take for granted, declared where one uses it without having declared it.
local GRANTED = {
  shop = 'local shop = gate.upstream("shop", { servers = { "$ORIGIN" } }) ',
  backup = 'local backup = gate.upstream("backup", { servers = { "$ORIGIN" } }) ',
  refresh = "local function refresh() end ",
}

local function whole(example, address)
  local text = example:find "require \"moongate\"" and "" or 'local gate = require "moongate" '
  for name, declaration in pairs(GRANTED) do
    if example:find("%f[%w]" .. name .. "%f[%W]") and not example:find("local " .. name) then
      text = text .. declaration
    end
  end
  text = text .. example .. [[
    gate.route { name = "rest", path = "/*rest", methods = { "GET", "POST" }, priority = -1,
      upstream = gate.upstream("rest", { servers = { "$ORIGIN" } }) }
  ]]
  return (text:gsub("$ORIGIN", address):gsub("127%.0%.0%.1:900%d", address))
end

local function examples_of(page)
  local list, line = {}, 0
  local block
  for text in (t.read(root .. "/" .. page) .. "\n"):gmatch "([^\n]*)\n" do
    line = line + 1
    if text == "```lua" then
      block = { place = page .. ":" .. line, lines = {} }
    elseif text == "```" and block then
      list[#list + 1] = { place = block.place, text = table.concat(block.lines, "\n") .. "\n" }
      block = nil
    elseif block then
      block.lines[#block.lines + 1] = text
    end
  end
  return list
end

describe("the example at", function()
  after_each(t.cleanup)

  local n = 0
  for _, page in ipairs { "README.md", "lua/README.md" } do
    for _, example in ipairs(examples_of(page)) do
      n = n + 1
      it(example.place .. " works", function()
        local o = t.origin(function(c) c:reply(200, "origin") end)
        local dir = t.folder()
        local text = whole(example.text, o.address):gsub("/var/log/moongate", dir)
        t.write(dir .. "/gateway.lua", text)
        pki.named_in(text, dir)
        t.write(dir .. "/routes.json", '[{ "path": "/data", "reply": [200, "data"] }]')
        local options = { env = { SIGNING_KEY = "key" },
          args = { dir .. "/gateway.lua", "--workers", "1", "--listen", "127.0.0.1:0" } }
        local out = t.run({ "check", dir .. "/gateway.lua" }, options)
        assert.equal("", out.stderr)
        assert.equal(0, out.status)
        local g = t.gateway(nil, options)
        for _, how in ipairs { { "/" }, { "/x/y?debug=1&user=u&sum=1" }, { "/count", "abc" } } do
          local res = g:get(how[1], how[2] and { method = "POST", body = how[2] })
          assert.is_true(res.status < 500, how[1] .. ": " .. res.status .. "\n" .. g:stderr())
        end
        g:signal "TERM"
        assert.equal(0, g:wait())
        assert.is_nil(g:stderr():find "script")
      end)
    end
  end

  it("metrics that pages name are there", function()
    local g = t.gateway [[
      gate.shared("d", { bytes = "64k" })
      gate.listen { "127.0.0.1:0" }
      gate.route { path = "/", upstream = gate.upstream("o", { servers = { "127.0.0.1:1" } }) }
    ]]
    local metrics, named = g:control("/metrics").body, 0
    for _, page in ipairs { "README.md", "lua/README.md", "core/README.md",
      "core/run/README.md" } do
      for name in t.read(root .. "/" .. page):gmatch "`(moongate_[%l%d_]+)" do
        assert.truthy(metrics:find("# TYPE " .. name, 1, true), page .. ": " .. name)
        named = named + 1
      end
    end
    assert.is_true(named > 30)
  end)

  it("fields of the access log are all described", function()
    local page, fields = t.read(root .. "/core/run/README.md"), 0
    for key in t.read(root .. "/core/flow/access_log.c"):gmatch 'put_%l+%(o, "([%l_]+)"' do
      assert.truthy(page:find("`" .. key .. "`", 1, true), key)
      fields = fields + 1
    end
    assert.is_true(fields > 20)
  end)

  it("any page is found", function() assert.is_true(n > 15) end)
end)
