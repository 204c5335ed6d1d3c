local nearest = require "moongate.nearest"

describe("moongate.nearest", function()
  it("counts insertions, deletions, substitutions and swaps as one", function()
    assert.equal(0, nearest.distance("route", "route"))
    assert.equal(1, nearest.distance("route", "routes"))
    assert.equal(1, nearest.distance("route", "rout"))
    assert.equal(1, nearest.distance("route", "roube"))
    assert.equal(1, nearest.distance("GET", "GTE"))
    assert.equal(3, nearest.distance("", "abc"))
    assert.equal(3, nearest.distance("kitten", "sitting"))
  end)

  it("finds the name that was meant", function()
    assert.equal("service", nearest.find("sevice", { "route", "service" }))
    assert.equal("GET", nearest.find("GTE", { "GET", "PUT", "POST" }))
    assert.equal("weight", nearest.find("wieght", { weight = true, zone = true }))
    assert.equal("headers", nearest.find("heders", { "headers", "header_count" }))
    assert.equal("GET", nearest.find("get", { "GET" }))
  end)

  it("finds nothing where nothing is near", function()
    assert.is_nil(nearest.find("xyzzy", { "route", "service" }))
    assert.is_nil(nearest.find("a", { "b" }))
    assert.is_nil(nearest.find("", { "a" }))
    assert.is_nil(nearest.find(5, { "a" }))
    assert.is_nil(nearest.find(("x"):rep(1000), { ("x"):rep(999) }))
  end)

  it("always chooses the same of two equally near names", function()
    for _ = 1, 20 do
      assert.equal("abca", nearest.find("abc", { abcb = 1, abca = 1, abcc = 1 }))
    end
  end)
end)
