local kept = {}
local calls = {}
local leave

-- What the object itself does; what the engine does is tested against the engine
-- (tests/support/dict_checks.lua).
local engine = require "support.engine" {
  dict_open = function(_, name) return name == "full" and -24 or 3 end,
  dict_value_max = function() return 100 end,
  dict_get = function(_, id, key)
    assert.equal(3, id)
    local v = kept[key]
    if type(v) == "string" then
      leave(v)
      return 2
    end
    if type(v) == "boolean" then return v and 4 or 3 end
    return v == nil and 0 or 1
  end,
  dict_put = function(_, _, key, _, mode, kind, number, text, _, ttl)
    calls[#calls + 1] = { key = key, mode = mode, kind = kind, number = number, text = text,
      ttl = ttl }
    if key == "slow" and #calls < 3 then return 5 end
    if key == "full" then return 6 end
    return key == "refused" and 0 or 1
  end,
}
local shared = require "moongate.shared"

leave = engine.leave

local ffi = require "ffi"
local clock, sequence = ffi.new("uint64_t[1]", 5), ffi.new("uint32_t[1]", 1)

describe("moongate.shared", function()
  local d

  before_each(function()
    calls = {}
    d = shared.open("d", 65536)
  end)

  it("opens, or says why not", function()
    assert.equal("dictionary 'd'", tostring(d))
    assert.same({ nil, 24 }, { shared.open("full", 65536) })
  end)

  it("makes values of what the engine leaves", function()
    kept = { s = "text", t = true, f = false, n = 1 }
    engine.io.number = 7
    engine.io.seen, engine.io.seen_until = 1, 0
    engine.io.now = clock
    engine.io.seen_at = sequence
    assert.equal("text", d:get "s")
    assert.is_true(d:get "t")
    assert.is_false(d:get "f")
    assert.equal(7, d:get "n")
    assert.is_nil(d:get "none")
    assert.is_nil(d:get(("k"):rep(4097)))
  end)

  it("asks again only when something has changed, or after a while", function()
    kept = { n = 1 }
    engine.io.number = 7
    engine.io.seen, engine.io.seen_until = 1, 10
    engine.io.now, engine.io.seen_at = clock, sequence
    assert.equal(7, d:get "n")
    engine.io.number = 8
    assert.equal(7, d:get "n")
    sequence[0] = 3
    engine.io.seen = 3
    assert.equal(8, d:get "n")
    engine.io.number = 9
    assert.equal(8, d:get "n")
    clock[0] = 10
    assert.equal(9, d:get "n")
  end)

  it("hands over kind, number, text and ttl", function()
    assert.is_true(d:set("k", "v", "2m"))
    assert.same({ key = "k", mode = 0, kind = 2, number = 0, text = "v", ttl = 120 }, calls[1])
    d:add("k", 5)
    assert.same({ key = "k", mode = 1, kind = 1, number = 5, text = "", ttl = -1 }, calls[2])
    d:replace("k", true, 0)
    assert.same({ key = "k", mode = 2, kind = 4, number = 0, text = "", ttl = 0 }, calls[3])
    -- What `ttl` says of a key that never ends.
    d:set("k", 5, math.huge)
    assert.same({ key = "k", mode = 0, kind = 1, number = 5, text = "", ttl = -1 }, calls[4])
    assert.has_error(function() d:set("k", 5, -math.huge) end)
  end)

  it("asks again while room is being made", function()
    assert.is_true(d:set("slow", 1))
    assert.equal(3, #calls)
  end)

  it("tells full from refused", function()
    assert.is_false(d:add("refused", 1))
    local ok, err = d:set("full", 1)
    assert.is_nil(ok)
    assert.same({ "full", "the dictionary is full" }, { err.code, tostring(err) })
    ok, err = d:set("full", ("v"):rep(101))
    assert.is_nil(ok)
    assert.equal("the value is longer than the dictionary takes", tostring(err))
  end)

  it("raises for misuse", function()
    for message, fn in pairs {
      ["called with a colon"] = function() d.get("k") end,
      ["a key is a string, not a number"] = function() d:get(1) end,
      ["not a function"] = function() d:set("k", print) end,
      ["did you mean 'incr'"] = function() d:inc("k") end,
      ["has no fields to set"] = function() d.k = 1 end,
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.truthy(err:find(message, 1, true), err)
    end
  end)
end)
