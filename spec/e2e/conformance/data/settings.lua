--- Preface, settings, and windows.
local connection = require "e2e.conformance.connection"
local h2 = require "e2e.vectors.h2"

local PUSH, FRAME_SIZE, CONNECT, NO_PRIORITIES = 2, 5, 8, 9

local function settings(w)
  w:add("6.5", "SETTINGS of all that RFC 7540 has", "ack",
    h2.frame(h2.SETTINGS, 0, 0, "\0\1" .. h2.u32(4096) .. "\0\2" .. h2.u32(1)
      .. "\0\3" .. h2.u32(100) .. "\0\4" .. h2.u32(65535) .. "\0\5" .. h2.u32(16384)
      .. "\0\6" .. h2.u32(100)))
  w:add("6.5.2", "SETTINGS_ENABLE_PUSH of 2", "goaway:PROTOCOL_ERROR", w:setting(PUSH, 2))
  w:add("6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE of 2^31", "goaway:FLOW_CONTROL_ERROR",
    w:setting(w.WINDOW_SETTING, 0x80000000))
  w:add("6.5.2", "SETTINGS_MAX_FRAME_SIZE of 2^14 - 1", "goaway:PROTOCOL_ERROR",
    w:setting(FRAME_SIZE, 16383))
  w:add("6.5.2", "SETTINGS_MAX_FRAME_SIZE of 2^24", "goaway:PROTOCOL_ERROR",
    w:setting(FRAME_SIZE, 16777216))
  w:add("6.5.3", "SETTINGS are acknowledged", "ack", w:setting(PUSH, 0))
  w:add("6.5.3", "one setting twice in a frame: the last one counts", "data:1",
    h2.frame(h2.SETTINGS, 0, 0, "\0\4" .. h2.u32(100) .. "\0\4" .. h2.u32(1)), connection.acked,
    w:get())
  w:add("RFC 8441 3", "SETTINGS_ENABLE_CONNECT_PROTOCOL of 2", "goaway:PROTOCOL_ERROR",
    w:setting(CONNECT, 2))
  w:add("RFC 9218 2.1", "SETTINGS_NO_RFC7540_PRIORITIES of 2", "goaway:PROTOCOL_ERROR",
    w:setting(NO_PRIORITIES, 2))
  w:add("RFC 9218 2.1", "SETTINGS_NO_RFC7540_PRIORITIES that changes", "goaway:PROTOCOL_ERROR",
    w:setting(NO_PRIORITIES, 1))
end

local function windows(w)
  local most = 0x7fffffff
  w:add("6.9", "WINDOW_UPDATE of 0", "goaway:PROTOCOL_ERROR", w:window(0, 0))
  w:add("6.9", "WINDOW_UPDATE of 0 on a stream", "rst:PROTOCOL_ERROR goaway:PROTOCOL_ERROR",
    w:open(), w:window(1, 0))
  w:add("6.9.1", "a window of 1", "data:1", w:setting(w.WINDOW_SETTING, 1), connection.acked,
    w:get())
  w:add("6.9.1", "a window over 2^31 - 1", "goaway:FLOW_CONTROL_ERROR", w:window(0, most),
    w:window(0, most))
  w:add("6.9.1", "a stream's window over 2^31 - 1", "rst:FLOW_CONTROL_ERROR", w:open(),
    w:window(1, most), w:window(1, most))
  w:add("6.9.2", "an initial window that changes under a stream", "data:1",
    w:setting(w.WINDOW_SETTING, 0), connection.acked, w:get(), w:setting(w.WINDOW_SETTING, 1))
  w:add("6.9.2", "a window that gets negative", "data:1", w:setting(w.WINDOW_SETTING, 3),
    connection.acked, w:get(), connection.some_data, w:setting(w.WINDOW_SETTING, 2),
    connection.acked, w:window(1, 2))
  w:add("6.9.2", "an initial window that makes one too large", "goaway:FLOW_CONTROL_ERROR",
    w:setting(w.WINDOW_SETTING, 0), connection.acked, w:open(), w:window(1, most),
    w:setting(w.WINDOW_SETTING, most))
end

return function(w)
  settings(w)
  windows(w)
end
