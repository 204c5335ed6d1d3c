-- Every C file of core/ has its own test, or a test that names it: "covers: exchange/pump.c".
package.path = arg[0]:gsub("[^/]*$", "support/?.lua;") .. package.path
local lint = require("lint")

local covered = {}
for _, path in ipairs(lint.files({ "tests", "spec" }, { "c", "h", "lua", "sh" })) do
  local folder, noun = path:match("^tests/([%w_]+)/test_([%w_]+)%.c$")
  if folder then covered[folder .. "/" .. noun .. ".c"] = true end
  for number, line in ipairs(lint.lines(path)) do
    for name in (line:match("covers:(.*)") or ""):gmatch("[%w_]+/[%w_]+%.c") do
      covered[name] = true
      if not lint.read("core/" .. name) then
        lint.report(path, number, "covers core/%s, which is not there", name)
      end
    end
  end
end

for _, path in ipairs(lint.files({ "core" }, { "c" })) do
  local name = path:match("^core/(.*)$")
  if not covered[name] then
    lint.report(path, 1, "no tests/%s, and no test says \"covers: %s\"",
      name:gsub("/", "/test_"), name)
  end
end

lint.finish()
