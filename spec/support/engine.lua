-- A stand-in for the engine: binds moongate.engine to Lua functions, so that runtime modules can be
-- tried without one. Call it before requiring any of them.
local ffi = require "ffi"

return function(api)
  -- FFI declarations are for the whole process and cannot be made twice.
  pcall(ffi.cdef, require "moongate.ffi_cdef")
  local engine = require "moongate.engine"
  engine.vm = "vm"
  engine.io = ffi.new("struct gate_io")
  -- No hook is in quarantine, nobody else wants a turn.
  engine.stop = ffi.new("int32_t[1]", 2 ^ 31 - 1)
  engine.io.stop_at = engine.stop
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
