--- What is right, and has to be taken as it is meant.
local connection = require "e2e.conformance.connection"
local h2 = require "e2e.vectors.h2"

local END, WHOLE, PADDED, PRIORITY = h2.END, h2.WHOLE, 8, 32

local function frames(w)
  local post, block = w:post(), w:block()
  w:add("5.1", "PRIORITY on an idle stream", "ping", w:priority(1, 0), w:ping())
  w:add("5.1", "WINDOW_UPDATE when the request is complete", "data:1",
    w:setting(w.WINDOW_SETTING, 0), w:get(), w:window(1, 1))
  w:add("5.1", "PRIORITY when the request is complete", "data:1",
    w:setting(w.WINDOW_SETTING, 0), w:get(), w:priority(1, 0), w:window(1, 1))
  w:add("5.1", "RST_STREAM when the request is complete", "ping", w:get(), w:reset(1), w:ping())
  w:add("5.1", "PRIORITY on a closed stream", "ping", w:get(), connection.ended, w:priority(1, 0),
    w:ping())
  w:add("5.1", "WINDOW_UPDATE on a closed stream", "ping", w:get(), connection.ended,
    w:window(1, 1), w:ping())
  w:add("5.1", "RST_STREAM on a closed stream", "ping", w:get(), connection.ended, w:reset(1),
    w:ping())
  w:add("6.1", "DATA", "answer:200", post, w:data("test", END))
  w:add("6.1", "DATA twice", "answer:200", post, w:data "test", w:data("test", END))
  w:add("6.1", "DATA without content", "answer:200", post, w:data("test"), w:data("", END))
  w:add("6.1", "DATA with padding", "answer:200", post,
    w:data("\6testpadded", END + PADDED))
  w:add("6.1", "DATA of nothing but padding", "answer:200", post, w:data("\3pad", PADDED),
    w:data("\0test", END + PADDED))
  w:add("6.2", "HEADERS with padding", "answer:200",
    w:headers("\8" .. block .. ("\0"):rep(8), END + WHOLE + PADDED))
  w:add("6.2", "HEADERS with a priority", "answer:200",
    w:headers(h2.u32(0) .. "\255" .. block, END + WHOLE + PRIORITY))
  w:add("6.2", "HEADERS with padding and a priority", "answer:200",
    w:headers("\1" .. h2.u32(0x80000000) .. "\0" .. block .. "\0", END + WHOLE + PRIORITY + PADDED))
  w:add("6.3", "PRIORITY with the least weight", "answer:200", w:priority(1, 0, 0), w:get())
  w:add("6.3", "PRIORITY with the greatest weight", "answer:200", w:priority(1, 0, 255), w:get())
  w:add("6.3", "PRIORITY on a later stream", "answer:200", w:priority(3, 1, 0), w:get())
  w:add("6.3", "PRIORITY that excludes others", "answer:200", w:priority(1, 0x80000000, 0), w:get())
  w:add("6.3", "PRIORITY on an idle stream, then a request on one before", "answer:200",
    w:priority(3, 0), w:get())
  w:add("6.4", "RST_STREAM", "ping", w:open(), w:reset(1), w:ping())
  w:add("6.7", "PING", "ping", w:ping())
  w:add("6.7", "PING with ACK is not answered", "ping", h2.frame(h2.PING, h2.ACK, 0, "answered"),
    w:ping())
  w:add("6.8", "GOAWAY", "close", h2.frame(h2.GOAWAY, 0, 0, h2.u32(0) .. h2.u32(0) .. "words"))
  w:add("6.8", "GOAWAY and PING", "ping close", h2.frame(h2.GOAWAY, 0, 0, h2.u32(0) .. h2.u32(0)),
    w:ping())
  w:add("6.8", "GOAWAY amid a request", "last:200", post,
    h2.frame(h2.GOAWAY, 0, 0, h2.u32(0) .. h2.u32(0)), w:data("test", END))
  w:add("6.9", "WINDOW_UPDATE of the connection", "ping", w:window(0, 1), w:ping())
  w:add("6.9", "WINDOW_UPDATE of a stream", "answer:200", w:get(), w:window(1, 1))
  w:add("6.10", "CONTINUATION", "answer:200", w:headers(block:sub(1, 5), END),
    w:continuation(block:sub(6)))
  w:add("6.10", "CONTINUATION twice", "answer:200", w:headers(block:sub(1, 5), END),
    w:continuation(block:sub(6, 10), 0), w:continuation(block:sub(11)))
  w:add("6.10", "CONTINUATION of large fields", "answer:200", w:headers(block, END),
    w:continuation(w.LARGE, 0), w:continuation(w.LARGE))
  w:add("6.10", "CONTINUATION without content", "answer:200", w:headers(block, END),
    w:continuation("", 0), w:continuation "")
  w:add("7", "GOAWAY with an unknown code", "ping close",
    h2.frame(h2.GOAWAY, 0, 0, h2.u32(0) .. h2.u32(0xff)), w:ping())
  w:add("7", "RST_STREAM with an unknown code", "ping", post, w:reset(1, 0xff), w:ping())
