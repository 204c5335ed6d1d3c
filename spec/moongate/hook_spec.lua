local calls

local engine = require "support.engine" {
  upstream_use = function(_, _, _, ordinal) calls[#calls + 1] = "upstream " .. ordinal return 1 end,
  route_find = function(_, _, _, name)
    calls[#calls + 1] = "route " .. name
    return name == "known" and 1 or 0
  end,
  reply_begin = function(_, _, _, status) calls[#calls + 1] = "reply " .. status return 1 end,
  number = function() return 1 end,
}
engine.api.text = function() return engine.leave("text") end
local handle = require "moongate.handle"
local hook = require "moongate.hook"
local reply = require "moongate.reply"
local upstream = require "moongate.declare.upstream"

local up = upstream.new("o", 3)

-- Runs a chain of functions that return the given values; answers what happened.
local function run(name, ...)
  local fns, names = {}, {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    fns[i] = function() calls[#calls + 1] = i return value end
    names[i] = "p" .. i
  end
  calls = {}
  engine.io.start, engine.io.id, engine.io.serial = 1, 7, 9
  hook.chain(name, fns, names)()
  return table.concat(calls, " ")
end

describe("moongate.hook", function()
  it("calls all policies of a chain, with the request", function()
    local seen
    calls = {}
    engine.io.start, engine.io.handle = 1, 9 * 2ULL^32 + 7
    hook.chain("request", { function(req) seen = req end }, { "p" })()
    assert.same({ 7, 9 }, { handle.split(seen) })
    assert.equal("1 2 3", run("request", nil, nil, nil))
    assert.equal(3, engine.io.at)
  end)

  it("ends at a reply, not at an upstream", function()
    assert.equal("1 reply 403", run("request", reply.reply(403), nil))
    assert.equal("1 upstream 3 2", run("request", up, nil))
    assert.equal("1 upstream 3", run("route", up, nil))
    assert.equal("1 route known", run("route", "known", nil))
  end)

  it("begins where it is told", function()
    local fns = {}
    for i = 1, 3 do fns[i] = function() calls[#calls + 1] = i end end
    calls = {}
    engine.io.start = 2
    hook.chain("request", fns, { "a", "b", "c" })()
    assert.equal("2 3", table.concat(calls, " "))
    calls = {}
    engine.io.start = 4
    hook.chain("request", fns, { "a", "b", "c" })()
    assert.equal("", table.concat(calls, " "))
  end)

  it("returns before the entry where it is told to, while it runs", function()
    for _, n in ipairs { 5, 50 } do
      local fns, names = {}, {}
      for i = 1, n do
        fns[i] = function()
          calls[#calls + 1] = i
          if i == 2 then engine.stop[0] = 0 end
        end
        names[i] = "p"
      end
      for _, name in ipairs { "request", "log" } do
        local chain = hook.chain(name, fns, names)
        calls, engine.io.start = {}, 1
        chain()
        assert.same({ "1 2", -3 }, { table.concat(calls, " "), engine.io.start })
        calls, engine.io.start, engine.stop[0] = {}, 3, 5
        chain()
        assert.same({ "3 4", -5 }, { table.concat(calls, " "), engine.io.start })
        engine.stop[0] = 2 ^ 31 - 1
      end
    end
  end)

  it("writes every length of chain", function()
    for _, n in ipairs { 0, 1, 2, 39, 40, 41, 100 } do
      local count, fns, names = 0, {}, {}
      for i = 1, n do
        fns[i] = function() count = count + 1 end
        names[i] = "p"
      end
      for _, name in ipairs { "request", "response", "log" } do
        count, engine.io.start = 0, 1
        hook.chain(name, fns, names)()
        assert.equal(n, count)
      end
    end
  end)

  it("refuses other values, naming policy and hook", function()
    local function refused(name, value, pattern)
      local ok, err = pcall(run, name, nil, value)
      assert.is_false(ok)
      assert.is_truthy(err:find(pattern, 1, true), err)
    end
    refused("request", true, "the request hook of policy 'p2' returned true; gate.reply(...), an")
    refused("request", "x", "returned 'x'")
    refused("response", up, "returned upstream 'o'; gate.reply(...), gate.retry(...) or nothing")
    refused("log", reply.reply(200), "returned a reply; nothing was expected")
    refused("connect", true, "returned true; false or nothing was expected")
    hook.route_names = { "somewhere" }
    refused("route", "nowhere", "returned 'nowhere'; there is no route of that name")
    refused("route", "somwhere", "there is no route of that name; did you mean 'somewhere'?")
    refused("fault", {}, "returned a table")
  end)

  it("asks when and handler", function()
    calls = {}
    hook.when(function() return "yes" end)()
    assert.equal(1, engine.io.truth)
    hook.when(function() end)()
    assert.equal(0, engine.io.truth)
    hook.handler(function() return reply.reply(200) end, "r")()
    hook.handler(function() return up end, "r")()
    assert.same({ "reply 200", "upstream 3" }, calls)
    local ok, err = pcall(hook.handler(function() end, "r"))
    assert.is_false(ok)
    assert.is_truthy(err:find("the handler of route 'r' returned nothing; gate.reply(", 1, true))
  end)
end)
