-- What `cmake --install` leaves behind works on its own.
local t = require "e2e.support"

describe("an installed gateway", function()
  local dir, build, program, doc

  setup(function()
    dir = t.folder()
    build = t.binary:match "^(.*)/[^/]+$" or "."
    program, doc = dir .. "/bin/moongate", dir .. "/share/doc/moongate"
    assert(os.execute(("cmake --install '%s' --prefix '%s' > '%s/log' 2>&1")
      :format(build, dir, dir)) == 0, t.read(dir .. "/log"))
  end)

  teardown(t.cleanup)

  it("has pages without a dead link", function()
    local pages, links = 0, 0
    for page in io.popen(("find '%s' -name '*.md'"):format(doc)):lines() do
      local folder = page:match "^(.*)/"
      pages = pages + 1
      for target in t.read(page):gmatch "%]%(([^)#]+)[^)]*%)" do
        if not target:find "^%a+://" then
          links = links + 1
          local there = folder .. "/" .. target
          assert.is_truthy((os.rename(there, there)), page .. " links to " .. target)
        end
      end
    end
    assert.is_true(pages >= 5 and links > 8)
  end)

  it("has a program that checks the examples", function()
    local examples = 0
    for file in io.popen(("ls '%s'/examples/*.lua"):format(doc)):lines() do
      local p = t.process.start({ program, "check", file }, { stderr = dir .. "/stderr",
        env = { API_KEY_HASHES = ("0"):rep(64) } })
      assert.equal(0, p:wait(t.patience), t.read(dir .. "/stderr"))
      examples = examples + 1
    end
    assert.is_true(examples >= 4)
  end)

  it("has the library that editors look into", function()
    local path = t.read(doc .. "/examples/.luarc.json"):match '"workspace.library": %[ *"([^"]+)"'
    assert.matches("%-%-%-@class", t.read(doc .. "/examples/" .. path .. "/moongate/init.lua"))
  end)
end)
