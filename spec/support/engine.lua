-- A stand-in for the engine: binds moongate.engine to Lua functions, so that runtime modules can be
-- tried without one. Call it before requiring any of them.
local ffi = require "ffi"

return function(api)
  -- FFI declarations are for the whole process and cannot be made twice.
  pcall(ffi.cdef, require "moongate.ffi_cdef")
  local engine = require "moongate.engine"
  engine.vm = "vm"
  engine.io = ffi.new("struct gate_io")
  engine.io.stop, engine.io.stop_at = 2 ^ 31 - 1,
    ffi.cast("const int32_t *", engine.io) + ffi.offsetof("struct gate_io", "stop") / 4
  engine.api = setmetatable(api or {}, {
    __index = function(_, name) error("the spec has no engine function " .. name) end,
  })
  --- Leaves a string as an engine function does.
  function engine.leave(text)
    engine.kept = text
    engine.io.p, engine.io.n = text, #text
    return 1
  end
  return engine
end
