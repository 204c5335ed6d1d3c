-- Includes go down only: core/LAYERS says which folder may include which.
package.path = arg[0]:gsub("[^/]*$", "support/?.lua;") .. package.path
local lint = require("lint")

local allowed = {}
for _, line in ipairs(lint.lines("core/LAYERS")) do
  local folder, below = line:match("^%d+ +(%w+):(.*)$")
  if folder then
    allowed[folder] = { [folder] = true }
    for name in below:gmatch("%w+") do allowed[folder][name] = true end
  end
end

-- What the program around a gateway sees; it knows nothing of ours.
local PUBLIC = "moongate.h"

local function check_include(path, number, folder, target)
  if target == PUBLIC then return end
  local below, name = target:match("^([%w_]+)/([%w_]+%.h)$")
  if not below then
    lint.report(path, number, 'write the folder: #include "folder/%s"', target)
  elseif not allowed[folder][below] then
    lint.report(path, number, "%s/ may not include %s/ (core/LAYERS)", folder, below)
  elseif name:find("_int%.h$") and below ~= folder then
    lint.report(path, number, "%s is private to %s/", target, below)
  end
end

for _, path in ipairs(lint.files({ "core" }, { "c", "h" })) do
  local folder = path:match("^core/([%w_]+)/")
  for number, line in ipairs(path == "core/" .. PUBLIC and lint.lines(path) or {}) do
    if line:find('^%s*#%s*include%s*"') then
      lint.report(path, number, "%s includes nothing of ours", PUBLIC)
    end
  end
  if folder and not allowed[folder] then
    lint.report(path, 1, "folder %s/ is not in core/LAYERS", folder)
  elseif folder then
    for number, line in ipairs(lint.lines(path)) do
      local target = line:match('^%s*#%s*include%s*"([^"]+)"')
      if target then check_include(path, number, folder, target) end
    end
  end
end

-- A test may look into the private headers of its own folder only; a measurement into all, for what
-- it compares is often a part left out.
for _, path in ipairs(lint.files({ "tests" }, { "c", "h" })) do
  local folder = path:match("^tests/([%w_]+)/")
  for number, line in ipairs(lint.lines(path)) do
    local below, name = line:match('^%s*#%s*include%s*"([%w_]+)/([%w_]+_int%.h)"')
    if below and below ~= folder and folder ~= "bench" then
      lint.report(path, number, "%s/%s is private to %s/", below, name, below)
    end
  end
end

lint.finish()
