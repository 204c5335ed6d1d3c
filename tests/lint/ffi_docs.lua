-- Every function that C offers to Lua is used or described: in lua/, or a README of lua/ or core/.
package.path = arg[0]:gsub("[^/]*$", "support/?.lua;") .. package.path
local lint = require("lint")

local words = {}
local function learn(text)
  for word in (text or ""):gmatch("[%a_][%w_]*") do words[word] = true end
end
learn(lint.read("lua/README.md"))
learn(lint.read("core/README.md"))
for _, path in ipairs(lint.files({ "lua" }, { "lua" })) do learn(lint.read(path)) end

for number, line in ipairs(lint.lines("core/script/ffi_api.h")) do
  for name in line:gmatch("%(%s*%*%s*([%a_][%w_]*)%s*%)%s*%(") do
    if not words[name] then
      lint.report("core/script/ffi_api.h", number,
        "%s is neither used in lua/ nor described in lua/README.md or core/README.md", name)
    end
  end
end

lint.finish()
