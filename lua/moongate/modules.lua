--- Modules of scripts: functions of the program around the gateway, then files beside the gateway
--- file, then those in scripts/, then the public part of the library. Each runs once per VM, in the
--- sandbox.

local place = require "moongate.declare.place"

local M = {}

local raise = place.raise

--- State of the VM's one load.
local host, env, gate
local loaded, running, files, over = {}, {}, {}, false

--- Begins a load.
---@param with table the engine's functions
---@param sandbox table environment of scripts
---@param gate_table table what `require "moongate"` gives
---@param trust? boolean whether scripts may have LuaJIT's own modules
function M.begin(with, sandbox, gate_table, trust)
  host, env, gate = with, sandbox, gate_table
  loaded = { moongate = gate_table }
  for _, name in ipairs(trust and { "ffi", "jit", "bit" } or {}) do loaded[name] = require(name) end
  running, files = {}, {}
end

--- Ends the load: nothing is read from the disk any more.
function M.finish()
  over = true
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

local function load_file(name)
  local file, text = host.module(name)
  if not file then return nil, text end
  local chunk, err = M.compile(file, text)
  if not chunk then error(err, 0) end
  local value = M.run(chunk, name)
  if value == nil then value = true end
  return value
end

--- Loads a module, whatever it is; nil when there is none.
local function find(name)
  local functions = host.native(name)
  if functions then return functions end
  local value, err = load_file(name)
  if value ~= nil then return value end
  if err then raise(("module '%s' cannot be read: %s"):format(name, err)) end
  if name:find("^moongate%.policy%.") then return M.library(name) end
end

--- `require` of scripts.
---@param name string
---@return any
function M.require(name)
  if type(name) ~= "string" then
    raise(("require needs the name of a module, not a %s"):format(type(name)))
  end
  if loaded[name] ~= nil then return loaded[name] end
  if running[name] then raise(("module '%s' requires itself"):format(name)) end
  if over then
    raise(("module '%s' was not loaded with the gateway file, and requests read no files; "
      .. "require it at the top of the file"):format(name))
  end
  running[name] = true
  local ok, value = pcall(find, name)
  running[name] = nil
  if not ok then error(value, 0) end
  if value == nil then
    local path = name:gsub("%.", "/") .. ".lua"
    raise(("there is no module '%s' (no file %s beside the gateway file, none in scripts/)")
      :format(name, path))
  end
  loaded[name] = value
  return value
end

return M
