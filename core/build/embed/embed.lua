-- Compiles Lua modules to bytecode and writes them as one C file.
-- usage: luajit embed.lua LIST OUTPUT.c, where LIST holds two lines a module: name, source file.
-- Bytecode depends on the VM: run it with the LuaJIT that is linked.

local list, output = arg[1], arg[2]

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function module_name(path)
  return (path:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

local function c_bytes(bytes)
  local rows = {}
  for i = 1, #bytes, 24 do
    rows[#rows + 1] = table.concat({ bytes:byte(i, i + 23) }, ",")
  end
  return table.concat(rows, ",\n")
end

local arrays, rows = {}, {}
local next_line = io.lines(list)
for path in next_line do
  if path ~= "" then
    local source = read(next_line())
    local chunk, err = loadstring(source, "@" .. path)
    if not chunk then
      io.stderr:write(err, "\n")
      os.exit(1)
    end
    local bytes = string.dump(chunk)
    arrays[#arrays + 1] = ("static const unsigned char bytes_%d[] = {\n%s};\n")
      :format(#arrays, c_bytes(bytes))
    rows[#rows + 1] = ('    {"%s", bytes_%d, %d, "%s"},\n')
      :format(module_name(path), #rows, #bytes, path)
  end
end

local out = assert(io.open(output, "wb"))
out:write("/* Generated from lua/ by core/build/embed/embed.lua. */\n",
  '#include "script/embed.h"\n\n', table.concat(arrays, "\n"), "\n",
  "const struct gate_lua_module gate_lua_modules[] = {\n", table.concat(rows),
  "    {0, 0, 0, 0},\n};\n\nconst size_t gate_lua_modules_count = ", #rows, ";\n")
assert(out:close())
