-- What the gateway says is plain ASCII: its messages end in logs, which escape every other byte.
-- Comments are free.
package.path = arg[0]:gsub("[^/]*$", "support/?.lua;") .. package.path
local lint = require("lint")

-- Comments of a language, as patterns of their whole.
local COMMENTS = {
  c = { "^/%*.-%*/", "^//[^\n]*" },
  lua = { "^%-%-%[(=*)%[.-%]%1%]", "^%-%-[^\n]*" },
}
COMMENTS.h = COMMENTS.c

local STRINGS = { ['"'] = '^"[^"\\\n]*', ["'"] = "^'[^'\\\n]*" }

-- The index behind the quoted text that opens at `at`.
local function quoted_end(text, at)
  local quote = text:sub(at, at)
  local _, last = text:find(STRINGS[quote], at)
  while text:sub(last + 1, last + 1) == "\\" do
    _, last = text:find("^[^" .. quote .. "\\\n]*", last + 3)
  end
  return last + 2
end

-- The index behind a comment at `at`, or nil.
local function comment_end(text, at, comments)
  for _, pattern in ipairs(comments) do
    local _, last = text:find(pattern, at)
    if last then return last + 1 end
  end
end

local function line_of(text, at)
  local _, n = text:sub(1, at):gsub("\n", "")
  return n + 1
end

local function check(path, text, comments)
  local at, last = text:find("[\"'/%-\128-\255]"), nil
  while at do
    local c = text:sub(at, at)
    local after = comment_end(text, at, comments)
    if not after and STRINGS[c] then after = quoted_end(text, at) end
    local bad = not (after and not STRINGS[c])
      and text:sub(at, (after or at + 1) - 1):find("[\128-\255]")
    local line = bad and line_of(text, at + bad - 1)
    if line and line ~= last then
      lint.report(path, line, "only comments may hold what is not ASCII")
    end
    last = line or last
    at = text:find("[\"'/%-\128-\255]", after or at + 1)
  end
end

for _, path in ipairs(lint.files({ "core", "lua" }, { "c", "h", "lua" })) do
  local text = lint.read(path)
  if text:find("[\128-\255]") then check(path, text, COMMENTS[path:match("%.(%w+)$")]) end
end

lint.finish()
