-- covers: run/watcher.c
local t = require "e2e.support"

local function text(word, more)
  return ([[
    %s
    gate.listen { "127.0.0.1:0" }
    gate.route { name = "word", path = "/word", reply = { 200, "%s" } }
  ]]):format(more or "", word)
end

local function start(source, options)
  options = options or {}
  options.watch = true
  return t.gateway(source, options)
end

local function says(g, word)
  t.wait_for(word, function() return g:get("/word").body == word end)
end

--- Gives the watcher every reason to act, then makes sure that it did not: what it would have done
-- would be done before a later change is.
local function reloads_after(g, word, change)
  local before = tonumber((g:status "reloads"))
  change()
  says(g, word)
  return tonumber((g:status "reloads")) - before
end

describe("watching", function()
  after_each(t.cleanup)

  it("serves a save within a second", function()
    local g = start(text "one", { supervised = true, args = { "--workers", "2" } })
    local saves, quick = 0, 0
    -- A machine that does other things may take longer, now and then.
    t.wait_for("three quick ones", function()
      local before = t.now()
      saves = saves + 1
      g:rewrite(text("save " .. saves))
      says(g, "save " .. saves)
      quick = quick + (t.now() - before < 1 * t.slow and 1 or 0)
      return quick == 3
    end)
    assert.equal(tostring(saves), g:status "reloads")
  end)

  it("knows how editors save", function()
    local g = start(text "one")
    local ways = {
      function(path, new) -- a new file takes the place
        t.write(path .. ".new", new)
        assert(os.rename(path .. ".new", path))
      end,
      function(path, new) -- the old one is put aside
        assert(os.rename(path, path .. "~"))
        t.write(path, new)
      end,
      function(path, new) -- removed, written
        os.remove(path)
        t.write(path, new)
      end,
      function(path, new) -- by and by
        local file = assert(io.open(path, "wb"))
        for piece in new:gmatch "[^\n]*\n?" do
          file:write(piece)
          file:flush()
        end
        file:close()
      end,
    }
    for i, way in ipairs(ways) do
      way(g.file, t.prelude .. text("way " .. i))
      says(g, "way " .. i)
    end
    assert.equal("0", g:status "reloads_failed")
  end)

  it("follows symbolic links of files and folders", function()
    local store = t.folder()
    os.execute(("mkdir %s/v1 %s/v2"):format(store, store))
    for i = 1, 2 do t.write(store .. "/v" .. i .. "/gateway.lua", t.prelude .. text("v" .. i)) end
    local function point(version)
      os.execute(("ln -sfn v%d %s/tmp && mv -T %s/tmp %s/current"):format(version, store, store,
        store))
    end
    point(1)
    local dir = t.folder()
    os.execute(("ln -s %s/current/gateway.lua %s/gateway.lua"):format(store, dir))
    local g = start(nil, { args = { dir .. "/gateway.lua" } })
    says(g, "v1")
    point(2)
    says(g, "v2")
    t.write(store .. "/v2/gateway.lua", t.prelude .. text "v2 changed")
    says(g, "v2 changed")
    point(1)
    says(g, "v1")
  end)

  it("watches modules and data, also those that are not there yet", function()
    local g = start(text("x", [[local words = require "words"
      gate.route { path = "/module", reply = { 200, words.word } }
      gate.routes(gate.data "more")]]), { files = {
      ["words.lua"] = 'return { word = "first" }',
      ["more.json"] = '[{"path": "/data", "reply": [200, "first"]}]',
    } })
    local function module_says(word)
      t.wait_for(word, function() return g:get("/module").body == word end)
    end
    t.write(g.dir .. "/words.lua", 'return { word = "second" }')
    module_says "second"
    t.write(g.dir .. "/more.json", '[{"path": "/data", "reply": [200, "changed"]}]')
    t.wait_for("the data", function() return g:get("/data").body == "changed" end)
    -- It was looked for in scripts/, which comes after the place beside the file.
    os.execute("mkdir " .. g.dir .. "/scripts")
    t.write(g.dir .. "/scripts/words.lua", 'return { word = "in scripts" }')
    os.remove(g.dir .. "/words.lua")
    module_says "in scripts"
    t.write(g.dir .. "/words.lua", 'return { word = "beside again" }')
    module_says "beside again"
  end)

  it("finds the module whose lack made a load fail", function()
    local g = start(text "one")
    g:rewrite(text("two", 'require "later"'))
    t.wait_for("the failure", function() return g:status "reloads_failed" == "1" end)
    assert.equal("one", g:get("/word").body)
    t.write(g.dir .. "/later.lua", "return 1")
    says(g, "two")
  end)

  it("keeps serving while the file is wrong, and says why", function()
    local g = start(text "one")
    g:rewrite "oops("
    t.wait_for("the log line", function() return g:stderr():find "reload refused" end)
    assert.equal("one", g:get("/word").body)
    local out = t.run { "generations", "--socket", g.socket }
    assert.matches("the last reload was refused:\ngateway.lua:1: ", out.stdout, 1, true)
    -- Put back as it was, there is nothing to serve anew.
    g:rewrite(text "one")
    t.wait_for("the error to go", function() return not g:status():find "last_reload.*error" end)
    assert.equal("1", g:status "generation")
    g:rewrite(text "two")
    says(g, "two")
  end)

  it("is not moved by other files, nor by files that say the same", function()
    local g = start(text "one", { files = { ["other.lua"] = "x" } })
    local n = reloads_after(g, "two", function()
      for _ = 1, 20 do t.write(g.dir .. "/other.lua", "y") end
      g:rewrite(text "two")
    end)
    assert.equal(1, n)
    assert.equal("0", g:status "reloads_failed")
    n = reloads_after(g, "three", function()
      g:rewrite(text "two")
      t.sleep(0.3) -- quiet for long enough: it is looked at, and dropped
      g:rewrite(text "three")
    end)
    assert.equal(1, n)
    assert.equal("3", g:status "generation")
  end)

  it("leaves it to signals and commands when told to", function()
    local g = t.gateway(text "one")
    local watched = start(nil, { args = { g.file, "--listen", "127.0.0.1:0" } })
    g:rewrite(text "two")
    says(watched, "two")
    assert.equal("one", g:get("/word").body)
    assert.equal(0, t.run({ "reload", "--socket", g.socket }).status)
    assert.equal("two", g:get("/word").body)
  end)
end)
