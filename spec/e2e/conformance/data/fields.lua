--- Header lists that are malformed (RFC 9113 section 8), and blocks that cannot be decoded (RFC
--- 7541).
local h2 = require "e2e.vectors.h2"

local END, WHOLE = h2.END, h2.WHOLE
local MALFORMED = "rst:PROTOCOL_ERROR"

local function fields(w)
  local function with(name, value) return w:headers(w:block(nil, { { name, value } })) end
  w:add("8.2", "a name with capitals", MALFORMED, with("X-TEST", "ok"))
  w:add("8.2.1", "a name that is no token", MALFORMED, with("x test", "ok"))
  w:add("8.2.1", "a value with a line end", MALFORMED, with("x-test", "a\nb"))
  w:add("8.2.1", "a value with a space before it", MALFORMED, with("x-test", " a"))
  w:add("8.2.2", "connection", MALFORMED, with("connection", "keep-alive"))
  w:add("8.2.2", "keep-alive", MALFORMED, with("keep-alive", "timeout=5"))
  w:add("8.2.2", "proxy-connection", MALFORMED, with("proxy-connection", "close"))
  w:add("8.2.2", "transfer-encoding", MALFORMED, with("transfer-encoding", "chunked"))
  w:add("8.2.2", "upgrade", MALFORMED, with("upgrade", "websocket"))
  w:add("8.2.2", "te with more than trailers", MALFORMED,
    w:headers(w:block(nil, { { "trailers", "test" }, { "te", "trailers, deflate" } })))
  w:add("8.3", "an unknown pseudo-field", MALFORMED, with(":test", "ok"))
  w:add("8.3", "the pseudo-field of answers", MALFORMED, with(":status", "200"))
  w:add("8.3", "pseudo-fields behind others", MALFORMED,
    w:headers(h2.field("x-test", "ok") .. w:block()))
end

local function pseudo_fields(w)
  local function without(name) return w:headers(w:block { [name] = false }) end
  w:add("8.3.1", "an empty :path", MALFORMED, w:headers(w:block { [":path"] = "" }))
  w:add("8.3.1", "no :method", MALFORMED, without ":method")
  w:add("8.3.1", "neither :method nor :scheme", MALFORMED,
    w:headers(w:block { [":method"] = false, [":scheme"] = false }))
  w:add("8.3.1", "no :scheme", MALFORMED, without ":scheme")
  w:add("8.3.1", "no :path", MALFORMED, without ":path")
  for _, twice in ipairs {
    { ":method", "GET" }, { ":scheme", w.target.scheme }, { ":path", "/" },
    { ":authority", w.target.authority },
  } do
    w:add("8.3.1", twice[1] .. " twice", MALFORMED, w:headers(w:block(nil, { twice })))
  end
end

--- CONNECT, and that of RFC 8441 with `:protocol`.
local function connects(w)
  local authority = { ":authority", w.target.authority }
  local function connect(...)
    return w:headers(h2.block { { ":method", "CONNECT" }, ... })
  end
  w:add("8.5", "CONNECT with a :path", MALFORMED, connect(authority, { ":path", "/" }))
  w:add("8.5", "CONNECT with a :scheme", MALFORMED,
    connect(authority, { ":scheme", w.target.scheme }))
  w:add("8.5", "CONNECT without :authority", MALFORMED, connect())
  w:add("RFC 8441 4", ":protocol of another method", MALFORMED,
    w:headers(w:block({ [":path"] = false }, { { ":protocol", "websocket" }, { ":path", "/" } })))
  w:add("RFC 8441 4", ":protocol without :path", MALFORMED, connect(authority,
    { ":scheme", w.target.scheme }, { ":protocol", "websocket" }))
  w:add("RFC 8441 4", ":protocol without :scheme", MALFORMED, connect(authority,
    { ":path", "/" }, { ":protocol", "websocket" }))
end

