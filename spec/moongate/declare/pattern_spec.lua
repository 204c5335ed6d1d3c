local pattern = require "moongate.declare.pattern"

describe("moongate.declare.pattern", function()
  it("reads prefixes, exact paths and captures", function()
    assert.same({ prefix = true, captures = {} }, pattern.parse "/")
    assert.same({ prefix = true, captures = {} }, pattern.parse "/a/")
    assert.same({ prefix = false, captures = {} }, pattern.parse "/a")
    assert.same({ prefix = false, captures = { id = true } }, pattern.parse "/users/:id")
    assert.same({ prefix = true, captures = { id = true } }, pattern.parse "/users/:id/")
    assert.same({ prefix = false, captures = { id = true, rest = true } },
      pattern.parse "/users/:id/files/*rest")
    assert.same({ prefix = false, captures = {} }, pattern.parse "/v1/x:batch")
    assert.is_table(pattern.parse "/a%2Fb%25")
    assert.is_table(pattern.parse "/a/{}/{b-c}/x{d}")
  end)

  it("says what is wrong", function()
    for path, why in pairs {
      [""] = "begins with '/'", ["a"] = "begins with '/'", ["/a?b"] = "use `query`",
        ["/a#b"] = "use `query`",
      ["/a\nb"] = "control character", ["/:"] = "needs a name", ["/*"] = "needs a name",
      ["/:1a"] = "needs a name", ["/:a-b"] = "needs a name", ["/*a/b"] = "must come last",
      ["/*rest/"] = "must come last", ["/:a/:a"] = "stands twice", ["/:a/*a"] = "stands twice",
      ["/a//b"] = "'//' never stands", ["//a"] = "'//' never stands", ["/a*"] = "'*' stands only",
      ["/a/*.png/b"] = "needs a name", ["/a/b*c/"] = "'*' stands only",
      ["/users/{id}"] = "a capture is written ':id', not '{id}'",
      ["/../a"] = "never stands", ["/a/."] = "never stands", ["/a%20b"] = "'%20' never matches",
      ["/a%2fb"] = "'%2f' never matches",
      ["/\255"] = "it is no UTF-8",
    } do
      local parsed, reason = pattern.parse(path)
      assert.is_nil(parsed, path)
      assert.truthy(reason:find(why, 1, true), path .. ": " .. reason)
    end
    assert.is_nil((pattern.parse(5)))
  end)

  it("holds paths to what the router has room for", function()
    local function captures(n)
      local list = {}
      for i = 1, n do list[i] = ":c" .. i end
      return "/" .. table.concat(list, "/")
    end
    assert.is_table(pattern.parse(captures(16)))
    assert.is_table(pattern.parse(captures(15) .. "/"))
    assert.truthy(select(2, pattern.parse(captures(17))):find("at most 16", 1, true))
    assert.truthy(select(2, pattern.parse(captures(16) .. "/")):find("at most 16", 1, true))
    assert.truthy(select(2, pattern.parse(captures(16) .. "/*r")):find("at most 16", 1, true))
    assert.is_table(pattern.parse("/" .. ("x/"):rep(63) .. ":id"))
    assert.is_table(pattern.parse("/" .. ("x/"):rep(500) .. "*rest"))
    assert.truthy(select(2, pattern.parse("/" .. ("x/"):rep(64) .. ":id"))
      :find("within the first 64", 1, true))
    assert.truthy(select(2, pattern.parse("/" .. ("x/"):rep(1001)))
      :find("at most 1000 segments", 1, true))
  end)

  it("checks that templates use captures of the path", function()
    local function check(path, template)
      local parts = pattern.check_template(template, (pattern.parse(path)))
      return parts and parts.message, parts and parts.nearest
    end
    assert.is_nil(check("/old/*rest", "/new/*rest"))
    assert.is_nil(check("/u/:id", "https://x.example:8080/:id?a=:b"))
    assert.is_nil(check("/old/", "/new/*"))
    assert.is_nil(check("/old", "/new"))
    local message, near = check("/u/:user_id", "/v2/:userid")
    assert.equal("the path has no capture 'userid'; did you mean 'user_id'?", message)
    assert.equal(":user_id", near)
    assert.truthy(check("/old", "/new/*"):find("no prefix", 1, true))
    assert.truthy(check("/old/", "/new/*rest"):find("no capture 'rest'", 1, true))
    assert.truthy(check("/u/:id", "/:"):find("no capture", 1, true))
  end)
end)
