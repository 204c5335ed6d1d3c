--- What comes on streams in the wrong state.
local connection = require "e2e.conformance.connection"
local h2 = require "e2e.vectors.h2"

local END, WHOLE, PRIORITY = h2.END, h2.WHOLE, 32

local function idle(w)
  w:add("5.1", "DATA on an idle stream", "goaway:PROTOCOL_ERROR", w:data("test", END))
  w:add("5.1", "RST_STREAM on an idle stream", "goaway:PROTOCOL_ERROR", w:reset(1))
  w:add("5.1", "WINDOW_UPDATE on an idle stream", "goaway:PROTOCOL_ERROR", w:window(1, 100))
  w:add("5.1", "CONTINUATION on an idle stream", "goaway:PROTOCOL_ERROR",
    w:continuation(w:block()))
  w:add("5.1.1", "an even number", "goaway:PROTOCOL_ERROR", w:get(2))
  w:add("5.1.1", "a number below the last one", "goaway:PROTOCOL_ERROR", w:get(5), w:get(3))
end

local GONE = "rst:STREAM_CLOSED goaway:STREAM_CLOSED"

--- The answer may still be on its way, or there already: that makes no difference.
local function half_closed(w)
  w:add("5.1", "DATA when the request is complete", GONE, w:get(), w:data("test", END))
  w:add("5.1", "DATA when a POST is complete", GONE,
    w:headers(w:block { [":method"] = "POST" }), w:data("test", END))
  w:add("5.1", "HEADERS when the request is complete", GONE, w:get(), w:get())
  w:add("5.1", "HEADERS when a later request is complete", GONE, w:get(5), w:get(5))
  w:add("5.1", "CONTINUATION when the request is complete", "goaway:PROTOCOL_ERROR", w:get(),
    w:continuation(w:block()))
  w:add("5.1", "DATA while the answer waits for a window", GONE, w:setting(w.WINDOW_SETTING, 0),
    w:get(), w:data("test", END))
  w:add("5.1", "HEADERS while the answer waits for a window", GONE,
    w:setting(w.WINDOW_SETTING, 0), w:get(), w:get())
end

local function closed(w)
  w:add("5.1", "DATA behind RST_STREAM", "goaway:STREAM_CLOSED", w:open(), w:reset(1),
    w:data("test", END))
  w:add("5.1", "HEADERS behind RST_STREAM", "goaway:STREAM_CLOSED", w:open(), w:reset(1), w:get())
  w:add("5.1", "CONTINUATION behind RST_STREAM", "goaway:PROTOCOL_ERROR", w:open(), w:reset(1),
    w:continuation(w.LARGE))
  w:add("5.1", "DATA on a closed stream", "goaway:STREAM_CLOSED", w:get(), connection.ended,
    w:data("test", END))
  w:add("5.1", "HEADERS on a closed stream", "goaway:STREAM_CLOSED", w:get(), connection.ended,
    w:get())
  w:add("5.1", "CONTINUATION on a closed stream", "goaway:PROTOCOL_ERROR", w:get(),
    connection.ended, w:continuation(w.LARGE))
end

local function many(w)
  local streams = {}
  for i = 1, 101 do streams[i] = w:get(2 * i - 1) end
  w:add("5.1.2", "one stream more than SETTINGS_MAX_CONCURRENT_STREAMS", "rst:REFUSED_STREAM",
    w:setting(w.WINDOW_SETTING, 0), unpack(streams))
end

-- RFC 7540 section 5.3.1; RFC 9113 says nothing of it any more.
local function priorities(w)
  local own = "rst:PROTOCOL_ERROR goaway:PROTOCOL_ERROR"
  w:add("RFC 7540 5.3.1", "HEADERS that depend on their own stream", own,
    w:headers(h2.u32(1) .. "\255" .. w:block(), END + WHOLE + PRIORITY))
  w:add("RFC 7540 5.3.1", "HEADERS that depend on their own stream alone", own,
    w:headers(h2.u32(0x80000001) .. "\255" .. w:block(), END + WHOLE + PRIORITY))
  w:add("RFC 7540 5.3.1", "PRIORITY that depends on its own stream", own, w:priority(1, 1))
end

return function(w)
  idle(w)
  half_closed(w)
  closed(w)
  many(w)
  priorities(w)
end
