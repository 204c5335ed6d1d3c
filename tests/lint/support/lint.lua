-- What the lints share: finding files, reading lines, reporting file:line: message.
local M = {}

M.root = arg[1] or "."
local found = 0

local FIND = "cd '%s' && find '%s' -name node_modules -prune -o -type f -print 2>/dev/null"

--- Paths below the root's `folders` with one of the `endings`, sorted, relative to the root.
function M.files(folders, endings)
  local paths = {}
  for _, folder in ipairs(folders) do
    local list = io.popen(FIND:format(M.root, folder))
    for path in list:lines() do
      local ending = path:match("%.(%w+)$")
      local ours = not path:find("^core/build/") and not path:find("^tests/lint/")
      for _, wanted in ipairs(endings) do
        if ours and ending == wanted then paths[#paths + 1] = path end
      end
    end
    list:close()
  end
  table.sort(paths)
  return paths
end

function M.read(path)
  local file = io.open(M.root .. "/" .. path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

function M.lines(path)
  local lines = {}
  for line in ((M.read(path) or ""):gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

function M.report(path, line, message, ...)
  found = found + 1
  print(("%s:%d: %s"):format(path, line, message:format(...)))
end

--- Ends the lint; the exit code says whether anything was found.
function M.finish()
  os.exit(found == 0 and 0 or 1)
end

return M
