-- The first line of a header of core/ is a comment that says what the file is for.
package.path = arg[0]:gsub("[^/]*$", "support/?.lua;") .. package.path
local lint = require("lint")

for _, path in ipairs(lint.files({ "core" }, { "h" })) do
  local first = lint.lines(path)[1] or ""
  local text = first:match("^/%*+%s*(.*)") or first:match("^//%s*(.*)") or ""
  if #text:gsub("%s*%*/$", "") < 12 then
    lint.report(path, 1, "the first line must be a comment with the charter of the file")
  end
end

lint.finish()
