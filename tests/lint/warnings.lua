-- luacheck finds nothing in the Lua files of the tree.
package.path = arg[0]:gsub("[^/]*$", "support/?.lua;") .. package.path
local lint = require("lint")

local folders = {}
for _, folder in ipairs({ "lua", "spec", "examples", "tests/bench", "tests/support" }) do
  if #lint.files({ folder }, { "lua" }) > 0 then folders[#folders + 1] = folder end
end
if #folders > 0 then
  local command = ("cd '%s' && luacheck --no-color --codes --formatter plain %s 2>&1")
    :format(lint.root, table.concat(folders, " "))
  local output = io.popen(command)
  for line in output:lines() do
    local path, number, message = line:match("^([^:]+):(%d+):%d+: (.*)$")
    if path then
      lint.report(path, tonumber(number), "%s", message)
    elseif line ~= "" then
      lint.report("luacheck", 0, "%s", line)
    end
  end
  output:close()
end

lint.finish()
