-- Runs each gateway of examples/ as a user would, with origins behind it; and checks what the
-- documents show and name.
local t = require "e2e.support"
local pki = require "e2e.support.pki"

local function example(name, env)
  env.LISTEN = "127.0.0.1:0"
  return t.gateway(nil, { args = { "examples/" .. name .. ".lua", "--workers", "1" }, env = env })
end

-- An origin that says who it is, and what it was asked for.
local function origin(name)
  return t.origin(function(c, req)
    c:reply(200, name .. " " .. req.method .. " " .. req.target, { Server = "demo/1.0" })
  end)
end

describe("examples", function()
  after_each(t.cleanup)

  describe("api_keys", function()
    -- SHA-256 of "secret".
    local HASH = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

    local function start(address)
      return example("api_keys", { API_KEY_HASHES = HASH .. "  -\n", API_SERVER = address })
    end

    it("lets those pass who have a key, and keeps the key to itself", function()
      local o = origin "api"
      local g = start(o.address)
      local res = g:get("/api/items?n=1", { headers = { ["X-Api-Key"] = "secret" } })
      assert.equal(200, res.status)
      assert.equal("api GET /api/items?n=1", res.body)
      local seen = o:requests()[1].headers
      assert.equal(HASH:sub(1, 8), seen["x-caller"])
      assert.is_nil(seen["x-api-key"])
    end)

    it("refuses others in JSON", function()
      local o = origin "api"
      local g = start(o.address)
      for _, headers in ipairs { {}, { ["X-Api-Key"] = "guess" } } do
        local res = g:get("/api/items", { headers = headers })
        assert.equal(401, res.status)
        assert.equal("application/json", res.headers["content-type"])
        assert.equal("ApiKey", res.headers["www-authenticate"])
        assert.equal('{"error":"a valid X-Api-Key is needed"}', res.body)
      end
      assert.equal(0, #o:requests())
    end)

    it("answers faults in JSON", function()
      local g = start("127.0.0.1:" .. t.dead_port())
      local res = g:get("/api/items", { headers = { ["X-Api-Key"] = "secret" } })
      assert.equal(502, res.status)
      assert.matches('"code":"connect"', res.body, 1, true)
      assert.matches('"request":"%x+"', res.body)
      res = g:get("/nowhere")
      assert.equal(404, res.status)
      assert.matches('"code":"no_route"', res.body, 1, true)
      assert.equal('{"ok":true}', g:get("/health").body)
    end)

    it("does not start without keys", function()
      local res = t.run({ "check", "examples/api_keys.lua" }, { env = { LISTEN = "127.0.0.1:0" } })
      assert.equal(1, res.status)
      assert.matches("^api_keys.lua:13: .*API_KEY_HASHES", res.stderr)
      res = t.run({ "check", "examples/api_keys.lua" }, { env = { API_KEY_HASHES = "no" } })
      assert.equal(1, res.status)
      assert.matches("api_keys.lua:14: API_KEY_HASHES: expected", res.stderr, 1, true)
    end)
  end)

  describe("canary_routing", function()
    local function start(percent)
      return example("canary_routing", { CANARY_PERCENT = tostring(percent),
        STABLE_SERVER = origin("stable").address, CANARY_SERVER = origin("canary").address })
    end

    it("does what a request asks for", function()
      local g = start(0)
      local res = g:get("/x", { headers = { ["X-Canary"] = "always" } })
      assert.equal("canary GET /x", res.body)
      assert.equal("canary", res.headers["x-version"])
      assert.matches("^canary=always; Path=/", res.headers["set-cookie"])
      res = g:get("/x", { headers = { Cookie = "a=b; canary=always" } })
      assert.equal("canary GET /x", res.body)
      assert.is_nil(res.headers["set-cookie"])
    end)

    it("gives nobody and everybody to the canary", function()
      local g = start(0)
      assert.equal("stable", g:get("/").headers["x-version"])
      g = start(100)
      assert.equal("canary", g:get("/").headers["x-version"])
      local res = g:get("/", { headers = { ["X-Canary"] = "never" } })
      assert.equal("stable", res.headers["x-version"])
    end)

    it("keeps a client where it is, and splits many", function()
      local g = start(50)
      local count = { stable = 0, canary = 0 }
      for i = 1, 60 do
        local headers = { Cookie = "session=client" .. i }
        local version = g:get("/", { headers = headers }).headers["x-version"]
        assert.equal(version, g:get("/", { headers = headers }).headers["x-version"])
        count[version] = count[version] + 1
      end
      assert.is_true(count.stable > 10 and count.canary > 10)
    end)
  end)

  describe("edge", function()
    local function start(seconds)
      local o = origin "shop"
      return example("edge", { SHOP_SERVER = o.address, SLOW_SECONDS = seconds or "60" }), o
    end

    it("redirects with what the path captured", function()
      local g = start()
      local res = g:get("/a/b?c=d", { host = "www.shop.test" })
      assert.equal(308, res.status)
      assert.equal("http://shop.test/a/b?c=d", res.headers.location)
      res = g:get("/old/7?c=d", { host = "shop.test" })
      assert.equal(302, res.status)
      assert.equal("/items/7?c=d", res.headers.location)
    end)

    it("rewrites the path on the way up", function()
      local g = start()
      local res = g:get("/items/7?full=1", { host = "shop.test" })
      assert.equal("shop GET /v2/catalogue/7?full=1", res.body)
      assert.is_nil(res.headers.server)
      assert.equal("nosniff", res.headers["x-content-type-options"])
      assert.equal(405, g:get("/items/7", { host = "shop.test", method = "DELETE" }).status)
      assert.equal(404, g:get("/items/7", { host = "other.test" }).status)
    end)

    it("limits what is uploaded", function()
      local g = start()
      local function put(n)
        return g:get("/upload/x", { host = "img.shop.test", method = "PUT", body = ("x"):rep(n) })
      end
      assert.equal(200, put(65536).status)
      assert.equal(413, put(65537).status)
    end)

    it("believes the forwarding headers of its own host", function()
      local g = start()
      local res = g:get("/whoami/me", { host = "shop.test",
        headers = { ["X-Forwarded-For"] = "203.0.113.9" } })
      for _, field in ipairs { '"name":"me"', '"ip":"203.0.113.9"', '"host":"shop.test"' } do
        assert.matches(field, res.body, 1, true)
      end
    end)

    it("logs what was slow", function()
      local g = start "0"
      g:get("/items/7", { host = "shop.test" })
      t.wait_for("the line", function() return g:stderr():find("slow request", 1, true) end)
      assert.matches('"route":"item"', g:stderr(), 1, true)
      assert.matches('"status":"?200"?', g:stderr())
      assert.matches('"peer":"127%.0%.0%.1:%d+"', g:stderr())
      t.wait_for("the access line", function()
        return g:stdout():find("\"route\":\"item\"", 1, true)
      end)
    end)
  end)
end)

describe("documents", function()
  after_each(t.cleanup)

  -- Stands before snippets that are no whole gateway.
  local FRAME = 'local gate = require "moongate"; gate.listen { "127.0.0.1:0" }; '
    .. 'local shop = gate.upstream("any", { servers = { "127.0.0.1:1" } }); '
    .. 'gate.route { path = "/any", upstream = shop }; '

  local function check(text)
    local folder = t.folder()
    t.write(folder .. "/routes.json", '[{ "path": "/data", "upstream": "any" }]')
    t.write(folder .. "/snippet.lua", text)
    pki.named_in(text, folder)
    return t.run({ "check", folder .. "/snippet.lua" }, { env = { SIGNING_KEY = "k" } })
  end

  for _, path in ipairs { "README.md", "lua/README.md" } do
    it("shows only Lua that is right, in " .. path, function()
      local n = 0
      for block in t.read(path):gmatch "```lua\n(.-)```" do
        n = n + 1
        local whole = block:find('require "moongate"', 1, true)
        local res = check(whole and block or FRAME .. block)
        assert(res.status == 0, block .. "\n" .. res.stderr)
      end
      assert.is_true(n > 0)
    end)
  end

  it("names every hook, option and fault", function()
    local text = t.read "lua/README.md"
    local function named(word)
      assert(text:find("`" .. word .. "`", 1, true) or text:find("`" .. word .. "(", 1, true),
        word .. " is not in lua/README.md")
    end
    local fields = require "moongate.declare.policy"
    for _, hook in ipairs(fields.HOOKS) do named(hook) end
    for file, block in pairs {
      process = 'schema.record%("gate.process", (%b{})', listen = '"gate.listen", (%b{})',
      limits = '"gate.limits", (%b{})', upstream = "local OPTIONS = (%b{})",
      route = "local FIELDS = (%b{})",
    } do
      local n, source = 0, t.read("lua/moongate/declare/" .. file .. ".lua")
      for word, kind in source:match(block):gmatch "\n  ([%a_]+) = ([^\n]*)" do
        n = n + 1
        if not kind:find("schema.later", 1, true) then named(word) end
      end
      assert.is_true(n > 4, file)
    end
    for word in t.read("core/exchange/fault.c"):gmatch '= {"([%w_]+)", [1-5]%d%d,' do
      if word ~= "client_gone" then named(word) end
    end
  end)
end)