local function bodies(w)
  local test, one = "test", { { "content-length", "1" } }
  w:add("8.1", "a second head that is not the end", MALFORMED, w:post(), w:data(test),
    w:headers(h2.block { { "x-test", "ok" } }, WHOLE))
  w:add("8.1", "a pseudo-field among trailers", MALFORMED, w:post(), w:data(test),
    w:headers(h2.block { { ":method", "POST" } }))
  w:add("8.1", "a pseudo-field among trailers that are not the end", MALFORMED, w:post(),
    w:data(test), w:headers(h2.block { { ":method", "POST" } }, WHOLE))
  w:add("8.1.1", "DATA longer than content-length", MALFORMED, w:post(one), w:data(test, END))
  w:add("8.1.1", "DATA twice, longer than content-length", MALFORMED, w:post(one), w:data(test),
    w:data(test, END))
  w:add("8.1.1", "DATA shorter than content-length", MALFORMED,
    w:post { { "content-length", "5" } }, w:data(test, END))
  w:add("8.1.1", "no DATA, and a content-length", MALFORMED,
    w:headers(w:block({ [":method"] = "POST" }, one)))
end

local BROKEN = "goaway:COMPRESSION_ERROR"

local function hpack_errors(w)
  local function behind(rep) return w:headers(w:block() .. rep) end
  local test = "\0\133\242\178\74\132\255" -- the name "x-test" by its Huffman code
  w:add("RFC 7541 2.3.3", "an index that is not there", BROKEN, behind "\254")
  w:add("RFC 7541 2.3.3", "a name by an index that is not there", BROKEN, behind "\127\15\4test")
  w:add("RFC 7541 4.2", "a table size at the end of a block", BROKEN, behind "\33")
  w:add("RFC 7541 5.1", "a number without end", BROKEN,
    behind("\255" .. ("\255"):rep(12) .. "\1"))
  w:add("RFC 7541 5.2", "8 bits of padding", BROKEN, behind(test .. "\132\73\80\159\255"))
  w:add("RFC 7541 5.2", "padding of zeros", BROKEN, behind(test .. "\131\73\80\144"))
  w:add("RFC 7541 5.2", "the end of string amid a string", BROKEN,
    behind(test .. "\135\255\255\255\253\37\66\127"))
  w:add("RFC 7541 5.2", "a string longer than its block", BROKEN, behind "\0\6x-test\20short")
  w:add("RFC 7541 6.1", "the index 0", BROKEN, behind "\128")
  w:add("RFC 7541 6.3", "a table size above SETTINGS_HEADER_TABLE_SIZE", BROKEN,
    w:headers("\63\226\31" .. w:block()))
end

--- Every kind of field, by the first byte of the literal.
local function hpack_kinds(w)
  local huffman = { name = "\133\242\178\74\132\255", value = "\132\156\72\172\164" }
  for kind, first in pairs { ["an indexed"] = "\64", ["an unindexed"] = "\0",
    ["a never indexed"] = "\16" } do
    local long = kind == "an indexed" and "\122" or first == "\0" and "\15\43" or "\31\43"
    local function add(form, rep)
      w:add("RFC 7541 6.2", kind .. " literal, " .. form, "answer:200", w:headers(w:block() .. rep))
    end
    add("its name by index", long .. "\6h2spec")
    add("its name by index, by Huffman code", long .. huffman.value)
    add("a new name", first .. "\6x-test\6h2spec")
    add("a new name, by Huffman code", first .. huffman.name .. huffman.value)
  end
  w:add("RFC 7541 6.1", "a field by index", "answer:200", w:headers(w:block() .. "\186"))
  w:add("RFC 7541 6.1", "a field by index of the dynamic table", "answer:200",
    w:headers(w:block() .. "\64\6x-test\5value\190"))
  w:add("RFC 7541 6.3", "a table size", "answer:200", w:headers("\32" .. w:block()))
  w:add("RFC 7541 6.3", "two table sizes", "answer:200", w:headers("\32\63\225\31" .. w:block()))
end

return function(w)
  fields(w)
  pseudo_fields(w)
  connects(w)
  bodies(w)
  hpack_errors(w)
  hpack_kinds(w)
end
