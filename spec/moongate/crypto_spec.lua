local hashed

require "support.engine" {
  hash_begin = function(_, key, _, keyed)
    hashed = { key = key, keyed = keyed, pieces = {} }
    return 1
  end,
  hash_add = function(_, piece, n)
    assert(n == #piece and n <= 65536)
    table.insert(hashed.pieces, piece)
    return 1
  end,
  hash_end = function() return 1 end,
  equal = function(a, b, n) assert(n <= 65536) return a == b and 1 or 0 end,
}
local crypto = require "moongate.crypto"

describe("moongate.crypto", function()
  it("encodes base64 as RFC 4648 section 10 does", function()
    local expected = { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
      fooba = "Zm9vYmE=", foobar = "Zm9vYmFy" }
    for plain, text in pairs(expected) do
      assert.equal(text, crypto.base64(plain))
      assert.equal(plain, crypto.unbase64(text))
      assert.equal(plain, crypto.unbase64((text:gsub("=", ""))))
      assert.equal((text:gsub("=", "")), crypto.base64url(plain))
    end
    assert.equal("-_-_", crypto.base64url("\251\255\191"))
    assert.equal("+/+/", crypto.base64("\251\255\191"))
  end)

  it("decodes what it has encoded, whatever the bytes", function()
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    local bytes = table.concat(all)
    for n = 0, 8 do
      local text = bytes .. bytes:sub(1, n)
      assert.equal(text, crypto.unbase64(crypto.base64(text)))
      assert.equal(text, crypto.unbase64url(crypto.base64url(text)))
      assert.equal(text, crypto.unhex(crypto.hex(text)))
    end
  end)

  it("refuses what is no base64", function()
    for _, bad in ipairs { "Z", "Zg===", "Z*==", "Zg==Zg==", "Zh==", "Zm9=", " Zg==", "Zm9v\n",
      "-_-_", "Zg=", "Zm9v=", "Zm9v==", "==" } do
      local text, err = crypto.unbase64(bad)
      assert.is_nil(text, bad)
      assert.equal("malformed", err.code)
      assert.equal("this is not base64", tostring(err))
    end
    assert.is_nil((crypto.unbase64url("+/+/")))
    assert.is_nil((crypto.unbase64url("Zg=")))
  end)

  it("writes and reads hexadecimal", function()
    assert.equal("00ff7a", crypto.hex("\0\255z"))
    assert.equal("\0\255z", crypto.unhex("00FF7a"))
    for _, bad in ipairs { "0", "0g", "0x", " 00" } do
      local text, err = crypto.unhex(bad)
      assert.is_nil(text)
      assert.equal("malformed", err.code)
      assert.equal("this is not hexadecimal", err.message)
    end
  end)

  it("hands long texts over in slices", function()
    crypto.sha256(("x"):rep(200000))
    assert.equal(4, #hashed.pieces)
    assert.equal(200000, #table.concat(hashed.pieces))
    crypto.sha256("")
    assert.equal(0, #hashed.pieces)
  end)

  it("shortens a long key as HMAC does", function()
    crypto.hmac_sha256("k", "text")
    assert.equal("k", hashed.key)
    assert.equal(1, hashed.keyed)
    crypto.hmac_sha256(("k"):rep(70000), "text")
    assert.equal(32, #hashed.key)
  end)

  it("compares long texts to their end", function()
    local a = ("x"):rep(100000)
    assert.is_true(crypto.equal(a, a))
    assert.is_false(crypto.equal(a, "y" .. a:sub(2)))
    assert.is_false(crypto.equal(a, a .. "x"))
  end)

  it("says what it needs", function()
    assert.has_error(function() crypto.sha256({}) end)
    assert.has_error(function() crypto.hex(nil) end)
    assert.has_error(function() crypto.random(-1) end)
    assert.has_error(function() crypto.random(1.5) end)
  end)
end)
