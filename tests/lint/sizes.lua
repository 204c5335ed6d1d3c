-- Nothing is too long to read: files, functions, lines, and blocks within blocks. An exception
-- says why: "long: reason" in a comment on or above the function or line, or at the file's top.
package.path = arg[0]:gsub("[^/]*$", "support/?.lua;") .. package.path
local lint = require("lint")
local scan = require("scan")

local FILE, FUNCTION, LINE, NESTING = 600, 60, 100, 4
local TOP = 12 -- lines in which a file's own exception may stand

local function is_comment(line)
  return line:find("^%s*/?%*") or line:find("^%s*//") or line:find("^%s*%-%-")
end

-- On the lines first..last, or in the comment that ends just above them.
local function excused(lines, first, last)
  for i = first, last do
    if lines[i]:find("long: %S") then return true end
  end
  local above = first - 1
  while above > 0 and is_comment(lines[above]) do
    if lines[above]:find("long: %S") then return true end
    above = above - 1
  end
  return false
end

local function file_excused(lines)
  for i = 1, math.min(TOP, #lines) do
    if is_comment(lines[i]) and lines[i]:find("long: %S") then return true end
  end
  return false
end

local function check_function(path, lines, fn)
  local last = fn.last or #lines
  -- The head may take several lines; the reason may stand on any of them.
  if excused(lines, fn.first, math.min(fn.first + 1, last)) then return end
  local length = last - fn.first + 1
  if length > FUNCTION then
    lint.report(path, fn.first, "%s has %d lines, more than %d", fn.name, length, FUNCTION)
  end
  if fn.deepest > NESTING then
    lint.report(path, fn.deepest_line, "%s is nested %d deep, more than %d", fn.name, fn.deepest,
      NESTING)
  end
end

local function check_lines(path, lines)
  for number, line in ipairs(lines) do
    local _, width = line:gsub("[^\128-\191]", "")
    if width > LINE and not excused(lines, number, number) then
      lint.report(path, number, "%d columns, more than %d", width, LINE)
    end
  end
end

local function check(path, find_functions)
  local lines = lint.lines(path)
  if file_excused(lines) then return end
  if #lines > FILE then
    lint.report(path, 1, "%d lines, more than %d", #lines, FILE)
  end
  check_lines(path, lines)
  for _, fn in ipairs(find_functions(lint.read(path))) do check_function(path, lines, fn) end
end

for _, path in ipairs(lint.files({ "core" }, { "c", "h" })) do check(path, scan.c) end
for _, path in ipairs(lint.files({ "lua" }, { "lua" })) do check(path, scan.lua) end

lint.finish()
