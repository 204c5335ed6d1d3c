-- Turns a plain C header into a Lua module that returns its declarations for ffi.cdef.
-- usage: luajit cdef.lua HEADER.h OUTPUT.lua

local input, output = arg[1], arg[2]
local file = assert(io.open(input, "rb"))
local text = file:read("*a")
file:close()

local cdef = text
  :gsub("\\\r?\n", " ")                 -- continued lines
  :gsub("/%*.-%*/", " ")                -- comments
  :gsub("//[^\n]*", "")
  :gsub("%f[^\n%z][ \t]*#[^\n]*", "")   -- preprocessor
  :gsub("[ \t]+\n", "\n")
  :gsub("\n\n+", "\n")
  :gsub("^%s+", "")

-- A mistake is found here, at build time, with the header's name on it.
local ok, err = pcall(require("ffi").cdef, cdef)
if not ok then
  io.stderr:write(input, ": not plain C for the FFI: ", tostring(err), "\n")
  os.exit(1)
end

local out = assert(io.open(output, "wb"))
out:write("-- Generated from core/script/ffi_api.h.\nreturn [==[\n", cdef, "]==]\n")
assert(out:close())