end

local function requests(w)
  w:add("8.1", "GET", "answer:200", w:get())
  w:add("8.1", "HEAD", "answer:200", w:headers(w:block { [":method"] = "HEAD" }))
  w:add("8.1", "POST", "answer:200", w:post(), w:data("test", END))
  w:add("8.1", "POST with trailers", "answer:200", w:post { { "trailer", "x-test" } },
    w:data "test", w:headers(h2.block { { "x-test", "ok" } }))
  w:add("8.1", "POST of a known length", "answer:200", w:post { { "content-length", "8" } },
    w:data "test", w:data("test", END))
  w:add("8.1", "trailers in the place of a body", "answer:200", w:post(),
    w:headers(h2.block { { "x-test", "ok" } }))
  w:add("8.2.2", "te: trailers", "answer:200", w:headers(w:block(nil, { { "te", "trailers" } })))
end

local function unknown(w)
  w:add("4.1", "a frame of an unknown type", "ping", h2.frame(0x16, 0, 0, ("\0"):rep(8)), w:ping())
  w:add("4.1", "unknown frames on streams in any state", "answer:200",
    h2.frame(0xfe, 0xff, 1, "idle"), w:open(), h2.frame(0xfe, 0xff, 1, "open"), w:data("", END),
    h2.frame(0xfe, 0xff, 1, "half closed"))
  w:add("4.1", "flags that mean nothing", "ping", h2.frame(h2.PING, 0x16, 0, connection.MARK))
  w:add("4.1", "the reserved bit", "ping",
    h2.frame(h2.PING, 0x16, 0x80000000, connection.MARK))
  w:add("4.1", "the reserved bit of a stream", "answer:200",
    w:headers(w:block(), nil, 0x80000001))
  w:add("5.5", "an unknown frame and others", "ping", h2.frame(0x7f, 0, 0, "extension"), w:ping())
  w:add("6.5.2", "an unknown setting", "ping", w:setting(0xff, 1), w:ping())
  w:add("4.2", "a frame of 2^14 bytes", "answer:200", w:post(),
    w:data(("x"):rep(16384), END))
end

-- RFC 9218.
local function urgency(w)
  local function update(id, value)
    return h2.frame(h2.PRIORITY_UPDATE, 0, 0, h2.u32(id) .. value)
  end
  w:add("RFC 9218 4", "a field of priority", "answer:200",
    w:headers(w:block(nil, { { "priority", "u=1, i" } })))
  w:add("RFC 9218 4", "a field of priority that cannot be read", "answer:200",
    w:headers(w:block(nil, { { "priority", "u=99, (" } })))
  w:add("RFC 9218 7.1", "PRIORITY_UPDATE of an idle stream", "answer:200", update(1, "u=0"),
    w:get())
  w:add("RFC 9218 7.1", "PRIORITY_UPDATE of an open stream", "answer:200", w:open(),
    update(1, "u=7, i"), w:data("", END))
  w:add("RFC 9218 7.1", "PRIORITY_UPDATE of a closed stream", "ping", w:get(), connection.ended,
    update(1, "i"), w:ping())
  w:add("RFC 9218 7.1", "PRIORITY_UPDATE of no stream", "goaway:PROTOCOL_ERROR", update(0, "u=1"))
  w:add("RFC 9218 7.1", "PRIORITY_UPDATE of a stream that we would push", "goaway:PROTOCOL_ERROR",
    update(2, "u=1"))
  w:add("RFC 9218 7.1", "PRIORITY_UPDATE on a stream", "goaway:PROTOCOL_ERROR", w:open(),
    h2.frame(h2.PRIORITY_UPDATE, 0, 1, h2.u32(1) .. "u=1"))
  w:add("RFC 9218 7.1", "PRIORITY_UPDATE that is too short", "goaway:FRAME_SIZE_ERROR",
    h2.frame(h2.PRIORITY_UPDATE, 0, 0, "\0\0\1"))
end

return function(w)
  frames(w)
  requests(w)
  unknown(w)
  urgency(w)
end
