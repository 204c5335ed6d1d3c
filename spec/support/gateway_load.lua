--- Loads gateway files from memory, as the gateway does, for the specs of the declarations.

local json = require "moongate.json"
local moongate = require "moongate"

local M = {}

--- What runs instead of the runtime half.
local RUNTIME = {
  reply = function(status, body) return { status = status, body = body } end,
  env = function() return "secret" end,
}

--- Loads "gateway.lua" from its text. `files` are other files of the bundle.
--- Returns output (its JSON decoded in `config`) or nil, the mistakes, and the gate table.
function M.load(text, files, host)
  local all = { ["gateway.lua"] = text }
  for name, bytes in pairs(files or {}) do all[name] = bytes end
  local settings = {
    file = "gateway.lua", runtime = RUNTIME,
    read = function(name) return all[name], "no such file" end,
    dictionary = function(name, bytes)
      if name == "none" then return nil, 24 end
      return { name = name, bytes = bytes }
    end,
  }
  for key, value in pairs(host or {}) do settings[key] = value end
  local gate, loading = moongate.new(settings)
  local modules = {}
  local env = setmetatable({}, { __index = _G })
  function env.require(name)
    if name == "moongate" then return gate end
    if modules[name] == nil then
      local chunk = assert(loadstring(all[name .. ".lua"], "@" .. name .. ".lua"))
      modules[name] = setfenv(chunk, env)() or true
    end
    return modules[name]
  end
  local chunk, failure = loadstring(text, "@gateway.lua")
  if chunk then
    local ok, err = pcall(setfenv(chunk, env))
    if not ok then failure = err end
  end
  local output, mistakes = loading.finish(failure)
  if output then output.config = json.decode(output.json) end
  return output, mistakes, gate
end

--- The output of a file without mistakes.
function M.good(text, files, host)
  local output, mistakes, gate = M.load(text, files, host)
  assert(output, "mistakes: " .. table.concat(M.printed(mistakes), "\n"))
  return output.config, output, gate
end

--- The mistakes of a file, printed.
function M.bad(text, files, host)
  local output, mistakes = M.load(text, files, host)
  assert(not output, "the file has no mistakes")
  return M.printed(mistakes), mistakes
end

function M.printed(mistakes)
  local list = {}
  for i, made in ipairs(mistakes) do list[i] = tostring(made) end
  return list
end

--- Lines of a gateway file behind the two that every one of them begins with.
function M.file(...)
  return 'local gate = require "moongate"\ngate.listen { ":8080" }\n' .. table.concat({ ... }, "\n")
end

return M
