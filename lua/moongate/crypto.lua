--- `gate.crypto`: SHA-256 and HMAC (raw bytes), encodings, comparison in constant time, randomness.
--- Everything works in slices, so that no single call into C is long. Legal at load and later.

local engine = require "moongate.engine"
local errors = require "moongate.errors"
local ffi = require "ffi"
local place = require "moongate.declare.place"
local strict = require "moongate.declare.strict"

local M = {}

local api, vm = engine.api, engine.vm
local raise = place.raise
local byte, char, concat, format = string.byte, string.char, table.concat, string.format

--- Bytes handed over at a time.
local SLICE = 65536
local DIGEST = ffi.new("uint8_t[32]")

local function check(name, text)
  if type(text) == "number" then return tostring(text) end
  if type(text) ~= "string" then place.misuse("gate.crypto." .. name, "a string", text) end
  return text
end

--- What decoders answer for a text that is none of theirs.
---@param what string
---@return nil
---@return moongate.Error
local function malformed(what)
  return nil, errors.new("malformed", "this is not " .. what)
end

local function hash(key, keyed, text)
  local r = api.hash_begin(vm, key, #key, keyed)
  for at = 1, #text, SLICE do
    local piece = #text > SLICE and text:sub(at, at + SLICE - 1) or text
    if r == 1 then r = api.hash_add(vm, piece, #piece) end
  end
  if r == 1 then r = api.hash_end(vm, DIGEST) end
  if r ~= 1 then raise "the hash could not be computed" end
  return ffi.string(DIGEST, 32)
end

--- SHA-256 of a string, 32 raw bytes.
---@param text string
---@return string
function M.sha256(text)
  return hash("", 0, check("sha256", text))
end

--- HMAC-SHA-256, 32 raw bytes.
---@param key string
---@param text string
---@return string
function M.hmac_sha256(key, text)
  key = check("hmac_sha256", key)
  -- What HMAC itself does with a long key.
  if #key > SLICE then key = M.sha256(key) end
  return hash(key, 1, check("hmac_sha256", text))
end

--- Whether two strings are equal, in a time that does not tell where they differ.
---@param a string
---@param b string
---@return boolean
function M.equal(a, b)
  a, b = check("equal", a), check("equal", b)
  if #a ~= #b then return false end
  local same = true
  for at = 1, #a, SLICE do
    local x, y = a:sub(at, at + SLICE - 1), b:sub(at, at + SLICE - 1)
    if api.equal(x, y, #x) == 0 then same = false end
  end
  return same
end

--- Random bytes, fit for keys.
---@param n integer 0 to 65536
---@return string
function M.random(n)
  if type(n) ~= "number" or n < 0 or n > SLICE or n % 1 ~= 0 then
    place.misuse("gate.crypto.random", "a number of bytes from 0 to 65536", n)
  end
  local buffer = ffi.new("uint8_t[?]", n + 1)
  if api.random(vm, buffer, n) ~= 1 then raise "the system has no randomness" end
  return ffi.string(buffer, n)
end

local HEX = {}
for i = 0, 255 do HEX[i] = format("%02x", i) end

--- Bytes as lower-case hexadecimal digits.
---@param text string
---@return string
function M.hex(text)
  text = check("hex", text)
  local out = {}
  for i = 1, #text do out[i] = HEX[byte(text, i)] end
  return concat(out)
end

--- The bytes of hexadecimal digits; nil when the text is none.
---@param text string
---@return string|nil
---@return moongate.Error|nil err malformed
function M.unhex(text)
  text = check("unhex", text)
  if #text % 2 ~= 0 or text:find("%X") then return malformed "hexadecimal" end
  local out = {}
  for i = 1, #text, 2 do out[#out + 1] = char(tonumber(text:sub(i, i + 1), 16)) end
  return concat(out)
end

--- Tables of one alphabet: characters by value, values by character code.
local function alphabet(last_two)
  local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" .. last_two
  local to, from = {}, {}
  for i = 0, 63 do
    to[i] = letters:sub(i + 1, i + 1)
    from[byte(to[i])] = i
  end
  return to, from
end

local PLAIN, FROM_PLAIN = alphabet("+/")
local URL, FROM_URL = alphabet("-_")

local function encode(text, to, padding)
  local out, n, length = {}, 0, #text
  for i = 1, length, 3 do
    local a, b, c = byte(text, i, i + 2)
    local v = a * 65536 + (b or 0) * 256 + (c or 0)
    out[n + 1] = to[(v - v % 262144) / 262144]
    out[n + 2] = to[(v % 262144 - v % 4096) / 4096]
    out[n + 3] = b and to[(v % 4096 - v % 64) / 64] or padding
    out[n + 4] = c and to[v % 64] or padding
    n = n + 4
  end
  return concat(out)
end

--- The bytes of up to four digits.
local function group(a, b, c, d)
  local v = a * 262144 + b * 4096 + (c or 0) * 64 + (d or 0)
  local x, y, z = (v - v % 65536) / 65536, (v % 65536 - v % 256) / 256, v % 256
  -- Bits behind the last byte must be zero: one text for one value.
  if not c then return y == 0 and z == 0 and char(x) or nil end
  if not d then return z == 0 and char(x, y) or nil end
  return char(x, y, z)
end

--- The text without its padding; nil when that does not fill the last group.
local function unpadded(text)
  local digits = text:gsub("==?$", "")
  if #digits < #text and #text % 4 ~= 0 then return nil end
  return digits
end

local function decode(text, from)
  text = unpadded(text)
  if not text or #text % 4 == 1 then return malformed "base64" end
  local out, n = {}, #text
  for i = 1, n, 4 do
    local a, b, c, d = byte(text, i, i + 3)
    a, b, c, d = from[a], from[b], c and (from[c] or -1), d and (from[d] or -1)
    if not a or not b or c == -1 or d == -1 then return malformed "base64" end
    local piece = group(a, b, c, d)
    if not piece then return malformed "base64" end
    out[#out + 1] = piece
  end
  return concat(out)
end

--- Base64 with padding (RFC 4648 section 4).
---@param text string
---@return string
function M.base64(text)
  return encode(check("base64", text), PLAIN, "=")
end

--- The bytes of base64 text, padded or not; nil when it is none.
---@param text string
---@return string|nil
---@return moongate.Error|nil err malformed
function M.unbase64(text)
  return decode(check("unbase64", text), FROM_PLAIN)
end

--- Base64 for URLs, without padding (RFC 4648 section 5).
---@param text string
---@return string
function M.base64url(text)
  return encode(check("base64url", text), URL, "")
end

--- The bytes of base64url text, padded or not; nil when it is none.
---@param text string
---@return string|nil
---@return moongate.Error|nil err malformed
function M.unbase64url(text)
  return decode(check("unbase64url", text), FROM_URL)
end

--- Makes `gate.crypto`.
---@return table
function M.new()
  local crypto = {}
  for name, fn in pairs(M) do
    if name ~= "new" then crypto[name] = fn end
  end
  return strict.table(crypto, "gate.crypto")
end

return M
