--- Modules of scripts: functions of the program around the gateway, then files beside the gateway
--- file, then those in scripts/, then the public part of the library. Each runs once per VM, in the
--- sandbox.

local place = require "moongate.declare.place"

local M = {}

local raise = place.raise

--- State of the VM's one load.
local host, env, gate
local loaded, running, files, over = {}, {}, {}, false

--- Modules that the files name in a `require`: read and compiled with them, so that a function may
--- ask for one when it is called.
---@type table<string, { chunk?: function, text?: string, err?: string, value?: table }>
local ready = {}

--- Libraries that `require` gives where there is no file: those that scripts have anyway, and with
--- --trust LuaJIT's own.
local LIBRARIES = { "bit", "coroutine", "math", "os", "string", "table" }
local TRUSTED = {
  "debug", "ffi", "io", "jit", "package", "string.buffer", "table.clear", "table.new",
}
---@type table<string, table|function>
local libraries = {}

--- Begins a load.
---@param with table the engine's functions
---@param sandbox table environment of scripts
---@param gate_table table what `require "moongate"` gives
---@param trust? boolean whether scripts may have LuaJIT's own modules
function M.begin(with, sandbox, gate_table, trust)
  host, env, gate = with, sandbox, gate_table
  loaded = { moongate = gate_table }
  running, files, ready, over = {}, {}, {}, false
  libraries = {}
  for _, name in ipairs(LIBRARIES) do libraries[name] = env[name] end
  for _, name in ipairs(trust and TRUSTED or {}) do libraries[name] = env[name] or require(name) end
end

--- Ends the load: nothing is read from the disk any more.
function M.finish()
  over = true
end

--- Gets the modules ready that a text names. What is wrong with one is told when it is asked for.
local function prepare(text)
  for name in text:gmatch("require%s*%(?%s*[\"']([%w_.-]+)[\"']") do
    if not ready[name] and loaded[name] == nil then
      ready[name] = { value = host.native(name) }
      local file, source = host.module(name)
      if file and not ready[name].value then
        ready[name].text = source
        ready[name].chunk, ready[name].err = M.compile(file, source)
      end
    end
  end
end

--- Compiles a script's text in the sandbox.
---@param name string file
---@param text string
---@return function|nil
---@return string|nil err
function M.compile(name, text)
  files[#files + 1] = { name = name, text = text }
  if text:byte() == 27 then return nil, name .. ": bytecode is not loaded, only text" end
  local chunk, err = loadstring((text:gsub("^#[^\n]*", "")), "@" .. name)
  if not chunk then return nil, err end
  prepare(text)
  return setfenv(chunk, env)
end

--- The script files that were compiled.
---@return { name: string, text: string }[]
function M.files()
  return files
end

--- Whether a word stands anywhere in the script files.
---@param word string
---@return boolean
function M.mention(word)
  for _, file in ipairs(files) do
    if file.text:find(word, 1, true) then return true end
  end
  return false
end

--- A module of the library for scripts: policies run in the sandbox, with `gate` as a global.
---@param name string
---@return any
function M.library(name)
  if loaded[name] ~= nil then return loaded[name] end
  local chunk = host.library(name)
  if not chunk then return nil end
  setfenv(chunk, setmetatable({ gate = gate }, { __index = env }))
  local value = chunk(name)
  loaded[name] = value == nil and true or value
  return loaded[name]
end

--- The chunk that is run, innermost.
local present

--- Runs a chunk. A mistake in its tail call, which leaves no frame, is found by it.
---@param chunk function
---@param ... any
---@return any value
function M.run(chunk, ...)
  local before = present
  present = chunk
  local ok, value = pcall(chunk, ...)
  present = before
  if not ok then error(value, 0) end
  return value
end

place.calls_hooks(M.run, function() return present end)

--- Runs a module's chunk.
local function value_of(name, chunk, err)
  if not chunk then error(err, 0) end
  local value = M.run(chunk, name)
  if value == nil then return true end
  return value
end

local function load_file(name)
  local file, text = host.module(name)
  if not file then return nil, text end
  local known = ready[name]
  if known and known.text == text then return value_of(name, known.chunk, known.err) end
  return value_of(name, M.compile(file, text))
end

--- Loads a module, whatever it is; nil when there is none.
local function find(name)
  local functions = host.native(name)
  if functions then return functions end
  local value, err = load_file(name)
  if value ~= nil then return value end
  if err then raise(("module '%s' cannot be read: %s"):format(name, err)) end
  if name:find("^moongate%.policy%.") then return M.library(name) end
  return libraries[name]
end

local function raise_missing(name)
  local path = name:gsub("%.", "/") .. ".lua"
  raise(("there is no module '%s' (no file %s beside the gateway file, none in scripts/)")
    :format(name, path))
end

--- Loads a module while the gateway file loads.
local function load_now(name)
  if running[name] then raise(("module '%s' requires itself"):format(name)) end
  running[name] = true
  local ok, value = pcall(find, name)
  running[name] = nil
  if not ok then error(value, 0) end
  if value ~= nil then return value end
  raise_missing(name)
end

--- Loads a module later, from what was read then. Nothing marks that it runs: the call may be
--- stopped.
local function load_late(name)
  local known = ready[name]
  if known and (known.chunk or known.err) then
    local value = value_of(name, known.chunk, known.err)
    -- While it waited, another request may have loaded it.
    if loaded[name] ~= nil then return loaded[name] end
    return value
  end
  local value = known and known.value or libraries[name]
  if value ~= nil then return value end
  if known then raise_missing(name) end
  raise(("module '%s' was not read with the gateway file: only what its files name in a require "
    .. "is, and requests read no files; require it at the top of the file"):format(name))
end

--- `require` of scripts.
---@param name string
---@return any
function M.require(name)
  if type(name) ~= "string" then
    raise(("require needs the name of a module, not a %s"):format(type(name)))
  end
  if loaded[name] == nil then loaded[name] = (over and load_late or load_now)(name) end
  return loaded[name]
end

return M
