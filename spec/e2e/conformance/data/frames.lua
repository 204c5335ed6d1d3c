--- Frames that are wrong in themselves, in their place, or in their size.
local h2 = require "e2e.vectors.h2"

local END, WHOLE, PADDED = h2.END, h2.WHOLE, 8

local function headers(w)
  local block = w:block()
  w:add("4.3", "a block that ends amid a field", "goaway:COMPRESSION_ERROR", w:headers "\64")
  w:add("4.3", "PRIORITY amid a block", "goaway:PROTOCOL_ERROR", w:headers(block, 0),
    w:priority(1, 0), w:continuation(w.LARGE))
  w:add("4.3", "HEADERS of another stream amid a block", "goaway:PROTOCOL_ERROR",
    w:headers(block, 0), w:get(3), w:continuation(w.LARGE))
  w:add("5.5", "an unknown frame amid a block", "goaway:PROTOCOL_ERROR", w:headers(block, END),
    h2.frame(0x16, 0, 0, ("\0"):rep(8)))
  w:add("6.2", "HEADERS on no stream", "goaway:PROTOCOL_ERROR", w:headers(block, nil, 0))
  w:add("6.2", "HEADERS with more padding than payload", "goaway:PROTOCOL_ERROR",
    w:headers(string.char(#block + 2) .. block, END + WHOLE + PADDED))
  w:add("6.2", "HEADERS without the length of their padding", "goaway:FRAME_SIZE_ERROR "
    .. "goaway:PROTOCOL_ERROR", w:headers("", END + WHOLE + PADDED))
  w:add("6.10", "DATA behind CONTINUATION without END_HEADERS", "goaway:PROTOCOL_ERROR",
    w:headers(block, 0), w:continuation(w.LARGE, 0), w:data("test", END))
  w:add("6.10", "CONTINUATION on no stream", "goaway:PROTOCOL_ERROR", w:headers(block, END),
    w:continuation(w.LARGE, WHOLE, 0))
  w:add("6.10", "CONTINUATION on another stream", "goaway:PROTOCOL_ERROR", w:headers(block, END),
    w:continuation(w.LARGE, WHOLE, 3))
  w:add("6.10", "CONTINUATION behind a whole block", "goaway:PROTOCOL_ERROR", w:get(),
    w:continuation(w.LARGE))
  w:add("6.10", "CONTINUATION behind a last CONTINUATION", "goaway:PROTOCOL_ERROR",
    w:headers(block, END), w:continuation(w.LARGE), w:continuation(w.LARGE))
  w:add("6.10", "CONTINUATION behind DATA", "goaway:PROTOCOL_ERROR", w:headers(block, 0),
    w:data("test", END), w:continuation(w.LARGE, 0), w:continuation(w.LARGE, WHOLE, 0))
  w:add("8.4", "PUSH_PROMISE of a client", "goaway:PROTOCOL_ERROR",
    h2.frame(5, WHOLE, 1, h2.u32(3) .. block))
end

local function sizes(w)
  w:add("4.2", "DATA larger than SETTINGS_MAX_FRAME_SIZE", "goaway:FRAME_SIZE_ERROR", w:post(),
    w:data(("x"):rep(16385), END))
  w:add("4.2", "HEADERS larger than SETTINGS_MAX_FRAME_SIZE", "goaway:FRAME_SIZE_ERROR",
    w:headers(w:block() .. w.LARGE:rep(5)))
  w:add("6.3", "PRIORITY of 4 bytes", "goaway:FRAME_SIZE_ERROR", w:get(),
    h2.frame(h2.PRIORITY, 0, 1, "\128\0\0\1"))
  w:add("6.3", "PRIORITY of 4 bytes on an idle stream", "goaway:FRAME_SIZE_ERROR",
    h2.frame(h2.PRIORITY, 0, 1, "\0\0\0\0"))
  w:add("6.3", "PRIORITY of 6 bytes", "goaway:FRAME_SIZE_ERROR",
    h2.frame(h2.PRIORITY, 0, 1, "\0\0\0\0\0\0"))
  w:add("6.4", "RST_STREAM of 3 bytes", "goaway:FRAME_SIZE_ERROR", w:open(),
    h2.frame(h2.RST, 0, 1, "\0\0\0"))
  w:add("6.5", "SETTINGS with ACK and a payload", "goaway:FRAME_SIZE_ERROR",
    h2.frame(h2.SETTINGS, h2.ACK, 0, "\0"))
  w:add("6.5", "SETTINGS of 3 bytes", "goaway:FRAME_SIZE_ERROR",
    h2.frame(h2.SETTINGS, 0, 0, "\0\3\0"))
  w:add("6.5", "SETTINGS that say 9 bytes", "goaway:FRAME_SIZE_ERROR",
    "\0\0\9\4\0\0\0\0\0", "\0\3\0\0\0\100\0\2")
  w:add("6.7", "PING of 6 bytes", "goaway:FRAME_SIZE_ERROR", h2.frame(h2.PING, 0, 0, "123456"))
  w:add("6.7", "PING of 6 bytes on a stream", "goaway:FRAME_SIZE_ERROR goaway:PROTOCOL_ERROR",
    h2.frame(h2.PING, 0, 1, "123456"))
  w:add("6.8", "GOAWAY of 4 bytes", "goaway:FRAME_SIZE_ERROR", h2.frame(h2.GOAWAY, 0, 0, "1234"))
  w:add("6.9", "WINDOW_UPDATE of 3 bytes", "goaway:FRAME_SIZE_ERROR",
    h2.frame(h2.WINDOW, 0, 0, "\0\0\1"))
end

local function places(w)
  w:add("6.1", "DATA on no stream", "goaway:PROTOCOL_ERROR", h2.frame(h2.DATA, END, 0, "test"))
  w:add("6.1", "DATA with more padding than payload", "goaway:PROTOCOL_ERROR",
    w:post { { "content-length", "4" } }, w:data("\6Test", END + PADDED))
  w:add("6.3", "PRIORITY on no stream", "goaway:PROTOCOL_ERROR", w:priority(0, 0))
  w:add("6.4", "RST_STREAM on no stream", "goaway:PROTOCOL_ERROR", w:reset(0))
  w:add("6.5", "SETTINGS on a stream", "goaway:PROTOCOL_ERROR",
    h2.frame(h2.SETTINGS, 0, 1, "\0\3" .. h2.u32(100)))
  w:add("6.7", "PING on a stream", "goaway:PROTOCOL_ERROR", h2.frame(h2.PING, 0, 1, "12345678"))
  w:add("6.8", "GOAWAY on a stream", "goaway:PROTOCOL_ERROR",
    h2.frame(h2.GOAWAY, 0, 1, ("\0"):rep(8)))
  w:add("5.4.1", "PING on a stream that does not exist", "goaway:PROTOCOL_ERROR",
    h2.frame(h2.PING, 0, 3, "12345678"))
end

return function(w)
  headers(w)
  sizes(w)
  places(w)
end
